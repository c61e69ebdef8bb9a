"""The backtest broker: Backtrader's broker protocol on our own fill rules (`fills = "tola"`).

It takes approved orders only; the guard stands in front of it and is what strategies see. Each
feed has a book of its own (a plan's virtual position); all books share one account. Every bar is
played by one compiled call, and what happened is told to Backtrader as a stock broker would:
orders as clones with their execution bits, positions, cash and value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import backtrader as bt

from backtests.fills.ahead import PlayingAhead
from backtests.fills.joint import close_others, see_others
from backtests.fills.plan_book import PlanBook
from brokers.plan import Ticket
from core.errors import BrokerError
from core.matching.book import Array
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    EXPIRE_EVENT,
    FILL_EVENT,
    FLAT_TIME,
    MARGIN_EVENT,
    REASONS,
    REQUESTED_FLAT,
    SWAP_EVENT,
    Event,
    read_events,
)
from core.orders import Approved, Fill, OrderChange, OrderKind, OrderRequest, Role, Side
from core.ports import BREACH_NONE

UNSUPPORTED = (bt.Order.Close, bt.Order.StopTrailLimit)
"""Backtrader's order types that these fill rules lack; they are rejected, never approximated."""

_ROLE_NAMES = {role: role.name.lower() for role in Role}


class BacktestBroker(PlayingAhead):
    """A Backtrader broker on Tola's fill rules; put a `Guard` in front of it.

    Parameters
    ----------
    cash : float
        Balance at the start, account currency.
    account_currency : str
    intrabar : str
        worst, best, nearest or drill: how a bar's unknown inner path is read; or ticks: it is
        known from recorded ticks.
    limit_fill : str
        touch or through.
    volume_share : float, optional
        Share (0..1] of each bar's volume that may be traded; None: all.
    drill : Series or mapping of symbol to Series, optional
        Bars of a finer file, walked inside each bar; needed by intrabar="drill".
    tapes : mapping of plan_id or symbol to Tape, optional
        Recorded ticks, for intrabar="ticks". A bar without ticks of its own goes by nearest.

    Attributes
    ----------
    ledger : Ledger
        Fills and trades of this run.
    orders_log : sequence of dict
        One row for each state an order enters (`core.results.ORDER_COLUMNS`), time in ns.
    ambiguous_bars : int
        Bars whose two paths gave other fills.

    Notes
    -----
    `order.info.reason` says why an order filled or ended, `order.info.ambiguous` whether the
    bar's two paths disagree on its fill. Cash is equity less the margin in use. With tapes no path
    is a guess: `ambiguous` is left to what is assumed of other instruments at a met floor, and a
    fill's time is its tick's (START where the tick is the open of a replayed bar).
    """

    follows_path = True
    """The guard's `limits.low_equity` holds the lowest equity inside bars."""

    # -- orders ------------------------------------------------------------------------------

    def buy(self, *_: Any, **__: Any) -> Any:
        """Refuse: orders come through the guard.

        Raises
        ------
        BrokerError : always.
        """
        raise BrokerError(
            "the backtest broker takes approved orders only: "
            "use cerebro.setbroker(Guard(broker)) instead of cerebro.setbroker(broker)"
        )

    sell = buy
    submit = buy

    def submit_approved(self, approved: Approved[OrderRequest], orders: Sequence[Any]) -> None:
        """Work an approved group: the parent, then its children."""
        self._take(approved.request, orders)

    def _take(self, request: OrderRequest, orders: Sequence[Any]) -> None:
        plan = self._plan(orders[0].data)
        roles = [Role.EXIT if request.reduces else Role.ENTRY, *(c.role for c in request.children)]
        for order, role in zip(orders, roles, strict=True):
            self.orders_log.begin(order, plan.plan_id, plan.symbol, _ROLE_NAMES[role])
            order.addcomminfo(plan.commission)
            order.submit(self)
            self._log(plan, order, "submitted")
            self._notify(order)
        refusal = self._refusal(plan, request, orders)
        if refusal:
            for order in orders:
                order.addinfo(reason=refusal)
                order.reject(self)
                self._log(plan, order, "rejected", refusal)
                self._notify(order)
            return
        plan.flat_reason = orders[0].info.get("flat_reason") or request.flat_reason
        plan.add(request, list(orders))
        for order in orders:
            order.accept(self)
            self._log(plan, order, "accepted")
            self._notify(order)

    def _refusal(self, plan: PlanBook, request: OrderRequest, orders: Sequence[Any]) -> str:
        if any(order.exectype in UNSUPPORTED for order in orders):
            return "unsupported_order_type"
        if request.quantity < plan.step * (1 - 1e-9):
            return "size_zero"
        stale = not request.reduces and plan.fx_rate.is_stale(plan.end)
        return "fx_stale" if stale else ""

    def modify_approved(self, approved: Approved[OrderChange], order: Any) -> None:
        """Change a working order; nothing happens if it has ended."""
        change = approved.request
        plan = self._plan(order.data)
        if not plan.book.change(change):
            return
        slot = plan.book.slot(int(order.ref))
        ticket = plan.tickets[int(order.ref)]
        plan.show(ticket, int(slot.quantity), float(slot.price), float(slot.limit))
        self._log(plan, order, "changed")

    def cancel(self, order: Any) -> bool:
        """Cancel a working or waiting order; waiting children of a parent end with it."""
        plan = self._by_data.get(id(order.data))
        if plan is None or int(order.ref) not in plan.tickets:
            return False
        happened = plan.book.cancel(int(order.ref))
        self._tell(plan, happened)
        return len(happened) > 0

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at the next price."""
        for plan in self._plans:
            plan.flat_text = reason
            self._tell(plan, plan.book.flatten(REQUESTED_FLAT))
            plan.live = plan.live or plan.book.steps != 0

    # -- bars --------------------------------------------------------------------------------

    def next(self) -> None:
        """Play the bars that arrived, tell what happened, and mark the account."""
        now = [plan for plan in self._plans if plan.has_new_bar()]
        if not now:
            return
        day = self._day
        for plan in now:
            plan.take_bar()
            day = max(day, plan.day)
        if day > self._day:
            self._roll_day(day)
        if self._bar_listener is not None:
            for plan in now:
                self._bar_listener.on_bar_start(plan.symbol, plan.bar)
        for plan in now:
            if plan.live:
                self._play(plan, now)
        self._value_account()
        self._ends.append(max([plan.end for plan in now]))
        self._equities.append(self._value)

    def _roll_day(self, day: int) -> None:
        self._day = day
        for plan in self._plans:
            if plan.bar is not None:
                plan.begin_day(day, int(plan.bar.start))
        if self._supervisor is not None:
            self._supervisor.on_day(day, self._value, self._balance)

    def _play(self, plan: PlanBook, now: list[PlanBook]) -> None:
        """Walk one plan's bar; a floor it meets closes the other plans too."""
        assumed = len(self._plans) > 1 and see_others(plan, self._plans, now)
        count = plan.play(self._balance)
        self._balance = plan.balance.item(0)
        breached = self._breach.item(0) != BREACH_NONE
        if count:
            happened = plan.book.events[0, :count]
            if breached and assumed:
                happened["ambiguous"] |= happened["order_id"] == 0
            self._tell(plan, happened)
        if plan.ambiguous.item(0):
            self.ambiguous_bars += 1
            self.ledger.flag_ambiguous(plan.plan_id, plan.symbol)
        if plan.trails:
            plan.show_trails()
        if breached:
            self._close_all(plan, now)
        plan.live = plan.count.item(0) > 0 or plan.steps.item(0) != 0

    def _close_all(self, plan: PlanBook, now: list[PlanBook]) -> None:
        """Let a met floor close the other plans and tell the guard."""
        for other in self._plans:
            if other is plan or not other.live:
                continue
            other.balance[0] = self._balance
            happened = close_others(plan, other, now, self._limits)
            self._balance = other.balance.item(0)
            self._tell(other, happened)
            other.live = other.book.steps != 0
        if self._supervisor is not None:
            self._supervisor.on_breach(plan.end)

    # -- telling Backtrader and the ledger ---------------------------------------------------

    def _tell(self, plan: PlanBook, happened: Array) -> None:
        before = plan.position_steps
        for event in read_events(happened):
            kind = event.kind
            if kind == FILL_EVENT:
                self._tell_fill(plan, event, before)
                before = event.steps
            elif kind == ACTIVE_EVENT:
                plan.tickets[event.order_id].order.activate()
            elif kind == CHANGE_EVENT:
                self._show_change(plan, event)
            elif kind == SWAP_EVENT:
                self.ledger.charge(plan.plan_id, plan.symbol, "swap", event.costs, plan.start)
            else:
                self._tell_end(plan, event)
        plan.position_steps = before

    def _tell_fill(self, plan: PlanBook, event: Event, before: int) -> None:
        """Book one fill everywhere it counts: ledger, order, position, notification, guard."""
        ticket = plan.tickets.get(event.order_id) or self._forced(plan, event)
        fill = self._fill(plan, ticket, event, before)
        self.ledger.book(
            fill,
            point_value=plan.point_value,
            planned=plan.planned(ticket.request),
            adverse=event.adverse,
            favourable=event.favourable,
        )
        order = ticket.order
        order.addinfo(reason=fill.reason, ambiguous=fill.ambiguous)
        plan.execute(ticket, event, before)
        state = "filled" if not ticket.remaining else "partial"
        self._log(plan, order, state, fill.reason, event.price)
        if not ticket.remaining:
            plan.tickets.pop(fill.order_id, None)
        self._notify(order)
        if self._supervisor is not None:
            self._supervisor.on_fill(fill, event.equity)

    def _fill(self, plan: PlanBook, ticket: Ticket, event: Event, before: int) -> Fill:
        opens = abs(event.steps) > abs(before) or before * event.steps < 0
        role = ticket.role if opens or ticket.role is not Role.ENTRY else Role.EXIT
        quantity = abs(plan.size(event.quantity))
        is_buy = event.side > 0
        self._fill_count += 1
        start = plan.start
        return Fill(
            fill_id=self._fill_count,
            order_id=int(ticket.order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=Side.BUY if is_buy else Side.SELL,
            quantity=quantity,
            price=event.price,
            ts_event=event.ts_event or (start if event.at_open else plan.end),
            bar_start=start,
            role=role,
            reason=ticket.reason or _ROLE_NAMES[role],
            costs=plan.costs_by_kind(is_buy, quantity, event.price),
            ambiguous=event.ambiguous != 0,
        )

    def _forced(self, plan: PlanBook, event: Event) -> Ticket:
        """Return a real order for a close the engine made itself."""
        code = event.reason
        reason = {FLAT_TIME: plan.flat_reason, REQUESTED_FLAT: plan.flat_text}.get(
            code, REASONS[code]
        )
        kind = bt.BuyOrder if event.side > 0 else bt.SellOrder
        quantity = abs(plan.size(event.quantity))
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        order.addcomminfo(plan.commission)
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=Side(event.side),
            quantity=quantity,
            kind=OrderKind.MARKET,
            reduces=True,
            reason=reason,
        )
        ticket = Ticket(order, request, None, event.quantity)
        plan.tickets[int(order.ref)] = ticket
        self.orders_log.begin(order, plan.plan_id, plan.symbol, "exit")
        order.submit(self)
        self._log(plan, order, "submitted", reason)
        self._notify(order)
        order.accept(self)
        self._notify(order)
        return ticket

    def _tell_end(self, plan: PlanBook, event: Event) -> None:
        """Tell that an order ended without filling (what is left of it)."""
        ticket = plan.tickets.pop(event.order_id, None)
        if ticket is None:
            return
        order, kind, code = ticket.order, event.kind, event.reason
        reason = plan.flat_text if code == REQUESTED_FLAT else REASONS[code]
        order.addinfo(reason=reason)
        if kind == EXPIRE_EVENT:
            order.executed.dt = plan.data.datetime[0]
            order.status = bt.Order.Expired
        elif kind == MARGIN_EVENT:
            order.margin()
        else:
            order.cancel()
        self._log(plan, order, order.getstatusname().lower(), reason)
        self._notify(order)

    def _show_change(self, plan: PlanBook, event: Event) -> None:
        """Show a stop's new size and trigger on its Backtrader order."""
        ticket = plan.tickets.get(event.order_id)
        if ticket is not None:
            plan.show(ticket, event.quantity, event.price)
            self._log(plan, ticket.order, "changed")

    def _log(
        self, plan: PlanBook, order: Any, state: str, reason: str = "", price: float | None = None
    ) -> None:
        """Write one row of orders.csv."""
        self.orders_log.add(order, state, plan.end, reason, price)
