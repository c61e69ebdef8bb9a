"""Stops and targets in line with what is open, whoever keeps them.

Where the venue keeps none they are orders of ours: the stop is placed the instant the entry fills
and always covers exactly what is open; each target is a limit for its leg; whichever fills makes
the others smaller, and a flat position has no order left. Where the venue keeps them, what it does
not do by itself is done here. A venue that fills both before it hears of the first leaves a
position nobody wanted: it is flattened (`brokers.telling`).
"""

from __future__ import annotations

import logging
from typing import Any

from brokers.live_plan import LivePlan, LiveTicket
from brokers.moves import is_near
from brokers.orders import Whole
from brokers.port import Brackets, Distances
from brokers.sending import priced
from core.events import OrderStatus
from core.orders import OrderKind, Role, TimeInForce

logger = logging.getLogger(__name__)

MOST_MENDS = 2
"""How often one stop is put back; one that vanishes again is given up and the position closed."""


class KeptBrackets:
    """Follows the fills of one account and keeps the children of its entries in line.

    Parameters
    ----------
    account : TellingAccount

    Attributes
    ----------
    lost : stops that ended unasked while their position was open.
    uneven : parents of brackets of which the venue refused to change an order.
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self.reset()

    def reset(self) -> None:
        """Begin a session: nothing is lost."""
        self.lost: list[LiveTicket] = []
        self.uneven: list[LiveTicket] = []

    # -- after a fill ------------------------------------------------------------------------

    def after_fill(self, ticket: LiveTicket) -> None:
        """Bring the plan's brackets in line with what is open."""
        plan = ticket.plan
        own = self._account.family_of(ticket)[0]
        for parent in plan.brackets:
            self.cover(parent, ticket if parent is own else None)
        self._end_closed(plan)

    def align(self, ticket: LiveTicket) -> None:
        """Bring one bracket in line after the venue told terms of one of its orders."""
        if len(ticket.family) > 1:
            parent = self._account.family_of(ticket)[0]
            if parent.open_steps:
                self.cover(parent)

    def cover(self, parent: LiveTicket, filled: LiveTicket | None = None) -> None:
        """Let the stop cover what a bracket holds open, and the targets no more than that.

        Parameters
        ----------
        filled : the order of it that has just filled; a target may take the stop along.
        """
        able = self._account.capabilities
        children = [child for child in self._account.family_of(parent)[1:] if not child.is_over]
        if not children:
            return
        if all(child.is_native for child in children):
            if able.legs or not self._account.is_done(parent):
                return  # the venue sizes them, or may still fill what they are sized for
            self._to_planned_prices(children)
            if able.brackets is Brackets.ON_POSITION:
                self._show_steps(children, parent.open_steps)
                return
        left = parent.open_steps
        for child in children:
            if child.is_stop:
                self._set_steps(child, parent.open_steps, self._taken_along(child, filled))
            else:
                wanted = min(self._leg_steps(child), left)
                left -= wanted
                self._set_steps(child, wanted)

    def _show_steps(self, children: list[LiveTicket], steps: int) -> None:
        """Show what prices of a position cover: all of it, whatever it is."""
        for child in children:
            if child.remaining != steps:
                self._account.show(child, steps, None, None)

    def _leg_steps(self, ticket: LiveTicket) -> int:
        assert ticket.child is not None
        leg = int(ticket.plan.steps_of(ticket.child.quantity))
        return max(0, leg - ticket.executed_steps)

    def _set_steps(self, ticket: LiveTicket, steps: int, price: float | None = None) -> None:
        """Send a child, resize it (and move it to a price), or end it."""
        account = self._account
        if ticket.cancel_wanted or ticket.lost_at is not None or ticket.replacing is not None:
            return
        if steps <= 0:
            if ticket.is_sent and not ticket.is_native:
                account.cancel_ticket(ticket, "position_closed")
            return
        if not ticket.is_sent:
            account.show(ticket, steps, None, None)
            account.sender.send(ticket, steps)
            return
        asked = ticket.plan.steps_of(ticket.asked or 0.0) - ticket.executed_steps
        is_sized = steps == (ticket.remaining if ticket.asked is None else asked)
        if is_sized and price is None:
            return
        if account.now - ticket.refused_at < account.terms.retry_ns:
            self.leave_uneven(ticket)
        else:
            account.sender.change(ticket, steps=None if is_sized else steps, price=price)

    def leave_uneven(self, ticket: LiveTicket) -> None:
        """Come back to a bracket later: the venue refused to change one of its orders."""
        parent = self._account.family_of(ticket)[0]
        if not any(item is parent for item in self.uneven):
            self.uneven.append(parent)

    def _taken_along(self, stop: LiveTicket, filled: LiveTicket | None) -> float | None:
        """Return where a filled target takes the stop, None where it does not, or to more risk."""
        if filled is None or filled.child is None or stop.wanted_price is None:
            return None
        tick = stop.plan.facts.tick
        price = priced(filled.child.stop_to, OrderKind.STOP, Role.STOP, stop.side, tick)
        if price is None or (price - stop.wanted_price) * -int(stop.side) <= 0:
            return None
        return price

    def _to_planned_prices(self, children: list[LiveTicket]) -> None:
        """Bring children that the venue counted from the fill to their planned prices."""
        if self._account.capabilities.bracket_prices is not Distances.FROM_FILL:
            return
        for child in children:
            part = child.parts[-1]
            is_there = part.price is None or is_near(child, part.price, child.wanted_price)
            if not (is_there or child.changing or part.changes):
                self._account.sender.change(child, price=child.wanted_price)

    def _end_closed(self, plan: LivePlan) -> None:
        """Leave no order of a bracket at work that holds nothing open any more."""
        account = self._account
        for ticket in account.working_of(plan):
            parent = account.family_of(ticket)[0]
            if len(ticket.family) < 2 or parent.open_steps or not parent.executed_steps:
                continue
            if ticket is parent:
                is_kept = not account.family_of(ticket)[1].is_native
                if is_kept or not account.capabilities.legs:
                    account.cancel_ticket(ticket, "position_closed")
            elif ticket.is_held and not parent.is_over:
                continue
            else:
                self._end_child(ticket)

    def _end_child(self, ticket: LiveTicket) -> None:
        """End a child of a closed bracket, where the venue does not do it by itself."""
        account, able = self._account, self._account.capabilities
        if ticket.is_native and able.brackets is Brackets.ON_POSITION:
            if ticket.executed_steps:
                account.complete(ticket)
            else:
                account.end(ticket, "cancelled", "position_closed")
        elif ticket.lost_at is not None or ticket.waits_to_end:
            account.tell(ticket)
        elif not (ticket.is_native and able.cancels_children_of_flat):
            account.cancel_ticket(ticket, "position_closed")

    # -- after an end ------------------------------------------------------------------------

    def after_parent_end(self, parent: LiveTicket) -> None:
        """Let a parent with nothing open take its children along."""
        if parent.open_steps:
            self.cover(parent)
            return
        account = self._account
        on_position = account.capabilities.brackets is Brackets.ON_POSITION
        is_refused = bool(parent.parts) and account.heard_of(parent).refusal is not None
        for child in account.family_of(parent)[1:]:
            if child.is_over or (is_refused and child.is_native):
                continue
            if not child.is_sent or not parent.executed_steps or on_position:
                account.end(child, "cancelled", "parent_ended")
            else:
                self._end_child(child)

    def may_not_end(self, ticket: LiveTicket, whole: Whole) -> bool:
        """Whether the end of a child is not to be told yet.

        The fill that explains it may come after it; a stop whose position stays open is put back.
        """
        ticket.waits_to_end = False
        if ticket.child is None or ticket.cancel_wanted:
            return False
        account = self._account
        parent = account.family_of(ticket)[0]
        if ticket.is_native and parent.parts and not account.is_done(parent):
            ticket.waits_to_end = True
            return True
        if not parent.open_steps or not (ticket.is_stop or self._ended_with_day(ticket)):
            return False
        said_no = whole.refusal is not None or whole.status is OrderStatus.REJECTED
        if said_no or ticket.mended >= MOST_MENDS:
            self.give_up(ticket, "stop_refused" if said_no else "stop_removed")
            return False
        self.miss(ticket)
        if self._is_of_before(ticket):
            self.put_back(ticket)
        return True

    def _ended_with_day(self, ticket: LiveTicket) -> bool:
        """Whether a child ended because its day did, at a venue that has no orders for longer."""
        close_at = int(ticket.plan.cell["close_at"][0])
        is_over = 0 < close_at <= self._account.now
        return self._is_of_before(ticket) or (self._is_daily and is_over)

    @property
    def _is_daily(self) -> bool:
        return TimeInForce.GTC not in self._account.capabilities.times_in_force

    def _is_of_before(self, ticket: LiveTicket) -> bool:
        """Whether a child was sent on an earlier day than this, and ended with that.

        No fill that is still to come explains such an end, so that there is nothing to wait for.
        """
        began = self._account.day_began
        return self._is_daily and all(part.sent_at < began for part in ticket.current)

    def miss(self, ticket: LiveTicket) -> None:
        """Note that a stop is not at the venue though nothing was heard of its end."""
        if ticket.lost_at is None:
            ticket.lost_at = self._account.now
            self.lost.append(ticket)
            self._account.look_at_protection(ticket.plan)

    def mend(self, now: int, wait_ns: int) -> None:
        """Put back stops that have been missing for a while; ask again for refused changes."""
        due = [ticket for ticket in self.lost if now - (ticket.lost_at or 0) >= wait_ns]
        for ticket in due:
            self.put_back(ticket)
        uneven, self.uneven = self.uneven, []
        for parent in uneven:
            if parent.open_steps:
                self.cover(parent)

    def put_back(self, ticket: LiveTicket) -> None:
        """Place a stop anew that ended while its position is open.

        It stays lost while the venue denies to hold that: the stop could open a position.
        """
        account = self._account
        self.lost = [item for item in self.lost if item is not ticket]
        parent = account.family_of(ticket)[0]
        if ticket.lost_at is None or ticket.is_over:
            return
        if parent.open_steps > account.held_at_venue(ticket.plan):
            self.lost.append(ticket)
            return
        if not parent.open_steps:
            ticket.lost_at = None
            account.tell(ticket)
        elif ticket.mended >= MOST_MENDS:
            self.give_up(ticket, "stop_removed")
        else:
            ticket.mended = 0 if self._is_of_before(ticket) else ticket.mended + 1
            logger.warning(
                "%s put back order=%s plan=%s",
                ticket.role.name.lower(), ticket.order_id, ticket.plan.plan_id,
            )  # fmt: skip
            most = parent.open_steps
            self._place_anew(ticket, most if ticket.is_stop else min(ticket.remaining, most))

    def succeed(self, ticket: LiveTicket) -> None:
        """Place a stop anew at once: whoever sent it has died, and it may never arrive.

        Should it do so, it ends as any order does whose place another has taken.
        """
        self.miss(ticket)
        self.put_back(ticket)

    def _place_anew(self, ticket: LiveTicket, steps: int) -> None:
        account = self._account
        if ticket.is_native and account.capabilities.brackets is Brackets.ON_POSITION:
            account.sender.change(ticket, price=ticket.wanted_price)  # lost until it is confirmed
            return
        ticket.lost_at = None
        ticket.is_native = False
        for part in ticket.parts:
            part.is_retired = True
        account.sender.send(ticket, steps)
        account.show(ticket, steps, None, None)

    def give_up(self, ticket: LiveTicket, reason: str) -> None:
        """Close what a stop should cover: it cannot be had."""
        parent = self._account.family_of(ticket)[0]
        self._account.close_plan(ticket.plan, reason, steps=parent.open_steps)

    def found(self, ticket: LiveTicket) -> None:
        """Note that a stop that was missing is there."""
        ticket.lost_at = None
        self._account.look_at_protection(ticket.plan)
