"""Ticks: the same rules when prices come one by one.

A bar's start and close are told apart from its ticks: `tick_begin` once before a bar's first
tick, `tick_finish` when it is over; so a replay of bars and the backtest share every rule.
"""

from __future__ import annotations

from typing import Any

from core.compile import kernel
from core.matching.bar import begin_bar, drop_ended, finish_bar, start_events
from core.matching.path import jump, move
from core.matching.prices_at import set_spread
from core.prices import quantity_to_steps


@kernel
def tick_begin(
    bars: Any, i: int, market: Any, books: Any, orders: Any, limits: Any, events: Any
) -> int:
    """Stage 1 of the bar about to be traded; only start, end, day and close_at are read."""
    start_events(books)
    begin_bar(bars[i], market[0], books[0], orders[0], limits[0], events[0])
    drop_ended(books[0], orders[0])
    return int(books[0].events)


@kernel
def walk_tick(
    price: float,
    spread: float,
    volume: float,
    jumps: bool,
    at_open: bool,
    market: Any,
    books: Any,
    orders: Any,
    limits: Any,
    events: Any,
) -> int:
    """Take one tick and return how many events were written.

    Parameters
    ----------
    price : the file's or stream's price (its side is the market's).
    spread : ask minus bid now.
    volume : traded since the last tick; with a volume share it bounds what may fill.
    jumps : True for a tick that is a trade, and for the first price of a replayed bar; False
        walks continuously from the previous price (ticks=path, inside a bar).
    at_open : it is the first price of its bar.
    """
    start_events(books)
    book = books[0]
    book.at_open = 1 if at_open else 0
    set_spread(spread, market[0], book)
    if market[0].volume_share > 0.0 and jumps:
        book.volume_left = quantity_to_steps(market[0].volume_share * volume, market[0].lot)
    if jumps:
        jump(price, market[0], book, orders[0], limits[0], events[0])
    else:
        move(price, market[0], book, orders[0], limits[0], events[0])
    book.at_open = 0
    drop_ended(book, orders[0])
    return int(book.events)


@kernel
def tick_finish(
    bars: Any, i: int, market: Any, books: Any, orders: Any, limits: Any, events: Any
) -> int:
    """Stage 4 of the bar that is over; its close is the last price."""
    start_events(books)
    finish_bar(bars[i], market[0], books[0], orders[0], limits[0], events[0])
    drop_ended(books[0], orders[0])
    return int(books[0].events)
