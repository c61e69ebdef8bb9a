"""Stock Backtrader fills behind the guard: `fills = "backtrader"`.

`StockBroker` is Backtrader's own `BackBroker`: its matching is not touched, so with an empty rule
set every trade is the one stock Backtrader makes. It takes orders the guard approved, tells the
guard what happened, and feeds the ledger. Backtrader knows no path inside a bar, so limits are
tested at each bar's close and a flattening fills at the next open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from backtrader.order import Order

from backtests.fills.lean_broker import LeanBroker
from backtests.fills.order_log import OrderLog
from backtests.fills.quiet_bars import QuietBars
from backtests.fills.stock_records import StockCommission, fill_of, planned_of
from backtests.loop.skipping import FLAT, OPEN, WORKING
from backtests.loop.timeline import Array, Timeline
from core.errors import ConfigError
from core.fx import FxRate
from core.instruments import Instrument
from core.ledger import Ledger
from core.orders import Approved, Fill, OrderChange, OrderRequest, Role
from core.ports import BREACH_DAY, BREACH_TRAIL, Supervisor
from risk.lean_orders import ALIVE, make_order, noted
from risk.moment import bar_of, bounds_of, day_of, end_of, next_bar, symbol_of

_DUST = 1e-9


class StockBroker(LeanBroker):
    """Backtrader's broker as the guard's inner one.

    Attributes
    ----------
    ledger : Ledger
        Trades of the run; excursions come from whole bars.
    orders_log : sequence of dict
        One row for each state an order enters (`core.results.ORDER_COLUMNS`), time in ns.

    Notes
    -----
    With rules in force, orders that only reduce and bracket children are cut to the open position
    and end with it (stock Backtrader lets a forgotten stop open the opposite position). With an
    empty rule set nothing of the kind is done. Of our own order keywords `flat_at` and `day_only`
    are kept; several targets a bracket are refused, as Backtrader ends all children with the first.
    """

    def init(self) -> None:
        """Forget the last run (Backtrader calls this when made and at every start)."""
        super().init()
        self.ledger = Ledger()
        self._requests: dict[int, OrderRequest] = {}
        self._bits_seen: dict[int, int] = {}
        self._quiet: QuietBars | None = None
        self._new_fills: list[tuple[Fill, Any, OrderRequest | None]] = []
        self._fill_count = 0
        self._flat_at: dict[tuple[Any, int], tuple[int, str]] = {}
        self.orders_log = OrderLog(self.plan_of)
        self._owners: dict[tuple[Any, int], Any] = {}
        self._open_sizes: dict[tuple[Any, int], float] = defaultdict(float)
        self._lengths: dict[Any, int] = {}
        self._day = -1
        self._unmarked = self._played = 0
        self._times: list[int] = []
        self._values: list[float] = []
        if not hasattr(self, "_plans"):
            self._supervisor: Supervisor | None = None
            self._plans: dict[Any, str] = {}
            self._schemes: dict[Any, StockCommission] = {}

    # -- set-up ------------------------------------------------------------------------------

    def supervise(self, supervisor: Supervisor) -> None:
        """Bind the guard."""
        self._supervisor = supervisor

    def add_instrument(
        self, data: Any, instrument: Instrument, plan_id: str, fx: float | FxRate = 1.0
    ) -> None:
        """Say what a feed is: its plan, and the facts that give point value, margin and charges.

        Backtrader's fills know no spread; slippage is what `set_slippage_fixed` says.
        """
        self._schemes[data] = scheme = StockCommission(instrument, data, fx)
        self._plans[data] = plan_id
        self.addcommissioninfo(scheme, name=data._name)

    def plan_of(self, data: Any) -> str:
        """Return the plan that trades a feed, its symbol where no plan was given."""
        return self._plans.get(data) or symbol_of(data)

    def tick_size(self, data: Any) -> float | None:
        """Return the tick of a feed's instrument, None where none was given."""
        scheme = self._schemes.get(data)
        return None if scheme is None else scheme.facts.tick

    @property
    def balance(self) -> float:
        """Realised money, account currency."""
        return float(self._value - self._unrealized)

    @property
    def trading_day(self) -> int:
        """The account's trading day (days since 1970): the latest of what it trades; -1 before."""
        return self._day

    def open_positions(self) -> list[dict[str, Any]]:
        """Return what is still open, marked at the last closes."""
        marks = {
            (self.plan_of(data), symbol_of(data)): (float(data.close[0]), self._value_of(data))
            for data in self.cerebro.datas
            if len(data)
        }
        return self.ledger.open_positions(marks)

    @property
    def equity_curve(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Times (int64 ns UTC) and equity (account currency), one item a bar."""
        if self._quiet is not None:
            running = self._timeline.step + 1 if self._timeline is not None else 0
            return self._quiet.equity_curve(max(self._played, running))
        return np.array(self._times, np.int64), np.array(self._values, np.float64)

    # -- orders ------------------------------------------------------------------------------

    def buy(self, *given: Any, **keywords: Any) -> Any:
        """Refuse an order that did not come through the guard (order history is Backtrader's)."""
        self._refuse_unguarded(keywords)
        return super().buy(*given, **keywords)

    def sell(self, *given: Any, **keywords: Any) -> Any:
        """Refuse an order that did not come through the guard (order history is Backtrader's)."""
        self._refuse_unguarded(keywords)
        return super().sell(*given, **keywords)

    def _refuse_unguarded(self, keywords: dict[str, Any]) -> None:
        if keywords.get("exectype") != Order.Historical:
            raise ConfigError(
                "StockBroker takes orders from the guard only: "
                "use cerebro.setbroker(Guard(StockBroker()))"
            )

    def submit_approved(self, approved: Approved[OrderRequest], orders: Sequence[Any]) -> None:
        """Hand a group to Backtrader's own submission, parent first."""
        request = approved.request
        if len(orders) > 2:
            _check_legs(request, orders)
        for order in orders:
            self._requests[order.ref] = request
            self._owners[order.data, order.tradeid] = order.owner
            if request.flat_at is not None:
                self._flat_at[order.data, order.tradeid] = (request.flat_at, request.flat_reason)
            self._register_oco(order)
        parent = orders[0]
        if parent.parent is not None:  # a child sent after its parent
            for order in orders:
                self.submit(order)
            return
        self._pchildren[parent.ref].extend(orders)
        for order in orders:
            self.transmit(order)

    def _register_oco(self, order: Any) -> None:
        leader = order.oco
        if leader is not None and leader.ref not in self._ocos:
            self._register_oco(leader)  # held by the guard, or refused: it never came here
        self._ocoize(order, leader)

    def modify_approved(self, approved: Approved[OrderChange], order: Any) -> None:
        """Change a working order's price, limit or quantity."""
        self._stir()
        change = approved.request
        if change.price is not None:
            order.created.price = change.price
            if order.exectype == Order.Limit:
                order.created.pricelimit = change.price
        if change.limit_price is not None:
            order.created.pricelimit = change.limit_price
        if change.quantity is not None:
            size = change.quantity if order.isbuy() else -change.quantity
            order.executed.remsize = size - order.executed.size
            order.created.size = size

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at its next open."""
        leaving: dict[tuple[Any, int], float] = defaultdict(float)
        for order in [*self.pending, *self.submitted]:
            if noted(order, "flattens"):
                leaving[order.data, order.tradeid] += order.executed.remsize
            elif order.alive():
                self._cancel_anywhere(order, reason)
        for key, size in list(self._open_sizes.items()):
            left = size + leaving[key]
            if abs(left) > _DUST:
                self._close_at_market(key, left, reason)

    def _keep_flat_times(self, fresh: list[Any]) -> None:
        """Leave at the open of the first bar that starts at or after an entry's flat time."""
        for key, (flat_at, reason) in list(self._flat_at.items()):
            data, tradeid = key
            if not any(data is item for item in fresh) or end_of(data) < flat_at:
                continue
            del self._flat_at[key]
            for order in [*self.pending, *self.submitted]:
                if order.data is data and order.tradeid == tradeid and order.alive():
                    self._cancel_anywhere(order, reason)
            if abs(self._open_sizes[key]) > _DUST:
                self._close_at_market(key, self._open_sizes[key], reason)

    def _end_day_orders(self) -> None:
        """Cancel entries that were for the trading day that has ended."""
        for order in [*self.pending, *self.submitted]:
            request = self._requests.get(order.ref)
            wanted = request is not None and noted(order, "day_only") and order.parent is None
            if wanted and order.alive():
                self._cancel_anywhere(order, "another_day")

    def _close_at_market(self, key: tuple[Any, int], size: float, reason: str) -> None:
        data, tradeid = key
        order = make_order(
            size < 0,
            self._owners[key],
            data,
            abs(size),
            exectype=Order.Market,
            tradeid=tradeid,
        )
        order.addinfo(reason=reason, flattens=True)
        order.addcomminfo(self.getcommissioninfo(data))
        self._ocoize(order, None)
        self.submit(order, check=False)  # closing is never a question of cash

    def _cancel_anywhere(self, order: Any, reason: str) -> None:
        """Cancel an order, also one Backtrader has not accepted yet (its `cancel` ignores it)."""
        order.addinfo(reason=reason)
        if self.cancel(order) or order not in self.submitted:
            return
        self.submitted.remove(order)
        self._pchildren.pop(order.ref, None)
        order.cancel()
        self.notify(order)
        self._ococheck(order)

    def _cancel_entries(self) -> None:
        """Cancel working entries with their children: the guard lets none fill now."""
        for order in [*self.pending, *self.submitted]:
            request = self._requests.get(order.ref)
            if request is None or request.reduces or not order.alive():
                continue
            parent = order if order.parent is None else order.parent
            if parent.alive():
                self._cancel_anywhere(order, "locked")

    # -- matching ----------------------------------------------------------------------------

    def next(self) -> None:
        """Match the bar by Backtrader's rules; then let the guard look at what came of it."""
        timeline, quiet = self._timeline, self._quiet
        if timeline is None or quiet is None:
            self._play(self._fresh_feeds())
            return
        step = timeline.step
        if not quiet.try_bar(step):
            self._mark_until(step)
            self._play(quiet.fresh_feeds())

    def _play(self, fresh: list[Any]) -> None:
        """Play a bar in full."""
        guard = self._supervisor
        self._roll_day(fresh)
        if self._quiet is None:
            self._mark_excursions(fresh)
        self._match()
        if self._new_fills:
            self._book_new_fills()
            self._mark_excursions(fresh)
        if self._quiet is not None:
            self._quiet.note_full_bar(self._value)
        elif fresh:
            self._note_equity(fresh)
        if self._flat_at:
            self._keep_flat_times(fresh)
        if guard is not None and not guard.is_empty and fresh:
            self._watch(guard, fresh)

    def _try_exec(self, order: Any) -> None:
        """Cut orders that only reduce to the position; then match as Backtrader does."""
        guard = self._supervisor
        if guard is not None and not guard.is_empty and self._only_reduces(order):
            held = self.positions[order.data].size
            if held * order.executed.remsize >= 0:
                order.addinfo(reason="position_closed")
                order.cancel()
                self.notify(order)
                self._ococheck(order)
                return
            if abs(order.executed.remsize) > abs(held):
                order.executed.remsize = -held
        super()._try_exec(order)

    def is_surplus(self, order: Any) -> bool:
        """Whether an order only reduces and there is nothing to reduce: the next bar ends it."""
        guard = self._supervisor
        if guard is None or guard.is_empty or not self._only_reduces(order):
            return False
        return bool(self.positions[order.data].size * order.executed.remsize >= 0)

    def _only_reduces(self, order: Any) -> bool:
        request = self._requests.get(order.ref)
        return request is not None and (request.reduces or order.parent is not None)

    def notify(self, order: Any) -> None:
        """Queue the notification; note the executions it carries."""
        ref, data = order.ref, order.data
        request = self._requests.get(ref)
        if order.executed.size and (count := len(order.executed)):
            seen = self._bits_seen.get(ref, 0)
            for bit in order.executed.exbits[seen:count]:
                self._note_fill(order, bit, request)
            self._bits_seen[ref] = count
        end = end_of(data) if self._quiet is None else self._quiet.end_of(data)
        reason = noted(order, "reason")
        reduces = request is not None and request.reduces
        self.orders_log.add(order, end, str(reason) if reason else "", reduces)
        if order.status not in ALIVE:
            self._requests.pop(ref, None)
            self._bits_seen.pop(ref, None)
        self.notifs.append(order.clone())

    def _note_fill(self, order: Any, bit: Any, request: OrderRequest | None) -> None:
        data = order.data
        self._fill_count += 1
        scheme = self.getcommissioninfo(data)
        bounds = bounds_of(data) if self._quiet is None else self._quiet.bounds(data)
        fill = fill_of(order, bit, self._fill_count, self.plan_of(data), scheme, bounds)
        self._open_sizes[data, order.tradeid] += bit.size
        self._owners[data, order.tradeid] = order.owner
        self._new_fills.append((fill, data, request))

    # -- playing on without being asked (`backtests.loop.skipping`) -------------------------

    def begin_walk(self, timeline: Timeline) -> None:
        """Take the steps of a preloaded run."""
        self._timeline = timeline
        self._quiet = QuietBars(self, timeline)
        self._unmarked = self._played = 0

    def end_walk(self) -> None:
        """Close the books of the run."""
        if self._timeline is not None:
            self._played = self._timeline.step + 1
            self._mark_until(self._timeline.step)
        self._timeline = None

    def standing(self, strategy: Any) -> int:
        """Return whether a strategy holds a position, has orders at work, or neither."""
        if self.notifs or self.submitted:
            return WORKING
        positions = self.positions
        for data in strategy.datas:
            if data in positions and positions[data].size:
                return OPEN
        for order in self.pending:
            if order.owner is strategy:
                return WORKING
        return FLAT

    def play_until(self, stop: int) -> int:
        """Play on to a step, not included, or to the first that must be played in full."""
        assert self._quiet is not None
        return self._quiet.play_until(stop)

    def account_between(self, first: int, stop: int) -> tuple[Array, Array]:
        """Return cash and value after each of the steps just played."""
        assert self._quiet is not None
        return self._quiet.account_between(first, stop)

    def take_figures(self, cash: float, held: float, unlevered: float, open_profit: float) -> None:
        """Take what Backtrader computes at the end of a bar, with one position open."""
        self.cash = cash
        self._value = value = cash + unlevered
        self._fundval = value / self._fundshares
        self._valuemkt = unlevered
        self._valuelever = cash + held
        self._valuemktlever = held
        self._leverage = held / (unlevered or 1.0)
        self._unrealized = open_profit

    def _stir(self) -> None:
        """Have the next bar played in full."""
        if self._quiet is not None:
            self._quiet.is_stirred = True

    def cancel(self, order: Any, bracket: bool = False) -> bool:
        """Cancel an order; False if it does not rest with the broker."""
        self._stir()
        return bool(super().cancel(order, bracket))

    def transmit(self, order: Any, check: bool = True) -> Any:
        """Send an order on its way: BackBroker.transmit."""
        self._stir()
        if not (check and self.p.checksubmit):
            self.submit_accept(order)
            return order
        order.status, order.broker = Order.Submitted, None
        order.plen = order.data.lines.datetime.lencount
        self.submitted.append(order)
        self.orders.append(order)
        self.notify(order)
        return order

    def add_cash(self, cash: float) -> None:
        """Add cash at the next bar; take it if negative."""
        self._stir()
        super().add_cash(cash)

    def set_cash(self, cash: float) -> None:
        """Set the cash."""
        self._stir()
        super().set_cash(cash)

    setcash = set_cash

    def addcommissioninfo(self, comminfo: Any, name: str | None = None) -> None:
        """Set a commission scheme."""
        self._stir()
        super().addcommissioninfo(comminfo, name)

    def _mark_until(self, step: int) -> None:
        """Give the ledger the extremes of the bars up to a step since it was last told."""
        if self._quiet is not None and self.ledger.open and self._unmarked <= step:
            for data, low, high in self._quiet.low_highs(self._unmarked, step):
                self.ledger.mark(self.plan_of(data), symbol_of(data), low, high)
        self._unmarked = step + 1

    # -- after the bar -----------------------------------------------------------------------

    def _fresh_feeds(self) -> list[Any]:
        """Return the feeds that stand on a bar not seen before."""
        fresh = []
        for data in self.cerebro.datas:
            length = len(data)
            if length and self._lengths.get(data) != length:
                self._lengths[data] = length
                fresh.append(data)
        return fresh

    def is_traded(self, data: Any) -> bool:
        """Whether a feed is traded: it was given an instrument, or none was given any.

        A further series keeps days of its own market, which are not the account's.
        """
        return not self._plans or data in self._plans

    def _roll_day(self, fresh: list[Any]) -> None:
        day = max((day_of(data) for data in fresh if self.is_traded(data)), default=self._day)
        if day <= self._day:
            return
        self._day = day
        self._end_day_orders()
        for scheme in self._schemes.values():
            scheme.begin_day(day)
        if self._supervisor is not None:
            self._supervisor.on_day(day, float(self._value), self.balance)

    def _mark_excursions(self, fresh: list[Any]) -> None:
        if self.ledger.open:
            for data in fresh:
                self.ledger.mark(
                    self.plan_of(data), symbol_of(data), float(data.low[0]), float(data.high[0])
                )

    def _value_of(self, data: Any) -> float:
        """Return account money per 1.0 price move of 1.0 quantity."""
        return float(self.getcommissioninfo(data).profitandloss(1.0, 0.0, 1.0))

    def _book_new_fills(self) -> None:
        fills, self._new_fills = self._new_fills, []
        for fill, data, request in fills:
            self.ledger.book(fill, point_value=self._value_of(data), planned=planned_of(request))
            if self._supervisor is not None:
                self._supervisor.on_fill(fill, self._value)

    def _note_equity(self, fresh: list[Any]) -> None:
        self._times.append(max(end_of(data) for data in fresh))
        self._values.append(float(self._value))

    def _watch(self, guard: Supervisor, fresh: list[Any]) -> None:
        """Test the floors at the close; let rules of time see the bar that comes."""
        self._test_floors(guard, fresh)
        for data in fresh:
            guard.on_bar_start(symbol_of(data), next_bar(bar_of(data)))
        if guard.limits[0].locked:
            self._cancel_entries()

    def _test_floors(self, guard: Supervisor, fresh: list[Any]) -> None:
        limits = guard.limits[0]
        equity = float(self._value)
        if limits.trail_intraday and equity > limits.trail_peak:
            limits.trail_peak = equity
            limits.trail_floor = max(
                limits.trail_floor, min(equity - limits.trail_amount, limits.trail_lock)
            )
        if equity > max(limits.day_floor, limits.trail_floor):
            return
        is_trail = equity <= limits.trail_floor
        limits.breach = BREACH_TRAIL if is_trail else BREACH_DAY
        limits.breach_equity = equity
        self.flatten("trailing_drawdown" if is_trail else "daily_loss")
        guard.on_breach(max(end_of(data) for data in fresh))


def _check_legs(request: OrderRequest, orders: Sequence[Any]) -> None:
    """Refuse an exit plan of several legs: its stop would be gone after the first."""
    targets = sum(child.role is Role.TARGET for child in request.children)
    if targets > 1 and any(noted(order, "stop_to") is not None for order in orders):
        raise ConfigError(
            'fills = "backtrader" knows one target a bracket: set legs to one, '
            'or use fills = "tola"'
        )
