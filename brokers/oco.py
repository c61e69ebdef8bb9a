"""Orders of which one cancels the others, where the venue does not do it."""

from __future__ import annotations

from typing import Any

from brokers.live_plan import LiveTicket


class OcoGroups:
    """Groups of one account; an order names the first of its group.

    Parameters
    ----------
    account : TellingAccount
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self.reset()

    def reset(self) -> None:
        """Begin a session: no groups."""
        self._members: dict[int, list[LiveTicket]] = {}

    def join(self, ticket: LiveTicket, first: LiveTicket | None) -> None:
        """Take an order into the group that `first` began."""
        if first is not None and ticket.request.oco is not None:
            self._members.setdefault(ticket.request.oco, [first]).append(ticket)

    def first_of(self, ticket: LiveTicket) -> str:
        """Return our id of the order its group began with, for a venue that keeps groups."""
        members = self._members.get(ticket.request.oco or 0)
        if ticket.child is not None or members is None:
            return ""
        return members[0].order_id if self._account.capabilities.one_cancels_other else ""

    def after_fill(self, ticket: LiveTicket) -> None:
        """Cancel the others of a filled order's group; what they fill yet is closed at once."""
        if self._account.capabilities.one_cancels_other or ticket.child is not None:
            return
        key = int(ticket.order.ref) if ticket.request.oco is None else ticket.request.oco
        for other in self._members.get(key, ()):
            if other is not ticket and not other.is_over:
                done = other.plan.size(other.executed_steps)
                self._account.refuse_fills(other, "overfill", done)
                self._account.cancel_ticket(other, "oco")
