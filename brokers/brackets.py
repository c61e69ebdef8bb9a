"""Stop and targets kept by us, where the venue does not keep them for an entry.

The stop is placed the instant the entry fills and always covers exactly what is open; each target
is a limit for its leg; whichever fills makes the others smaller, and a flat position has no order
left. A venue that fills both before it hears of the first leaves a position nobody wanted: it is
flattened.
"""

from __future__ import annotations

from typing import Any

from brokers.live_plan import LiveTicket
from brokers.port import OrderChangeRequest
from core.orders import Role


class KeptBrackets:
    """Follows the fills of one account and keeps the children of its entries in line.

    Parameters
    ----------
    broker : LiveBroker
    """

    def __init__(self, broker: Any) -> None:
        self._broker = broker

    def after_fill(self, ticket: LiveTicket, opened: bool) -> None:
        """Bring the children of a filled order's bracket in line with what is open."""
        broker = self._broker
        plan = ticket.plan
        if opened and not ticket.is_entry:
            broker.close_plan(plan, "overfill")
            return
        if plan.position_steps == 0:
            self._end_children(plan)
            return
        family = broker._family_of(ticket)
        if len(family) < 2 or broker._keeps_natively(ticket.request):
            return
        open_steps = self._open_steps(family)
        if ticket.child is not None and ticket.child.role is Role.TARGET:
            self._move_stop(family, ticket.child.stop_to)
        self._cover(family, open_steps)

    def _open_steps(self, family: list[LiveTicket]) -> int:
        """Return what the parent opened and its children have not closed, in lot steps."""
        plan = family[0].plan
        sizes = [abs(float(ticket.order.executed.size)) for ticket in family]
        return max(0, plan.steps_of(sizes[0]) - sum(plan.steps_of(size) for size in sizes[1:]))

    def _cover(self, family: list[LiveTicket], open_steps: int) -> None:
        """Let the stop cover what is open, and the targets no more than that."""
        left = open_steps
        for ticket in family[1:]:
            if ticket.is_stop:
                self._set_quantity(ticket, open_steps)
        for ticket in family[1:]:
            if not ticket.is_stop and not ticket.is_over:
                wanted = min(self._leg_steps(ticket), left)
                left -= wanted
                self._set_quantity(ticket, wanted)

    def _leg_steps(self, ticket: LiveTicket) -> int:
        assert ticket.child is not None
        plan = ticket.plan
        done = plan.steps_of(abs(float(ticket.order.executed.size)))
        return max(0, plan.steps_of(ticket.child.quantity) - done)

    def _set_quantity(self, ticket: LiveTicket, steps: int) -> None:
        """Send a child, resize it, or end it."""
        broker, plan = self._broker, ticket.plan
        if ticket.is_over or ticket.cancel_asked:
            return
        if steps <= 0:
            if ticket.is_sent:
                broker._cancel(ticket, "position_closed")
            return
        if not ticket.is_sent:
            broker._show(ticket, steps, None, None)
            ticket.is_sent = True
            broker.outbox.submit(
                broker._venue_order(ticket, ticket.child.role),
                plan.start,  # type: ignore[union-attr]
            )
        elif steps != ticket.remaining:
            done = abs(float(ticket.order.executed.size))
            change = OrderChangeRequest(
                ticket.order_id, ticket.venue_order_id, quantity=done + plan.size(steps)
            )
            broker.outbox.modify(change, plan.plan_id, plan.symbol)

    def _move_stop(self, family: list[LiveTicket], price: float | None) -> None:
        """Move the stop where a filled target says, only to less risk."""
        if price is None:
            return
        for ticket in family[1:]:
            if not ticket.is_stop or ticket.is_over:
                continue
            now = float(ticket.order.created.price)
            if (price - now) * (-1 if ticket.order.isbuy() else 1) > 0:
                change = OrderChangeRequest(ticket.order_id, ticket.venue_order_id, price=price)
                self._broker.outbox.modify(change, ticket.plan.plan_id, ticket.plan.symbol)

    def _end_children(self, plan: Any) -> None:
        """Leave no child of a flat position at work (the venue may have done it already)."""
        broker = self._broker
        for ticket in broker._working_of(plan):
            if ticket.child is None or (
                ticket.is_held and not broker._family_of(ticket)[0].is_over
            ):
                continue
            native = broker._keeps_natively(ticket.request)
            if native and broker.capabilities.cancels_children_of_flat:
                continue
            broker._cancel(ticket, "position_closed")
