"""What a snapshot of the venue's own books settles, and where it differs from ours.

First everything it tells is learned like any other event: fills once, orders as a join. Then it
tells by what it lacks: an order that was sent long before and is in two snapshots in a row not
among the venue's has never arrived, or is gone. A stop that a dead process sent, and an
exit of ours, are not waited for: others take their place. What still differs is named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.orders import NEVER_ARRIVED, gone, refused
from brokers.port import Brackets
from brokers.reconcile import (
    Believed,
    BelievedOrder,
    Difference,
    PositionDiffers,
    compare,
    find_order,
    net_positions,
    quantities_of,
)
from core.events import Execution, OrderStatus, Snapshot

IN_A_ROW = 2
"""Snapshots that must lack an order before it is taken as not there."""


class Settling:
    """Takes the snapshots of one account.

    Parameters
    ----------
    account : HearingAccount

    Attributes
    ----------
    began : time of the first snapshot: what others did before is history, None before it.
    contested : by symbol, what the venue holds of it where our books say otherwise, as a signed
        quantity. After a restart at once, and though something a dead process sent may explain it:
        what was filled meanwhile may never be told.
    unexplained : symbols of which it is not known yet whether such a difference lasts.
    is_back : a record is gone on with, and no snapshot was heard since.
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self.reset()

    def reset(self) -> None:
        """Begin a session: no snapshot was heard."""
        self.began: int | None = None
        self.contested: dict[str, float] = {}
        self._filled_at: dict[str, int] = {}
        self._differed: dict[str, PositionDiffers] = {}
        self.unexplained: frozenset[str] = frozenset()
        self.is_back = self._is_doubtful = False

    def note_restart(self) -> None:
        """A record is gone on with: the next snapshot is the first of another process."""
        self.is_back = self._is_doubtful = True

    def hear(self, snapshot: Snapshot) -> list[Difference]:
        """Learn what a snapshot tells and lacks; return what differs. A failed one is unknown."""
        if snapshot.error:
            return []
        account = self._account
        is_first = self.began is None
        if self.began is None:
            self.began = max(snapshot.ts_event, snapshot.asked_at)
        before = self.believed()
        account.start_collecting()
        self._learn(snapshot)
        self._learn_absent(snapshot)
        account.strangers.place()
        account.position_prices.repeat()
        believed = self.believed()
        lasting = self._lasting(compare(snapshot, believed), is_first)
        found = [*account.collected(), *quantities_of(snapshot, before), *lasting]
        doubted = lasting
        if self._is_doubtful:
            doubted = compare(snapshot, replace(believed, unsettled=frozenset()))
            self._is_doubtful = self._has_orphans()
        self.is_back = False
        self.unexplained = _symbols(doubted) - _symbols(lasting)
        self.contested = {
            item.symbol: item.theirs
            for item in doubted
            if isinstance(item, PositionDiffers) and self._is_after_fills(snapshot, item.symbol)
        }
        for difference in found:
            account.act_on(difference)
        return found

    def _has_orphans(self) -> bool:
        """Whether something that a dead process sent may still be on its way."""
        account = self._account
        return any(
            part.is_orphan and account.book.sent(part.order_id).is_in_flight
            for ticket in account.tickets()
            for part in ticket.parts
        )

    def note_fill(self, symbol: str) -> None:
        """A fill of ours is being booked: what was told before it of the position is past."""
        self.contested.pop(symbol, None)
        self._filled_at[symbol] = self._account.now

    def _is_after_fills(self, snapshot: Snapshot, symbol: str) -> bool:
        return snapshot.asked_at > self._filled_at.get(symbol, -1)

    def _learn(self, snapshot: Snapshot) -> None:
        account = self._account
        if snapshot.account is not None:
            account.hear_account(snapshot.account)
        for execution in snapshot.executions:
            if not self._is_history(execution):
                account.hear(execution)
        for flow in snapshot.flows:
            # What is of an instrument was earned by our positions; a payment is another's act.
            if flow.symbol and flow.ts_event > (self.began or 0):
                account.hear_cash(flow)
        for update in snapshot.orders:
            account.hear(update)
        account.venue_positions.clear()
        for position in snapshot.positions:
            account.hear_position(position)

    def _is_history(self, execution: Execution) -> bool:
        """Whether a fill is of an order of no session of ours, from before this one."""
        if execution.ts_event > (self.began or 0) or execution.position_id in self._positions():
            return False
        account = self._account
        if any(account.ticket_of(item) for item in (execution.order_id, execution.tag)):
            return False
        known = account.book.at_venue(execution.venue_order_id)
        return known is None or account.ticket_of(known.order_id) is None

    def _positions(self) -> set[str]:
        return {item for plan in self._account.plans for item in plan.positions}

    # -- what a snapshot lacks ---------------------------------------------------------------

    def _learn_absent(self, snapshot: Snapshot) -> None:
        held = net_positions(snapshot.positions)
        for ticket in self._account.tickets():
            for part in list(ticket.parts):
                if part.is_retired:
                    self._count_lost(snapshot, ticket, part)
                elif self._is_listed(ticket, part):
                    self._count_absence(snapshot, ticket, part, held)

    def _is_listed(self, ticket: LiveTicket, part: Part) -> bool:
        """Whether the venue's order book would list a part that is at the venue."""
        able = self._account.capabilities
        if not ticket.is_native:
            return True
        if able.brackets is Brackets.ON_POSITION:
            return False
        status = self._account.book.sent(part.order_id).status
        return status >= OrderStatus.WORKING or (
            status is OrderStatus.HELD and able.shows_held_children
        )

    def _count_absence(
        self, snapshot: Snapshot, ticket: LiveTicket, part: Part, held: dict[str, float]
    ) -> None:
        account = self._account
        known = account.book.sent(part.order_id)
        if find_order(snapshot, self._believe(ticket, part)) is not None:
            part.misses = 0
            return
        is_held = held.get(ticket.plan.symbol, 0.0) * ticket.plan.position_steps > 0
        if part.is_orphan and known.is_in_flight and is_held:
            if ticket.is_stop:
                account.brackets.succeed(ticket)
                return
            if ticket.is_forced:
                account.sender.succeed(ticket)
                return
        wait = account.terms.settle_ns if known.is_in_flight else 0
        since = part.sent_at if known.is_in_flight else part.heard_at
        if known.is_over or snapshot.asked_at - since < max(1, wait):
            return
        part.misses += 1
        if part.misses >= IN_A_ROW:
            never = refused(part.order_id, NEVER_ARRIVED)
            account.book.learn(never if known.is_in_flight else gone(part.order_id))
            account.tell(ticket)
        elif ticket.is_stop and is_held:
            account.brackets.miss(ticket)

    def _count_lost(self, snapshot: Snapshot, ticket: LiveTicket, part: Part) -> None:
        """Give up what a dead process sent and another part has taken the place of."""
        account = self._account
        is_open = part.is_orphan and account.book.sent(part.order_id).is_in_flight
        if not is_open or snapshot.asked_at - part.sent_at < max(1, account.terms.settle_ns):
            return
        part.misses += 1
        if part.misses >= IN_A_ROW:
            account.book.learn(refused(part.order_id, NEVER_ARRIVED))
            account.tell(ticket)

    # -- what is compared --------------------------------------------------------------------

    def believed(self) -> Believed:
        """Return what the broker believes of the account."""
        account = self._account
        orders = [
            self._believe(ticket, part)
            for ticket in account.tickets()
            for part in ticket.current
            if account.book.sent(part.order_id).is_alive or self._is_position_price(ticket)
        ]
        symbols = {plan.symbol for plan in account.plans}
        positions = {symbol: account.hands.held(symbol) for symbol in sorted(symbols)}
        for plan in account.plans:
            positions[plan.symbol] += plan.size(plan.position_steps)
        return Believed(
            tuple(orders),
            frozenset(account.order_ids()),
            positions,
            frozenset(plan.symbol for plan in account.plans if self._is_unsettled(plan)),
            account.balance,
            None if self._is_balance_a_convention() else account.terms.balance_tolerance,
        )

    def _is_balance_a_convention(self) -> bool:
        """Whether a venue may have realised other money than our books: equity alone is the same.

        On a netting account it realises the net of all plans and hands, on a hedging one what
        stands against another position is still open.
        """
        account = self._account
        held = [plan.symbol for plan in account.plans if plan.position_steps]
        held += {plan.symbol for plan in account.plans if account.hands.held(plan.symbol)}
        return len(held) > len(set(held)) or any(
            plan.paired_steps or plan.realises_by_convention for plan in account.plans
        )

    def _is_position_price(self, ticket: LiveTicket) -> bool:
        on_position = self._account.capabilities.brackets is Brackets.ON_POSITION
        parent = self._account.family_of(ticket)[0]
        return ticket.is_native and on_position and parent.open_steps > 0

    def _believe(self, ticket: LiveTicket, part: Part) -> BelievedOrder:
        known = self._account.book.sent(part.order_id)
        is_lone = len(ticket.current) == 1
        left = ticket.plan.size(ticket.remaining) if is_lone else known.quantity - known.filled
        is_settled = not (
            ticket.changing or part.cancel_asked or ticket.retiring or ticket.replacing is not None
        )
        return BelievedOrder(
            order_id=part.order_id,
            venue_order_ids=known.venue_order_ids,
            plan_id=ticket.plan.plan_id,
            symbol=ticket.plan.symbol,
            role=ticket.role,
            quantity=left,
            price=ticket.wanted_price,
            is_shown=self._is_listed(ticket, part),
            is_settled=is_settled,
            heard_at=part.heard_at,
            on_position=self._is_position_price(ticket),
        )

    def _is_unsettled(self, plan: LivePlan) -> bool:
        """Whether something of a plan's symbol is in flight, so that positions may differ."""
        account = self._account
        if any(item.symbol == plan.symbol for _, item in account.strangers.waiting.values()):
            return True
        for ticket in account.working_of(plan):
            if ticket.held_back or (ticket.parts and account.heard_of(ticket).missing):
                return True
            if not ticket.is_native and any(
                account.book.sent(part.order_id).is_in_flight for part in ticket.current
            ):
                return True
        return False

    def _lasting(self, found: list[Difference], is_first: bool) -> list[Difference]:
        """Leave out positions that differ for the first time: a fill may be on its way to us."""
        differing = {item.symbol: item for item in found if isinstance(item, PositionDiffers)}
        before, self._differed = self._differed, differing
        return [
            item
            for item in found
            if not isinstance(item, PositionDiffers)
            or is_first
            or before.get(item.symbol) == replace(item)
        ]


def _symbols(found: list[Difference]) -> frozenset[str]:
    """Return the symbols whose positions differ."""
    return frozenset(item.symbol for item in found if isinstance(item, PositionDiffers))
