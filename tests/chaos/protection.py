"""How long a position had no working stop at the venue, by the venue's own books.

An exit at market that works covers it as well; one that closes whatever is held covers all plans.
Time in which the market is shut does not count: nothing can happen in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.record import Pause
from tests.chaos.venue import OutsideBooks, OutsideOrder

_SECOND_NS = 1_000_000_000
_NEVER = 1 << 62

Span = tuple[int, int]


@dataclass(frozen=True)
class Unprotected:
    """Seconds of market time; `within` leaves out the time in which no process ran."""

    whole: float = 0.0
    within: float = 0.0
    longest: float = 0.0


def unprotected(books: OutsideBooks, pauses: Sequence[Pause]) -> Unprotected:
    """Measure each plan's open times against its stops' working times."""
    downs = [(item.before, item.after) for item in pauses if item.is_gap]
    covering = ("STOP", "EXIT")
    bare: list[Span] = []
    for plan_id in sorted({fill.plan_id for fill in books.fills}):
        stops = [_working(books, order) for order in books.orders
                 if order.plan_id in (plan_id, "") and order.role in covering]  # fmt: skip
        stops += books.shut
        for span in _open_spans(books, plan_id):
            bare += _minus([span], [item for item in stops if item is not None])
    ran = _minus(bare, downs)
    longest = max((_seconds([span]) for span in ran), default=0.0)
    return Unprotected(_seconds(bare), _seconds(ran), longest)


def _open_spans(books: OutsideBooks, plan_id: str) -> list[Span]:
    """Return the times in which a plan's position was open."""
    spans, held, since = [], 0.0, 0
    for fill in books.fills:
        if fill.plan_id != plan_id:
            continue
        before, held = held, round(held + fill.side * fill.quantity, 9)
        if not before and held:
            since = fill.ts
        elif before and not held:
            spans.append((since, fill.ts))
    return [*spans, (since, books.now)] if held else spans


def _working(books: OutsideBooks, order: OutsideOrder) -> Span | None:
    """Return when a stop worked at the venue: a child from its parent's first fill on."""
    began = order.made
    if order.parent:
        fills = [fill.ts for fill in books.fills if fill.order == order.parent]
        if not fills:
            return None
        began = max(began, fills[0])
    if order.status == "REJECTED" and not order.filled:
        return None
    return began, _NEVER if order.is_alive else order.changed


def _minus(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """Return what is left of spans without the times in `holes`."""
    left = list(spans)
    for low, high in holes:
        parts = []
        for begin, end in left:
            parts += [(begin, min(end, low)), (max(begin, high), end)]
        left = [(begin, end) for begin, end in parts if begin < end]
    return left


def _seconds(spans: Sequence[Span]) -> float:
    return sum(end - begin for begin, end in spans) / _SECOND_NS
