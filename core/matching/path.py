"""The path of prices: which order is reached next, and what then happens.

Two primitives serve bars and ticks alike. `jump` moves the price discretely: everything passed
fills at the new price, market orders first, then stops, then limits, older before newer. `move`
walks continuously: orders fill at their own price in the order reached, at one price stop before
limit, older before newer. After each the guard's floors are looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import inner
from core.matching.brackets import close_position, end_tree, fill_order, slot_of
from core.matching.fills import opened_by, slipped
from core.matching.floors import breach_reason, cancel_all, floor_in_force, mark
from core.matching.prices_at import base_price, equity_at, margin_of, on_tick, side_price
from core.matching.records import (
    CANCEL_EVENT,
    IOC,
    LIMIT_ORDER,
    LOCKED,
    MARGIN_EVENT,
    MARKET_ORDER,
    NEW_AT_TRADE,
    NO_MARGIN,
    NOT_AT_ONCE,
    NOTHING_TO_REDUCE,
    STOP_LIMIT_ORDER,
    WORKING,
)
from core.ports import BREACH_DAY, BREACH_TRAIL
from core.prices import TICK_TOLERANCE, round_down, round_up

AS_MARKET, AS_STOP, AS_LIMIT, NOT_REACHED = 0, 1, 2, 9


@inner
def limit_price(order: Any) -> float:
    """Return the price at which an order acting as a limit is held."""
    return float(order.limit if order.kind == STOP_LIMIT_ORDER else order.price)


@inner
def acts_as_limit(order: Any) -> bool:
    """Say whether an order rests at a limit now (a stop-limit does once triggered)."""
    rests = order.kind == STOP_LIMIT_ORDER and order.triggered != 0
    return bool(rests or order.kind == LIMIT_ORDER)


@inner
def limit_reached(order: Any, meets: float, through: int) -> bool:
    """Say whether a limit fills when its side of the market is at `meets`."""
    limit = limit_price(order)
    if through != 0:
        return meets < limit if order.side > 0 else meets > limit
    return meets <= limit if order.side > 0 else meets >= limit


@inner
def stop_reached(order: Any, meets: float) -> bool:
    """Say whether a stop triggers at `meets`; one partly filled is a market order by now."""
    if order.triggered != 0:
        return True
    return bool(meets >= order.price if order.side > 0 else meets <= order.price)


@inner
def reached_at(order: Any, meets: float, through: int) -> int:
    """Return as what an order may act at `meets`: market, stop, limit or not at all."""
    if order.kind == MARKET_ORDER:
        return AS_MARKET
    if acts_as_limit(order):
        return AS_LIMIT if limit_reached(order, meets, through) else NOT_REACHED
    return AS_STOP if stop_reached(order, meets) else NOT_REACHED


@inner
def next_here(market: Any, book: Any, orders: Any) -> int:
    """Return the slot of the order to act first at the present price, -1 if none can."""
    buy = side_price(book.price, 1, market, book)
    sell = side_price(book.price, -1, market, book)
    best = -1
    best_class = NOT_REACHED
    for k in range(book.count):
        if orders[k].status == WORKING and orders[k].triggered != NEW_AT_TRADE:
            meets = buy if orders[k].side > 0 else sell
            how = reached_at(orders[k], meets, market.through)
            if how < best_class:
                best = k
                best_class = how
    return best if book.volume_left != 0 else -1


@inner
def let_work(passed: bool, market: Any, book: Any, orders: Any) -> None:
    """Let children that came to work at the last trade meet what comes.

    passed : a stop that the last trade had passed triggers; a market order goes where it would.
    """
    for k in range(book.count):
        order = orders[k]
        if order.triggered != NEW_AT_TRADE:
            continue
        order.triggered = 0
        if passed and not acts_as_limit(order):
            meets = side_price(book.price, order.side, market, book)
            order.triggered = 1 if stop_reached(order, meets) else 0


@inner
def next_on_way(target: float, market: Any, book: Any, orders: Any) -> int:
    """Return the slot of the first order reached on the way to base price `target`, or -1."""
    if book.volume_left == 0:
        return -1
    direction = 1 if target > book.price else -1
    buy = side_price(target, 1, market, book)
    sell = side_price(target, -1, market, book)
    best = -1
    best_way = 0.0
    best_class = NOT_REACHED
    for k in range(book.count):
        if orders[k].status != WORKING:
            continue
        how = reached_at(orders[k], buy if orders[k].side > 0 else sell, market.through)
        if how == NOT_REACHED:
            continue
        way = max(0.0, direction * (own_base(orders[k], market, book) - book.price))
        if best < 0 or way < best_way or (way == best_way and how < best_class):
            best = k
            best_way = way
            best_class = how
    return best


@inner
def own_base(order: Any, market: Any, book: Any) -> float:
    """Return the base price at which an order is reached on a continuous walk."""
    own = limit_price(order) if acts_as_limit(order) else order.price
    return base_price(own, order.side, market, book)


@inner
def may_open(steps: int, order: Any, market: Any, book: Any, limits: Any) -> int:
    """Return 0 if the order may open `steps`, else the reason why not."""
    if limits.locked != 0:
        return LOCKED
    if market.margin_fixed <= 0.0 and market.margin_rate <= 0.0:
        return 0
    meets = side_price(book.price, order.side, market, book)
    stays = abs(book.steps) if book.steps * order.side > 0 else 0
    need = margin_of(stays + steps, meets, market) + book.other_margin
    return NO_MARGIN if need > equity_at(book.price, market, book) + 1e-9 else 0


@inner
def fillable(k: int, book: Any, orders: Any) -> int:
    """Return how many steps of an order may fill: cut to what it may reduce and to the volume."""
    order = orders[k]
    quantity = int(order.quantity)
    if order.parent != 0:
        parent = slot_of(order.parent, book, orders)
        quantity = min(quantity, int(orders[parent].open_steps)) if parent >= 0 else 0
    if order.reduces != 0:
        against = abs(int(book.steps)) if book.steps * order.side < 0 else 0
        quantity = min(quantity, against)
    return quantity


@inner
def execute(
    k: int, price: float, market: Any, book: Any, orders: Any, limits: Any, events: Any
) -> None:
    """Fill what may fill of an order at a price; end what may not."""
    order = orders[k]
    wanted = fillable(k, book, orders)
    quantity = min(wanted, book.volume_left) if book.volume_left >= 0 else wanted
    opened = opened_by(book.steps, order.side, quantity)
    ends = may_open(opened, order, market, book, limits) if opened > 0 else 0
    if ends != 0:
        quantity -= opened
    if quantity > 0:
        if book.volume_left >= 0:
            book.volume_left -= quantity
        fill_order(k, quantity, price, market, book, orders, events)
    if wanted <= 0 or (order.reduces != 0 and book.steps == 0):
        ends = NOTHING_TO_REDUCE
    if ends != 0 and order.status == WORKING:
        kind = MARGIN_EVENT if ends == NO_MARGIN else CANCEL_EVENT
        end_tree(k, kind, ends, book, orders, events)


@inner
def act(
    k: int, own_price: bool, market: Any, book: Any, orders: Any, limits: Any, events: Any
) -> None:
    """Let a reached order act at the present price, or at its own where it was walked into."""
    order = orders[k]
    if order.kind == STOP_LIMIT_ORDER and order.triggered == 0:
        order.triggered = 1
        return
    if acts_as_limit(order):
        price = limit_price(order)
        if not own_price:
            meets = side_price(book.price, order.side, market, book)
            price = min(price, meets) if order.side > 0 else max(price, meets)
    elif order.kind == MARKET_ORDER or not own_price:
        price = slipped(book.price, order.side, market, book)
    else:
        price = on_tick(order.price + order.side * market.slippage, market.tick)
    order.triggered = 1
    execute(k, price, market, book, orders, limits, events)


@inner
def flatten(price: float, market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Do what a met floor asks: no order works any more and the position is closed at `price`."""
    reason = breach_reason(limits)
    cancel_all(reason, book, orders, events)
    if book.discrete != 0 and book.steps != 0:
        book.closing = reason
    else:
        close_position(reason, price, market, book, orders, events)


@inner
def met_floor(equity: float, limits: Any, price: float) -> None:
    """Note that equity met a floor at a base price; entries are locked from here on."""
    limits.breach = BREACH_TRAIL if limits.trail_floor > limits.day_floor else BREACH_DAY
    limits.locked = 1
    limits.breach_equity = equity
    limits.breach_price = price


@inner
def look(market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Let the guard's floors be tested at the present price."""
    equity = equity_at(book.price, market, book)
    if equity > floor_in_force(book, limits):
        return
    met_floor(equity, limits, book.price)
    side = -1 if book.steps > 0 else 1
    flatten(slipped(book.price, side, market, book), market, book, orders, limits, events)


@inner
def settle(market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Let every order that can act at the present price act, the guard looking at each fill."""
    k = 0
    while k >= 0:
        k = next_here(market, book, orders)
        if k >= 0:
            act(k, False, market, book, orders, limits, events)
            mark(book.price, market, book, orders, limits)
        look(market, book, orders, limits, events)


@inner
def jump(base: float, market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Move the price to `base` in one step: a bar's open, or a tick that is a trade."""
    mark(base, market, book, orders, limits)
    if book.closing != 0:
        reason = book.closing
        book.closing = 0
        side = -1 if book.steps > 0 else 1
        close_position(reason, slipped(base, side, market, book), market, book, orders, events)
    settle(market, book, orders, limits, events)
    for k in range(book.count):
        if orders[k].status == WORKING and orders[k].tif == IOC and orders[k].parent == 0:
            end_tree(k, CANCEL_EVENT, NOT_AT_ONCE, book, orders, events)


@inner
def floor_base(target: float, market: Any, book: Any, limits: Any) -> float:
    """Return the base price on the way to `target` at which equity meets the floor, else nan."""
    floor = floor_in_force(book, limits)
    there = equity_at(target, market, book)
    if there > floor:
        return np.nan
    here = equity_at(book.price, market, book)
    price = float(book.price)
    if here <= there:
        return price
    return price + (target - price) * max(0.0, here - floor) / (here - there)


@inner
def meet_floor(
    base: float, rises: bool, market: Any, book: Any, orders: Any, limits: Any, events: Any
) -> None:
    """Flatten where a continuous walk meets the floor, a rounding to the tick worse."""
    mark(base, market, book, orders, limits)
    met_floor(equity_at(base, market, book), limits, base)
    side = 1 if book.steps < 0 else -1
    leave = side_price(base, side, market, book)
    worse = round_up(leave, market.tick) if rises else round_down(leave, market.tick)
    price = on_tick(worse + side * market.slippage, market.tick)
    flatten(price, market, book, orders, limits, events)


@inner
def move(target: float, market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Walk continuously from the present base price to `target`."""
    rises = target > book.price
    direction = 1 if rises else -1
    while True:
        k = next_on_way(target, market, book, orders)
        stop_at = own_base(orders[k], market, book) if k >= 0 else target
        if direction * (stop_at - book.price) < 0.0:
            stop_at = book.price
        floor_at = floor_base(stop_at, market, book, limits)
        dust = 0.0 if k < 0 else TICK_TOLERANCE * market.tick
        if floor_at == floor_at and (k < 0 or direction * (stop_at - floor_at) > dust):
            meet_floor(floor_at, rises, market, book, orders, limits, events)
            continue
        if k < 0:
            break
        mark(stop_at, market, book, orders, limits)
        act(k, True, market, book, orders, limits, events)
        let_work(False, market, book, orders)
        mark(stop_at, market, book, orders, limits)
        settle(market, book, orders, limits, events)
    mark(target, market, book, orders, limits)
