"""A journal in a file of its own, next to it the file by which its one writer is known."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from core.files import put_in_place
from core.sqlite import files_of
from live.journal.database import PATIENCE_SECS, Database
from live.journal.errors import BUSY, JournalError, explained
from live.journal.tables import WRITER

logger = logging.getLogger(__name__)

_PRAGMAS = (
    "synchronous=FULL",
    "fullfsync=1",
    "checkpoint_fullfsync=1",
    "wal_autocheckpoint=16000",
)
"""Every commit survives a power cut, but those that nobody waits for (`Database.writing`); the next
two matter on macOS alone. The log is emptied into the file in quiet moments (`tidy`): SQLite's own
way, after every 1,000 pages, lets whatever order commits just then wait 10 ms for it. Its limit
stays as the last resort of a session that is never quiet."""
_TIDY_COMMITS = 200
"""Commits after which the log is emptied, about 1,000 pages."""
_LOG_BYTES = 8 << 20
"""Room laid out for the log before a session begins, more than it takes up between two quiet
moments. A write into room that is there needs no change of the file system's own tables, and these
are written together with whatever else the machine is writing: 5 to 10 ms on a busy one."""

_Identity = tuple[tuple[int, int] | None, ...]


class SqliteFile(Database):
    """A journal in an SQLite file (in memory where path is None).

    It is kept in WAL mode, so readers and the writer never wait for each other. The writer holds a
    lock on a file beside it (ending `-writer`) for as long as it is open, which the system lets go
    when the process dies.
    """

    def __init__(self, path: Path | None, account: str, *, read_only: bool) -> None:
        super().__init__(":memory:" if path is None else str(path), account, read_only=read_only)
        # SQLite follows links: what lies beside a journal lies beside the file itself.
        self._path = path = None if path is None else path.resolve()
        self._parts = [] if path is None else files_of(path)
        self._engine = sa.create_engine(
            "sqlite://", creator=self._open_file, poolclass=sa.pool.NullPool
        )
        self._begin = "BEGIN"
        self._syncs = True
        self._in_log = 0
        sa.event.listen(self._engine, "begin", self._on_begin)
        self._connection: sa.Connection | None = None
        self._lock: sqlite3.Connection | None = None
        self._seen: _Identity | None = None
        self._was_there = False
        self._is_told = False
        self._copy: Path | None = None

    # -- connecting --------------------------------------------------------------------------

    def _on_begin(self, connection: sa.Connection) -> None:
        # Python's sqlite3 by itself begins late and commits around DDL: a migration that stops
        # half-way would stay. So it is told to keep out, and each transaction is begun here.
        connection.exec_driver_sql(self._begin)

    def _open_file(self) -> sqlite3.Connection:
        raw = sqlite3.connect(
            self._uri(),
            isolation_level=None,
            timeout=PATIENCE_SECS,
            check_same_thread=False,
            uri=True,
        )
        try:
            for pragma in _PRAGMAS:
                raw.execute(f"PRAGMA {pragma}")
            if self._path is not None and not self.read_only:
                (mode,) = raw.execute("PRAGMA journal_mode=WAL").fetchone()
                if mode != "wal":
                    raise JournalError(
                        f"{self.place}: its file system allows no write-ahead log: "
                        "put it on a local disk"
                    )
        except BaseException:
            raw.close()
            raise
        self._syncs = True
        return raw

    def _uri(self) -> str:
        if self._path is None:
            return "file::memory:"
        if self.read_only:
            return self._read_only_uri()
        # A file that was there once is never made anew behind the back of what it held.
        mode = "rw" if self._was_there else "rwc"
        return f"{self._path.absolute().as_uri()}?mode={mode}"

    def _read_only_uri(self) -> str:
        """Return the address by which SQLite neither changes nor makes a file."""
        assert self._path is not None
        if not self._path.is_file():
            raise JournalError(f"{self.place}: there is no journal here; has this account run?")
        folder = self._path.absolute().parent
        is_still = not os.access(folder, os.W_OK) and not self._part("-wal").exists()
        return f"{self._path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if is_still else "")

    def _ready(self) -> sa.Connection:
        if not self.read_only:
            self._take_lock()
        if self._copy is not None:
            self._put_copy_in_place()
        if self._connection is not None and self._is_moved():
            if self.read_only:
                self._let_go()
            else:
                self._write_anew()
        if self._connection is None:
            self._connection = self._engine.connect()
            self._seen = self._identity() if self.read_only else None
        return self._connection

    def _take_lock(self) -> None:
        """Be the one writer, from now until this is closed."""
        if self._lock is not None or self._path is None:
            return
        lock = sqlite3.connect(
            self._part("-writer"), isolation_level=None, timeout=0, check_same_thread=False
        )
        try:
            lock.execute("PRAGMA journal_mode=MEMORY")  # no further file for a lock
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as cause:
            lock.close()
            if "locked" not in str(cause):
                raise
            raise JournalError(f"{self.place}: {self._holder()}{BUSY}") from cause
        self._lock = lock

    def _holder(self) -> str:
        """Return who writes to it, as far as that can be read."""
        with contextlib.suppress(sqlite3.Error, JournalError):
            with contextlib.closing(sqlite3.connect(self._read_only_uri(), uri=True)) as raw:
                row = raw.execute(f"SELECT holder FROM {WRITER.name}").fetchone()
            return f"{row[0]}: " if row and row[0] else ""
        return ""

    # -- transactions ------------------------------------------------------------------------

    def _begin_write(self, connection: sa.Connection, sync: bool) -> None:
        if sync != self._syncs:
            level = "FULL" if sync else "NORMAL"
            self._driver(connection).execute(f"PRAGMA synchronous={level}")
            self._syncs = sync
        self._begin = "BEGIN IMMEDIATE"
        try:
            connection.begin()
        finally:
            self._begin = "BEGIN"

    def _take_back(self, connection: sa.Connection, cause: BaseException | None) -> None:
        try:
            connection.rollback()
        except SQLAlchemyError:
            if cause is None:
                raise
            self._let_go()

    def tidy(self) -> None:
        """Empty the log into the file if much is in it; a fault is the next commit's to tell."""
        if self._in_log >= _TIDY_COMMITS and self._connection is not None:
            self._in_log = 0
            with contextlib.suppress(sqlite3.Error):
                self._driver(self._connection).execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _written(self) -> None:
        self._in_log += 1
        if self._seen is None:
            self._seen, self._was_there = self._identity(), True
            if self._path is not None:
                _lay_out(self._part("-wal"))
        elif self._is_moved():
            self._is_told = True
            raise self._moved()
        self._is_told = False

    def _make_place(self, connection: sa.Connection) -> None:
        """Nothing: opening the file made it."""

    def _let_go(self) -> None:
        """Let go of the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error):
                connection.invalidate()
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error):
                connection.close()

    # -- the file moved, removed or replaced while in use ------------------------------------

    def _part(self, ending: str) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + ending)

    def _identity(self) -> _Identity:
        """Return which files lie in its place now."""
        return tuple(map(_identity, self._parts))

    def _is_moved(self) -> bool:
        if self._seen is None:
            return False
        now = self._identity()
        return now[:1] != self._seen[:1] if self.read_only else now != self._seen

    def _moved(self) -> JournalError:
        assert self._path is not None and self._seen is not None
        main = _identity(self._path)
        if main not in (None, self._seen[0]):
            return JournalError(
                f"{self.place}: another file was put in its place: move that one away; "
                "nothing is lost, all is held and written anew then"
            )
        return JournalError(
            f"{self.place}: the file (or its -wal or -shm) was removed while in use: put it back; "
            "else all it held is written anew with the next try"
        )

    def _write_anew(self) -> None:
        """Write all that the removed file held, which is still open, to where it belongs.

        Raises
        ------
        JournalError : once before anything is done, and as long as another file is in the way.
        """
        assert self._connection is not None and self._path is not None
        assert self._seen is not None
        is_replaced = _identity(self._path) not in (None, self._seen[0])
        if is_replaced or not self._is_told:
            self._is_told = True
            raise self._moved()
        copy = self._part("-copy")
        copy.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(copy)) as target:
            self._driver(self._connection).backup(target)
        self._let_go()
        self._copy = copy
        self._put_copy_in_place()

    def _put_copy_in_place(self) -> None:
        assert self._copy is not None and self._path is not None
        for part in self._parts[1:]:  # of the removed file: SQLite would apply it to the new one
            part.unlink(missing_ok=True)
        put_in_place(self._copy, self._path)
        self._copy = None
        logger.warning("journal written anew after its file was removed place=%s", self.place)

    def _driver(self, connection: sa.Connection) -> Any:
        return connection.connection.driver_connection

    # -- the rest ----------------------------------------------------------------------------

    def size(self) -> int:
        """Return the bytes of what it holds, the log's included; room that lies ready is not."""
        with self.reading() as connection:
            pages, each = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "page_size")
            )
            return int(pages) * int(each)

    def shrink(self) -> None:
        """Give back room after much was taken out."""
        with explained(self.place):
            raw = self._driver(self._ready())
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file and of the writer's lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error):
                connection.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _lay_out(log: Path) -> None:
    """Make a log as long as it will become; SQLite takes what follows its last entry for none."""
    with contextlib.suppress(OSError):
        held = log.stat().st_size
        if held < _LOG_BYTES and shutil.disk_usage(log.parent).free > 64 * _LOG_BYTES:
            with log.open("r+b") as file:
                file.seek(held)
                file.write(bytes(_LOG_BYTES - held))
                file.flush()
                os.fsync(file.fileno())


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (six times a commit: half the price)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
