"""Fills become trades: entry to exit, with legs, costs by kind and R.

Any broker feeds it: ours with excursions it followed along the path, others with those of their
bars. A trade is one plan's position on one symbol from flat to flat; a fill that reverses ends
one trade and begins the next. Money is in account currency, prices in quote currency, times are
int64 ns UTC, quantities are never signed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.compile import shared
from core.orders import Fill, Role, Side
from core.results import iso_time

_DUST = 1e-9
"""Quantities nearer to zero than this share of the entered quantity are zero."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What an entry was meant to be: the unit of R and the trade table's stop and target.

    entry : order price, or the close used for sizing, so that slippage lowers R, never its unit.
    stop : initial stop (None: the trade has no R). target : the furthest target (None: none).
    """

    entry: float | None = None
    stop: float | None = None
    target: float | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """One closed trade.

    entry_bar, exit_bar : START of the bars that hold the first and the last fill.
    entry_price, exit_price : averages over the trade's fills.
    pnl : net of costs. costs : all of them, swap included, positive = paid.
    r_multiple : pnl / (quantity x |planned entry - initial stop| x point value), None without stop.
    mae_r, mfe_r : worst (<= 0) and best (>= 0) excursion of price from the average entry, in R.
    legs : number of fills that left the position. exit_reason : that of the last; `opposite` where
        an entry to the other side ended the trade.
    ambiguous : the two paths of some bar gave this trade other fills.
    planned_risk : quantity x |planned entry - initial stop| x point value, account currency.
    """

    trade_id: int
    plan_id: str
    symbol: str
    entry_bar: int
    exit_bar: int
    entry_time: int
    exit_time: int
    side: str
    quantity: float
    entry_price: float
    exit_price: float
    stop: float | None
    target: float | None
    pnl: float
    costs: float
    r_multiple: float | None
    mae_r: float | None
    mfe_r: float | None
    legs: int
    pattern: str
    exit_reason: str
    ambiguous: bool
    planned_risk: float | None = None

    def row(self) -> dict[str, Any]:
        """Return the row of trades.csv: times as ISO 8601 UTC."""
        names = ("entry_bar", "exit_bar", "entry_time", "exit_time")
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {name: iso_time(values[name]) for name in names}


@dataclass(frozen=True, slots=True)
class TradeFill:
    """One fill as part of a trade; leg 0 is an entry, 1.. the exits in order.

    bar_start : START of the bar that contains it.
    order_id : the order it executed.
    charges : its costs by kind, account currency. gross : what it realised, before costs.
    point_value : account money per 1.0 price move of 1.0 quantity at this fill.
    """

    trade_id: int
    leg: int
    plan_id: str
    time: int
    side: str
    quantity: float
    price: float
    reason: str
    costs: float
    bar_start: int
    order_id: int
    charges: Mapping[str, float]
    gross: float
    point_value: float

    def row(self) -> dict[str, Any]:
        """Return the row of fills.csv: time as ISO 8601 UTC."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"time": iso_time(self.time)}


@dataclass(frozen=True, slots=True)
class HoldingCost:
    """A cost that is no fill's (swap); money in account currency, positive = paid.

    time : ns UTC. trade_id : the trade that was open then, None if there was none.
    """

    time: int
    plan_id: str
    symbol: str
    trade_id: int | None
    kind: str
    money: float


@dataclass(slots=True)
class OpenTrade:
    """A position not yet closed: what the next fills add to or end.

    point_value : account money per 1.0 price move of 1.0 quantity at the entry (the unit of R).
    average : of what is open.
    entry_price, exit_price : averages over all that entered and left.
    """

    trade_id: int
    plan_id: str
    symbol: str
    direction: int
    planned: Planned
    point_value: float
    entry_bar: int
    entry_time: int
    open_quantity: float = 0.0
    average: float = 0.0
    entered: float = 0.0
    entry_price: float = 0.0
    left: float = 0.0
    exit_price: float = 0.0
    gross: float = 0.0
    costs: float = 0.0
    legs: int = 0
    adverse: float = 0.0
    favourable: float = 0.0
    ambiguous: bool = False

    @property
    def side(self) -> str:
        """'long' or 'short'."""
        return "long" if self.direction > 0 else "short"

    def row(self, price: float, point_value: float) -> dict[str, Any]:
        """Return what `open_positions` shows of it, left at `price` and today's point value.

        `realised` is what its legs have earned, `costs` what it has paid so far.
        """
        return {
            "trade_id": self.trade_id,
            "plan_id": self.plan_id,
            "symbol": self.symbol,
            "entry_time": iso_time(self.entry_time),
            "side": self.side,
            "quantity": _clean(self.open_quantity),
            "entry_price": self.average,
            "stop": self.planned.stop,
            "target": self.planned.target,
            "price": price,
            "open_pnl": (price - self.average) * self.direction * self.open_quantity * point_value,
            "realised": self.gross,
            "costs": self.costs,
        }


@shared
def enter(trade: Any, quantity: float, price: float) -> None:
    """Add an entry fill to an open trade (an `OpenTrade`, or a record of the same fields)."""
    trade.open_quantity += quantity
    trade.average += (price - trade.average) * (quantity / trade.open_quantity)
    trade.entered += quantity
    trade.entry_price += (price - trade.entry_price) * (quantity / trade.entered)


@shared
def leave(trade: Any, quantity: float, price: float, value: float) -> float:
    """Take an exit fill off an open trade; return what it realised before costs.

    value : account money per 1.0 price move of 1.0 quantity now.
    """
    moved = (price - trade.average) * trade.direction
    gross = moved * quantity * value
    trade.gross += gross
    trade.open_quantity -= quantity
    trade.left += quantity
    trade.exit_price += (price - trade.exit_price) * (quantity / trade.left)
    trade.legs += 1
    trade.adverse = min(trade.adverse, moved)
    trade.favourable = max(trade.favourable, moved)
    return float(gross)


@shared
def is_open(trade: Any) -> bool:
    """Say whether more of a trade is open than the dust of adding lot steps."""
    return bool(trade.open_quantity > _DUST * trade.entered)


@dataclass
class Ledger:
    """All fills of an account's run, as trades.

    trades : closed, in the order they closed. fills : all, in the order they came.
    holding : costs that are no fill's, in the order they came.
    costs : totals by kind over all fills and nights, account currency.
    plan_costs : the same for each plan.
    open : positions by (plan_id, symbol); at the end of data they are listed, not counted.
    """

    trades: list[Trade] = field(default_factory=list)
    fills: list[TradeFill] = field(default_factory=list)
    holding: list[HoldingCost] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    plan_costs: dict[str, dict[str, float]] = field(default_factory=dict)
    open: dict[tuple[str, str], OpenTrade] = field(default_factory=dict)
    _count: int = 0
    _charges: Mapping[str, float] = field(default_factory=dict)

    def book(
        self,
        fill: Fill,
        *,
        point_value: float,
        planned: Planned | None = None,
        adverse: float | None = None,
        favourable: float | None = None,
    ) -> Trade | None:
        """Book a fill; return the trade it closed, if any.

        Parameters
        ----------
        fill : the execution. Its costs must be in account currency.
        point_value : account money per 1.0 price move of 1.0 quantity now (multiplier x fx):
            what a fill earns is turned into account money at the rate of that fill.
        planned : for a fill that may open a position, what was planned.
        adverse, favourable : excursions of the position before this fill (price units), where
            the broker follows the path; else call `mark`.
        """
        for kind, money in fill.costs.items():
            self._add_cost(fill.plan_id, kind, money)
        key = (fill.plan_id, fill.symbol)
        trade = self.open.get(key)
        left = fill.quantity
        closed = None
        if trade is not None and trade.direction != int(fill.side):
            if adverse is not None and favourable is not None:
                trade.adverse = min(trade.adverse, adverse)
                trade.favourable = max(trade.favourable, favourable)
            part = min(left, trade.open_quantity)
            left = 0.0 if left - part <= _DUST * fill.quantity else left - part
            closed = self._leave(trade, fill, part, point_value)
        if left > 0.0:
            self._enter(key, fill, left, point_value, planned or Planned())
        return closed

    def _add_cost(self, plan_id: str, kind: str, money: float) -> None:
        self.costs[kind] += money
        of_plan = self.plan_costs.setdefault(plan_id, {})
        of_plan[kind] = of_plan.get(kind, 0.0) + money

    def _enter(
        self, key: tuple[str, str], fill: Fill, quantity: float, value: float, planned: Planned
    ) -> None:
        trade = self.open.get(key)
        if trade is None:
            self._count += 1
            trade = OpenTrade(
                trade_id=self._count,
                plan_id=fill.plan_id,
                symbol=fill.symbol,
                direction=int(fill.side),
                planned=planned,
                point_value=value,
                entry_bar=fill.bar_start,
                entry_time=fill.ts_event,
            )
            self.open[key] = trade
        enter(trade, quantity, fill.price)
        self._note(trade, fill, quantity, 0, 0.0, value)

    def _leave(self, trade: OpenTrade, fill: Fill, quantity: float, value: float) -> Trade | None:
        gross = leave(trade, quantity, fill.price, value)
        self._note(trade, fill, quantity, trade.legs, gross, value)
        if is_open(trade):
            return None
        del self.open[trade.plan_id, trade.symbol]
        reason = "opposite" if fill.role is Role.ENTRY else fill.reason
        closed = closed_trade(trade, fill.bar_start, fill.ts_event, reason)
        self.trades.append(closed)
        return closed

    def _note(
        self, trade: OpenTrade, fill: Fill, quantity: float, leg: int, gross: float, value: float
    ) -> None:
        share = quantity / fill.quantity
        costs = sum(fill.costs.values()) * share
        trade.costs += costs
        trade.ambiguous = trade.ambiguous or fill.ambiguous
        charges = fill.costs if share == 1.0 else _scaled(fill.costs, share)
        if charges != self._charges:  # fills that cost the same share one mapping: memory
            self._charges = charges
        self.fills.append(
            TradeFill(
                trade_id=trade.trade_id,
                leg=leg,
                plan_id=fill.plan_id,
                time=fill.ts_event,
                side="buy" if fill.side is Side.BUY else "sell",
                quantity=quantity,
                price=fill.price,
                reason=fill.reason,
                costs=costs,
                bar_start=fill.bar_start,
                order_id=fill.order_id,
                charges=self._charges,
                gross=gross,
                point_value=value,
            )
        )

    def charge(self, plan_id: str, symbol: str, kind: str, money: float, time: int) -> None:
        """Add a cost that is no fill's (swap) to the open trade; positive = paid, time ns UTC."""
        self._add_cost(plan_id, kind, money)
        trade = self.open.get((plan_id, symbol))
        trade_id = None if trade is None else trade.trade_id
        self.holding.append(HoldingCost(time, plan_id, symbol, trade_id, kind, money))
        if trade is not None:
            trade.costs += money

    def mark(self, plan_id: str, symbol: str, low: float, high: float) -> None:
        """Take a bar's extremes as excursions of an open trade (brokers without a path)."""
        trade = self.open.get((plan_id, symbol))
        if trade is None:
            return
        moves = ((low - trade.average) * trade.direction, (high - trade.average) * trade.direction)
        trade.adverse = min(trade.adverse, *moves)
        trade.favourable = max(trade.favourable, *moves)

    def flag_ambiguous(self, plan_id: str, symbol: str) -> None:
        """Flag the open trade: the other path of a bar would have given it another fill."""
        trade = self.open.get((plan_id, symbol))
        if trade is not None:
            trade.ambiguous = True

    def open_positions(
        self, marks: Mapping[tuple[str, str], tuple[float, float]]
    ) -> list[dict[str, Any]]:
        """Return the open positions.

        Parameters
        ----------
        marks : by (plan_id, symbol) the price a position would be left at, and the point value.
        """
        return [trade.row(*marks[key]) for key, trade in sorted(self.open.items())]


def closed_trade(trade: OpenTrade, exit_bar: int, exit_time: int, reason: str) -> Trade:
    """Return the closed trade that an open one has become with its last fill."""
    pnl = trade.gross - trade.costs
    planned = trade.planned
    risk = money = None
    if planned.entry is not None and planned.stop is not None and planned.entry != planned.stop:
        risk = abs(planned.entry - planned.stop)
        money = trade.entered * risk * trade.point_value
    return Trade(
        trade_id=trade.trade_id,
        plan_id=trade.plan_id,
        symbol=trade.symbol,
        entry_bar=trade.entry_bar,
        exit_bar=exit_bar,
        entry_time=trade.entry_time,
        exit_time=exit_time,
        side=trade.side,
        quantity=_clean(trade.entered),
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        stop=planned.stop,
        target=planned.target,
        pnl=pnl,
        costs=trade.costs,
        r_multiple=None if money is None else pnl / money,
        mae_r=None if risk is None else trade.adverse / risk,
        mfe_r=None if risk is None else trade.favourable / risk,
        legs=trade.legs,
        pattern=planned.pattern,
        exit_reason=reason,
        ambiguous=trade.ambiguous,
        planned_risk=money,
    )


def _scaled(charges: Mapping[str, float], share: float) -> dict[str, float]:
    return {kind: money * share for kind, money in charges.items()}


def _clean(quantity: float) -> float:
    """Return a sum of lot steps without the dust of adding them."""
    return round(quantity, 9)
