"""The journal's tables and how an older file becomes today's.

Times are int64 ns UTC. A new journal is made as of today; an older one goes through the migrations
after its version. A migration is never changed once released: what differs comes as a further one,
and a step that makes a table keeps a copy of how it was before that table changes.
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
"""version, account, and after an archive first_seq and archived (where the earlier events are)."""

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

EXECUTIONS = sa.Table(
    "executions",
    METADATA,
    sa.Column("execution_id", sa.Integer, primary_key=True),
    sa.Column("session_id", sa.Integer, nullable=False, index=True),
    sa.Column("after_seq", sa.BigInteger, nullable=False),
    sa.Column("venue", sa.String(40), nullable=False),
    sa.Column("fill_id", sa.String(120), nullable=False),
    sa.Column("order_id", sa.String(40), nullable=False, index=True),
    sa.Column("plan_id", sa.String(80), nullable=False),
    sa.Column("symbol", sa.String(80), nullable=False),
    sa.Column("side", sa.Integer, nullable=False),
    sa.Column("quantity", sa.Double, nullable=False),
    sa.Column("price", sa.Double, nullable=False),
    sa.Column("ts", sa.BigInteger, nullable=False),
    sa.Column("costs", sa.Text, nullable=False),
    sa.UniqueConstraint("venue", "fill_id", name="executions_fill"),
)
"""One row a fill the engine booked. side : 1 buy, -1 sell. costs : JSON, account money by kind."""

STATE = sa.Table(
    "state",
    METADATA,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("session_id", sa.Integer, nullable=False),
    sa.Column("after_seq", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
"""What goes on from session to session (the guard's locks and floors): the last value of each."""

WRITER = sa.Table(
    "writer",
    METADATA,
    sa.Column("writer_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("token", sa.String(40), nullable=False),
    sa.Column("commits", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
)
"""One row: who writes (`live.journal.writer`), how many commits there were, the last event."""


def _to_second(connection: sa.Connection) -> None:
    """Add what was booked, what goes on, and who writes."""
    METADATA.create_all(connection, tables=[EXECUTIONS, STATE, WRITER])
    last = connection.scalar(sa.select(sa.func.max(SEQUENCE.c.last_seq))) or 0
    connection.execute(
        sa.insert(WRITER).values(
            writer_id=1, token="", commits=0, last_seq=last, since=0, holder=""
        )
    )


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (_to_second,)
"""The first takes a journal of version 1 to version 2, and so on."""

VERSION = len(MIGRATIONS) + 1


def version_of(connection: sa.Connection) -> int | None:
    """Return the version of a journal, 0 for an empty place, None where something else lies."""
    names = sa.inspect(connection).get_table_names()
    if META.name not in names:
        return None if names else 0
    row = connection.execute(sa.select(META.c.value).where(META.c.name == "version")).first()
    return int(row[0]) if row else None


def migrate(connection: sa.Connection, found: int) -> None:
    """Make a journal (found 0) or bring an older one to today's, in the caller's transaction."""
    if found == 0:
        METADATA.create_all(connection)
        connection.execute(
            sa.insert(WRITER).values(
                writer_id=1, token="", commits=0, last_seq=0, since=0, holder=""
            )
        )
    else:
        for step in MIGRATIONS[found - 1 :]:
            step(connection)
    set_fact(connection, "version", str(VERSION))


def fact(connection: sa.Connection, name: str) -> str | None:
    """Return a value of `meta`, None where there is none."""
    value = connection.scalar(sa.select(META.c.value).where(META.c.name == name))
    return None if value is None else str(value)


def set_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Set a value of `meta`."""
    connection.execute(sa.delete(META).where(META.c.name == name))
    connection.execute(sa.insert(META).values(name=name, value=value))
