"""The cells in which one series' bars lie, as a live feed asks about them: one time at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR, NEVER_NS
from core.calendar import Calendar
from core.zones import NS_PER_DAY, Times
from feeds.loading import in_session

_LEAST_REACH_NS = 14 * NS_PER_DAY
"""First look back for bars: longer than any run of holidays."""
_AHEAD = 512
"""Cells worked out together."""


class Grid:
    """Bars of a calendar at one timeframe. A cell is [START, END); times are ns UTC."""

    def __init__(self, calendar: Calendar, timeframe_ns: int) -> None:
        self.calendar = calendar
        self.timeframe_ns = timeframe_ns
        self._known_from = self._known_until = 0
        self._known = np.zeros(0, BAR)
        self._is_kept: list[bool] = []

    def starts(self, times: Times) -> Times:
        """Return START of the cell of each time."""
        return self.calendar.grid_starts(times, self.timeframe_ns)

    def start(self, ts: int) -> int:
        """Return START of the cell a time lies in.

        Outside the sessions the grid goes on; of a day bar it is the session's open, which may
        still be to come.
        """
        return int(self.starts(np.array([ts], np.int64))[0])

    def cell(self, ts: int) -> np.ndarray[Any, Any] | None:
        """Return the empty bar a time lies in, as `fitted` gives it, in an array of one.

        None where no bar may be, and outside of known sessions: ask `starts` and `fitted` there.
        The cells to come are worked out together, so a bar after the other costs next to nothing.
        """
        if not self._known_from <= ts < self._known_until and not self._learn(ts):
            return None
        place = (ts - self._known_from) // self.timeframe_ns
        return self._known[place : place + 1].copy() if self._is_kept[place] else None

    def _learn(self, ts: int) -> bool:
        """Work out the next cells of the session a time lies in; False if it lies in none."""
        calendar, step = self.calendar, self.timeframe_ns
        at = int(np.searchsorted(calendar.opens, ts, side="right")) - 1
        if at < 0 or step >= NS_PER_DAY or ts >= calendar.closes[at]:
            return False
        begin = int(calendar.opens[at])
        begin += (ts - begin) // step * step
        until = min(begin + _AHEAD * step, int(calendar.closes[at]))
        cells = np.zeros(-(-(until - begin) // step), BAR)
        cells["start"] = np.arange(begin, until, step)
        if not np.array_equal(self.starts(cells["start"]), cells["start"]):
            return False  # another session begins inside
        calendar.annotate(cells, step)
        self._known, self._known_from, self._known_until = cells, begin, until
        self._is_kept = np.isin(cells["start"], self.in_hours(cells)["start"]).tolist()
        return True

    def end(self, start: int) -> int:
        """Return END of the cell with this START."""
        return int(self._ends(np.array([start], np.int64))[0])

    def next_end(self, ts: int) -> int:
        """Return the earliest END after a time that a bar may have."""
        end = self.end(self.start(ts))
        return end if end > ts else ts + 1

    def first_start(self, ts: int) -> int:
        """Return the first time from `ts` on at which a cell begins: what trades later is whole.

        After a session's last cell that is `ts` itself. While the market is shut the grid goes on
        from the session before, which need not meet the next one's (a change of the clocks).
        """
        start = self.start(ts)
        if start < ts:
            start = max(self.end(start), ts)
        opens = self.calendar.opens
        place = int(np.searchsorted(opens, ts, side="left"))
        return min(start, int(opens[place])) if place < len(opens) else start

    def last_expected(self, end: int, since: int) -> tuple[int, int] | None:
        """Return the last cell of the sessions with since <= START and END <= `end`."""
        starts = self.calendar.expected_starts(since, end - 1, self.timeframe_ns)
        ends = self._ends(starts)
        over = np.flatnonzero(ends <= end)
        return (int(starts[over[-1]]), int(ends[over[-1]])) if len(over) else None

    def count_expected(self, after: int, before: int) -> int:
        """Return how many cells of the sessions END after one time and START before another."""
        reach = max(2 * self.timeframe_ns, 2 * NS_PER_DAY)
        starts = self.calendar.expected_starts(after - reach, before - 1, self.timeframe_ns)
        return int(np.count_nonzero(self._ends(starts) > after))

    def start_before(self, end: int, count: int) -> int:
        """Return START of the cell that begins so many cells of the sessions before a time."""
        reach = max(2 * count * self.timeframe_ns, _LEAST_REACH_NS)
        while True:
            starts = self.calendar.expected_starts(end - reach, end - 1, self.timeframe_ns)
            if len(starts) >= count:
                return int(starts[len(starts) - count]) if count else end
            if end - reach <= self.first:
                return min(self.first, end)
            reach *= 2

    @property
    def first(self) -> int:
        """The first open the calendar knows."""
        return int(self.calendar.opens[0])

    def after_open_time(self, ts: int, amount: int) -> int:
        """Return when the market will have been open for `amount` ns since a time."""
        opens, closes = self.calendar.opens, self.calendar.closes
        at = max(int(np.searchsorted(opens, ts, side="right")) - 1, 0)
        for row in range(at, len(opens)):
            begin = max(int(opens[row]), ts)
            room = int(closes[row]) - begin
            if room >= amount:
                return begin + amount
            amount -= max(room, 0)
        return NEVER_NS

    def fitted(self, bars: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return bars in order, with END and all else that the calendar tells filled in.

        Bars outside the hours that loading a file keeps are left out.
        """
        out = self.in_hours(bars[np.argsort(bars["start"], kind="stable")])
        self.calendar.annotate(out, self.timeframe_ns)
        return out

    def in_hours(self, bars: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the bars whose START lies in the hours that loading a file keeps."""
        if self.timeframe_ns >= NS_PER_DAY:
            return bars
        return in_session(bars, self.calendar, "auto")[0]

    def _ends(self, starts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        cells = np.zeros(len(starts), BAR)
        cells["start"] = starts
        self.calendar.annotate(cells, self.timeframe_ns)
        ends: np.ndarray[Any, Any] = cells["end"]
        return ends
