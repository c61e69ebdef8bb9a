"""Where a value came from, when a price file told it."""

from __future__ import annotations

import pytest

from backtests.resolve import resolve
from tests.cli import market


@pytest.fixture
def prices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(market.write(tmp_path / "XAUUSD_M15.csv").name)


def test_what_the_files_name_tells_is_no_flag(prices):
    request = resolve(["gold_smc"], {"data": [prices]}, "tola.toml")

    assert request.origins["plans.gold_smc.instrument"] == {
        "value": "XAUUSD", "source": "file name", "origin": "XAUUSD_M15.csv",
    }  # fmt: skip
    assert "gold_smc.instrument = XAUUSD (file name XAUUSD_M15.csv)" in request.overrides
    assert not [line for line in request.overrides if "--instrument" in line]


def test_a_usual_timeframe_that_the_bars_can_build_stays_the_plans_own(prices):
    request = resolve(["gold_smc"], {"data": [prices]}, "tola.toml")

    assert request.origins["plans.gold_smc.timeframe"]["source"] == "default"
    assert request.plans[0].plan.timeframe == "15m"


def test_a_timeframe_read_off_the_bars_says_so(prices):
    request = resolve(["breakout"], {"data": [prices]}, "tola.toml")

    assert request.origins["plans.breakout.timeframe"] == {
        "value": "15m", "source": "file bars", "origin": "XAUUSD_M15.csv",
    }  # fmt: skip


def test_a_flag_wins_over_the_files_name(prices):
    request = resolve(["gold_smc"], {"data": [prices], "instrument": "MGC"}, "tola.toml")

    assert request.origins["plans.gold_smc.instrument"]["origin"] == "--instrument"
    assert request.plans[0].instrument.symbol == "MGC"


def test_what_the_user_wrote_for_a_plan_of_that_name_stays(prices, tmp_path):
    (tmp_path / "tola.toml").write_text(
        "[plans.gold_smc]\nstrategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '30m'\n"
    )

    request = resolve(["gold_smc"], {"data": [prices]}, "tola.toml")

    assert request.plans[0].instrument.symbol == "MGC"
    assert request.plans[0].plan.timeframe == "30m"
