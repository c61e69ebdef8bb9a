"""Writing down what happens: the one place that appends to a walk's event list."""

from __future__ import annotations

from typing import Any

from core.compile import inner
from core.matching.records import ENDED


@inner
def add_event(book: Any, events: Any, kind: int, order_id: int, side: int, reason: int) -> int:
    """Append an event with the book's present position and return its index."""
    i = int(book.events)
    if i >= len(events):
        raise ValueError("event list full: too many orders in one bar")
    event = events[i]
    event.kind = kind
    event.order_id = order_id
    event.side = side
    event.reason = reason
    event.quantity = 0
    event.price = 0.0
    event.costs = 0.0
    event.pnl = 0.0
    event.steps = book.steps
    event.average = book.average
    event.adverse = book.adverse
    event.favourable = book.favourable
    event.equity = 0.0
    event.ts_event = 0
    event.at_open = book.at_open
    event.ambiguous = 0
    book.events = i + 1
    return i


@inner
def end_order(k: int, kind: int, reason: int, book: Any, orders: Any, events: Any) -> None:
    """End order slot k without a fill and say so."""
    order = orders[k]
    order.status = ENDED
    add_event(book, events, kind, order.order_id, order.side, reason)
