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
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import backtrader as bt
import numpy as np

from brokers.live_account import LiveAccount
from brokers.live_plan import LivePlan, LiveTicket
from brokers.orders import KnownOrder
from brokers.port import Brackets, OrderChangeRequest, ProtectionRequest, VenueOrder
from core.bars import NEVER_NS
from core.events import (
    AccountUpdate,
    Answer,
    CashFlow,
    Execution,
    FloorMet,
    OrderStatus,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    Snapshot,
    Verb,
)
from core.matching.book import order_price
from core.matching.records import Event
from core.orders import (
    Approved,
    ChildRequest,
    Fill,
    OrderChange,
    OrderKind,
    OrderRequest,
    Role,
    Side,
    TimeInForce,
)

logger = logging.getLogger(__name__)

UNSUPPORTED = (bt.Order.Close, bt.Order.StopTrailLimit)
"""Backtrader's order types that no venue of ours has; they are rejected, never approximated."""

_ROLE_NAMES = {role: role.name.lower() for role in Role}
_MARGIN_WORDS = ("margin", "insufficient", "not enough", "funds")


class Outbox(Protocol):
    """Where requests leave: each is written into the journal before the venue gets it."""

    def submit(self, order: VenueOrder, bar_start: int) -> None:
        """Send an order."""

    def modify(self, change: OrderChangeRequest, plan_id: str, symbol: str) -> None:
        """Change an order."""

    def cancel(self, order_id: str, venue_order_id: str, plan_id: str, symbol: str) -> None:
        """Cancel an order."""


class LiveBroker(LiveAccount):
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
    ) -> None:
        self.port = port
        self.outbox = outbox
        self.capabilities = port.capabilities
        self._prefix = order_prefix
        self.on_foreign: Callable[[Execution], None] = lambda execution: None
        super().__init__(cash, account_currency)

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
                self._end(ticket, "rejected", refusal)
            return
        plan.owner = orders[0].owner
        plan.live = True
        self._send(tickets)

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
            self._log(ticket, "submitted")
            self._notify(order)
        return tickets

    def _next_id(self) -> str:
        self._order_count += 1
        return f"{self._prefix}{self._order_count:06d}"

    def _refusal(self, plan: LivePlan, request: OrderRequest, orders: Sequence[Any]) -> str:
        if any(order.exectype in UNSUPPORTED for order in orders):
            return "unsupported_order_type"
        kinds = {request.kind, *(child.kind for child in request.children)}
        if not kinds <= self.capabilities.order_kinds:
            return "unsupported_order_type"
        if request.quantity < plan.step * (1 - 1e-9):
            return "size_zero"
        if request.reduces:
            return ""
        if self.is_frozen(plan.symbol):
            return "order_uncertain"
        return "fx_stale" if plan.fx_rate.is_stale(self.now) else ""

    def _keeps_natively(self, request: OrderRequest) -> bool:
        """Whether the venue takes this group's children with the entry."""
        able = self.capabilities
        if able.brackets is Brackets.NONE or not request.children or request.reduces:
            return False
        targets = [child for child in request.children if child.role is Role.TARGET]
        simple = len(targets) <= 1 and all(child.stop_to is None for child in targets)
        roles = {child.role for child in request.children}
        return roles <= able.bracket_roles and (able.legs or simple)

    def _send(self, tickets: Sequence[LiveTicket]) -> None:
        parent = tickets[0]
        request, plan = parent.request, parent.plan
        children: tuple[ProtectionRequest, ...] = ()
        if self._keeps_natively(request):
            children = tuple(self._protection(ticket) for ticket in tickets[1:])
            for ticket in tickets[1:]:
                ticket.is_sent = True
        role = Role.EXIT if request.reduces else Role.ENTRY
        order = self._venue_order(parent, role, children)
        parent.is_sent = True
        self.outbox.submit(order, plan.start)

    def _protection(self, ticket: LiveTicket) -> ProtectionRequest:
        child, plan = ticket.child, ticket.plan
        assert child is not None
        side = Side.SELL if ticket.request.side is Side.BUY else Side.BUY
        return ProtectionRequest(
            ticket.order_id,
            child.role,
            _priced(child.price, child.kind, child.role, side, plan.facts.tick),
            child.kind,
            child.quantity,
            _priced(child.limit_price, OrderKind.LIMIT, child.role, side, plan.facts.tick),
            child.trail_amount,
            child.trail_percent,
            _priced(child.stop_to, OrderKind.STOP, Role.STOP, side, plan.facts.tick),
        )

    def _venue_order(
        self, ticket: LiveTicket, role: Role, children: tuple[ProtectionRequest, ...] = ()
    ) -> VenueOrder:
        """Return an order as the venue gets it: the parent's terms, or a child's on its own."""
        request, child, plan = ticket.request, ticket.child, ticket.plan
        wanted: OrderRequest | ChildRequest = request if child is None else child
        side = request.side
        if child is not None:
            side = Side.SELL if request.side is Side.BUY else Side.BUY
        tick = plan.facts.tick
        quantity = wanted.quantity if child is None else plan.size(abs(ticket.remaining))
        return VenueOrder(
            order_id=ticket.order_id,
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=side,
            quantity=quantity,
            kind=wanted.kind,
            role=role,
            price=_priced(wanted.price, wanted.kind, role, side, tick),
            limit_price=_priced(wanted.limit_price, OrderKind.LIMIT, role, side, tick),
            trail_amount=wanted.trail_amount,
            trail_percent=wanted.trail_percent,
            time_in_force=request.time_in_force if child is None else TimeInForce.GTC,
            expires=request.expires if child is None else None,
            product=self.capabilities.products[0],
            reduces=request.reduces or child is not None,
            oco=self._oco_of(request),
            planned_entry=request.planned_entry,
            children=children,
        )

    def _oco_of(self, request: OrderRequest) -> str:
        if request.oco is None or not self.capabilities.one_cancels_other:
            return ""
        first = self._by_ref.get(request.oco)
        return "" if first is None else first.order_id

    def modify_approved(self, approved: Approved[OrderChange], order: Any) -> None:
        """Change a working order; nothing happens if it has ended."""
        change = approved.request
        ticket = self._by_ref.get(int(order.ref))
        if ticket is None or ticket.is_over:
            return
        tick = ticket.plan.facts.tick
        role = ticket.role
        side = Side.BUY if order.isbuy() else Side.SELL
        kind = ticket.request.kind if ticket.child is None else ticket.child.kind
        price = _priced(change.price, kind, role, side, tick)
        limit = _priced(change.limit_price, OrderKind.LIMIT, role, side, tick)
        if not ticket.is_sent:
            self._show(ticket, ticket.remaining, price, limit)
            return
        wanted = OrderChangeRequest(
            ticket.order_id, ticket.venue_order_id, change.quantity, price, limit
        )
        self.outbox.modify(wanted, ticket.plan.plan_id, ticket.plan.symbol)

    def cancel(self, order: Any) -> bool:
        """Ask for an order's end; False if it has ended or was asked before."""
        ticket = self._by_ref.get(int(order.ref))
        return ticket is not None and self._cancel(ticket, "")

    def _cancel(self, ticket: LiveTicket, reason: str) -> bool:
        if ticket.is_over or ticket.cancel_asked:
            return False
        ticket.end_reason = ticket.end_reason or reason
        if not ticket.is_sent:
            self._end(ticket, "cancelled", reason or "cancelled")
            return True
        ticket.cancel_asked = True
        plan = ticket.plan
        self.outbox.cancel(ticket.order_id, ticket.venue_order_id, plan.plan_id, plan.symbol)
        return True

    def settle_unsent(self, verb: str, wanted: Any, now: int, fresh_ns: int) -> bool:
        """Send a request that was decided and never left; an entry only while it is fresh.

        Return whether it was sent; an entry too old is rejected as `missed`.
        """
        ticket = self._tickets.get(wanted.order_id if verb != "cancel" else wanted["order_id"])
        if ticket is None or ticket.is_over:
            return False
        plan = ticket.plan
        if verb == "submit":
            decided = int(plan.data.bars["end"][-1]) if len(plan.data.bars) else now
            if ticket.is_entry and now - decided > fresh_ns:
                for member in self._family_of(ticket):
                    if not member.is_over:
                        self._end(member, "rejected", "missed")
                return False
            self.outbox.submit(wanted, plan.start)
        elif verb == "modify":
            self.outbox.modify(wanted, plan.plan_id, plan.symbol)
        else:
            self.outbox.cancel(ticket.order_id, ticket.venue_order_id, plan.plan_id, plan.symbol)
        return True

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at the next price."""
        for plan in self._plans:
            self.flatten_plan(plan, reason)

    def flatten_plan(self, plan: LivePlan, reason: str) -> None:
        """Cancel a plan's orders and close its position at the next price."""
        for ticket in self._working_of(plan):
            if not (ticket.request.reduces and ticket.request.kind is OrderKind.MARKET):
                self._cancel(ticket, reason)
        self.close_plan(plan, reason)

    def close_plan(self, plan: LivePlan, reason: str, share: float = 1.0) -> None:
        """Close (a share of) a plan's position by a market order, unless one is on its way."""
        held = abs(plan.position_steps)
        closing = sum(
            ticket.remaining
            for ticket in self._working_of(plan)
            if ticket.request.reduces and ticket.request.kind is OrderKind.MARKET
        )
        steps = min(held - closing, max(1, round(held * share)))
        if steps <= 0:
            return
        is_buy = plan.position_steps < 0
        quantity = plan.size(steps)
        kind = bt.BuyOrder if is_buy else bt.SellOrder
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=Side.BUY if is_buy else Side.SELL,
            quantity=quantity,
            kind=OrderKind.MARKET,
            reduces=True,
            reason=reason,
        )
        self._send(self._tickets_of(plan, request, [order]))

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
        locked = self._supervisor is not None and bool(self._supervisor.limits[0].locked)
        for ticket in self._working_of(plan):
            reason = _time_is_over(ticket, cell, locked)
            if reason:
                self._cancel(ticket, reason)
        if plan.position_steps and int(cell.start) >= plan.flat_at:
            self.close_plan(plan, plan.flat_reason)

    def mark(self, symbol: str, price: float, spread: float, ts: int) -> None:
        """Take a price of a symbol; where the venue does not watch the guard's floors, do it."""
        self.now = max(self.now, ts)
        moved = False
        for plan in self._plans:
            if plan.symbol == symbol:
                held = float(plan.cell["spread"][0]) if spread != spread else spread
                plan.mark(price, held)
                moved = moved or plan.position_steps != 0
        if moved:
            self._value_account()
            if not self.capabilities.keeps_floors:
                self._watch_floors()

    def finish_bar(self, plan: LivePlan, bar: np.record) -> None:
        """A plan's bar is over and told: note the equity at its END."""
        self.now = max(self.now, int(bar.end))
        self._ends.append(int(bar.end))
        self._equities.append(self._value)

    # -- what the venue says -----------------------------------------------------------------

    def hear(self, event: Answer | OrderUpdate | Execution) -> None:
        """Take what the venue says of an order."""
        self.now = max(self.now, event.ts_event)
        if isinstance(event, Answer) and event.verb is not Verb.SUBMIT:
            self._hear_answer(event)
        if not event.venue_order_id and not event.order_id:
            return
        _, known = self.book.hear(event)
        ticket = self._ticket_of(known)
        if ticket is None:
            if isinstance(event, Execution):
                self._hear_unknown(event)
            return
        self._tell(ticket, known)

    def _hear_answer(self, event: Answer) -> None:
        ticket = self._tickets.get(event.order_id)
        if ticket is None or event.outcome is Outcome.ACCEPTED:
            return
        ticket.cancel_asked = ticket.cancel_asked and event.verb is not Verb.CANCEL
        logger.warning(
            "request not done verb=%s order=%s outcome=%s reason=%s",
            event.verb.name, event.order_id, event.outcome.name, event.reason,
        )  # fmt: skip

    def _ticket_of(self, known: KnownOrder) -> LiveTicket | None:
        for order_id in (known.order_id, known.tag):
            if order_id in self._tickets:
                return self._tickets[order_id]
        return None

    def _tell(self, ticket: LiveTicket, known: KnownOrder) -> None:
        """Tell Backtrader what is known of an order and it was not told yet."""
        if known.venue_order_ids and not ticket.venue_order_id:
            ticket.venue_order_id = min(known.venue_order_ids)
        self._tell_accepted(ticket, known)
        self._tell_terms(ticket, known)
        for execution in known.executions:
            if execution.fill_id not in ticket.told:
                ticket.told.add(execution.fill_id)
                self._tell_execution(ticket, execution)
        if not ticket.is_over and known.is_over and not known.is_filled:
            self._tell_end(ticket, known)

    def _tell_accepted(self, ticket: LiveTicket, known: KnownOrder) -> None:
        alive = known.status in (OrderStatus.RECEIVED, OrderStatus.HELD, OrderStatus.WORKING)
        if not ticket.is_accepted and (alive or known.executions):
            ticket.is_accepted = True
            ticket.order.accept(self)
            self._log(ticket, "accepted")
            self._notify(ticket.order)
        if ticket.is_held and known.status is OrderStatus.WORKING:
            ticket.is_held = False
            ticket.order.activate()
            self._look_at_protection(ticket.plan)

    def _tell_terms(self, ticket: LiveTicket, known: KnownOrder) -> None:
        version = max(known.ordered[0], known.price[0], known.limit_price[0])
        if version <= ticket.version or ticket.is_over:
            return
        first = ticket.version < 0
        ticket.version = version
        quantity = known.ordered[1] if known.ordered[0] >= 0 else 0.0
        left = ticket.plan.steps_of(max(quantity - known.filled, 0.0)) if quantity else None
        price = known.price[1] if known.price[0] >= 0 else None
        limit = known.limit_price[1] if known.limit_price[0] >= 0 else None
        if first:
            return
        created = ticket.order.created
        same_price = price is None or price == created.price
        same_limit = limit is None or limit == created.pricelimit
        if (left is None or left == ticket.remaining) and same_price and same_limit:
            return
        self._show(ticket, ticket.remaining if left is None else left, price, limit)

    def _show(
        self, ticket: LiveTicket, remaining: int, price: float | None, limit: float | None
    ) -> None:
        nan = float("nan")
        ticket.plan.show(
            ticket, remaining, nan if price is None else price, nan if limit is None else limit
        )
        self._log(ticket, "changed")

    def _tell_execution(self, ticket: LiveTicket, execution: Execution) -> None:
        """Book one fill everywhere it counts: ledger, order, position, notification, guard."""
        plan = ticket.plan
        before = plan.position_steps
        told = (execution.adverse, execution.favourable)
        event, costs = plan.take_execution(
            execution.side, execution.quantity, execution.price, told
        )
        if execution.costs is not None:
            costs = sum(execution.costs.values())
        self._balance += event.pnl - costs
        fill = self._fill(ticket, execution, event, before)
        self.ledger.book(
            fill,
            point_value=plan.point_value,
            planned=plan.planned(ticket.request),
            adverse=event.adverse,
            favourable=event.favourable,
        )
        order = ticket.order
        order.addinfo(reason=fill.reason, ambiguous=False, ts_event=execution.ts_event)
        plan.execute(ticket, event._replace(costs=costs), before)
        plan.position_steps = event.steps
        self._value_account()
        state = "filled" if not ticket.remaining else "partial"
        self._log(ticket, state, fill.reason, execution.price)
        if not ticket.remaining:
            self._forget(ticket)
        self._note_position(ticket, before)
        self._notify(order)
        self.on_fill(fill)
        if self._supervisor is not None:
            self._supervisor.on_fill(fill, self._value)

    def _fill(self, ticket: LiveTicket, execution: Execution, event: Event, before: int) -> Fill:
        plan = ticket.plan
        opens = abs(event.steps) > abs(before) or before * event.steps < 0
        role = ticket.role if opens or ticket.role is not Role.ENTRY else Role.EXIT
        self._fill_count += 1
        costs = execution.costs
        if costs is None:
            costs = plan.costs_by_kind(
                execution.side is Side.BUY, execution.quantity, execution.price
            )
        return Fill(
            fill_id=self._fill_count,
            order_id=int(ticket.order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=execution.side,
            quantity=execution.quantity,
            price=execution.price,
            ts_event=execution.ts_event,
            bar_start=plan.start,
            role=role,
            reason=execution.reason or ticket.reason or _ROLE_NAMES[role],
            costs=dict(costs),
        )

    def _note_position(self, ticket: LiveTicket, before: int) -> None:
        """Follow what a fill did to the position: its terms, its protection, its children."""
        plan = ticket.plan
        now = plan.position_steps
        opened = abs(now) > abs(before) or before * now < 0
        if now == 0:
            plan.note_flat()
        elif opened:
            plan.note_opened(ticket.request, before * now <= 0)
        self._keep_brackets(ticket, opened)
        self._look_at_protection(plan)
        plan.live = now != 0 or bool(self._working_of(plan))

    def _tell_end(self, ticket: LiveTicket, known: KnownOrder) -> None:
        """Tell that an order ended without filling (what is left of it)."""
        said = known.reason
        states = {OrderStatus.EXPIRED: "expired", OrderStatus.CANCELLED: "cancelled"}
        state = states.get(known.status, "rejected")
        if state == "rejected" and any(word in said.lower() for word in _MARGIN_WORDS):
            state = "margin"
        self._end(ticket, state, ticket.end_reason or said or state)
        self._after_end(ticket)

    def _end(self, ticket: LiveTicket, state: str, reason: str) -> None:
        order = ticket.order
        order.addinfo(reason=reason)
        if state == "expired":
            order.executed.dt = ticket.plan.now_day
            order.status = bt.Order.Expired
        elif state == "margin":
            order.margin()
        elif state == "cancelled":
            order.cancel()
        else:
            order.reject(self)
        self._log(ticket, state, reason)
        self._forget(ticket)
        self._notify(order)

    def _after_end(self, ticket: LiveTicket) -> None:
        """A parent that ended unfilled takes its unsent children along."""
        if ticket.child is None and not ticket.order.executed.size:
            for child in self._family_of(ticket)[1:]:
                if not child.is_sent and not child.is_over:
                    self._end(child, "cancelled", "parent_ended")
        self._look_at_protection(ticket.plan)
        plan = ticket.plan
        plan.live = plan.position_steps != 0 or bool(self._working_of(plan))

    def _hear_unknown(self, execution: Execution) -> None:
        """Take a fill of no order of ours: the venue closed a position, or another hand traded."""
        plan = self._plan_named(execution.position_id)
        closes = plan is not None and plan.position_steps * int(execution.side) < 0
        if plan is None or not closes or execution.fill_id in self._foreign_fills:
            if execution.fill_id not in self._foreign_fills:
                self._foreign_fills.add(execution.fill_id)
                self.on_foreign(execution)
            return
        self._foreign_fills.add(execution.fill_id)
        kind = bt.BuyOrder if execution.side is Side.BUY else bt.SellOrder
        quantity = execution.quantity
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        reason = execution.reason or "closed_elsewhere"
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref), plan_id=plan.plan_id, symbol=plan.symbol,
            side=execution.side, quantity=quantity, kind=OrderKind.MARKET, reduces=True,
            reason=reason,
        )  # fmt: skip
        (ticket,) = self._tickets_of(plan, request, [order])
        ticket.is_sent = ticket.is_accepted = True
        order.accept(self)
        self._notify(order)
        ticket.told.add(execution.fill_id)
        self._tell_execution(ticket, execution)

    def hear_cash(self, event: CashFlow) -> None:
        """Book money that belongs to no fill."""
        self._balance -= event.paid
        plan = self._plan_named(event.plan_id)
        if plan is not None:
            self.ledger.charge(plan.plan_id, plan.symbol, event.kind, event.paid, self.now)
        self._value_account()

    def hear_snapshot(self, snapshot: Snapshot) -> list[Any]:
        """Learn what a snapshot tells of orders and executions; return what differs from ours."""
        for execution in snapshot.executions:
            self.hear(execution)
        for update in snapshot.orders:
            self.hear(update)
        return []

    def hear_account(self, event: AccountUpdate) -> None:
        """Take the venue's own figures: to compare with ours, and the lowest equity it saw."""
        self.venue_account = event
        if event.low_equity is not None and self._supervisor is not None:
            limits = self._supervisor.limits[0]
            limits.low_equity = min(limits.low_equity, event.low_equity)

    def hear_position(self, event: PositionUpdate) -> None:
        """Take what the venue holds of a symbol: to compare with our own books."""
        self.venue_positions[event.symbol, event.position_id] = event

    def hear_floor(self, event: FloorMet) -> None:
        """Take the venue's word that it met a floor of the guard and flattened."""
        if self._supervisor is None:
            return
        limits = self._supervisor.limits[0]
        limits.breach, limits.locked = event.breach, 1
        limits.breach_equity, limits.breach_price = event.equity, event.price
        self._supervisor.on_breach(event.ts_event)


def _priced(
    price: float | None, kind: OrderKind, role: Role, side: Side, tick: float
) -> float | None:
    """Return a price on the tick, as it is sent; None stays None."""
    if price is None:
        return None
    sent = order_price(price, kind, role, side, tick)
    return None if sent != sent else float(sent)


def _time_is_over(ticket: LiveTicket, cell: np.record, locked: bool) -> str:
    """Return why an order may not work in the bar that begins, "" if it may."""
    request = ticket.request
    if ticket.child is not None:
        return ""
    ends = request.expires if request.time_in_force is TimeInForce.GTD else None
    if ends is not None and int(cell.end) > ends:
        return "expired"
    if request.reduces:
        return ""
    if request.day_only and int(cell.day) != ticket.sent_day and ticket.sent_day >= 0:
        return "another_day"
    if int(cell.start) >= (request.flat_at or NEVER_NS):
        return "flat_time"
    return "locked" if locked else ""
