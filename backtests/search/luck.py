"""How much of a search's best result is luck: what `backtests.overfit` says of its sets.

It needs each set's days, which a search does not keep: a sample of sets, the best among them, is
run once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backtests.overfit import (
    daily_returns,
    deflated_sharpe,
    independent_trials,
    overfitting,
    plateau,
)
from backtests.search.objective import Goal
from backtests.search.runners import CompiledRunner, Runner
from backtests.search.table import Table
from backtests.sweep import run

MOST_SETS = 200
_MOST_NEIGHBOURS = 5_000
"""Each set's neighbours are looked for among all: of more sets that would take longer than them."""
_LEAST_SETS, _LEAST_DAYS = 4, 64
_YEAR_DAYS = 252.0
"""Trading days by which a year's Sharpe ratio is told, as in a run's summary."""


def judge(runner: Runner, table: Table, goal: Goal, best: int, seed: int) -> dict[str, Any] | None:
    """Return what the best set is worth; None where too little was tried, or not compiled.

    The keys: `sets` looked at of those tried, `independent` tries they amount to, `sharpe` of the
    best and `expected_sharpe` of the best of so many without skill (both of a year),
    `deflated_sharpe` (a probability), `overfit` (probability of backtest overfitting), `loss` (how
    often the best of one half of time loses in the other), `neighbours` (median objective around
    the best set) and `plateau` (the parameters of the best neighbourhood).

    Parameters
    ----------
    best : row of the best set.
    """
    rows = np.flatnonzero(table.done)
    rows = rows[[row not in table.faults for row in rows.tolist()]]
    if len(rows) < _LEAST_SETS or not isinstance(runner, CompiledRunner):
        return None
    sample = _sample(rows, best, seed)
    results = run(runner.prepared, [table.sets[row] for row in sample], keep_curve=True)
    returns = daily_returns(results)
    if len(returns) < _LEAST_DAYS:
        return None
    tries = _tries(returns, len(rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    try:
        deflated = deflated_sharpe(returns[:, sample.index(best)], sharpes, tries)
        crossed = overfitting(returns)
    except ValueError:
        return None
    year = _YEAR_DAYS**0.5
    return {
        "sets": len(sample),
        "tried": len(rows),
        "independent": tries,
        "sharpe": deflated.sharpe * year,
        "expected_sharpe": deflated.expected * year,
        "deflated_sharpe": deflated.probability,
        "overfit": crossed.probability,
        "loss": crossed.loss,
        **_around(table, goal, rows, best),
    }


def _sample(rows: np.ndarray[Any, Any], best: int, seed: int) -> list[int]:
    """Return rows to look at, the best one among them; in their order."""
    others = rows[rows != best]
    if len(others) >= MOST_SETS:
        others = np.random.default_rng(seed).choice(others, MOST_SETS - 1, replace=False)
    return sorted([best, *map(int, others)])


def _tries(returns: np.ndarray[Any, Any], tried: int) -> float:
    """Return how many independent tries all sets amount to, by how alike the sampled ones are."""
    count = returns.shape[1]
    share = (independent_trials(returns) - 1.0) / max(count - 1, 1)
    return float(1.0 + share * (tried - 1))


def _around(table: Table, goal: Goal, rows: np.ndarray[Any, Any], best: int) -> Mapping[str, Any]:
    """Return what the neighbours of the best set come to, and the middle of the best plateau."""
    if len(rows) > _MOST_NEIGHBOURS:
        return {"neighbours": None, "plateau": None}
    names = list(table.sets[best])
    columns = {name: [table.sets[row][name] for row in rows] for name in names}
    objective = goal.first
    values = table.column(objective.name)[rows] * objective.sign
    found = plateau(columns, values.tolist())
    place = int(np.flatnonzero(rows == best)[0])
    median = found.median[place]
    middle = None if found.plateau is None else dict(table.sets[int(rows[found.plateau])])
    return {
        "neighbours": float(median * objective.sign) if np.isfinite(median) else None,
        "plateau": middle,
    }
