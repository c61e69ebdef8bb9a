"""What the venue says: of orders, of the account, of what other hands did.

Whatever it says of an order is joined to what is known of it, and Backtrader is told the difference
(`brokers.telling`). Snapshots are learned the same way, then compared (`brokers.settling`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.live_terms import Foreign, LiveTerms
from brokers.moves import Move
from brokers.on_position import PositionBrackets
from brokers.orders import KnownOrder
from brokers.port import Brackets
from brokers.reconcile import Difference, StopMoved, TermsDiffer
from brokers.settling import Settling
from brokers.strangers import Strangers
from brokers.telling import TellingAccount
from core.events import (
    AccountUpdate,
    Answer,
    CashFlow,
    Execution,
    FloorMet,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    Snapshot,
    Verb,
)
from core.orders import Side

logger = logging.getLogger(__name__)


class HearingAccount(TellingAccount):
    """An account that hears its venue.

    Attributes
    ----------
    on_foreign : called with each fill of another hand.
    on_other_hand : called once with each thing another hand did, and what it shall lead to.
    """

    def __init__(self, cash: float, account_currency: str, terms: LiveTerms) -> None:
        self.on_foreign: Callable[[Execution], None] = lambda execution: None
        self.on_other_hand: Callable[[Foreign, Difference], None] = lambda act, what: None
        self.position_prices = PositionBrackets(self)
        self.strangers = Strangers(self)
        self.settling = Settling(self)
        super().__init__(cash, account_currency, terms)

    def init(self) -> None:
        """Begin a session: flat, nothing heard. Called by Backtrader."""
        super().init()
        self.strangers.reset()
        self.settling.reset()
        self._answered: set[int] = set()
        self._found: list[Difference] | None = None
        self._acted: set[str] = set()

    def forced_exit(self, plan: LivePlan, side: Side, quantity: float, reason: str) -> LiveTicket:
        """Return an exit that no strategy asked for, as a real order."""
        raise NotImplementedError

    @property
    def awaits_books(self) -> bool:
        """Whether a record is gone on with, and the venue's own books were not heard since."""
        return self.settling.is_back

    @property
    def needs_snapshot(self) -> bool:
        """Whether something is not known that the venue's own books would tell."""
        return bool(self.strangers.waiting) or any(
            ticket.lost_at is not None or ticket.held_back or self._is_in_doubt(ticket)
            for ticket in self.tickets()
        )

    def _is_in_doubt(self, ticket: LiveTicket) -> bool:
        if not ticket.parts:
            return False
        whole = self.heard_of(ticket)
        # what a dead process sent no answer will tell of
        return (
            whole.is_uncertain
            or whole.missing > 0.0
            or any(
                part.is_orphan and self.book.sent(part.order_id).is_in_flight
                for part in ticket.parts
            )
        )

    # -- orders ------------------------------------------------------------------------------

    def hear(self, event: Answer | OrderUpdate | Execution) -> None:
        """Take what the venue says of an order."""
        self.now = max(self.now, event.ts_event)
        event = self._named(event)
        if event.venue_order_id or event.order_id:
            _, known = self.book.hear(event)
            ticket = self.ticket_known(known)
            if ticket is not None:
                self._note_heard(ticket, known, _is_sign_of_life(event))
                if isinstance(event, Answer) and event.verb is not Verb.SUBMIT:
                    self._hear_answer(ticket, event)
                self.tell(ticket)
            elif isinstance(event, Execution):
                self.strangers.hear(event)
        if self.strangers.waiting:
            self.strangers.place()

    def ticket_known(self, known: KnownOrder) -> LiveTicket | None:
        """Return the order of ours that something is known of, None where it is not ours."""
        return self._tickets.get(known.order_id) or self._tickets.get(known.tag)

    def _named(self, event: Answer | OrderUpdate | Execution) -> Any:
        """Return an event with our order's id, where the venue tells it as the tag alone."""
        if isinstance(event, Answer) or event.order_id:
            return event
        if event.tag in self._tickets:
            return replace(event, order_id=event.tag)
        if isinstance(event, OrderUpdate) and not self.capabilities.tag_chars:
            found = self._with_terms_of(event)
            return event if found is None else replace(event, order_id=found)
        return event

    def _with_terms_of(self, update: OrderUpdate) -> str | None:
        """Return our id of the one uncertain order with an update's terms; there are no tags."""
        if self.book.at_venue(update.venue_order_id) is not None:
            return None
        found = [
            part.order_id
            for ticket in self.tickets()
            if ticket.plan.symbol == update.symbol and ticket.side is update.side
            for part in ticket.current
            if self._is_like(ticket, part, update)
        ]
        return found[0] if len(found) == 1 else None

    def _is_like(self, ticket: LiveTicket, part: Part, update: OrderUpdate) -> bool:
        known = self.book.sent(part.order_id)
        if not known.is_uncertain or known.venue_order_ids or update.quantity is None:
            return False
        half = 0.5 * ticket.plan.facts.tick
        price = ticket.wanted_price
        near = price is None or update.price is None or abs(update.price - price) < half
        return near and abs(update.quantity - known.quantity) < 1e-9 * max(1.0, known.quantity)

    def _note_heard(self, ticket: LiveTicket, known: KnownOrder, is_alive: bool) -> None:
        """Note an order's id at the venue and its sign of life."""
        part = ticket.part(known.order_id) or self._unsent_part(ticket, known.order_id)
        if is_alive:
            part.heard_at, part.misses = self.now, 0
        if known.venue_order_ids and not part.venue_order_id:
            part.venue_order_id = min(known.venue_order_ids)

    def _unsent_part(self, ticket: LiveTicket, order_id: str) -> Part:
        """Return a new part for an order the venue has and we do not know to have sent."""
        part = Part(order_id, sent_at=self.now)
        ticket.parts.append(part)
        ticket.is_sent = True
        return part

    def tell(self, ticket: LiveTicket) -> None:
        """Tell Backtrader what is known of an order and it was not told yet."""
        super().tell(ticket)
        if ticket.child is None and self.capabilities.brackets is Brackets.ON_POSITION:
            self.position_prices.follow(ticket)

    def tell_execution(self, ticket: LiveTicket, execution: Execution) -> None:
        """Book one fill everywhere it counts; what the venue held before it is not doubted now."""
        self.settling.note_fill(ticket.plan.symbol)
        super().tell_execution(ticket, execution)

    # -- replies to changes and cancels ------------------------------------------------------

    def _hear_answer(self, ticket: LiveTicket, event: Answer) -> None:
        """Take the reply to a change or an end that was asked for."""
        if event.request_id in self._answered:
            return
        self._answered.add(event.request_id)
        if event.verb is Verb.MODIFY:
            ticket.changing = max(0, ticket.changing - 1)
        if event.outcome is Outcome.ACCEPTED:
            if event.verb is Verb.MODIFY:
                self._hear_changed(ticket)
            return
        part = ticket.part(event.order_id)
        if part is not None and event.verb is Verb.CANCEL:
            part.cancel_asked = False
        elif part is not None and event.outcome is Outcome.REFUSED and not ticket.changing:
            self._hear_unchanged(ticket, part)
        logger.warning(
            "request not done verb=%s order=%s outcome=%s reason=%s",
            event.verb.name, event.order_id, event.outcome.name, event.reason,
        )  # fmt: skip

    def _hear_changed(self, ticket: LiveTicket) -> None:
        """A change was made; of a price of a position no order tells."""
        if not (ticket.is_native and self.capabilities.brackets is Brackets.ON_POSITION):
            return
        if ticket.lost_at is not None:
            self.brackets.found(ticket)
        if ticket.cancel_wanted:
            self.end(ticket, "cancelled", ticket.end_reason or "cancelled")
        elif not ticket.is_over and ticket.wanted_price is not None:
            self.show(ticket, ticket.remaining, ticket.wanted_price, None)

    def _hear_unchanged(self, ticket: LiveTicket, part: Part) -> None:
        """A change was refused: the order stands where the venue has it."""
        ticket.asked, ticket.refused_at = None, self.now
        if ticket.wanted_price is not None:
            shown = float(ticket.order.created.price)
            ticket.wanted_price = shown if part.price is None else part.price
        part.version = -2  # what it said meanwhile is looked at again
        if ticket.lost_at is not None:
            self.brackets.give_up(ticket, "stop_refused")

    # -- the account -------------------------------------------------------------------------

    def hear_snapshot(self, snapshot: Snapshot) -> list[Difference]:
        """Learn all a venue holds, once; return where it differs from our books.

        A failed snapshot is unknown, never flat: it changes nothing.
        """
        self.now = max(self.now, snapshot.ts_event)
        return self.settling.hear(snapshot)

    def hear_cash(self, event: CashFlow) -> None:
        """Book money that belongs to no fill, once."""
        if event.flow_id:
            if event.flow_id in self._flows:
                return
            self._flows.add(event.flow_id)
        self._balance -= event.paid
        plan = self.plan_named(event.plan_id)
        if plan is not None:
            self.ledger.charge(plan.plan_id, plan.symbol, event.kind, event.paid, self.now)
        self._value_account()

    def hear_account(self, event: AccountUpdate) -> None:
        """Take the venue's own figures: to compare with ours, and the lowest equity it saw."""
        self.venue_account = event
        if event.low_equity is not None and self._supervisor is not None:
            limits = self._supervisor.limits[0]
            limits.low_equity = min(limits.low_equity, event.low_equity)

    def hear_position(self, event: PositionUpdate) -> None:
        """Take what the venue holds of a symbol: to compare with our own books."""
        self.venue_positions[event.symbol, event.position_id] = event
        if self.capabilities.brackets is not Brackets.ON_POSITION or not event.quantity:
            return
        for plan in self.plans:
            is_its = not event.position_id or event.position_id in plan.positions
            if plan.symbol == event.symbol and plan.position_steps and is_its:
                self.position_prices.hear(plan, event)

    def hear_floor(self, event: FloorMet) -> None:
        """Take the venue's word that it met a floor of the guard and flattened."""
        if self._supervisor is None:
            return
        limits = self._supervisor.limits[0]
        limits.breach, limits.locked = event.breach, 1
        limits.breach_equity, limits.breach_price = event.equity, event.price
        self._supervisor.on_breach(event.ts_event)

    # -- what other hands did ----------------------------------------------------------------

    def note_move(self, ticket: LiveTicket, move: Move) -> None:
        """Take note of an order that another hand moved: it stays there, or goes back."""
        named = {"symbol": ticket.plan.symbol, "plan_id": ticket.plan.plan_id}
        before, after = move.before, move.after
        what: Difference = TermsDiffer(ticket.order_id, "price", before, after, **named)
        if ticket.is_stop:
            risk, undone = move.adds_risk, move.is_undone
            what = StopMoved(ticket.order_id, before, after, risk, undone, **named)
        self.note(what)
        if move.is_undone:
            self.sender.change(ticket, price=before)
        else:
            ticket.wanted_price = after

    def note(self, difference: Difference) -> None:
        """Take note of something another hand did; a snapshot's differences come together."""
        if self._found is None:
            self.act_on(difference)
        else:
            self._found.append(difference)

    def start_collecting(self) -> None:
        """Collect the differences that are met while a snapshot is learned."""
        self._found = []

    def collected(self) -> list[Difference]:
        """Return the differences met since `start_collecting`."""
        found, self._found = self._found or [], None
        return found

    def act_on(self, difference: Difference) -> None:
        """Say once what another hand's act shall lead to."""
        text = difference.describe()
        if difference.is_foreign and text not in self._acted:
            self._acted.add(text)
            logger.warning("other hand: %s", text)
            self.on_other_hand(self.terms.foreign, difference)


def _is_sign_of_life(event: Answer | OrderUpdate | Execution) -> bool:
    """Whether an event shows that the venue has its order: a change that was not done does not."""
    return not isinstance(event, Answer) or event.outcome is Outcome.ACCEPTED
