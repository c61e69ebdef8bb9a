"""Runs a strategy through Cerebro, Guard and BacktestBroker as the runner does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import backtrader as bt

import strategies
from backtests.fills.broker import BacktestBroker
from core.bars import Series
from core.instruments import Instrument
from core.results import iso_time
from feeds import BulkData
from risk.guard import Guard
from risk.settings import from_mapping
from strategies.base import SetupStrategy

MODES: dict[str, dict[str, Any]] = {
    "runonce": {},
    "next": {"runonce": False},
    "unloaded": {"preload": False, "runonce": False},
    "exactbars": {"exactbars": 1},
}


class Finished:
    """A finished run: strategy, broker, guard, and its rows as the answer files have them."""

    def __init__(self, strategy: Any, broker: BacktestBroker, guard: Guard) -> None:
        self.strategy = strategy
        self.broker = broker
        self.guard = guard

    @property
    def trades(self) -> list[Any]:
        """Closed trades, oldest first."""
        return self.broker.ledger.trades

    def trade_rows(self) -> list[tuple[Any, ...]]:
        """Trades as rows of the answer files."""
        return [
            (
                iso_time(trade.entry_bar),
                iso_time(trade.exit_bar),
                trade.side,
                round(trade.quantity, 6),
                round(trade.entry_price, 6),
                round(trade.exit_price, 6),
                round(trade.stop, 6),
                round(trade.target, 6),
                trade.pattern,
                trade.exit_reason,
                f"{trade.r_multiple:.6f}",
                int(trade.ambiguous),
            )
            for trade in self.trades
        ]

    def setup_rows(self) -> list[tuple[Any, ...]]:
        """Setups as rows of the answer files."""
        return [
            (
                iso_time(row.bar),
                row.side,
                round(row.entry, 6),
                row.stop,
                row.target,
                row.pattern,
                int(row.taken),
                row.reason,
                row.cancel,
            )
            for row in self.strategy.setups_log
        ]


def backtest(
    strategy: str | type[Any],
    series: Series,
    instrument: Instrument,
    cash: float,
    further: Series | None = None,
    mode: str = "runonce",
    rules: Mapping[str, Any] | None = None,
    intrabar: str = "worst",
    late: Any = None,
    **settings: Any,
) -> Finished:
    """Run one plan. `rules` None means the strategy's own limits, `late` no bar of history."""
    cls = strategies.get(strategy) if isinstance(strategy, str) else strategy
    limits = rules or {}
    if issubclass(cls, SetupStrategy):
        limits = cls.default_rules(cls.read(settings)) if rules is None else rules
        settings |= {"instrument": instrument, "plan_id": "plan"}
    given: dict[str, Any] = {"stdstats": False} | MODES[mode]
    cerebro = bt.Cerebro(**given)
    data = BulkData(series, late=late)
    cerebro.adddata(data, name=series.symbol)
    if further is not None:
        cerebro.adddata(BulkData(further), name="DXY")
    broker = BacktestBroker(cash=cash, intrabar=intrabar)
    broker.add_instrument(data, instrument, "plan")
    guard = Guard(broker, from_mapping(limits)) if limits else Guard(broker)
    cerebro.setbroker(guard)
    cerebro.addstrategy(cls, **settings)
    return Finished(cerebro.run()[0], broker, guard)
