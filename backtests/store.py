"""Writing a run folder: tables, figures and all that is needed to run it again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backtests.engine import AccountRun, PlanRun
from backtests.fills.books import ledger_columns
from backtests.request import BacktestRequest
from backtests.results.summary import plain_params
from core.results import (
    DAY_COLUMNS,
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    ORDER_COLUMNS,
    SETUP_COLUMNS,
    TRADE_COLUMNS,
    ZONE_COLUMNS,
    RunWriter,
    iso_time,
)
from core.zones import NS_PER_MINUTE

ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ("backtrader", "numpy", "numba", "pandas", "pyarrow", "pandas_market_calendars")


def write_tables(writer: RunWriter, runs: Sequence[AccountRun]) -> None:
    """Write every table of a run into its folder."""
    trades, fills = _trades_and_fills(runs)
    writer.table("trades.csv", TRADE_COLUMNS, trades)
    writer.table("fills.csv", FILL_COLUMNS, fills)
    writer.ledger(ledger_columns(runs))
    writer.table("orders.csv", ORDER_COLUMNS, (row for run in runs for row in _orders(run)))
    plans = [plan for run in runs for plan in run.plans]
    writer.table("setups.csv", SETUP_COLUMNS, (row for plan in plans for row in _setups(plan)))
    writer.json("funnel.json", {p.plan_id: getattr(p.strategy, "funnel", {}) for p in plans})
    for run in runs:
        writer.table(f"equity-{run.request.name}.csv", EQUITY_COLUMNS, _equity(run))
        days = run.plans[0].strategy.analyzers.daily_loss.get_analysis()["days"]
        writer.table(f"days-{run.request.name}.csv", DAY_COLUMNS, days)  # any plan's: the account's
    for plan in plans:
        writer.bars(plan.plan_id, plan.bars)
        writer.table(f"zones-{plan.plan_id}.csv", ZONE_COLUMNS, _zones(plan))


def _trades_and_fills(
    runs: Sequence[AccountRun],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of all accounts; trade ids go on from one account to the next."""
    trades: list[dict[str, Any]] = []
    fills: list[dict[str, Any]] = []
    before = 0
    for run in runs:
        ledger = run.broker.ledger
        for target, rows in ((trades, ledger.trades), (fills, ledger.fills)):
            for item in rows:
                row = item.row()
                target.append({**row, "trade_id": row["trade_id"] + before})
        before += max((fill.trade_id for fill in ledger.fills), default=0)
    return trades, fills


def _orders(run: AccountRun) -> list[dict[str, Any]]:
    """Return the rows of orders.csv, refused orders among them, in the order of time."""
    rows = [dict(row) for row in run.broker.orders_log]
    for event in run.guard.events:
        if event.action == "refused":
            names = ("order_id", "plan_id", "symbol", "side", "kind", "quantity", "price", "rule",
                     "limit", "value")  # fmt: skip
            row = {name: getattr(event, name) for name in names}
            rows.append({**row, "state": "refused", "time": event.ts, "reason": event.detail})
    rows.sort(key=lambda row: int(row["time"]))
    return [{**row, "time": iso_time(row["time"])} for row in rows]


def _setups(plan: PlanRun) -> Iterator[dict[str, Any]]:
    for setup in getattr(plan.strategy, "setups_log", ()):
        row = setup.as_dict()
        yield {**row, "plan_id": plan.plan_id, "bar": iso_time(row["bar"])}


def _equity(run: AccountRun) -> Iterator[dict[str, Any]]:
    """Yield the marks at which equity changed, and the last one."""
    ends, values = run.broker.equity_curve
    if not len(ends):
        return
    peaks = np.maximum(np.maximum.accumulate(values), run.request.cash)
    told = np.ones(len(ends), np.bool_)  # the first and the last always
    told[1:-1] = values[1:-1] != values[:-2]
    rows = zip(ends[told].tolist(), values[told].tolist(), peaks[told].tolist(), strict=True)
    for end, equity, peak in rows:
        yield {"time": iso_time(end), "equity": equity, "drawdown": equity - peak}


def _zones(plan: PlanRun) -> list[dict[str, Any]]:
    """Return the zones a strategy of ours draws; `side` as in the table, origin -1 if unknown."""
    draw = getattr(type(plan.strategy), "drawings", None)
    if draw is None or not len(plan.bars):
        return []
    zones: list[dict[str, Any]] = draw(plan.bars, plan.loaded.request.params)
    return zones


def run_document(
    request: BacktestRequest, runs: Sequence[AccountRun], seed: int = 0
) -> dict[str, Any]:
    """Return run.json: plans, parameters with their origin, data with hashes, versions."""
    return {
        "verb": "backtest",
        "code_version": code_version(),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "seed": seed,
        "settings": request.origins,
        "overrides": list(request.overrides),
        "plans": [_plan_document(plan) for run in runs for plan in run.plans],
        "accounts": [
            {
                "account": run.request.name,
                "currency": run.request.currency,
                "cash": run.request.cash,
                "rules": run.guard.describe(),
                "interrupted": run.interrupted,
            }
            for run in runs
        ],
    }


def _plan_document(plan: PlanRun) -> dict[str, Any]:
    asked, calendar = plan.loaded.request, plan.loaded.calendar
    return {
        "plan_id": plan.plan_id,
        "strategy": asked.plan.strategy,
        "instrument": asked.instrument.symbol,
        "market": {
            "venue": asked.instrument.venue,
            "calendar": calendar.name,
            "zone": calendar.zone.name,
            "day_roll_minutes": calendar.roll_ns // NS_PER_MINUTE,
            "quote_currency": asked.instrument.quote_currency,
        },
        "instrument_set": dict(asked.plan.instrument_set),
        "timeframe": asked.plan.timeframe,
        "params": plain_params(asked.params),
        "from": None if asked.plan.first is None else asked.plan.first.isoformat(),
        "to": None if asked.plan.last is None else asked.plan.last.isoformat(),
        "data": {"files": list(asked.plan.data), **plan.loaded.series.source},
        "further": {name: series.source for name, series in plan.loaded.further.items()},
    }


def code_version() -> str:
    """Return the version with a hash of all sources: the same text, the same code."""
    digest = hashlib.sha256()
    for package in ("core", "indicators", "strategies", "feeds", "risk", "backtests"):
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{_version()}+{digest.hexdigest()[:12]}"


def _version() -> str:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
