"""Peer retracements: how far a leg between two swings has been given back."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel
from indicators.peer.columns import column, table

if TYPE_CHECKING:
    import pandas as pd


@kernel
def _to_tenth(value: float) -> float:
    """Round half to even to one decimal, as numpy does."""
    scaled = value * 10.0
    whole = floor(scaled)
    rest = scaled - whole
    if rest > 0.5 or (rest == 0.5 and whole % 2 != 0):
        whole += 1
    return whole / 10.0


@kernel
def mark_retracements(
    sides: Any, levels: Any, high: Any, low: Any, directions: Any, current: Any, deepest: Any
) -> None:
    """Write direction and retracement, one row later than they arise.

    The values of bar t go to row t + 1, those of the last bar to row 0.
    """
    n = len(sides)
    top = bottom = 0.0
    before = direction = 0
    now = deep = deep_before = 0.0
    for t in range(n):
        direction = before
        if sides[t] == 1.0:
            direction = 1
            top = levels[t]
        elif sides[t] == -1.0:
            direction = -1
            bottom = levels[t]
        now = deep = 0.0
        if before == 1:
            share = (low[t] - bottom) / (top - bottom) * 100.0 if top != bottom else 100.0
            now = _to_tenth(100.0 - share)
            deep = max(deep_before, now)
        if direction == -1:
            share = (high[t] - top) / (bottom - top) * 100.0 if top != bottom else 100.0
            now = _to_tenth(100.0 - share)
            deep = max(deep_before if before == -1 else 0.0, now)
        row = t + 1 if t + 1 < n else 0
        directions[row] = direction
        current[row] = now
        deepest[row] = deep
        before = direction
        deep_before = deep


@kernel
def rows_to_blank(directions: Any) -> int:
    """Return how many rows the peer empties: through the third change, row 0's included."""
    changes = 0
    for row in range(len(directions) - 1):
        if directions[row] != directions[row + 1]:
            changes += 1
        if changes == 3:
            return row + 2
    return len(directions) - 1


def retracements(ohlc: pd.DataFrame, swing_highs_lows: pd.DataFrame) -> pd.DataFrame:
    """Return the peer's Direction, CurrentRetracement%, DeepestRetracement%.

    A leg appears one bar after its swing's extreme, bars before that swing can be known.
    """
    sides, levels = column(swing_highs_lows, "highlow"), column(swing_highs_lows, "level")
    high, low = column(ohlc, "high"), column(ohlc, "low")
    rows = len(high)
    directions, current, deepest = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    mark_retracements(sides, levels, high, low, directions, current, deepest)
    blanked = max(0, rows_to_blank(directions))
    for values in (directions, current, deepest):
        values[:blanked] = 0.0
    columns = {"Direction": directions, "CurrentRetracement%": current}
    return table(**columns, **{"DeepestRetracement%": deepest})
