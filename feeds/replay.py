"""Past bars as a moving market: prices in the order of time, as fast as wanted.

A bar is told as the path of its prices (`core.path_ticks`), then the clock at its END; bars of
several series that end together come before that clock. What was not yet told is the future: the
history it answers with ends where the replay stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from core.bars import BAR, Series, format_timeframe
from core.calendar import Calendar
from core.errors import DataError
from core.events import Clock, Event, Ticks
from core.path_ticks import path_ticks
from core.zones import NS_PER_DAY

_NS = 1_000_000_000
_CATCH_UP_SECS = 1.0
"""A replay that could not keep its pace makes up for no more than that."""


class Inbox(Protocol):
    """Where the prices go."""

    def put_all(self, events: Sequence[Event]) -> None:
        """Add events that belong together."""


@dataclass(frozen=True, slots=True)
class ReplaySeries:
    """One symbol's prices: the finest bars there are, and their price step.

    calendar : of the feed that builds bars of these prices; None: not looked at.
    """

    series: Series
    tick_size: float
    calendar: Calendar | None = None


class Replay:
    """Replays series from a time on.

    Parameters
    ----------
    told : finest bars of each symbol, further series first.
    bars : (symbol, timeframe_ns) -> the bars strategies see, for history.
    start : ns UTC; bars that END by then are history.
    speed : market seconds a second; None: as fast as they are taken. Closed hours are skipped.
    clock : seconds that never go back.

    Raises
    ------
    DataError : bars to be told lie off their calendar's grid: built of prices they would not be
        the same bars.

    Attributes
    ----------
    is_idle : whether nothing could be matched now: then a bar's prices are told as one event.
    now : market time up to which all was told, ns UTC.
    """

    def __init__(
        self,
        told: Sequence[ReplaySeries],
        bars: Mapping[tuple[str, int], Series],
        start: int,
        speed: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told = list(told)
        self._bars = dict(bars)
        self._speed = speed
        self._clock = clock
        self.is_idle: Callable[[], bool] = lambda: False
        self.start = self.now = start
        for item in self._told:
            _require_grid(item, start)
        # Bars end by the clock: also where the finest bars before their END are missing.
        clocks = [item.series.bars["end"] for item in self._told]
        clocks += [series.bars["end"] for series in self._bars.values()]
        self._ends = np.unique(np.concatenate(clocks)) if clocks else np.zeros(0, np.int64)
        steps = [item.series.timeframe_ns for item in self._told]
        self._longest_wait = 2 * min(steps, default=_NS)
        self._rows = [0] * len(self._told)
        self._seen: dict[str, int] = {}
        self._next = 0
        self._due = 0.0
        self.skip_to(start)

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
            wait = self._due - self._clock()
            if wait > 0.0:
                return wait
        inbox.put_all(self._moment(end))
        self._next += 1
        if self._speed is not None and self._next < len(self._ends):
            step = min(int(self._ends[self._next]) - end, self._longest_wait)
            self._due = max(self._due, self._clock() - _CATCH_UP_SECS) + step / _NS / self._speed
        self.now = end
        return 0.0

    def skip_to(self, now: int, seen: Mapping[str, int] | None = None) -> None:
        """Let the market go on to a time without telling it to anyone.

        seen : symbol -> time of the last price that was told of it before (by a process that died
            in the middle of a bar); of the bars still to be told, prices up to it are left out.
        """
        self.now = max(self.now, now)
        self._next = int(np.searchsorted(self._ends, self.now, side="right"))
        for place, item in enumerate(self._told):
            ends = item.series.bars["end"]
            self._rows[place] = int(np.searchsorted(ends, self.now, side="right"))
        self._seen.update(seen or {})
        self._due = self._clock()

    def _moment(self, end: int) -> list[Event]:
        """Return what happens up to an END: each symbol's prices, then the clock."""
        events: list[Event] = []
        idle = self.is_idle()
        for place, item in enumerate(self._told):
            bars, row = item.series.bars, self._rows[place]
            while row < len(bars) and int(bars["end"][row]) <= end:
                events += self._prices(item, bars[row : row + 1], idle)
                row += 1
            self._rows[place] = row
        events.append(Clock(ts_event=end))
        return events

    def _prices(self, item: ReplaySeries, bar: Any, as_one: bool) -> list[Event]:
        symbol = item.series.symbol
        ticks = path_ticks(bar, item.tick_size)
        seen = self._seen.get(symbol)
        if seen is not None and ticks["ts_event"][0] <= seen:
            ticks = ticks[ticks["ts_event"] > seen]
        elif seen is not None:
            del self._seen[symbol]
        if not len(ticks):
            return []
        if as_one:
            return [Ticks(symbol, ticks, ts_event=int(ticks["ts_event"][-1]))]
        return [
            Ticks(symbol, ticks[i : i + 1], ts_event=int(ticks["ts_event"][i]))
            for i in range(len(ticks))
        ]


def _require_grid(item: ReplaySeries, start: int) -> None:
    """Refuse bars that the grid would cut otherwise; history may hold any."""
    series, calendar = item.series, item.calendar
    bars = series.bars[series.bars["end"] > start]
    if calendar is None or not len(bars) or series.timeframe_ns > NS_PER_DAY:
        return
    starts = np.ascontiguousarray(bars["start"])
    off = np.flatnonzero(calendar.grid_starts(starts, series.timeframe_ns) != starts)
    if not len(off):
        return
    local = calendar.zone.to_local(starts[off[:1]])[0]
    when = np.datetime_as_string(np.datetime64(int(local), "ns"), unit="m").replace("T", " ")
    step = format_timeframe(series.timeframe_ns)
    raise DataError(
        f"{len(off)} of its {step} bars lie off the grid of {calendar.name}, first {when} "
        f"({calendar.zone.name}); a market made of them would build other bars. Leave them out "
        f"(data fix FILE -o MENDED --drop off_grid) or replay a file of lower bars",
        file=str(series.source.get("path", series.symbol)),
    )
