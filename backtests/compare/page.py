"""A comparison of runs as what its page shows: tables of text, intervals, which curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from backtests.compare.text import (
    change_text,
    entry_text,
    exit_text,
    figure_text,
    pair_text,
    setting_text,
)
from backtests.results.summary_text import signed

Document = Mapping[str, Any]


def page_content(document: Document) -> dict[str, Any]:
    """Return what `reports.write_comparison` lays out."""
    labels = [run["label"] for run in document["runs"]]
    plans = document["plans"]
    names = list(dict.fromkeys(f"{plan['plan']} {plan['instrument']}" for plan in plans))
    sections = [_settings(document, labels)]
    for plan in plans:
        lead = f"{plan['plan']} {plan['instrument']}: " if len(plans) > 1 else ""
        sections.append(_figures(plan, labels, lead))
        sections.append(_trades(plan, labels[0], lead))
    return {
        "title": f"{' · '.join(labels)}: runs compared",
        "subtitle": f"{', '.join(names)} · base {labels[0]}",
        "zone": plans[0]["zone"],
        "notices": document["notes"],
        "curves": _curves(document, labels),
        "sections": sections,
    }


def _curves(document: Document, labels: list[str]) -> list[tuple[str, int, str]]:
    """Return label, run's place and account of each curve: the accounts of the compared plans."""
    found: list[tuple[str, int, str]] = []
    several = len({tuple(plan["accounts"]) for plan in document["plans"]}) > 1
    for plan in document["plans"]:
        for place, account in enumerate(plan["accounts"]):
            label = f"{labels[place]} {account}" if several else labels[place]
            if (label, place, account) not in found:
                found.append((label, place, account))
    return found


def _settings(document: Document, labels: list[str]) -> dict[str, Any]:
    rows = [
        [row["name"], *(setting_text(value) for value in row["values"])]
        for row in document["differs"]
    ]
    item: dict[str, Any] = {"kind": "table", "head": ["", *labels], "rows": rows}
    if not rows:
        item = {"kind": "text", "lines": ["Nothing: settings, parameters, data and code agree."]}
    return {"title": "What differs", "items": [item]}


def _figures(plan: Document, labels: list[str], lead: str) -> dict[str, Any]:
    rows: list[list[Any]] = []
    for figure in plan["figures"]:
        unit = figure["unit"]
        base, *others = (figure_text(value, unit) for value in figure["values"])
        changes = [change_text(change, unit) for change in figure["changes"][1:]]
        rows.append([figure["text"], base, *map(list, zip(others, changes, strict=True))])
        if figure["name"] == "expectancy_r" and any(plan["expectancy_ci95"]):
            edges = [
                f"[{signed(found[0])}, {signed(found[1])}]" if found else "-"
                for found in plan["expectancy_ci95"]
            ]
            rows.append(["its 95 % interval", *_beside_nothing(edges)])
    rows.append(["verdict", *_beside_nothing([str(text) for text in plan["verdicts"]])])
    table = {"kind": "table", "head": ["", *_beside_nothing(labels)], "rows": rows}
    return {"title": f"{lead}Key figures".strip(), "items": [table]}


def _beside_nothing(cells: list[str]) -> list[Any]:
    """Return cells that keep the place in which other rows show a change."""
    return [cells[0], *([cell, ""] for cell in cells[1:])]


def _trades(plan: Document, base: str, lead: str) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for kind, title in (
        ("common_trades", "Mean change of the trades both have"),
        ("days", "Mean change of a trading day, all trades, percent of starting cash"),
    ):
        rows = [
            _interval(f"{pair['run']} less {base}", found, plan["currency"])
            for pair in plan["pairs"]
            if (found := pair[kind]) is not None
        ]
        if rows:
            unit = rows[0].pop("unit")
            items.append({"kind": "intervals", "title": f"{title}{unit}", "rows": rows})
    for pair in plan["pairs"]:
        items.append({"kind": "text", "lines": [pair_text(plan, pair, base)]})
        items += _trade_tables(plan, pair, base)
    return {"title": f"{lead}Trades".strip(), "items": items}


def _interval(label: str, found: Document, currency: str) -> dict[str, Any]:
    low, high = found["ci95"] or (found["mean"], found["mean"])
    digits = 4 if found["unit"].startswith("%") else 3
    edges = f" [{low:+.{digits}f}, {high:+.{digits}f}]" if found["ci95"] else ""
    units = {"R": ", R", "money": f", {currency}"}
    return {
        "label": label,
        "low": low,
        "mean": found["mean"],
        "high": high,
        "shows": found["shows"],
        "text": f"{found['mean']:+.{digits}f}{edges}: {found['shows']}",
        "unit": units.get(found["unit"], ""),
    }


def _trade_tables(plan: Document, pair: Document, base: str) -> list[dict[str, Any]]:
    zone, currency = ZoneInfo(plan["zone"]), plan["currency"]
    tables = []
    for name, count, rows in (
        (base, pair["only_base"], pair["trades_only_base"]),
        (pair["run"], pair["only_other"], pair["trades_only_other"]),
    ):
        cells = [[entry_text(row, zone), exit_text(row, row, zone, currency)] for row in rows]
        tables.append(_closed(f"only in {name}", count, ["entry", name], cells))
    cells = [
        [
            entry_text(row["base"], zone),
            exit_text(row["base"], row["base"], zone, currency),
            exit_text(row["other"], row["base"], zone, currency),
        ]
        for row in pair["trades_differing"]
    ]
    tables.append(
        _closed("in both, otherwise", pair["differing"], ["entry", base, pair["run"]], cells)
    )
    return [table for table in tables if table["rows"]]


def _closed(text: str, count: int, head: list[str], rows: list[list[str]]) -> dict[str, Any]:
    first = f", the first {len(rows)}" if len(rows) < count else ""
    return {"kind": "table", "closed": f"{text}: {count:,}{first}", "head": head, "rows": rows}
