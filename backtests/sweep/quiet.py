"""Bars on which nothing can happen, told by two prices: they are marked, not played.

The bounds are on the safe side by a thousandth of a tick: a bar they let pass is one that the
engine would only mark (`core.matching.bar.is_quiet`); any other is played by the engine.
"""

from __future__ import annotations

from math import inf
from typing import Any

from core.compile import inner
from core.matching.floors import floor_in_force
from core.matching.path import acts_as_limit
from core.matching.prices_at import set_spread, side_price
from core.matching.records import IOC, MARKET_ORDER, TRAILING_STOP_ORDER, WORKING

SLACK_TICKS = 1e-3


@inner
def bound(spread: float, market: Any, book: Any, orders: Any, limits: Any, run: Any) -> None:
    """Set the base prices between which bars of this spread are quiet."""
    set_spread(spread, market, book)
    run.spread = spread
    slack = SLACK_TICKS * market.tick
    low, high = -inf, inf
    if book.closing != 0 or limits.trail_intraday != 0:
        low = inf
    for k in range(book.count):
        order = orders[k]
        if order.status != WORKING:
            continue
        restless = order.kind == MARKET_ORDER or order.kind == TRAILING_STOP_ORDER
        if restless or order.tif == IOC or order.triggered != 0 or limits.locked != 0:
            low = inf
            break
        rises = (order.side > 0) != acts_as_limit(order)
        base = order.price - book.buy_add if order.side > 0 else order.price + book.sell_sub
        if rises:
            high = min(high, base - slack)
        else:
            low = max(low, base + slack)
    floor = floor_in_force(book, limits)
    if floor > -inf:
        if book.steps == 0:
            if book.balance <= floor:
                low = inf
        else:
            leave = book.average + (floor - book.balance) / (book.steps * market.step_value)
            if book.steps > 0:
                low = max(low, leave + book.sell_sub + market.tick)
            else:
                high = min(high, leave - book.buy_add - market.tick)
    run.low, run.high = low, high


@inner
def is_quiet(bar: Any, market: Any, book: Any, orders: Any, limits: Any, run: Any) -> bool:
    """Say that a bar that begins no day and brings no act of its own needs marking only."""
    if bar.spread != run.spread:
        bound(bar.spread, market, book, orders, limits, run)
    return bool(bar.low > run.low and bar.high < run.high)


@inner
def mark_span(low: float, high: float, market: Any, book: Any) -> None:
    """Take the extremes of quiet bars as excursions of the position."""
    if book.steps == 0:
        return
    direction = 1 if book.steps > 0 else -1
    at_low = direction * (side_price(low, -direction, market, book) - book.average)
    at_high = direction * (side_price(high, -direction, market, book) - book.average)
    book.adverse = min(book.adverse, at_low, at_high)
    book.favourable = max(book.favourable, at_low, at_high)
