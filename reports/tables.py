"""What the report shows as numbers, computed from a run's tables.

Every function takes DataFrames as core/results returns them and gives plain rows; money is in
account currency, R-multiples are net of costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

R_BIN_WIDTH = 0.25
R_RANGE = (-3.0, 6.0)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as dicts by column name."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.to_numpy(object)]


def daily_pnl(days: pd.DataFrame) -> dict[str, float]:
    """Return net P&L by trading day (ISO date), oldest first."""
    return {str(row["day"]): float(row["pnl"]) for row in records(days)}


def monthly_results(days: pd.DataFrame) -> list[dict[str, Any]]:
    """Return net P&L by year and month, oldest year first.

    Each year is {"year", "pnl", "pct", "months": {1..12: {"pnl", "pct"}}}; pct is in per cent of
    the equity at the start of the month's, or the year's, first trading day.
    """
    years: dict[int, dict[str, Any]] = {}
    for row in records(days):
        day, pnl, start = date.fromisoformat(str(row["day"])), row["pnl"], row["start_equity"]
        year = years.setdefault(day.year, {"year": day.year, "months": {}, **_opened(start)})
        month = year["months"].setdefault(day.month, _opened(start))
        for span in (year, month):
            span["pnl"] += float(pnl)
            span["pct"] = 100.0 * span["pnl"] / span["start"] if span["start"] else 0.0
    return [years[number] for number in sorted(years)]


def _opened(start_equity: float) -> dict[str, float]:
    return {"start": float(start_equity), "pnl": 0.0, "pct": 0.0}


def r_histogram(r_multiples: Sequence[float]) -> list[dict[str, float]]:
    """Return R-multiples counted in bins of 0.25 R: {"from", "to", "count"}.

    Trades beyond -3 R and +6 R are counted in the outermost bins. Trades without a stop have no
    R and are left out.
    """
    values = np.asarray([r for r in r_multiples if not math.isnan(r)], dtype=float)
    edges = np.arange(R_RANGE[0], R_RANGE[1] + R_BIN_WIDTH / 2, R_BIN_WIDTH)
    last_inside = np.nextafter(R_RANGE[1], -math.inf)
    counts, _ = np.histogram(np.clip(values, R_RANGE[0], last_inside), bins=edges)
    used = np.nonzero(counts)[0]
    if len(used) == 0:
        return []
    return [
        {"from": float(edges[i]), "to": float(edges[i + 1]), "count": int(counts[i])}
        for i in range(used[0], used[-1] + 1)
    ]


def limit_headroom(days: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each trading day with a limit how much of it was left at the worst moment."""
    limited = days[days["limit"].notna()]
    return [
        {
            "day": str(row["day"]),
            "limit": float(row["limit"]),
            "headroom": float(row["headroom"]),
            "locked": bool(row["locked"]),
        }
        for row in records(limited)
    ]
