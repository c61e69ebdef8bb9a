"""Ticks: the same rules when prices come one by one.

Live, a bar's start and close are told apart from its ticks: `tick_begin` once before a bar's first
tick, `walk_tick` for each, `tick_finish` when it is over. Of recorded ticks `play_ticks` plays a
whole bar at once. Both do the same with each tick (`take_tick`), so a session and its replay share
every rule.
"""

from __future__ import annotations

from typing import Any

from core.compile import inner, kernel
from core.matching.bar import (
    begin_bar,
    drop_ended,
    finish_bar,
    keep_state,
    restore_state,
    start_events,
)
from core.matching.floors import cancel_all
from core.matching.path import jump, let_work, move
from core.matching.prices_at import set_spread
from core.matching.records import EVENTS_A_SLOT, EVENTS_BESIDES, KEPT, REQUESTED_FLAT
from core.prices import quantity_to_steps
from core.ticks import CLOSES, OPENS_BAR

NO_ROOM = -1
"""What `play_ticks` returns where the event list might not hold what the bar brings."""


@kernel
def tick_begin(
    bars: Any, i: int, market: Any, books: Any, orders: Any, limits: Any, events: Any
) -> int:
    """Stage 1 of the bar about to be traded; only start, end, day and close_at are read."""
    start_events(books)
    begin_bar(bars[i], market[0], books[0], orders[0], limits[0], events[0])
    drop_ended(books[0], orders[0])
    return int(books[0].events)


@inner
def bound_volume(volume: float, market: Any, book: Any) -> None:
    """With a volume share, let orders trade their part of this volume from here on."""
    if market.volume_share > 0.0:
        book.volume_left = quantity_to_steps(market.volume_share * volume, market.lot)


@inner
def take_tick(
    price: float,
    spread: float,
    jumps: bool,
    at_open: bool,
    market: Any,
    book: Any,
    orders: Any,
    limits: Any,
    events: Any,
) -> None:
    """Stages 2 and 3 at one price; a spread of nan leaves the one in force.

    The first price of a bar is a jump whatever it is: market orders wait for no way to walk.
    """
    book.at_open = 1 if at_open else 0
    let_work(True, market, book, orders)
    if spread == spread:
        set_spread(spread, market, book)
    if jumps or at_open:
        jump(price, market, book, orders, limits, events)
    else:
        move(price, market, book, orders, limits, events)
    book.at_open = 0


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
    spread : ask minus bid now; nan leaves the one in force.
    volume : traded since the last tick; with a volume share it bounds what may fill.
    jumps : True for a tick that is a trade, and for the first price of a replayed bar; False
        walks continuously from the previous price (ticks=path, inside a bar).
    at_open : it is the first price of its bar, and so a jump in any case.
    """
    start_events(books)
    book = books[0]
    if jumps:
        bound_volume(volume, market[0], book)
    take_tick(price, spread, jumps, at_open, market[0], book, orders[0], limits[0], events[0])
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


@inner
def ask_to_close(book: Any, orders: Any, events: Any) -> None:
    """End every order of the plan; its position closes at the next jump."""
    cancel_all(REQUESTED_FLAT, book, orders, events)
    if book.steps != 0:
        book.closing = REQUESTED_FLAT


@inner
def has_room(book: Any, events: Any) -> bool:
    """Say whether the event list holds whatever one more step can bring."""
    most = EVENTS_A_SLOT * book.count + EVENTS_BESIDES
    return bool(book.events + most <= events.shape[1])


@kernel
def play_ticks(
    bars: Any,
    i: int,
    ticks: Any,
    first: int,
    stop: int,
    nights: Any,
    market: Any,
    books: Any,
    orders: Any,
    limits: Any,
    trials: Any,
    events: Any,
) -> int:
    """Play bar i through the ticks first .. stop-1; return how many events were written.

    Parameters
    ----------
    ticks : TICK array of prices alone (`Tape.of_trades`), oldest first. Where the book is
        `discrete` every tick jumps, else the first and those with OPENS_BAR. One without a spread
        leaves the one in force, which at first is the bar's. With CLOSES the plan's orders end
        before it and its position closes at it (which jumps then).
    nights, trials : as in `walk_bars`.

    Returns
    -------
    int
        `NO_ROOM` if the event list might not hold it all: then all is as it was before the bar,
        to be played again with a longer one.

    Notes
    -----
    An event's `ts_event` is its tick's; on a path START for what happens at the open. With a
    volume share each trade bounds what it may fill; on a path the whole bar's volume does.
    """
    keep_state(KEPT, books, orders, limits, trials)
    start_events(books)
    if len(nights) > 0:
        market[0].nights_before = nights[i, 0]
        market[0].nights_inside = nights[i, 1]
    bar, book = bars[i], books[0]
    begin_bar(bar, market[0], book, orders[0], limits[0], events[0])
    is_discrete = book.discrete != 0
    for k in range(first, stop):
        if not has_room(book, events):
            restore_state(KEPT, books, orders, limits, trials)
            return NO_ROOM
        tick, told = ticks[k], book.events
        if tick["flags"] & CLOSES != 0:
            ask_to_close(book, orders[0], events[0])
        if is_discrete:
            bound_volume(tick.volume, market[0], book)
        jumps = is_discrete or tick["flags"] & OPENS_BAR != 0
        take_tick(
            tick.price, tick.spread, jumps, k == first,
            market[0], book, orders[0], limits[0], events[0],
        )  # fmt: skip
        at = bar.start if k == first and not is_discrete else tick.ts_event
        for j in range(told, book.events):
            events[0, j].ts_event = at
    if not has_room(book, events):
        restore_state(KEPT, books, orders, limits, trials)
        return NO_ROOM
    finish_bar(bar, market[0], book, orders[0], limits[0], events[0])
    drop_ended(book, orders[0])
    return int(book.events)
