"""Closing one book because another met the account's floor."""

from __future__ import annotations

from typing import Any

from core.compile import kernel
from core.matching.bar import drop_ended, start_events
from core.matching.brackets import close_position
from core.matching.floors import cancel_all, mark
from core.matching.prices_at import on_tick, side_price, value_book
from core.prices import round_down, round_up


@kernel
def close_at(
    base: float, reason: int, market: Any, books: Any, orders: Any, limits: Any, events: Any
) -> int:
    """End all orders and close the position at a base price, rounded to the worse tick.

    Slippage comes on top. Returns how many events were written.
    """
    start_events(books)
    book = books[0]
    cancel_all(reason, book, orders[0], events[0])
    mark(base, market[0], book, orders[0], limits[0])
    side = 1 if book.steps < 0 else -1
    leave = side_price(base, side, market[0], book)
    tick = market[0].tick
    worse = round_up(leave, tick) if side > 0 else round_down(leave, tick)
    price = on_tick(worse + side * market[0].slippage, tick)
    close_position(reason, price, market[0], book, orders[0], events[0])
    value_book(market[0], book)
    drop_ended(book, orders[0])
    return int(book.events)
