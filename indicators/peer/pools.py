"""Peer liquidity: groups of swings within a tolerance, and the bar that sweeps each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel
from indicators.peer.columns import blank, column, table

if TYPE_CHECKING:
    import pandas as pd


@kernel
def _seek(sign: int, level: float, tolerance: float, firsts: Any, open_: Any, count: int) -> int:
    """Return the place of the oldest open group the level may join, -1 if none."""
    found = -1
    for place in range(count - 1, -1, -1):
        first = firsts[open_[place]]
        if sign * first > sign * level and not _within(level, first, tolerance):
            break
        if _within(level, first, tolerance):
            found = place
    return found


@kernel
def _within(level: float, first: float, tolerance: float) -> bool:
    return first - tolerance <= level and level <= first + tolerance


@kernel
def mark_pools(
    sign: int,
    prices: Any,
    sides: Any,
    swing_levels: Any,
    tolerance: float,
    work: tuple[Any, Any, Any, Any],
    ledger: tuple[Any, Any, Any, Any],
) -> None:
    """Write one side's groups at their first member.

    Parameters
    ----------
    sign : int
        +1 for groups of highs, -1 for lows.
    prices : ndarray of float64, shape (n,)
        Highs (lows).
    work : places, first levels, sums, member counts; ndarrays of shape (n,)
        Open groups stand in a stack, the nearest to the market on top: no group opens within
        tolerance of an open one, and those the market went beyond are closed.
    ledger : sides, levels, ends, swept; NaN where there is no group, swept 0 for never.
    """
    open_, firsts, sums, members = work
    kinds, levels, ends, swept = ledger
    count = 0
    for t in range(len(prices)):
        while count > 0:
            i = open_[count - 1]
            if not sign * prices[t] >= sign * (firsts[i] + sign * tolerance):
                break
            count -= 1
            if members[i] > 1:
                swept[i] = t
        if sides[t] != sign:
            continue
        level = swing_levels[t]
        place = _seek(sign, level, tolerance, firsts, open_, count)
        if place < 0:
            open_[count] = t
            count += 1
            firsts[t] = sums[t] = level
            members[t] = 1
            continue
        i = open_[place]
        sums[i] += level
        members[i] += 1
        kinds[i] = sign
        levels[i] = sums[i] / members[i]
        ends[i] = t
        swept[i] = 0


def liquidity(
    ohlc: pd.DataFrame,
    swing_highs_lows: pd.DataFrame,
    range_percent: float = 0.01,
    *,
    tolerance: float | None = None,
) -> pd.DataFrame:
    """Return the peer's pools: Liquidity (+1, -1), Level, End, Swept (0 never).

    A row stands at the first member; it is known when the second is confirmed, and Level and End
    change afterwards.

    Parameters
    ----------
    range_percent : float
        Tolerance as a share of the file's whole range, which looks ahead.
    tolerance : float, optional
        The tolerance itself in price units, instead.
    """
    high, low = column(ohlc, "high"), column(ohlc, "low")
    rows = len(high)
    if tolerance is None:
        tolerance = float(high.max() - low.min()) * range_percent
    sides = column(swing_highs_lows, "highlow")
    swing_levels = column(swing_highs_lows, "level")
    ledger = (blank(rows), blank(rows), blank(rows), blank(rows))
    work = (np.empty(rows, np.int64), np.empty(rows), np.empty(rows), np.empty(rows, np.int64))
    mark_pools(1, high, sides, swing_levels, tolerance, work, ledger)
    mark_pools(-1, low, sides, swing_levels, tolerance, work, ledger)
    names = ("Liquidity", "Level", "End", "Swept")
    return table(**dict(zip(names, ledger, strict=True)))
