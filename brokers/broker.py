"""The live broker: Backtrader's broker protocol over any venue's port.

It takes approved orders, sends them through the session's outbox (journal first), and hears what
the venue says. What is known of an order is a join of everything heard (`brokers.orders`); what
Backtrader was told of it is on its ticket; the difference is told next. Position, balance and
equity are our own books, filled by the engine's own arithmetic, so that paper equals a backtest
and a venue's figures are something to compare with, not to depend on.

Only the engine's thread calls it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import backtrader as bt
import numpy as np

from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.live_terms import Foreign, LiveTerms
from brokers.moves import Move
from brokers.oco import OcoGroups
from brokers.on_position import PRICE_REASONS, PositionBrackets
from brokers.orders import KnownOrder
from brokers.other_hands import owner_of, split
from brokers.port import Brackets, OrderChangeRequest, VenueOrder
from brokers.reconcile import Difference, StopMoved, TermsDiffer, UnknownExecution
from brokers.sending import priced
from brokers.settling import Settling
from brokers.telling import TellingAccount
from brokers.time_rules import time_is_over
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
from core.orders import (
    Approved,
    ChildRequest,
    OrderChange,
    OrderKind,
    OrderRequest,
    Role,
    Side,
)

logger = logging.getLogger(__name__)

UNSUPPORTED = (bt.Order.Close, bt.Order.StopTrailLimit)
"""Backtrader's order types that no venue of ours has; they are rejected, never approximated."""

_ROLE_NAMES = {role: role.name.lower() for role in Role}


class Outbox(Protocol):
    """Where requests leave: each is written into the journal before the venue gets it."""

    def submit(self, order: VenueOrder, bar_start: int) -> None:
        """Send an order."""

    def modify(self, change: OrderChangeRequest, plan_id: str, symbol: str) -> None:
        """Change an order."""

    def cancel(self, order_id: str, venue_order_id: str, plan_id: str, symbol: str) -> None:
        """Cancel an order."""


class LiveBroker(TellingAccount):
    """A Backtrader broker on a live account; put a `Guard` in front of it.

    Parameters
    ----------
    port : VenuePort
        Its capabilities decide what is asked of the venue and what is kept here.
    outbox : Outbox
    cash : balance at the session's start, account currency.
    account_currency : str
    order_prefix : str
        Begins every order id of ours: the venue's client tags of two accounts never meet.
    terms : LiveTerms
        Waits and tolerances, and what other hands lead to.

    Attributes
    ----------
    on_foreign : called with each fill of another hand.
    on_other_hand : called once with each thing another hand did, and what it shall lead to.

    Notes
    -----
    `order.executed.dt` is END of the bar that holds the fill, as in a backtest;
    `order.info.ts_event` is the venue's own time in ns. `order.info.reason` says why an order
    filled or ended.
    """

    def __init__(
        self,
        port: Any,
        outbox: Outbox,
        cash: float = 100_000.0,
        account_currency: str = "USD",
        order_prefix: str = "t",
        terms: LiveTerms | None = None,
    ) -> None:
        self.port = port
        self.outbox = outbox
        self.capabilities = port.capabilities
        self._prefix = order_prefix
        self.on_foreign: Callable[[Execution], None] = lambda execution: None
        self.on_other_hand: Callable[[Foreign, Difference], None] = lambda act, what: None
        self.oco = OcoGroups(self)
        self.positions_kept = PositionBrackets(self)
        self.settling = Settling(self)
        super().__init__(cash, account_currency, terms or LiveTerms())

    def init(self) -> None:
        """Begin a session: flat, nothing heard. Called by Backtrader."""
        super().init()
        self.brackets.reset()
        self.oco.reset()
        self.settling.reset()
        self.undoing = []
        self._answered: set[int] = set()
        self._found: list[Difference] | None = None
        self._acted: set[str] = set()

    # -- orders ------------------------------------------------------------------------------

    def buy(self, *_: Any, **__: Any) -> Any:
        """Refuse: orders come through the guard.

        Raises
        ------
        BrokerError : always.
        """
        raise self.unapproved()

    sell = buy
    submit = buy

    def submit_approved(self, approved: Approved[OrderRequest], orders: Sequence[Any]) -> None:
        """Send an approved group: the parent, with its children where the venue keeps them."""
        request = approved.request
        plan = self._plan(orders[0].data)
        tickets = self._tickets_of(plan, request, orders)
        refusal = self._refusal(plan, request, orders)
        if refusal:
            for ticket in tickets:
                self.end(ticket, "rejected", refusal)
            return
        plan.owner = orders[0].owner
        plan.live = True
        first = None if request.oco is None else self._by_ref.get(request.oco)
        self.oco.join(tickets[0], first)
        self.sender.send_group(tickets)

    def _tickets_of(
        self, plan: LivePlan, request: OrderRequest, orders: Sequence[Any]
    ) -> list[LiveTicket]:
        children: list[ChildRequest | None] = [None, *request.children]
        ids = [self._next_id() for _ in orders]
        tickets = []
        for order, child, order_id in zip(orders, children, ids, strict=True):
            ticket = LiveTicket(
                order,
                request,
                child,
                plan.steps_of(request.quantity if child is None else child.quantity),
                order_id,
                plan,
                tuple(ids),
                sent_day=plan.day,
                is_held=child is not None,
            )
            tickets.append(ticket)
            self._tickets[order_id] = ticket
            self._by_ref[int(order.ref)] = ticket
            self.orders_log.begin(order, plan.plan_id, plan.symbol, _ROLE_NAMES[ticket.role])
            order.addcomminfo(plan.commission)
            order.addinfo(order_id=order_id)
            order.submit(self)
            self.log(ticket, "submitted")
            self._notify(order)
        return tickets

    def _next_id(self) -> str:
        self._order_count += 1
        return f"{self._prefix}{self._order_count:06d}"

    def order_ids(self) -> Iterable[str]:
        """Return every order id of ours, those of ended orders too."""
        return self._tickets

    def note_part(self, ticket: LiveTicket, part: Part) -> None:
        """Know which order of ours an order at the venue carries."""
        self._tickets[part.order_id] = ticket

    def _refusal(self, plan: LivePlan, request: OrderRequest, orders: Sequence[Any]) -> str:
        if any(order.exectype in UNSUPPORTED for order in orders):
            return "unsupported_order_type"
        unable = self.sender.refusal(request)
        if unable:
            return unable
        if request.quantity < plan.step * (1 - 1e-9):
            return "size_zero"
        if request.reduces or self._shrinks(plan, request):
            return ""
        if self.is_frozen(plan.symbol):
            return "order_uncertain"
        return "fx_stale" if plan.fx_rate.is_stale(self.now) else ""

    def _shrinks(self, plan: LivePlan, request: OrderRequest) -> bool:
        """Whether an order only makes the position smaller, whoever says so."""
        held = plan.position_steps * int(request.side)
        return held < 0 and plan.steps_of(request.quantity) <= -held

    def modify_approved(self, approved: Approved[OrderChange], order: Any) -> None:
        """Change a working order; nothing happens if it has ended."""
        change = approved.request
        ticket = self._by_ref.get(int(order.ref))
        if ticket is None or ticket.is_over:
            return
        tick, kind, side = ticket.plan.facts.tick, ticket.kind, ticket.side
        price = priced(change.price, kind, ticket.role, side, tick)
        limit = priced(change.limit_price, OrderKind.LIMIT, ticket.role, side, tick)
        if not ticket.is_sent:
            ticket.wanted_price = ticket.wanted_price if price is None else price
            ticket.wanted_limit = ticket.wanted_limit if limit is None else limit
            self.show(ticket, ticket.remaining, price, limit)
            return
        steps = None
        if change.quantity is not None:
            steps = ticket.plan.steps_of(change.quantity) - ticket.executed_steps
        self.sender.change(ticket, steps=steps, price=price, limit=limit)

    def cancel(self, order: Any) -> bool:
        """Ask for an order's end; False if it has ended or was asked before."""
        ticket = self._by_ref.get(int(order.ref))
        return ticket is not None and self.cancel_ticket(ticket, "")

    def cancel_ticket(self, ticket: LiveTicket, reason: str) -> bool:
        """Ask for an order's end; False if it has ended or was asked before."""
        if ticket.is_over or ticket.cancel_wanted:
            return False
        ticket.end_reason = ticket.end_reason or reason
        if not ticket.is_sent:
            self.end(ticket, "cancelled", reason or "cancelled")
            return True
        if ticket.lost_at is not None or ticket.waits_to_end:
            ticket.cancel_wanted = True
            self.tell(ticket)
            return True
        self.sender.cancel(ticket)
        return True

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at the next price."""
        for plan in self._plans:
            self.flatten_plan(plan, reason)

    def flatten_plan(self, plan: LivePlan, reason: str) -> None:
        """Cancel a plan's orders and close its position at the next price."""
        for ticket in self.working_of(plan):
            if not (ticket.request.reduces and ticket.request.kind is OrderKind.MARKET):
                self.refuse_fills(ticket, reason, plan.size(ticket.executed_steps))
                self.cancel_ticket(ticket, reason)
        self.close_plan(plan, reason)

    def close_plan(
        self, plan: LivePlan, reason: str, share: float = 1.0, steps: int | None = None
    ) -> None:
        """Close (a share, or so many lot steps, of) a plan's position by a market order.

        Nothing is sent for what such orders on their way will close anyway.
        """
        held = abs(plan.position_steps)
        closing = sum(
            ticket.remaining
            for ticket in self.working_of(plan)
            if ticket.request.reduces and ticket.request.kind is OrderKind.MARKET
        )
        wanted = max(1, round(held * share)) if steps is None else steps
        left = min(held - closing, wanted)
        if left <= 0:
            return
        side = Side.BUY if plan.position_steps < 0 else Side.SELL
        ticket = self._forced(plan, side, plan.size(left), reason)
        self.sender.send_group([ticket])

    def _forced(self, plan: LivePlan, side: Side, quantity: float, reason: str) -> LiveTicket:
        """Return an exit that no strategy asked for, as a real order."""
        kind = bt.BuyOrder if side is Side.BUY else bt.SellOrder
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=side,
            quantity=quantity,
            kind=OrderKind.MARKET,
            reduces=True,
            reason=reason,
        )
        (ticket,) = self._tickets_of(plan, request, [order])
        ticket.is_forced = True
        return ticket

    def settle_unsent(self, verb: str, wanted: Any, now: int, age_ns: int) -> None:
        """Send what was decided before a restart and never left; an entry only while it is fresh.

        Parameters
        ----------
        verb, wanted : the request, as the outbox was asked for it.
        now : market time, ns UTC. age_ns : how old an entry may be.
        """
        ticket = self._tickets.get(wanted[0] if verb == "cancel" else wanted.order_id)
        if ticket is None:
            return
        plan = ticket.plan
        if verb == "submit":
            part = ticket.part(wanted.order_id)
            if part.opens and now - part.sent_at > age_ns:
                answer = Answer(0, Verb.SUBMIT, Outcome.REFUSED, part.order_id, reason="too_late")
                self.hear(answer)
                return
            part.sent_at = now
            self.outbox.submit(wanted, plan.start)
        elif verb == "modify":
            self.outbox.modify(wanted, plan.plan_id, plan.symbol)
        else:
            self.outbox.cancel(*wanted, plan.plan_id, plan.symbol)

    # -- the market's course -----------------------------------------------------------------

    def begin_bar(self, plan: LivePlan, cell: np.record) -> None:
        """A plan's bar begins: the day rolls, rules of time act, orders whose time is over end."""
        self.now = max(self.now, int(cell.start))
        plan.cell[0] = cell
        day = int(cell.day)
        if day > self._day:
            self._roll_day(day)
        elif plan.day != day:
            plan.begin_day(day, int(cell.start))
        if self._supervisor is not None:
            self._supervisor.on_bar_start(plan.symbol, plan.cell[0])
        for ticket in self.working_of(plan):
            reason = time_is_over(ticket, cell, self._is_locked)
            if reason:
                self.cancel_ticket(ticket, reason)
            if ticket.cancel_wanted and not ticket.is_over and ticket.lost_at is None:
                self.sender.cancel(ticket)  # the venue may have said no to it
        for ticket in self.undoing:
            self.sender.cancel(ticket)
        if plan.position_steps and int(cell.start) >= plan.flat_at:
            self.close_plan(plan, plan.flat_reason)

    @property
    def _is_locked(self) -> bool:
        return self._supervisor is not None and bool(self._supervisor.limits[0].locked)

    def mark(self, symbol: str, price: float, spread: float, ts: int) -> None:
        """Take a price of a symbol; where the venue does not watch the guard's floors, do it."""
        self.now = max(self.now, ts)
        moved = False
        for plan in self._plans:
            if plan.symbol == symbol:
                held = float(plan.cell["spread"][0]) if spread != spread else spread
                plan.mark(price, held)
                moved = moved or plan.position_steps != 0
                if plan.leaving:
                    self._close_again(plan)
        moved = self.hands.mark(symbol, price, 0.0 if spread != spread else spread) or moved
        if moved:
            self._value_account()
            if not self.capabilities.keeps_floors:
                self._watch_floors()
        if self.brackets.lost or self.brackets.uneven:
            self._mend()
        if self.hands.waiting:
            self._place_strangers()

    def _close_again(self, plan: LivePlan) -> None:
        """Ask again for a close that was refused."""
        if plan.position_steps and self.now - plan.left_at >= self.terms.retry_ns:
            plan.left_at = self.now
            self.close_plan(plan, plan.leaving)

    def _mend(self) -> None:
        """Put back stops that vanished; a venue that closes at a floor has ended them itself."""
        if not (self.capabilities.keeps_floors and self._is_locked):
            self.brackets.mend(self.now, self.terms.mend_ns)

    def finish_bar(self, plan: LivePlan, bar: np.record) -> None:
        """A plan's bar is over and told: note the equity at its END."""
        self.now = max(self.now, int(bar.end))
        self._ends.append(int(bar.end))
        self._equities.append(self._value)

    # -- what the venue says of orders -------------------------------------------------------

    def hear(self, event: Answer | OrderUpdate | Execution) -> None:
        """Take what the venue says of an order."""
        self.now = max(self.now, event.ts_event)
        event = self._named(event)
        if event.venue_order_id or event.order_id:
            _, known = self.book.hear(event)
            ticket = self._ticket_known(known)
            if ticket is not None:
                self._note_heard(ticket, known)
                if isinstance(event, Answer) and event.verb is not Verb.SUBMIT:
                    self._hear_answer(ticket, event)
                self.tell(ticket)
            elif isinstance(event, Execution):
                self._hear_stranger(event)
        if self.hands.waiting:
            self._place_strangers()

    def _named(self, event: Answer | OrderUpdate | Execution) -> Any:
        """Return an event with our order's id, where the venue tells it as the tag alone."""
        if isinstance(event, Answer) or event.order_id:
            return event
        if event.tag in self._tickets:
            return replace(event, order_id=event.tag)
        if isinstance(event, OrderUpdate) and not self.capabilities.tag_chars:
            found = self._same_terms(event)
            return event if found is None else replace(event, order_id=found)
        return event

    def _same_terms(self, update: OrderUpdate) -> str | None:
        """Return our id of the one uncertain order that has an update's terms, without tags."""
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

    def _ticket_known(self, known: KnownOrder) -> LiveTicket | None:
        return self._tickets.get(known.order_id) or self._tickets.get(known.tag)

    def _note_heard(self, ticket: LiveTicket, known: KnownOrder) -> None:
        """Note an order's id at the venue and its sign of life."""
        part = ticket.part(known.order_id)
        part.heard_at, part.misses = self.now, 0
        if known.venue_order_ids and not part.venue_order_id:
            part.venue_order_id = min(known.venue_order_ids)

    def _hear_answer(self, ticket: LiveTicket, event: Answer) -> None:
        """Take the reply to a change or an end that was asked for."""
        if event.request_id in self._answered:
            return
        self._answered.add(event.request_id)
        part = ticket.part(event.order_id)
        if event.verb is Verb.MODIFY:
            ticket.changing = max(0, ticket.changing - 1)
        if event.outcome is Outcome.ACCEPTED:
            self._hear_done(ticket, event.verb)
            return
        if event.verb is Verb.CANCEL:
            part.cancel_asked = False
        elif event.outcome is Outcome.REFUSED and not ticket.changing:
            ticket.asked, ticket.refused_at = None, self.now
            ticket.wanted_price = part.price if part.price is not None else ticket.wanted_price
            part.version = -2  # what it said meanwhile is looked at again
            if ticket.lost_at is not None:
                self.brackets.give_up(ticket, "stop_refused")
        logger.warning(
            "request not done verb=%s order=%s outcome=%s reason=%s",
            event.verb.name, event.order_id, event.outcome.name, event.reason,
        )  # fmt: skip

    def _hear_done(self, ticket: LiveTicket, verb: Verb) -> None:
        """A price of a position was changed: no order tells of it."""
        if verb is not Verb.MODIFY:
            return
        if not (ticket.is_native and self.capabilities.brackets is Brackets.ON_POSITION):
            return
        if ticket.lost_at is not None:
            self.brackets.found(ticket)
        if ticket.cancel_wanted:
            self.end(ticket, "cancelled", ticket.end_reason or "cancelled")
        elif not ticket.is_over and ticket.wanted_price is not None:
            self.show(ticket, ticket.remaining, ticket.wanted_price, None)

    def tell(self, ticket: LiveTicket) -> None:
        """Tell Backtrader what is known of an order and it was not told yet."""
        super().tell(ticket)
        if ticket.child is None and self.capabilities.brackets is Brackets.ON_POSITION:
            self.positions_kept.follow(ticket)

    # -- fills of others ---------------------------------------------------------------------

    def _hear_stranger(self, execution: Execution) -> None:
        """Take a fill of no order that is known to be ours."""
        if execution.fill_id not in self.hands.booked:
            self.hands.waiting.setdefault(execution.fill_id, (self.now, execution))
        elif execution.costs is not None:
            self._balance -= self.hands.correct(execution)
            self._value_account()

    def _place_strangers(self) -> None:
        """Place the fills of strangers, once no order of ours can turn out to be theirs."""
        for heard_at, first_told in list(self.hands.waiting.values()):
            known = self.book.at_venue(first_told.venue_order_id)
            assert known is not None  # it was heard
            is_ours = self._ticket_known(known) is not None
            execution = known.execution(first_told.fill_id)
            is_fresh = self.now - heard_at < self.terms.mend_ns
            if not is_ours and (
                self._may_be_ours(execution) or (is_fresh and self._may_close(execution))
            ):
                continue
            del self.hands.waiting[execution.fill_id]
            if not is_ours:
                self._place(execution)

    def _may_be_ours(self, execution: Execution) -> bool:
        """Whether an order of ours may be at the venue under the id of a stranger's."""
        return any(
            not part.venue_order_id and self.book.sent(part.order_id).is_in_flight
            for ticket in self.tickets()
            if ticket.plan.symbol == execution.symbol
            and ticket.side is execution.side
            and not ticket.is_native
            for part in ticket.current
        )

    def _may_close(self, execution: Execution) -> bool:
        """Whether an entry's fill that is not told yet would let a fill close, not open."""
        if owner_of(execution, self._plans) is not None:
            return False
        if self.hands.closes(execution) and execution.reason not in PRICE_REASONS:
            return False
        return any(
            ticket.is_entry and ticket.side is not execution.side and self.parts_at_work(ticket)
            for ticket in self.tickets()
            if ticket.plan.symbol == execution.symbol
        )

    def _place(self, execution: Execution) -> None:
        """Book a stranger's fill: the venue's own, a plan's position closed, or a hand's."""
        if self.capabilities.brackets is Brackets.ON_POSITION:
            owner = owner_of(execution, self._plans)
            child = None if owner is None else self.positions_kept.claim(execution, owner)
            if child is not None:
                self.positions_kept.learn(child, execution)
                self.tell(child)
                return
        self.hands.note(execution)
        theirs, rest = split(execution, self.hands.closes(execution))
        if theirs is not None:
            self._book_foreign(theirs)
        owner = None if rest is None else owner_of(rest, self._plans)
        if rest is not None and owner is not None:
            held = owner.size(abs(owner.position_steps))
            closing, rest = split(rest, min(held, rest.quantity))
            assert closing is not None
            self._book_closed_elsewhere(owner, closing)
        if rest is not None:
            self._book_foreign(rest)

    def _book_closed_elsewhere(self, plan: LivePlan, execution: Execution) -> None:
        """Book a fill that closed (a part of) a plan's position without an order of ours."""
        reason = execution.reason or "closed_elsewhere"
        ticket = self._forced(plan, execution.side, execution.quantity, reason)
        ticket.is_sent = True
        self.accept(ticket)
        self.tell_execution(ticket, execution)
        if not execution.reason:
            self._note_foreign(execution, plan.plan_id)

    def _book_foreign(self, execution: Execution) -> None:
        """Book a fill as another hand's own."""
        plan = next((item for item in self._plans if item.symbol == execution.symbol), None)
        price = float("nan") if plan is None else plan.last_price
        spread = 0.0 if plan is None else float(plan.cell["spread"][0])
        self._balance += self.hands.book(execution, price, spread)
        self._value_account()
        self._note_foreign(execution, "")

    def _note_foreign(self, execution: Execution, plan_id: str) -> None:
        self.on_foreign(execution)
        self.note(
            UnknownExecution(
                execution.fill_id, execution.side, execution.quantity, execution.price,
                symbol=execution.symbol, plan_id=plan_id,
            )
        )  # fmt: skip

    # -- what the venue says of the account --------------------------------------------------

    def hear_snapshot(self, snapshot: Snapshot) -> list[Difference]:
        """Learn all a venue holds, once; return where it differs from our books.

        A failed snapshot is unknown, never flat: it changes nothing.
        """
        self.now = max(self.now, snapshot.ts_event)
        return self.settling.hear(snapshot)

    def hear_cash(self, event: CashFlow) -> None:
        """Book money that belongs to no fill."""
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
        for plan in self._plans:
            is_its = not event.position_id or event.position_id in plan.positions
            if plan.symbol == event.symbol and plan.position_steps and is_its:
                self.positions_kept.hear(plan, event)

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
        if ticket.is_stop:
            self.note(
                StopMoved(
                    ticket.order_id,
                    move.before,
                    move.after,
                    move.adds_risk,
                    move.is_undone,
                    **named,
                )
            )
        else:
            self.note(TermsDiffer(ticket.order_id, "price", move.before, move.after, **named))
        if move.is_undone:
            self.sender.change(ticket, price=move.before)
        else:
            ticket.wanted_price = move.after

    def start_collecting(self) -> None:
        """Collect the differences that are met while a snapshot is learned."""
        self._found = []

    def collected(self) -> list[Difference]:
        """Return the differences met since `start_collecting`."""
        found, self._found = self._found or [], None
        return found

    def note(self, difference: Difference) -> None:
        """Take note of something another hand did."""
        if self._found is not None:
            self._found.append(difference)
        else:
            self.act_on(difference)

    def act_on(self, difference: Difference) -> None:
        """Say once what another hand's act shall lead to."""
        text = difference.describe()
        if difference.is_foreign and text not in self._acted:
            self._acted.add(text)
            logger.warning("other hand: %s", text)
            self.on_other_hand(self.terms.foreign, difference)
