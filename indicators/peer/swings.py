"""Peer swings: extremes of a centred window, thinned to an alternating row of highs and lows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel
from core.errors import ConfigError
from indicators.peer.columns import blank, column, table

if TYPE_CHECKING:
    import pandas as pd


@inlined
def _is_extreme(sign: int, prices: Any, p: int, length: int) -> bool:
    """Say whether no price in p - length + 1 .. p + length lies beyond that of bar p."""
    value = sign * prices[p]
    j = p + 1
    while j <= p + length and sign * prices[j] <= value:
        j += 1
    if j <= p + length:
        return False
    j = p - 1
    while j > p - length and sign * prices[j] <= value:
        j -= 1
    return j == p - length


@kernel
def _accept(side: int, p: int, prices: Any, last_side: int, last: int, marks: Any) -> bool:
    """Enter a raw pivot into the zigzag ledger; say whether it is now the last one."""
    if side == last_side:
        if not side * prices[p] > side * prices[last]:
            return False
        marks[last] = 0
    marks[p] = side
    return True


@kernel
def mark_swings(high: Any, low: Any, length: int, marks: Any, visible: Any) -> None:
    """Write the final alternating swings at their origin bars.

    Parameters
    ----------
    high, low : ndarray of float64, shape (n,)
    length : int
        Bars after a swing before it is visible; the window is p - length + 1 .. p + length.
    marks : ndarray of int8, shape (n,), zeros
        +1 high, -1 low, as left at the end of the file.
    visible : ndarray of int8, shape (n,) or (0,)
        What a causal reader sees at bar t: side of the raw pivot confirmed at t, not written if
        empty.
    """
    last = -1
    last_side = 0
    for t in range(3 * length - 1, len(high)):
        p = t - length
        side = 0
        prices = high
        if _is_extreme(1, high, p, length):
            side = 1
        elif _is_extreme(-1, low, p, length):
            side = -1
            prices = low
        if side == 0:
            continue
        if len(visible) > 0:
            visible[t] = side
        if _accept(side, p, prices, last_side, last, marks):
            last = p
            last_side = side


@kernel
def _write(high: Any, low: Any, marks: Any, sides: Any, levels: Any) -> None:
    for i in range(len(marks)):
        if marks[i] != 0:
            sides[i] = marks[i]
            levels[i] = high[i] if marks[i] > 0 else low[i]


@kernel
def _bookends(marks: Any) -> None:
    """Mark the first and last row with the opposite of their neighbour swing, as the peer does."""
    n = len(marks)
    first = 0
    while first < n and marks[first] == 0:
        first += 1
    if first == n:
        return
    last = n - 1
    while marks[last] == 0:
        last -= 1
    marks[0] = -marks[first]
    marks[n - 1] = -marks[last]


def swing_highs_lows(ohlc: pd.DataFrame, swing_length: int = 50) -> pd.DataFrame:
    """Return the peer's swings: HighLow (+1, -1) and Level at the bar of the extreme.

    A row is visible swing_length bars later and final only when the next opposite swing is
    confirmed; the first and last rows are artificial.

    Raises
    ------
    ConfigError : if swing_length is not positive.
    """
    if swing_length < 1:
        raise ConfigError(f"swing_length={swing_length!r}: expected a whole number >= 1")
    high, low = column(ohlc, "high"), column(ohlc, "low")
    rows = len(high)
    marks = np.zeros(rows, np.int8)
    mark_swings(high, low, swing_length, marks, np.zeros(0, np.int8))
    _bookends(marks)
    sides, levels = blank(rows), blank(rows)
    _write(high, low, marks, sides, levels)
    return table(HighLow=sides, Level=levels)
