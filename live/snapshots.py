"""When the venue's own books are asked for: at the start, and while something is not known."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from core.events import Snapshot

PATIENCE_SECS = 30.0
"""A question that was not answered for so long is asked again."""
OVERLAP_NS = 60_000_000_000
"""How far each answer reaches back behind the one before it: clocks differ, books lag."""


class Snapshots:
    """Asks one venue for snapshots, one at a time.

    Parameters
    ----------
    port : VenuePort
    is_wanted : whether something is not known now that a snapshot would tell.
    since : when the account's record begins, ns UTC: what was before it is no matter of ours.
    clock : seconds that never run backwards.
    """

    def __init__(
        self,
        port: Any,
        is_wanted: Callable[[], bool],
        since: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port = port
        self._is_wanted = is_wanted
        self._clock = clock
        self._numbers = itertools.count(1)
        self._asked_at: float | None = None
        self._next_poll = 0.0
        self._since = since

    def ask(self) -> None:
        """Ask now, unless an answer is still to come."""
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < PATIENCE_SECS:
            return
        self._asked_at = now
        self._next_poll = now + self._port.capabilities.poll_secs
        self._port.request_snapshot(next(self._numbers), self._since)

    def hear(self, snapshot: Snapshot) -> None:
        """Note that an answer came; a failed one says nothing of any time."""
        self._asked_at = None
        if not snapshot.error:
            self._since = max(self._since, snapshot.asked_at - OVERLAP_NS)

    def look(self) -> None:
        """Ask where it is time: streams do not tell all there, or something is in doubt."""
        if self._clock() < self._next_poll:
            return
        able = self._port.capabilities
        if not (able.tells_executions and able.tells_orders) or self._is_wanted():
            self.ask()
