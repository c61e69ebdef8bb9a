"""Overfitting statistics against worked examples, exact cases and a plain second reckoning."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from backtests.overfit import (
    daily_returns,
    deflated_sharpe,
    heat_map,
    independent_trials,
    overfitting,
    plateau,
)
from backtests.overfit.deflated import expected_maximum, probabilistic_sharpe
from backtests.sweep.engine import Outcome
from backtests.sweep.results import Results, Words

A_YEAR = 250


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "expected"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_deflated_sharpe_is_that_of_the_papers_example(trials, skewness, kurtosis, expected):
    """Bailey, Lopez de Prado (2014), "A numerical example": 5 years, Sharpe 2.5, variance 1/2."""
    spread = math.sqrt(0.5 / A_YEAR)
    benchmark = spread * expected_maximum(trials)

    found = probabilistic_sharpe(2.5 / math.sqrt(A_YEAR), benchmark, 5 * A_YEAR, skewness, kurtosis)

    if trials == 100:
        assert benchmark == pytest.approx(0.1132, abs=5e-5)
    assert found == pytest.approx(expected, abs=1e-3)


def test_the_expected_maximum_is_that_of_simulated_draws():
    draws = np.random.default_rng(0).standard_normal((4_000, 200)).max(axis=1)

    assert expected_maximum(200) == pytest.approx(float(draws.mean()), abs=0.03)
    assert expected_maximum(1) == 0.0


def test_the_best_of_many_without_skill_is_deflated_and_skill_is_not():
    generator = np.random.default_rng(1)
    noise = generator.standard_normal((1_000, 300)) * 0.01
    skilled = generator.standard_normal(1_000) * 0.01 + 0.002
    sharpes = noise.mean(axis=0) / noise.std(axis=0, ddof=1)

    lucky = deflated_sharpe(noise[:, int(np.argmax(sharpes))], sharpes)
    able = deflated_sharpe(skilled, np.append(sharpes, 0.2))

    assert lucky.probability < 0.9
    assert lucky.sharpe == pytest.approx(lucky.expected, abs=0.02)
    assert able.probability > 0.99


def test_a_trial_alone_is_judged_against_nothing():
    returns = np.random.default_rng(2).standard_normal(500) * 0.01 + 0.001

    found = deflated_sharpe(returns, np.array([0.1, np.nan]))

    assert (found.expected, found.trials) == (0.0, 1.0)


def test_returns_that_do_not_vary_are_refused():
    with pytest.raises(ValueError, match="returns that vary"):
        deflated_sharpe(np.zeros(100), np.array([0.1]))


def test_alike_trials_are_one_and_unrelated_ones_are_all():
    generator = np.random.default_rng(3)
    common = generator.standard_normal((5_000, 1))
    unrelated = generator.standard_normal((5_000, 20))

    assert independent_trials(np.repeat(common, 20, axis=1)) == pytest.approx(1.0)
    assert independent_trials(unrelated) == pytest.approx(20.0, abs=0.5)
    # A common part of half the variance: mean correlation 0.5, so 0.5 + 0.5 x 20 trials.
    assert independent_trials(common + unrelated) == pytest.approx(10.5, abs=0.6)


def reckoned(returns, parts):
    """Return PBO, plainly: every split, every Sharpe ratio from its own returns."""
    pieces = np.split(returns, parts)
    logits = []
    for chosen in combinations(range(parts), parts // 2):
        inside = np.concatenate([pieces[k] for k in chosen])
        outside = np.concatenate([pieces[k] for k in range(parts) if k not in chosen])
        best = int(np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1)))
        told = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        rank = int((told <= told[best]).sum())
        share = rank / (returns.shape[1] + 1)
        logits.append(math.log(share / (1 - share)))
    return np.mean(np.array(logits) <= 0), sorted(logits)


def test_overfitting_is_what_plain_reckoning_gives():
    returns = np.random.default_rng(4).standard_normal((96, 7))

    found = overfitting(returns, parts=8)
    probability, logits = reckoned(returns, 8)

    assert found.probability == pytest.approx(probability)
    assert sorted(found.logits) == pytest.approx(logits)


def test_sets_whose_halves_cancel_are_all_overfitting():
    """Without a mean over all time, a set's gain in one half is its loss in the other."""
    returns = np.random.default_rng(5).standard_normal((320, 30))
    returns -= returns.mean(axis=0)

    found = overfitting(returns, parts=10)

    assert found.probability == 1.0
    assert found.loss == 1.0
    assert found.slope < -0.5


def test_a_set_with_skill_is_found_in_every_half():
    returns = np.random.default_rng(6).standard_normal((800, 40))
    returns[:, 17] += 0.8

    found = overfitting(returns, parts=10)

    assert (found.probability, found.loss) == (0.0, 0.0)


def test_choosing_among_noise_is_a_coin_toss():
    found = [
        overfitting(np.random.default_rng(seed).standard_normal((240, 25)), parts=8).probability
        for seed in range(60)
    ]

    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_sets_that_never_trade_do_no_harm():
    returns = np.random.default_rng(7).standard_normal((64, 4))
    returns[:, 2] = 0.0

    assert np.isfinite(overfitting(returns, parts=4).logits).all()


@pytest.mark.parametrize(
    ("shape", "parts", "words"),
    [((100, 5), 5, "even number"), ((100, 1), 4, "2 sets"), ((10, 5), 8, "16 periods")],
)
def test_what_cannot_be_split_is_refused(shape, parts, words):
    with pytest.raises(ValueError, match=words):
        overfitting(np.zeros(shape), parts=parts)


def test_a_lonely_peak_loses_to_the_middle_of_a_plateau():
    grid = [(a, b) for a in range(7) for b in range(7)]
    objective = [0.0] * 49
    for a, b in [(4, 4), (4, 5), (5, 4), (5, 5), (3, 4), (4, 3), (5, 3), (3, 5), (3, 3)]:
        objective[a * 7 + b] = 1.0
    objective[0] = 3.0

    found = plateau({"a": [a for a, _ in grid], "b": [b for _, b in grid]}, objective)

    assert found.peak == 0
    assert grid[found.plateau] == (4, 4)
    assert found.median[found.plateau] == 1.0
    assert (found.median[0], found.neighbours[0], found.neighbours[24]) == (0.0, 3, 8)
    assert found.lowest[grid.index((4, 4))] == 1.0
    assert found.stands_out(0) > 3 > 0.5 > abs(found.stands_out(grid.index((4, 4))))


def test_words_must_be_the_same_and_grids_need_no_even_steps():
    table = {"mode": ["x", "x", "y", "y"], "rr": [1.0, 10.0, 1.0, 10.0]}

    found = plateau(table, [1.0, 3.0, 5.0, 7.0])

    assert list(found.neighbours) == [1, 1, 1, 1]
    assert list(found.median) == [2.0, 2.0, 6.0, 6.0]


def test_sets_without_a_figure_are_left_out_and_counted():
    found = plateau({"a": [1, 2, 3]}, [math.nan, 4.0, math.nan])

    assert list(found.median) == [4.0, 4.0, 4.0]
    assert list(found.neighbours) == [1, 2, 1]
    assert found.peak == 1
    assert plateau({"a": [1, 2]}, [math.nan, math.nan]).peak is None


def test_values_drawn_at_random_have_neighbours_within_a_part_of_the_range():
    values = np.linspace(0.0, 100.0, 201)

    found = plateau({"a": list(values)}, np.zeros(201))

    assert found.neighbours[100] == 20  # 5 % of the range on either side, half steps


def test_a_heat_map_is_the_median_over_the_other_parameters():
    table = {"a": [1, 1, 2, 2, 1], "b": ["u", "u", "u", "v", "v"], "c": [1, 2, 1, 1, 1]}

    found = heat_map(table, [1.0, 3.0, 5.0, math.nan, 9.0], "a", "b")

    assert (found.x, found.y) == ([1, 2], ["u", "v"])
    assert found.values.tolist()[0] == [2.0, 5.0]
    assert found.values[1, 0] == 9.0
    assert math.isnan(found.values[1, 1])


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        plateau({"a": [1, 2, 3]}, [1.0, 2.0])


def test_daily_returns_are_those_of_each_sets_curve():
    curves = (np.array([110.0, 99.0]), np.array([100.0, 105.0]))
    outcomes = [Outcome(None, day_equity=curve) for curve in curves]
    nothing = np.zeros(0)
    results = Results([{}, {}], outcomes, Words("p", "MGC", ""), nothing, nothing, 100.0)

    assert daily_returns(results) == pytest.approx(np.array([[0.1, 0.0], [-0.1, 0.05]]))


def test_daily_returns_need_curves():
    nothing = np.zeros(0)
    results = Results([{}], [Outcome(None)], Words("p", "MGC", ""), nothing, nothing, 100.0)

    with pytest.raises(ValueError, match="keep_curve=True"):
        daily_returns(results)
