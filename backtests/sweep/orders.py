"""Orders of a compiled run: sending a setup's bracket, withdrawing it, moving its stop.

What a Backtrader run does through `strategies.bracket`, the guard and `core.matching.book`.
"""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from core.bars import NEVER_NS
from core.compile import inner
from core.costs import charge
from core.matching.bar import drop_ended, start_events
from core.matching.book import price_on_tick
from core.matching.brackets import end_tree, slot_of
from core.matching.floors import cancel_all
from core.matching.records import (
    ASKED,
    CANCEL_EVENT,
    DAY,
    ENTRY,
    EXIT,
    GTC,
    LIMIT_ORDER,
    MARKET_ORDER,
    REQUESTED_FLAT,
    STOP,
    STOP_ORDER,
    TARGET,
    WAITING,
    WORKING,
)
from core.orders import StopRuleKind
from core.prices import steps_to_quantity
from core.setups import LIMIT_SETUP, MARKET_SETUP
from strategies.exits import break_even_offset, split_steps, stop_after
from strategies.management import rounded_target

_BREAK_EVEN = int(StopRuleKind.BREAK_EVEN)
_FIXED = int(StopRuleKind.FIXED)


@inner
def put(
    order_id: int,
    side: int,
    kind: int,
    role: int,
    steps: int,
    price: float,
    books: Any,
    orders: Any,
) -> Any:
    """Append an order slot with what every order has, and return its record."""
    k = books[0].count
    if k >= orders.shape[1]:
        raise ValueError("no room for another order")
    books[0].count = k + 1
    order = orders[0, k]
    order.order_id = order_id
    order.parent = 0
    order.oco = 0
    order.expires = NEVER_NS
    order.flat_at = NEVER_NS
    order.quantity = steps
    order.filled = 0
    order.open_steps = 0
    order.price = price
    order.limit = nan
    order.trail_amount = 0.0
    order.trail_percent = 0.0
    order.stop_to = nan
    order.day = -1
    order.status = WORKING
    order.side = side
    order.kind = kind
    order.role = role
    order.tif = GTC
    order.day_only = 0
    order.triggered = 0
    order.reduces = 0
    order.has_children = 0
    return order


@inner
def plan_legs(setup: Any, quantity: float, target: float, tick: float, lot: float, terms: Any,
              parts: Any, prices: Any, stops: Any) -> int:  # fmt: skip
    """Write the exit legs of a setup (`strategies.exits.plan_exit`); return how many there are.

    parts : lot steps of each, 0 where the position is too small for it. stops : where the stop
    moves when the leg fills, nan to leave it.
    """
    if terms.legs == 0:
        if isnan(target):
            return 0
        prices[0] = target
        stops[0] = nan
        split_steps(quantity, terms.share, 1, lot, parts)
        return 1
    direction = setup.direction
    risk = abs(setup.entry - setup.stop)
    for k in range(terms.legs):
        prices[k] = rounded_target(setup.entry, direction, terms.at_r[k] * risk, tick)
        stops[k] = nan
        if not isnan(terms.stop_to_r[k]):
            stops[k] = rounded_target(setup.entry, direction, terms.stop_to_r[k] * risk, tick)
    split_steps(quantity, terms.share, terms.legs, lot, parts)
    return int(terms.legs)


@inner
def send(
    i: int,
    bar: Any,
    setup: Any,
    target: float,
    steps: int,
    legs: int,
    terms: Any,
    market: Any,
    parts: Any,
    prices: Any,
    stops: Any,
    books: Any,
    orders: Any,
    run: Any,
) -> None:
    """Put a setup's entry, its stop for the whole and a limit for each leg of at least one lot."""
    side = int(setup.direction)
    tick = market.tick
    kind, price = MARKET_ORDER, nan
    if setup.kind != MARKET_SETUP:
        kind = LIMIT_ORDER if setup.kind == LIMIT_SETUP else STOP_ORDER
        price = price_on_tick(setup.entry, kind, ENTRY, side, tick)
    bracket = run.bracket
    entry_id = run.next_id
    entry = put(entry_id, side, kind, ENTRY, steps, price, books, orders)
    entry.day = bar.day
    entry.has_children = 1
    if terms.day_orders != 0:
        entry.tif = DAY
        entry.day_only = 1
        entry.flat_at = bar.flat_at
    stop_price = price_on_tick(setup.stop, STOP_ORDER, STOP, -side, tick)
    stop = put(entry_id + 1, -side, STOP_ORDER, STOP, steps, stop_price, books, orders)
    stop.parent = entry_id
    stop.status = WAITING
    last_id = entry_id + 1
    planned_target = nan
    for k in range(legs):
        if parts[k] <= 0:
            continue
        last_id += 1
        price = price_on_tick(prices[k], LIMIT_ORDER, TARGET, -side, tick)
        leg = put(last_id, -side, LIMIT_ORDER, TARGET, parts[k], price, books, orders)
        leg.parent = entry_id
        leg.status = WAITING
        leg.stop_to = price_on_tick(stops[k], STOP_ORDER, STOP, -side, tick)
        planned_target = prices[k]
    run.next_id = last_id + 1
    bracket.entry_id = entry_id
    bracket.stop_id = entry_id + 1
    bracket.last_id = last_id
    bracket.exit_id = -1
    bracket.direction = side
    bracket.pattern = setup.pattern
    bracket.sent_at = i
    bracket.order_bars = 0 if setup.kind == MARKET_SETUP else terms.order_bars
    bracket.planned_entry = setup.entry
    bracket.planned_stop = setup.stop
    bracket.planned_target = planned_target
    bracket.target = target
    bracket.risk = setup.risk
    bracket.sweep_extreme = setup.sweep_extreme
    bracket.offset = cost_offset(setup.entry, steps, terms, market)
    bracket.entry_size = 0.0
    bracket.entry_price = 0.0
    bracket.at_work = 1
    bracket.filled = 0
    bracket.leaving = 0


@inner
def cost_offset(entry: float, steps: int, terms: Any, market: Any) -> float:
    """Return how far beyond the entry a break-even stop pays a round trip's costs."""
    if terms.stop_kind != _BREAK_EVEN or terms.pays_costs == 0:
        return 0.0
    quantity = float(steps_to_quantity(steps, market.lot))
    worth = market.multiplier
    paid = charge(market.cost, True, quantity, entry, worth)
    paid += charge(market.cost, False, quantity, entry, worth)
    return float(break_even_offset(paid, quantity, worth, market.tick))


@inner
def withdraw(order_id: int, books: Any, orders: Any, events: Any) -> None:
    """Cancel a working or waiting order, as `Book.cancel` does."""
    start_events(books)
    k = slot_of(order_id, books[0], orders[0])
    if k >= 0 and (orders[0, k].status == WORKING or orders[0, k].status == WAITING):
        end_tree(k, CANCEL_EVENT, ASKED, books[0], orders[0], events[0])
    drop_ended(books[0], orders[0])


@inner
def leave_opposite(day: int, books: Any, orders: Any, events: Any, run: Any) -> None:
    """Cancel the children and close the position at the next open."""
    bracket = run.bracket
    for order_id in range(bracket.stop_id, bracket.last_id + 1):
        withdraw(order_id, books, orders, events)
    side = -1 if books[0].steps > 0 else 1
    order = put(run.next_id, side, MARKET_ORDER, EXIT, abs(books[0].steps), nan, books, orders)
    order.day = day
    order.reduces = 1
    bracket.exit_id = run.next_id
    bracket.leaving = 1
    run.next_id += 1


@inner
def flatten(books: Any, orders: Any, events: Any) -> int:
    """End every order; the position closes at the next price (`Book.flatten`)."""
    start_events(books)
    cancel_all(REQUESTED_FLAT, books[0], orders[0], events[0])
    if books[0].steps != 0:
        books[0].closing = REQUESTED_FLAT
    count = int(books[0].events)
    drop_ended(books[0], orders[0])
    return count


@inner
def move_stop(
    bar: Any,
    facts: Any,
    average: float,
    terms: Any,
    tick: float,
    books: Any,
    orders: Any,
    run: Any,
) -> bool:
    """Apply the stop rule of the open position at this close; say whether the stop moved."""
    bracket = run.bracket
    k = slot_of(bracket.stop_id, books[0], orders[0])
    if k < 0 or not (orders[0, k].status == WORKING or orders[0, k].status == WAITING):
        return False
    stop = orders[0, k]
    swing, block = facts.swing_low, facts.block_low
    if bracket.direction < 0:
        swing, block = facts.swing_high, facts.block_high
    price = stop_after(
        terms.stop_kind,
        terms.stop_trigger_r,
        terms.stop_distance,
        bracket.offset,
        bracket.direction,
        bracket.entry_price,
        bracket.risk,
        stop.price,
        bar.close,
        average,
        swing,
        block,
        tick,
    )
    if price == stop.price:
        return False
    stop.price = price_on_tick(price, STOP_ORDER, STOP, stop.side, tick)
    return True


@inner
def tighten(price: float, tick: float, books: Any, orders: Any, run: Any) -> None:
    """Halve the stop's distance from a price (a rule about news)."""
    bracket = run.bracket
    if bracket.filled == 0:
        return
    k = slot_of(bracket.stop_id, books[0], orders[0])
    # By Backtrader's rules it waits for the bar after the entry's, and moves all the same.
    if k < 0 or not (orders[0, k].status == WORKING or orders[0, k].status == WAITING):
        return
    stop = orders[0, k]
    level = (price + stop.price) / 2.0
    # A stop that buys lies above the price: it moves down, and is rounded up.
    level = price_on_tick(level, STOP_ORDER, STOP, stop.side, tick)
    if (level - stop.price) * stop.side < 0.0:
        stop.price = level
