"""The bar record: what a kernel, a feed and the matching engine all mean by a bar.

A bar covers [start, end). START is stored, END is min(grid end, session end) by the calendar;
neither is ever derived from the other. Times are int64 nanoseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.compile import record_dtype

NEVER_NS = np.iinfo(np.int64).max
"""A time that never comes, for `flat_at` and expiries that are off."""

REGULAR = 1
"""Flag: the bar lies in a session the calendar knows."""
SPECIAL = 2
"""Flag: the calendar lacks this trading day (or it is a Muhurat or weekend session)."""
EARLY_CLOSE = 4
"""Flag: the calendar closes this trading day early."""
FIRST_OF_DAY = 8
"""Flag: first bar of its trading day in this series."""

BAR = record_dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
        ("spread", "f8"),
        ("close_at", "i8"),
        ("flat_at", "i8"),
        ("day", "i4"),
        ("minute", "i2"),
        ("end_minute", "i2"),
        ("weekday", "i1"),
        ("end_weekday", "i1"),
        ("flags", "u2"),
    ]
)
"""One bar.

start, end : ns UTC; end is the moment the bar is known.
open, high, low, close : quote currency per unit, as in the file (never rounded to the tick).
volume : contracts, units or ticks; 0 where the source has none.
spread : ask minus bid in price units for this bar (0 where none is modelled).
close_at : ns UTC, end of this trading day's session by the calendar.
flat_at : ns UTC, flat time in force for this trading day (NEVER_NS where none).
day : trading-day number, days since 1970-01-01 of the trading date (gold: New York + 6 h).
minute, end_minute : minute of the local day (market's zone) of START and of END, 0..1439.
weekday, end_weekday : Monday = 0, of START's and END's local calendar date.
flags : REGULAR, SPECIAL, EARLY_CLOSE, FIRST_OF_DAY. Read it as bar["flags"], compiled or not:
    outside compiled code `.flags` is numpy's own attribute of a record.
"""


@dataclass(frozen=True)
class Series:
    """Bars of one instrument at one timeframe, oldest first, with their origin.

    `bars` is an array of BAR; treat it as read-only. `timeframe_ns` is the grid's step.
    `source` holds provenance: file, sha256, zone, dropped rows by reason, `proxy_for`.
    `lower` is the finer series these bars were built from (`drill` walks it), None without one.
    """

    symbol: str
    timeframe_ns: int
    bars: np.ndarray[Any, Any]
    source: dict[str, Any] = field(default_factory=dict)
    lower: Series | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.bars)

    def with_bars(self, bars: np.ndarray[Any, Any]) -> Series:
        """Return the same series holding other bars."""
        return replace(self, bars=bars)


def spans_within(bars: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the first and the last (not included) of the times inside each bar.

    times : ns UTC, ascending. The result is int64 of shape (n, 2).
    """
    spans = np.empty((len(bars), 2), np.int64)
    spans[:, 0] = np.searchsorted(times, bars["start"], side="left")
    spans[:, 1] = np.searchsorted(times, bars["end"], side="left")
    return spans


_TIMEFRAME_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_timeframe(text: str) -> int:
    """Return a timeframe such as '15m', '1h' or '1d' in nanoseconds.

    Raises
    ------
    ValueError : if the text is not a whole positive number followed by s, m, h or d.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _TIMEFRAME_UNITS or not number.isdigit() or int(number) < 1:
        raise ValueError(f"timeframe {text!r}: expected a number and s, m, h or d, such as 15m")
    return int(number) * _TIMEFRAME_UNITS[unit] * 1_000_000_000


def format_timeframe(timeframe_ns: int) -> str:
    """Return nanoseconds as the shortest timeframe text ('15m', '4h', '1d')."""
    seconds = timeframe_ns // 1_000_000_000
    for unit in ("d", "h", "m"):
        if seconds % _TIMEFRAME_UNITS[unit] == 0:
            return f"{seconds // _TIMEFRAME_UNITS[unit]}{unit}"
    return f"{seconds}s"
