"""Bars of a higher timeframe built from lower ones, on the grid counted from the session's open."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR, Series, format_timeframe
from core.calendar import Calendar
from core.errors import ConfigError
from core.zones import NS_PER_DAY, NS_PER_MINUTE, Times

_Bars = np.ndarray[Any, Any]

_WEEK_NS = 7 * NS_PER_DAY
_MONDAY = 3
"""Days from 1970-01-01, a Thursday, back to the Monday of its week."""


def resample(series: Series, timeframe_ns: int, calendar: Calendar) -> Series:
    """Return the series on a higher timeframe.

    Parameters
    ----------
    series : Series
        Lower bars, annotated.
    timeframe_ns : int
        A multiple of the series' grid, below a day; a day; or a week.
    calendar : Calendar
        Its sessions give the grid's origin and each bar's END.

    Returns
    -------
    Series
        Only bars in which something traded. The lower bars stay in `lower` (for `drill`).

    Raises
    ------
    ConfigError : if the timeframe is finer, no multiple, or longer than a day and no week.
    """
    step = series.timeframe_ns
    if timeframe_ns == step:
        return series
    if timeframe_ns < step or timeframe_ns % step:
        raise ConfigError(
            f"timeframe {format_timeframe(timeframe_ns)}: expected a multiple of the bars'"
            f" {format_timeframe(step)}"
        )
    if timeframe_ns > NS_PER_DAY and timeframe_ns != _WEEK_NS:
        raise ConfigError(
            f"timeframe {format_timeframe(timeframe_ns)}: expected at most 1d, or 7d for weeks"
        )
    starts = _cell_starts(series.bars, timeframe_ns, calendar)
    bars = _gather(series.bars, starts)
    calendar.annotate(bars, timeframe_ns)
    if timeframe_ns == _WEEK_NS:
        _end_weeks(bars, calendar)
    facts = {**series.source, "built_from": format_timeframe(step)}
    return Series(series.symbol, timeframe_ns, bars, facts, lower=series)


def _cell_starts(bars: _Bars, timeframe_ns: int, calendar: Calendar) -> Times:
    starts = np.ascontiguousarray(bars["start"])
    if timeframe_ns < _WEEK_NS:
        return calendar.grid_starts(starts, timeframe_ns)
    days = calendar.trading_days(starts)
    monday = days - (days + _MONDAY) % 7
    return calendar.grid_starts(calendar.regular_hours(monday)[0], NS_PER_DAY)


def _gather(bars: _Bars, starts: Times) -> _Bars:
    """Return one bar for each run of equal cell starts."""
    first = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
    last = np.append(first[1:], len(bars)) - 1
    out = np.zeros(len(first), BAR)
    out["start"] = starts[first]
    out["open"] = bars["open"][first]
    out["high"] = np.maximum.reduceat(bars["high"], first)
    out["low"] = np.minimum.reduceat(bars["low"], first)
    out["close"] = bars["close"][last]
    out["volume"] = np.add.reduceat(bars["volume"], first)
    # The widest spread met inside: a bar that hides its worst minute would flatter every stop.
    out["spread"] = np.maximum.reduceat(bars["spread"], first)
    return out


def _end_weeks(bars: _Bars, calendar: Calendar) -> None:
    """Set the END of week bars: the close of the week's last session by the calendar."""
    for bar in bars:
        sessions = [calendar.session_of(int(bar["day"]) + offset) for offset in range(7)]
        closes = [session.close for session in sessions if session is not None]
        if closes:
            bar["end"] = bar["close_at"] = closes[-1]
    local = calendar.zone.to_local(np.ascontiguousarray(bars["end"]))
    dates = local // NS_PER_DAY
    bars["end_minute"] = (local - dates * NS_PER_DAY) // NS_PER_MINUTE
    bars["end_weekday"] = (dates + _MONDAY) % 7
