"""A walk-forward against plain backtests: nothing of it comes from later prices."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from backtests import runner
from backtests.resolve import resolve
from backtests.search.objective import METRICS, Goal, read_constraints, read_objectives
from backtests.search.space import make_space
from backtests.verbs.progress import Progress
from backtests.walkforward.walking import Walker
from backtests.walkforward.windows import Cut
from core.calendar import day_date
from core.errors import ConfigError

GRID = ["rr=1:3:0.5", "left=2,3"]
CUT = Cut(windows=4, train=120, test=40)
FIGURES = {name: place for place, name in enumerate(METRICS)}


def walk(grid=GRID, cut=CUT, bounds=(), flags=None, **more):
    request = resolve(["gold"], {"params": ["risk_pct=2"], **(flags or {})}, "tola.toml")
    walker = Walker(
        request, make_space(grid, request.plans[0].strategy),
        Goal(read_objectives(["net_profit"]), read_constraints(bounds)), cut, **more,
    )  # fmt: skip
    return walker, walker.walk(lambda done, total: None)


@pytest.fixture(scope="module")
def rolling():
    return walk()


def backtest(walker, params, start, last, cash):
    """Run a set in Backtrader from a day on, with all bars before it seen, up to another day."""
    days = walker.runner.prepared.market.days
    words = {**params, "risk_pct": 2, "warmup": int(walker.runner.rows[start])}
    flags = {"params": [f"{name}={value}" for name, value in words.items()],
             "to": day_date(int(days[last - 1])).isoformat(), "cash": cash}  # fmt: skip
    asked = resolve(["gold"], flags, "tola.toml")
    return runner.run(asked, Progress(io.StringIO(), wanted=False)).summary


def test_a_windows_choice_came_to_what_backtrader_makes_of_it(rolling):
    walker, done = rolling
    cash = done.cash
    for step in done.steps:
        window = step.window
        for figures, start, last, money in (
            (step.inside, window.first, window.middle, done.cash),
            (step.outside, window.middle, window.last, cash),
        ):
            summary = backtest(walker, step.params, start, last, money)
            assert figures[FIGURES["trades"]] == summary["trades"]
            assert figures[FIGURES["net_profit"]] == pytest.approx(summary["net_profit"], abs=0.01)
            assert figures[FIGURES["expectancy_r"]] == pytest.approx(summary["expectancy_r"])
        cash += step.outside[FIGURES["net_profit"]]
    assert done.equity[-1] == pytest.approx(cash)
    assert sum(step.outside[0] for step in done.steps) > 10


def test_the_choice_is_the_best_inside_the_window(rolling):
    walker, done = rolling
    window = done.steps[1].window
    profits = [
        backtest(walker, given, window.first, window.middle, done.cash)["net_profit"]
        for given in walker.space
    ]

    best = walker.space[int(np.argmax(profits))]

    assert done.steps[1].params == best
    assert done.steps[1].inside[FIGURES["net_profit"]] == pytest.approx(max(profits), abs=0.01)


def test_prices_after_a_window_change_nothing_in_it(rolling):
    walker, done = rolling
    days = walker.runner.prepared.market.days
    last = day_date(int(days[done.steps[1].window.last - 1])).isoformat()

    _, cut = walk(cut=replace(CUT, windows=2), flags={"to": last})

    assert cut.steps[0].params == done.steps[0].params
    assert [step.outside for step in cut.steps] == [step.outside for step in done.steps[:2]]
    np.testing.assert_array_equal(cut.equity, done.equity[: len(cut.equity)])


def test_workers_change_nothing(rolling):
    _, done = rolling

    _, shared = walk(workers=2)

    assert shared.steps == done.steps
    np.testing.assert_array_equal(shared.equity, done.equity)


def test_tpe_walks_too_and_the_same_each_time():
    once, again = (
        walk(["rr=1:3", "left=2,3"], replace(CUT, windows=2), search="tpe", trials=12)[1]
        for _ in range(2)
    )

    assert once.search == "tpe" and once.combinations == 24
    assert once.steps == again.steps


def test_a_window_in_which_nothing_counts_is_not_traded():
    _, done = walk(cut=replace(CUT, anchored=True), bounds=["trades>=1000"])

    assert all(step.params is None and step.outside[0] is None for step in done.steps)
    assert (done.equity == done.cash).all()


def test_a_plain_strategy_is_refused_before_any_price_is_read(tmp_path):
    (tmp_path / "my.py").write_text("import backtrader as bt\nclass S(bt.Strategy): pass\n")
    flags = {"strategy": f"{tmp_path}/my.py:S", "instrument": "MGC", "data": ["none.csv"],
             "timeframe": "15m"}  # fmt: skip
    request = resolve([], flags, "tola.toml")

    with pytest.raises(ConfigError, match="plain Backtrader strategy"):
        Walker(request, make_space(GRID, resolve(["gold"], {}, "tola.toml").plans[0].strategy),
               Goal(read_objectives(["sharpe"])), CUT)  # fmt: skip
