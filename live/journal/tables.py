"""The journal's tables and how an older file becomes today's.

Times are int64 ns UTC. A version is never changed: what differs comes as a further migration.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

METADATA = sa.MetaData()

META = sa.Table(
    "meta",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("session_id", sa.Integer, primary_key=True),
    sa.Column("began", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger),
    sa.Column("exit_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("mode", sa.String(10), nullable=False),
    sa.Column("venue", sa.String(40), nullable=False),
    sa.Column("account", sa.String(80), nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
"""One row a start of the engine. document : JSON: plans, settings, risk, code version, seed."""

SEQUENCE = sa.Table(
    "sequence",
    METADATA,
    sa.Column("first_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("session_id", sa.Integer, nullable=False, index=True),
    sa.Column("first_ts", sa.BigInteger, nullable=False),
    sa.Column("last_ts", sa.BigInteger, nullable=False),
    sa.Column("block", sa.LargeBinary, nullable=False),
)
"""What the engine consumed, in blocks of consecutive events (`live.journal.codec`)."""

INTENTS = sa.Table(
    "intents",
    METADATA,
    sa.Column("intent_id", sa.Integer, primary_key=True),
    sa.Column("session_id", sa.Integer, nullable=False, index=True),
    sa.Column("after_seq", sa.BigInteger, nullable=False),
    sa.Column("bar_start", sa.BigInteger, nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False),
    sa.Column("verb", sa.String(10), nullable=False),
    sa.Column("order_id", sa.String(40), nullable=False, index=True),
    sa.Column("plan_id", sa.String(80), nullable=False),
    sa.Column("symbol", sa.String(80), nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
"""What was asked of the venue, written before it was sent. after_seq : the last event known."""

NOTES = sa.Table(
    "notes",
    METADATA,
    sa.Column("note_id", sa.Integer, primary_key=True),
    sa.Column("session_id", sa.Integer, nullable=False, index=True),
    sa.Column("after_seq", sa.BigInteger, nullable=False),
    sa.Column("ts", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False, index=True),
    sa.Column("plan_id", sa.String(80), nullable=False, server_default=""),
    sa.Column("document", sa.Text, nullable=False),
)
"""What the engine made of it, for people: setups, refusals, locks, differences, alerts."""


def _first(connection: sa.Connection) -> None:
    METADATA.create_all(connection)


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (_first,)
"""Each takes a journal of the version of its place to the next."""

VERSION = len(MIGRATIONS)


def version_of(connection: sa.Connection) -> int:
    """Return the version of a journal, 0 for an empty database."""
    if not sa.inspect(connection).has_table(META.name):
        return 0
    row = connection.execute(sa.select(META.c.value).where(META.c.name == "version")).first()
    return 0 if row is None else int(row[0])


def migrate(connection: sa.Connection, found: int) -> None:
    """Bring a journal from the version found to today's, in the caller's transaction."""
    for step in MIGRATIONS[found:]:
        step(connection)
    connection.execute(sa.delete(META).where(META.c.name == "version"))
    connection.execute(sa.insert(META).values(name="version", value=str(VERSION)))
