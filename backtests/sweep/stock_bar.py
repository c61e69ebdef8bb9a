"""One bar by Backtrader's own rules, on the records of a compiled run (`fills = "backtrader"`).

The order of things and of operations is that of its broker and of `backtests.fills.stock`: orders
sent at a close are checked and accepted on the next bar; the stop and target of a bracket work from
the bar after the entry's; cash is marked at each close; limits are looked at there, and what they
close leaves at the next open.
"""

from __future__ import annotations

from typing import Any

from backtests.sweep import guard as guards
from core.bars import NEVER_NS
from core.compile import inner
from core.costs import charge
from core.matching.bar import drop_ended, start_events
from core.matching.brackets import end_tree
from core.matching.events import add_event, end_order
from core.matching.floors import cancel_all, raise_trail
from core.matching.records import (
    ANOTHER_DAY,
    ASKED,
    CANCEL_EVENT,
    DAILY_LOSS,
    ENTRY,
    FILL_EVENT,
    FILLED,
    FLAT_TIME,
    LIMIT_ORDER,
    LOCKED,
    MARGIN_EVENT,
    MARKET_ORDER,
    NO_MARGIN,
    NOTHING_TO_REDUCE,
    OTHER_FILLED,
    TRAILING_DRAWDOWN,
    WAITING,
    WORKING,
)
from core.ports import BREACH_DAY, BREACH_TRAIL
from core.prices import steps_to_quantity


@inner
def held(market: Any, book: Any) -> float:
    """Return the signed position as a quantity."""
    quantity = float(steps_to_quantity(abs(book.steps), market.lot))
    return quantity if book.steps >= 0 else -quantity


@inner
def paid(side: int, quantity: float, price: float, market: Any) -> float:
    """Return the commission of an execution, account currency."""
    return float(charge(market.cost, side > 0, quantity, price, market.multiplier) * market.fx)


@inner
def fill(
    order_id: int, side: int, steps: int, price: float, reason: int, bar: Any, market: Any,
    stock: Any, books: Any, events: Any,
) -> bool:  # fmt: skip
    """Execute an order; False if cash does not carry it."""
    book = books[0]
    quantity = float(steps_to_quantity(steps, market.lot))
    costs = paid(side, quantity, price, market)
    bound = quantity * stock.margin
    if book.steps == 0:
        cash = stock.cash - bound
        cash -= costs
        if cash < 0.0:
            return False
        stock.cash = cash
        stock.marked = price
        book.steps = side * steps
        book.average = price
    else:
        stock.cash += bound
        stock.cash -= costs
        mult = market.multiplier * market.fx
        stock.cash += (-side * quantity) * (price - stock.marked) * mult
        book.steps = 0
        book.average = 0.0
    i = add_event(book, events, FILL_EVENT, order_id, side, reason)
    event = events[i]
    event.quantity = steps
    event.price = price
    event.costs = costs
    event.adverse = 0.0
    event.favourable = 0.0
    event.at_open = 1 if price == bar.open else 0
    return True


@inner
def reached(order: Any, bar: Any) -> bool:
    """Say whether an order executes on a bar."""
    if order.kind == MARKET_ORDER:
        return True
    if (order.side > 0) == (order.kind == LIMIT_ORDER):
        return bool(bar.low <= order.price)
    return bool(bar.high >= order.price)


@inner
def price_of(order: Any, bar: Any) -> float:
    """Return what an order that executes gets: its price, or the open if that passed it."""
    if order.kind == MARKET_ORDER:
        return float(bar.open)
    if (order.side > 0) == (order.kind == LIMIT_ORDER):
        return float(bar.open if bar.open <= order.price else order.price)
    return float(bar.open if bar.open >= order.price else order.price)


@inner
def accept(market: Any, stock: Any, books: Any, orders: Any, events: Any) -> None:
    """Check whether cash carries the bracket sent at the last close, as Backtrader tries it out.

    It executes parent, stop and target in turn at the prices they were made with; the target of a
    bracket thus counts as opening the other side.
    """
    cash = stock.cash
    steps = 0
    for k in range(books[0].count):
        order = orders[0, k]
        if order.role != ENTRY and order.parent == 0:
            continue
        price = stock.close if order.kind == MARKET_ORDER else order.price
        quantity = float(steps_to_quantity(order.quantity, market.lot))
        bound = quantity * stock.margin
        opens = steps == 0
        cash += -bound if opens else bound
        cash -= paid(int(order.side), quantity, price, market)
        steps = order.side * order.quantity if opens else 0
        if cash < 0.0:
            first = orders[0, k].parent == 0
            kind, reason = CANCEL_EVENT, ASKED
            if first:
                kind, reason = MARGIN_EVENT, NO_MARGIN
            end_tree(0, kind, reason, books[0], orders[0], events[0])
            return


@inner
def match(bar: Any, market: Any, stock: Any, books: Any, orders: Any, events: Any) -> None:
    """Try every order that works, in the order they were accepted.

    What the guard or the flat time closes was accepted at once, before what a strategy sent then.
    """
    book = books[0]
    if book.closing != 0:
        reason = int(book.closing)
        book.closing = 0
        if book.steps != 0:
            side = -1 if book.steps > 0 else 1
            fill(0, side, abs(book.steps), bar.open, reason, bar, market, stock, books, events[0])
    for k in range(book.count):
        order = orders[0, k]
        if order.status != WORKING or not reached(order, bar):
            continue
        if order.role != ENTRY and book.steps == 0:
            end_order(k, CANCEL_EVENT, NOTHING_TO_REDUCE, book, orders[0], events[0])
            continue
        side, steps, price = int(order.side), int(order.quantity), price_of(order, bar)
        if not fill(order.order_id, side, steps, price, 0, bar, market, stock, books, events[0]):
            end_tree(k, MARGIN_EVENT, NO_MARGIN, book, orders[0], events[0])
            continue
        order.status = FILLED
        order.quantity = 0
        if order.role == ENTRY:
            stock.activates = 1
            continue
        for j in range(book.count):
            if orders[0, j].status == WORKING or orders[0, j].status == WAITING:
                end_order(j, CANCEL_EVENT, OTHER_FILLED, book, orders[0], events[0])


@inner
def mark_account(close: float, market: Any, stock: Any, books: Any) -> None:
    """Mark cash and value at a close."""
    book = books[0]
    stock.close = close
    stock.value = stock.cash
    stock.open_profit = 0.0
    if book.steps == 0:
        return
    size = held(market, book)
    mult = market.multiplier * market.fx
    stock.cash += size * (close - stock.marked) * mult
    stock.marked = close
    value = abs(size) * stock.margin
    profit = size * (close - book.average) * mult
    unlevered = value
    if value > 0.0:
        unlevered = (value - profit) + profit
    stock.value = stock.cash + unlevered
    stock.open_profit = profit


@inner
def play_bar(bar: Any, market: Any, stock: Any, books: Any, orders: Any, events: Any) -> int:
    """Play a bar; return how many events it brought."""
    start_events(books)
    book = books[0]
    if stock.activates != 0:
        stock.activates = 0
        for k in range(book.count):
            if orders[0, k].status == WAITING:
                orders[0, k].status = WORKING
    if stock.is_new != 0:
        stock.is_new = 0
        accept(market, stock, books, orders, events)
    match(bar, market, stock, books, orders, events)
    mark_account(bar.close, market, stock, books)
    count = int(book.events)
    drop_ended(book, orders[0])
    return count


@inner
def end_day_orders(books: Any, orders: Any, events: Any) -> int:
    """Cancel an entry that was for the trading day that has ended; return how many events."""
    start_events(books)
    for k in range(books[0].count):
        order = orders[0, k]
        if order.status == WORKING and order.day_only != 0:
            end_tree(k, CANCEL_EVENT, ANOTHER_DAY, books[0], orders[0], events[0])
    count = int(books[0].events)
    drop_ended(books[0], orders[0])
    return count


@inner
def leave(reason: int, books: Any, orders: Any, events: Any) -> None:
    """Cancel every order; the position closes at the next open, for the first reason given."""
    start_events(books)
    cancel_all(reason, books[0], orders[0], events[0])
    if books[0].steps != 0 and books[0].closing == 0:
        books[0].closing = reason
    drop_ended(books[0], orders[0])


@inner
def keep_flat_time(bar: Any, stock: Any, books: Any, orders: Any, events: Any) -> bool:
    """Leave from the close of the first bar that ends at or after the flat time on."""
    if bar.end < stock.flat_at:
        return False
    stock.flat_at = NEVER_NS
    leave(FLAT_TIME, books, orders, events)
    return True


@inner
def test_floors(value: float, rules: Any, guard: Any, limits: Any) -> int:
    """Look at the floors at a close; return why all is left, 0 if none was met."""
    if rules.any == 0:
        return 0
    raise_trail(value, limits)
    if value > max(limits.day_floor, limits.trail_floor):
        return 0
    is_trail = value <= limits.trail_floor
    limits.breach = BREACH_TRAIL if is_trail else BREACH_DAY
    limits.breach_equity = value
    guards.on_breach(rules, guard, limits)
    return TRAILING_DRAWDOWN if is_trail else DAILY_LOSS


@inner
def cancel_entry(books: Any, orders: Any, events: Any) -> bool:
    """Cancel a working entry: the guard lets none fill now. Say whether there was one."""
    start_events(books)
    found = False
    for k in range(books[0].count):
        order = orders[0, k]
        if order.status == WORKING and order.role == ENTRY:
            end_tree(k, CANCEL_EVENT, LOCKED, books[0], orders[0], events[0])
            found = True
    drop_ended(books[0], orders[0])
    return found
