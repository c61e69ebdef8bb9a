"""Opening, writing and reading a journal."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from core.errors import TolaError
from core.events import Event
from live.journal.codec import DamagedBlock, decode_events, encode_event, pack_block
from live.journal.tables import (
    INTENTS,
    NOTES,
    SEQUENCE,
    SESSIONS,
    VERSION,
    migrate,
    version_of,
)

BLOCK_EVENTS = 4096
"""Events kept in memory before they are written even if no intent asks for it."""


class JournalError(TolaError):
    """The journal cannot be read or written: says where, why and what to do."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What one start of the engine was; `document` holds all it takes to run it again."""

    mode: str
    venue: str
    account: str
    document: Mapping[str, Any] = field(default_factory=dict)
    session_id: int = 0
    first_seq: int = 0
    began: int = 0
    ended: int | None = None
    exit_reason: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing asked of the venue, as written before it was sent.

    verb : submit, modify, cancel, close. after_seq : the last event known when it was made.
    bar_start : START of the bar it was decided on, ns UTC; 0 outside of bars.
    """

    verb: str
    order_id: str
    plan_id: str
    symbol: str
    document: Mapping[str, Any]
    after_seq: int = 0
    bar_start: int = 0
    made: int = 0


def open_journal(url: str, *, read_only: bool = False) -> Journal:
    """Open a journal, making or migrating it where it may be written.

    Parameters
    ----------
    url : a database URL (`sqlite:///FILE`, `postgresql+psycopg://…`) or the path of a file.

    Raises
    ------
    JournalError : it is missing (read-only), locked, damaged, of a later version, or its place
        cannot be written.
    """
    address = url if "://" in url else f"sqlite:///{Path(url).as_posix()}"
    place = _place(address)
    if read_only and address.startswith("sqlite:///") and not Path(place).is_file():
        raise JournalError(f"{place}: there is no journal here; has this account run?")
    engine = sa.create_engine(
        address, poolclass=sa.pool.StaticPool if _in_memory(address) else None
    )
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    with _explained(place):
        connection = engine.connect()
        found = version_of(connection)
        if found > VERSION:
            connection.close()
            raise JournalError(
                f"{place}: version {found}, this program knows {VERSION}: use the newer program"
            )
        if found < VERSION and read_only:
            connection.close()
            raise JournalError(f"{place}: not a journal yet, or an older one; start a session once")
        if found < VERSION:
            migrate(connection, found)
        connection.commit()
    return Journal(connection, place)


def _in_memory(address: str) -> bool:
    return address in ("sqlite://", "sqlite:///:memory:")


def _place(address: str) -> str:
    """Return what a user calls the journal: its file, or its address without the password."""
    if address.startswith("sqlite:///"):
        return address.removeprefix("sqlite:///")
    return sa.make_url(address).render_as_string(hide_password=True)


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    """Make every commit survive a power cut, and readers never wait for the writer."""
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn a database's errors into ours, with what to do."""
    try:
        yield
    except SQLAlchemyError as cause:
        origin = getattr(cause, "orig", None)
        text = str(origin if origin is not None else cause).splitlines()[0]
        raise JournalError(f"{place}: {text}; {_remedy(text, cause)}") from cause


def _remedy(text: str, cause: SQLAlchemyError) -> str:
    words = text.lower()
    if "locked" in words:
        return "another process writes to it: end that session first"
    if "not a database" in words or "malformed" in words:
        return "the file is damaged: put it aside and restore a copy, nothing was changed"
    if "readonly" in words or "read-only" in words or "unable to open" in words:
        return "its folder must exist and be writable"
    if "disk" in words or "full" in words:
        return "make room on the disk"
    if isinstance(cause, DatabaseError):
        return "check DATABASE_URL and that the server runs"
    return "see the log"


class Journal:
    """One account's journal; one writer, on the engine's thread.

    Events are numbered as they are appended and written together: with the next intent, with
    `flush`, or when many wait. What was not written when the process dies was never acted on by a
    venue: an intent takes all events before it along, in one commit.
    """

    def __init__(self, connection: sa.Connection, place: str) -> None:
        self._connection = connection
        self.place = place
        self._frames: list[bytes] = []
        self._notes: list[dict[str, Any]] = []
        self._first_ts = self._last_ts = 0
        with _explained(place):
            self._written = connection.scalar(sa.select(sa.func.max(SEQUENCE.c.last_seq))) or 0
            connection.commit()
        self._session_id = 0

    @property
    def last_seq(self) -> int:
        """Number of the last event appended, 0 before the first."""
        return int(self._written + len(self._frames))

    # -- writing -----------------------------------------------------------------------------

    def begin(self, facts: SessionFacts) -> int:
        """Note a start of the engine; return the session's number."""
        with self._writing():
            row = self._connection.execute(
                sa.insert(SESSIONS)
                .values(
                    began=time.time_ns(),
                    mode=facts.mode,
                    venue=facts.venue,
                    account=facts.account,
                    first_seq=self.last_seq + 1,
                    document=json.dumps(dict(facts.document)),
                )
                .returning(SESSIONS.c.session_id)
            ).one()
        self._session_id = int(row[0])
        return self._session_id

    def end(self, exit_reason: str) -> None:
        """Write what waits and note how the session ended."""
        self.flush()
        with self._writing():
            self._connection.execute(
                sa.update(SESSIONS)
                .where(SESSIONS.c.session_id == self._session_id)
                .values(ended=time.time_ns(), exit_reason=exit_reason)
            )

    def append(self, event: Event) -> int:
        """Number an event; it is written with the next commit."""
        if not self._frames:
            self._first_ts = event.ts_init or event.ts_event
        self._last_ts = event.ts_init or event.ts_event
        self._frames.append(encode_event(event))
        if len(self._frames) >= BLOCK_EVENTS:
            self.flush()
        return self.last_seq

    def flush(self) -> None:
        """Write and sync the events that wait."""
        if self._frames or self._notes:
            with self._writing():
                self._write_waiting()
            self._forget_waiting()

    def intend(self, intent: Intent) -> None:
        """Write and sync an intent with every event before it; only then may it be sent."""
        with self._writing():
            self._write_waiting()
            self._connection.execute(
                sa.insert(INTENTS).values(
                    session_id=self._session_id,
                    after_seq=self.last_seq,
                    bar_start=intent.bar_start,
                    made=time.time_ns(),
                    verb=intent.verb,
                    order_id=intent.order_id,
                    plan_id=intent.plan_id,
                    symbol=intent.symbol,
                    document=json.dumps(dict(intent.document)),
                )
            )
        self._forget_waiting()

    def note(self, kind: str, document: Mapping[str, Any], *, ts: int, plan_id: str = "") -> None:
        """Keep what the engine made of events, for people; written with the next commit."""
        self._notes.append(
            {
                "session_id": self._session_id,
                "after_seq": self.last_seq,
                "ts": ts,
                "kind": kind,
                "plan_id": plan_id,
                "document": json.dumps(dict(document)),
            }
        )

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self.flush()
        with _explained(self.place):
            self._connection.commit()
            self._connection.close()
            self._connection.engine.dispose()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Commit what is written inside, or nothing of it."""
        with _explained(self.place):
            try:
                yield
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    def _write_waiting(self) -> None:
        if self._notes:
            self._connection.execute(sa.insert(NOTES), self._notes)
        if self._frames:
            self._connection.execute(
                sa.insert(SEQUENCE).values(
                    first_seq=self._written + 1,
                    last_seq=self.last_seq,
                    session_id=self._session_id,
                    first_ts=self._first_ts,
                    last_ts=self._last_ts,
                    block=pack_block(b"".join(self._frames)),
                )
            )

    def _forget_waiting(self) -> None:
        """Let go of what a commit has made safe."""
        self._written += len(self._frames)
        self._frames.clear()
        self._notes.clear()

    # -- reading -----------------------------------------------------------------------------

    def sessions(self) -> list[SessionFacts]:
        """Return every start of the engine, oldest first."""
        with _explained(self.place):
            rows = self._connection.execute(sa.select(SESSIONS).order_by(SESSIONS.c.session_id))
            return [
                SessionFacts(
                    row.mode,
                    row.venue,
                    row.account,
                    json.loads(row.document),
                    row.session_id,
                    row.first_seq,
                    row.began,
                    row.ended,
                    row.exit_reason,
                )
                for row in rows
            ]

    def events(self, first_seq: int = 1) -> Iterator[tuple[int, Event]]:
        """Yield the written events from a number on, each with its number.

        Raises
        ------
        JournalError : a block is damaged or missing; names the numbers it held.
        """
        query = sa.select(SEQUENCE.c.first_seq, SEQUENCE.c.last_seq, SEQUENCE.c.block)
        query = query.where(SEQUENCE.c.last_seq >= first_seq).order_by(SEQUENCE.c.first_seq)
        expected = None
        with _explained(self.place):
            for row in self._connection.execute(query):
                if expected is not None and row.first_seq != expected:
                    raise self._hole(expected, row.first_seq - 1, "is missing")
                expected = row.last_seq + 1
                try:
                    found = list(decode_events(row.block))
                except DamagedBlock as cause:
                    raise self._hole(row.first_seq, row.last_seq, str(cause)) from cause
                if len(found) != row.last_seq - row.first_seq + 1:
                    raise self._hole(row.first_seq, row.last_seq, f"holds {len(found)} events")
                for place, event in enumerate(found):
                    if row.first_seq + place >= first_seq:
                        yield row.first_seq + place, event

    def _hole(self, first: int, last: int, why: str) -> JournalError:
        return JournalError(
            f"{self.place}: the record of events {first} to {last} {why}: "
            "restore a copy, or go on from the venue with --adopt"
        )

    def intents(self, session_id: int | None = None) -> list[Intent]:
        """Return what was asked of the venue, oldest first."""
        query = sa.select(INTENTS).order_by(INTENTS.c.intent_id)
        if session_id is not None:
            query = query.where(INTENTS.c.session_id == session_id)
        with _explained(self.place):
            return [
                Intent(
                    row.verb,
                    row.order_id,
                    row.plan_id,
                    row.symbol,
                    json.loads(row.document),
                    row.after_seq,
                    row.bar_start,
                    row.made,
                )
                for row in self._connection.execute(query)
            ]

    def notes(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return notes, oldest first: ts, kind, plan_id, after_seq and the document's fields."""
        query = sa.select(NOTES).order_by(NOTES.c.note_id)
        if kind is not None:
            query = query.where(NOTES.c.kind == kind)
        with _explained(self.place):
            return [
                {"ts": row.ts, "kind": row.kind, "plan_id": row.plan_id, "seq": row.after_seq}
                | json.loads(row.document)
                for row in self._connection.execute(query)
            ]
