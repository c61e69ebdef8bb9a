"""What chooses sets: by seed and results alone, each kind of search in its own way."""

from __future__ import annotations

import numpy as np
import pytest

import strategies
from backtests.search.drivers import BATCH, MOST_SETS, make_driver
from backtests.search.objective import (
    METRICS,
    Goal,
    figures_row,
    read_constraints,
    read_objectives,
)
from backtests.search.runners import Record, fault_text
from backtests.search.space import make_space
from core.errors import ConfigError

GOLD = strategies.get("gold_smc")
FINE = make_space(["rr=1:3:0.1", "max_shift_bars=4:30", "disp_k=0.5:2"], GOLD)
COARSE = make_space(["rr=1:3:0.5", "max_shift_bars=6,12"], GOLD)
SHARPE = Goal(read_objectives(["sharpe"]), read_constraints(["trades>=30"]))
BOTH = Goal(read_objectives(["sharpe", "max_drawdown_pct"]))


def judge(given):
    """A hill at rr 2.2, disp_k 1; few trades where shifts are short, none at rr 1."""
    if given["rr"] == 3.0:
        return Record(None, "not allowed")
    sharpe = -((given["rr"] - 2.2) ** 2) - (given["disp_k"] - 1) ** 2
    trades = 3 * given["max_shift_bars"]
    figures = {"sharpe": None if given["rr"] == 1 else sharpe, "trades": trades,
               "max_drawdown_pct": 2 * given["rr"]}  # fmt: skip
    return Record(figures_row(figures))


def play(search, trials, goal=SHARPE, seed=7):
    driver, name, _ = make_driver(FINE, goal, search, trials, seed)
    asked = []
    while sets := driver.ask():
        asked += sets
        driver.tell([judge(given) for given in sets])
    assert name == search
    return asked


@pytest.mark.parametrize(("search", "goal"), [("random", SHARPE), ("tpe", SHARPE), ("nsga2", BOTH)])
def test_the_same_seed_chooses_the_same_sets_and_another_others(search, goal):
    once, again, other = (play(search, 3 * BATCH, goal, seed) for seed in (7, 7, 8))

    assert len(once) == 3 * BATCH
    assert once == again
    assert once != other


def test_tpe_comes_nearer_than_chance_and_keeps_away_from_what_is_not_allowed():
    chosen, drawn = play("tpe", 5 * BATCH), play("random", 5 * BATCH)

    def late(sets):
        good = [judge(given).figures for given in sets[-2 * BATCH :]]
        return np.median([row[list(METRICS).index("sharpe")] or -9 for row in good if row])

    assert late(chosen) > late(drawn) + 0.1
    assert sum(given["rr"] == 3.0 for given in chosen[-BATCH:]) < BATCH // 4


def test_random_sets_of_a_grid_are_all_different():
    driver, name, _ = make_driver(
        make_space(["rr=1:3:0.1", "left=2,3,5"], GOLD), SHARPE, None, 60, 1
    )

    sets = driver.ask()

    assert name == "random"
    assert len({tuple(given.values()) for given in sets}) == 60
    assert not driver.ask()


def test_a_grid_of_more_sets_than_a_list_can_hold_is_counted_and_drawn_from():
    axes = ["rr=1:9:0.0001", "disp_k=1:9:0.0001", "risk_pct=0.001:1:0.001",
            "max_losses_row=1:1000:1", "order_bars=1:1000:1",
            "min_risk=0.001:0.99:0.0001"]  # fmt: skip
    space = make_space(axes, GOLD)

    whole, _, _ = make_driver(space, SHARPE, None, None, 1)
    drawn, _, _ = make_driver(space, SHARPE, "random", 20, 1)

    assert whole.total == space.size > 10**20
    assert len({tuple(given.values()) for given in drawn.ask()}) == 20


@pytest.mark.parametrize("search", [None, "grid", "random", "tpe"])
def test_a_grid_no_larger_than_the_trials_is_run_whole(search):
    driver, name, remark = make_driver(COARSE, SHARPE, search, 5000, 1)

    assert (name, driver.total, len(driver.ask())) == ("grid", 10, 10)
    assert bool(remark) == (search not in (None, "grid"))


@pytest.mark.parametrize(
    ("space", "goal", "search", "trials", "says"),
    [
        (COARSE, SHARPE, "gird", None, "did you mean 'grid'?"),
        (COARSE, SHARPE, "grid", 5, "the grid has 10 combinations; leave --trials out"),
        (COARSE, SHARPE, None, 0, "expected 1 or more"),
        (FINE, SHARPE, "grid", None, "disp_k is a range; give it a step"),
        (FINE, SHARPE, "random", MOST_SETS + 1, "at most 1,000,000"),
        (FINE, BOTH, "tpe", 10, "--search nsga2"),
    ],
)
def test_a_search_that_cannot_be_is_refused(space, goal, search, trials, says):
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        make_driver(space, goal, search, trials, 1)


@pytest.mark.parametrize("search", ["random", "tpe", "nsga2"])
def test_seeds_are_those_every_generator_takes(search):
    for seed in (-1, 2**32):
        with pytest.raises(ConfigError, match=rf"--seed {seed}: expected 0 to 4294967295"):
            make_driver(FINE, BOTH if search == "nsga2" else SHARPE, search, 10, seed)
    assert len(play(search, 3, BOTH if search == "nsga2" else SHARPE, seed=2**32 - 1)) == 3


@pytest.mark.parametrize(
    ("objectives", "constraints", "says"),
    [
        (["sharp"], [], "did you mean 'sharpe'"),
        (["sharpe:up"], [], "expected sharpe:max or sharpe:min"),
        (["sharpe", "sharpe"], [], "name each figure once"),
        ([], ["trades"], "expected NAME>=NUMBER"),
        ([], ["trades>=many"], "expected NAME>=NUMBER"),
        ([], ["trades>=nan"], "expected NAME>=NUMBER"),
        ([], ["trades<inf"], "expected NAME>=NUMBER"),
        ([], ["trade>=3"], "did you mean 'trades'"),
    ],
)
def test_an_unknown_objective_or_bound_is_refused(objectives, constraints, says):
    with pytest.raises(ConfigError, match=says):
        read_objectives(objectives)
        read_constraints(constraints)


def test_what_a_set_ran_into_is_one_line():
    assert fault_text(ValueError("no\n  such thing")) == "ValueError: no such thing"
    assert fault_text(ConfigError("my.py:3: first\nsecond")) == "my.py:3: first second"


def table(*rows):
    figures = np.full((len(rows), len(METRICS)), np.nan)
    names = list(METRICS)
    for place, row in enumerate(rows):
        for name, value in row.items():
            figures[place, names.index(name)] = value
    return figures


def test_the_best_meets_all_bounds_and_of_equals_the_earlier_stands_first():
    figures = table(
        {"sharpe": 3.0, "trades": 2},
        {"sharpe": 1.0, "trades": 40},
        {"trades": 90},
        {"sharpe": 2.0, "trades": 30},
        {"sharpe": 2.0, "trades": 50},
    )

    assert SHARPE.ranking(figures).tolist() == [3, 4, 1]
    lowest = Goal(read_objectives(["sharpe:min"]))
    assert lowest.ranking(figures).tolist() == [1, 3, 4, 0]


def test_a_trade_off_keeps_what_nothing_betters_in_both():
    figures = table(
        {"sharpe": 1.0, "max_drawdown_pct": 5.0},
        {"sharpe": 2.0, "max_drawdown_pct": 9.0},
        {"sharpe": 0.9, "max_drawdown_pct": 6.0},
        {"sharpe": 0.5, "max_drawdown_pct": 1.0},
    )

    assert BOTH.front(figures).tolist() == [1, 0, 3]
