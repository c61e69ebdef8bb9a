"""One bar, whole: its start, its open, its path and its close (DESIGN: order of events).

`walk_bars` is what a backtest calls: for one bar, or for as many as pass without anything to tell;
`walk_bar` is one of them, for other compiled loops. Where nothing can happen between low
and high it only marks; else it walks both possible paths, O-H-L-C and O-L-H-C, from the same
state, the guard's floors included, and keeps the one the intrabar setting asks for.
"""

from __future__ import annotations

from typing import Any

from core.compile import inner, kernel, unmanaged
from core.costs import swap
from core.matching.brackets import end_tree
from core.matching.events import add_event
from core.matching.floors import floor_in_force, mark
from core.matching.path import (
    acts_as_limit,
    jump,
    let_work,
    limit_reached,
    move,
    stop_reached,
)
from core.matching.prices_at import equity_at, set_spread, side_price, value_book
from core.matching.records import (
    ANOTHER_DAY,
    BEST,
    CANCEL_EVENT,
    DAY,
    ENTRY,
    EXPIRE_EVENT,
    EXPIRED,
    FILL_EVENT,
    FLAT_TIME,
    GTD,
    IOC,
    KEPT,
    LOCKED,
    MARKET_ORDER,
    NEAREST,
    SWAP_EVENT,
    TRAILING_STOP_ORDER,
    WAITING,
    WORKING,
)
from core.ports import BREACH_NONE
from core.prices import TICK_TOLERANCE, quantity_to_steps

TIE = 1e-6
"""Two paths whose equities differ by less (account currency) are a tie."""


@inner
def ends_at_start(order: Any, bar: Any, limits: Any) -> int:
    """Return why an order ends before this bar begins, 0 if it goes on."""
    if order.tif == GTD and bar.end > order.expires:
        return EXPIRED
    if order.tif == DAY and order.day >= 0 and bar.day != order.day:
        return EXPIRED
    if order.role != ENTRY or order.reduces != 0:
        return 0
    if order.day_only != 0 and bar.day != order.day:
        return ANOTHER_DAY
    if bar.start >= order.flat_at:
        return FLAT_TIME
    return LOCKED if limits.locked != 0 else 0


@inner
def charge_swap(nights: int, market: Any, book: Any, events: Any) -> None:
    """Charge (or credit) the nights a position is held over."""
    if nights == 0 or book.steps == 0:
        return
    paid = swap(market.cost, book.steps * market.lot, nights) * market.fx
    if paid != 0.0:
        book.balance -= paid
        i = add_event(book, events, SWAP_EVENT, 0, 0, 0)
        events[i].costs = paid


@inner
def begin_bar(bar: Any, market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Stage 1: day roll, spread, swap, expiry, locks, and the flat time, before any price."""
    book.day = bar.day
    book.at_open = 1
    set_spread(bar.spread, market, book)
    book.volume_left = -1
    if market.volume_share > 0.0:
        book.volume_left = quantity_to_steps(market.volume_share * bar.volume, market.lot)
    charge_swap(market.nights_before, market, book, events)
    let_work(True, market, book, orders)
    for k in range(book.count):
        if orders[k].status != WORKING:
            continue
        reason = ends_at_start(orders[k], bar, limits)
        if reason != 0:
            kind = EXPIRE_EVENT if reason == EXPIRED else CANCEL_EVENT
            end_tree(k, kind, reason, book, orders, events)
        elif orders[k].day < 0:
            orders[k].day = bar.day
    if book.closing == 0 and book.steps != 0 and bar.start >= book.flat_at:
        book.closing = FLAT_TIME


@inner
def finish_bar(bar: Any, market: Any, book: Any, orders: Any, limits: Any, events: Any) -> None:
    """Stage 4: mark at the close, swap of the night, DAY orders end with the session."""
    mark(bar.close, market, book, orders, limits)
    charge_swap(market.nights_inside, market, book, events)
    value_book(market, book)
    if bar.end < bar.close_at:
        return
    for k in range(book.count):
        if orders[k].status == WORKING and orders[k].tif == DAY:
            end_tree(k, EXPIRE_EVENT, EXPIRED, book, orders, events)


@inner
def order_is_quiet(
    order: Any, buy_low: float, buy_high: float, sell_low: float, sell_high: float
) -> bool:
    """Say that a working order cannot act while its side stays within [low, high]."""
    if order.kind == MARKET_ORDER or order.kind == TRAILING_STOP_ORDER or order.tif == IOC:
        return False
    buys = order.side > 0
    if acts_as_limit(order):
        return not limit_reached(order, buy_low if buys else sell_high, 0)
    return not stop_reached(order, buy_high if buys else sell_low)


@inner
def is_quiet(bar: Any, market: Any, book: Any, orders: Any, limits: Any) -> bool:
    """Say that nothing can fill and no floor can be met between this bar's low and high."""
    if book.closing != 0:
        return False
    buy_low = side_price(bar.low, 1, market, book)
    buy_high = side_price(bar.high, 1, market, book)
    sell_low = side_price(bar.low, -1, market, book)
    sell_high = side_price(bar.high, -1, market, book)
    for k in range(book.count):
        if orders[k].status == WORKING and not order_is_quiet(
            orders[k], buy_low, buy_high, sell_low, sell_high
        ):
            return False
    at_low = equity_at(bar.low, market, book)
    at_high = equity_at(bar.high, market, book)
    lowest = floor_in_force(book, limits)
    if limits.trail_intraday != 0:
        peak = max(limits.trail_peak, at_low, at_high)
        lowest = max(lowest, min(peak - limits.trail_amount, limits.trail_lock))
    return min(at_low, at_high) > lowest


@inner
def same_fill(one: Any, other: Any) -> bool:
    """Say whether two events are the same execution."""
    return bool(
        other.kind == FILL_EVENT
        and one.order_id == other.order_id
        and one.price == other.price
        and one.quantity == other.quantity
        and one.reason == other.reason
    )


@inner
def flag_ambiguous(first: Any, first_count: int, second: Any, second_count: int) -> int:
    """Flag the fills of `first` that `second` lacks; return how many there are."""
    lacking = 0
    for i in range(first_count):
        if first[i].kind != FILL_EVENT:
            continue
        found = False
        for j in range(second_count):
            if same_fill(first[i], second[j]):
                found = True
        if not found:
            first[i].ambiguous = 1
            lacking += 1
    return lacking


@kernel
def start_events(books: Any) -> None:
    """Empty the event list and the ambiguity flag before a walk."""
    books[0].events = 0
    books[0].ambiguous = 0


@inner
def chosen_path(policy: int, high_first: float, low_first: float, bar: Any, tick: float) -> int:
    """Return 1 to keep the path to the high first, 2 for the low first, by their equities.

    Of two equal distances from the open the high's counts as nearer; decimal prices leave dust.
    """
    further = (bar.high - bar.open) - (bar.open - bar.low)
    nearest = 1 if further <= TICK_TOLERANCE * tick else 2
    if policy == NEAREST or abs(high_first - low_first) <= TIE:
        return nearest
    if policy == BEST:
        return 1 if high_first > low_first else 2
    return 1 if high_first < low_first else 2


@inner
def keep_path(
    row: int, ambiguous: bool, books: Any, orders: Any, limits: Any, trials: Any, events: Any
) -> None:
    """Make the state and events of a walked path the true ones."""
    before = books[0].events
    added = books[row].events
    if before + added > events.shape[1]:
        raise ValueError("event list full: too many orders in one bar")
    for i in range(added):
        events[0, before + i] = events[row, i]
    for k in range(books[row].count):
        orders[0, k] = orders[row, k]
    earlier = books[0].ambiguous
    books[0] = books[row]
    books[0].events = before + added
    books[0].ambiguous = 1 if ambiguous else earlier
    limits[0] = trials[row - 1]


@inner
def fork(row: int, books: Any, orders: Any, limits: Any, trials: Any) -> None:
    """Copy the true state to a scratch row, with no events yet."""
    books[row] = books[0]
    books[row].events = 0
    trials[row - 1] = limits[0]
    for k in range(books[0].count):
        orders[row, k] = orders[0, k]


@inner
def choose(
    bar: Any,
    policy: int,
    tick: float,
    high_first: float,
    low_first: float,
    books: Any,
    orders: Any,
    limits: Any,
    trials: Any,
    events: Any,
) -> None:
    """Keep one of the two walked paths by their equities at the close, net of costs."""
    others = flag_ambiguous(events[1], books[1].events, events[2], books[2].events)
    others += flag_ambiguous(events[2], books[2].events, events[1], books[1].events)
    row = chosen_path(policy, high_first, low_first, bar, tick)
    keep_path(row, others > 0, books, orders, limits, trials, events)


@inner
def walk_inside(
    bar: Any,
    policy: int,
    market: Any,
    books: Any,
    orders: Any,
    limits: Any,
    trials: Any,
    events: Any,
) -> None:
    """Stages 2 and 3 of one bar; where nothing can happen it is only marked.

    Else both paths are walked from the same state and one is kept. (One call of `jump` and one of
    `move` in the text: each more would compile the whole path again.)
    """
    if is_quiet(bar, market, books[0], orders[0], limits[0]):
        mark(bar.low, market, books[0], orders[0], limits[0])
        mark(bar.high, market, books[0], orders[0], limits[0])
        books[0].at_open = 0
        return
    high_first = low_first = 0.0
    for row in range(1, 3):
        fork(row, books, orders, limits, trials)
        jump(bar.open, market, books[row], orders[row], trials[row - 1], events[row])
        books[row].at_open = 0
        for leg in range(3):
            corner = bar.high if (leg == 0) == (row == 1) else bar.low
            target = bar.close if leg == 2 else corner
            move(target, market, books[row], orders[row], trials[row - 1], events[row])
        low_first = equity_at(bar.close, market, books[row])
        high_first = low_first if row == 1 else high_first
    tick = market.tick
    choose(bar, policy, tick, high_first, low_first, books, orders, limits, trials, events)


@kernel
def drop_ended(book: Any, orders: Any) -> None:
    """Free the slots of ended orders, keeping the order of age."""
    kept = 0
    for k in range(book.count):
        order = orders[k]
        alive = order.status == WORKING or order.status == WAITING
        if alive or (order.has_children != 0 and order.open_steps > 0):
            if kept != k:
                orders[kept] = orders[k]
            kept += 1
    book.count = kept


@inner
def walk_bar(
    bar: Any,
    lower: Any,
    first: int,
    last: int,
    policy: int,
    market: Any,
    books: Any,
    orders: Any,
    limits: Any,
    trials: Any,
    events: Any,
) -> None:
    """Play one bar against a book, inside through the bars lower[first:last] by a policy.

    (One call of `walk_inside` in the text: each more would compile the whole path again.)
    """
    start_events(books)
    begin_bar(bar, market[0], books[0], orders[0], limits[0], events[0])
    for j in range(first, last):
        set_spread(lower[j].spread, market[0], books[0])
        walk_inside(lower[j], policy, market[0], books, orders, limits, trials, events)
    finish_bar(bar, market[0], books[0], orders[0], limits[0], events[0])
    drop_ended(books[0], orders[0])


@inner
def keep_state(row: int, books: Any, orders: Any, limits: Any, trials: Any) -> None:
    """Copy the true state aside."""
    books[row] = books[0]
    trials[row - 1] = limits[0]
    for k in range(books[0].count):
        orders[row, k] = orders[0, k]


@inner
def restore_state(row: int, books: Any, orders: Any, limits: Any, trials: Any) -> None:
    """Make a state kept aside the true one again."""
    books[0] = books[row]
    limits[0] = trials[row - 1]
    for k in range(books[0].count):
        orders[0, k] = orders[row, k]


@unmanaged
def walk_bars(
    bars: Any,
    first: int,
    stop: int,
    until_event: bool,
    lower: Any,
    spans: Any,
    nights: Any,
    market: Any,
    books: Any,
    orders: Any,
    limits: Any,
    trials: Any,
    events: Any,
    marks: Any,
) -> int:
    """Play bars first .. stop-1 of an array against a book; return the first one not played.

    Parameters
    ----------
    bars : BAR array
    until_event : end before the first bar on which anything happens that must be told (an event,
        a floor met, a bar whose paths disagree): its state is as it was before that bar. False
        plays all of them; the events left are those of the last.
    lower, spans : BAR array of a finer file, and for each bar its items in it, int64 of shape
        (n, 2); a bar with items is walked through them, each by `nearest`. Without any (shape
        (0, 2)) `lower` is not read; a bar with no item inside is walked by `nearest` itself.
    nights : int32 of shape (n, 2): swap nights before and inside each bar; (0, 2): none.
    market, limits : one-item MARKET and LIMITS arrays; the breach is written into `limits`.
    books, orders, events : rows of `new_book`, `new_orders`, `new_events`; row 0 holds the true
        state and the events, the others are scratch.
    trials : three-item LIMITS array, scratch.
    marks : float64 of shape (2, n): with `until_event`, balance with open P&L of this book, and
        its margin, are written after each bar played.
    """
    for i in range(first, stop):
        if until_event:
            keep_state(KEPT, books, orders, limits, trials)
        if len(nights) > 0:
            market[0].nights_before = nights[i, 0]
            market[0].nights_inside = nights[i, 1]
        inner_bars, begin, end, policy = bars, i, i + 1, int(market[0].intrabar)
        if len(spans) > 0:
            policy = NEAREST
            if spans[i, 0] < spans[i, 1]:
                inner_bars, begin, end = lower, spans[i, 0], spans[i, 1]
        walk_bar(
            bars[i], inner_bars, begin, end, policy,
            market, books, orders, limits, trials, events,
        )  # fmt: skip
        if not until_event:
            continue
        book = books[0]
        if book.events > 0 or book.ambiguous != 0 or limits[0].breach != BREACH_NONE:
            restore_state(KEPT, books, orders, limits, trials)
            return i
        marks[0, i] = book.balance + book.open_pnl
        marks[1, i] = book.margin
    return stop
