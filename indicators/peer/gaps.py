"""Peer fair value gaps, alone or joined, with the bar that first touches each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel
from indicators.peer.columns import blank, column, table

if TYPE_CHECKING:
    import pandas as pd


@inlined
def _write(m: int, side: int, top: float, bottom: float, ledger: tuple[Any, ...]) -> None:
    sides, tops, bottoms, touched = ledger
    sides[m] = side
    tops[m] = top
    bottoms[m] = bottom
    touched[m] = 0


@inlined
def _blank(m: int, ledger: tuple[Any, ...]) -> None:
    sides, tops, bottoms, touched = ledger
    sides[m] = tops[m] = bottoms[m] = touched[m] = np.nan


@inlined
def _touch(sign: int, reach: float, t: int, edges: Any, rows: Any, count: int, touched: Any) -> int:
    """Write bar t as the touch of every waiting gap it reaches; return how many still wait."""
    while count > 0 and sign * reach <= sign * edges[rows[count - 1]]:
        count -= 1
        touched[rows[count]] = t
    return count


@kernel
def mark_gaps(
    open_: Any,
    high: Any,
    low: Any,
    close: Any,
    join: bool,
    waiting: Any,
    ledger: tuple[Any, Any, Any, Any],
) -> None:
    """Write every gap at its middle bar, and the bar of its first touch (0 never).

    Parameters
    ----------
    waiting : ndarray of int64, shape (2, n)
        Gaps of each side in a stack, nearest to the market on top: a new gap's edge is the
        current low (high), beyond which every untouched older one lies. So a bar looks only at
        what it touches, and mostly at no more than the nearest edge.
    ledger : sides, tops, bottoms, touched; ndarrays of float64, shape (n,), NaN
    """
    tops, bottoms, touched = ledger[1], ledger[2], ledger[3]
    ups = downs = before = 0
    up_edge, down_edge = -np.inf, np.inf
    for t in range(2, len(high)):
        m = t - 1
        side = 0
        if high[t - 2] < low[t]:
            side = 1 if close[m] > open_[m] else 0
        elif low[t - 2] > high[t]:
            side = -1 if close[m] < open_[m] else 0
        joined = join and side != 0 and side == before
        if joined:  # the gap of the bar before stands on top and is withdrawn
            if side > 0:
                ups -= 1
            else:
                downs -= 1
        if low[t] <= up_edge or joined:
            ups = _touch(1, low[t], t, tops, waiting[0], ups, touched)
            up_edge = tops[waiting[0, ups - 1]] if ups > 0 else -np.inf
        if high[t] >= down_edge or joined:
            downs = _touch(-1, high[t], t, bottoms, waiting[1], downs, touched)
            down_edge = bottoms[waiting[1, downs - 1]] if downs > 0 else np.inf
        before = side
        if side == 0:
            continue
        top = low[t] if side > 0 else low[t - 2]
        bottom = high[t - 2] if side > 0 else high[t]
        if joined:
            top, bottom = max(top, tops[m - 1]), min(bottom, bottoms[m - 1])
            _blank(m - 1, ledger)
        _write(m, side, top, bottom, ledger)
        if side > 0:
            waiting[0, ups] = m
            ups += 1
            up_edge = top
        else:
            waiting[1, downs] = m
            downs += 1
            down_edge = bottom


def fvg(ohlc: pd.DataFrame, join_consecutive: bool = False) -> pd.DataFrame:
    """Return the peer's gaps: FVG (+1, -1), Top, Bottom, MitigatedIndex (0 never touched).

    Row m is known at m + 1 and its mitigation at that bar; a joined gap is withdrawn when its
    successor becomes known.
    """
    open_, high, low, close = (column(ohlc, name) for name in ("open", "high", "low", "close"))
    rows = len(open_)
    ledger = (blank(rows), blank(rows), blank(rows), blank(rows))
    mark_gaps(open_, high, low, close, join_consecutive, np.empty((2, rows), np.int64), ledger)
    names = ("FVG", "Top", "Bottom", "MitigatedIndex")
    return table(**dict(zip(names, ledger, strict=True)))
