"""What stock Backtrader's orders say, in our words: fills, plans of trades, rows of orders.csv."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from backtrader.order import Order

from brokers.commission import InstrumentCommission
from core.costs import COST_KINDS, charge_by_kind
from core.errors import ConfigError
from core.fx import FxRate
from core.instruments import Instrument, InstrumentFacts
from core.ledger import Planned
from core.orders import Fill, OrderRequest, Role, Side
from risk.groups import is_stop
from risk.lean_orders import noted
from risk.moment import bars_to_play, symbol_of

_REASONS = {Role.ENTRY: "entry", Role.STOP: "stop", Role.TARGET: "target"}
_BUY, _SELL = Side.BUY, Side.SELL


class StockCommission(InstrumentCommission):
    """An instrument's facts for Backtrader's own broker: the margin is one figure all run long.

    Backtrader adds the margin at today's price to a cash that paid it at yesterday's, so a margin
    that moves with the price would show as profit. The first bar's price sets it; the exchange
    rate is that of the first bar too.
    """

    has_constant_margin = True

    def __init__(self, instrument: Instrument, data: Any, fx: float | FxRate) -> None:
        super().__init__()
        bars = bars_to_play(data)
        if bars is None or not len(bars):
            raise ConfigError("add_instrument needs a feed with bars (feeds.BulkData)")
        self.instrument = instrument
        first = bars[0]
        rate = fx.at(int(first.start)) if isinstance(fx, FxRate) else float(fx)
        self.use(instrument.facts(int(first.day)), rate)
        self.p.margin = self.facts.margin_per_unit(float(first.open)) * rate

    def use(self, facts: InstrumentFacts, fx: float) -> None:
        """Take the facts and the exchange rate that hold from now on."""
        super().use(facts, fx)
        self._kinds: dict[float, dict[str, float]] = {}

    def begin_day(self, day: int) -> None:
        """Take the charges of a trading day."""
        facts = self.instrument.facts(day)
        if facts is not self.facts:
            margin = self.p.margin
            self.use(facts, self.fx)
            self.p.margin = margin

    def get_margin(self, price: float) -> float:
        """Return the money one unit of quantity binds, whatever the price."""
        return float(self.p.margin)

    def costs_by_kind(self, size: float, price: float) -> dict[str, float]:
        """Return the charges of a signed execution, account currency, those that are not zero."""
        is_flat = self._is_flat and isfinite(price)
        known = self._kinds.get(size) if is_flat else None
        if known is not None:
            return known
        kinds = np.zeros(len(COST_KINDS))
        charge_by_kind(self._cost, size > 0, abs(size), price, self.facts.multiplier, kinds)
        costs = {
            kind: float(money) * self.fx
            for kind, money in zip(COST_KINDS, kinds, strict=True)
            if money
        }
        if is_flat:
            self._kinds[size] = costs
        return costs


def fill_of(
    order: Any,
    bit: Any,
    fill_id: int,
    plan_id: str,
    commission: Any,
    bounds: tuple[int, int],
) -> Fill:
    """Return one execution of an order on a bar of these bounds; its reason is noted on it too."""
    start, end = bounds
    role = role_of(order, bool(bit.opened))
    reason = str(noted(order, "reason") or _REASONS.get(role) or _exit_reason(order))
    order.addinfo(reason=reason, ambiguous=False)
    price = float(bit.price)
    return Fill(
        fill_id=fill_id,
        order_id=int(order.ref),
        plan_id=plan_id,
        symbol=symbol_of(order.data),
        side=_BUY if order.isbuy() else _SELL,
        quantity=abs(float(bit.size)),
        price=price,
        ts_event=start if price == order.data.lines.open[0] else end,
        bar_start=start,
        role=role,
        reason=reason,
        costs=_costs(bit, commission),
    )


def _costs(bit: Any, commission: Any) -> dict[str, float]:
    if not isinstance(commission, StockCommission):
        return {"commission": float(bit.comm)} if bit.comm else {}
    closed, opened = bit.closed, bit.opened
    if not (closed and opened):
        return commission.costs_by_kind(closed or opened, bit.price)
    costs: dict[str, float] = {}
    for size in (closed, opened):
        for kind, money in commission.costs_by_kind(size, bit.price).items():
            costs[kind] = costs.get(kind, 0.0) + money
    return costs


def role_of(order: Any, opens: bool) -> Role:
    """Return what an order is for; a child is a stop or a target, whatever it does in the end."""
    if order.parent is not None:
        return Role.STOP if is_stop(order) else Role.TARGET
    return Role.ENTRY if opens else Role.EXIT


def _exit_reason(order: Any) -> str:
    if is_stop(order):
        return "stop"
    return "target" if order.exectype == Order.Limit else "close"


def planned_of(request: OrderRequest | None) -> Planned | None:
    """Return what an entry was planned as, for the trade table."""
    if request is None:
        return None
    targets = [child.price for child in request.children if child.role is Role.TARGET]
    return Planned(
        entry=request.planned_entry,
        stop=request.planned_stop,
        target=targets[-1] if targets else None,
        pattern=request.pattern,
    )


def order_words(order: Any) -> str:
    """Return an order in words, such as `a buy order (Market, 1)`."""
    side = "buy" if order.isbuy() else "sell"
    return f"a {side} order ({order.getordername()}, {abs(order.created.size):g})"
