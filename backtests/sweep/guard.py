"""The guard of a compiled run: `risk.guard` and its rules, for one plan alone on its account.

The arithmetic is `risk.arithmetic`, which the rules' classes call too. Rules of time depend on the
bar alone: their answers are asked of the classes once and stand in arrays.
"""

from __future__ import annotations

from math import inf, isnan
from typing import Any

from backtests.sweep.records import (
    BY_COLLAR,
    BY_CONSISTENCY,
    BY_DAILY,
    BY_NO_STOP,
    BY_OPEN_RISK,
    BY_POSITION,
    BY_RATE,
    BY_TRADE_RISK,
    BY_TRADES,
    BY_TRAIL,
    BY_WRONG_STOP,
    DAILY_LOCK,
    LOCKS,
    LOSSES_LOCK,
    PASSED,
    TRADES_LOCK,
    TRAIL_LOCK,
)
from core.compile import inner
from core.ports import BREACH_NONE, BREACH_TRAIL
from risk.arithmetic import (
    MINUTE_NS,
    distance_pct,
    exceeds,
    falls_short,
    floor_of_day,
    floor_of_trail,
    has_fallen,
    has_lost,
    has_won,
    is_collared,
    least_limit,
    stop_risk,
)
from risk.trades import book_fill

FOREVER = 2**31 - 1


@inner
def has_daily(rules: Any) -> bool:
    """Say whether the day's loss is limited."""
    return not (isnan(rules.daily_money) and isnan(rules.daily_percent))


@inner
def has_trail(rules: Any) -> bool:
    """Say whether the drawdown is limited."""
    return not isnan(rules.trail_amount)


@inner
def day_base(rules: Any, guard: Any) -> float:
    """Return what the day's loss is measured from."""
    return float(guard.day_balance if rules.on_balance != 0 else guard.day_equity)


@inner
def day_limit(rules: Any, guard: Any) -> float:
    """Return the loss allowed today."""
    base = day_base(rules, guard)
    return float(least_limit(rules.daily_money, rules.daily_percent, base))


@inner
def write_floors(rules: Any, guard: Any, limits: Any) -> None:
    """Write the floors in force (`risk.floors.write_floors`)."""
    limits.day_floor = -inf
    if has_daily(rules) and guard.locked_until[DAILY_LOCK] == 0:
        limits.day_floor = floor_of_day(day_base(rules, guard), day_limit(rules, guard))
    if not has_trail(rules) or guard.locked_until[TRAIL_LOCK] != 0:
        limits.trail_floor = -inf
        limits.trail_intraday = 0
        return
    limits.trail_floor = floor_of_trail(guard.peak, rules.trail_amount, guard.lock_level)
    limits.trail_amount = rules.trail_amount
    limits.trail_lock = guard.lock_level
    limits.trail_peak = guard.peak
    limits.trail_intraday = rules.trail_intraday


@inner
def start(cash: float, rules: Any, guard: Any, limits: Any) -> None:
    """Begin a run, flat; the guard's record is zeroed."""
    guard.day = -1
    guard.start_equity = cash
    guard.day_equity = cash
    guard.day_balance = cash
    guard.peak = cash
    guard.lock_level = inf if isnan(rules.lock_offset) else cash + rules.lock_offset
    guard.last_entry = -1
    write_floors(rules, guard, limits)


@inner
def is_locked_whole(rules: Any, guard: Any) -> bool:
    """Say whether a lock holds for the account: the engine then cancels working entries."""
    for k in range(LOCKS):
        if guard.locked_until[k] != 0 and not (k >= TRADES_LOCK and rules.of_plan != 0):
            return True
    return False


@inner
def is_locked(guard: Any) -> bool:
    """Say whether a loss limit was met, as strategies are told (`Guard.locked`)."""
    return bool(guard.locked_until[DAILY_LOCK] != 0 or guard.locked_until[TRAIL_LOCK] != 0)


@inner
def lock(which: int, until_day: int, guard: Any) -> None:
    """Refuse entries until a trading day begins; a lock in force is left as it is."""
    if guard.locked_until[which] == 0:
        guard.locked_until[which] = until_day
        guard.lock_count += 1
        guard.locked_as[which] = guard.lock_count


@inner
def begin_day(day: int, equity: float, balance: float, rules: Any, guard: Any, limits: Any) -> None:
    """Begin a trading day: lift the locks that end with it, set the new floors."""
    limits.low_equity = equity
    if has_trail(rules) and rules.trail_intraday != 0:
        guard.peak = max(guard.peak, limits.trail_peak)
    guard.day = day
    guard.day_equity = equity
    guard.day_balance = balance
    guard.entries = 0
    guard.losses = 0
    guard.last_entry = -1
    for k in range(LOCKS):
        if guard.locked_until[k] != 0 and guard.locked_until[k] <= day:
            guard.locked_until[k] = 0
    if has_trail(rules):
        guard.peak = max(guard.peak, equity if rules.trail_intraday != 0 else balance)
    write_floors(rules, guard, limits)


@inner
def on_fill(
    order_id: int,
    enters: bool,
    signed: float,
    price: float,
    costs: float,
    point_value: float,
    rules: Any,
    guard: Any,
) -> None:
    """Count a fill; a limit it uses up locks the rest of the day."""
    if rules.any == 0:
        return
    pnl = book_fill(guard.tracked, signed, price, costs, point_value)
    if enters and order_id != guard.last_entry:
        guard.last_entry = order_id
        guard.entries += 1
    if not isnan(pnl):
        guard.losses = guard.losses + 1 if pnl < 0.0 else 0
    if rules.max_trades > 0 and guard.entries >= rules.max_trades:
        lock(TRADES_LOCK, guard.day + 1, guard)
    if rules.max_losses > 0 and guard.losses >= rules.max_losses:
        lock(LOSSES_LOCK, guard.day + 1, guard)


@inner
def on_breach(rules: Any, guard: Any, limits: Any) -> None:
    """Lock after the engine met a floor, cancelled and flattened."""
    if limits.breach == BREACH_TRAIL:
        lock(TRAIL_LOCK, FOREVER, guard)
    else:
        lock(DAILY_LOCK, guard.day + 1, guard)
    limits.breach = BREACH_NONE
    write_floors(rules, guard, limits)


@inner
def lock_refusal(guard: Any) -> int:
    """Return the refusal of the oldest lock in force, PASSED without one."""
    oldest = -1
    for k in range(LOCKS):
        if guard.locked_until[k] != 0 and (
            oldest < 0 or guard.locked_as[k] < guard.locked_as[oldest]
        ):
            oldest = k
    return PASSED if oldest < 0 else BY_DAILY + oldest


@inner
def loss_refusal(equity: float, rules: Any, guard: Any) -> int:
    """Judge an entry by what was lost and won (the rules before those of time)."""
    if has_daily(rules) and has_lost(day_base(rules, guard), equity, day_limit(rules, guard)):
        return BY_DAILY
    if has_trail(rules) and has_fallen(
        equity, floor_of_trail(guard.peak, rules.trail_amount, guard.lock_level)
    ):
        return BY_TRAIL
    if rules.max_trades > 0 and guard.entries + 1 > rules.max_trades:
        return BY_TRADES
    if not isnan(rules.consistency) and has_won(guard.day_equity, equity, rules.consistency):
        return BY_CONSISTENCY
    return PASSED


@inner
def recent_orders(now: int, guard: Any) -> int:
    """Return the orders sent in the last 60 s."""
    total = 0
    size = len(guard.sent_at)
    for back in range(min(guard.sent_count, size)):
        slot = (guard.sent_count - 1 - back) % size
        if guard.sent_at[slot] <= now - MINUTE_NS:
            break
        total += guard.sent_orders[slot]
    return total


@inner
def on_sent(now: int, orders: int, guard: Any) -> None:
    """Note a group of orders handed to the broker."""
    slot = guard.sent_count % len(guard.sent_at)
    guard.sent_at[slot] = now
    guard.sent_orders[slot] = orders
    guard.sent_count += 1


@inner
def size_refusal(
    quantity: float,
    entry: float,
    limit_price: float,
    stop: float,
    side: int,
    last: float,
    point_value: float,
    orders: int,
    now: int,
    equity: float,
    rules: Any,
    guard: Any,
) -> int:
    """Judge an entry by its size, its price and the rate of orders, flat and nothing at work.

    Parameters
    ----------
    entry : price the entry may fill at. limit_price : its price, nan for a market order.
    last : last close. orders : of its group. now : ns UTC.
    """
    risk = stop_risk(entry, stop, side)
    limit = least_limit(rules.trade_money, rules.trade_percent, equity)
    if limit == limit:
        if isnan(stop):
            return BY_NO_STOP
        if risk <= 0.0:
            return BY_WRONG_STOP
        if exceeds(risk * quantity * point_value, limit):
            return BY_TRADE_RISK
    if not isnan(rules.min_quantity) and falls_short(quantity * rules.weight, rules.min_quantity):
        return BY_POSITION
    if not isnan(rules.max_quantity) and exceeds(quantity * rules.weight, rules.max_quantity):
        return BY_POSITION
    limit = least_limit(rules.open_money, rules.open_percent, equity)
    if limit == limit and exceeds(max(risk, 0.0) * quantity * point_value, limit):
        return BY_OPEN_RISK
    if not (isnan(rules.collar) or isnan(limit_price)) and is_collared(
        distance_pct(limit_price, last), rules.collar
    ):
        return BY_COLLAR
    if rules.order_rate > 0 and recent_orders(now, guard) + orders > rules.order_rate:
        return BY_RATE
    return PASSED
