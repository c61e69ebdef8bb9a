"""Metrics against empyrical, Backtrader's own analyzers and hand calculation."""

from __future__ import annotations

import backtrader as bt
import empyrical
import numpy as np
import pandas as pd
import pytest

from backtests.results import metrics

DAY_NS = 86_400 * 10**9


def daily_curve(equity, cash=100_000.0):
    count = len(equity)
    return metrics.Curve(
        cash, np.arange(1, count + 1) * DAY_NS, np.asarray(equity, float), np.arange(count)
    )


@pytest.fixture(params=[1, 2, 3])
def returns(request):
    return np.random.default_rng(request.param).normal(0.0005, 0.01, 400)


def test_sharpe_equals_empyrical(returns):
    assert metrics.sharpe(returns) == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-12)


def test_sortino_equals_empyrical(returns):
    assert metrics.sortino(returns) == pytest.approx(empyrical.sortino_ratio(returns), rel=1e-12)


def test_calmar_equals_empyrical(returns):
    assert metrics.calmar(returns) == pytest.approx(
        empyrical.calmar_ratio(pd.Series(returns)), rel=1e-9
    )


def test_max_drawdown_equals_empyrical(returns):
    equity = 100_000 * np.cumprod(1 + returns)

    drawdown = metrics.max_drawdown_pct(100_000, equity)

    assert drawdown == pytest.approx(-100 * empyrical.max_drawdown(pd.Series(returns)), rel=1e-12)


class _Weekly(bt.Strategy):
    """Turns its position over every fifth bar, so that equity moves and trades close."""

    def next(self):
        if len(self) % 5 == 0:
            self.close() if self.position else self.buy(size=10)


def test_figures_equal_backtraders_analyzers():
    prices = 100 * np.cumprod(1 + np.random.default_rng(5).normal(0, 0.02, 300))
    index = pd.date_range("2024-01-01", periods=300, freq="D")
    frame = pd.DataFrame(dict.fromkeys(["open", "high", "low", "close"], prices), index=index)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(10_000)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(_Weekly)
    cerebro.addanalyzer(bt.analyzers.DrawDown, _name="drawdown")
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    cerebro.addanalyzer(bt.analyzers.TimeReturn, timeframe=bt.TimeFrame.Days, _name="returns")
    cerebro.addanalyzer(
        bt.analyzers.SharpeRatio, timeframe=bt.TimeFrame.Days, annualize=True, factor=252,
        riskfreerate=0.0, stddev_sample=True, _name="sharpe",
    )  # fmt: skip
    strategy = cerebro.run()[0]
    theirs = strategy.analyzers
    daily = np.array(list(theirs.returns.get_analysis().values()))
    trades = theirs.trades.get_analysis()
    pnl = np.array([t.pnlcomm for t in next(iter(strategy._trades.values()))[0] if t.isclosed])

    curve = daily_curve(10_000 * np.cumprod(1 + daily), cash=10_000)

    assert metrics.sharpe(curve.daily_returns()) == pytest.approx(
        theirs.sharpe.get_analysis()["sharperatio"], rel=1e-9
    )
    assert metrics.max_drawdown_pct(10_000, curve.equity) == pytest.approx(
        theirs.drawdown.get_analysis().max.drawdown, rel=1e-9
    )
    assert metrics.win_rate(pnl) == pytest.approx(trades.won.total / trades.total.closed)
    assert metrics.profit_factor(pnl) == pytest.approx(
        trades.won.pnl.total / -trades.lost.pnl.total, rel=1e-9
    )


def test_daily_returns_use_the_last_mark_of_each_trading_day():
    curve = metrics.Curve(
        100.0, np.arange(4) * DAY_NS, np.array([105.0, 110.0, 99.0, 121.0]), np.array([7, 7, 8, 9])
    )

    assert curve.daily_returns() == pytest.approx([0.10, -0.10, 121 / 99 - 1])
    assert curve.daily_pnl()[1] == pytest.approx([10.0, -11.0, 22.0])


def test_drawdown_counts_a_fall_below_the_starting_cash():
    assert metrics.max_drawdown_pct(100.0, np.array([90.0, 95.0])) == pytest.approx(10.0)


def test_profit_factor_by_hand():
    assert metrics.profit_factor(np.array([200.0, -100.0, 100.0, -50.0])) == pytest.approx(2.0)


@pytest.mark.parametrize("pnl", [[], [10.0, 20.0]], ids=["no trades", "no losses"])
def test_profit_factor_is_none_where_there_is_no_loss(pnl):
    assert metrics.profit_factor(np.array(pnl)) is None


def test_sharpe_of_a_flat_account_is_none():
    assert metrics.sharpe(np.zeros(50)) is None


def test_correlation_of_daily_pnl_counts_missing_days_as_zero():
    curves = {
        "a": metrics.Curve(0.0, np.arange(3), np.array([1.0, 3.0, 2.0]), np.array([1, 2, 3])),
        "b": metrics.Curve(0.0, np.arange(2), np.array([2.0, 6.0]), np.array([1, 2])),
    }

    table = metrics.daily_correlation(curves)

    assert table["a"]["a"] == pytest.approx(1.0)
    assert table["a"]["b"] == pytest.approx(np.corrcoef([1, 2, -1], [2, 4, 0])[0, 1])
