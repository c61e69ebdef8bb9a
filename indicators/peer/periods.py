"""Peer calendar readings: previous high and low of a period, and sessions of fixed UTC hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.compile import kernel
from core.errors import ConfigError, near_name
from indicators.peer.columns import blank, column, rounded, table

if TYPE_CHECKING:
    import pandas as pd

DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * DAY_NS
SUNDAY_NS = 3 * DAY_NS
"""1970-01-04 00:00, a Sunday: weeks run from one Sunday midnight to the next."""
MINUTE_NS = 60_000_000_000

SESSIONS = {
    "Sydney": (21 * 60, 6 * 60),
    "Tokyo": (0, 9 * 60),
    "London": (7 * 60, 16 * 60),
    "New York": (13 * 60, 22 * 60),
    "Asian kill zone": (0, 4 * 60),
    "London open kill zone": (6 * 60, 9 * 60),
    "New York kill zone": (11 * 60, 14 * 60),
    "london close kill zone": (14 * 60, 16 * 60),
}
"""The peer's windows in UTC minutes, both ends inclusive, by its own names."""


@kernel
def mark_previous(
    stamps: Any,
    labels: Any,
    high: Any,
    low: Any,
    narrow: bool,
    highs: Any,
    lows: Any,
    broken_high: Any,
    broken_low: Any,
) -> None:
    """Write at each bar the second last period whose label is before the bar's stamp.

    labels : ndarray of int64, shape (n,), the label of the period a bar lies in, rising.
    """
    extremes = np.zeros((3, 2))
    last = -1
    reference = -1
    top = bottom = np.nan
    for t in range(len(stamps)):
        if last < 0 or labels[t] != labels[t - 1]:
            last += 1
            extremes[last % 3, 0] = high[t]
            extremes[last % 3, 1] = low[t]
        slot = last % 3
        extremes[slot, 0] = max(extremes[slot, 0], high[t])
        extremes[slot, 1] = min(extremes[slot, 1], low[t])
        place = last - 1 if labels[t] < stamps[t] else last - 2
        if place != reference or t == 0:
            reference = place
            top = high[t]
            bottom = low[t]
        top = max(top, high[t])
        bottom = min(bottom, low[t])
        if place < 0:
            continue
        highs[t] = rounded(extremes[place % 3, 0], narrow)
        lows[t] = rounded(extremes[place % 3, 1], narrow)
        broken_high[t] = 1.0 if top > highs[t] else 0.0
        broken_low[t] = 1.0 if bottom < lows[t] else 0.0


def _stamps(ohlc: pd.DataFrame) -> npt.NDArray[np.int64]:
    import pandas as pd

    index = pd.DatetimeIndex(ohlc.index)
    return np.asarray(index.as_unit("ns").asi8, np.int64)


def _labels(stamps: npt.NDArray[np.int64], time_frame: str) -> npt.NDArray[np.int64]:
    import pandas as pd

    if time_frame in ("W", "1W"):
        return -((SUNDAY_NS - stamps) // WEEK_NS) * WEEK_NS + SUNDAY_NS
    try:
        step = int(pd.Timedelta(time_frame).value)
    except ValueError as cause:
        raise ConfigError(f"time_frame={time_frame!r}: expected such as 4h, 1D or W") from cause
    return stamps // step * step


def previous_high_low(
    ohlc: pd.DataFrame, time_frame: str = "1D", *, narrow: bool = True
) -> pd.DataFrame:
    """Return the peer's PreviousHigh, PreviousLow, BrokenHigh, BrokenLow.

    Known at the same bar. On the first bar of a period the value is one period old, and a week
    is always the one before the last completed.

    Parameters
    ----------
    time_frame : str
        Such as "4h" or "1D" (by calendar floor), or "W".
    """
    high, low = column(ohlc, "high"), column(ohlc, "low")
    rows = len(high)
    stamps = _stamps(ohlc)
    highs, lows = blank(rows), blank(rows)
    broken_high, broken_low = np.zeros(rows), np.zeros(rows)
    labels = _labels(stamps, time_frame)
    mark_previous(stamps, labels, high, low, narrow, highs, lows, broken_high, broken_low)
    return table(PreviousHigh=highs, PreviousLow=lows, BrokenHigh=broken_high, BrokenLow=broken_low)


@kernel
def mark_session(
    stamps: Any, start: int, end: int, high: Any, low: Any, narrow: bool, out: Any
) -> None:
    """Write active, running high and running low of a window with both ends inclusive."""
    inside_before = False
    for t in range(len(stamps)):
        minute = stamps[t] // MINUTE_NS % 1440
        if start < end:
            inside = start <= minute and minute <= end
        else:
            inside = minute >= start or minute <= end
        if inside:
            out[0, t] = 1.0
            out[1, t] = rounded(high[t], narrow)
            out[2, t] = rounded(low[t], narrow)
            if inside_before:
                out[1, t] = max(out[1, t], out[1, t - 1])
                out[2, t] = min(out[2, t], out[2, t - 1])
        inside_before = inside


def sessions(ohlc: pd.DataFrame, session: str, *, narrow: bool = True) -> pd.DataFrame:
    """Return the peer's Active, High, Low of one of its named UTC windows; known at the bar.

    Raises
    ------
    ConfigError : for an unknown session name.
    """
    if session not in SESSIONS:
        raise ConfigError(f"session {session!r} is unknown{near_name(session, SESSIONS)}")
    start, end = SESSIONS[session]
    high, low = column(ohlc, "high"), column(ohlc, "low")
    out = np.zeros((3, len(high)))
    mark_session(_stamps(ohlc), start, end, high, low, narrow, out)
    return table(Active=out[0], High=out[1], Low=out[2])
