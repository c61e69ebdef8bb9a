"""Runs a strategy with scripted orders through Cerebro, guard and backtest broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt

from backtests.broker import BacktestBroker
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


__all__ = ["HOUR", "MODES", "Run", "Scripted", "free", "one", "run", "series_of"]
