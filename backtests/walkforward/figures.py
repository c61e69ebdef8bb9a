"""Figures of a part of a run, some trading days: of daily equity and the trades closed then."""

from __future__ import annotations

from typing import Any

import numpy as np

from backtests.results import metrics
from backtests.search.objective import METRICS
from backtests.sweep.engine import Outcome

Array = np.ndarray[Any, Any]


def part_figures(
    outcome: Outcome, cash: float, days: Array, rows: Array, first: int, last: int
) -> list[float | None]:
    """Return a part's figures in the order of METRICS; drawdown is of daily marks.

    Parameters
    ----------
    outcome : of a run that had no position before the part.
    cash : equity before it. days : trading days of the run. rows : first row of each day, and the
    number of rows at the end. first, last : places of the part's first day and of the one after it.
    """
    assert outcome.day_equity is not None and outcome.trades is not None
    curve = metrics.Curve(cash, days[first:last], outcome.day_equity[first:last], days[first:last])
    found = metrics.curve_figures(curve)
    trades = outcome.trades
    closed = trades[(trades["exit_row"] >= rows[first]) & (trades["exit_row"] < rows[last])]
    pnl = closed["gross"] - closed["costs"]
    risk = closed["entered"] * np.abs(closed["planned_entry"] - closed["stop"])
    risk = risk * closed["point_value"]
    known = risk > 0
    found |= {
        "trades": len(closed),
        "win_rate": metrics.win_rate(pnl),
        "profit_factor": metrics.profit_factor(pnl),
        "expectancy_r": float(np.mean(pnl[known] / risk[known])) if known.any() else None,
        "costs": float(closed["costs"].sum()),
        "ambiguous_trades": int(np.count_nonzero(closed["ambiguous"])),
    }
    return [found[name] for name in METRICS]
