"""From an order of ours to orders at the venue: slices, terms it takes, changes, ends.

One order of ours is one order at the venue, but for three reasons: it is larger than the
instrument's freeze quantity, it closes several positions of a hedging account, or the venue cannot
change what has to be changed. All parts are one order to Backtrader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brokers.live_plan import LiveTicket, Part
from brokers.orders import asked_for
from brokers.port import (
    Brackets,
    OrderChangeRequest,
    PositionPrices,
    ProtectionRequest,
    VenueOrder,
)
from brokers.shares import Share, Shares
from core.matching.book import order_price
from core.orders import ChildRequest, OrderKind, OrderRequest, Role, Side, TimeInForce

STAND_INS = {
    TimeInForce.GTC: (TimeInForce.GTC, TimeInForce.DAY),
    TimeInForce.DAY: (TimeInForce.DAY, TimeInForce.GTC),
    TimeInForce.GTD: (TimeInForce.GTD, TimeInForce.GTC, TimeInForce.DAY),
    TimeInForce.IOC: (TimeInForce.IOC,),
}
"""What is sent for a time in force: the first of these that the venue takes. An end that the venue
does not keep is kept by us (`brokers.time_rules`)."""


def priced(
    price: float | None, kind: OrderKind, role: Role, side: Side, tick: float
) -> float | None:
    """Return a price on the tick, as it is sent; None stays None."""
    if price is None:
        return None
    sent = order_price(price, kind, role, side, tick)
    return None if sent != sent else float(sent)


class Sender:
    """Asks the venue of one account for orders, their changes and their ends.

    Parameters
    ----------
    account : LiveAccount
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self._shares = Shares(account)

    # -- what the venue takes ----------------------------------------------------------------

    def refusal(self, request: OrderRequest) -> str:
        """Return why the venue cannot take a group as it is, "" if it can."""
        able = self._account.capabilities
        kinds = {request.kind, *(child.kind for child in request.children)}
        if not kinds <= able.order_kinds:
            return "unsupported_order_type"
        return "" if self.time_in_force(request) is not None else "unsupported_time_in_force"

    def time_in_force(self, request: OrderRequest) -> TimeInForce | None:
        """Return the time in force an order is sent with, None if there is none for it."""
        able = self._account.capabilities.times_in_force
        return next((item for item in STAND_INS[request.time_in_force] if item in able), None)

    def keeps_natively(self, request: OrderRequest) -> bool:
        """Whether the venue takes this group's children with the entry."""
        able = self._account.capabilities
        if able.brackets is Brackets.NONE or not request.children or request.reduces:
            return False
        targets = [child for child in request.children if child.role is Role.TARGET]
        stops = len(request.children) - len(targets)
        simple = (
            len(targets) <= 1
            and stops <= 1
            and all(child.stop_to is None for child in targets)
            and all(child.quantity >= request.quantity for child in targets)
        )
        roles = {child.role for child in request.children}
        return roles <= able.bracket_roles and (able.legs or simple)

    def ends_with_session(self, ticket: LiveTicket) -> bool:
        """Whether an end that nobody asked for is that of its time: venues call it cancelled."""
        if ticket.cancel_wanted or ticket.child is not None:
            return False
        sent = self.time_in_force(ticket.request)
        cell = ticket.plan.cell
        close_at = int(cell["close_at"][0])
        is_another_day = int(cell["day"][0]) > ticket.sent_day >= 0  # it may be heard of late
        is_after = is_another_day or (bool(close_at) and self._account.now >= close_at)
        return sent is TimeInForce.IOC or (sent is TimeInForce.DAY and is_after)

    # -- new orders --------------------------------------------------------------------------

    def send_group(self, tickets: Sequence[LiveTicket]) -> None:
        """Send an entry or an exit, with its children where the venue keeps them."""
        parent = tickets[0]
        shares = self._shares.of(parent, parent.remaining)
        opening = [share for share in shares if share.opens]
        able = self._account.capabilities
        is_whole = len(opening) == 1 or (bool(opening) and able.prices_follow_fill)
        is_native = self.keeps_natively(parent.request) and is_whole
        for ticket in tickets[1:]:
            ticket.is_native = is_native
            self._want(ticket)
        self._want(parent)
        parent.is_sent = True
        given: tuple[ProtectionRequest, ...] = ()
        if is_native:
            given = tuple(self._given_along(ticket) for ticket in tickets[1:])
        for share in shares:
            role, children = (Role.ENTRY, given) if share.opens else (Role.EXIT, ())
            self._submit(parent, share, role, children)

    def send(self, ticket: LiveTicket, steps: int) -> None:
        """Send a child as an order of its own, or what is left of an order anew."""
        ticket.is_sent = True
        role = ticket.role
        for share in self._shares.of(ticket, steps):
            self._submit(ticket, share, role, ())

    def succeed(self, ticket: LiveTicket) -> None:
        """Send what is left of an order under another id: the first may never arrive."""
        for part in ticket.current:
            part.is_retired = True
        self.send(ticket, ticket.remaining)

    def _submit(
        self,
        ticket: LiveTicket,
        share: Share,
        role: Role,
        children: tuple[ProtectionRequest, ...],
    ) -> None:
        account, plan = self._account, ticket.plan
        number = len(ticket.parts) + 1
        order_id = ticket.order_id if number == 1 else f"{ticket.order_id}x{number}"
        quantity = plan.size(share.steps)
        part = Part(order_id, share.position_id, share.opens, account.now, account.now)
        ticket.parts.append(part)
        account.note_part(ticket, part)
        account.book.learn(asked_for(order_id, quantity))
        order = self._venue_order(ticket, part, role, quantity, children)
        account.outbox.submit(order, plan.start)

    def _venue_order(
        self,
        ticket: LiveTicket,
        part: Part,
        role: Role,
        quantity: float,
        children: tuple[ProtectionRequest, ...],
    ) -> VenueOrder:
        """Return an order as the venue gets it: the parent's terms, or a child's on its own."""
        request, child, plan = ticket.request, ticket.child, ticket.plan
        wanted: OrderRequest | ChildRequest = request if child is None else child
        sent_for = self.time_in_force(request if child is None else _LASTING)
        assert sent_for is not None  # refused before it was taken
        kind, price = wanted.kind, ticket.wanted_price
        if self._is_passed(ticket):  # venues refuse such a stop; it has triggered
            kind, price = OrderKind.MARKET, None
        return VenueOrder(
            order_id=part.order_id,
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=ticket.side,
            quantity=quantity,
            kind=kind,
            role=role,
            price=price,
            limit_price=ticket.wanted_limit,
            trail_amount=wanted.trail_amount,
            trail_percent=wanted.trail_percent,
            time_in_force=sent_for,
            expires=request.expires if sent_for is TimeInForce.GTD else None,
            product=self._account.capabilities.products[0],
            reduces=not part.opens,
            position_id=part.position_id,
            oco=self._account.oco.first_of(ticket),
            planned_entry=request.planned_entry,
            children=children,
        )

    def _is_passed(self, ticket: LiveTicket) -> bool:
        """Whether the market has passed a bracket's stop before it is sent: by the entry's price.

        A price from before the entry filled says nothing of it.
        """
        child, plan = ticket.child, ticket.plan
        if child is None or child.kind is not OrderKind.STOP or ticket.wanted_price is None:
            return False
        filled_at = int(self._account.family_of(ticket)[0].order.info.get("ts_event") or 0)
        is_fresh = plan.marked_at >= filled_at
        return bool(is_fresh and plan.has_passed(ticket.wanted_price, int(ticket.side)))

    def _want(self, ticket: LiveTicket) -> None:
        """Note where an order is to stand."""
        wanted = ticket.request if ticket.child is None else ticket.child
        tick, side, role = ticket.plan.facts.tick, ticket.side, ticket.role
        ticket.wanted_price = priced(wanted.price, wanted.kind, role, side, tick)
        ticket.wanted_limit = priced(wanted.limit_price, OrderKind.LIMIT, role, side, tick)
        ticket.welcome = ticket.plan.size(ticket.remaining)

    def _given_along(self, ticket: LiveTicket) -> ProtectionRequest:
        """Return a child as it goes with its parent, and expect it at the venue."""
        child, plan, account = ticket.child, ticket.plan, self._account
        assert child is not None
        ticket.is_sent = True
        part = Part(ticket.order_id, "", False, account.now, account.now)
        ticket.parts.append(part)
        account.note_part(ticket, part)
        account.book.learn(asked_for(ticket.order_id, child.quantity))
        return ProtectionRequest(
            ticket.order_id,
            child.role,
            ticket.wanted_price,
            child.kind,
            child.quantity,
            ticket.wanted_limit,
            child.trail_amount,
            child.trail_percent,
            priced(child.stop_to, OrderKind.STOP, Role.STOP, ticket.side, plan.facts.tick),
        )

    # -- changes -----------------------------------------------------------------------------

    def change(
        self,
        ticket: LiveTicket,
        *,
        steps: int | None = None,
        price: float | None = None,
        limit: float | None = None,
    ) -> None:
        """Ask for new terms of an order at the venue; None keeps what is.

        Parameters
        ----------
        steps : what is to be left of it, in lot steps.
        """
        if price is not None:
            ticket.wanted_price = price
        if limit is not None:
            ticket.wanted_limit = limit
        parts = [part for part in self._account.parts_at_work(ticket) if not part.is_retired]
        if steps is not None:
            ticket.welcome = max(ticket.welcome, ticket.plan.size(ticket.executed_steps + steps))
        if self._is_price_of_position(ticket):
            self._change_position(ticket)
        elif self._must_place_anew(parts, steps):
            self._place_anew(ticket, ticket.remaining if steps is None else steps)
        elif steps is not None and (
            len(parts) > 1 or self._shares.needs_more(ticket, parts, steps)
        ):
            self._change_parts(ticket, parts, steps, price, limit)
        else:
            for part in parts:
                self._modify(ticket, part, steps, price, limit)

    def _modify(
        self,
        ticket: LiveTicket,
        part: Part,
        steps: int | None,
        price: float | None,
        limit: float | None,
    ) -> None:
        plan, quantity = ticket.plan, None
        if steps is not None:
            quantity = self._account.book.sent(part.order_id).filled + plan.size(steps)
            if len(ticket.current) == 1:
                ticket.asked = plan.size(ticket.executed_steps + steps)
            if steps > ticket.remaining:  # it may be larger by the next fill
                self._account.show(ticket, steps, None, None)
        part.changes += 1
        ticket.changing += 1
        change = OrderChangeRequest(part.order_id, part.venue_order_id, quantity, price, limit)
        self._account.outbox.modify(change, plan.plan_id, plan.symbol)

    def _must_place_anew(self, parts: Sequence[Part], steps: int | None) -> bool:
        """Whether the venue cannot change an order as wanted."""
        able = self._account.capabilities
        most = able.changes_an_order
        if most is not None and any(part.changes >= most for part in parts):
            return True
        return steps is not None and not able.modifies_quantity

    def _change_parts(
        self,
        ticket: LiveTicket,
        parts: Sequence[Part],
        steps: int,
        price: float | None,
        limit: float | None,
    ) -> None:
        """Let more slices work, or fewer: none is larger than one order may be.

        Those go first whose position is closed, then the last ones.
        """
        lefts = [self._shares.left_of(ticket, part) for part in parts]
        over = sum(lefts) - steps
        if over < 0:
            self.send(ticket, -over)
        for part, left, cut in zip(
            parts, lefts, self._shares.cuts(ticket, parts, over), strict=True
        ):
            if cut == left:
                part.is_retired = True
                self._cancel_part(ticket, part)
            elif cut or price is not None or limit is not None:
                self._modify(ticket, part, left - cut if cut else None, price, limit)
        self._account.show(ticket, steps, None, None)

    def _place_anew(self, ticket: LiveTicket, steps: int) -> None:
        """Let a new order take the place of one that cannot be changed.

        A stop's new order comes first, and the old one ends once it works: never unprotected. Any
        other order ends first: both at work might both fill.
        """
        old = [part for part in self._account.parts_at_work(ticket) if not part.is_retired]
        if not ticket.is_stop:
            ticket.replacing = ticket.executed_steps + steps
            for part in old:
                self._cancel_part(ticket, part)
            return
        ticket.retiring += tuple(part.order_id for part in old)
        for part in old:
            part.is_retired = True
        self.send(ticket, steps)

    def follow(self, ticket: LiveTicket) -> bool:
        """Go on with an order that is being placed anew; say whether it still is."""
        book = self._account.book
        if ticket.retiring:
            new = [book.sent(part.order_id) for part in ticket.current]
            if all(order.is_alive or order.is_filled for order in new):
                self._retire(ticket)
            elif any(order.is_over for order in new):
                self._keep_old(ticket)
        self._end_strays(ticket)
        if ticket.replacing is not None and not self._account.parts_at_work(ticket):
            return self._send_replacement(ticket)
        return ticket.replacing is not None or bool(ticket.retiring)

    def _end_strays(self, ticket: LiveTicket) -> None:
        """End orders at the venue whose place another has taken."""
        for part in ticket.parts:
            is_stray = part.is_retired and part.order_id not in ticket.retiring
            if is_stray and self._account.book.sent(part.order_id).is_alive:
                self._cancel_part(ticket, part)

    def _retire(self, ticket: LiveTicket) -> None:
        """End the old orders: the new one works."""
        retiring, ticket.retiring = ticket.retiring, ()
        for part in self._account.parts_at_work(ticket):
            if part.order_id in retiring:
                self._cancel_part(ticket, part)

    def _keep_old(self, ticket: LiveTicket) -> None:
        """Go on with the old orders: the venue refused the new one."""
        for part in ticket.parts:
            part.is_retired = part.order_id not in ticket.retiring
            if not part.is_retired and part.price is not None:
                ticket.wanted_price, ticket.wanted_limit = part.price, part.limit_price
        ticket.retiring, ticket.refused_at = (), self._account.now
        self._account.brackets.leave_uneven(ticket)

    def _send_replacement(self, ticket: LiveTicket) -> bool:
        """Place anew what is left of an order whose old one has ended; say whether it was sent."""
        book, total = self._account.book, ticket.replacing or 0
        ticket.replacing = None
        filled = sum(book.sent(part.order_id).filled for part in ticket.parts)
        left = total - ticket.plan.steps_of(filled)
        if left <= 0 or ticket.cancel_wanted:
            return False
        for part in ticket.parts:
            part.is_retired = True
        self.send(ticket, left)
        self._account.show(ticket, left, None, None)
        return True

    # -- prices of a position ----------------------------------------------------------------

    def _is_price_of_position(self, ticket: LiveTicket) -> bool:
        on_position = self._account.capabilities.brackets is Brackets.ON_POSITION
        return ticket.is_native and on_position

    def _change_position(self, ticket: LiveTicket) -> None:
        """Send both prices of a position as they shall be."""
        account, plan = self._account, ticket.plan
        parent, *children = account.family_of(ticket)
        prices: dict[Role, float | None] = {Role.STOP: None, Role.TARGET: None}
        for child in children:
            if not child.is_over and not child.cancel_wanted:
                prices[child.role] = child.wanted_price
        waits = not account.is_done(parent)
        protection = PositionPrices(
            plan.symbol,
            plan.size(parent.open_steps) * int(parent.side),
            parent.order_id,
            parent.position_ids[0] if parent.position_ids else "",
            parent.venue_order_id if waits else "",
            prices[Role.STOP],
            prices[Role.TARGET],
        )
        part = ticket.parts[-1]
        part.changes += 1
        ticket.changing += 1
        change = OrderChangeRequest(
            part.order_id, part.venue_order_id, price=ticket.wanted_price, protection=protection
        )
        account.outbox.modify(change, plan.plan_id, plan.symbol)

    # -- ends --------------------------------------------------------------------------------

    def cancel(self, ticket: LiveTicket) -> None:
        """Ask the venue to end what works of an order."""
        ticket.cancel_wanted = True
        if self._is_price_of_position(ticket):
            self._change_position(ticket)
            return
        for part in self._account.parts_at_work(ticket):
            self._cancel_part(ticket, part)

    def _cancel_part(self, ticket: LiveTicket, part: Part) -> None:
        if part.cancel_asked:
            return
        part.cancel_asked = True
        plan = ticket.plan
        self._account.outbox.cancel(part.order_id, part.venue_order_id, plan.plan_id, plan.symbol)


_LASTING = OrderRequest(0, "", "", Side.SELL, 0.0, OrderKind.STOP)
"""Stands for a child's time in force: until it is cancelled."""
