"""Peer market structure: patterns of four swings and the close that broke them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel
from indicators.peer.columns import blank, column, rounded, table

if TYPE_CHECKING:
    import pandas as pd

BOS, CHOCH = 1, 2


@kernel
def _pattern(side: int, a: float, b: float, c: float, d: float) -> int:
    """Return BOS, CHOCH or 0 for four alternating swing levels ending in one of `side`."""
    if side < 0:
        a, b, c, d = -a, -b, -c, -d
    if a < c and c < b and b < d:
        return BOS
    if d > b and b > a and a > c:
        return CHOCH
    return 0


@kernel
def _first_beyond(side: int, prices: Any, first: int, level: float) -> int:
    """Return the first bar from `first` on whose price lies beyond the level, 0 if none."""
    for j in range(first, len(prices)):
        if side * prices[j] > side * level:
            return j
    return 0


@kernel
def mark_structure(
    sides: Any,
    swing_levels: Any,
    up: Any,
    down: Any,
    narrow: bool,
    kept: Any,
    bos: Any,
    choch: Any,
    levels: Any,
    broken: Any,
) -> None:
    """Write the broken patterns at the bar of their second swing.

    A pattern that breaks no later than an earlier one removes it, BrokenIndex stays; one that
    never breaks is not written. `kept` is a stack of surviving rows, breaks rising.
    """
    places = np.zeros(4, np.int64)
    seen = 0
    count = 0
    for i in range(len(sides)):
        if np.isnan(sides[i]):
            continue
        places[seen & 3] = i
        seen += 1
        if seen < 4:
            continue
        p1, p2, p3 = places[seen & 3], places[(seen + 1) & 3], places[(seen + 2) & 3]
        side = 1 if sides[i] > 0 else -1
        if sides[p3] != -side or sides[p2] != side or sides[p1] != -side:
            continue
        b = swing_levels[p2]
        kind = _pattern(side, swing_levels[p1], b, swing_levels[p3], swing_levels[i])
        level = rounded(b, narrow)
        if kind == 0 or level == 0.0:
            continue
        j = _first_beyond(side, up if side > 0 else down, p2 + 2, level)
        if j == 0:
            continue
        while count > 0 and broken[kept[count - 1]] >= j:
            count -= 1
            bos[kept[count]] = choch[kept[count]] = levels[kept[count]] = np.nan
        kept[count] = p2
        count += 1
        if kind == BOS:
            bos[p2] = side
        else:
            choch[p2] = side
        levels[p2] = level
        broken[p2] = j


def bos_choch(
    ohlc: pd.DataFrame,
    swing_highs_lows: pd.DataFrame,
    close_break: bool = True,
    *,
    narrow: bool = True,
) -> pd.DataFrame:
    """Return the peer's breaks: BOS, CHOCH (+1, -1), Level, BrokenIndex.

    Rows stand at the second of four swings and are known when the fourth is confirmed, most of
    them after BrokenIndex: trading at BrokenIndex is look-ahead.

    Parameters
    ----------
    narrow : bool
        Compare with levels rounded to float32, as the peer does.
    """
    up = column(ohlc, "close" if close_break else "high")
    down = column(ohlc, "close" if close_break else "low")
    rows = len(up)
    sides = column(swing_highs_lows, "highlow")
    swing_levels = column(swing_highs_lows, "level")
    bos, choch, levels, broken = blank(rows), blank(rows), blank(rows), blank(rows)
    kept = np.empty(rows, np.int64)
    mark_structure(sides, swing_levels, up, down, narrow, kept, bos, choch, levels, broken)
    return table(BOS=bos, CHOCH=choch, Level=levels, BrokenIndex=broken)
