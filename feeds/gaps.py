"""A file's bars against the market's sessions: what is missing and what should not be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from core.bars import SPECIAL, format_timeframe
from core.calendar import Calendar, day_date
from core.wording import plural
from core.zones import NS_PER_DAY, Times
from feeds.findings import NOTE, WARNING, Finding, clock_text, runs
from feeds.origin import is_among, outside_week

_Array = np.ndarray[Any, Any]
_LineOf = Callable[[int], int | None]

_HABITUAL = 0.5
"""A slot of the day missing on more than this share of days is the source's habit, not a gap."""
_FEWEST_DAYS = 10
"""Days on which a slot must be expected before its absence can be a habit."""
_STRAY = 0.005
"""Share of bars outside market hours from which the zone itself is in doubt."""
_SHOWN_SLOTS = 6


def gaps(start: Times, market: Calendar, step: int, line_of: _LineOf) -> Iterator[Finding]:
    """Yield the bars the calendar expects and the file lacks, run by run.

    Parameters
    ----------
    start : ndarray of int64, shape (n,)
        START of every row, faulty ones too, ascending, ns UTC.
    line_of : callable
        Row of `start` -> line of the file.
    """
    if (market.name == "24/7" and step >= NS_PER_DAY) or not len(start):
        return
    expected = market.expected_starts(int(start[0]), int(start[-1]), step)
    missing = expected[~is_among(expected, market.grid_starts(start, step))]
    habit, missing = _habits(missing, expected, market, step)
    if habit:
        yield Finding("source_hours", NOTE, habit)
    for first, last in runs(np.searchsorted(expected, missing)):
        count = last - first + 1
        times = int(expected[first]), int(expected[last])
        after = int(np.searchsorted(start, times[1]))
        line = line_of(after) if after < len(start) else None
        text = f"{plural(count, 'bar')} missing {_when(market, *times, step)}"
        yield Finding("gap", WARNING, text, line, count)


def _when(market: Calendar, first: int, last: int, step: int) -> str:
    if step < NS_PER_DAY:
        return clock_text(market, first, last)
    days = [day_date(int(day)) for day in market.trading_days(np.array([first, last]))]
    return f"on {days[0]}" if first == last else f"from {days[0]} to {days[1]}"


def _habits(
    missing: Times, expected: Times, market: Calendar, step: int
) -> tuple[str | None, Times]:
    """Part slots that are missing on most days, the source's own hours, from real gaps."""
    if step >= NS_PER_DAY or not len(missing):
        return None, missing
    slots = market.zone.to_local(expected) % NS_PER_DAY // step
    gone = market.zone.to_local(missing) % NS_PER_DAY // step
    size = int(NS_PER_DAY // step) + 1
    asked = np.bincount(slots, minlength=size)
    habitual = (asked >= _FEWEST_DAYS) & (np.bincount(gone, minlength=size) > _HABITUAL * asked)
    if not habitual.any():
        return None, missing
    clocks = ", ".join(
        f"{int(slot * step // 3_600_000_000_000):02d}:{int(slot * step // 60_000_000_000 % 60):02d}"
        for slot in np.flatnonzero(habitual)[:_SHOWN_SLOTS]
    )
    more = ", ..." if np.count_nonzero(habitual) > _SHOWN_SLOTS else ""
    text = (
        f"the source has no {format_timeframe(step)} bars at {clocks}{more} {market.zone.name}"
        " on most days; not counted as gaps"
    )
    return text, missing[~habitual[gone]]


def shut_bars(bars: _Array, market: Calendar, step: int, line_of: _LineOf) -> Iterator[Finding]:
    """Yield the bars that lie where the market is shut: weekends, holidays, breaks of the day."""
    special = (bars["flags"] & SPECIAL) != 0
    yield from _unknown_days(bars, np.flatnonzero(special), market, line_of)
    if step >= NS_PER_DAY:
        return
    starts = np.ascontiguousarray(bars["start"])
    shut = outside_week(starts, market) & ~special & ~_in_session(starts, market)
    rows = np.flatnonzero(shut)
    if len(rows) > _STRAY * len(bars):
        return  # the zone is in doubt, which is told once
    for first, last in runs(rows):
        count = last - first + 1
        start = bars["start"]
        text = f"{plural(count, 'bar')} while {market.name} is shut,"
        text += f" {clock_text(market, int(start[first]), int(start[last]))}"
        yield Finding("closed_market", WARNING, text, line_of(first), count, line_of(last))


def _in_session(starts: Times, market: Calendar) -> _Array:
    """Say of each time whether its own day's session, a longer one maybe, holds it."""
    row = np.searchsorted(market.opens, starts, side="right") - 1
    held: _Array = (row >= 0) & (starts < market.closes[np.maximum(row, 0)])
    return held


def _unknown_days(
    bars: _Array, rows: _Array, market: Calendar, line_of: _LineOf
) -> Iterator[Finding]:
    days = bars["day"][rows]
    edges = np.flatnonzero(np.diff(days)) + 1
    for part in np.split(rows, edges):
        if not len(part):
            continue
        day = int(bars["day"][part[0]])
        if market.session_of(day) is not None:
            continue
        when = day_date(day)
        lines = line_of(int(part[0])), line_of(int(part[-1]))
        count = len(part)
        if when.weekday() > 4:
            text = f"{plural(count, 'bar')} on {when:%A} {when}"
            yield Finding("weekend", WARNING, text, lines[0], count, lines[1])
        else:
            text = f"{plural(count, 'bar')} on {when}, on which {market.name} lists no session"
            yield Finding("holiday", NOTE, text, lines[0], count, lines[1])


def stray_bars(bars: _Array, market: Calendar) -> _Array:
    """Return the places of bars that start while the market is shut, none if they are few."""
    outside = outside_week(np.ascontiguousarray(bars["start"]), market)
    strays = np.flatnonzero(outside & ((bars["flags"] & SPECIAL) == 0))
    return strays if len(strays) > _STRAY * len(bars) else strays[:0]


def stray_text(bars: _Array, market: Calendar, zone_known: str) -> str:
    """Say how many bars start while the market is shut; nothing if they are few.

    zone_known : how the zone came to be known, as the file's origin says it.
    """
    strays = stray_bars(bars, market)
    if not len(strays):
        return ""
    minute = int(bars["minute"][strays[0]])
    clock = f"{minute // 60:02d}:{minute % 60:02d} {market.zone.name}"
    remedy = "state it with --tz" if zone_known.startswith("assumed") else "try --tz auto"
    return (
        f"{len(strays)} of {len(bars)} bars start while {market.name} is shut, the first at"
        f" {clock}: wrong zone? {remedy}"
    )
