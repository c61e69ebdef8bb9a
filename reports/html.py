"""Write a run's report: one HTML file that needs no network and no other file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from core.results import RunFolder, json_text
from reports import sections
from reports.encode import encode_bars, encode_equity
from reports.tables import records

REPORT_NAME = "report.html"


def write_report(folder: RunFolder) -> Path:
    """Write report.html into a run folder and return its path.

    Raises
    ------
    ConfigError : the folder is not a run.
    """
    path = folder.path / REPORT_NAME
    page = build_page(folder)
    fresh = path.with_name(f"{REPORT_NAME}.new")
    try:
        fresh.write_text(page, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def build_page(folder: RunFolder) -> str:
    """Return the report of a run as HTML text."""
    summary, run = folder.summary, folder.run
    trades = folder.trades
    accounts = [_account_data(folder, account) for account in summary["accounts"]]
    plans = [_plan_data(folder, plan, trades) for plan in summary["plans"]]
    page = files("reports") / "page"
    script = "\n".join((page / name).read_text("utf-8") for name in ("chart.js", "report.js"))
    return Template((page / "frame.html").read_text("utf-8")).substitute(
        title=_escape(_title(summary)),
        subtitle=_escape(f"run {folder.name} · {summary.get('mode', 'backtest')}"),
        style=(page / "style.css").read_text("utf-8"),
        sections="\n".join(_sections(folder, summary, run, trades)),
        data=_script_safe(json_text({"accounts": accounts, "plans": plans}, indent=None)),
        script=script,
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _script_safe(text: str) -> str:
    """Keep JSON inside a script element: no "</" may close it."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def _title(summary: dict[str, Any]) -> str:
    names = [f"{plan['strategy']} {plan['instrument']}" for plan in summary["plans"]]
    return "Tola: " + ", ".join(names)


def _sections(
    folder: RunFolder, summary: dict[str, Any], run: dict[str, Any], trades: pd.DataFrame
) -> list[str]:
    currencies = {a["account"]: str(a.get("currency", "")) for a in summary["accounts"]}
    parts = [sections.notices(summary), sections.accounts_overview(summary)]
    parts.append(sections.plan_buttons())
    for plan in summary["plans"]:
        parts.append(
            sections.section(
                str(plan["plan_id"]),
                sections.plan_cards(plan, currencies[plan["account"]]),
                plan_id=str(plan["plan_id"]),
            )
        )
    parts.append(sections.chart_section())
    parts.append(sections.equity_section(summary))
    for account in summary["accounts"]:
        name = str(account["account"])
        days = folder.days(name)
        parts.append(sections.calendar_section(name, days, currencies[name]))
        parts.append(sections.headroom_section(name, days, currencies[name]))
    for plan in summary["plans"]:
        plan_id = str(plan["plan_id"])
        mine = trades[trades["plan_id"] == plan_id]
        funnel = folder.funnel.get(plan_id, {})
        parts.append(sections.results_section(plan, mine, _zone(plan)))
        parts.append(sections.costs_section(plan, funnel, currencies[plan["account"]]))
    parts.append(sections.trades_section())
    parts.append(sections.details_section(json_text(run)))
    return parts


def _zone(plan: dict[str, Any]) -> str:
    return str(plan.get("zone") or "UTC")


def _account_data(folder: RunFolder, account: dict[str, Any]) -> dict[str, Any]:
    name = str(account["account"])
    return {
        "account": name,
        "currency": account.get("currency", ""),
        "equity": encode_equity(folder.equity(name)),
    }


def _plan_data(folder: RunFolder, plan: dict[str, Any], trades: pd.DataFrame) -> dict[str, Any]:
    plan_id = str(plan["plan_id"])
    bars = folder.bars(plan_id)
    starts = bars["start"].to_numpy(np.int64)
    mine = trades[trades["plan_id"] == plan_id]
    return {
        "plan_id": plan_id,
        "zone": _zone(plan),
        "bars": encode_bars(bars),
        "zones": _zones_data(folder.zones(plan_id)),
        "trades": _trade_rows(mine, _exit_legs(folder, mine), starts),
    }


def _nanoseconds(stamps: pd.Series) -> np.ndarray[Any, Any]:
    return np.asarray(stamps.dt.tz_localize(None).to_numpy("datetime64[ns]").view(np.int64))


def _bar_index(stamps: pd.Series, starts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the index of the bar each START stamp names (or the bar that holds it)."""
    return np.clip(np.searchsorted(starts, _nanoseconds(stamps), side="right") - 1, 0, None)


def _exit_legs(folder: RunFolder, trades: pd.DataFrame) -> dict[int, list[tuple[int, float]]]:
    """Return each trade's exits as (ns of the fill, price), in order."""
    fills = folder.table("fills.csv")
    wanted = fills[(fills["leg"] > 0) & fills["trade_id"].isin(trades["trade_id"])]
    legs: dict[int, list[tuple[int, float]]] = {}
    times = _nanoseconds(wanted["time"])
    for fill, time in zip(records(wanted), times, strict=True):
        legs.setdefault(int(fill["trade_id"]), []).append((int(time), float(fill["price"])))
    return legs


def _trade_rows(
    trades: pd.DataFrame,
    legs: dict[int, list[tuple[int, float]]],
    starts: np.ndarray[Any, Any],
) -> list[list[Any]]:
    """Return the rows report.js unpacks; the order of the items is fixed there."""
    entries = _bar_index(trades["entry_bar"], starts)
    exits = _bar_index(trades["exit_bar"], starts)
    rows = []
    for trade, entry, exit_ in zip(records(trades), entries, exits, strict=True):
        # A fill inside a bar is stamped with that bar's END, hence side="left".
        marks = [
            [int(np.clip(np.searchsorted(starts, time, side="left") - 1, entry, exit_)), price]
            for time, price in legs.get(int(trade["trade_id"]), [])
        ]
        plain = [trade[name] for name in ("entry_price", "exit_price", "stop", "target", "pnl")]
        row = [int(trade["trade_id"]), trade["side"], trade["quantity"], int(entry), int(exit_)]
        row += [*plain, trade["r_multiple"], _text(trade["pattern"]), _text(trade["exit_reason"])]
        row += [int(trade["ambiguous"]), trade["costs"], trade["mae_r"], trade["mfe_r"], marks]
        rows.append(row)
    return rows


def _text(value: Any) -> str:
    return "" if value != value else str(value)


def _zones_data(zones: pd.DataFrame) -> dict[str, Any]:
    """Return zones as columns; `kind` indexes `kinds`."""
    kinds = sorted(set(zones["kind"].astype(str)))
    places = {name: i for i, name in enumerate(kinds)}
    return {
        "count": len(zones),
        "kinds": kinds,
        "kind": [places[str(kind)] for kind in zones["kind"]],
        "side": [int(v) for v in zones["side"]],
        "known": [int(v) for v in zones["known"]],
        "end": [int(v) for v in zones["end"]],
        "top": [float(v) for v in zones["top"]],
        "bottom": [float(v) for v in zones["bottom"]],
    }
