"""How orders hang together: brackets, one-cancels-other groups, and their ends.

A bracket's stop always holds exactly what its parent opened and is still open; targets are cut to
it when they fill. A position made smaller by any other order shrinks the oldest bracket first, and
a bracket with nothing open has no orders left.
"""

from __future__ import annotations

from typing import Any

from core.bars import NEVER_NS
from core.compile import inner, kernel
from core.matching.events import add_event, end_order
from core.matching.fills import opened_by, take_fill
from core.matching.floors import trail_stop
from core.matching.records import (
    ACTIVE_EVENT,
    CANCEL_EVENT,
    CHANGE_EVENT,
    FILLED,
    NEW_AT_TRADE,
    OTHER_FILLED,
    PARENT_ENDED,
    POSITION_CLOSED,
    STOP,
    TARGET,
    TRAILING_STOP_ORDER,
    WAITING,
    WORKING,
)


@kernel
def slot_of(order_id: int, book: Any, orders: Any) -> int:
    """Return the slot of an order, -1 if it has none."""
    for k in range(book.count):
        if orders[k].order_id == order_id:
            return k
    return -1


@kernel
def end_tree(k: int, kind: int, reason: int, book: Any, orders: Any, events: Any) -> None:
    """End an order; the children of a parent that has nothing open end with it."""
    end_order(k, kind, reason, book, orders, events)
    if orders[k].has_children == 0 or orders[k].open_steps > 0:
        return
    for j in range(book.count):
        if orders[j].parent == orders[k].order_id and (
            orders[j].status == WAITING or orders[j].status == WORKING
        ):
            end_order(j, CANCEL_EVENT, PARENT_ENDED, book, orders, events)


@inner
def end_group(k: int, book: Any, orders: Any, events: Any) -> None:
    """End the other orders of a one-cancels-other group."""
    group = orders[k].oco
    if group == 0:
        return
    for j in range(book.count):
        if j != k and orders[j].oco == group and orders[j].status == WORKING:
            end_tree(j, CANCEL_EVENT, OTHER_FILLED, book, orders, events)


@inner
def say_changed(k: int, book: Any, orders: Any, events: Any) -> None:
    """Say that a working stop now has another quantity or trigger."""
    i = add_event(book, events, CHANGE_EVENT, orders[k].order_id, orders[k].side, 0)
    events[i].quantity = orders[k].quantity
    events[i].price = orders[k].price


@inner
def activate_children(k: int, market: Any, book: Any, orders: Any, events: Any) -> None:
    """Let the children of a filled parent work from the present price on.

    On a path it is still there. A trade is over with the parent's fill: they meet the next one.
    """
    for j in range(book.count):
        child = orders[j]
        if child.parent != orders[k].order_id or child.status != WAITING:
            continue
        child.status = WORKING
        if book.discrete != 0:
            child.triggered = NEW_AT_TRADE
        if child.kind == TRAILING_STOP_ORDER:
            trail_stop(child, market, book)
        add_event(book, events, ACTIVE_EVENT, child.order_id, child.side, 0)
        if child.role == STOP and child.quantity != orders[k].open_steps:
            child.quantity = orders[k].open_steps
            say_changed(j, book, orders, events)


@inner
def move_stop(k: int, book: Any, orders: Any, events: Any) -> None:
    """Move the stop beside filled target k to where the target says, only to less risk."""
    level = orders[k].stop_to
    if level != level:
        return
    for j in range(book.count):
        stop = orders[j]
        if stop.parent != orders[k].parent or stop.role != STOP or stop.status != WORKING:
            continue
        if (stop.side < 0 and level > stop.price) or (stop.side > 0 and level < stop.price):
            stop.price = level
            say_changed(j, book, orders, events)


@inner
def trim_brackets(book: Any, orders: Any) -> None:
    """Shrink what brackets hold open to the position, oldest first."""
    direction = 1 if book.steps > 0 else -1
    held = 0
    for k in range(book.count):
        order = orders[k]
        if order.has_children != 0 and order.open_steps > 0:
            if order.side != direction or book.steps == 0:
                order.open_steps = 0
            held += order.open_steps
    excess = held - abs(book.steps)
    for k in range(book.count):
        if excess > 0 and orders[k].has_children != 0:
            cut = min(excess, orders[k].open_steps)
            orders[k].open_steps -= cut
            excess -= cut


@inner
def has_waiting_child(k: int, book: Any, orders: Any) -> bool:
    """Say whether children of order k have yet to work: it has opened nothing so far."""
    for j in range(book.count):
        if orders[j].parent == orders[k].order_id and orders[j].status == WAITING:
            return True
    return False


@inner
def sync_children(k: int, book: Any, orders: Any, events: Any) -> None:
    """Resize the stop of bracket k to what is open; with nothing open, end what is left of it.

    Children still wait where the parent has only closed another position so far: they end if that
    was all of it, and wait on while more of it is to fill.
    """
    parent = orders[k]
    has_opened = not has_waiting_child(k, book, orders)
    if parent.open_steps == 0 and parent.status == WORKING and has_opened:
        end_order(k, CANCEL_EVENT, POSITION_CLOSED, book, orders, events)
    for j in range(book.count):
        child = orders[j]
        if child.parent != parent.order_id:
            continue
        if child.status == WAITING:
            if parent.status == FILLED:
                end_order(j, CANCEL_EVENT, POSITION_CLOSED, book, orders, events)
        elif child.status != WORKING:
            continue
        elif parent.open_steps == 0:
            end_order(j, CANCEL_EVENT, POSITION_CLOSED, book, orders, events)
        elif child.role == STOP and child.quantity != parent.open_steps:
            child.quantity = parent.open_steps
            say_changed(j, book, orders, events)


@inner
def sync_brackets(book: Any, orders: Any, events: Any) -> None:
    """Bring every bracket that has filled in line with the position."""
    trim_brackets(book, orders)
    for k in range(book.count):
        if orders[k].has_children != 0 and orders[k].filled > 0:
            sync_children(k, book, orders, events)


@inner
def fill_order(
    k: int, quantity: int, price: float, market: Any, book: Any, orders: Any, events: Any
) -> None:
    """Fill `quantity` steps of order k at a price, with all that follows for other orders."""
    order = orders[k]
    before = book.steps
    opened = opened_by(before, order.side, quantity)
    order.quantity -= quantity
    order.filled += quantity
    if order.quantity == 0:
        order.status = FILLED
    take_fill(order.order_id, order.side, quantity, price, 0, market, book, events)
    if opened > 0 and order.flat_at < NEVER_NS:
        fresh = before * order.side <= 0
        book.flat_at = order.flat_at if fresh else min(book.flat_at, order.flat_at)
    if order.parent != 0:
        parent = slot_of(order.parent, book, orders)
        if parent >= 0:
            orders[parent].open_steps -= quantity
        if order.role == TARGET:
            move_stop(k, book, orders, events)
    elif order.has_children != 0 and opened > 0:
        order.open_steps += opened
        activate_children(k, market, book, orders, events)
    sync_brackets(book, orders, events)
    end_group(k, book, orders, events)


@inner
def close_position(
    reason: int, price: float, market: Any, book: Any, orders: Any, events: Any
) -> None:
    """Close the whole position by the engine itself; its brackets end."""
    if book.steps == 0:
        return
    side = -1 if book.steps > 0 else 1
    take_fill(0, side, abs(book.steps), price, reason, market, book, events)
    sync_brackets(book, orders, events)
