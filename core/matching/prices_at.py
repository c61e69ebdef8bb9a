"""What a buy or a sell pays at a base price, and what the account is worth there."""

from __future__ import annotations

from math import floor
from typing import Any

from core.compile import inner, kernel
from core.prices import TICK_TOLERANCE


@inner
def on_tick(price: float, tick: float) -> float:
    """Return the tick's exact float where a price is within a millionth of it, else the price.

    Adding a spread to a price leaves dust in the last bits; a touch must not depend on it.
    """
    if tick < 1.0:
        inverse = floor(1.0 / tick + 0.5)
        scaled = price * inverse
        nearest = floor(scaled + 0.5)
        return nearest / inverse if abs(scaled - nearest) <= TICK_TOLERANCE else price
    scaled = price / tick
    nearest = floor(scaled + 0.5)
    return nearest * tick if abs(scaled - nearest) <= TICK_TOLERANCE else price


@kernel
def side_price(base: float, side: int, market: Any, book: Any) -> float:
    """Return what an order of this side (+1 buy, -1 sell) meets when the base price is `base`."""
    if side > 0:
        return base if book.buy_add == 0.0 else on_tick(base + book.buy_add, market.tick)
    return base if book.sell_sub == 0.0 else on_tick(base - book.sell_sub, market.tick)


@inner
def base_price(price: float, side: int, market: Any, book: Any) -> float:
    """Return the base price at which an order of this side meets `price`."""
    if side > 0:
        return price if book.buy_add == 0.0 else on_tick(price - book.buy_add, market.tick)
    return price if book.sell_sub == 0.0 else on_tick(price + book.sell_sub, market.tick)


@kernel
def set_spread(spread: float, market: Any, book: Any) -> None:
    """Take the spread that holds from now on."""
    book.buy_add = spread * market.buy_share
    book.sell_sub = spread * market.sell_share


@kernel
def open_pnl(base: float, market: Any, book: Any) -> float:
    """Return this book's open P&L in account money if it were left at `base` (no costs)."""
    if book.steps == 0:
        return 0.0
    leave = side_price(base, -1 if book.steps > 0 else 1, market, book)
    return float(book.steps * market.step_value * (leave - book.average))


@kernel
def equity_at(base: float, market: Any, book: Any) -> float:
    """Return the account's equity when the base price is `base`."""
    others = book.other_open + book.other_slope * base
    return float(book.balance + others + open_pnl(base, market, book))


@kernel
def margin_of(steps: int, price: float, market: Any) -> float:
    """Return the initial margin of a position in account money."""
    each = market.margin_fixed + market.margin_rate * market.step_value * price
    return float(abs(steps) * each)


@inner
def value_book(market: Any, book: Any) -> None:
    """Write what the book's position is worth, and holds as margin, at the present price."""
    book.open_pnl = open_pnl(book.price, market, book)
    book.margin = margin_of(book.steps, book.price, market)
