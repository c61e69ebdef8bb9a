"""Opening, writing and reading a journal."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.events import Event
from core.orders import Side
from live.journal.archive import write_archive
from live.journal.codec import DamagedBlock, decode_events, encode_event, frame_time, pack_block
from live.journal.database import Database, accounts_in, open_database, parse_address
from live.journal.errors import JournalError, understood
from live.journal.records import BookedFill, Intent, SessionFacts
from live.journal.tables import (
    EXECUTIONS,
    INTENTS,
    META,
    NOTES,
    SEQUENCE,
    SESSIONS,
    STATE,
    WRITER,
    fact,
)
from live.journal.writer import INSERT_EXECUTION, Write, Writer, booked_twice

logger = logging.getLogger(__name__)

BLOCK_EVENTS = 1024
"""Events kept in memory before they are written even if no intent asks for it: few, as the order
that comes next waits until they are packed (about 1 ms)."""
_PAGE_BLOCKS = 128
"""Blocks read at once: no reader holds a transaction, or much memory, while it is used."""

_INSERT_BLOCK = sa.insert(SEQUENCE)
_INSERT_INTENT = sa.insert(INTENTS)
_INSERT_NOTE = sa.insert(NOTES)
_INSERT_SESSION = sa.insert(SESSIONS)
_INSERT_STATE = sa.insert(STATE)
_INSERT_META = sa.insert(META)
_END_SESSION = (
    sa.update(SESSIONS)
    .where(SESSIONS.c.session_id == sa.bindparam("of"))
    .values(ended=sa.bindparam("at"), exit_reason=sa.bindparam("why"))
)
_DELETE_INTENT = sa.delete(INTENTS).where(INTENTS.c.intent_id == sa.bindparam("of"))
_DELETE_SESSION = sa.delete(SESSIONS).where(SESSIONS.c.session_id == sa.bindparam("of"))
_DELETE_STATE = sa.delete(STATE).where(STATE.c.name == sa.bindparam("of"))
_DELETE_META = sa.delete(META).where(META.c.name == sa.bindparam("of"))


def open_journal(url: str, account: str = "", *, read_only: bool = False) -> Journal:
    """Open the journal of an account, making or migrating it where it may be written.

    Parameters
    ----------
    url : str
        The path of a file or `sqlite:///FILE`, which holds one account; or
        `postgresql://USER:PASSWORD@HOST/DATABASE`, which holds many, each in a schema of its own.
    account : str
        Whose journal it is. "" is the only account of its place.

    Raises
    ------
    JournalError : it is missing (read-only), written by another process, another account's,
        damaged, of a later version, or its place cannot be written.
    """
    database = open_database(url, account, read_only=read_only)
    try:
        return Journal(database)
    except BaseException:
        database.close()
        raise


def list_accounts(url: str) -> list[str]:
    """Return the accounts that have a journal there, in alphabetical order.

    Raises
    ------
    JournalError : the database cannot be read.
    """
    address = None if "://" not in url else parse_address(url)
    if address is not None and address.drivername != "sqlite":
        from live.journal.postgres import accounts_on

        return accounts_on(address)
    path = Path(url if address is None else str(address.database))
    if not path.is_file():
        return []
    database = open_database(str(path), "", read_only=True)
    try:
        with database.reading() as connection:
            return accounts_in(connection)
    finally:
        database.close()


class Journal:
    """One account's journal; one writer, on the engine's thread.

    Events are numbered as they are appended and written together: with the next intent, with
    `flush`, or when many wait. What was not written when the process dies was never acted on by a
    venue: an intent takes all events before it along, in one commit.

    A commit that fails (a full disk, a lost server) loses nothing and doubles nothing: what waits
    goes on waiting, in its order, and is written with the next commit that succeeds. Until then
    `is_behind` says so; an engine lets no entry through (`intend` raises) and goes on with what
    lessens risk (`try_intend` keeps its intent among what waits). What was decided together is
    written together (`intend_all`): eight bars that end at once cost one commit, not eight.
    """

    def __init__(self, database: Database) -> None:
        self.place = database.place
        self._database = database
        self._frames: list[bytes] = []
        self._states: dict[str, dict[str, Any]] = {}
        self._open_states: dict[str, dict[str, Any]] = {}
        self._session_id = 0
        self._is_running = False
        self._writer_or_none = None if database.read_only else Writer(database)
        with database.reading() as connection, understood(self.place):
            self._seq = int(connection.scalar(sa.select(WRITER.c.last_seq)) or 0)
            self._sessions = _highest(connection, SESSIONS.c.session_id)
            self._intents = _highest(connection, INTENTS.c.intent_id)
            fills = connection.execute(sa.select(EXECUTIONS.c.venue, EXECUTIONS.c.fill_id))
            self._fills = {(row.venue, row.fill_id) for row in fills}
        if self._writer_or_none is not None:
            self._seq = self._writer_or_none.written_seq

    @property
    def last_seq(self) -> int:
        """Number of the last event appended, 0 before the first."""
        return self._seq

    @property
    def written_seq(self) -> int:
        """Number of the last event that is safely written."""
        return self._seq if self._writer_or_none is None else self._writer_or_none.written_seq

    @property
    def is_behind(self) -> bool:
        """Whether the last commit failed, so that events wait which should be written."""
        return self.trouble is not None

    @property
    def trouble(self) -> JournalError | None:
        """What made the last commit fail; None while all is well."""
        return None if self._writer_or_none is None else self._writer_or_none.trouble

    # -- writing -----------------------------------------------------------------------------

    def begin(self, facts: SessionFacts) -> int:
        """Note a start of the engine; return the session's number."""
        self._pack()
        self._sessions += 1
        row = self._checked(
            SESSIONS,
            session_id=self._sessions,
            began=time.time_ns(),
            mode=facts.mode,
            venue=facts.venue,
            account=facts.account,
            first_seq=self._seq + 1,
            document=facts.document,
        )
        undo = [Write(_DELETE_SESSION, {"of": self._sessions})]
        self._writer.commit(self._seq, [Write(_INSERT_SESSION, row)], undo)
        self._session_id, self._is_running = self._sessions, True
        return self._session_id

    def end(self, exit_reason: str) -> None:
        """Write what waits and note how the session ended."""
        self._pack()
        ended = {"of": self._session_id, "at": time.time_ns(), "why": exit_reason}
        self._writer.commit(self._seq, [Write(_END_SESSION, ended)])
        self._is_running = False

    def append(self, event: Event) -> int:
        """Number an event; it is written with the next commit.

        A full block is written at once. If that fails the events wait, and `is_behind` tells it.
        """
        self._frames.append(encode_event(event))
        self._seq += 1
        if len(self._frames) >= BLOCK_EVENTS:
            self._pack()
            self._try_commit(sync=False)
        return self._seq

    def flush(self) -> None:
        """Write and sync all that waits.

        Raises
        ------
        JournalError : nothing of it is written and all goes on waiting.
        """
        self._flush(sync=True)

    def try_flush(self) -> JournalError | None:
        """Write what waits if that is due; return what is wrong, if anything.

        Meant for each idle moment: it commits a few times a second at most, and after a failure
        only after a pause, so that neither a slow disk nor a lost server holds up the engine. An
        SQLite file is not synced: what it wrote outlives the process at once, and a power cut with
        the next intent. Nothing that left us depends on it.
        """
        if not self._writer.is_due:
            return self.trouble
        trouble = self._try_commit(sync=False)
        if trouble is None:
            self._database.tidy()
        return trouble

    def _try_commit(self, *, sync: bool = True) -> JournalError | None:
        """Write what waits, unless that failed a moment ago."""
        if self.trouble is not None and not self._writer.is_due:
            return self.trouble
        try:
            self._flush(sync)
        except JournalError as trouble:
            return trouble
        return None

    def _flush(self, sync: bool) -> None:
        self._pack()
        writer = self._writer
        if writer.has_waiting or self.is_behind or (sync and not writer.is_synced):
            writer.commit(self._seq, sync=sync)

    def intend(self, intent: Intent) -> None:
        """Write and sync an intent with every event before it; only then may it be sent.

        Raises
        ------
        JournalError : it is not written and must not be sent.
        """
        self._pack()
        row = self._intent_row(intent)
        undo = [Write(_DELETE_INTENT, {"of": row["intent_id"]})]
        self._writer.commit(self._seq, [Write(_INSERT_INTENT, row)], undo)

    def try_intend(self, intent: Intent) -> JournalError | None:
        """Write an intent that is sent in any case, as it lessens risk; return what is wrong.

        If it cannot be written now it waits with the events, in its place. One that no database
        would take (a text too long) is not kept, and said to be wrong.
        """
        self._pack()
        try:
            row = self._intent_row(intent)
        except JournalError as fault:
            logger.error("intent not kept order_id=%r error=%s", intent.order_id, fault)
            return fault
        self._writer.add(_INSERT_INTENT, row)
        return self._try_commit()

    def intend_all(
        self, intents: Sequence[Intent], must_leave: Sequence[bool]
    ) -> list[JournalError | None]:
        """Write several intents in one commit; return what is wrong with each, in their order.

        Parameters
        ----------
        intents : in the order in which they are to be sent; none may leave before this returns.
        must_leave : which are sent in any case, as by `try_intend`: what cannot be written now
            waits. Of the others only those that nothing is wrong with may be sent.
        """
        self._pack()
        faults: list[JournalError | None] = []
        entries: list[Write] = []
        undo: list[Write] = []
        for intent, leaves in zip(intents, must_leave, strict=True):
            try:
                row = self._intent_row(intent)
            except JournalError as fault:
                logger.error("intent not kept order_id=%s error=%s", intent.order_id, fault)
                faults.append(fault)
                continue
            faults.append(None)
            if leaves:
                self._writer.add(_INSERT_INTENT, row)
            else:
                entries.append(Write(_INSERT_INTENT, row))
                undo.append(Write(_DELETE_INTENT, {"of": row["intent_id"]}))
        trouble = self._try_commit() if not entries else self._try_entries(entries, undo)
        return faults if trouble is None else [fault or trouble for fault in faults]

    def _try_entries(self, entries: list[Write], undo: list[Write]) -> JournalError | None:
        try:
            self._writer.commit(self._seq, entries, undo)
        except JournalError as trouble:
            return trouble
        return None

    def execution(self, fill: BookedFill) -> None:
        """Keep a fill the engine has booked; written with the next commit.

        Raises
        ------
        JournalError : this fill is booked already; nothing is changed. (Should only the database
            know that, the next commit raises it, and the one after goes through without it.)
        """
        if (fill.venue, fill.fill_id) in self._fills:
            raise booked_twice(self.place, fill.venue, fill.fill_id)
        row = self._checked(
            EXECUTIONS,
            session_id=self._session_id,
            after_seq=self._seq,
            venue=fill.venue,
            fill_id=fill.fill_id,
            order_id=fill.order_id,
            plan_id=fill.plan_id,
            symbol=fill.symbol,
            side=int(fill.side),
            quantity=fill.quantity,
            price=fill.price,
            ts=fill.ts,
            costs=fill.costs,
        )
        self._writer.add(INSERT_EXECUTION, row)
        self._fills.add((fill.venue, fill.fill_id))

    def note(self, kind: str, document: Mapping[str, Any], *, ts: int, plan_id: str = "") -> None:
        """Keep what the engine made of events, for people; written with the next commit."""
        row = self._checked(
            NOTES,
            session_id=self._session_id,
            after_seq=self._seq,
            ts=ts,
            kind=kind,
            plan_id=plan_id,
            document=document,
        )
        self._writer.add(_INSERT_NOTE, row)

    def save_state(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep the last value of something that outlives sessions.

        It is written in the commit of the events that led to it: a restart never finds the one
        without the other.
        """
        row = self._checked(
            STATE,
            name=name,
            session_id=self._session_id,
            after_seq=self._seq,
            document=document,
        )
        self._open_states[name] = self._states[name] = row

    def archive(self, path: str | Path) -> None:
        """Move what past sessions wrote to a file of its own, a journal to be read like any other.

        Sessions, booked fills and states stay here too, and numbers go on; events, intents and
        notes are then only in the archive. For a moment at which the account is flat and has no
        order at work: what is not here cannot be recovered from.

        Raises
        ------
        JournalError : a session runs, a record is damaged, the file is there already or cannot be
            written. The journal is then as it was.
        """
        if self._is_running:
            raise JournalError(f"{self.place}: end the session before its journal is archived")
        self.flush()
        with self._database.unhurried():
            write_archive(self._database, Path(path), self._seq)
            taken = [Write(sa.delete(table), {}) for table in (SEQUENCE, INTENTS, NOTES)]
            facts = {"first_seq": str(self._seq + 1), "archived": str(path)}
            for name, value in facts.items():
                taken.append(Write(_DELETE_META, {"of": name}))
                taken.append(Write(_INSERT_META, {"name": name, "value": value}))
            self._writer.commit(self._seq, taken)
            self._database.shrink()

    def close(self, *, abandon: bool = False) -> None:
        """Write what waits and let go of the database.

        abandon : let go even if what waits cannot be written, which is lost then.

        Raises
        ------
        JournalError : it cannot be written; the journal stays open and may be tried again.
        """
        if self._writer_or_none is not None and not abandon:
            self.flush()
        self._database.close()

    @property
    def _writer(self) -> Writer:
        if self._writer_or_none is None:
            raise JournalError(f"{self.place}: opened for reading only")
        return self._writer_or_none

    def _pack(self) -> None:
        """Turn what was appended into rows, in one block."""
        writer = self._writer
        if self._frames:
            block = {
                "first_seq": self._seq - len(self._frames) + 1,
                "last_seq": self._seq,
                "session_id": self._session_id,
                "first_ts": frame_time(self._frames[0]),
                "last_ts": frame_time(self._frames[-1]),
                "block": pack_block(b"".join(self._frames)),
            }
            writer.add(_INSERT_BLOCK, block)
            self._frames.clear()
        for name, row in self._open_states.items():
            writer.add(_DELETE_STATE, {"of": name})
            writer.add(_INSERT_STATE, row)
        self._open_states.clear()

    def _intent_row(self, intent: Intent) -> dict[str, Any]:
        self._intents += 1
        return self._checked(
            INTENTS,
            intent_id=self._intents,
            session_id=self._session_id,
            after_seq=self._seq,
            bar_start=intent.bar_start,
            made=time.time_ns(),
            verb=intent.verb,
            order_id=intent.order_id,
            plan_id=intent.plan_id,
            symbol=intent.symbol,
            document=intent.document,
        )

    def _checked(self, table: sa.Table, **values: Any) -> dict[str, Any]:
        """Return a row every database takes: one it refused would hold up all that waits.

        Raises
        ------
        JournalError : a text is too long or cannot be stored, a document is no JSON.
        """
        for name, value in values.items():
            if isinstance(value, Mapping):
                values[name] = self._document(table, name, value)
            elif isinstance(value, str):
                longest = getattr(table.c[name].type, "length", None)
                fault = _fault(value, longest)
                if fault:
                    raise JournalError(f"{self.place}: {table.name}.{name} {value!r} {fault}")
        return values

    def _document(self, table: sa.Table, name: str, value: Mapping[str, Any]) -> str:
        try:
            return json.dumps(dict(value), default=_plain)
        except (TypeError, ValueError) as cause:
            raise JournalError(
                f"{self.place}: {table.name}.{name} cannot be kept as JSON: {cause}"
            ) from cause

    # -- reading -----------------------------------------------------------------------------

    def sessions(self) -> list[SessionFacts]:
        """Return every start of the engine, oldest first."""
        rows = self._rows(sa.select(SESSIONS).order_by(SESSIONS.c.session_id))
        with understood(self.place):
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

    def events(self, first_seq: int | None = None) -> Iterator[tuple[int, Event]]:
        """Yield the written events from a number on (None: all there are), each with its number.

        Raises
        ------
        JournalError : a block is damaged, missing or archived; names the numbers it held.
        """
        with self._database.reading() as connection, understood(self.place):
            last = int(connection.scalar(sa.select(WRITER.c.last_seq)) or 0)
            kept = int(fact(connection, "first_seq") or 1)
            archived = fact(connection, "archived")
        first = kept if first_seq is None else max(first_seq, 1)
        if first < kept:
            raise JournalError(
                f"{self.place}: events {first} to {kept - 1} were archived to {archived}: "
                "read them there"
            )
        query = sa.select(SEQUENCE.c.first_seq, SEQUENCE.c.last_seq, SEQUENCE.c.block)
        query = query.order_by(SEQUENCE.c.first_seq).limit(_PAGE_BLOCKS)
        expected = first
        while page := self._rows(query.where(SEQUENCE.c.last_seq >= expected)):
            for row in page:
                if row.first_seq > expected:
                    raise self._hole(expected, row.first_seq - 1, "is missing")
                for place, event in enumerate(self._decoded(row), row.first_seq):
                    if place >= expected:
                        yield place, event
                expected = row.last_seq + 1
        if expected <= last:
            raise self._hole(expected, last, "is missing")

    def intents(self, session_id: int | None = None) -> list[Intent]:
        """Return what was asked of the venue, oldest first."""
        query = sa.select(INTENTS).order_by(INTENTS.c.intent_id)
        rows = self._rows(_of_session(query, INTENTS, session_id))
        with understood(self.place):
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
                for row in rows
            ]

    def executions(self, session_id: int | None = None) -> list[BookedFill]:
        """Return the fills the engine booked and that are written, oldest first."""
        query = sa.select(EXECUTIONS).order_by(EXECUTIONS.c.execution_id)
        rows = self._rows(_of_session(query, EXECUTIONS, session_id))
        with understood(self.place):
            return [
                BookedFill(
                    row.fill_id,
                    row.venue,
                    row.order_id,
                    row.plan_id,
                    row.symbol,
                    Side(row.side),
                    row.quantity,
                    row.price,
                    row.ts,
                    json.loads(row.costs),
                    row.after_seq,
                    row.session_id,
                )
                for row in rows
            ]

    def notes(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return notes, oldest first: ts, kind, plan_id, after_seq and the document's fields."""
        query = sa.select(NOTES).order_by(NOTES.c.note_id)
        if kind is not None:
            query = query.where(NOTES.c.kind == kind)
        rows = self._rows(query)
        with understood(self.place):
            return [
                {"ts": row.ts, "kind": row.kind, "plan_id": row.plan_id, "seq": row.after_seq}
                | json.loads(row.document)
                for row in rows
            ]

    def state(self, name: str) -> dict[str, Any] | None:
        """Return the last value saved under a name, written or still waiting; None for none."""
        row = self._states.get(name)
        if row is None:
            found = self._rows(sa.select(STATE.c.document).where(STATE.c.name == name))
            if not found:
                return None
            row = {"document": found[0].document}
        with understood(self.place):
            return dict(json.loads(row["document"]))

    def size(self) -> int:
        """Return the bytes it takes on the disk."""
        return self._database.size()

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._database.reading() as connection, understood(self.place):
            return connection.execute(query).all()

    def _decoded(self, row: sa.Row[Any]) -> list[Event]:
        try:
            found = list(decode_events(row.block))
        except DamagedBlock as cause:
            raise self._hole(row.first_seq, row.last_seq, str(cause)) from cause
        if len(found) != row.last_seq - row.first_seq + 1:
            raise self._hole(row.first_seq, row.last_seq, f"holds {len(found)} events")
        return found

    def _hole(self, first: int, last: int, why: str) -> JournalError:
        return JournalError(
            f"{self.place}: the record of events {first} to {last} {why}: "
            "restore a copy, or go on from the venue with --adopt"
        )


def _highest(connection: sa.Connection, column: sa.Column[int]) -> int:
    return int(connection.scalar(sa.select(sa.func.max(column))) or 0)


def _of_session(query: sa.Select[Any], table: sa.Table, session_id: int | None) -> sa.Select[Any]:
    return query if session_id is None else query.where(table.c.session_id == session_id)


def _fault(text: str, longest: int | None) -> str:
    """Return why a text cannot be stored, "" where it can."""
    if longest is not None and len(text) > longest:
        return f"is longer than {longest} letters"
    if "\x00" in text:
        return "holds a zero byte"
    return "" if text.isprintable() or _is_text(text) else "is no text"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Return what JSON cannot write by itself in words it can."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r}")
