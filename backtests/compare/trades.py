"""Two runs' trades and days in pairs: what only one has, what came out otherwise, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from backtests.results.expectancy import TOO_FEW, mean_interval

Array = np.ndarray[Any, np.dtype[Any]]

MOST_ROWS = 100
"""Trades listed of each kind; all are counted."""

_COMPARED = ("quantity", "entry_price", "exit_time", "exit_price", "exit_reason")
_EXIT = ("exit_time", "exit_price", "exit_reason")
_HALF_CENT = 0.005


def compare_trades(base: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    """Return how two runs' trades differ, matched by entry bar and side.

    Parameters
    ----------
    base, other : DataFrame
        Trades (core.results.TRADE_COLUMNS), numbered from 0, money in one currency.
    """
    left, right = _matched(base, other)
    only_base = np.setdiff1d(np.arange(len(base)), left)
    only_other = np.setdiff1d(np.arange(len(other)), right)
    changed = _changes(base.take(left), other.take(right))
    differing = np.flatnonzero(np.any(list(changed.values()), axis=0))
    return {
        "both": len(left),
        "only_base": len(only_base),
        "only_other": len(only_other),
        "only_base_pnl": float(base["pnl"].take(only_base).sum()),
        "only_other_pnl": float(other["pnl"].take(only_other).sum()),
        "differing": len(differing),
        "differing_exit": int(np.any([changed[name] for name in _EXIT], axis=0).sum()),
        "differing_quantity": int(changed["quantity"].sum()),
        "trades_only_base": _rows(base, only_base),
        "trades_only_other": _rows(other, only_other),
        "trades_differing": [
            {
                "differs": [name for name, mask in changed.items() if mask[place]],
                "base": one,
                "other": two,
            }
            for place, one, two in zip(
                differing[:MOST_ROWS],
                _rows(base, left[differing]),
                _rows(other, right[differing]),
                strict=True,
            )
        ],
        "common_trades": _common_trades(base.take(left), other.take(right)),
    }


def _matched(base: pd.DataFrame, other: pd.DataFrame) -> tuple[Array, Array]:
    """Return the places, in each table, of trades that began in the same bar on the same side."""
    keys = [_keys(trades) for trades in (base, other)]
    places = {key: place for place, key in enumerate(keys[1])}
    pairs = [(place, places[key]) for place, key in enumerate(keys[0]) if key in places]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _keys(trades: pd.DataFrame) -> list[tuple[int, str, int]]:
    """Return entry bar, side, and which of that bar and side it is."""
    seen: dict[tuple[int, str], int] = {}
    keys = []
    bars = trades["entry_bar"].dt.as_unit("ns").astype("int64").tolist()
    for key in zip(bars, trades["side"].tolist(), strict=True):
        seen[key] = seen.get(key, -1) + 1
        keys.append((*key, seen[key]))
    return keys


def _changes(left: pd.DataFrame, right: pd.DataFrame) -> dict[str, Array]:
    """Return by column which of the matched trades differ in it."""
    texts = {"exit_reason": ""}  # an empty reason is read as NaN, which differs from itself
    left, right = left.fillna(texts), right.fillna(texts)
    found = {name: left[name].to_numpy() != right[name].to_numpy() for name in _COMPARED}
    money = np.abs(left["pnl"].to_numpy() - right["pnl"].to_numpy())
    return {**found, "pnl": money >= _HALF_CENT}


def _rows(trades: pd.DataFrame, places: Array) -> list[dict[str, Any]]:
    return [_row(trade) for trade in trades.take(places[:MOST_ROWS]).to_dict("records")]


def _row(trade: dict[Any, Any]) -> dict[str, Any]:
    numbers = ("quantity", "entry_price", "exit_price", "pnl")
    r_multiple = float(trade["r_multiple"])
    return {
        "trade_id": int(trade["trade_id"]),
        "entry_bar": _iso(trade["entry_bar"]),
        "side": str(trade["side"]),
        "exit_time": _iso(trade["exit_time"]),
        "exit_reason": str(trade["exit_reason"]),
        **{name: float(trade[name]) for name in numbers},
        "r_multiple": None if np.isnan(r_multiple) else r_multiple,
    }


def _iso(stamp: pd.Timestamp) -> str:
    return stamp.strftime("%Y-%m-%dT%H:%M:%SZ")


def _common_trades(left: pd.DataFrame, right: pd.DataFrame) -> dict[str, Any] | None:
    """Return the mean difference of trades in both runs: in R, in money where they have none."""
    for name, unit in (("r_multiple", "R"), ("pnl", "money")):
        found = right[name].astype(float).to_numpy() - left[name].astype(float).to_numpy()
        known = found[~np.isnan(found)]
        if len(known):
            return {"unit": unit, **_paired(known)}
    return None


def compare_days(base: pd.Series, other: pd.Series) -> dict[str, Any] | None:
    """Return the mean difference of the trading days both have, None for fewer than two.

    Parameters
    ----------
    base, other : Series
        P&L by day in percent of the starting cash.
    """
    shared = base.index.intersection(other.index)
    if len(shared) < 2:
        return None
    before, after = base[shared].to_numpy(float), other[shared].to_numpy(float)
    moved = float(np.std(before)) > 0 and float(np.std(after)) > 0
    correlation = float(np.corrcoef(before, after)[0, 1]) if moved else None
    return {"unit": "% of starting cash", **_paired(after - before), "correlation": correlation}


def _paired(differences: Array) -> dict[str, Any]:
    """Return a mean of differences with its 95 % interval, and what it shows."""
    interval = mean_interval(differences)
    return {
        "count": len(differences),
        "mean": float(np.mean(differences)),
        "ci95": None if interval is None else list(interval),
        "shows": _shows(differences, interval),
    }


def _shows(differences: Array, interval: Sequence[float] | None) -> str:
    if not np.any(differences):
        return "no difference at all"
    if interval is None and len(differences) < TOO_FEW:
        return "too few to tell"
    low, high = interval or (float(differences.min()), float(differences.max()))
    if low > 0:
        return "better than the base"
    return "worse than the base" if high < 0 else "no difference shown"
