"""Plain strategies for the jobs: one that looks, one that holds, one that trades without end."""

from __future__ import annotations

from typing import Any

import backtrader as bt


class Looker(bt.Strategy):  # type: ignore[misc]
    """Looks at every bar through two indicators and never trades."""

    def __init__(self) -> None:
        self.high = bt.ind.Highest(self.data.high, period=20)
        self.mean = bt.ind.SMA(self.data.close, period=20)

    def next(self) -> None:
        """Look."""
        self.is_high = self.data.close[0] > self.high[-1] > self.mean[0]


class Holder(Looker):
    """Buys with the first bars and holds, stop and target far away."""

    params: Any = (("size", 1.0), ("reach", 1000.0))

    def next(self) -> None:
        """Enter once."""
        super().next()
        if self.position or self.broker.get_orders_open():
            return
        close, reach = self.data.close[0], self.p.reach
        self.buy_bracket(
            size=self.p.size, exectype=bt.Order.Market, stopprice=close - reach,
            limitprice=close + reach, oargs={"planned_entry": close, "planned_stop": close - reach},
        )  # fmt: skip


class Breaker(Looker):
    """Buys each new high of 20 bars, stop one range below, target two above."""

    params: Any = (("size", 1.0), ("reach", 1.0))

    def __init__(self) -> None:
        super().__init__()
        self.range = bt.ind.ATR(self.data, period=14)
        self.orders: list[Any] = []

    def next(self) -> None:
        """Enter where it breaks out."""
        super().next()
        self.orders = [order for order in self.orders if order.alive()]
        if self.position or self.orders or not self.is_high:
            return
        close, reach = self.data.close[0], self.p.reach * self.range[0]
        self.orders = self.buy_bracket(
            size=self.p.size, exectype=bt.Order.Market, stopprice=close - reach,
            limitprice=close + 2 * reach,
            oargs={"planned_entry": close, "planned_stop": close - reach},
        )  # fmt: skip


class Seldom(Breaker):
    """The same with a stop so far away that it trades about twice a day."""

    params: Any = (("reach", 12.0),)
