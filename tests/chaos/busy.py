"""A plain Backtrader strategy that is never at rest: what a live session has to survive."""

from __future__ import annotations

import random
from datetime import timedelta

import backtrader as bt

_KINDS = (bt.Order.Market, bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit)


class Busy(bt.Strategy):
    """Enters with brackets, moves stops and targets, re-prices and cancels entries, closes.

    What it does follows from its seed and the bars alone. From bar `last` on it opens nothing,
    cancels its entries and closes what is open.
    """

    params = (("seed", 0), ("every", 4), ("last", 1_000_000), ("pyramid", 0.0), ("size", 1.0))

    def __init__(self):
        self.chance = random.Random(f"busy {self.p.seed}")
        self.groups = []

    def next(self):
        draws = [self.chance.random() for _ in range(10)]
        self.groups = [group for group in self.groups if any(order.alive() for order in group)]
        if len(self) < 12:
            return
        if len(self) >= self.p.last:
            self.wind_down()
            return
        self.is_leaving = False
        for group in list(self.groups):
            self.look_after(group, draws)
        is_free = not self.groups and not self.position
        adds = draws[8] < self.p.pyramid and len(self.groups) == 1
        if (is_free and draws[0] < 1.0 / self.p.every) or (adds and draws[0] < 0.1):
            self.enter(draws)

    @property
    def span(self):
        """Return the mean height of the last ten bars."""
        return sum(self.data.high[-i] - self.data.low[-i] for i in range(10)) / 10.0

    def enter(self, draws):
        is_long = draws[1] < 0.5
        if self.position:
            is_long = self.position.size > 0
        side = 1.0 if is_long else -1.0
        kind = _KINDS[int(draws[2] * 4.0)]
        close, span = self.data.close[0], max(self.span, 0.2)
        away = {bt.Order.Market: 0.0, bt.Order.Limit: -0.4}.get(kind, 0.4) * side * span
        price = round(close + away, 1)
        given = {"size": self.p.size * (1 + int(draws[3] * 3.0)), "exectype": kind}
        if kind != bt.Order.Market:
            given["price"] = price
        if kind == bt.Order.StopLimit:
            given["plimit"] = round(price + 0.3 * side * span, 1)
        if kind == bt.Order.Limit and draws[4] < 0.3:
            given["valid"] = self.data.datetime.datetime(0) + timedelta(minutes=40)
        place = self.buy_bracket if is_long else self.sell_bracket
        orders = place(
            stopprice=round(price - (0.7 + draws[5]) * side * span, 1),
            limitprice=round(price + (0.7 + 1.5 * draws[6]) * side * span, 1),
            **given,
        )
        self.groups.append([order for order in orders if order is not None])

    def look_after(self, group, draws):
        entry, stop, target = group
        close, span = self.data.close[0], max(self.span, 0.2)
        side = 1.0 if entry.isbuy() else -1.0
        if entry.alive():
            if draws[3] < 0.15:
                self.cancel(entry)
            elif draws[3] < 0.45 and entry.exectype == bt.Order.Limit:
                self.broker.modify(entry, price=round(close - 0.3 * side * span, 1))
        elif self.position:
            if draws[4] < 0.12:
                if not self.is_leaving:  # once for all groups: twice would turn the position
                    self.close()
                self.is_leaving = True
            elif draws[4] < 0.5 and stop.alive():
                wanted = round(close - (0.5 + draws[5]) * side * span, 1)
                if (wanted - stop.created.price) * side > 0:
                    self.broker.modify(stop, price=wanted)
            elif draws[4] < 0.65 and target.alive():
                self.broker.modify(target, price=round(close + (0.5 + draws[6]) * side * span, 1))

    def wind_down(self):
        for entry, *_ in self.groups:
            if entry.alive():
                self.cancel(entry)
        if self.position and not getattr(self, "left", False):
            self.left = True
            self.close()
        elif not self.position:
            self.left = False
