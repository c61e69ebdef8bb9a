"""A book that is told its fills: position, excursions and worth by the engine's own arithmetic.

A live broker does not match; it hears executions and prices. It books them with the functions the
engine books with, so that a session on paper and a backtest agree to the last bit.
"""

from __future__ import annotations

from typing import Any

from core.compile import kernel
from core.matching.fills import move_position
from core.matching.prices_at import open_pnl, set_spread, side_price, value_book


@kernel
def mirror_fill(
    side: int, quantity: int, price: float, costs: float, market: Any, books: Any
) -> float:
    """Book an execution of `quantity` steps; return what it realised before costs.

    market, books : one-item MARKET array; rows of `new_book`, of which row 0 is in force.
    """
    book = books[0]
    pnl = float(move_position(side, quantity, price, market[0], book))
    book.balance += pnl - costs
    value_book(market[0], book)
    return pnl


@kernel
def mirror_mark(price: float, spread: float, market: Any, books: Any) -> float:
    """Take a price as the present one: spread, excursions, open P&L; return the open P&L."""
    book = books[0]
    set_spread(spread, market[0], book)
    book.price = price
    if book.steps != 0:
        direction = 1 if book.steps > 0 else -1
        excursion = direction * (side_price(price, -direction, market[0], book) - book.average)
        book.adverse = min(book.adverse, excursion)
        book.favourable = max(book.favourable, excursion)
    value_book(market[0], book)
    return float(book.open_pnl)


@kernel
def mirror_open_pnl(price: float, market: Any, books: Any) -> float:
    """Return the open P&L if the position were left at a price (the file's side)."""
    return float(open_pnl(price, market[0], books[0]))
