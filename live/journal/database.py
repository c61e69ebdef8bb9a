"""Where an account's journal lies: one connection, transactions that are whole or not at all."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from live.journal.errors import JournalError, explained, understood
from live.journal.tables import META, VERSION, fact, migrate, set_fact, version_of

PATIENCE_SECS = 2.0
"""How long to wait for another process: with what else an engine does it stays below the 5 s after
which its watchdog takes it for dead."""


class Database(ABC):
    """One account's tables in a file or on a server.

    Not for several threads. Whatever fails in `reading` or `writing` leaves nothing half done, and
    the next call begins anew, on a new connection where that is needed.
    """

    def __init__(self, place: str, account: str, *, read_only: bool) -> None:
        self.place = place
        self.account = account
        self.read_only = read_only

    @abstractmethod
    def _ready(self) -> sa.Connection:
        """Return the connection, made or mended where necessary; a writer's is the only one.

        Raises
        ------
        JournalError : another process writes to it, or what lies there is not what it was.
        """

    @abstractmethod
    def _take_back(self, connection: sa.Connection, cause: BaseException | None) -> None:
        """End a transaction without a trace; with a cause, see that the next one can begin."""

    @abstractmethod
    def size(self) -> int:
        """Return the bytes it takes on the disk."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; never fails."""

    @abstractmethod
    def _begin_write(self, connection: sa.Connection, sync: bool) -> None:
        """Begin a transaction that will write. sync : its commit must be on the disk."""

    @abstractmethod
    def _written(self) -> None:
        """Look, after a commit, whether it went where the next reader will look."""

    @abstractmethod
    def _make_place(self, connection: sa.Connection) -> None:
        """Make what the tables lie in."""

    @abstractmethod
    def shrink(self) -> None:
        """Give back room after much was taken out."""

    def tidy(self) -> None:
        """Do in a quiet moment what would hold up a later commit; nothing by default."""
        return

    @contextlib.contextmanager
    def unhurried(self) -> Iterator[None]:
        """Allow statements inside to take as long as they need."""
        yield

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection whose statements all see the same state."""
        with explained(self.place):
            connection = self._ready()
            try:
                yield connection
            except BaseException as cause:
                self._take_back(connection, cause)
                raise
            self._take_back(connection, None)

    @contextlib.contextmanager
    def writing(self, sync: bool = True) -> Iterator[sa.Connection]:
        """Commit what is written inside, or nothing of it.

        sync : wait until the disk has it; else it outlives this process, and a power cut only once
            a later commit was synced.
        """
        with explained(self.place):
            connection = self._ready()
            try:
                self._begin_write(connection, sync)
                yield connection
                connection.commit()
            except BaseException as cause:
                self._take_back(connection, cause)
                raise
            self._written()

    def open(self) -> None:
        """Make the journal or bring it to today's version where it may be written.

        Raises
        ------
        JournalError : it is missing (read-only), of a later version, another account's, or no
            journal at all.
        """
        try:
            with self.reading() as connection, understood(self.place):
                found = self._known_version(connection)
                named = found > 0 and self._is_named(connection)
            if found < VERSION and self.read_only:
                raise JournalError(
                    f"{self.place}: not a journal yet, or an older one; start a session once"
                )
            if not self.read_only and (found < VERSION or not named):
                with self.unhurried(), self.writing() as connection:
                    self._migrate(connection)
        except BaseException:
            self.close()
            raise

    def _known_version(self, connection: sa.Connection) -> int:
        found = version_of(connection)
        if found is None:
            raise JournalError(
                f"{self.place}: holds something that is no journal: name another place"
            )
        if found > VERSION:
            raise JournalError(
                f"{self.place}: version {found}, this program knows {VERSION}: "
                "use the newer program"
            )
        return found

    def _is_named(self, connection: sa.Connection) -> bool:
        """Whether it is known whose journal it is; refuses another account's."""
        held = fact(connection, "account")
        if held is not None and self.account and held != self.account:
            raise JournalError(
                f"{self.place}: is the journal of account {held!r}, not {self.account!r}: "
                "give each account a place of its own"
            )
        return held is not None or not self.account

    def _migrate(self, connection: sa.Connection) -> None:
        self._make_place(connection)
        found = self._known_version(connection)  # again: only now nobody else can write
        if found < VERSION:
            migrate(connection, found)
        if self.account and not fact(connection, "account"):
            set_fact(connection, "account", self.account)


def open_database(url: str, account: str, *, read_only: bool) -> Database:
    """Open the place an address or the path of a file names."""
    database = _database(url, account, read_only=read_only)
    database.open()
    return database


def _database(url: str, account: str, *, read_only: bool) -> Database:
    from live.journal.sqlite import SqliteFile

    if "://" not in url:
        return SqliteFile(Path(url), account, read_only=read_only)
    address = parse_address(url)
    if address.drivername == "sqlite":
        inside = address.database in (None, "", ":memory:")
        path = None if inside else Path(str(address.database))
        return SqliteFile(path, account, read_only=read_only)
    from live.journal.postgres import PostgresSchema

    return PostgresSchema(address, account, read_only=read_only)


def parse_address(url: str) -> sa.URL:
    """Return a database's address with the driver we use.

    Raises
    ------
    JournalError : it cannot be read, or names a database that is neither of the two.
    """
    try:
        address = sa.make_url(url)
    except (ArgumentError, ValueError) as cause:
        raise JournalError(
            "DATABASE_URL cannot be read: expected sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from cause
    kind = address.drivername.split("+")[0]
    if kind in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return address.set(drivername="sqlite")
    raise JournalError(f"DATABASE_URL names {kind}: a journal lies in sqlite or postgresql")


def accounts_in(connection: sa.Connection) -> list[str]:
    """Return the account a journal's tables name, as a list; "" where it was never named."""
    names = sa.inspect(connection).get_table_names()
    return [fact(connection, "account") or ""] if META.name in names else []
