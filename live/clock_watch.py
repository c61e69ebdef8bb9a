"""This computer's clock against itself and against the venue's: sleep, jumps, skew.

For sessions on a real stream. A replay has no time of its own that a pause could take away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from core.events import Link, LinkState, Ticks

JUMP_SECS = 5.0
"""The wall clock ran so much farther than the steady one: the computer slept, or it was set."""
PAUSE_SECS = 30.0
"""Both ran so far without a look: the process was stopped, or slept with its steady clock on."""
SKEW_WINDOW_SECS = 60.0
"""Skew is the least delay of prices in so long: the rest of a delay is the way they take."""
CLOCK = "clock"
"""Name of the connection that a sleep counts as the loss of."""
_NS = 1_000_000_000


class ClockWatch:
    """Looks at the clocks now and then, from the engine's thread.

    Parameters
    ----------
    most_skew_secs : by how much this computer's clock may be off the venue's.
    wall : ns UTC. steady : seconds that never run backwards.
    """

    def __init__(
        self,
        most_skew_secs: float,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_skew_ns = most_skew_secs * _NS
        self._wall = wall
        self._steady = steady
        self._last = wall(), steady()
        self._least: int | None = None
        self._window_ends = steady() + SKEW_WINDOW_SECS
        self._is_skewed = False

    def look(self) -> str:
        """Return why prices may have been missed since the last look, "" where none were."""
        wall, steady = self._wall(), self._steady()
        by_wall, by_steady = (wall - self._last[0]) / _NS, steady - self._last[1]
        self._last = wall, steady
        if abs(by_wall - by_steady) > JUMP_SECS:
            return f"the computer slept, or its clock was set: it jumped by {by_wall:+.0f} s"
        if by_steady > PAUSE_SECS:
            return f"the process stood still for {by_steady:.0f} s"
        return ""

    def hear(self, event: Ticks) -> None:
        """Take how long prices were on their way, by both clocks."""
        delay = event.ts_init - event.ts_event
        if event.ts_init and (self._least is None or delay < self._least):
            self._least = delay

    def skew(self) -> str:
        """Return once, where the clock is off the venue's by too much, what is wrong with it."""
        if self._steady() < self._window_ends or self._least is None:
            return ""
        least, was_skewed = self._least, self._is_skewed
        self._least, self._window_ends = None, self._steady() + SKEW_WINDOW_SECS
        self._is_skewed = abs(least) > self._most_skew_ns
        if not self._is_skewed or was_skewed:
            return ""
        way = "ahead of" if least > 0 else "behind"
        return (
            f"this computer's clock is {abs(least) / _NS:.1f} s {way} the venue's (or prices come "
            "so late): bars end at the wrong time; let the system set its clock from the network"
        )


def count_as_gap(engine: Any, why: str, market_now: int) -> None:
    """Let a time in which nothing was heard be a gap: filled from history before any entry.

    Parameters
    ----------
    market_now : the venue's time, ns UTC.
    """
    for state in (LinkState.LOST, LinkState.CONNECTED):
        engine.consume(Link(state, CLOCK, why, ts_event=market_now))
