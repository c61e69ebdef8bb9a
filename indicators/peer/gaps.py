"""Peer fair value gaps, alone or joined, with the bar that first touches each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.compile import kernel
from indicators.peer.columns import blank, column, table


@kernel
def _gap_side(open_: Any, high: Any, low: Any, close: Any, t: int) -> int:
    """Return the side of the gap whose middle bar is t - 1, 0 if there is none."""
    if high[t - 2] < low[t] and close[t - 1] > open_[t - 1]:
        return 1
    if low[t - 2] > high[t] and close[t - 1] < open_[t - 1]:
        return -1
    return 0


@kernel
def _touch(
    sign: int, reach: float, t: int, edges: Any, waiting: Any, count: int, touched: Any
) -> int:
    """Write bar t as the touch of every waiting gap it reaches; return how many still wait."""
    while count > 0 and sign * reach <= sign * edges[waiting[count - 1]]:
        count -= 1
        touched[waiting[count]] = t
    return count


@kernel
def mark_gaps(
    open_: Any,
    high: Any,
    low: Any,
    close: Any,
    join: bool,
    waiting: Any,
    sides: Any,
    tops: Any,
    bottoms: Any,
    touched: Any,
) -> None:
    """Write every gap at its middle bar, and the bar of its first touch (0 never).

    Gaps wait in two stacks, nearest to the market on top: a new gap's edge is the current low
    (high), beyond which every untouched older one lies. So a bar looks only at what it touches.
    """
    ups = downs = 0
    before = 0
    for t in range(2, len(high)):
        m = t - 1
        side = _gap_side(open_, high, low, close, t)
        joined = join and side != 0 and side == before
        if joined and side > 0 and ups > 0 and waiting[0, ups - 1] == m - 1:
            ups -= 1
        if joined and side < 0 and downs > 0 and waiting[1, downs - 1] == m - 1:
            downs -= 1
        ups = _touch(1, low[t], t, tops, waiting[0], ups, touched)
        downs = _touch(-1, high[t], t, bottoms, waiting[1], downs, touched)
        before = side
        if side == 0:
            continue
        sides[m] = side
        touched[m] = 0
        tops[m] = low[t] if side > 0 else low[t - 2]
        bottoms[m] = high[t - 2] if side > 0 else high[t]
        if joined:
            tops[m] = max(tops[m], tops[m - 1])
            bottoms[m] = min(bottoms[m], bottoms[m - 1])
            sides[m - 1] = tops[m - 1] = bottoms[m - 1] = touched[m - 1] = np.nan
        if side > 0:
            waiting[0, ups] = m
            ups += 1
        else:
            waiting[1, downs] = m
            downs += 1


def fvg(ohlc: pd.DataFrame, join_consecutive: bool = False) -> pd.DataFrame:
    """Return the peer's gaps: FVG (+1, -1), Top, Bottom, MitigatedIndex (0 never touched).

    Row m is known at m + 1 and its mitigation at that bar; a joined gap is withdrawn when its
    successor becomes known.
    """
    open_, high, low, close = (column(ohlc, name) for name in ("open", "high", "low", "close"))
    rows = len(open_)
    sides, tops, bottoms, touched = blank(rows), blank(rows), blank(rows), blank(rows)
    waiting = np.empty((2, rows), np.int64)
    lists = (waiting, sides, tops, bottoms, touched)
    mark_gaps(open_, high, low, close, join_consecutive, *lists)
    return table(FVG=sides, Top=tops, Bottom=bottoms, MitigatedIndex=touched)
