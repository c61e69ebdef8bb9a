"""Peer order blocks: the extreme bar before a break, erased once broken and run over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel
from indicators.peer.columns import blank, column, rounded, table, volume

if TYPE_CHECKING:
    import pandas as pd


@kernel
def last_swings(sides: Any, sign: int, active: Any) -> None:
    """Write for each bar the last swing row of one side that lies before it, -1 if none."""
    last = -1
    for t in range(len(sides)):
        active[t] = last
        if sides[t] == sign:
            last = t


@inlined
def _insert(rows: Any, count: int, keys: Any, sign: int, row: int) -> int:
    """Insert a row so that sign * keys rises; the next to be reached stands last."""
    place = count
    while place > 0 and sign * keys[rows[place - 1]] > sign * keys[row]:
        rows[place] = rows[place - 1]
        place -= 1
    rows[place] = row
    return count + 1


@inlined
def _origin(sign: int, extreme: Any, p: int, t: int) -> int:
    """Return the bar of the lowest low (highest high) in p + 1 .. t - 1, ties the last."""
    k = t - 1
    for j in range(t - 2, p, -1):
        if sign * extreme[j] < sign * extreme[k]:
            k = j
    return k


@kernel
def mark_blocks(
    sign: int,
    prices: tuple[Any, Any, Any, Any, Any],
    active: Any,
    by_close: bool,
    narrow: bool,
    work: Any,
    flags: Any,
    ledger: tuple[Any, Any, Any, Any, Any, Any],
    created: Any,
) -> None:
    """Write one side's order blocks at their bars; the bullish side goes first.

    Parameters
    ----------
    sign : int
        +1 bullish, -1 bearish.
    prices : open, high, low, close, volume; each ndarray of float64, shape (n,)
    active : ndarray of int64, shape (n,)
        Row of the swing whose break counts at each bar, -1 none.
    work : ndarray of int64, shape (2, n)
        Queues of rows waiting for their break and for being run over.
    flags : ndarray of int8, shape (3, n), zeros
        Broken (shared by both sides); queued and crossed (zeroed here for this side).
    ledger : sides, tops, bottoms, volumes, mitigated, percentages; NaN where empty.
    created : ndarray of int64, shape (n,) or (0,)
        Row of the block created at each bar, not written if empty.
    """
    open_, high, low, close, _ = prices
    near = ledger[1] if sign > 0 else ledger[2]
    far = ledger[2] if sign > 0 else ledger[1]
    rise, fall = (high, low) if sign > 0 else (low, high)
    flags[1:] = 0
    alive = turned = 0
    next_break, next_run = -np.inf, np.inf
    for t in range(len(close)):
        if sign * rise[t] > next_run:
            turned = _run_over(sign, rise[t], turned, near, work[1], flags[1], ledger)
            next_run = sign * near[work[1, turned - 1]] if turned > 0 else np.inf
        reach = fall[t]
        if by_close:
            reach = min(open_[t], close[t]) if sign > 0 else max(open_[t], close[t])
        is_changed = False
        while alive > 0 and sign * reach < next_break:
            alive -= 1
            k = work[0, alive]
            flags[0, k] = 1
            ledger[4][k] = t - 1 if sign > 0 else t
            turned = _insert(work[1], turned, near, -sign, k)
            next_break = sign * far[work[0, alive - 1]] if alive > 0 else -np.inf
            is_changed = True
        p = active[t]
        if p >= 0 and sign * close[t] > sign * rise[p] and flags[2, p] == 0:
            flags[2, p] = 1
            k = _origin(sign, fall, p, t)
            if len(created) > 0:
                created[t] = k
            _write(sign, t, k, prices, narrow, ledger)
            if flags[1, k] == 0:
                flags[1, k] = 1
                if flags[0, k] == 1:
                    turned = _insert(work[1], turned, near, -sign, k)
                else:
                    alive = _insert(work[0], alive, far, sign, k)
            is_changed = True
        if is_changed:
            next_break = sign * far[work[0, alive - 1]] if alive > 0 else -np.inf
            next_run = sign * near[work[1, turned - 1]] if turned > 0 else np.inf


@kernel
def _run_over(
    sign: int, reach: float, turned: int, near: Any, rows: Any, queued: Any, ledger: tuple[Any, ...]
) -> int:
    """Erase the broken blocks price ran over; return how many are left."""
    sides, tops, bottoms, totals, mitigated, percentages = ledger
    while turned > 0 and sign * reach > sign * near[rows[turned - 1]]:
        turned -= 1
        k = rows[turned]
        queued[k] = 0
        sides[k] = tops[k] = bottoms[k] = totals[k] = mitigated[k] = percentages[k] = np.nan
    return turned


@kernel
def _write(
    sign: int, t: int, k: int, prices: tuple[Any, ...], narrow: bool, ledger: tuple[Any, ...]
) -> None:
    """Write the block of bar k, created by the break at bar t."""
    sides, tops, bottoms, totals, mitigated, percentages = ledger
    sides[k] = sign
    tops[k] = rounded(prices[1][k], narrow)
    bottoms[k] = rounded(prices[2][k], narrow)
    _write_volume(t, prices[4], narrow, k, totals, percentages)
    if np.isnan(mitigated[k]):
        mitigated[k] = 0


@kernel
def _write_volume(t: int, volumes: Any, narrow: bool, k: int, totals: Any, percents: Any) -> None:
    """Write the three bars' volume and the smaller part's percentage of the larger."""
    before = volumes[t - 2] if t >= 2 else 0.0
    recent = rounded(volumes[t] + volumes[t - 1], narrow)
    totals[k] = rounded(volumes[t] + volumes[t - 1] + before, narrow)
    before = rounded(before, narrow)
    largest = max(recent, before)
    percents[k] = 100.0
    if largest != 0.0:
        percents[k] = rounded(rounded(min(recent, before) / largest, narrow) * 100.0, narrow)


def blocks_of(
    ohlc: pd.DataFrame,
    bull_active: Any,
    bear_active: Any,
    close_mitigation: bool,
    narrow: bool,
    created: Any,
) -> pd.DataFrame:
    """Return the ledger of order blocks for given active swings of each bar.

    `created` is an int64 array of shape (2, n), bullish then bearish (see `mark_blocks`), or of
    shape (2, 0).
    """
    named = tuple(column(ohlc, name) for name in ("open", "high", "low", "close"))
    prices = (named[0], named[1], named[2], named[3], volume(ohlc))
    rows = len(prices[0])
    ledger = (blank(rows), blank(rows), blank(rows), blank(rows), blank(rows), blank(rows))
    work = np.empty((2, rows), np.int64)
    flags = np.zeros((3, rows), np.int8)
    for sign, active, log in ((1, bull_active, created[0]), (-1, bear_active, created[1])):
        mark_blocks(sign, prices, active, close_mitigation, narrow, work, flags, ledger, log)
    names = ("OB", "Top", "Bottom", "OBVolume", "MitigatedIndex", "Percentage")
    return table(**dict(zip(names, ledger, strict=True)))


def ob(
    ohlc: pd.DataFrame,
    swing_highs_lows: pd.DataFrame,
    close_mitigation: bool = False,
    *,
    narrow: bool = True,
) -> pd.DataFrame:
    """Return the peer's order blocks: OB, Top, Bottom, OBVolume, MitigatedIndex, Percentage.

    Rows stand at the block's bar and are created at the break; those broken and run over are
    erased, so the table shows survivors only. Bullish MitigatedIndex is one bar early (peer's
    own fault), 0 means not broken.

    Parameters
    ----------
    narrow : bool
        Keep zones and volumes as float32, as the peer does.
    """
    sides = column(swing_highs_lows, "highlow")
    active = np.empty((2, len(sides)), np.int64)
    last_swings(sides, 1, active[0])
    last_swings(sides, -1, active[1])
    none = np.empty((2, 0), np.int64)
    return blocks_of(ohlc, active[0], active[1], close_mitigation, narrow, none)
