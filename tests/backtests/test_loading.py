"""What a plan's bars carry when they are loaded: spreads around news, spreads of lower bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.loading import load_plan
from backtests.resolve import resolve
from core.config import Settings
from risk.settings import RiskSettings

PAYROLLS = np.datetime64("2025-03-07T13:30", "ns").astype(np.int64)  # 08:30 New York
MINUTE = 60 * 10**9


@pytest.fixture
def request_of(tmp_path, monkeypatch):
    """A plan on spot gold (spread 0.2) whose minute bars lie around a payrolls release."""
    monkeypatch.chdir(tmp_path)
    minutes = np.arange(np.datetime64("2025-03-07T12:00"), np.datetime64("2025-03-07T15:00"))
    lines = [f"{str(m).replace('T', ' ')}:00,2900,2901,2899,2900,10" for m in minutes]
    (tmp_path / "XAUUSD_M1.csv").write_text(
        "\n".join(["datetime,open,high,low,close,volume", *lines])
    )

    def make(**flags):
        given = {
            "data": ["XAUUSD_M1.csv"], "instrument": "XAUUSD", "timeframe": "1m",
            "instrument_set": ["spread=0.2"], **flags,
        }  # fmt: skip
        return resolve(["gold_smc"], given, "tola.toml").plans[0]

    return make


def spreads(bars, first, last):
    start = bars["start"]
    found = bars["spread"][(start >= first) & (start < last)]
    assert len(found)
    return np.unique(found.round(9)).tolist()


def test_the_spread_is_wider_in_the_minutes_around_news(request_of):
    loaded = load_plan(request_of(), replace(Settings(), news_spread=3.0))

    bars = loaded.series.bars
    assert spreads(bars, PAYROLLS - 5 * MINUTE, PAYROLLS + 5 * MINUTE) == [0.6]
    assert spreads(bars, 0, PAYROLLS - 5 * MINUTE) == [0.2]
    assert spreads(bars, PAYROLLS + 5 * MINUTE, 2**62) == [0.2]


def test_without_the_setting_news_widen_nothing(request_of):
    bars = load_plan(request_of(), Settings()).series.bars

    assert spreads(bars, 0, 2**62) == [0.2]


def test_two_releases_at_one_time_widen_once_and_a_rule_names_the_minutes(request_of, tmp_path):
    events = tmp_path / "mine.csv"
    events.write_text("time,currency,impact,name\n2025-03-07T13:30,USD,high,Mine\n")
    rule = RiskSettings(
        news="block", news_file=str(events), news_minutes_before=10, news_minutes_after=20
    )

    loaded = load_plan(request_of(), replace(Settings(), news_spread=2.0), (), (rule,))

    bars = loaded.series.bars
    assert spreads(bars, PAYROLLS - 10 * MINUTE, PAYROLLS + 20 * MINUTE) == [0.4]
    assert spreads(bars, PAYROLLS + 20 * MINUTE, 2**62) == [0.2]


def test_the_lower_bars_of_a_drill_carry_the_spread_too(request_of):
    loaded = load_plan(request_of(timeframe="15m", intrabar="drill"), Settings())

    assert loaded.series.lower is not None
    assert spreads(loaded.series.lower.bars, 0, 2**62) == [0.2]
