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


def calendar_months(pnl: dict[str, float]) -> list[dict[str, Any]]:
    """Return months with their days for a P&L calendar, newest month first.

    Each month is {"month": "2024-03", "pnl": total, "days": [{"day", "weekday", "pnl"}, ...]};
    weekday counts from Monday = 0.
    """
    months: dict[str, dict[str, Any]] = {}
    for day, value in pnl.items():
        stamp = date.fromisoformat(day)
        month = months.setdefault(stamp.strftime("%Y-%m"), {"pnl": 0.0, "days": []})
        month["pnl"] += float(value)
        month["days"].append(
            {"day": stamp.day, "weekday": stamp.weekday(), "pnl": round(float(value), 2)}
        )
    newest_first = sorted(months, reverse=True)
    return [
        {"month": name, "pnl": round(months[name]["pnl"], 2), "days": months[name]["days"]}
        for name in newest_first
    ]


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


def group_results(trades: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """Return results by the values of a column (pattern, exit_reason, side), largest first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for trade in records(trades):
        name = trade[column]
        groups.setdefault("–" if name != name or name is None else str(name), []).append(trade)
    rows = []
    for name, group in groups.items():
        pnl = [float(trade["pnl"]) for trade in group]
        in_r = [float(t["r_multiple"]) for t in group if not math.isnan(t["r_multiple"])]
        rows.append(
            {
                "name": name,
                "trades": len(group),
                "win_rate": sum(value > 0 for value in pnl) / len(group),
                "mean_r": sum(in_r) / len(in_r) if in_r else math.nan,
                "pnl": round(sum(pnl), 2),
            }
        )
    return sorted(rows, key=lambda row: -int(row["trades"]))


def hour_results(trades: pd.DataFrame, zone: str) -> list[dict[str, Any]]:
    """Return results by the local hour of the entry (market's zone), all hours with trades."""
    if trades.empty:
        return []
    local = trades.assign(hour=trades["entry_time"].dt.tz_convert(zone).dt.strftime("%H:00"))
    return sorted(group_results(local, "hour"), key=lambda row: str(row["name"]))


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
