"""What one bar of delay costs, and how long readings depend on where the data begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtests.audit.compare import differs
from backtests.audit.runs import Runs, Watched, own_period
from backtests.results import metrics
from backtests.results.summary import plan_curve
from core.results import iso_time
from core.setups import SETUP
from strategies.base import SetupStrategy

Array = np.ndarray[Any, np.dtype[Any]]

VISIBLE = 1e-3
"""A reading is settled where it stays within this relative distance."""
NEAR_R = 0.01
"""Setups are the same whose prices lie within this share of their risk."""


def figures_of(run: Any) -> dict[str, Any]:
    """Return the figures of a run that a delay is judged by."""
    trades = list(run.broker.ledger.trades)
    pnl = np.array([trade.pnl for trade in trades])
    r = np.array([trade.r_multiple for trade in trades if trade.r_multiple is not None])
    found = metrics.trade_figures(pnl, r)
    curve = metrics.curve_figures(plan_curve(run, run.plans[0]))
    names = ("net_profit", "max_drawdown_pct", "sharpe")
    kept = ("trades", "win_rate", "profit_factor", "expectancy_r", "expectancy_ci95",
            "expectancy_pnl", "expectancy_pnl_ci95")  # fmt: skip
    return {**{name: found[name] for name in kept}, **{name: curve[name] for name in names}}


def delay_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return what a bar of delay says, in plain words.

    It is measured on the mean trade, against the interval of the run without the delay: a mean
    that falls below it fell by more than so many trades vary.
    """
    unit = "expectancy_r" if before["expectancy_r"] is not None else "expectancy_pnl"
    interval = before["expectancy_ci95" if unit == "expectancy_r" else "expectancy_pnl_ci95"]
    mean, late = before[unit], after[unit]
    if mean is None or interval is None or late is None:
        return "too few trades to say what a bar of delay costs"
    if late < interval[0]:
        if interval[0] > 0.0:
            return (
                "the edge hangs on the very bar: a bar later it is gone. That is what look-ahead "
                "looks like, and what a live session's delays would cost"
            )
        return "a bar later it does worse than chance explains"
    if late > interval[1]:
        return "a bar later it does better than chance explains: its entries may come too early"
    return "what a bar of delay changes is no more than chance explains"


def begun_later(runs: Runs, whole: Watched, starts: Sequence[int]) -> dict[str, Any]:
    """Return how readings depend on where the data begins.

    The strategy is run on files that begin later; what it reads after its warm-up should be what
    the run on the whole file reads at the same bars.

    Returns
    -------
    dict
        `declared` bars of warm-up, `is_declared`, `starts` (ISO 8601), `readings` {name: {settled,
        apart}}: bars after which a reading stays within VISIBLE (None: never) and the largest share
        by which it is apart after the warm-up. `setups_differ` for a setup machine.
    """
    strategy = runs.loaded.request.strategy
    declared = int(getattr(strategy, "warmup_bars", 0))
    table = whole.observed.table()
    found: dict[str, dict[str, Any]] = {}
    setups_differ = 0
    for start in starts:
        later = runs.begun_at(start)
        warmup = declared or own_period(later)
        for name, column in later.observed.table().items():
            told = table.get(name)
            if told is not None:
                _note_settling(found.setdefault(name, {"settled": 0, "apart": 0.0}),
                               told[start:], column, start, warmup)  # fmt: skip
        setups_differ += _setups_apart(whole, later, start, start + warmup)
    return {
        "declared": declared or own_period(whole),
        "is_declared": declared > 0,
        "starts": [iso_time(runs.bars["start"][start]) for start in starts],
        "readings": {name: item for name, item in found.items() if item["settled"] != 0},
        "readings_compared": len(found),
        "setups_differ": setups_differ if issubclass(strategy, SetupStrategy) else None,
    }


def _setups_apart(whole: Watched, later: Watched, start: int, first: int) -> int:
    """Return how many setups from bar `first` on only one run has, or has at other prices."""
    mine = _setups_by_bar(whole, 0, first)
    theirs = _setups_by_bar(later, start, first)
    apart = len(mine.keys() ^ theirs.keys())
    for key in mine.keys() & theirs.keys():
        one, other = mine[key], theirs[key]
        room = NEAR_R * one["risk"]
        prices = ("entry", "stop", "target")
        apart += any(abs(_known(one[name]) - _known(other[name])) > room for name in prices)
    return apart


def _setups_by_bar(watched: Watched, start: int, first: int) -> dict[Any, dict[str, Any]]:
    names = SETUP.names or ()
    found = {}
    for bar, told in watched.observed.setups:
        if bar + start >= first:
            setup = dict(zip(names, told, strict=True))
            key = (bar + start, setup["pattern"], setup["direction"], setup["refusal"])
            found[key] = setup
    return found


def _known(price: float | None) -> float:
    return 0.0 if price is None else price


def _note_settling(
    item: dict[str, Any], told: Array, column: Array, start: int, warmup: int
) -> None:
    """Note from where on a reading is that of the whole file; bar numbers count from `start`."""
    count = min(len(told), len(column))
    told, column = told[:count], column[:count]
    apart = differs(told, column, VISIBLE) & differs(told, column + start, VISIBLE)
    away = np.flatnonzero(apart)
    if not len(away):
        return
    last = int(away[-1]) + 1
    if item["settled"] is not None:
        item["settled"] = None if last >= count else max(item["settled"], last)
    late = away[away >= warmup]
    if len(late):
        one, other = told[late], column[late]
        largest = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1e-12)
        item["apart"] = max(item["apart"], float(np.nan_to_num(np.abs(one - other) / largest,
                                                               nan=1.0).max()))  # fmt: skip
