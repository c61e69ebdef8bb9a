"""Rules of orders: how many a day and a minute, how far from the market, against whom."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from core.orders import Fill, OrderKind, OrderRequest
from risk.arithmetic import MINUTE_NS, distance_pct, is_collared
from risk.rules.base import Headroom, Refusal, Rule
from risk.settings import RiskSettings

if TYPE_CHECKING:
    from risk.context import GuardContext


class TradesPerDay(Rule):
    """End the day's entries after so many filled ones, by the trading day of the fill.

    A working entry may fill, so it counts where a further one is asked for.
    """

    name = "max_trades"

    def __init__(self, largest: int) -> None:
        self.largest = largest

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> TradesPerDay | None:
        """Return the rule, None where trades are not limited."""
        return None if settings.max_trades_day is None else cls(settings.max_trades_day)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"max_trades {self.largest} a trading day"

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse an entry that might be one too many, were all that work to fill."""
        count = context.entries_today[self.plan] + 1 + context.working_orders(request, self.plan)
        return Refusal(self.name, self.largest, count) if count > self.largest else None

    def on_fill(self, fill: Fill, context: GuardContext) -> Refusal | None:
        """Lock once the last entry of the day has filled; other working entries are cancelled."""
        return self.used_up(context)

    def used_up(self, context: GuardContext) -> Refusal | None:
        """Say whether the last entry of the day has filled."""
        filled = context.entries_today[self.plan]
        return Refusal(self.name, self.largest, filled) if filled >= self.largest else None

    def headroom(self, context: GuardContext) -> Headroom:
        """Return today's entries against the limit."""
        return Headroom(self.name, self.largest, context.entries_today[self.plan], "trades")


class OrderRate(Rule):
    """Refuse entries beyond so many orders within 60 s; children and exits are counted too."""

    name = "order_rate"

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self._sent: deque[tuple[int, int]] = deque()

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> OrderRate | None:
        """Return the rule, None where the rate is not limited."""
        return None if settings.orders_per_minute is None else cls(settings.orders_per_minute)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"order_rate {self.largest} orders a minute"

    def start(self, context: GuardContext) -> None:
        """Forget the orders of the last run."""
        self._sent.clear()

    def go_on_from(self, other: Rule) -> None:
        """Count the orders of the last minute that another such rule has seen."""
        if isinstance(other, OrderRate) and len(other._sent) > len(self._sent):
            self._sent = deque(other._sent)

    def on_sent(self, orders: int, context: GuardContext) -> None:
        """Note orders handed to the broker."""
        self._sent.append((context.now, orders))

    def recent(self, context: GuardContext) -> int:
        """Return the orders sent in the last 60 s."""
        while self._sent and self._sent[0][0] <= context.now - MINUTE_NS:
            self._sent.popleft()
        return sum(orders for _, orders in self._sent)

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse a group that would exceed the rate."""
        count = self.recent(context) + 1 + len(request.children)
        return Refusal(self.name, self.largest, count) if count > self.largest else None

    def headroom(self, context: GuardContext) -> Headroom:
        """Return the orders of the last 60 s against the limit."""
        return Headroom(self.name, self.largest, self.recent(context), "orders")


class PriceCollar(Rule):
    """Refuse an entry priced too far from the last close (a typing error, a stale level)."""

    name = "price_collar"

    def __init__(self, percent: float) -> None:
        self.percent = percent

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> PriceCollar | None:
        """Return the rule, None where prices are free."""
        return None if settings.price_collar_pct is None else cls(settings.price_collar_pct)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"price_collar {self.percent:g} % from the last close"

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Judge the order's price and limit price; a market order has none."""
        if request.kind is OrderKind.MARKET:
            return None
        last = context.price(request.symbol, request.plan_id)
        away = 0.0
        for price in (request.price, request.limit_price):
            if price is not None and last:
                away = max(away, distance_pct(price, last))
        return Refusal(self.name, self.percent, away) if is_collared(away, self.percent) else None


class OppositePlans(Rule):
    """Refuse, or hold back, an entry against another plan's position on its symbol.

    The other plan's working entries of the other side count like a position. With "queue" the
    order waits in the guard until the other plan is flat and is judged again then.
    """

    name = "opposite_plan"

    def __init__(self, mode: str) -> None:
        self.waits = mode == "queue"

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> OppositePlans | None:
        """Return the rule, None where opposite plans are netted."""
        return None if settings.opposite_plans == "net" else cls(settings.opposite_plans)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"opposite_plan {'waits for the other plan' if self.waits else 'is refused'}"

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Look for what other plans hold or work on the other side."""
        side = int(request.side)
        against = sum(
            max(-size * side, 0.0)
            for plan, size in context.plan_positions(request.symbol).items()
            if plan != request.plan_id
        )
        for group in context.live_groups():
            other = group.request
            if other is None or other.symbol != request.symbol or other.plan_id == request.plan_id:
                continue
            if int(other.side) == -side:
                against += group.working_entry()
        return Refusal(self.name, 0.0, against) if against > 0.0 else None
