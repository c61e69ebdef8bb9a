"""Paths under account rules: what the guard's own classes say, and what can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.odds import Limits, Sample, play, wilson
from backtests.odds.blocks import shuffled, stationary_days
from risk.presets import PRESETS
from risk.settings import RiskSettings
from tests.backtests.odds.reference import walk

STATES = ("unfinished", "passed", "failed")


def sample(days, *, cash=10_000.0, risk=None, quantity=1.0, by_share=False):
    """Return the sample of days of trades (pnl, low, high)."""
    trades = np.array([trade for day in days for trade in day], float).reshape(-1, 3)
    counts = [len(day) for day in days]
    pnl = trades[:, 0]
    return Sample(
        symbol="MGC", currency="USD", cash=cash, days=np.arange(len(days)),
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        pnl=pnl, costs=np.full(len(pnl), 2.0), low=np.minimum(trades[:, 1], pnl),
        high=np.maximum(trades[:, 2], pnl),
        risk=np.full(len(pnl), np.nan if risk is None else risk),
        quantity=np.full(len(pnl), quantity), tick_money=np.full(len(pnl), 1.0),
        before=cash + np.concatenate([[0.0], np.cumsum(pnl)[:-1]]), by_share=by_share,
    )  # fmt: skip


def in_order(days):
    return np.arange(len(days), dtype=np.int32)[None, :]


amounts = st.integers(-12, 12).map(lambda n: 50.0 * n)
trades = st.tuples(amounts, amounts.map(lambda x: -abs(x)), amounts.map(abs))
histories = st.lists(st.lists(trades, max_size=4), min_size=1, max_size=12)
rules = st.builds(
    lambda daily, trail, mode, lock, target, share: RiskSettings(
        daily_loss=daily, trailing_drawdown=trail, trailing_mode=mode, trailing_lock_offset=lock,
        profit_target=target, consistency_pct=None if target is None else share,
    ),
    st.sampled_from([None, 200.0, 450.0]),
    st.sampled_from([None, 500.0, 900.0]),
    st.sampled_from(["end_of_day", "intraday"]),
    st.sampled_from([None, 0.0, 100.0]),
    st.sampled_from([None, 400.0, 1_000.0]),
    st.sampled_from([50.0, 80.0]),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(histories, rules)
def test_a_path_ends_as_the_guards_own_rules_end_it(days, limits):
    expected = walk(days, 10_000.0, limits)

    out = play(sample(days), in_order(days), Limits(10_000.0, limits)).outcomes[0]

    assert (STATES[out["state"]], out["day"]) == expected[:2]
    assert out["equity"] == pytest.approx(expected[2], abs=1e-6)


def test_topsteps_worked_example_of_the_trailing_floor():
    days = [[(500, 0, 500)], [(-500, -500, 0)], [(2_500, 0, 2_500)], [(-2_500, -2_500, 0)]]
    limits = RiskSettings(trailing_drawdown=2_000.0, trailing_lock_offset=0.0)

    out = play(sample(days, cash=50_000.0), in_order(days), Limits(50_000.0, limits)).outcomes[0]

    # Balances 50,500, 50,000, 52,500; the floor locks at 50,000 and the last day falls to it.
    assert (STATES[out["state"]], out["day"], out["equity"]) == ("failed", 4, 50_000.0)


def test_a_fair_game_passes_as_often_as_the_ruin_of_a_gambler_says():
    days = [[(100.0, 0.0, 100.0)], [(-100.0, -100.0, 0.0)]]
    limits = RiskSettings(
        trailing_drawdown=500.0, trailing_lock_offset=-500.0, profit_target=300.0,
        consistency_pct=100.0,
    )  # fmt: skip
    paths = stationary_days(2, 600, 20_000, 1.0, np.random.default_rng(3))

    states = play(sample(days), paths, Limits(10_000.0, limits)).outcomes["state"]

    low, high = wilson(int((states == 1).sum()), len(states))
    assert (states == 0).sum() == 0
    assert low < 5.0 / 8.0 < high


def test_trades_that_risk_too_much_or_are_too_small_are_refused():
    days = [[(100.0, 0.0, 100.0)]] * 5
    small, large = sample(days, risk=600.0), sample(days, risk=400.0, quantity=1.0)

    one = play(small, in_order(days), Limits(10_000.0, PRESETS["gold_bot"])).outcomes[0]
    other = play(large, in_order(days), Limits(10_000.0, PRESETS["gold_bot"])).outcomes[0]
    fits = play(sample(days, risk=400.0, quantity=2.0), in_order(days),
                Limits(10_000.0, PRESETS["gold_bot"])).outcomes[0]  # fmt: skip

    assert (one["refused"], other["refused"], fits["refused"]) == (5, 5, 0)
    assert fits["equity"] == 10_500.0


def test_a_days_trades_and_losses_in_a_row_are_counted():
    day = [(-10.0, -10.0, 0.0)] * 5
    for limits, taken in (
        (RiskSettings(max_trades_day=3), 3),
        (RiskSettings(max_losses_row=2), 2),
        (RiskSettings(), 5),
    ):
        out = play(sample([day]), in_order([day]), Limits(10_000.0, limits)).outcomes[0]

        assert out["taken"] == taken


def test_sizes_that_follow_equity_compound():
    days = [[(1_000.0, 0.0, 1_000.0)]]
    paths = np.zeros((1, 3), np.int32)

    out = play(sample(days, by_share=True), paths, Limits(10_000.0)).outcomes[0]

    assert out["equity"] == pytest.approx(10_000.0 * 1.1**3)


def test_missed_fills_costs_and_slippage_cost_what_they_say():
    days = [[(100.0, 0.0, 100.0)]] * 100
    paths = np.tile(in_order(days), (400, 1))
    plain = sample(days)

    missed = play(plain, paths, Limits(10_000.0), missed=0.1, seed=1).outcomes
    dear = play(plain, paths, Limits(10_000.0), more_costs=1.0).outcomes
    slipped = play(plain, paths, Limits(10_000.0), more_ticks=1.0).outcomes

    assert missed["taken"].mean() == pytest.approx(90.0, abs=0.5)
    assert dear["equity"][0] == 10_000.0 + 100 * (100.0 - 2.0)
    assert slipped["equity"][0] == 10_000.0 + 100 * (100.0 - 2.0)


def test_another_order_of_trades_ends_alike_with_another_drawdown():
    days = [[(100.0, 0.0, 100.0)]] * 10 + [[(-60.0, -60.0, 0.0)]] * 10
    paths = np.tile(in_order(days), (500, 1))
    order = shuffled(20, 500, np.random.default_rng(0))

    out = play(sample(days), paths, Limits(10_000.0), order=order, keep_equity=True)

    assert set(out.outcomes["equity"].round(6)) == {10_400.0}
    assert len(set(out.outcomes["drawdown"].round(6))) > 20
    assert out.equity.shape == (500, 20)


def test_the_worst_moment_of_a_trade_counts_though_it_ended_well():
    days = [[(300.0, -900.0, 300.0)]]
    limits = RiskSettings(trailing_drawdown=800.0)

    out = play(sample(days), in_order(days), Limits(10_000.0, limits)).outcomes[0]

    assert (STATES[out["state"]], out["equity"], out["lowest"]) == ("failed", 9_200.0, 9_200.0)
