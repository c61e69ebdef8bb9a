"""Rules of size: risk of one trade, position, risk of all open trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.orders import OrderRequest, Role
from risk.arithmetic import exceeds, falls_short, given, least_limit, stop_risk
from risk.groups import trail_distance
from risk.rules.base import Headroom, Refusal, Rule
from risk.settings import RiskSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from risk.context import GuardContext
    from risk.groups import Group


def stop_distance(
    request: OrderRequest, assume_ticks: int | None, context: GuardContext
) -> float | None:
    """Return price units lost between entry and stop; None where no stop protects the entry.

    Only a stop that is sent with the entry counts. A stop on the wrong side gives <= 0.
    """
    stop = next((child for child in request.children if child.role is Role.STOP), None)
    if stop is not None:
        entry = _entry_price(request, context)
        if stop.price is None:
            return trail_distance(stop, entry)
        return stop_risk(entry, stop.price, int(request.side))
    if assume_ticks is not None:
        return assume_ticks * context.tick(request.symbol)
    return None


def _entry_price(request: OrderRequest, context: GuardContext) -> float:
    """Return the price an entry may fill at: its limit, its trigger, or by the last close."""
    for price in (request.limit_price, request.price):
        if price is not None:
            return price
    last = context.price(request.symbol, request.plan_id)
    return last + int(request.side) * trail_distance(request, last)


def _wrong_stop(request: OrderRequest, context: GuardContext) -> str:
    """Return why a stop protects nothing, with both prices."""
    stop = next(child.price for child in request.children if child.role is Role.STOP)
    side, entry = ("below", "buy") if request.side > 0 else ("above", "sell")
    price = _entry_price(request, context)
    return f"the stop {stop:g} is not {side} the {entry} at {price:g}"


class _StopRisk(Rule):
    """What rules on money at risk down to a stop share: a limit in money, in percent, or both."""

    def __init__(
        self,
        money: float | None = None,
        percent: float | None = None,
        assume_stop_ticks: int | None = None,
    ) -> None:
        self.money = money
        self.percent = percent
        self.assume_stop_ticks = assume_stop_ticks

    def limit(self, context: GuardContext) -> float:
        """Return the largest risk allowed now, the stricter of the two, account currency."""
        return least_limit(given(self.money), given(self.percent), context.equity)

    def _amounts(self) -> str:
        parts = [] if self.money is None else [f"{self.money:g}"]
        parts += [] if self.percent is None else [f"{self.percent:g} % of equity"]
        return " or ".join(parts)


class TradeRisk(_StopRisk):
    """Refuse an entry that could lose more than the limit between its price and its stop.

    Costs and slippage are not counted: planned risk is the unit R of the trade. An entry without
    a stop is refused as `no_stop`, unless `assume_stop_ticks` says what to count; one whose stop
    is not on the losing side of the entry as `wrong_stop`.
    """

    name = "trade_risk"

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> TradeRisk | None:
        """Return the rule, None where neither money nor percent is limited."""
        if settings.trade_risk is None and settings.trade_risk_pct is None:
            return None
        return cls(settings.trade_risk, settings.trade_risk_pct, settings.assume_stop_ticks)

    def describe(self) -> str:
        """Return the rule in one line."""
        ticks = self.assume_stop_ticks
        stop = "entries need a stop" if ticks is None else f"no stop counts as {ticks} ticks"
        return f"trade_risk {self._amounts()}; {stop}"

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse a missing or misplaced stop, and too much risk."""
        limit = self.limit(context)
        distance = stop_distance(request, self.assume_stop_ticks, context)
        if distance is None:
            return Refusal("no_stop", limit, float("inf"), "the entry has no stop")
        if distance <= 0.0:
            return Refusal("wrong_stop", limit, float("inf"), _wrong_stop(request, context))
        risk = distance * request.quantity * context.symbol_point_value(request.symbol)
        return Refusal(self.name, limit, risk) if exceeds(risk, limit) else None


class PositionSize(Rule):
    """Keep the position an entry may lead to between a least and a largest size.

    Sizes are in units of the weights (GC counts 10 micros). Everything that may fill counts:
    the position, working entries of the same side (the largest of a one-cancels-other group)
    and the new order. Below the least size an entry is refused, never rounded up.
    """

    name = "position"

    def __init__(
        self,
        largest: float | None,
        least: float | None = None,
        weights: Mapping[str, float] | None = None,
        scope: str = "symbol",
    ) -> None:
        self.largest = largest
        self.least = least
        self.weights = dict(weights or {})
        self.is_account_wide = scope == "account"

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> PositionSize | None:
        """Return the rule, None where neither end is limited."""
        if settings.max_quantity is None and settings.min_quantity is None:
            return None
        return cls(
            settings.max_quantity,
            settings.min_quantity,
            settings.quantity_weights,
            settings.quantity_scope,
        )

    def describe(self) -> str:
        """Return the rule in one line."""
        least = "" if self.least is None else f"from {self.least:g} "
        largest = "" if self.largest is None else f"to {self.largest:g} "
        scope = "the account" if self.is_account_wide else "each symbol"
        return f"position {least}{largest}in {scope}"

    def weight(self, symbol: str) -> float:
        """Return what one unit of a symbol counts."""
        return self.weights.get(symbol, 1.0)

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Judge the position after the order, were all that works on its side to fill."""
        symbol, side = request.symbol, int(request.side)
        weight = self.weight(symbol)
        own = context.plan_positions(symbol).get(request.plan_id, 0.0) * side
        alone = (own + request.quantity) * weight
        if self.least is not None and falls_short(alone, self.least):
            return Refusal(self.name, self.least, alone, "below the least size")
        working = working_entries(context.live_groups(), request)
        after = max(context.position(symbol) * side + request.quantity + working, 0.0) * weight
        if self.is_account_wide:
            after += self._elsewhere(symbol, context)
        if self.largest is not None and exceeds(after, self.largest):
            return Refusal(self.name, self.largest, after)
        return None

    def _elsewhere(self, symbol: str, context: GuardContext) -> float:
        """Return what other symbols hold or may come to hold, weighted and unsigned."""
        total = sum(
            abs(context.position(other)) * self.weight(other)
            for other in list(context.datas)
            if other != symbol
        )
        for group in context.live_groups():
            if group.request is not None and group.request.symbol != symbol:
                total += group.working_entry() * self.weight(group.request.symbol)
        return total

    def headroom(self, context: GuardContext) -> Headroom | None:
        """Return the largest position held against the limit."""
        if self.largest is None:
            return None
        held = [abs(context.position(item)) * self.weight(item) for item in list(context.datas)]
        used = sum(held) if self.is_account_wide else max(held, default=0.0)
        return Headroom(self.name, self.largest, used, "quantity")


def working_entries(groups: list[Group], request: OrderRequest) -> float:
    """Return the quantity of working entries on a request's symbol and side.

    Of a one-cancels-other group only the largest counts, and none beside the request itself if
    it belongs to that group and is larger.
    """
    single = 0.0
    grouped: dict[int, float] = {}
    own_group = request.oco if request.oco is not None else request.order_id
    for group in groups:
        other = group.request
        if other is None or other.symbol != request.symbol or other.side != request.side:
            continue
        left = group.working_entry()
        key = other.oco if other.oco is not None else other.order_id
        if key == own_group:
            left = max(left - request.quantity, 0.0)
        if other.oco is None and key != own_group:
            single += left
            grouped.setdefault(key, 0.0)
        else:
            grouped[key] = max(grouped.get(key, 0.0), left)
    return single + sum(grouped.values())


class OpenRisk(_StopRisk):
    """Limit the money lost if every stop of open and working entries were hit.

    An open trade counts from its average entry to its present stop (a stop in profit counts
    nothing); without a stop its planned or assumed one counts, else the entry is refused.
    """

    name = "open_risk"

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> OpenRisk | None:
        """Return the rule, None where open risk is not limited."""
        if settings.max_open_risk is None and settings.max_open_risk_pct is None:
            return None
        return cls(settings.max_open_risk, settings.max_open_risk_pct, settings.assume_stop_ticks)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"open_risk {self._amounts()} over all open and working entries"

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse what would bring the sum above the limit."""
        limit = self.limit(context)
        distance = stop_distance(request, self.assume_stop_ticks, context)
        if distance is None:
            return Refusal("no_stop", limit, float("inf"), "the entry has no stop")
        risk = max(distance, 0.0) * request.quantity * context.symbol_point_value(request.symbol)
        total = risk + self.open_risk(context)
        return Refusal(self.name, limit, total) if exceeds(total, limit) else None

    def open_risk(self, context: GuardContext) -> float:
        """Return the risk of what is open and working now, account currency."""
        return sum(self._group_risk(group, context) for group in context.live_groups())

    def _group_risk(self, group: Group, context: GuardContext) -> float:
        request = group.request
        if request is None or request.reduces:
            return 0.0
        parent = group.parent
        value = context.symbol_point_value(request.symbol)
        distance = stop_distance(request, self.assume_stop_ticks, context) or 0.0
        working = max(distance, 0.0) * group.working_entry()
        stop = group.stop_order()
        filled = abs(float(parent.executed.size))
        if stop is None or filled == 0.0:
            return working * value
        open_quantity = min(filled, abs(float(stop.executed.remsize)))
        at_stop = (float(parent.executed.price) - float(stop.created.price)) * int(request.side)
        return (working + max(at_stop, 0.0) * open_quantity) * value

    def headroom(self, context: GuardContext) -> Headroom:
        """Return the open risk against its limit."""
        return Headroom(self.name, self.limit(context), self.open_risk(context), "money")
