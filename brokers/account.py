"""What Backtrader and the guard ask of an account of ours, whatever fills its orders."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import backtrader as bt
import numpy as np

from brokers.plan import TradedPlan
from brokers.state_log import StateLog
from core.errors import ConfigError, near_name
from core.ledger import Ledger
from core.ports import Supervisor, no_limits

_Array = np.ndarray[Any, Any]


class TradedAccount(bt.BrokerBase):  # type: ignore[misc]
    """One cash balance, its plans, and what Backtrader reads of a broker about them.

    Attributes
    ----------
    ledger : Ledger
        Fills and trades of this run.
    orders_log : sequence of dict
        One row for each state an order enters (`core.results.ORDER_COLUMNS`), time in ns.
    """

    def __init__(self, cash: float, account_currency: str) -> None:
        self.account_currency = account_currency
        self._cash_start = float(cash)
        self._plans: list[Any] = []
        self._by_data: dict[int, Any] = {}
        self._supervisor: Supervisor | None = None
        super().__init__()

    # -- setting up --------------------------------------------------------------------------

    def add_plan(self, plan: TradedPlan) -> None:
        """Let a plan trade on this account."""
        self._plans.append(plan)
        self._by_data[id(plan.data)] = plan
        self.comminfo[plan.data._name] = plan.commission

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
        self._day = -1
        self._fill_count = 0
        limits = no_limits() if self._supervisor is None else self._supervisor.limits
        self._limits = limits
        self._by_data = {id(plan.data): plan for plan in self._plans}  # ids of this process
        for plan in self._plans:
            plan.reset(self._cash_start, limits)
            self.positions[plan.data] = plan.position
            self.comminfo[plan.data._name] = plan.commission

    def plan_of(self, data: Any) -> str:
        """Return the plan that trades a feed."""
        return str(self._plan(data).plan_id)

    def tick_size(self, data: Any) -> float | None:
        """Return the tick of a feed's instrument, None for a feed that is not traded."""
        plan = self._by_data.get(id(data))
        return None if plan is None else plan.facts.tick

    def _plan(self, data: Any) -> Any:
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

    def orderstatus(self, order: Any) -> int:
        """Return an order's status."""
        return int(order.status)

    def get_notification(self) -> Any | None:
        """Return the next order notification, None when there is none."""
        return self._notifications.popleft() if self._notifications else None

    @property
    def equity_curve(self) -> tuple[_Array, _Array]:
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

    def resume_day(self, day: int) -> None:
        """Begin in the middle of a trading day that an earlier session has begun."""
        self._day = day

    def open_positions(self) -> list[dict[str, Any]]:
        """Return what is still open, marked at the last closes."""
        marks = {
            (plan.plan_id, plan.symbol): (plan.leaves_at(plan.last_price), plan.point_value)
            for plan in self._plans
            if plan.last_price == plan.last_price
        }
        return self.ledger.open_positions(marks)

    def _value_account(self) -> None:
        """Cache equity and cash; Backtrader asks for both several times a bar."""
        raise NotImplementedError

    def _notify(self, order: Any) -> None:
        self._notifications.append(order.clone())
