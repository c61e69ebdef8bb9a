"""What a walk-forward came to: the object its folder holds, and the same as lines and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backtests.identity import identity_of
from backtests.results.summary_text import signed
from backtests.search.facts import plan_facts, result_rows
from backtests.search.objective import METRICS
from backtests.search.space import text_of
from backtests.search.table import COUNTS
from backtests.search.text import figure_head, figure_text, params_text
from backtests.walkforward.walking import Step, Walk, Walker
from core.calendar import day_date
from core.wording import plural

Summary = Mapping[str, Any]


def summarize(walker: Walker, walk: Walk) -> dict[str, Any]:
    """Return the summary of a walk-forward (its keys in docs/sweep.md)."""
    bars, days = walker.runner.prepared.market.bars, walker.runner.prepared.market.days
    windows = [_window(number, step, days) for number, step in enumerate(walk.steps, start=1)]
    outside, ran = walk.figures(), walk.combinations - walk.known
    facts = plan_facts(
        walker.request, len(bars),
        f"{windows[0]['test_from']}T00:00:00Z", f"{windows[-1]['test_to']}T00:00:00Z",
    )  # fmt: skip
    return {
        "mode": "walkforward",
        "interrupted": False,
        "notes": _notes(walk, windows),
        **facts,
        "identity": identity_of(walker.request.plans[0]),
        "search": walk.search,
        "seed": walker.seed,
        "workers": walker.workers,
        "objective": walker.goal.first.name,
        "direction": walker.goal.first.direction,
        "constraints": [item.told() for item in walker.goal.constraints],
        "axes": [axis.told() for axis in walker.space.axes],
        "anchored": walker.cut.anchored,
        "by": "trades" if walker.cut.by_trades else "days",
        "windows": windows,
        "out_of_sample": outside,
        "combinations": walk.combinations,
        "from_study": walk.known,
        "seconds": walk.seconds,
        "combinations_per_second": ran / walk.seconds if walk.seconds else None,
        **result_rows(facts, outside, plural(len(windows), "window")),
    }


def _window(number: int, step: Step, days: Any) -> dict[str, Any]:
    window = step.window
    return {
        "window": number,
        "train_from": day_text(days[window.first]),
        "train_to": day_text(days[window.middle - 1]),
        "test_from": day_text(days[window.middle]),
        "test_to": day_text(days[window.last - 1]),
        "params": None if step.params is None else dict(step.params),
        "tried": step.tried,
        "failed": step.failed,
        "inside": _figures(step.inside),
        "outside": _figures(step.outside),
    }


def _figures(values: Sequence[float | None]) -> dict[str, Any]:
    return {
        name: int(value) if value is not None and name in COUNTS else value
        for name, value in zip(METRICS, values, strict=True)
    }


def day_text(day: int) -> str:
    """Return a trading day's date."""
    return day_date(int(day)).isoformat()


def _notes(walk: Walk, windows: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    if walk.known:
        notes.append(f"{plural(walk.known, 'combination')} stood in the study already")
    for window in windows:
        dates = f"window {window['window']} ({window['test_from']} to {window['test_to']})"
        if window["params"] is None:
            notes.append(f"{dates}: no set counted on the days before, so nothing was traded")
        elif not window["outside"]["trades"]:
            notes.append(f"{dates}: the chosen set did not close a trade")
    return notes


# -- for people ------------------------------------------------------------------------------


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary as lines: what was done, each window, all days out of sample."""
    mark = " (synthetic)" if summary["synthetic"] else ""
    kind = "anchored" if summary["anchored"] else "rolling"
    rate = summary["combinations_per_second"]
    lines = [
        f"{summary['plan_id']}  {summary['instrument']}{mark} {summary['timeframe']}  "
        f"{plural(len(summary['windows']), f'{kind} window')} by {summary['by']}, "
        f"{plural(summary['windows'][0]['tried'], 'set')} each",
        f"  {plural(summary['combinations'], 'combination')} in {summary['seconds']:.1f} s"
        + (f" ({rate:,.0f}/s)" if rate else ""),
    ]
    head, rows = window_table(summary)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[-1]]))
    lines.append(f"  out of sample: {total_text(summary)}")
    lines += [f"  {note}" for note in summary["notes"]]
    return [*lines, last_line(summary)]


def short_lines(summary: Summary) -> list[str]:
    """Return what `--quiet` leaves."""
    return [f"out of sample: {total_text(summary)}", last_line(summary)]


def total_text(summary: Summary) -> str:
    """Return the result of all days out of sample in one line."""
    found, currency = summary["out_of_sample"], summary["currency"]
    sharpe = "-" if found["sharpe"] is None else signed(found["sharpe"])
    return (
        f"{figure_text('net_profit', found['net_profit'], currency)} "
        f"({found['return_pct']:+.1f} %), {plural(found['trades'], 'trade')}, Sharpe {sharpe}, "
        f"drawdown {found['max_drawdown_pct']:.1f} % of daily marks"
    )


def last_line(summary: Summary) -> str:
    """Return where the results lie."""
    files = summary.get("files", {})
    page = files.get("report")
    return f"report {page}" if page else f"results {files.get('windows', '')}"


def window_table(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows: dates, the objective inside and outside, trades, profit, choice."""
    name, currency = summary["objective"], summary["currency"]
    head = ["", "from", "to", f"{figure_head(name)} inside", "outside", "trades", "net", "chosen"]
    rows = []
    for window in summary["windows"]:
        inside, outside = window["inside"], window["outside"]
        rows.append(
            [
                str(window["window"]),
                window["test_from"],
                window["test_to"],
                figure_text(name, inside[name], currency),
                figure_text(name, outside[name], currency),
                figure_text("trades", outside["trades"]),
                figure_text("net_profit", outside["net_profit"], currency),
                "nothing" if window["params"] is None else params_text(window["params"]),
            ]
        )
    return head, rows


def page_content(summary: Summary, days: Sequence[str], equity: Sequence[float]) -> dict[str, Any]:
    """Return what `reports.study.write_study` lays out.

    Parameters
    ----------
    days : dates out of sample. equity : at each one's last close.
    """
    head, rows = window_table(summary)
    times = [_moment(day) for day in days]
    curve = {
        "kind": "curves", "title": "Equity out of sample", "unit": str(summary["currency"]),
        "x": times, "is_time": True, "series": [{"label": "windows one after the other",
        "y": list(equity)}],
        "marks": [_moment(window["test_from"]) for window in summary["windows"]],
        "levels": [{"label": "start", "y": summary["cash_start"]}],
        "file": "plots/equity",
    }  # fmt: skip
    name = summary["objective"]
    spans = [
        (window, window["inside"][name], window["outside"][name]) for window in summary["windows"]
    ]
    known = [item for item in spans if item[1] is not None and item[2] is not None]
    items: list[dict[str, Any]] = [curve]
    if known:
        ends = [value for _, inside, outside in known for value in (inside, outside)]
        room = (max(ends) - min(ends)) * 0.05 or 1.0
        items.append(
            {
                "kind": "intervals", "title": f"{figure_head(name)}: chosen at, came to",
                "unit": "the dot is what it came to out of sample",
                "left": min(ends) - room, "right": max(ends) + room, "file": "plots/windows",
                "rows": [_span_row(name, *item) for item in spans],
            }
        )  # fmt: skip
    table = {"kind": "table", "head": head, "rows": rows, "words": (1, 2, 7), "label": "windows"}
    lines = [
        "Each window was chosen on the days before it, and traded as chosen, from a flat account "
        "with what the windows before had left. A position open at a window's end is marked at its "
        "close and not carried over. Varied: " + "; ".join(summary["axes"]) + ".",
        "A choice that keeps little of what it was chosen at was fitted to its days.",
    ]
    return {
        "title": f"Walk-forward of {summary['plan_id']}",
        "subtitle": f"{summary['instrument']} {summary['timeframe']} · "
        f"{summary['windows'][0]['test_from']} to {summary['windows'][-1]['test_to']}",
        "verdict": total_text(summary),
        "notices": summary["notes"],
        "sections": [
            {"title": "Out of sample", "items": items},
            {"title": "Windows", "items": [table, {"kind": "text", "lines": lines}]},
        ],
    }


def _span_row(
    name: str, window: Mapping[str, Any], inside: float | None, outside: float | None
) -> dict[str, Any]:
    """Return a window's row: from what it was chosen at to what it came to, or that it did not."""
    row = {"label": f"{window['window']}: {window['test_from']}", "low": None, "value": None,
           "high": None}  # fmt: skip
    if window["params"] is None:
        return {**row, "text": "nothing chosen"}
    if not window["outside"]["trades"]:
        return {**row, "text": f"{figure_text(name, inside)}, no trade"}
    text = f"{figure_text(name, inside)} to {figure_text(name, outside)}"
    if inside is None or outside is None:
        return {**row, "text": text}
    ends = {"low": min(inside, outside), "value": outside, "high": max(inside, outside)}
    return {**row, **ends, "text": text}


def _moment(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def rows_of(summary: Summary) -> tuple[list[str], list[dict[str, Any]]]:
    """Return columns and rows of windows.csv."""
    names = [text.partition("=")[0] for text in summary["axes"]]
    dates = ["window", "train_from", "train_to", "test_from", "test_to"]
    columns = [*dates, *names, *(f"{side}_{n}" for side in ("inside", "outside") for n in METRICS)]
    rows = []
    for window in summary["windows"]:
        row = {name: window[name] for name in dates}
        row |= {name: text_of(value) for name, value in (window["params"] or {}).items()}
        for side in ("inside", "outside"):
            row |= {f"{side}_{name}": value for name, value in window[side].items()}
        rows.append(row)
    return columns, rows
