"""The `runs` verbs: list and compare what has been run."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backtests.verbs.outcome import Outcome, command_line
from core.errors import ConfigError, TolaError, near_name
from core.results import RunFolder, find_run, list_runs

RUNS = Path("runs")
_PIPE_WIDTH = 200
_MANY = ("sweep", "walkforward")
"""What holds no single run's trades to compare."""

SORTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "run": lambda row: 0,
    "trades": lambda row: row["trades"],
    "net": lambda row: _least(row["return_pct"]),
    "drawdown": lambda row: -_least(row["max_drawdown_pct"]),
    "mean": lambda row: _least(row["expectancy_r"]),
    "made": lambda row: row["made"],
}
"""What the list can be sorted by; the best (or newest) stands last, where the eye is."""

DrawComparison = Callable[[Mapping[str, Any], Sequence[RunFolder], Path], Mapping[str, str]]


def runs_list(sort: str = "run", last: int | None = None) -> Outcome:
    """List the finished runs with their key figures; oldest, or the worst, first.

    Parameters
    ----------
    sort : str
        One of SORTS.
    last : int, optional
        Only so many, from the end.

    Raises
    ------
    ConfigError : unknown order, or a number below 1.
    """
    if sort not in SORTS:
        raise ConfigError(f"--sort {sort!r}{near_name(sort, SORTS)}")
    if last is not None and last < 1:
        raise ConfigError(f"--last {last}: expected 1 or more")
    rows = [_run_row(folder) for folder in list_runs(RUNS)]
    rows = sorted(rows, key=SORTS[sort])[-(last or 0) :]
    if not rows:
        return Outcome({"runs": []}, ["no runs yet"], "python run.py backtest")
    names = [row["run"] for row in rows]
    whole = [row["run"] for row in rows if not row["fault"] and row["mode"] not in _MANY]
    step = "show last" if len(whole) < 2 else f"compare {whole[-2]} {whole[-1]}"
    return Outcome(
        {"runs": rows}, _list_lines(rows, _columns()), f"python run.py runs {step}", names
    )


def _least(value: float | None) -> float:
    return float("-inf") if value is None else value


def _run_row(folder: RunFolder) -> dict[str, Any]:
    """Return a run's line; one whose files are broken says so and the list goes on."""
    try:
        return _sound_row(folder)
    except (TolaError, KeyError, TypeError) as fault:
        text = str(fault) if isinstance(fault, TolaError) else f"summary.json lacks {fault}"
        return _EMPTY_ROW | {"run": folder.name, "made": _made(folder), "fault": text}


_EMPTY_ROW: dict[str, Any] = {
    "mode": "", "plans": [], "from": None, "to": None, "trades": 0, "win_rate": None,
    "net_profit": {}, "return_pct": None, "max_drawdown_pct": None, "expectancy_r": None,
    "verdict": "", "interrupted": False, "fault": "",
}  # fmt: skip


def _sound_row(folder: RunFolder) -> dict[str, Any]:
    summary = folder.summary
    plans, accounts = summary["plans"], summary["accounts"]
    judged = plans[0] if len(plans) == 1 else summary.get("totals") or {}
    return {
        **_EMPTY_ROW,
        "run": folder.name,
        "made": _made(folder),
        "mode": summary.get("mode", "backtest"),
        "plans": [f"{plan['plan_id']} {plan['instrument']}" for plan in plans],
        "from": min(plan["first"] for plan in plans)[:10],
        "to": max(plan["last"] for plan in plans)[:10],
        "trades": sum(plan.get("trades") or 0 for plan in plans),
        "net_profit": {a["account"]: a["net_profit"] for a in accounts},
        "currencies": {a["account"]: a["currency"] for a in accounts},
        "return_pct": accounts[0]["return_pct"] if len(accounts) == 1 else None,
        "max_drawdown_pct": accounts[0]["max_drawdown_pct"] if len(accounts) == 1 else None,
        **{name: judged.get(name) for name in ("win_rate", "expectancy_r", "verdict")},
        "interrupted": bool(summary.get("interrupted")),
    }


def _made(folder: RunFolder) -> str:
    """Return when a run was made, UTC: the time of run.json, which reports leave alone."""
    path = folder.path / "run.json"
    stamp = (path if path.is_file() else folder.path).stat().st_mtime
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list_lines(rows: Sequence[Mapping[str, Any]], columns: int) -> list[str]:
    """Return a table of the runs; columns that do not fit are left out, the least told first."""
    cells = [_cells(row) for row in rows]
    names = list(cells[0])
    widths = {name: max(len(name), *(len(row[name]) for row in cells)) for name in names}
    for name in _LEFT_OUT_FIRST:
        if sum(widths[kept] + 2 for kept in names) - 2 > columns:
            names.remove(name)
    lines = ["  ".join(_put(name, name, widths[name]) for name in names).rstrip()]
    lines += [
        "  ".join(_put(name, row[name], widths[name]) for name in names).rstrip() for row in cells
    ]
    return lines


_LEFT_OUT_FIRST = ("made", "drawdown", "win", "to", "from", "mean", "verdict", "net", "trades")
_TEXTS = ("run", "plans", "verdict")


def _put(name: str, text: str, width: int) -> str:
    return text.ljust(width) if name in _TEXTS else text.rjust(width)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    from backtests.results.summary_text import money

    net = " ".join(money(net, row["currencies"][a]) for a, net in row["net_profit"].items())
    if row["return_pct"] is not None:
        net += f" ({row['return_pct']:+.1f} %)"
    remark = "INTERRUPTED" if row["interrupted"] else (row["verdict"] or "")
    mean, win, fall = row["expectancy_r"], row["win_rate"], row["max_drawdown_pct"]
    return {
        "run": row["run"],
        "plans": ", ".join(row["plans"]),
        "from": row["from"] or "",
        "to": row["to"] or "",
        "trades": "" if row["fault"] else f"{row['trades']:,}",
        "win": "" if win is None else f"{win * 100:.0f} %",
        "net": net,
        "drawdown": "" if fall is None else f"{fall:.1f} %",
        "mean": "" if mean is None else f"{mean:+.2f} R",
        "made": row["made"][:16].replace("T", " "),
        "verdict": f"cannot be read: {row['fault']}" if row["fault"] else remark,
    }


def runs_compare(
    wanted: Sequence[str],
    fx: Sequence[str],
    out: str | None,
    draw: DrawComparison | None,
) -> Outcome:
    """Compare runs side by side; the first is the base.

    Parameters
    ----------
    fx : sequence of "USDINR=83.5"
        Rates between account currencies.
    out : str, optional
        Folder of the page and the picture.
    draw : callable(content, folders, out) -> files
        Writes them; None: no page.

    Raises
    ------
    TolaError : runs that do not exist, are broken or have nothing in common.
    """
    from backtests.compare.comparison import compare
    from backtests.compare.page import page_content
    from backtests.compare.text import comparison_lines, verdict_lines

    folders = [find_run(name, RUNS) for name in wanted]
    for folder in folders:
        folder.check_trades("runs compare")
    document = compare(folders, dict(_rate(text) for text in fx))
    wrote: list[str] = []
    if draw is not None:
        labels = [run["label"].replace("/", "-") for run in document["runs"]]
        place = Path(out) if out is not None else RUNS / f"compare-{'-'.join(labels)}"
        document["files"] = dict(draw(page_content(document), folders, place))
        wrote = [f"wrote {path}" for path in document["files"].values()]
    page = document.get("files", {}).get("page")
    alone = command_line(["runs", "show", wanted[-1]])
    return Outcome(
        document,
        [*comparison_lines(document, _columns()), *([""] if wrote else []), *wrote],
        f"open {page} in a browser; one run alone: {alone}" if page else alone,
        verdict_lines(document),
    )


def _rate(text: str) -> tuple[str, float]:
    pair, _, given = text.partition("=")
    pair = pair.strip().upper()
    try:
        rate = float(given)
    except ValueError:
        rate = math.nan
    if not (len(pair) == 6 and pair.isalpha() and 0.0 < rate < math.inf):
        raise ConfigError(f"--fx {text}: expected PAIR=RATE, such as USDINR=83.5")
    return pair, rate


def _columns() -> int:
    """Return how wide tables may be: the terminal, or wide where there is none."""
    from core import terminal

    return terminal.width() if sys.stdout.isatty() else _PIPE_WIDTH
