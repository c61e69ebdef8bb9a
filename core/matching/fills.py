"""Booking an execution: position, average price, realised money, costs."""

from __future__ import annotations

from typing import Any

from core.bars import NEVER_NS
from core.compile import inner
from core.costs import charge
from core.matching.events import add_event
from core.matching.prices_at import equity_at, on_tick, side_price
from core.matching.records import FILL_EVENT
from core.prices import steps_to_quantity


@inner
def opened_by(before: int, side: int, quantity: int) -> int:
    """Return how many of a fill's steps open or add to a position of `before` steps."""
    if before * side >= 0:
        return quantity
    return max(0, quantity - abs(before))


@inner
def slipped(base: float, side: int, market: Any, book: Any) -> float:
    """Return what a market or stop order gets at a base price, slippage included."""
    meets = side_price(base, side, market, book)
    if market.slippage == 0.0:
        return meets
    return on_tick(meets + side * market.slippage, market.tick)


@inner
def move_position(side: int, quantity: int, price: float, market: Any, book: Any) -> float:
    """Move the position by a fill and return the realised money before costs."""
    before = book.steps
    opened = opened_by(before, side, quantity)
    closed = quantity - opened
    pnl = -side * closed * market.step_value * (price - book.average) if closed > 0 else 0.0
    book.steps = before + side * quantity
    if opened > 0 and (closed > 0 or before == 0):
        book.average = price
        book.adverse = 0.0
        book.favourable = 0.0
    elif opened > 0:
        book.average += (price - book.average) * (opened / abs(book.steps))
    elif book.steps == 0:
        book.average = 0.0
    return pnl


@inner
def take_fill(
    order_id: int,
    side: int,
    quantity: int,
    price: float,
    reason: int,
    market: Any,
    book: Any,
    events: Any,
) -> None:
    """Book one execution of `quantity` steps at `price` and write its event."""
    i = add_event(book, events, FILL_EVENT, order_id, side, reason)
    lots = steps_to_quantity(quantity, market.lot)
    costs = charge(market.cost, side > 0, lots, price, market.multiplier) * market.fx
    pnl = move_position(side, quantity, price, market, book)
    book.balance += pnl - costs
    if book.steps == 0:
        book.flat_at = NEVER_NS
    event = events[i]
    event.quantity = quantity
    event.price = price
    event.costs = costs
    event.pnl = pnl
    event.steps = book.steps
    event.average = book.average
    event.equity = equity_at(book.price, market, book)
