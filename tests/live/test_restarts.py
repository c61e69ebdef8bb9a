"""A session killed anywhere and started again makes the very trades of one never killed."""

import random

import pytest

from tests.live.sessions import backtest_of, flags_of, request_of, run_killed, trades_of

CASES = {
    "gold": ("gold_smc", {"from": "2025-09-22", "to": "2025-10-06"}, 4),
    "nifty": ("nifty_smc", {"from": "2022-12-01", "to": "2022-12-15"}, 4),
}


@pytest.mark.parametrize("market", CASES)
def test_ten_days_with_random_deaths_give_the_trades_of_ten_days_without(
    market, real_data, tmp_path
):
    strategy, days, count = CASES[market]
    flags = flags_of(real_data, market, **days)
    chance = random.Random(market)
    kills = [chance.randint(200, 2500) for _ in range(count)]

    left = run_killed(strategy, flags, tmp_path / "killed", kills)

    whole = backtest_of(request_of(strategy, flags, tmp_path / "whole"))
    assert left["trades"] == trades_of(whole.broker)
    assert left["equity"] == whole.broker.getvalue()
    assert left["missed"] == []
    assert left["events"] > 0
