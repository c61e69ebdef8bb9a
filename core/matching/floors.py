"""Marking a price: excursions, trailing stops, trailing drawdown, and the floors of the guard."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import inner, kernel
from core.matching.events import end_order
from core.matching.prices_at import equity_at, side_price
from core.matching.records import (
    CANCEL_EVENT,
    DAILY_LOSS,
    TRAILING_DRAWDOWN,
    TRAILING_STOP_ORDER,
    WAITING,
    WORKING,
)
from core.ports import BREACH_NONE, BREACH_TRAIL
from core.prices import round_down, round_up


@kernel
def trail_stop(order: Any, market: Any, book: Any) -> None:
    """Move a trailing stop after the price; never back. Rounded away from the market."""
    meets = side_price(book.price, order.side, market, book)
    distance = order.trail_amount
    if distance <= 0.0:
        distance = meets * order.trail_percent
    if order.side < 0:
        level = round_down(meets - distance, market.tick)
        if order.price != order.price or level > order.price:
            order.price = level
    else:
        level = round_up(meets + distance, market.tick)
        if order.price != order.price or level < order.price:
            order.price = level


@inner
def raise_trail(equity: float, limits: Any) -> None:
    """Raise the trailing drawdown's peak and floor to an equity, where it is kept intraday."""
    if limits.trail_intraday == 0 or limits.breach != BREACH_NONE:
        return
    if equity > limits.trail_peak:
        limits.trail_peak = equity
        limits.trail_floor = max(
            limits.trail_floor, min(equity - limits.trail_amount, limits.trail_lock)
        )


@inner
def mark(base: float, market: Any, book: Any, orders: Any, limits: Any) -> None:
    """Take a base price as the present one: excursions, trailing stops, drawdown peak."""
    book.price = base
    if book.steps != 0:
        direction = 1 if book.steps > 0 else -1
        excursion = direction * (side_price(base, -direction, market, book) - book.average)
        book.adverse = min(book.adverse, excursion)
        book.favourable = max(book.favourable, excursion)
        equity = equity_at(base, market, book)
        limits.low_equity = min(limits.low_equity, equity)
        raise_trail(equity, limits)
    for k in range(book.count):
        if orders[k].kind == TRAILING_STOP_ORDER and orders[k].status == WORKING:
            trail_stop(orders[k], market, book)


@inner
def floor_in_force(book: Any, limits: Any) -> float:
    """Return the higher of the two floors (-inf: none).

    After a breach, and while locked and flat, there is nothing left that a floor could close.
    """
    if limits.breach != BREACH_NONE or (limits.locked != 0 and book.steps == 0):
        return -np.inf
    return float(max(limits.day_floor, limits.trail_floor))


@kernel
def cancel_all(reason: int, book: Any, orders: Any, events: Any) -> None:
    """End every order that works or waits."""
    for k in range(book.count):
        if orders[k].status == WORKING or orders[k].status == WAITING:
            end_order(k, CANCEL_EVENT, reason, book, orders, events)


@kernel
def breach_reason(limits: Any) -> int:
    """Return the reason code of the floor that was met."""
    return TRAILING_DRAWDOWN if limits.breach == BREACH_TRAIL else DAILY_LOSS
