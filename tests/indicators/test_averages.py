"""ATR, EMA and RSI against the library `ta`, and against Backtrader's ATR."""

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
import ta

import indicators
from tests.indicators.series import random_walk, worked_example


@pytest.fixture(scope="module")
def frame():
    return random_walk(600, 41, tick=0.01)


@pytest.mark.parametrize("period", [1, 5, 14, 50])
def test_atr_equals_ta_from_the_bar_after_the_first(frame, period):
    # ta counts bar 0's high - low as its first true range; ours starts with bar 1. Given the bars
    # from 1 on, and bar 0's close inside bar 1, both average the same ranges.
    close = frame.close.copy()
    close.iloc[0] = frame.low.iloc[1]
    frame = frame.assign(
        close=close, low=np.minimum(frame.low, close), high=np.maximum(frame.high, close)
    )
    rest = frame.iloc[1:]
    theirs = ta.volatility.average_true_range(rest.high, rest.low, rest.close, window=period)

    ours = indicators.atr(frame, atr_period=period).atr

    np.testing.assert_allclose(ours.iloc[period:], theirs.iloc[period - 1 :], rtol=1e-12)
    assert ours.iloc[:period].isna().all()


def test_atr_equals_backtraders():
    frame = worked_example()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))

    class Reading(bt.Strategy):
        def __init__(self):
            self.average = bt.indicators.ATR(period=5)

    cerebro.addstrategy(Reading)
    theirs = np.array(cerebro.run()[0].average.lines.atr.array)

    ours = indicators.atr(frame, atr_period=5).atr

    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("period", [1, 2, 20, 100])
def test_ema_equals_ta_when_started_from_the_first_value(frame, period):
    theirs = ta.trend.ema_indicator(frame.close, window=period)

    ours = indicators.ema(frame, ema_period=period, ema_seed="first").ema

    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_ema_starts_from_the_mean_of_its_first_values(frame):
    ours = indicators.ema(frame, ema_period=20).ema

    first = frame.close.iloc[:20].mean()
    second = first + (frame.close.iloc[20] - first) * 2 / 21
    assert ours.iloc[:19].isna().all()
    assert ours.iloc[19] == pytest.approx(first, rel=1e-13)
    assert ours.iloc[20] == pytest.approx(second, rel=1e-13)


@pytest.mark.parametrize("period", [2, 14, 60])
def test_rsi_equals_ta_when_started_like_it(frame, period):
    theirs = ta.momentum.rsi(frame.close, window=period)

    ours = indicators.rsi(frame, rsi_period=period, rsi_seed="first").rsi

    np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_rsi_by_wilders_start_agrees_with_ta_once_the_start_is_forgotten(frame):
    theirs = ta.momentum.rsi(frame.close, window=14)

    ours = indicators.rsi(frame, rsi_period=14).rsi

    assert ours.iloc[:14].isna().all()
    assert ours.iloc[14:].notna().all()
    np.testing.assert_allclose(ours.iloc[450:], theirs.iloc[450:], atol=1e-9)


def test_rsi_without_a_loss_is_100():
    rising = [[float(t), t + 1.0, float(t), t + 1.0] for t in range(1, 20)]
    frame = pd.DataFrame(
        rising,
        columns=["open", "high", "low", "close"],
        index=pd.date_range("2024-01-01", periods=19, freq="h"),
    )

    assert indicators.rsi(frame, rsi_period=5).rsi.iloc[5:].eq(100).all()
