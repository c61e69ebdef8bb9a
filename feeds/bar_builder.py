"""Ticks become bars: on the calendar's grid, closed by the next bar's tick or by the clock.

A bar is built of the ticks with START <= `ts_event` < END. It is over as soon as time is known to
have reached its END, with or without a further tick; what comes for it later is counted and left
out, for the strategy has already decided on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR, FIRST_OF_DAY
from core.calendar import Calendar
from core.compile import kernel, record_dtype
from core.ticks import TRADE
from core.zones import Times
from feeds.grid import Grid

_Bars = np.ndarray[Any, Any]
_NO_BARS = np.zeros(0, BAR)
_FIRST = np.zeros(1, np.int64)

_BLOCK = 65_536
"""Ticks worked on at a time: more than a cache holds only costs time."""

_STATE = record_dtype([("used", "i8"), ("over_until", "i8"), ("left_out", "i8"), ("day", "i4")])
"""used : ticks in the forming bar; 0: there is none. over_until, day : END and trading day of the
last completed bar. left_out : ticks that no bar took."""


class BarBuilder:
    """Builds the bars of one instrument at one timeframe.

    Parameters
    ----------
    calendar : Calendar
        Its sessions give the grid's origin and each bar's END.
    timeframe_ns : int

    Notes
    -----
    Bars do not depend on how ticks were batched. A bar's spread is the widest its ticks told; its
    flat time is the feed's to set. Ticks outside the hours that loading a file keeps (NSE's before
    the open and after the close) are in no bar.
    """

    def __init__(self, calendar: Calendar, timeframe_ns: int) -> None:
        self._grid = Grid(calendar, timeframe_ns)
        self._bar = np.zeros(1, BAR)
        self._state = np.zeros(1, _STATE)
        self._used = self._state["used"]
        self._state["over_until"] = np.iinfo(np.int64).min
        self._state["day"] = np.iinfo(np.int32).min

    @property
    def forming(self) -> _Bars:
        """The bar that is being built as a one-item BAR array, or no item (a copy)."""
        return self._bar.copy() if self._state["used"][0] else _NO_BARS

    @property
    def starts_at(self) -> int | None:
        """START of the forming bar (ns UTC), None without one."""
        return self._bar["start"].item(0) if self._used.item(0) else None

    @property
    def ends_at(self) -> int | None:
        """When the forming bar is over (ns UTC), None without one."""
        return self._bar["end"].item(0) if self._used.item(0) else None

    @property
    def left_out(self) -> int:
        """Ticks that no bar took: they came when their bar was over, or outside the session."""
        return int(self._state["left_out"][0])

    def begin_after(self, bar: np.record) -> None:
        """Leave out every tick of bars that END by this BAR's END: they came from history."""
        if bar["end"] > self._state["over_until"][0]:
            self._state["over_until"], self._state["day"] = bar["end"], bar["day"]
        if self._bar["end"][0] <= bar["end"]:
            self._state["used"] = 0

    def take(self, ticks: np.ndarray[Any, Any]) -> _Bars:
        """Take ticks (TICK, oldest first); return the bars they completed.

        Only ticks with the flag TRADE are in bars; all tell the time.
        """
        if len(ticks) > _BLOCK:
            blocks = range(0, len(ticks), _BLOCK)
            return np.concatenate([self.take(ticks[at : at + _BLOCK]) for at in blocks])
        if not len(ticks):
            return _NO_BARS
        times = ticks["ts_event"]
        now = times.item(0) if len(ticks) == 1 else int(times.max())
        if self._used.item(0) and now < self._bar["end"].item(0):
            add_ticks(ticks, 0, len(ticks), self._bar, self._state)
            return _NO_BARS
        traded = ticks[(ticks["flags"] & TRADE) != 0]
        cells, first, stop = self._cells(traded)
        done = np.zeros(len(cells) + 1, BAR)
        count = build(traded, cells, first, stop, self._bar, self._state, done)
        over = self.close(now)
        return np.concatenate([done[:count], over]) if count else over

    def close(self, now: int) -> _Bars:
        """Return the forming bar if it is over at this time (ns UTC), else no bar."""
        if not self._used.item(0) or now < self._bar["end"].item(0):
            return _NO_BARS
        self._state["used"] = 0
        self._state["over_until"], self._state["day"] = self._bar["end"], self._bar["day"]
        return self._bar.copy()

    def _cells(self, traded: np.ndarray[Any, Any]) -> tuple[_Bars, Times, Times]:
        """Return the bars these ticks lie in, still empty, and the span of ticks of each.

        A tick that comes late is put with the bar of the tick before it, which leaves it out.
        """
        times = np.ascontiguousarray(traded["ts_event"])
        if len(times):
            cell = self._grid.cell(int(times.min()))
            if cell is not None and times.max() < cell["end"].item(0):
                return cell, _FIRST, np.array([len(times)], np.int64)
        starts = self._grid.starts(times)
        starts = np.maximum.accumulate(starts)
        first = np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1))
        stop = np.append(first[1:], len(times)).astype(np.int64)
        cells = np.zeros(len(first), BAR)
        cells["start"] = starts[first]
        kept = self._grid.fitted(cells)
        if len(kept) < len(cells):
            is_kept = np.isin(cells["start"], kept["start"])
            self._state["left_out"] += int((stop - first)[~is_kept].sum())
            first, stop = first[is_kept], stop[is_kept]
        return kept, first, stop


@kernel
def build(
    ticks: Any, cells: Any, first: Times, stop: Times, forming: Any, states: Any, done: Any
) -> int:
    """Walk the cells that hold ticks; write the bars completed on the way, return how many."""
    count = 0
    state = states[0]
    for row in range(len(cells)):
        if state.used and cells[row].start > forming[0].start:
            done[count] = forming[0]
            count += 1
            state.used = 0
            state.over_until, state.day = forming[0].end, forming[0].day
        if not state.used:
            if cells[row].end <= state.over_until:
                state.left_out += stop[row] - first[row]
                continue
            forming[0] = cells[row]
            forming[0].flags &= ~FIRST_OF_DAY
            if cells[row].day != state.day:
                forming[0].flags |= FIRST_OF_DAY
        add_ticks(ticks, first[row], stop[row], forming, states)
    return count


@kernel
def add_ticks(ticks: Any, first: int, stop: int, forming: Any, states: Any) -> None:
    """Add ticks to the forming bar; those outside it are counted and left out."""
    bar, state = forming[0], states[0]
    for i in range(first, stop):
        tick = ticks[i]
        if tick.flags & TRADE == 0:
            continue
        if tick.ts_event < bar.start or tick.ts_event >= bar.end:
            state.left_out += 1
            continue
        if state.used == 0:
            bar.open = bar.high = bar.low = tick.price
        state.used += 1
        bar.high = max(bar.high, tick.price)
        bar.low = min(bar.low, tick.price)
        bar.close = tick.price
        bar.volume += tick.volume
        if tick.spread > bar.spread:
            bar.spread = tick.spread
