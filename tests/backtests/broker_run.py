"""Runs a strategy with scripted orders through Cerebro, guard and backtest broker."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt

from backtests.fills.broker import BacktestBroker
from core.bars import Series
from core.instruments import Instrument, get_instrument
from feeds import BulkData
from risk.guard import Guard
from tests.core.matching_case import HOUR, bars_of

MODES: dict[str, dict[str, Any]] = {
    "runonce": {},
    "next": {"runonce": False},
    "unloaded": {"preload": False, "runonce": False},
    "exactbars": {"exactbars": 1},
}
Script = Mapping[int, Callable[[Any], Any]]


class Scripted(bt.Strategy):
    """Runs `script[n](strategy)` at the close of bar n (1-based) and notes all it is told."""

    params = (("script", {}), ("feed", 0))

    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []
        self.trades: list[tuple[Any, ...]] = []
        self.values: list[tuple[float, float]] = []
        self.kept: dict[str, Any] = {}

    def notify_order(self, order: Any) -> None:
        note = (order.getstatusname(), order.executed.size, order.executed.price)
        self.orders.append((len(self), order.ref, *note, order.info.get("reason")))

    def notify_trade(self, trade: Any) -> None:
        self.trades.append((len(self), trade.size, trade.pnl, trade.pnlcomm, trade.isclosed))

    def next(self) -> None:
        self.values.append((self.broker.getvalue(), self.broker.getcash()))
        data = self.datas[self.p.feed]
        if len(data) in self.p.script:
            self.p.script[len(data)](self)


@dataclass
class Run:
    """A finished run."""

    strategies: list[Any]
    broker: BacktestBroker
    guard: Guard
    cerebro: bt.Cerebro
    started: int = field(default=0)

    @property
    def strategy(self) -> Any:
        """The first strategy."""
        return self.strategies[0]


def series_of(rows: Sequence[Sequence[float]], symbol: str = "MGC", **given: Any) -> Series:
    """Return hourly bars from (open, high, low, close) rows as a Series."""
    bars = bars_of(rows, **given)
    return Series(symbol, int(bars["end"][0] - bars["start"][0]), bars)


def free(symbol: str) -> Instrument:
    """Return an instrument without costs and margin."""
    return get_instrument(symbol).without_costs().without_margin()


def run(
    plans: Sequence[tuple[Series, Instrument, Script]],
    *,
    mode: str = "runonce",
    cash: float = 100_000.0,
    rules: Sequence[Any] = (),
    fx: float = 1.0,
    stdstats: bool = False,
    analyzers: Mapping[str, Any] | None = None,
    **terms: Any,
) -> Run:
    """Run scripted plans on one account."""
    cerebro = bt.Cerebro(stdstats=stdstats, **MODES[mode])
    broker = BacktestBroker(cash=cash, **terms)
    feeds = []
    for number, (series, instrument, _) in enumerate(plans):
        data = BulkData(series)
        cerebro.adddata(data, name=f"plan{number}")
        broker.add_instrument(data, instrument, f"plan{number}", fx=fx)
        feeds.append(data)
    guard = Guard(broker, *rules)
    cerebro.setbroker(guard)
    for number, (_, _, script) in enumerate(plans):
        cerebro.addstrategy(Scripted, script=script, feed=number)
    for name, analyzer in (analyzers or {}).items():
        cerebro.addanalyzer(analyzer, _name=name)
    first = next(bt.Order.refbasis) + 1
    return Run(cerebro.run(), broker, guard, cerebro, first)


def one(rows: Sequence[Sequence[float]], script: Script, **given: Any) -> Run:
    """Run one MGC plan without costs and margin."""
    bars = given.pop("bars", {})
    return run([(series_of(rows, **bars), free("MGC"), script)], **given)


QUIET = (2000, 2001, 1999, 2000)
LEGS = [
    QUIET,
    (2001, 2004, 1999, 2003),  # entry limit 2000
    (2003, 2012, 2002, 2011),  # 1R at 2010
    (2011, 2020, 2001, 2015),  # stays above break-even
    (2015, 2031, 2014, 2030),  # 3R at 2030
    (2030, 2031, 2029, 2030),
]


def two_lots(strategy: Any) -> None:
    """Buy 2 at 2000, stop 1990, half off at 1R with the stop to break-even, the rest at 3R."""
    parent = strategy.buy(
        size=2, price=2000.0, exectype=bt.Order.Limit, transmit=False, planned_entry=2000.0
    )
    legs = {"parent": parent, "exectype": bt.Order.Limit}
    strategy.kept["stop"] = strategy.sell(
        size=2, price=1990.0, exectype=bt.Order.Stop, parent=parent, transmit=False
    )
    strategy.sell(size=1, price=2010.0, stop_to=2000.0, transmit=False, **legs)
    strategy.sell(size=1, price=2030.0, transmit=True, **legs)


def buy(size: float = 1, **given: Any) -> Any:
    """Return a script that buys."""
    return lambda strategy: strategy.buy(size=size, **given)


def bracket(stop: float, limit: float, size: float = 1, **given: Any) -> Any:
    """Return a script that buys at market with a stop and a target."""
    return lambda strategy: strategy.buy_bracket(
        size=size, exectype=bt.Order.Market, stopprice=stop, limitprice=limit, **given
    )


def random_orders(seed: int) -> dict[int, Any]:
    """Return a script of all sorts of orders at random prices near 2000."""
    generator = random.Random(seed)
    script = {}
    for bar in range(1, 60, 2):
        size = generator.randint(1, 40) / 100
        away = generator.randint(5, 60) / 10
        side = generator.choice(["buy", "sell"])
        choice = generator.choice(["market", "limit", "stop", "bracket", "close"])

        def act(strategy: Any, size=size, away=away, side=side, choice=choice) -> None:
            sign = 1 if side == "buy" else -1
            close = strategy.data.close[0]
            if choice == "close":
                strategy.close()
            elif choice == "bracket":
                send = strategy.buy_bracket if sign > 0 else strategy.sell_bracket
                stop, limit = close - sign * away, close + sign * away
                send(size=size, exectype=bt.Order.Market, stopprice=stop, limitprice=limit)
            else:
                kind = {"market": bt.Order.Market, "limit": bt.Order.Limit, "stop": bt.Order.Stop}
                price = close + (-sign if choice == "limit" else sign) * away
                getattr(strategy, side)(size=size, price=price, exectype=kind[choice])

        script[bar] = act
    return script


def random_rows(seed: int) -> list[tuple[float, ...]]:
    generator = random.Random(seed)
    rows, price = [], 2000.0
    for _ in range(70):
        close = price + generator.randint(-60, 60) / 10
        high = max(price, close) + generator.randint(0, 40) / 10
        low = min(price, close) - generator.randint(0, 40) / 10
        rows.append((price, high, low, close))
        price = close
    return rows


__all__ = [
    "HOUR",
    "LEGS",
    "MODES",
    "QUIET",
    "Run",
    "Scripted",
    "bracket",
    "buy",
    "free",
    "one",
    "random_orders",
    "random_rows",
    "run",
    "series_of",
    "two_lots",
]
