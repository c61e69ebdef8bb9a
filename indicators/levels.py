"""Previous trading day and week: high, low and whether they have been exceeded."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype

PERIOD = record_dtype(
    [
        ("key", "i8"),
        ("high", "f8"),
        ("low", "f8"),
        ("previous_high", "f8"),
        ("previous_low", "f8"),
        ("previous_key", "i8"),
        ("bars", "i8"),
        ("broken_high", "i1"),
        ("broken_low", "i1"),
        ("rolled", "i1"),
    ]
)
"""A calendar period (day or week) as it runs.

key : number of the running period. high, low : its extremes so far, price units.
previous_* : extremes of the last completed period with at least one bar; NaN before the first.
bars : bars of the running period so far.
broken_high : 1 from the first bar of this period with high > previous_high on; low mirrored.
rolled : 1 on the first bar of a period, when previous_* changed (at the START of that bar).
"""


@kernel
def reset_period(period: Any) -> None:
    """Bring a PERIOD to the state before the first bar."""
    period.key = -1
    period.high = np.nan
    period.low = np.nan
    period.previous_high = np.nan
    period.previous_low = np.nan
    period.previous_key = -1
    period.bars = 0
    period.broken_high = 0
    period.broken_low = 0
    period.rolled = 0


@kernel
def step_period(bar: Any, key: int, period: Any) -> None:
    """Advance a PERIOD by one bar that belongs to period number `key`."""
    period.rolled = 0
    if period.bars == 0 or key != period.key:
        if period.bars > 0:
            period.previous_high = period.high
            period.previous_low = period.low
            period.previous_key = period.key
        period.key = key
        period.bars = 0
        period.high = bar.high
        period.low = bar.low
        period.broken_high = 0
        period.broken_low = 0
        period.rolled = 1
    period.bars += 1
    period.high = max(period.high, bar.high)
    period.low = min(period.low, bar.low)
    if bar.high > period.previous_high:
        period.broken_high = 1
    if bar.low < period.previous_low:
        period.broken_low = 1


@kernel
def week_number(day: int) -> int:
    """Return the number of the Monday-to-Sunday week a trading day lies in."""
    return (day + 3) // 7
