"""`walkforward`: parameters chosen on past days trade the days after, window by window."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtests.verbs.commands import RUNS, DrawStudy, log_level, run_name
from backtests.verbs.outcome import (
    DONE,
    FAILED,
    Outcome,
    command_line,
    plan_words,
    settings_words,
)
from backtests.verbs.progress import Progress
from backtests.verbs.sweep_commands import constraints_of, drawn, go_on, widen
from core.results import RunFolder, write_json
from core.wording import plural

if TYPE_CHECKING:
    from backtests.walkforward.folder import Walked
    from backtests.walkforward.walking import Walker


def walkforward(
    names: Sequence[str],
    flags: Mapping[str, Any],
    search: Mapping[str, Any],
    cut: Mapping[str, Any],
    config: str,
    progress: Progress,
    draw: DrawStudy,
    again: Sequence[str],
) -> Outcome:
    """Walk a plan forward and leave a run folder.

    The exit code is 1 if Ctrl-C ended it, or no window found a set that meets the bounds.

    Parameters
    ----------
    names, flags, config : the plan, as `backtest` takes them.
    search : mapping
        `grid`, `objective`, `constraints`, `min_trades`, `max_drawdown`, `search`, `trials`,
        `seed`, `workers`, `resume`; None where not given.
    cut : mapping
        Fields of `windows.Cut`.
    draw : callable(content, folder) -> files
        Writes the report.
    again : sequence of str
        The words of this very command.

    Raises
    ------
    TolaError : settings, data, space or windows are at fault.
    """
    from backtests.interrupts import keep
    from backtests.resolve import resolve
    from backtests.search.folder import SUMMARY
    from backtests.search.objective import Goal, read_constraints, read_objectives
    from backtests.search.runners import COMPILED, check_engine
    from backtests.search.space import make_space
    from backtests.search.sweeping import OBJECTIVE, SEED, STOPPING
    from backtests.walkforward.folder import walk_in_folder
    from backtests.walkforward.summary import short_lines, summary_lines
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
        1 if search["workers"] is None else search["workers"],
    )
    out = None if request.settings.out is None else Path(request.settings.out)
    progress.note("loading prices; compiling takes up to a minute the first time")
    walked = walk_in_folder(
        walker, RUNS, out, again, lambda done, total: _show(progress, done, total),
        lambda: progress.tell(STOPPING), resume=search["resume"],
    )  # fmt: skip
    progress.end()
    keep()
    summary = walked.summary
    if summary is None:
        return _stopped(walker, walked, again)
    if request.settings.report:
        folder = RunFolder(walked.path)
        summary["files"] |= drawn(folder, lambda: draw_walk(folder, draw))
        write_json(walked.path / SUMMARY, summary)
    overridden = [f"override: {line}" for line in request.overrides]
    has_traded = any(window["params"] is not None for window in summary["windows"])
    if not has_traded:
        step = widen(again)
    elif request.settings.report and not flags.get("instrument_set"):  # the gate knows no such
        words = [*plan_words(names, flags), *settings_words(config)]
        step = command_line(["ready", request.plans[0].plan.name, *words])
    else:
        step = command_line(["report", run_name(summary)])
    return Outcome(
        summary,
        [*overridden, *summary_lines(summary)],
        step,
        short_lines(summary),
        DONE if has_traded else FAILED,
    )


def _stopped(walker: Walker, walked: Walked, again: Sequence[str]) -> Outcome:
    """Return what a walk-forward that Ctrl-C ended has kept; no figure of it is told."""
    total, plan = len(walker.runner.windows), walker.request.plans[0]
    document = {
        "mode": "walkforward",
        "interrupted": True,
        "run": walked.path.as_posix(),
        "plan_id": plan.plan_id,
        "windows": {"finished": walked.windows, "total": total},
        "sets_kept": walked.sets,
    }
    line = (
        f"interrupted: {walked.windows} of {plural(total, 'window')} finished, "
        f"{plural(walked.sets, 'set')} run and kept in {document['run']}"
    )
    return Outcome(document, [line], go_on(document, again), [line], FAILED)


def _show(progress: Progress, done: int, total: int) -> None:
    progress.note(f"{done:,} of {plural(total, 'combination')}")


def draw_walk(folder: RunFolder, draw: DrawStudy) -> dict[str, Any]:
    """Draw a walk-forward's page and pictures from its folder; return the files."""
    from backtests.walkforward.folder import EQUITY
    from backtests.walkforward.summary import page_content

    (folder.path / "plots").mkdir(exist_ok=True)
    with (folder.path / EQUITY).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    content = page_content(
        folder.summary, [row["day"] for row in rows], [float(row["equity"]) for row in rows]
    )
    return dict(draw(content, folder.path))


def show_walk(summary: Mapping[str, Any], again: str) -> Outcome:
    """Show a finished walk-forward as it was told when it ended. again : the next command."""
    from backtests.walkforward.summary import short_lines, summary_lines

    return Outcome(dict(summary), summary_lines(summary), again, short_lines(summary))
