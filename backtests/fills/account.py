"""The account behind the backtest broker: plans, cash, value, positions as Backtrader reads them.

It books nothing itself; `backtests.fills.broker` plays the bars and tells what happened.
"""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

import backtrader as bt
import numpy as np

from backtests.fills.plan_book import PlanBook
from brokers.plan import FillTerms
from brokers.state_log import StateLog
from core.bars import Series
from core.errors import ConfigError, near_name
from core.fx import FxRate, constant_rate
from core.instruments import Instrument
from core.ledger import Ledger
from core.matching.book import Array, LimitFill
from core.matching.records import INTRABAR
from core.ports import Supervisor, no_limits

_Drill = Series | Mapping[str, Series] | None


class BacktestAccount(bt.BrokerBase):  # type: ignore[misc]
    """One cash balance, its plans' books, and what Backtrader asks of a broker about them.

    Parameters, attributes and notes stand at `BacktestBroker`.
    """

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
        self.orders_log = StateLog()
        self._ends, self._equities = array("q"), array("d")
        self._notifications: deque[Any] = deque()
        self.ambiguous_bars = 0
        self._day = -1
        self._fill_count = 0
        limits = no_limits() if self._supervisor is None else self._supervisor.limits
        self._limits, self._breach = limits, limits["breach"]
        idle = self._supervisor is None or self._supervisor.is_empty
        self._bar_listener = None if idle else self._supervisor
        self._by_data = {id(plan.data): plan for plan in self._plans}  # ids of this process
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
        if not clone:
            return self.positions[data]
        plan = self._by_data.get(id(data))
        return self.positions[data].clone() if plan is None else plan.position_shown

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

    @property
    def trading_day(self) -> int:
        """The account's trading day (days since 1970): the latest of its feeds'; -1 before any."""
        return self._day

    def open_positions(self) -> list[dict[str, Any]]:
        """Return what is still open, marked at the last closes."""
        marks = {
            (plan.plan_id, plan.symbol): (plan.leaves_at(float(plan.bar.close)), plan.point_value)
            for plan in self._plans
            if plan.bar is not None
        }
        return self.ledger.open_positions(marks)

    def _value_account(self) -> None:
        """Cache equity and cash; Backtrader asks for both several times a bar."""
        opened = margin = 0.0
        for plan in self._plans:
            if plan.live:
                opened += plan.open_pnl.item(0)
                margin += plan.margin.item(0)
        self._value = float(self._balance + opened)
        self._cash = float(self._value - margin)


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
