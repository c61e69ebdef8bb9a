"""Journals on a PostgreSQL server: a schema for each account in one database.

It needs the server itself: a pool between that hands one session to several clients
(pgbouncer's transaction mode) loses the lock by which the one writer is known.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import time
from collections.abc import Generator, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from live.journal.database import PATIENCE_SECS, Database, accounts_in
from live.journal.errors import BUSY, JournalError, explained
from live.journal.tables import WRITER

try:
    import psycopg
except ImportError as cause:
    raise JournalError(
        "a journal on PostgreSQL needs its driver: pip install '.[postgres]'"
    ) from cause

logger = logging.getLogger(__name__)

ANSWER_SECS = 4.0
"""How long a server may be silent before it counts as lost."""
_PREFIX = "tola"
_LONGEST = 50
"""Letters of an account's name a schema's keeps; PostgreSQL allows 63 in all."""
_LOCK_TAKEN = "55P03"

_CONNECTING: dict[str, Any] = {
    "connect_timeout": 2,
    "tcp_user_timeout": int(ANSWER_SECS * 1000),
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "tola journal",
}
_SESSION = {
    "synchronous_commit": "on",  # whatever the server's own setting: a commit is on the disk
    "lock_timeout": f"{int(PATIENCE_SECS * 1000)}ms",
    "tcp_keepalives_idle": "10",  # the server lets go of a lost client's lock within half a minute
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class _Connection(psycopg.Connection[Any]):
    """A connection that does not wait for ever for a server that is silent."""

    patience_secs: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Run one exchange with the server, up to its patience."""
        if self.patience_secs is None:
            return super().wait(gen, *args, **kwargs)
        return super().wait(self._patiently(gen, self.patience_secs), *args, **kwargs)

    def _patiently(self, exchange: Generator[Any, Any, Any], secs: float) -> Any:
        end = time.monotonic() + secs
        try:
            wanted = next(exchange)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > end:  # woken without news
                    raise psycopg.OperationalError(f"the server is silent for {secs:g} seconds")
                wanted = exchange.send(ready)
        except StopIteration as done:
            return done.value


class PostgresSchema(Database):
    """A journal in a schema of its own; the writer holds an advisory lock while it is open."""

    def __init__(self, address: sa.URL, account: str, *, read_only: bool) -> None:
        self.schema = schema_of(account)
        place = f"{address.render_as_string(hide_password=True)} ({self.schema})"
        super().__init__(place, account, read_only=read_only)
        self._engine = _engine(address)
        sa.event.listen(self._engine, "connect", self._prepare)
        self._connection: sa.Connection | None = None
        self._backend = 0

    def _prepare(self, raw: Any, _record: Any) -> None:
        for name, value in (_SESSION | {"search_path": f'"{self.schema}"'}).items():
            raw.execute("SELECT set_config(%s, %s, false)", (name, value))
        raw.commit()
        if not self.read_only:
            raw.patience_secs = ANSWER_SECS

    # -- transactions ------------------------------------------------------------------------

    def _ready(self) -> sa.Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                if not self.read_only:
                    self._take_lock(connection)
            except BaseException:
                _discard(connection)
                raise
            self._connection = connection
        return self._connection

    def _take_lock(self, connection: sa.Connection) -> None:
        """Be the one writer, for as long as this connection lives."""
        key = _key(self.schema)
        if self._backend:
            # Our own lost connection may still hold it, with a commit of unknown end.
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                    "AND pid = :pid AND (CAST(classid AS bigint) << 32) + "
                    "CAST(objid AS bigint) = :key AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database())"
                ),
                {"pid": self._backend, "key": key},
            )
        try:
            connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
        except OperationalError as cause:
            if getattr(cause.orig, "sqlstate", "") != _LOCK_TAKEN:
                raise
            connection.rollback()
            raise JournalError(f"{self.place}: {_holder(connection)}{BUSY}") from cause
        self._backend = connection.scalar(sa.select(sa.func.pg_backend_pid())) or 0
        connection.commit()

    def _take_back(self, connection: sa.Connection, cause: BaseException | None) -> None:
        if cause is None:
            connection.rollback()
            return
        if isinstance(cause, IntegrityError | JournalError):
            with contextlib.suppress(SQLAlchemyError):
                connection.rollback()
                return
        self._connection = None  # its state is not known: the next call makes a new one
        _discard(connection)

    def _begin_write(self, connection: sa.Connection, sync: bool) -> None:
        # Synced always: a server may die without us, and must then know what it was told.
        connection.begin()

    def _written(self) -> None:
        """Nothing: a server's commit is where all look."""

    def _make_place(self, connection: sa.Connection) -> None:
        connection.execute(sa.schema.CreateSchema(self.schema, if_not_exists=True))

    @contextlib.contextmanager
    def unhurried(self) -> Iterator[None]:
        """Allow statements inside to take as long as they need."""
        with explained(self.place):
            raw = _raw(self._ready())
        before, raw.patience_secs = raw.patience_secs, None
        try:
            yield
        finally:
            raw.patience_secs = before

    # -- the rest ----------------------------------------------------------------------------

    def size(self) -> int:
        """Return the bytes of its tables with their indexes."""
        query = sa.text(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = :schema AND c.relkind = 'r'"
        )
        with self.reading() as connection:
            return int(connection.scalar(query, {"schema": self.schema}) or 0)

    def shrink(self) -> None:
        """Nothing: the server uses the room again by itself."""

    def close(self) -> None:
        """Let go of the server and of the writer's lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _discard(connection)
        self._engine.dispose()


def schema_of(account: str) -> str:
    """Return the schema of an account: its name, where that has to be changed with a sign of it."""
    if not account:
        return _PREFIX
    clean = re.sub(r"[^a-z0-9_]+", "_", account.lower())[:_LONGEST]
    if clean != account:
        clean = f"{clean}_{hashlib.sha256(account.encode()).hexdigest()[:8]}"
    return f"{_PREFIX}_{clean}"


def accounts_on(address: sa.URL) -> list[str]:
    """Return the accounts that have a journal in a database, in alphabetical order."""
    engine = _engine(address)
    names = sa.text("SELECT nspname FROM pg_namespace WHERE nspname = :one OR nspname LIKE :many")
    found: list[str] = []
    try:
        with (
            explained(address.render_as_string(hide_password=True)),
            engine.connect() as connection,
        ):
            these = connection.scalars(names, {"one": _PREFIX, "many": rf"{_PREFIX}\_%"}).all()
            for schema in these:
                path = sa.select(sa.func.set_config("search_path", f'"{schema}"', False))
                connection.execute(path)
                found += accounts_in(connection)
    finally:
        engine.dispose()
    return sorted(found)


def _engine(address: sa.URL) -> sa.Engine:
    engine = sa.create_engine(address, poolclass=sa.pool.NullPool)
    sa.event.listen(engine, "do_connect", _connect)
    return engine


def _connect(_dialect: Any, _record: Any, args: Any, wanted: dict[str, Any]) -> Any:
    return _Connection.connect(*args, **(_CONNECTING | wanted))


def _key(schema: str) -> int:
    """Return the number an account's lock has on the server."""
    digest = hashlib.sha256(f"tola journal {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _holder(connection: sa.Connection) -> str:
    """Return who writes, as far as that can be read."""
    try:
        name = connection.scalar(sa.select(WRITER.c.holder))
    except DBAPIError:
        return ""
    return f"{name}: " if name else ""


def _raw(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def _discard(connection: sa.Connection) -> None:
    """Close a connection whose state is not known, without a word to the server."""
    with contextlib.suppress(SQLAlchemyError):
        connection.invalidate()
    with contextlib.suppress(SQLAlchemyError):
        connection.close()
