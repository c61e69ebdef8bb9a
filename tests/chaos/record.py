"""What an account's journal holds, read from outside: rows with SQL, events by the codec."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.events import Answer, Bars, Event, Link, LinkState, Outcome, Verb
from live.journal import decode_events


@dataclass(frozen=True)
class RecordedIntent:
    """A request as it was written before it left."""

    session_id: int
    verb: str
    order_id: str
    plan_id: str
    document: dict[str, Any]

    @property
    def ids(self) -> list[str]:
        """Return the order's id and its children's."""
        return [self.order_id, *(child["order_id"] for child in self.document.get("children", ()))]


@dataclass(frozen=True)
class Pause:
    """A time in which no process ran: market time of the last event before, and on return."""

    seq: int
    before: int
    after: int

    @property
    def is_gap(self) -> bool:
        """Whether market time passed meanwhile, or went unrecorded."""
        return self.after > self.before


@dataclass
class Record:
    """A whole journal.

    refused : orders whose sending the venue refused, with its reason.
    """

    intents: list[RecordedIntent]
    bookings: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    pauses: list[Pause]
    late_bars: list[int]
    refused: dict[str, str]
    last_seq: int


def read_record(path: Path) -> Record:
    """Read it."""
    file = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    file.row_factory = sqlite3.Row
    try:
        intents = [
            RecordedIntent(row["session_id"], row["verb"], row["order_id"], row["plan_id"],
                           json.loads(row["document"]))
            for row in file.execute("SELECT * FROM intents ORDER BY intent_id")
        ]  # fmt: skip
        rows = file.execute("SELECT * FROM executions ORDER BY execution_id").fetchall()
        sessions = file.execute("SELECT * FROM sessions ORDER BY session_id").fetchall()
        notes = file.execute("SELECT * FROM notes ORDER BY note_id").fetchall()
        blocks = file.execute("SELECT first_seq, block FROM sequence ORDER BY first_seq").fetchall()
    finally:
        file.close()
    events: list[tuple[int, Event]] = []
    for first, block in blocks:
        events += enumerate(decode_events(block), start=first)
    starts = {int(row["first_seq"]) for row in sessions[1:]}
    late = [
        int(bar["start"])
        for _, event in events
        if isinstance(event, Bars)
        for name, is_late, bar in zip(event.names, event.late, event.bars, strict=True)
        if is_late and "/" not in name
    ]
    refused = {
        event.order_id: event.reason
        for _, event in events
        if isinstance(event, Answer)
        and (event.verb, event.outcome) == (Verb.SUBMIT, Outcome.REFUSED)
    }
    return Record(
        intents, list(map(dict, rows)), list(map(dict, sessions)), list(map(dict, notes)),
        _pauses(events, starts), late, refused, events[-1][0] if events else 0,
    )  # fmt: skip


def _pauses(events: list[tuple[int, Event]], starts: set[int]) -> list[Pause]:
    """Return the pause before each start: it is over with the connection's return.

    A start that died before that is part of the pause.
    """
    pauses, now, begun = [], 0, None
    for seq, event in events:
        if seq in starts and begun is None:
            begun = (seq, now)
        now = max(now, event.ts_event)
        if begun is not None and isinstance(event, Link) and event.state is LinkState.CONNECTED:
            pauses.append(Pause(begun[0], begun[1], now))
            begun = None
    return pauses
