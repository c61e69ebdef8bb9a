"""Write a run's report: one HTML file that needs no network and no other file."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from core.files import put_in_place
from core.results import RunFolder, json_text
from reports import sections
from reports.page_data import page_data

REPORT_NAME = "report.html"
SCRIPTS = ("data.js", "chart.js", "curves.js", "trades.js", "report.js")
LINKS = (
    ("plans", "Plans"),
    ("equity", "Equity"),
    ("months", "Months"),
    ("trades-section", "Trades"),
    ("groups-section", "Results"),
    ("calendar", "Days"),
    ("limits", "Rules"),
    ("run", "Run"),
)


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
        put_in_place(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def build_page(folder: RunFolder) -> str:
    """Return the report of a run as HTML text."""
    summary = folder.summary
    page = files("reports") / "page"
    script = "\n".join((page / name).read_text("utf-8") for name in SCRIPTS)
    document, columns = page_data(folder, summary)
    body = "\n".join(_sections(folder, summary))
    links = "".join(
        f'<a href="#{name}">{text}</a>' for name, text in LINKS if f'id="{name}"' in body
    )
    return Template((page / "frame.html").read_text("utf-8")).substitute(
        title=escape(_title(summary)),
        subtitle=escape(f"run {folder.name} · {summary.get('mode', 'backtest')}"),
        style=(page / "style.css").read_text("utf-8"),
        links=links,
        sections=body,
        data=_script_safe(json_text(document, indent=None)),
        columns=columns,
        script=script,
    )


def _script_safe(text: str) -> str:
    """Keep JSON inside a script element: no "<" in it may open or close anything."""
    return text.replace("<", "\\u003c")


def _title(summary: dict[str, Any]) -> str:
    names = [f"{plan['strategy']} {plan['instrument']}" for plan in summary["plans"]]
    return "Tola: " + ", ".join(names)


def _sections(folder: RunFolder, summary: dict[str, Any]) -> list[str]:
    plans, accounts = summary["plans"], summary["accounts"]
    currencies = {a["account"]: str(a.get("currency", "")) for a in accounts}
    days = [folder.days(str(account["account"])) for account in accounts]
    zone = sections.zone_of(plans[0]) if plans else "UTC"
    funnels = folder.funnel
    return [
        sections.notices(summary),
        sections.plans_overview(summary),
        *(sections.plan_section(plan, currencies[plan["account"]]) for plan in plans),
        sections.equity_section(summary),
        sections.months_section(summary, days),
        sections.trades_section(),
        sections.calendar_section(summary),
        sections.limits_section(summary, days, zone),
        *(
            sections.plan_details(
                plan, funnels.get(str(plan["plan_id"]), {}), currencies[plan["account"]]
            )
            for plan in plans
        ),
        sections.details_section(json_text(folder.run), summary),
    ]
