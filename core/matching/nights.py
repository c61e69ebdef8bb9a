"""Nights: how many 17:00 New York rolls each bar of a series is charged swap for."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

_SECOND_NS = 1_000_000_000
Array = np.ndarray[Any, Any]


def swap_nights(bars: Array, triple_weekday: int) -> tuple[Array, Array]:
    """Return the weighted rolls before and inside each bar.

    Parameters
    ----------
    bars : BAR array, oldest first.
    triple_weekday : weekday (Monday = 0) whose roll counts three, -1 for none.

    Returns
    -------
    two ndarrays of int32, shape (n,)
        Rolls after the previous bar's END up to this START, and after START up to this END.

    Notes
    -----
    A roll is 17:00 New York on Monday to Friday; the triple one stands for the weekend, so
    Saturdays and Sundays count nothing. A position open at 17:00 pays.
    """
    if len(bars) == 0:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    times, weights = _rolls(int(bars["start"][0]), int(bars["end"][-1]), triple_weekday)
    passed = np.concatenate([[0], np.cumsum(weights)])
    at_start = passed[np.searchsorted(times, bars["start"], side="right")]
    at_end = passed[np.searchsorted(times, bars["end"], side="right")]
    before = np.diff(at_start, prepend=at_start[:1])
    before[1:] = at_start[1:] - at_end[:-1]
    return before.astype(np.int32), (at_end - at_start).astype(np.int32)


def _rolls(first: int, last: int, triple_weekday: int) -> tuple[Array, Array]:
    zone = ZoneInfo("America/New_York")
    day = datetime.fromtimestamp(first // _SECOND_NS, UTC).date() - timedelta(days=2)
    end = datetime.fromtimestamp(last // _SECOND_NS, UTC).date() + timedelta(days=2)
    times, weights = [], []
    while day <= end:
        if day.weekday() < 5:
            roll = datetime.combine(day, time(17), tzinfo=zone)
            times.append(int(roll.timestamp()) * _SECOND_NS)
            weights.append(3 if day.weekday() == triple_weekday else 1)
        day += timedelta(days=1)
    return np.array(times, np.int64), np.array(weights, np.int64)
