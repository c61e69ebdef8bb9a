"""Compiled brackets against stock Backtrader: trades, cash and final value bit for bit.

`TOLA_SWEEP_WALKS` sets how many random walks are compared.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from backtests.bench.t1_signals import TERMS, T1Rule
from backtests.bench.t1_strategy import CASH, COMMISSION, MARGIN, MULTIPLIER, T1, answer_of
from backtests.sweep.signals import Bracket, Columns, SignalEngine, SignalRule, Signals, Terms
from core.errors import ConfigError
from strategies.settings import Setting

WALKS = int(os.environ.get("TOLA_SWEEP_WALKS", "6"))


def walk(seed: int, count: int = 700) -> pd.DataFrame:
    """Return a random walk; a coarse tick makes exact touches, equal highs and empty ranges."""
    draw = np.random.default_rng(seed)
    tick = (0.01, 0.25, 1.0)[seed % 3]
    moves = draw.standard_normal((count, 9)) * draw.choice((0.05, 0.2, 1.0), (count, 1))
    moves[draw.random(count) < 0.02, 0] *= 15.0
    path = np.round((2000.0 + np.cumsum(moves.ravel())) / tick).reshape(count, 9) * tick
    columns = {
        "open": path[:, 0],
        "high": path.max(axis=1),
        "low": path.min(axis=1),
        "close": path[:, -1],
        "volume": np.ones(count),
    }
    return pd.DataFrame(columns, index=pd.date_range("2024-01-01", periods=count, freq="min"))


def columns_of(frame: pd.DataFrame) -> Columns:
    return Columns(
        *(frame[name].to_numpy(float).copy() for name in ("open", "high", "low", "close"))
    )


class BothSides(bt.Strategy):
    """Goes long above the bars before, short below, with a fixed distance; notes its trades."""

    params = (("window", 20), ("stop", 1.0), ("target", 2.0), ("size", 1))

    def __init__(self) -> None:
        self.high = bt.ind.Highest(self.data.high, period=self.p.window)
        self.low = bt.ind.Lowest(self.data.low, period=self.p.window)
        self.fills: list[tuple[int, float]] = []
        self.closed: list[tuple[int, int, float, float]] = []

    notify_order = T1.notify_order
    notify_trade = T1.notify_trade

    def next(self) -> None:
        if self.position:
            return
        close = self.data.close[0]
        if close > self.high[-1]:
            self.buy_bracket(size=self.p.size, exectype=bt.Order.Market,
                             stopprice=close - self.p.stop * 0.7,
                             limitprice=close + self.p.target * 0.7)  # fmt: skip
        elif close < self.low[-1]:
            self.sell_bracket(size=self.p.size, exectype=bt.Order.Market,
                              stopprice=close + self.p.stop * 0.7,
                              limitprice=close - self.p.target * 0.7)  # fmt: skip


class BothRule(SignalRule):
    """The same as arrays."""

    name = "both"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("window", 20, "bars", 1, 1000, structural=True),
        Setting("stop", 1.0, "stop", 0.0, 100.0),
        Setting("target", 2.0, "target", 0.0, 100.0),
        Setting("size", 1, "contracts", 1, 100),
    )

    @classmethod
    def signals(cls, columns: Columns, values: Mapping[str, Any]) -> Signals:
        window = values["window"]
        high = pd.Series(columns.high).rolling(window).max().shift().to_numpy()
        low = pd.Series(columns.low).rolling(window).min().shift().to_numpy()
        sides = np.where(columns.close > high, 1, np.where(columns.close < low, -1, 0))
        return Signals(sides.astype(np.int8), np.full(len(sides), 0.7))

    @classmethod
    def bracket(cls, values: Mapping[str, Any]) -> Bracket:
        return Bracket(values["stop"], values["target"], float(values["size"]))


def in_stock(frame: pd.DataFrame, strategy: Any, params: Mapping[str, Any], cash: float) -> Any:
    cerebro = bt.Cerebro()
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.broker.setcash(cash)
    cerebro.broker.setcommission(commission=COMMISSION, margin=MARGIN, mult=MULTIPLIER)
    cerebro.addstrategy(strategy, **params)
    (made,) = cerebro.run()
    return answer_of(made, cerebro.broker.getvalue())


def assert_equal_bit_for_bit(engine: SignalEngine, given: Mapping[str, Any], wanted: Any) -> int:
    trades, value = engine.trades(given)
    columns = {"entry_bar": "entry_row", "exit_bar": "exit_row", "entry_price": "entry_price",
               "exit_price": "exit_price", "pnl": "pnl", "pnlcomm": "net"}  # fmt: skip
    for theirs, ours in columns.items():
        np.testing.assert_array_equal(trades[ours], wanted.trades[theirs], err_msg=theirs)
    assert value == wanted.final
    return len(trades)


@pytest.mark.parametrize("seed", range(WALKS))
def test_long_brackets_are_those_of_stock_backtrader(seed):
    draw = np.random.default_rng(1000 + seed)
    frame = walk(seed)
    given = {
        "window": int(draw.integers(2, 60)),
        "stop_atr": float(draw.choice((0.3, 1.0, 2.5))),
        "target_atr": float(draw.choice((0.5, 2.0, 5.0))),
        "size": int(draw.integers(1, 4)),
    }
    engine = SignalEngine(T1Rule, columns_of(frame), TERMS)

    compared = assert_equal_bit_for_bit(engine, given, in_stock(frame, T1, given, CASH))

    assert compared or given["window"] > 20


@pytest.mark.parametrize("seed", range(WALKS))
def test_brackets_of_both_sides_are_those_of_stock_backtrader(seed):
    draw = np.random.default_rng(2000 + seed)
    frame = walk(100 + seed)
    given = {
        "window": int(draw.integers(2, 40)),
        "stop": float(draw.choice((1.0, 3.0, 9.0))),
        "target": float(draw.choice((1.0, 4.0, 12.0))),
        "size": int(draw.integers(1, 4)),
    }
    engine = SignalEngine(BothRule, columns_of(frame), TERMS)

    assert assert_equal_bit_for_bit(engine, given, in_stock(frame, BothSides, given, CASH))


def test_figures_of_closed_trades_do_not_depend_on_marking():
    engine = SignalEngine(T1Rule, columns_of(walk(4)), TERMS)
    table = [{"window": window, "stop_atr": 1.5} for window in (5, 10, 20)]

    marked, unmarked = engine.run(table), engine.run(table, is_marked=False)

    for name in ("trades", "wins", "won", "lost"):
        np.testing.assert_array_equal(marked[name], unmarked[name])
    np.testing.assert_allclose(marked["equity_end"], unmarked["equity_end"], rtol=1e-12)
    assert (marked["max_drawdown_pct"] >= unmarked["max_drawdown_pct"] - 1e-12).all()


def test_an_entry_that_cash_does_not_carry_is_not_guessed_at():
    engine = SignalEngine(T1Rule, columns_of(walk(1)), Terms(500.0, MULTIPLIER, COMMISSION, MARGIN))

    with pytest.raises(ConfigError, match="cash does not carry"):
        engine.run([{}])
