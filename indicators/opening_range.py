"""Opening range: high and low of the first minutes of the trading day."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.sessions import in_window

OPENING = record_dtype(
    [
        ("day", "i8"),
        ("bars", "i8"),
        ("high", "f8"),
        ("low", "f8"),
        ("complete", "i1"),
        ("completed", "i1"),
    ]
)
"""One day's opening range.

day : trading-day number. bars : bars inside the window so far today.
high, low : extremes of the window so far today, price units; NaN before its first bar.
complete : 1 from the first bar of the day that starts at or after the window's end.
completed : 1 on that first bar only.
"""


@kernel
def reset_opening(opening: Any) -> None:
    """Bring an OPENING to the state before the first bar."""
    opening.day = -1
    opening.bars = 0
    opening.high = np.nan
    opening.low = np.nan
    opening.complete = 0
    opening.completed = 0


@kernel
def step_opening(bar: Any, start: int, end: int, opening: Any) -> None:
    """Advance an OPENING by one bar; the window is [start, end) in local minutes.

    The levels are rebuilt each trading day. A day without a bar in the window has none.
    """
    opening.completed = 0
    if bar.day != opening.day:
        reset_opening(opening)
        opening.day = bar.day
    if in_window(bar.minute, start, end):
        if opening.complete == 1:
            return
        if opening.bars == 0:
            opening.high = bar.high
            opening.low = bar.low
        opening.bars += 1
        opening.high = max(opening.high, bar.high)
        opening.low = min(opening.low, bar.low)
    elif opening.bars > 0 and opening.complete == 0:
        opening.complete = 1
        opening.completed = 1
