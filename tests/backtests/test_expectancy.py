"""What trades show of their mean: interval, verdict, how many would tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backtests.results import expectancy


def two_outcomes(count, seed, wins=0.4):
    return np.random.default_rng(seed).choice([-1.0, 2.0], size=count, p=[1.0 - wins, wins])


def test_the_interval_agrees_with_the_normal_one_on_many_trades():
    r = two_outcomes(2_000, seed=3)
    half = 1.96 * r.std(ddof=1) / math.sqrt(len(r))

    low, high = expectancy.mean_interval(r)

    assert low == pytest.approx(r.mean() - half, abs=0.01)
    assert high == pytest.approx(r.mean() + half, abs=0.01)


def test_the_interval_is_scipys_bca_where_trades_are_many_enough_for_t_and_normal_to_agree():
    stats = pytest.importorskip("scipy.stats")
    r = two_outcomes(400, seed=5)
    theirs = stats.bootstrap(
        (r,), np.mean, method="BCa", n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval

    low, high = expectancy.mean_interval(r)

    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_the_expansion_for_many_trades_agrees_with_resampling():
    r = np.concatenate([two_outcomes(480, seed=7), np.full(15, 8.0)])

    assert expectancy._expansion(r) == pytest.approx(expectancy.mean_interval(r), abs=0.015)


def test_the_interval_holds_the_true_mean_of_small_skewed_samples():
    # A fifth of trades win 5 R: mean 0.2. A 95 % interval of 20 trades must not miss it far more
    # often than 1 in 20 (a plain percentile interval misses 8 %; these seeds, 10 %).
    truth, missed = 0.2, 0
    for seed in range(200):
        r = np.random.default_rng(seed).choice([-1.0, 5.0], size=20, p=[0.8, 0.2])
        interval = expectancy.mean_interval(r)
        missed += interval is None or not interval[0] <= truth <= interval[1]

    assert missed <= 14


def test_a_skewed_sample_reaches_farther_to_the_side_of_its_rare_winners():
    r = np.array([-1.0] * 24 + [6.0] * 4)

    low, high = expectancy.mean_interval(r)

    assert high - r.mean() > 1.2 * (r.mean() - low)


@pytest.mark.parametrize("freedom", [1, 3, 4, 9, 30, 500])
def test_students_quantile(freedom):
    stats = pytest.importorskip("scipy.stats")

    assert expectancy.student_quantile(freedom) == pytest.approx(
        stats.t.ppf(0.975, freedom), rel=3e-3
    )


def test_trades_to_tell_by_hand():
    # mean 0.5, deviation sqrt(4.5) = 2.1213: (2.8016 * 2.1213 / 0.5)^2 + 1.96^2 / 2 = 143.2
    assert expectancy.trades_to_tell(np.array([2.0, -1.0])) == 144


def test_so_many_trades_do_tell_their_mean_at_the_stated_power():
    stats = pytest.importorskip("scipy.stats")
    r = np.array([2.0] * 40 + [-1.0] * 60)
    needed = expectancy.trades_to_tell(r)
    shift = r.mean() / r.std(ddof=1) * math.sqrt(needed)
    critical = stats.t.ppf(0.975, needed - 1)

    power = stats.nct.sf(critical, needed - 1, shift)

    assert power == pytest.approx(0.80, abs=0.005)


def test_what_is_detectable_is_the_mean_whose_needed_trades_are_those_at_hand():
    r = np.array([2.0] * 40 + [-1.0] * 60)
    smallest = expectancy.detectable(r)

    moved = r - r.mean() + smallest

    assert expectancy.trades_to_tell(moved) == pytest.approx(len(r), abs=1)


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        ([], "no trades"),
        ([1.0], "one trade shows nothing"),
        ([-1.0] * 9, "too few trades to judge (9)"),
        ([-1.0] * 12, "all trades are equal: no verdict"),
        ([-1.0, 2.0] * 5, "no edge shown, only 10 trades"),
        ([-1.0, 1.0] * 50, "no edge shown"),
        ([-1.0] * 90 + [2.0] * 10, "loses"),
    ],
)
def test_verdict_words(r, expected):
    values = np.array(r)

    assert expectancy.verdict(values, expectancy.mean_interval(values)) == expected


def test_trades_without_stops_are_judged_by_their_money():
    pnl, none = np.array([3.0, -1.0] * 20), np.array([])

    figures = expectancy.sample_figures(pnl, none)

    assert figures["expectancy_r"] is None
    assert figures["verdict_on"] == "money"
    assert figures["verdict"].startswith("positive in this sample")
    assert expectancy.sample_figures(none, none)["verdict"] == "no trades"


def test_a_positive_verdict_still_asks_for_checks():
    values = np.array([2.0] * 90 + [-1.0] * 10)

    words = expectancy.verdict(values, expectancy.mean_interval(values))

    assert words.startswith("positive in this sample")
    assert "look-ahead" in words
