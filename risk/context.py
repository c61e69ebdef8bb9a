"""What the rules may look at: equity, positions, working orders, the day's facts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigError
from core.orders import Fill, OrderRequest, Role
from core.prices import round_down as floor_to_tick
from core.prices import round_up as ceil_to_tick
from risk.groups import Group
from risk.moment import symbol_of
from risk.trades import TradeTracker

FOREVER = 2**31 - 1
"""Trading-day number of a lock that no new day lifts."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Entries (of one plan, or all) are refused until `until_day` begins; FOREVER: for good."""

    rule: str
    limit: float
    value: float
    until_day: int
    plan: str = ""


class GuardContext:
    """The account as the guard sees it; rules read it, the guard alone writes it.

    Attributes
    ----------
    now : int
        ns UTC: END of the bar the strategy saw last, or START of the bar that begins.
    day : int
        Trading-day number of the account (-1 before the first bar).
    start_equity, start_balance : float
        At the start of the run, account currency.
    day_start_equity, day_start_balance : float
        At the last mark before the trading day began.
    entries_today : Counter
        Filled entries (distinct orders) of this trading day by plan, "" for all.
    losses_row : Counter
        Losing trades in a row that closed today by plan, "" for all.
    bar : BAR record or None
        The bar the ordering strategy saw last.
    """

    bar: Any

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self.start(0.0)

    def start(self, equity: float) -> None:
        """Begin a run with this equity, flat."""
        self.now = 0
        self.bar = None
        self.day = -1
        self.start_equity = self.start_balance = equity
        self.day_start_equity = self.day_start_balance = equity
        self.entries_today: Counter[str] = Counter()
        self.losses_row: Counter[str] = Counter()
        self.locks: dict[tuple[str, str], Lock] = {}
        self.working: list[Group] = []
        self.datas: dict[str, list[Any]] = defaultdict(list)
        self._trades = TradeTracker()
        self._entry_ids: set[int] = set()

    def add_data(self, data: Any) -> None:
        """Note a feed that may hold a position."""
        known = self.datas[symbol_of(data)]
        if not any(item is data for item in known):
            known.append(data)

    @property
    def equity(self) -> float:
        """Account equity at the last mark, open profit included."""
        return float(self.broker.getvalue())

    def position(self, symbol: str) -> float:
        """Return the signed position in a symbol, summed over plans."""
        return sum(float(self.broker.getposition(data).size) for data in self.datas[symbol])

    def point_value(self, data: Any) -> float:
        """Return account money per 1.0 price move of 1.0 quantity."""
        return float(self.broker.getcommissioninfo(data).profitandloss(1.0, 0.0, 1.0))

    def symbol_point_value(self, symbol: str) -> float:
        """Return the point value of a symbol that has traded."""
        return self.point_value(self.datas[symbol][0])

    def tick(self, symbol: str) -> float:
        """Return the tick size, as the broker knows it.

        Raises
        ------
        ConfigError : if the broker was given no instrument for the symbol.
        """
        tick = self.broker.tick_size(self.datas[symbol][0])
        if tick is None:
            raise ConfigError(
                f"{symbol}: assume_stop_ticks needs the instrument's tick; "
                "give the broker the instrument (add_instrument)"
            )
        return float(tick)

    def on_tick(self, price: float, symbol: str, *, round_up: bool) -> float:
        """Return a price on the tick (as it is where the broker knows none)."""
        tick = self.broker.tick_size(self.datas[symbol][0])
        if tick is None:
            return price
        return ceil_to_tick(price, tick) if round_up else floor_to_tick(price, tick)

    def plan_positions(self, symbol: str) -> dict[str, float]:
        """Return the signed position of each plan in a symbol."""
        sizes: dict[str, float] = {}
        for data in self.datas[symbol]:
            plan = self.broker.plan_of(data)
            sizes[plan] = sizes.get(plan, 0.0) + float(self.broker.getposition(data).size)
        return sizes

    def price(self, symbol: str, plan_id: str) -> float:
        """Return the last close a plan saw of a symbol."""
        datas = self.datas[symbol]
        own = [data for data in datas if self.broker.plan_of(data) == plan_id]
        return float((own or datas)[0].close[0])

    def live_groups(self) -> list[Group]:
        """Return the groups that still work, after dropping the finished ones."""
        self.working = [group for group in self.working if group.is_alive()]
        return self.working

    def begin_day(self, day: int, equity: float, balance: float) -> list[Lock]:
        """Roll to a trading day; return the locks it lifts."""
        self.day = day
        self.day_start_equity, self.day_start_balance = equity, balance
        self.entries_today.clear()
        self.losses_row.clear()
        self._entry_ids.clear()
        lifted = [lock for lock in self.locks.values() if lock.until_day <= day]
        for lock in lifted:
            del self.locks[lock.rule, lock.plan]
        return lifted

    def book(self, fill: Fill) -> None:
        """Count a fill among the day's entries and trades."""
        pnl = self._trades.book(fill, self.symbol_point_value(fill.symbol))
        if fill.role is Role.ENTRY and fill.order_id not in self._entry_ids:
            self._entry_ids.add(fill.order_id)
            self.entries_today.update((fill.plan_id, ""))
        if pnl is not None:
            for plan in (fill.plan_id, ""):
                self.losses_row[plan] = self.losses_row[plan] + 1 if pnl < 0 else 0

    def lock_on(self, plan_id: str) -> Lock | None:
        """Return a lock that refuses a plan's entries."""
        for lock in self.locks.values():
            if lock.plan in ("", plan_id):
                return lock
        return None

    def working_orders(self, request: OrderRequest, plan: str) -> int:
        """Return how many working entries may fill besides a request (of a group: one)."""
        own = request.oco if request.oco is not None else request.order_id
        groups = set()
        for group in self.live_groups():
            other = group.request
            if other is None or not group.working_entry() or other.order_id in self._entry_ids:
                continue
            if plan in ("", other.plan_id):
                groups.add(other.oco if other.oco is not None else other.order_id)
        return len(groups - {own})
