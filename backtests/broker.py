"""The backtest broker: Backtrader's broker protocol on our own fill rules (`fills = "tola"`).

It takes approved orders only; the guard stands in front of it and is what strategies see. Each
feed has a book of its own (a plan's virtual position); all books share one account. Every bar is
played by one compiled call, and what happened is told to Backtrader as a stock broker would:
orders as clones with their execution bits, positions, cash and value.
"""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

import backtrader as bt
import numpy as np

from backtests.joint import close_others, see_others
from backtests.plan_book import FillTerms, PlanBook, Ticket
from core.bars import Series
from core.errors import BrokerError, ConfigError, near_name
from core.fx import FxRate, constant_rate
from core.instruments import Instrument
from core.ledger import Ledger
from core.matching.book import Array, LimitFill
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    EXPIRE_EVENT,
    FILL_EVENT,
    FLAT_TIME,
    INTRABAR,
    MARGIN_EVENT,
    REASONS,
    REQUESTED_FLAT,
    SWAP_EVENT,
)
from core.orders import Approved, Fill, OrderChange, OrderKind, OrderRequest, Role, Side
from core.ports import BREACH_NONE, Supervisor, no_limits

_Drill = Series | Mapping[str, Series] | None


class BacktestBroker(bt.BrokerBase):  # type: ignore[misc]
    """A Backtrader broker on Tola's fill rules; put a `Guard` in front of it.

    Parameters
    ----------
    cash : float
        Balance at the start, account currency.
    account_currency : str
    intrabar : str
        worst, best, nearest or drill: how a bar's unknown inner path is read.
    limit_fill : str
        touch or through.
    volume_share : float, optional
        Share (0..1] of each bar's volume that may be traded; None: all.
    drill : Series or mapping of symbol to Series, optional
        Bars of a finer file, walked inside each bar; needed by intrabar="drill".

    Attributes
    ----------
    ledger : Ledger
        Fills and trades of this run.
    orders_log : list of dict
        One row for each state an order enters (`core.results.ORDER_COLUMNS`), time in ns.

    Notes
    -----
    `order.info.reason` says why an order filled or ended, `order.info.ambiguous` whether the
    bar's two paths disagree on its fill. Cash is equity less the margin in use.
    """

    follows_path = True
    """The guard's `limits.low_equity` holds the lowest equity inside bars."""

    def __init__(
        self,
        cash: float = 100_000.0,
        account_currency: str = "USD",
        intrabar: str = "worst",
        limit_fill: LimitFill = "touch",
        volume_share: float | None = None,
        drill: _Drill = None,
    ) -> None:
        _check_settings(cash, intrabar, limit_fill, volume_share, drill)
        self.account_currency = account_currency
        self._terms = FillTerms(intrabar, limit_fill, volume_share)
        self._drill = drill if intrabar == "drill" else None
        self._cash_start = float(cash)
        self._plans: list[PlanBook] = []
        self._by_data: dict[int, PlanBook] = {}
        self._supervisor: Supervisor | None = None
        super().__init__()

    # -- setting up --------------------------------------------------------------------------

    def add_instrument(
        self, data: Any, instrument: Instrument, plan_id: str, fx: float | FxRate = 1.0
    ) -> None:
        """Let a feed be traded, as this plan's view of an instrument.

        Parameters
        ----------
        data : a Backtrader feed; `feeds.BulkData` brings its BAR records with it.
        fx : account money per 1.0 of quote money.
        """
        if not isinstance(fx, FxRate):
            fx = constant_rate(instrument.quote_currency, self.account_currency, float(fx))
        drill = self._drill
        lower = drill.get(instrument.symbol) if isinstance(drill, Mapping) else drill
        plan = PlanBook(data, instrument, plan_id, fx, self._terms, lower)
        self._plans.append(plan)
        self._by_data[id(data)] = plan
        self.comminfo[data._name] = plan.commission

    def supervise(self, supervisor: Supervisor) -> None:
        """Bind the guard; its floors are tested inside bars from now on."""
        self._supervisor = supervisor

    def init(self) -> None:
        """Begin a run: flat, no orders, an empty ledger. Called by Backtrader."""
        super().init()
        self.startingcash = self._balance = self._value = self._cash = self._cash_start
        self.positions: dict[Any, Any] = defaultdict(bt.Position)
        self.ledger = Ledger()
        self.orders_log: list[dict[str, Any]] = []
        self._ends, self._equities = array("q"), array("d")
        self._notifications: deque[Any] = deque()
        self._day = -1
        self._fill_count = 0
        self._breached_by: PlanBook | None = None
        limits = no_limits() if self._supervisor is None else self._supervisor.limits
        self._limits = limits
        for plan in self._plans:
            plan.reset(self._cash_start, limits)
            self.positions[plan.data] = plan.position
            self.comminfo[plan.data._name] = plan.commission

    def plan_of(self, data: Any) -> str:
        """Return the plan that trades a feed."""
        return self._plan(data).plan_id

    def tick_size(self, data: Any) -> float | None:
        """Return the tick of a feed's instrument, None for a feed that is not traded."""
        plan = self._by_data.get(id(data))
        return None if plan is None else plan.facts.tick

    def _plan(self, data: Any) -> PlanBook:
        plan = self._by_data.get(id(data))
        if plan is None:
            name = str(getattr(data, "_name", "") or "this feed")
            known = [item.plan_id for item in self._plans]
            raise ConfigError(
                f"{name} cannot be traded: no instrument was given for it "
                f"(broker.add_instrument){near_name(name, known)}"
            )
        return plan

    # -- what Backtrader reads ---------------------------------------------------------------

    def getcash(self) -> float:
        """Return equity less the margin in use, account currency."""
        return self._cash

    get_cash = getcash

    def setcash(self, cash: float) -> None:
        """Set the balance a run starts with."""
        self._cash_start = float(cash)
        self.init()

    set_cash = setcash

    def add_cash(self, cash: float) -> None:
        """Pay money in, or out if negative."""
        self._balance += cash
        self._value_account()

    def getvalue(self, datas: Sequence[Any] | None = None) -> float:
        """Return equity at the last mark; with feeds named, what their positions bind."""
        if datas is None:
            return self._value
        bound = 0.0
        for data in datas:
            position = self.positions[data]
            if position.size:
                bound += self.getcommissioninfo(data).getvalue(position, data.close[0])
        return bound

    get_value = getvalue

    def get_leverage(self) -> float:
        """Return 1: margin is per instrument."""
        return 1.0

    def getposition(self, data: Any, clone: bool = True) -> Any:
        """Return a feed's position (a copy unless told otherwise)."""
        position = self.positions[data]
        return position.clone() if clone else position

    def getcommissioninfo(self, data: Any) -> Any:
        """Return the commission scheme of a feed's instrument."""
        plan = self._by_data.get(id(data))
        return super().getcommissioninfo(data) if plan is None else plan.commission

    def get_orders_open(self, safe: bool = False) -> list[Any]:
        """Return the orders that work or wait (copies with `safe`)."""
        orders = [ticket.order for plan in self._plans for ticket in plan.tickets.values()]
        return [order.clone() if safe else order for order in orders if order.alive()]

    def orderstatus(self, order: Any) -> int:
        """Return an order's status."""
        return int(order.status)

    def get_notification(self) -> Any | None:
        """Return the next order notification, None when there is none."""
        return self._notifications.popleft() if self._notifications else None

    @property
    def equity_curve(self) -> tuple[Array, Array]:
        """END of every bar (ns UTC) and equity there (account currency)."""
        return np.array(self._ends, np.int64), np.array(self._equities, np.float64)

    @property
    def balance(self) -> float:
        """Realised money, account currency."""
        return self._balance

    def open_positions(self) -> list[dict[str, Any]]:
        """Return what is still open, marked at the last closes."""
        prices = {
            (plan.plan_id, plan.symbol): float(plan.bar.close)
            for plan in self._plans
            if plan.bar is not None
        }
        return self.ledger.open_positions(prices)

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
        request = approved.request
        plan = self._plan(orders[0].data)
        for order in orders:
            order.addcomminfo(plan.commission)
            order.submit(self)
            self._log(plan, order, "submitted")
            self._notify(order)
        refusal = self._refusal(plan, request)
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

    def _refusal(self, plan: PlanBook, request: OrderRequest) -> str:
        if request.quantity < plan.facts.lot * (1 - 1e-9):
            return "size_zero"
        if request.quantity > plan.facts.freeze_quantity:
            return "freeze_quantity"
        now = int(plan.bar.end) if plan.bar is not None else 0
        stale = not request.reduces and plan.fx_rate.is_stale(now)
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
        happened = plan.book.cancel(int(order.ref)).copy()
        self._tell(plan, happened)
        return len(happened) > 0

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at the next price."""
        for plan in self._plans:
            plan.flat_text = reason
            self._tell(plan, plan.book.flatten(REQUESTED_FLAT).copy())
            plan.live = plan.live or plan.book.steps != 0

    # -- bars --------------------------------------------------------------------------------

    def next(self) -> None:
        """Play the bars that arrived, tell what happened, and mark the account."""
        now = [plan for plan in self._plans if plan.has_new_bar()]
        if not now:
            return
        for plan in now:
            plan.take_bar()
        self._roll_day(now)
        if self._supervisor is not None:
            for plan in now:
                self._supervisor.on_bar_start(plan.symbol, plan.bar)
        for plan in now:
            if plan.live:
                self._play(plan, now)
        self._value_account()
        self._ends.append(max(int(plan.bar.end) for plan in now))
        self._equities.append(self._value)

    def _roll_day(self, now: list[PlanBook]) -> None:
        day = max(int(plan.bar.day) for plan in now)
        if day <= self._day:
            return
        self._day = day
        for plan in self._plans:
            if plan.bar is not None:
                plan.begin_day(day, int(plan.bar.start))
        if self._supervisor is not None:
            self._supervisor.on_day(day, self._value, self._balance)

    def _play(self, plan: PlanBook, now: list[PlanBook]) -> None:
        """Walk one plan's bar; a floor it meets closes the other plans too."""
        if len(self._plans) > 1:
            see_others(plan, self._plans, now)
        plan.book.books["balance"] = self._balance
        happened = plan.play()
        self._balance = plan.book.balance
        if len(happened):
            self._tell(plan, happened)
        if plan.book.state.ambiguous:
            self.ledger.flag_ambiguous(plan.plan_id, plan.symbol)
        if self._limits[0].breach != BREACH_NONE:
            self._close_all(plan, now)
        plan.live = plan.book.state.count > 0 or plan.book.steps != 0

    def _close_all(self, plan: PlanBook, now: list[PlanBook]) -> None:
        """Let a met floor close the other plans and tell the guard."""
        for other in self._plans:
            if other is plan or not other.live:
                continue
            other.book.books["balance"] = self._balance
            happened = close_others(plan, other, now, self._limits)
            self._balance = other.book.balance
            self._tell(other, happened)
            other.live = other.book.steps != 0
        if self._supervisor is not None:
            self._supervisor.on_breach(int(plan.bar.end))

    def _value_account(self) -> None:
        """Cache equity and cash; Backtrader asks for both several times a bar."""
        opened = margin = 0.0
        for plan in self._plans:
            if plan.live:
                opened += plan.book.books["open_pnl"][0]
                margin += plan.book.books["margin"][0]
        self._value = float(self._balance + opened)
        self._cash = float(self._value - margin)

    # -- telling Backtrader and the ledger ---------------------------------------------------

    def _tell(self, plan: PlanBook, happened: Array) -> None:
        before = plan.position_steps
        for event in happened:
            kind = int(event.kind)
            if kind == FILL_EVENT:
                self._tell_fill(plan, event, before)
                before = int(event.steps)
            elif kind == ACTIVE_EVENT:
                plan.tickets[int(event.order_id)].order.activate()
            elif kind == CHANGE_EVENT:
                self._show_change(plan, event)
            elif kind == SWAP_EVENT:
                self.ledger.charge(plan.plan_id, plan.symbol, "swap", float(event.costs))
            else:
                self._tell_end(plan, event)
        plan.position_steps = before

    def _tell_fill(self, plan: PlanBook, event: Any, before: int) -> None:
        """Book one fill everywhere it counts: ledger, order, position, notification, guard."""
        ticket = plan.tickets.get(int(event.order_id)) or self._forced(plan, event)
        fill = self._fill(plan, ticket, event, before)
        self.ledger.book(
            fill,
            point_value=plan.point_value,
            planned=plan.planned(ticket.request),
            adverse=float(event.adverse),
            favourable=float(event.favourable),
        )
        order = ticket.order
        order.addinfo(reason=fill.reason, ambiguous=fill.ambiguous)
        plan.execute(ticket, event, before)
        state = "filled" if not ticket.remaining else "partial"
        self._log(plan, order, state, fill.reason, float(event.price))
        if not ticket.remaining:
            plan.tickets.pop(int(event.order_id), None)
        self._notify(order)
        if self._supervisor is not None:
            self._supervisor.on_fill(fill, float(event.equity))

    def _fill(self, plan: PlanBook, ticket: Ticket, event: Any, before: int) -> Fill:
        side = Side(int(event.side))
        opens = abs(int(event.steps)) > abs(before) or before * int(event.steps) < 0
        role = ticket.role if opens or ticket.role is not Role.ENTRY else Role.EXIT
        quantity = abs(plan.size(int(event.quantity)))
        price = float(event.price)
        self._fill_count += 1
        return Fill(
            fill_id=self._fill_count,
            order_id=int(ticket.order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=side,
            quantity=quantity,
            price=price,
            ts_event=int(plan.bar.start if event.at_open else plan.bar.end),
            bar_start=int(plan.bar.start),
            role=role,
            reason=ticket.reason or role.name.lower(),
            costs=plan.costs_by_kind(side is Side.BUY, quantity, price),
            ambiguous=bool(event.ambiguous),
        )

    def _forced(self, plan: PlanBook, event: Any) -> Ticket:
        """Return a real order for a close the engine made itself."""
        code = int(event.reason)
        reason = {FLAT_TIME: plan.flat_reason, REQUESTED_FLAT: plan.flat_text}.get(
            code, REASONS[code]
        )
        kind = bt.BuyOrder if event.side > 0 else bt.SellOrder
        quantity = abs(plan.size(int(event.quantity)))
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        order.addcomminfo(plan.commission)
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=Side(int(event.side)),
            quantity=quantity,
            kind=OrderKind.MARKET,
            reduces=True,
            reason=reason,
        )
        ticket = Ticket(order, request, None, int(event.quantity))
        plan.tickets[int(order.ref)] = ticket
        order.submit(self)
        self._log(plan, order, "submitted", reason)
        self._notify(order)
        order.accept(self)
        self._notify(order)
        return ticket

    def _tell_end(self, plan: PlanBook, event: Any) -> None:
        """Tell that an order ended without filling (what is left of it)."""
        ticket = plan.tickets.pop(int(event.order_id), None)
        if ticket is None:
            return
        order, kind, code = ticket.order, int(event.kind), int(event.reason)
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

    def _show_change(self, plan: PlanBook, event: Any) -> None:
        """Show a stop's new size and trigger on its Backtrader order."""
        ticket = plan.tickets.get(int(event.order_id))
        if ticket is not None:
            plan.show(ticket, int(event.quantity), float(event.price))
            self._log(plan, ticket.order, "changed")

    def _notify(self, order: Any) -> None:
        self._notifications.append(order.clone())

    def _log(
        self, plan: PlanBook, order: Any, state: str, reason: str = "", price: float | None = None
    ) -> None:
        """Write one row of orders.csv."""
        ticket = plan.tickets.get(int(order.ref))
        self.orders_log.append(
            {
                "order_id": int(order.ref),
                "plan_id": plan.plan_id,
                "symbol": plan.symbol,
                "role": "" if ticket is None else ticket.role.name.lower(),
                "side": "buy" if order.isbuy() else "sell",
                "kind": order.getordername(),
                "quantity": abs(order.created.size),
                "price": order.created.price,
                "limit_price": order.created.pricelimit,
                "state": state,
                "time": 0 if plan.bar is None else int(plan.bar.end),
                "filled": abs(order.executed.size),
                "fill_price": price,
                "parent_id": None if order.parent is None else int(order.parent.ref),
                "reason": reason,
            }
        )


def _check_settings(
    cash: float, intrabar: str, limit_fill: str, volume_share: float | None, drill: _Drill
) -> None:
    """Raise ConfigError with all faults of the constructor's values."""
    faults = []
    if not cash > 0:
        faults.append(f"cash={cash:g}: expected more than 0")
    if intrabar not in INTRABAR:
        faults.append(f"intrabar={intrabar!r}{near_name(intrabar, INTRABAR)}")
    if limit_fill not in ("touch", "through"):
        faults.append(f"limit_fill={limit_fill!r}: expected touch or through")
    if volume_share is not None and not 0 < volume_share <= 1:
        faults.append(f"volume_share={volume_share:g}: expected 0 < volume_share <= 1")
    if intrabar == "drill" and drill is None:
        faults.append("intrabar='drill': needs the bars of a finer file (drill=)")
    if faults:
        raise ConfigError("\n".join(faults))
