"""Past bars as a moving market: prices in the order of time, as fast as wanted.

A bar is told as the path of its prices (`feeds.path_ticks`), then the clock at its END; bars of
several series that end together come before that clock. What was not yet told is the future: the
history it answers with ends where the replay stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from core.bars import BAR, Series
from core.events import Clock, Event, Ticks
from feeds.path_ticks import path_ticks

_NS = 1_000_000_000


class Inbox(Protocol):
    """Where the prices go."""

    def put_all(self, events: Sequence[Event]) -> None:
        """Add events that belong together."""


@dataclass(frozen=True, slots=True)
class ReplaySeries:
    """One symbol's prices: the finest bars there are, and their price step."""

    series: Series
    tick_size: float


class Replay:
    """Replays series from a time on.

    Parameters
    ----------
    told : finest bars of each symbol, further series first.
    bars : (symbol, timeframe_ns) -> the bars strategies see, for history.
    start : ns UTC; bars that END by then are history.
    speed : market seconds a second; None: as fast as they are taken. Closed hours are skipped.

    Attributes
    ----------
    is_idle : whether nothing could be matched now: then a bar's prices are told as one event.
    """

    def __init__(
        self,
        told: Sequence[ReplaySeries],
        bars: Mapping[tuple[str, int], Series],
        start: int,
        speed: float | None = None,
    ) -> None:
        self._told = list(told)
        self._bars = dict(bars)
        self._speed = speed
        self.is_idle: Callable[[], bool] = lambda: False
        self.start = self.now = start
        ends = [item.series.bars["end"] for item in self._told]
        # Bars end by the clock: also where the finest bars before their END are missing.
        clocks = [*ends, *(series.bars["end"] for series in self._bars.values())]
        self._ends = np.unique(np.concatenate(clocks)) if clocks else np.zeros(0, np.int64)
        self._next = int(np.searchsorted(self._ends, start, side="right"))
        self._rows = [int(np.searchsorted(column, start, side="right")) for column in ends]
        steps = [item.series.timeframe_ns for item in self._told]
        self._longest_wait = 2 * min(steps, default=_NS)
        self._due = time.monotonic()

    @property
    def left(self) -> int:
        """How many moments are still to be told."""
        return len(self._ends) - self._next

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Return the bars with `start` <= START and END <= `end`, none from the future."""
        series = self._bars.get((symbol, timeframe_ns))
        if series is None:
            return np.zeros(0, BAR)
        bars = series.bars
        low = int(np.searchsorted(bars["start"], start, side="left"))
        high = int(np.searchsorted(bars["end"], min(end, self.now), side="right"))
        return bars[low : max(low, high)].copy()

    def pump(self, inbox: Inbox) -> float | None:
        """Put the next moment's events; return seconds to wait first, None at the end."""
        if self._next >= len(self._ends):
            return None
        end = int(self._ends[self._next])
        if self._speed is not None:
            wait = self._due - time.monotonic()
            if wait > 0.0:
                return wait
        inbox.put_all(self._moment(end))
        self._next += 1
        if self._speed is not None and self._next < len(self._ends):
            step = min(int(self._ends[self._next]) - end, self._longest_wait)
            self._due = max(self._due, time.monotonic() - 1.0) + step / _NS / self._speed
        self.now = end
        return 0.0

    def skip_to(self, now: int) -> None:
        """Let the market go on to a time without telling it to anyone."""
        self.now = max(self.now, now)
        self._next = int(np.searchsorted(self._ends, self.now, side="right"))
        for place, item in enumerate(self._told):
            ends = item.series.bars["end"]
            self._rows[place] = int(np.searchsorted(ends, self.now, side="right"))

    def _moment(self, end: int) -> list[Event]:
        events: list[Event] = []
        idle = self.is_idle()
        for place, item in enumerate(self._told):
            bars, row = item.series.bars, self._rows[place]
            while row < len(bars) and int(bars["end"][row]) <= end:
                ticks = path_ticks(bars[row : row + 1], item.tick_size)
                events += _events(item.series.symbol, ticks, idle)
                row += 1
            self._rows[place] = row
        events.append(Clock(ts_event=end))
        return events


def _events(symbol: str, ticks: Any, as_one: bool) -> list[Event]:
    if as_one:
        return [Ticks(symbol, ticks, ts_event=int(ticks["ts_event"][-1]))]
    return [
        Ticks(symbol, ticks[i : i + 1], ts_event=int(ticks["ts_event"][i]))
        for i in range(len(ticks))
    ]
