from __future__ import annotations

from pathlib import Path

from core.instruments import get_instrument
from feeds import load
from strategies.tutorial import Tutorial
from tests.strategies.reference import NO_COSTS
from tests.strategies.running import MODES, backtest


def test_it_is_short_enough_to_be_read():
    assert len(Path("strategies/tutorial.py").read_text().splitlines()) < 60


def test_it_trades_the_same_in_every_mode(real_data):
    series = load(real_data / "xauusd_15m.csv.gz", symbol="XAUUSD", tz="UTC", stamp="start")
    series = series.with_bars(series.bars[:4000])
    instrument = get_instrument("XAUUSD", NO_COSTS)

    results = [backtest(Tutorial, series, instrument, 1e6, mode=mode, rules={}) for mode in MODES]

    first = results[0].trades
    assert len(first) > 10
    assert all(trade.pattern == "gap" for trade in first)
    assert all(trade.r_multiple is not None for trade in first)
    assert all(result.trades == first for result in results)


def test_the_guard_can_judge_its_risk(real_data):
    series = load(real_data / "xauusd_15m.csv.gz", symbol="XAUUSD", tz="UTC", stamp="start")
    series = series.with_bars(series.bars[:4000])
    instrument = get_instrument("XAUUSD", NO_COSTS)

    result = backtest(Tutorial, series, instrument, 1e6, rules={"trade_risk": 100.0})

    assert result.guard.refused["trade_risk"] > 0
    risks = [trade.pnl / trade.r_multiple for trade in result.trades if trade.pnl]
    assert risks
    assert max(risks) <= 100.0 + 1e-6
