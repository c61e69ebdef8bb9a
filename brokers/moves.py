"""An order at the venue stands elsewhere than we asked: whose move was it, and is it welcome?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brokers.live_plan import LiveTicket
from core.orders import OrderKind


@dataclass(frozen=True, slots=True)
class Move:
    """A price of an order that another hand changed.

    adds_risk : it is a protecting stop, further from the market than before. is_undone : it goes
    back to where it was.
    """

    before: float
    after: float
    adds_risk: bool
    is_undone: bool


def is_near(ticket: LiveTicket, one: float | None, other: float | None) -> bool:
    """Whether two prices are the same on the tick of an order's instrument."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < 0.5 * float(ticket.plan.facts.tick)


def judge_price(
    ticket: LiveTicket,
    family: Sequence[LiveTicket],
    before: float | None,
    price: float,
    restores: bool,
) -> Move | None:
    """Return the move that brought an order to a price, None where it was ours or the venue's own.

    Parameters
    ----------
    before : where the venue told it to stand before, None if this is the first it tells.
    restores : a stop moved to more risk goes back.

    Notes
    -----
    The venue's own moves are a trail, and a stop that a filled target takes along.
    """
    wanted = ticket.wanted_price
    if before is None or ticket.changing or is_near(ticket, price, before):
        return None
    if wanted is None or is_near(ticket, price, wanted):
        return None
    takes_along = any(
        member.child is not None and is_near(ticket, price, member.child.stop_to)
        for member in family
        if member.child is not None and member.child.stop_to is not None
    )
    if ticket.kind is OrderKind.TRAILING_STOP or (ticket.is_native and takes_along):
        ticket.wanted_price = price
        return None
    adds_risk = ticket.is_stop and (price - wanted) * int(ticket.side) > 0
    return Move(wanted, price, adds_risk, adds_risk and restores)
