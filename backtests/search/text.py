"""A search's summary as lines for people, and its best sets as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtests.results.summary_text import money, signed
from backtests.search.space import text_of
from core.wording import plural

Summary = Mapping[str, Any]

SHOWN = 5


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary of a search: what was run, the best sets, what to think of them."""
    lines = [headline(summary), f"  {_counts(summary)}"]
    if summary["top"]:
        lines += [f"  {line}" for line in best_table(summary, summary["top"][:SHOWN])]
        lines += [f"  {line}" for line in luck_lines(summary)]
    else:
        lines.append(f"  {none_text(summary)}")
    if summary["front"]:
        names = " and ".join(item.partition(":")[0] for item in summary["objectives"])
        lines.append(f"  no set betters {len(summary['front'])} of them in both {names}")
    lines += [
        f"  failed: {params_text(item['params'])}: {item['fault']}" for item in summary["failures"]
    ]
    lines += [f"  {note}" for note in summary["notes"]]
    return [*lines, last_line(summary)]


def short_lines(summary: Summary) -> list[str]:
    """Return what `--quiet` leaves: the best set and where the results lie."""
    best = summary["best"]
    if best is None:
        return [none_text(summary), last_line(summary)]
    figures = f"{summary['objective']} {figure_text(summary['objective'], best['objective'])}"
    return [f"{params_text(best['params'])}  {figures}", last_line(summary)]


def headline(summary: Summary) -> str:
    """Return plan, market, what was searched and how."""
    mark = " (synthetic)" if summary["synthetic"] else ""
    axes = " x ".join(_axis_text(axis) for axis in summary["axes"])
    market = f"{summary['instrument']}{mark} {summary['timeframe']}"
    return f"{summary['plan_id']}  {market}  {summary['search']}: {axes}  {summary['engine']}"


def _axis_text(axis: Mapping[str, Any]) -> str:
    if axis["values"] is None:
        return f"{axis['name']} {axis['low']:g}..{axis['high']:g}"
    return f"{axis['name']} ({len(axis['values'])})"


def _counts(summary: Summary) -> str:
    counts = summary["combinations"]
    parts = [plural(counts["evaluated"], "combination")]
    if counts["evaluated"] < counts["asked"] and summary["interrupted"]:
        parts[0] = f"{counts['evaluated']:,} of {plural(counts['asked'], 'combination')}"
    if counts["run"] and summary["combinations_per_second"]:
        parts[0] += f" in {summary['seconds']:.1f} s ({summary['combinations_per_second']:,.0f}/s)"
    if counts["without_trades"]:
        parts.append(f"{counts['without_trades']:,} without a trade")
    if counts["failed"]:
        parts.append(f"{counts['failed']:,} failed")
    if summary["constraints"]:
        met = f"{counts['meeting_constraints']:,} with {', '.join(summary['constraints'])}"
        parts.append(met)
    return ", ".join(parts)


def none_text(summary: Summary) -> str:
    """Say why no set is the best."""
    if summary["constraints"]:
        return f"no combination has {' and '.join(summary['constraints'])}"
    return f"no combination has a {summary['objective']}: none traded enough"


def luck_lines(summary: Summary) -> list[str]:
    """Return what the best set is worth, as far as its search can tell."""
    count, luck = summary["combinations"]["evaluated"], summary.get("luck")
    if count < 2:
        return ["one combination: nothing was chosen"]
    if luck is None:
        return [
            f"the best of {count:,} is partly luck: expect less from it on prices it was not "
            "chosen by"
        ]
    tries = f"{luck['independent']:,.{0 if luck['independent'] >= 100 else 1}f}"
    lines = [
        f"luck: the best of {count:,} ({tries} unrelated tries): Sharpe "
        f"{signed(luck['sharpe'])}, {signed(luck['expected_sharpe'])} by luck alone; above that "
        f"with {luck['deflated_sharpe'] * 100:.0f} % (deflated)",
        f"chosen on one half of the days it is below the middle on the other in "
        f"{luck['overfit'] * 100:.0f} % (overfitting), at a loss in {luck['loss'] * 100:.0f} %",
    ]
    if luck["neighbours"] is not None:
        name = summary["objective"]
        middle = figure_text(name, luck["neighbours"])
        around = f"its neighbours: {figure_head(name)} {middle} (median)"
        if luck["plateau"] != summary["best"]["params"]:
            around += f"; the best plateau lies around {params_text(luck['plateau'])}"
        lines.append(around)
    return lines


def last_line(summary: Summary) -> str:
    """Return where the results lie, and how long it took."""
    files = summary.get("files", {})
    page = files.get("report")
    where = f"report {page}" if page else f"results {files.get('results', '')}"
    whole = sum(summary[name] for name in ("load_seconds", "compile_seconds", "seconds"))
    cut = "INTERRUPTED  " if summary["interrupted"] else ""
    return f"{cut}{where}      {whole:.1f} s"


def best_table(summary: Summary, sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return sets as a table: parameters, the objective, and what a trader asks next."""
    names = [axis["name"] for axis in summary["axes"]]
    objective = summary["objective"]
    others = [name for name in _FIGURES if name != objective]
    head = [*names, objective, *(_FIGURES[name] for name in others)]
    rows = [
        [
            *(text_of(item["params"][name]) for name in names),
            *(
                figure_text(name, item["figures"][name], summary["currency"])
                for name in (objective, *others)
            ),
        ]
        for item in sets
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in (head, *rows)
    ]


_FIGURES = {
    "trades": "trades",
    "net_profit": "net",
    "max_drawdown_pct": "drawdown",
    "expectancy_r": "mean",
    "win_rate": "win",
}
"""Columns beside the objective, and their heads."""


def figure_text(name: str, value: float | None, currency: str = "") -> str:
    """Return a figure as people read it."""
    if value is None:
        return "-"
    if name in ("trades", "ambiguous_trades"):
        return f"{value:,.0f}"
    if name in ("net_profit", "equity_end", "costs"):
        text = money(value, currency) if currency else f"{value:,.0f}"
        return text if name == "net_profit" else text.removeprefix("+")
    if name.endswith("_pct"):
        return f"{value:.1f} %"
    if name == "win_rate":
        return f"{value * 100:.0f} %"
    if name == "expectancy_r":
        return f"{signed(value)} R"
    return signed(value) if name in ("sharpe", "sortino", "calmar") else f"{value:.2f}"


def figure_head(name: str) -> str:
    """Return what a figure is called above a column."""
    return _HEADS.get(name, name.replace("_", " "))


_HEADS = {
    "net_profit": "net profit",
    "return_pct": "return",
    "max_drawdown_pct": "drawdown",
    "expectancy_r": "mean trade",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "calmar": "Calmar",
}


def params_text(params: Mapping[str, Any]) -> str:
    """Return a set in one line: rr=2 max_shift_bars=6."""
    return " ".join(f"{name}={text_of(value)}" for name, value in params.items())
