"""What a sweep says of the luck in its best result."""

from __future__ import annotations

import json

import pytest

from backtests.overfit.deflated import expected_maximum
from backtests.search.luck import MOST_SETS, _sample

GRID = ("--grid", "rr=1.5:3:0.5", "--grid", "max_shift_bars=6,12")


def test_a_search_is_judged_by_how_many_it_tried(tola):
    first = tola("sweep", "gold", *GRID, "--objective", "net_profit", "--no-report", "--json")
    said = json.loads(first.out)
    luck = said["luck"]

    assert luck["tried"] == luck["sets"] == 8
    assert 1.0 <= luck["independent"] <= 8.0
    for share in ("deflated_sharpe", "overfit", "loss"):
        assert 0.0 <= luck[share] <= 1.0
    # Half the Sharpe ratio that is to be expected without skill cannot pass for skill.
    assert luck["expected_sharpe"] >= 0.0 and expected_maximum(luck["independent"]) >= 0.0
    by_luck = luck["sharpe"] <= luck["expected_sharpe"]
    assert by_luck == (luck["deflated_sharpe"] <= 0.5)
    objectives = [item["objective"] for item in said["results"]]
    assert min(objectives) <= luck["neighbours"] <= max(objectives)
    assert luck["plateau"] in [item["params"] for item in said["results"]]


def test_people_read_it_below_the_best_sets(tola):
    lines = tola("sweep", "gold", *GRID, "--objective", "net_profit", "--no-report").out

    assert "luck: the best of 8 (" in lines
    assert "chosen on one half of the days" in lines
    assert "its neighbours: net profit" in lines


def test_too_few_sets_are_not_judged(tola):
    said = tola("sweep", "gold", "--grid", "rr=2,3", "--no-report", "--json")

    assert json.loads(said.out)["luck"] is None


@pytest.mark.parametrize("count", [5, MOST_SETS, MOST_SETS + 1, 5000])
def test_a_sample_holds_the_best_and_is_the_same_for_the_same_seed(count):
    import numpy as np

    rows = np.arange(count)
    sample = _sample(rows, count - 1, 7)

    assert sample == _sample(rows, count - 1, 7)
    assert count - 1 in sample and len(sample) == min(count, MOST_SETS)
    assert sample == sorted(set(sample))
