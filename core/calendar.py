"""Trading days and sessions: what turns a bar's START into its END, day and wall-clock minute.

A session belongs to one trading day: gold's runs from 18:00 New York of the evening before to
17:00, NSE's is the IST date. All stored times are int64 ns UTC, all days are counted from
1970-01-01 of the trading date. Kernels know no zones: `Calendar.annotate` gives each bar what
they need.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from core.bars import EARLY_CLOSE, FIRST_OF_DAY, REGULAR, SPECIAL
from core.compile import kernel
from core.zones import NS_PER_DAY, NS_PER_MINUTE, Times, ZoneTable

logger = logging.getLogger(__name__)

_EPOCH = date(1970, 1, 1)
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday (Monday = 0)."""


def day_number(when: date) -> int:
    """Return a date as days since 1970-01-01, as bars and dated tables count it."""
    return (when - _EPOCH).days


def day_date(day: int) -> date:
    """Return the date of a trading-day number."""
    return _EPOCH + timedelta(days=int(day))


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day's session: [open, close) in ns UTC.

    special : Muhurat, weekend or another session outside the regular hours.
    early_close : it closes before the regular time.
    """

    day: int
    open: int
    close: int
    special: bool = False
    early_close: bool = False


@dataclass(frozen=True, eq=False)
class Calendar:
    """Sessions of one market, as arrays ordered by day.

    zone : table of the market's own zone (in which minutes and weekdays are counted).
    roll_ns : added to a wall time to get the trading date's wall time (gold 6 h, FX 7 h).
    regular_open, regular_close : ns from local midnight of the trading date; the open is negative
        where the session begins the evening before. They stand in for days without a session.
    days, opens, closes, flags : ndarrays of equal length: trading-day number, ns UTC, ns UTC, and
        REGULAR with SPECIAL and EARLY_CLOSE where they apply.
    missing_years : years whose holidays the sources do not list.
    """

    name: str
    zone: ZoneTable
    roll_ns: int
    regular_open: int
    regular_close: int
    days: np.ndarray[Any, Any]
    opens: Times
    closes: Times
    flags: np.ndarray[Any, Any]
    missing_years: frozenset[int] = frozenset()

    def trading_days(self, utc: Times) -> np.ndarray[Any, Any]:
        """Return the trading-day number of each UTC time (ns), sessions or not."""
        return (self.zone.to_local(utc) + self.roll_ns) // NS_PER_DAY

    def sessions(self, first: date, last: date) -> list[Session]:
        """Return the sessions of the trading dates from `first` to `last`, both included."""
        low = int(np.searchsorted(self.days, day_number(first), side="left"))
        high = int(np.searchsorted(self.days, day_number(last), side="right"))
        return [self._session(index) for index in range(low, high)]

    def session_of(self, day: int) -> Session | None:
        """Return a trading day's session, None where the calendar has none."""
        index = int(np.searchsorted(self.days, day))
        if index == len(self.days) or self.days[index] != day:
            return None
        return self._session(index)

    def _session(self, index: int) -> Session:
        flags = int(self.flags[index])
        return Session(
            int(self.days[index]),
            int(self.opens[index]),
            int(self.closes[index]),
            bool(flags & SPECIAL),
            bool(flags & EARLY_CLOSE),
        )

    def regular_hours(self, days: np.ndarray[Any, Any]) -> tuple[Times, Times]:
        """Return when the market would open and close on these days in its regular hours."""
        midnight = np.asarray(days, np.int64) * NS_PER_DAY
        opens = self.zone.to_utc(midnight + self.regular_open)
        return opens, self.zone.to_utc(midnight + self.regular_close)

    def _dense(self, first: int, last: int) -> tuple[Times, Times, np.ndarray[Any, Any]]:
        """Return open, close and flags of every day from first to last, known or not."""
        days = np.arange(first, last + 1)
        opens, closes = self.regular_hours(days)
        flags = np.full(len(days), SPECIAL, np.uint16)
        low, high = np.searchsorted(self.days, [first, last + 1])
        at = self.days[low:high] - first
        opens[at], closes[at] = self.opens[low:high], self.closes[low:high]
        flags[at] = self.flags[low:high]
        return opens, closes, flags

    def annotate(self, bars: np.ndarray[Any, Any], timeframe_ns: int) -> None:
        """Fill end, close_at, day, minute, end_minute, weekday, end_weekday and flags in place.

        Parameters
        ----------
        bars : ndarray of BAR, shape (n,)
            `start` (ns UTC, ascending) is set; prices are not looked at.
        timeframe_ns : int
            Length of the bars' grid step.

        Notes
        -----
        END = min(START + timeframe, the session's end). Grids count from the session's open, so
        that is the grid's next line; a bar off that grid (a source that counts from another
        market's open) keeps its own START and is known one full step later, never earlier: the
        half-past bars of hourly Yahoo gold hold a whole hour. Bars of a day or more end at the
        close of their (last) trading day's session. On a day the calendar lacks, the regular
        close stands in: the data's own last bar would be look-ahead. REGULAR is set only for bars
        inside a known session.
        """
        if len(bars) == 0:
            return
        ends = self.trading_days(np.array([bars["start"][0], bars["start"][-1]]))
        first, last = int(ends[0]), int(ends[1])
        self._warn_missing_years(first, last)
        extra = max(timeframe_ns // NS_PER_DAY - 1, 0)
        opens, closes, flags = self._dense(first, last + extra)
        regular = self.regular_hours(np.arange(first, last + extra + 1))[1]
        zone = self.zone
        calendar = (self.roll_ns, first, opens, closes, flags, regular)
        row = _annotate(bars, timeframe_ns, *calendar, zone.since, zone.offset)
        if row >= 0:
            raise ValueError(f"bar {row} starts outside the first to the last bar: sort them")

    def _warn_missing_years(self, first: int, last: int) -> None:
        missing = self.missing_between(day_date(first), day_date(last))
        if missing:
            years = ", ".join(map(str, missing))
            logger.warning(
                "calendar %s lists no holidays for %s: sessions are taken as regular; "
                "add the year to your calendar file",
                self.name,
                years,
            )

    def missing_between(self, first: date, last: date) -> list[int]:
        """Return the years from `first` to `last` whose holidays are not known."""
        return [year for year in range(first.year, last.year + 1) if year in self.missing_years]

    def grid_starts(self, starts: Times, timeframe_ns: int) -> Times:
        """Return for each UTC time the START of its bar on the grid counted from the session open.

        For timeframes of a day or more: the session's open. A time outside its session's hours
        belongs to the grid continued from that open.
        """
        day = self.trading_days(starts)
        if len(day) == 0:
            return starts.copy()
        first = int(day.min())
        opens: Times = self._dense(first, int(day.max()))[0][day - first]
        if timeframe_ns >= NS_PER_DAY:
            return opens
        grid: Times = opens + (starts - opens) // timeframe_ns * timeframe_ns
        return grid

    def expected_starts(self, first: int, last: int, timeframe_ns: int) -> Times:
        """Return the START of every bar the sessions allow with first <= START <= last (ns UTC).

        What is in here and not in a file is a gap (or a bar without trades).
        """
        low = max(int(np.searchsorted(self.opens, first, side="right")) - 1, 0)
        high = int(np.searchsorted(self.opens, last, side="right"))
        opens, closes = self.opens[low:high], self.closes[low:high]
        if timeframe_ns >= NS_PER_DAY:
            starts = opens
        else:
            counts = -(-(closes - opens) // timeframe_ns)
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            starts = np.repeat(opens, counts) + within * timeframe_ns
        return starts[(starts >= first) & (starts <= last)]


@kernel
def _place(since: Times, time: int, place: int) -> int:
    """Return the row of a zone table that holds at a time, sought from the row before it."""
    while place > 0 and since[place] > time:
        place -= 1
    while place + 1 < len(since) and since[place + 1] <= time:
        place += 1
    return place


@kernel
def _end(start: int, timeframe_ns: int, close: int, regular_close: int) -> int:
    """Return START + timeframe, not beyond the end of the session the bar began in.

    A bar that starts after an early close (spot gold trades on) is cut at the regular close; one
    after that too is not cut.
    """
    end = start + timeframe_ns
    limit = close if start < close else regular_close
    return limit if start < limit < end else end


@kernel
def _annotate(
    bars: np.ndarray[Any, Any],
    timeframe_ns: int,
    roll_ns: int,
    first: int,
    opens: Times,
    closes: Times,
    flags: np.ndarray[Any, Any],
    regular: Times,
    since: Times,
    offset: Times,
) -> int:
    """Annotate every bar in one pass; the tables' rows are the days from `first` on.

    Returns the first bar whose day the tables lack, -1 if none.
    """
    extra = max(timeframe_ns // NS_PER_DAY - 1, 0)
    is_intraday = timeframe_ns < NS_PER_DAY
    day_before = first - 1
    at = at_end = 0
    for i in range(len(bars)):
        start = bars[i]["start"]
        at = _place(since, start, at)
        local = start + offset[at]
        day = (local + roll_ns) // NS_PER_DAY
        row = day - first
        if row < 0 or row + extra >= len(closes):
            return i
        close = closes[row]
        marks = int(flags[row])
        if is_intraday:
            end = _end(start, timeframe_ns, close, regular[row])
            if start < opens[row] or start >= close:
                marks &= ~REGULAR
        else:
            end = closes[row + extra]
        if day != day_before:
            marks |= FIRST_OF_DAY
        day_before = day
        at_end = _place(since, end, at_end)
        local_end = end + offset[at_end]
        date_number, end_date = local // NS_PER_DAY, local_end // NS_PER_DAY
        bars[i]["end"] = end
        bars[i]["close_at"] = close
        bars[i]["day"] = day
        bars[i]["flags"] = marks
        bars[i]["minute"] = (local - date_number * NS_PER_DAY) // NS_PER_MINUTE
        bars[i]["weekday"] = (date_number + _EPOCH_WEEKDAY) % 7
        bars[i]["end_minute"] = (local_end - end_date * NS_PER_DAY) // NS_PER_MINUTE
        bars[i]["end_weekday"] = (end_date + _EPOCH_WEEKDAY) % 7
    return -1


def get_calendar(name: str, user_file: str | None = None) -> Calendar:
    """Return a calendar by name, with the bundled and the user's dated overrides applied.

    Parameters
    ----------
    name : str
        NSE, CMEGlobex_GC (Globex and spot gold), MCX, FX (17:00 to 17:00 New York), ICE_DX
        (dollar index, 20:00 to 17:00) or 24/7.
    user_file : str, optional
        A file like `data/calendar.toml`; its dates win over ours.

    Raises
    ------
    ConfigError : unknown name, or faults in the user's file (all in one message).
    """
    from core.sessions import build_calendar

    return build_calendar(name, user_file)
