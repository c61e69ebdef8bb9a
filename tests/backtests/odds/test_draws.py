"""Intervals, blocks, perturbed prices: against published figures and simulated known cases."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.odds import wilson
from backtests.odds.again import NOISE, perturbed
from backtests.odds.blocks import block_length, shuffled, stationary_days
from backtests.odds.chances import chance
from core.bars import BAR


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilsons_interval_is_the_published_one(hits, count, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)


def test_wilsons_interval_holds_the_share_as_often_as_it_says():
    drawn = np.random.default_rng(0).binomial(200, 0.07, 2_000)

    held = [low <= 0.07 <= high for low, high in (wilson(int(k), 200) for k in drawn)]

    assert 0.93 < np.mean(held) < 0.975


@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_block_length_of_a_first_order_series_is_the_one_worked_out(rho):
    """For an AR(1) G and D have closed forms: b = (2 rho / (1 - rho^2))^(2/3) n^(1/3)."""
    count = 20_000
    shocks = np.random.default_rng(1).standard_normal(count)
    series = np.empty(count)
    series[0] = shocks[0]
    for place in range(1, count):
        series[place] = rho * series[place - 1] + shocks[place]

    expected = (2.0 * rho / (1.0 - rho * rho)) ** (2.0 / 3.0) * count ** (1.0 / 3.0)

    assert block_length(series) == pytest.approx(expected, rel=0.25)


def test_independent_days_need_no_blocks():
    lengths = [block_length(np.random.default_rng(seed).standard_normal(500)) for seed in range(20)]

    assert np.median(lengths) < 3.0
    assert block_length(np.zeros(100)) == block_length(np.ones(5)) == 1.0


def test_blocks_have_their_length_and_every_day_its_share():
    drawn = stationary_days(50, 400, 500, 8.0, np.random.default_rng(2))

    followed = np.mean((drawn[:, :-1] + 1) % 50 == drawn[:, 1:])
    shares = np.bincount(drawn.ravel(), minlength=50) / drawn.size

    assert followed == pytest.approx(1.0 - (1.0 / 8.0) * (49.0 / 50.0), abs=0.005)
    assert shares == pytest.approx(np.full(50, 0.02), abs=0.003)


def test_the_same_seed_draws_the_same_and_another_does_not():
    one, again, other = (
        stationary_days(30, 20, 10, 3.0, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )

    assert (one == again).all()
    assert (one != other).any()
    assert sorted(shuffled(7, 1, np.random.default_rng(0))[0]) == list(range(7))


def test_the_interval_over_other_samples_stands_beside_the_simulations():
    found = chance(300, 1_000, [0.1, 0.2, 0.3, 0.4, 0.5])

    assert found.p == 0.3
    assert found.ci95[0] > found.sample_ci95[0]
    assert found.text() == "30 % [11 %, 49 %]"


def test_perturbed_bars_are_bars_near_the_old_ones_at_the_same_times():
    generator = np.random.default_rng(4)
    bars = np.zeros(2_000, BAR)
    bars["start"] = np.arange(2_000) * 60
    bars["close"] = 2_000.0 + np.cumsum(generator.standard_normal(2_000))
    bars["open"] = bars["close"] + generator.standard_normal(2_000)
    bars["high"] = np.maximum(bars["open"], bars["close"]) + 1.0
    bars["low"] = np.minimum(bars["open"], bars["close"]) - 1.0

    moved = perturbed(bars, 0.1, np.random.default_rng(7))
    again = perturbed(bars, 0.1, np.random.default_rng(7))

    assert (moved == again).all()
    assert (moved["start"] == bars["start"]).all()
    for name in ("open", "close"):
        assert (moved["low"] <= moved[name]).all()
        assert (moved[name] <= moved["high"]).all()
        assert np.abs(moved[name] / 0.1 - np.round(moved[name] / 0.1)).max() < 1e-6
    usual = np.median(bars["high"] - bars["low"])
    assert np.std(moved["close"] - bars["close"]) == pytest.approx(NOISE * usual, rel=0.15)
