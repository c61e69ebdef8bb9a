"""`walkforward`: parameters chosen on past days trade the days after, window by window."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backtests.verbs.commands import RUNS, DrawStudy, log_level, run_name
from backtests.verbs.outcome import Outcome, command_line, settings_words
from backtests.verbs.progress import Progress
from backtests.verbs.sweep_commands import constraints_of
from core.results import RunFolder, RunWriter, write_json

_EQUITY = "equity.csv"


def walkforward(
    names: Sequence[str],
    flags: Mapping[str, Any],
    search: Mapping[str, Any],
    cut: Mapping[str, Any],
    config: str,
    progress: Progress,
    draw: DrawStudy,
) -> Outcome:
    """Walk a plan forward and leave a run folder.

    Parameters
    ----------
    names, flags, config : the plan, as `backtest` takes them.
    search : mapping
        `grid`, `objective`, `constraints`, `min_trades`, `max_drawdown`, `search`, `trials`,
        `seed`, `workers`; None where not given.
    cut : mapping
        Fields of `windows.Cut`.
    draw : callable(content, folder) -> files
        Writes the report.

    Raises
    ------
    TolaError : settings, data, space or windows are at fault.
    """
    from backtests.resolve import resolve
    from backtests.search.objective import Goal, read_constraints, read_objectives
    from backtests.search.runners import COMPILED, check_engine
    from backtests.search.space import make_space
    from backtests.search.sweeping import OBJECTIVE, SEED
    from backtests.walkforward.summary import (
        day_text,
        rows_of,
        short_lines,
        summarize,
        summary_lines,
    )
    from backtests.walkforward.walking import Walker
    from backtests.walkforward.windows import Cut
    from core.log import configure

    request = resolve(names, flags, config)
    level = log_level(request.origins, request.settings.log_level)
    configure(level, brief=level == "WARNING")
    check_engine(request, COMPILED)
    walker = Walker(
        request,
        make_space(search["grid"], request.plans[0].strategy),
        Goal(
            read_objectives([search["objective"] or OBJECTIVE]),
            read_constraints(constraints_of(search)),
        ),
        Cut(**cut),
        search["search"],
        search["trials"],
        SEED if search["seed"] is None else search["seed"],
        search["workers"] or 1,
    )
    out = None if request.settings.out is None else Path(request.settings.out)
    with RunWriter(RUNS, out) as writer:
        progress.note("loading prices; compiling takes up to a minute the first time")
        walk = walker.walk(lambda done, total: _show(progress, done, total))
        progress.end()
        summary = summarize(walker, walk)
        columns, rows = rows_of(summary)
        writer.table("windows.csv", columns, rows)
        days = [day_text(day) for day in walk.days]
        marks = zip(days, walk.equity.tolist(), strict=True)
        writer.table(_EQUITY, ("day", "equity"), ({"day": d, "equity": e} for d, e in marks))
        writer.json("summary.json", summary)
        folder = writer.publish()
    summary["run"] = folder.path.as_posix()
    summary["files"] = {
        "windows": (folder.path / "windows.csv").as_posix(),
        "equity": (folder.path / _EQUITY).as_posix(),
        "summary": (folder.path / "summary.json").as_posix(),
    }
    if request.settings.report:
        summary["files"] |= draw_walk(folder, draw)
    write_json(folder.path / "summary.json", summary)
    overridden = [f"override: {line}" for line in request.overrides]
    last = command_line(["report", run_name(summary)])
    plan = request.plans[0].plan.name
    return Outcome(
        summary,
        [*overridden, *summary_lines(summary)],
        command_line(["ready", plan, *settings_words(config)]) if request.settings.report else last,
        short_lines(summary),
    )


def _show(progress: Progress, done: int, total: int) -> None:
    progress.note(f"{done:,} of {total:,} combinations")


def draw_walk(folder: RunFolder, draw: DrawStudy) -> dict[str, Any]:
    """Draw a walk-forward's page and pictures from its folder; return the files."""
    from backtests.walkforward.summary import page_content

    (folder.path / "plots").mkdir(exist_ok=True)
    with (folder.path / _EQUITY).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    content = page_content(
        folder.summary, [row["day"] for row in rows], [float(row["equity"]) for row in rows]
    )
    return dict(draw(content, folder.path))


def show_walk(summary: Mapping[str, Any], again: str) -> Outcome:
    """Show a finished walk-forward as it was told when it ended. again : the next command."""
    from backtests.walkforward.summary import short_lines, summary_lines

    return Outcome(dict(summary), summary_lines(summary), again, short_lines(summary))
