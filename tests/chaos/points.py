"""The places where a process can die, counted as they are passed.

Objects are watched by putting a counting method over each of theirs: the code that uses them does
not know. What must be known of a dead process is written to a file before each step goes on (a
black box): which requests were out.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

IN_FLIGHT = (
    *(f"journal.{name} after" for name in ("intend", "try_intend", "intend_all")),
    *(
        f"{place}{call} {phase}"
        for place, calls in (
            ("port.", ("submit", "modify", "cancel", "close_position")),
            ("ledger in ", ("submit", "modify", "cancel")),
        )
        for call in calls
        for phase in ("before", "after")
    ),
    "journal.append Answer before",
    "journal.append Answer after",
    "reply Answer before",
)
"""Points between an intent's commit and the moment its answer has been consumed."""

AT_WORK = {"in flight": IN_FLIGHT}
"""Points at which a request is out, by what a wish calls them."""

START = (
    *("recover event",) * 3,
    "recover after",
    "journal.begin before",
    "journal.begin after",
    "port.connect before",
    "port.connect after",
    "ledger in connect before",
    "ledger in connect after",
    "port.request_snapshot before",
    "reply Snapshot before",
    "journal.append Snapshot after",
    "reply Snapshot after",
)
"""Points of a start that goes on from a record; the long one thrice."""

NOT_DRAWN = ("disk ", "journal.end after")
"""Beginnings of points that are not drawn at work: a session that ended is not gone on from."""

_CALLS = ("submit", "modify", "cancel", "close_position", "connect", "disconnect")


class Monitor:
    """Counts points, dies at one, and keeps the black box.

    Parameters
    ----------
    box : file to which is written what was on its way.
    point, nth : where this process dies; "" nowhere.

    Attributes
    ----------
    on_over : called once when the record of a session's end is written.
    """

    def __init__(self, box: Path, point: str = "", nth: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._point, self._nth = point, nth
        self._box = os.open(box, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._calls: list[str] = []
        self._lock = threading.Lock()
        self._is_over = False
        self.on_over: Callable[[], object] = int

    def pass_by(self, point: str) -> None:
        """Count a point, and die there if it is the one; once a session has ended none counts."""
        if self._is_over:
            return
        with self._lock:
            self.counts[point] += 1
            count = self.counts[point]
        if point == self._point and count == self._nth:
            self.note(dying=f"{point} {self._nth}")
            os.kill(os.getpid(), signal.SIGKILL)
        if point == "journal.end after":
            self._is_over = True
            self.on_over()

    def note(self, **row: Any) -> None:
        """Write a line to the black box; it outlives the process."""
        os.write(self._box, (json.dumps(row) + "\n").encode())

    @contextlib.contextmanager
    def during(self, call: str) -> Iterator[None]:
        """Know that a call to the port is under way."""
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.pop()

    @property
    def call(self) -> str:
        """The port's call that is under way, "market" outside of any."""
        return next((name for name in reversed(self._calls) if name in _CALLS), "market")

    def watch(self, thing: Any, name: str, point: Callable[..., str]) -> None:
        """Count calls of a method of an object, before and after."""
        inner = getattr(thing, name)

        def watched(*given: Any, **named: Any) -> Any:
            at = point(*given, **named)
            self.pass_by(f"{at} before")
            with self.during(name):
                result = inner(*given, **named)
            self.pass_by(f"{at} after")
            return result

        setattr(thing, name, watched)

    # -- what is watched ---------------------------------------------------------------------

    def watch_journal(self, journal: Any) -> None:
        """Watch everything a session writes."""
        for name in ("flush", "execution", "note", "save_state", "begin", "end"):
            self.watch(journal, name, lambda *_, _at=f"journal.{name}", **__: _at)
        self.watch(journal, "append", lambda event: f"journal.append {type(event).__name__}")
        for name in ("intend", "try_intend", "intend_all"):
            if hasattr(journal, name):
                self._watch_intents(journal, name)
        events = journal.events

        def counted(*given: Any, **named: Any) -> Iterator[Any]:
            for item in events(*given, **named):
                self.pass_by("recover event")
                yield item

        journal.events = counted

    def _watch_intents(self, journal: Any, name: str) -> None:
        inner = getattr(journal, name)

        def watched(given: Any, *more: Any) -> Any:
            self.pass_by(f"journal.{name} before")
            result = inner(given, *more)
            intents, troubles = (given, result) if more else ([given], [result])
            for intent, trouble in zip(intents, troubles, strict=True):
                if trouble is None:
                    self.note(out=[intent.verb, intent.order_id])
            self.pass_by(f"journal.{name} after")
            return result

        setattr(journal, name, watched)

    def watch_ledger(self, ledger: Any) -> None:
        """Watch each commit of the venue's own books, by what it is made for."""
        inner = ledger.write

        def watched(entry: Any) -> None:
            self.pass_by(f"ledger in {self.call} before")
            inner(entry)
            self.pass_by(f"ledger in {self.call} after")

        ledger.write = watched

    def watch_port(self, port: Any) -> None:
        """Watch what is asked of a venue."""
        names = (*_CALLS, "request_history", "request_snapshot")
        for name in names:
            self.watch(port, name, lambda *_, _at=f"port.{name}", **__: _at)

    def watch_engine(self, engine: Any, replies: tuple[type, ...]) -> None:
        """Watch each event as it is taken: what a venue said, and bars."""
        inner = engine.consume

        def watched(event: Any) -> None:
            kind = type(event).__name__
            at = f"reply {kind}" if isinstance(event, replies) else f"event {kind}"
            self.pass_by(f"{at} before")
            inner(event)
            if kind == "Answer":
                self.note(back=[event.verb.name.lower(), event.order_id])
            if kind == "Snapshot" and not event.error:
                self.note(settled=True)
            self.pass_by(f"{at} after")

        engine.consume = watched


def requests_out(box: Path) -> int:
    """Return how many requests were out when the last process died: written, not answered.

    A process that goes on learns of the requests of the one before it from the first snapshot.
    """
    out: Counter[tuple[str, ...]] = Counter()
    for line in box.read_text().splitlines() if box.exists() else ():
        row = json.loads(line)
        if "out" in row:
            out[tuple(row["out"])] += 1
        elif "back" in row:
            out[tuple(row["back"])] -= 1
        elif "settled" in row:
            out.clear()
    return sum(count for count in out.values() if count > 0)
