"""Decisions of the management layer as pure kernels: take a setup or not, keep an order or not.

They know no strategy, order object or mode: a Backtrader run calls them from `base.py`, a
compiled sweep calls the same ones from its own loop.
"""

from __future__ import annotations

from typing import Any

from core.compile import kernel
from core.prices import round_down, round_up
from strategies.words import (
    BLOCK_DXY,
    BLOCK_TREND,
    BUSY,
    CHOCH,
    CLOSE_BEYOND_S,
    DXY,
    KEEP,
    LOCKED,
    LOSSES,
    MAX_TRADES,
    ORDER_BARS,
    SPECIAL_DAY,
    TAKEN,
    TARGET_FIRST,
    TREND,
)

MINUTES_A_DAY = 1440


@kernel
def refusal(
    is_busy: bool,
    is_locked: bool,
    trades_today: int,
    max_trades: int,
    losses_in_row: int,
    max_losses: int,
    time_code: int,
    is_special: bool,
    blocked: int,
) -> int:
    """Return why a setup is not taken, or TAKEN; the order of the tests is the order of the text.

    Parameters
    ----------
    is_busy : a position is open or an entry works.
    is_locked : the guard has locked entries.
    trades_today, max_trades : filled entries of this trading day; 0 allowed = no limit.
    losses_in_row, max_losses : losing trades in a row today; 0 allowed = no limit.
    time_code : TIME or WINDOW if the bar's END lies where no entry may be made, else 0.
    is_special : the session is a special one and the strategy keeps out of those.
    blocked : bits of the failing filters of the setup's side (BLOCK_TREND, BLOCK_DXY).
    """
    if is_busy:
        return BUSY
    if is_locked:
        return LOCKED
    if max_trades > 0 and trades_today >= max_trades:
        return MAX_TRADES
    if max_losses > 0 and losses_in_row >= max_losses:
        return LOSSES
    if time_code != TAKEN:
        return time_code
    if is_special:
        return SPECIAL_DAY
    if blocked & BLOCK_TREND:
        return TREND
    if blocked & BLOCK_DXY:
        return DXY
    return TAKEN


@kernel
def withdrawal(
    bar: Any,
    direction: int,
    target: float,
    sweep_extreme: float,
    bars_working: int,
    order_bars: int,
    choch: int,
    time_code: int,
) -> int:
    """Return why a working entry is withdrawn at the close of this bar, or KEEP.

    Parameters
    ----------
    bar : BAR record, the bar just closed; the order could fill in it and did not.
    target : price whose touch makes the entry pointless.
    sweep_extreme : S; a close beyond it ends the idea.
    bars_working, order_bars : bars the order has worked, and may work (0: no end).
    choch : side of a change of character at this bar (+1, -1), 0 none or not looked at.
    time_code : cancel code if the bar's END lies where no entry may work, else 0.
    """
    if order_bars > 0 and bars_working >= order_bars:
        return ORDER_BARS
    if direction > 0:
        if bar.high >= target:
            return TARGET_FIRST
        if choch < 0:
            return CHOCH
        if bar.close < sweep_extreme:
            return CLOSE_BEYOND_S
    else:
        if bar.low <= target:
            return TARGET_FIRST
        if choch > 0:
            return CHOCH
        if bar.close > sweep_extreme:
            return CLOSE_BEYOND_S
    return time_code if time_code != KEEP else KEEP


@kernel
def near_kill_zone(end_minute: int, zones: Any, grace_minutes: int) -> bool:
    """Tell whether a bar's END lies in [start, end + grace] of some kill zone.

    Parameters
    ----------
    end_minute : minute of the local day of the bar's END.
    zones : ndarray of int, shape (k, 2); start and end minutes, over midnight if end <= start;
        rows of -1 are unused.
    grace_minutes : how long after a zone an order may still work, both ends included.
    """
    for i in range(zones.shape[0]):
        if zones[i, 0] < 0:
            continue
        length = (zones[i, 1] - zones[i, 0]) % MINUTES_A_DAY
        since = (end_minute - zones[i, 0]) % MINUTES_A_DAY
        if since <= length + grace_minutes:
            return True
    return False


@kernel
def rounded_target(entry: float, direction: int, distance: float, tick: float) -> float:
    """Return the target a distance beyond the entry, rounded toward the entry."""
    if direction > 0:
        return round_down(entry + distance, tick)
    return round_up(entry - distance, tick)


@kernel
def rounded_stop(price: float, direction: int, tick: float) -> float:
    """Return a stop rounded away from the entry: down for longs, up for shorts."""
    if direction > 0:
        return round_down(price, tick)
    return round_up(price, tick)


@kernel
def rounded_limit(price: float, direction: int, tick: float) -> float:
    """Return an entry limit rounded to its better side: down for buys, up for sells."""
    if direction > 0:
        return round_down(price, tick)
    return round_up(price, tick)
