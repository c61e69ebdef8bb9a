"""`sweep`: run many parameter sets of a plan, keep every result, show the best."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backtests.verbs.commands import RUNS, DrawStudy, log_level, run_name, without_value
from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from core.errors import TolaError
from core.results import RunFolder, write_json

if TYPE_CHECKING:
    from backtests.search.sweeping import Asked

_BOUNDS = ("--constraint", "--min-trades", "--max-drawdown")
_WITH_VALUE = (
    *_BOUNDS, "--grid", "--trials", "--search", "--objective", "--workers", "--cluster", "--seed",
    "--engine", "--out",
)  # fmt: skip
_WITHOUT_VALUE = ("--resume", "--no-report")


def sweep(
    names: Sequence[str],
    flags: Mapping[str, Any],
    search: Mapping[str, Any],
    config: str,
    draw: DrawStudy,
    again: Sequence[str],
    *,
    quiet: bool,
) -> Outcome:
    """Search a plan's parameters and leave a run folder.

    Parameters
    ----------
    names, flags, config : the plan, as `backtest` takes them.
    search : mapping
        Fields of `Asked`, and `min_trades` and `max_drawdown`; None where not given.
    draw : callable(content, folder) -> files
        Writes the report.
    again : sequence of str
        The words of this very command.

    Raises
    ------
    TolaError : settings, data, space or cluster are at fault, or every set failed.
    """
    from backtests.interrupts import keep
    from backtests.resolve import resolve
    from backtests.search.folder import SUMMARY
    from backtests.search.sweeping import Sweep
    from backtests.search.text import short_lines, summary_lines
    from backtests.search.view import View
    from core.log import configure

    request = resolve(names, flags, config)
    level = log_level(request.origins, request.settings.log_level)
    configure(level, brief=level == "WARNING")
    with View(sys.stderr, wanted=not quiet) as view:
        swept = Sweep(request, _asked(search)).run(RUNS, view, again)
        keep()
    summary = swept.summary
    if request.settings.report:
        folder = RunFolder(swept.path)
        summary["files"] |= drawn(folder, lambda: draw_sweep(folder, draw))
        write_json(swept.path / SUMMARY, summary)
    overridden = [f"override: {line}" for line in request.overrides]
    return Outcome(
        {**summary, "results": swept.results()},
        [*overridden, *summary_lines(summary)],
        _next_step(summary, again),
        short_lines(summary),
        FAILED if summary["interrupted"] or summary["best"] is None else DONE,
    )


def _asked(search: Mapping[str, Any]) -> Asked:
    from backtests.search.sweeping import Asked

    bounds = ("constraints", "min_trades", "max_drawdown")
    given = {name: value for name, value in search.items() if name not in bounds}
    return Asked(**given, constraints=constraints_of(search))


def constraints_of(search: Mapping[str, Any]) -> list[str]:
    """Return the bounds as `--constraint` writes them, the short forms among them."""
    found = list(search["constraints"] or ())
    if search["min_trades"] is not None:
        found.append(f"trades>={search['min_trades']}")
    if search["max_drawdown"] is not None:
        found.append(f"max_drawdown_pct<={search['max_drawdown']}")
    return found


def drawn(folder: RunFolder, draw: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Draw the report of a search that stands whole by now; one that fails loses no result."""
    from backtests.interrupts import listening

    path = folder.path
    try:
        with listening():
            return draw()
    except (OSError, KeyboardInterrupt) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else error.strerror
        raise TolaError(
            f"the results are kept in {path.as_posix()}, their report was not finished ({reason}); "
            f"draw it again: python run.py report {path.as_posix()}"
        ) from error


def draw_sweep(folder: RunFolder, draw: DrawStudy) -> dict[str, Any]:
    """Draw a sweep's page and pictures from its folder; return the files."""
    from backtests.search.page import page_content

    (folder.path / "plots").mkdir(exist_ok=True)
    return dict(draw(page_content(folder), folder.path))


def _next_step(summary: Mapping[str, Any], again: Sequence[str]) -> str:
    """Return what makes sense after a sweep: its end, or its best set in Backtrader."""
    if summary["interrupted"]:
        return go_on(summary, again)
    best = summary["best"]
    if best is None:
        return widen(again)
    from backtests.search.space import text_of

    words = [word for word in again if word not in _WITHOUT_VALUE]
    for option in _WITH_VALUE:
        words = without_value(words, option)
    words[words.index("sweep")] = "backtest"
    for name, value in best["params"].items():
        words += ["--set", f"{name}={text_of(value)}"]
    return f"the best one's trades, in Backtrader: {command_line(words)}"


def widen(again: Sequence[str]) -> str:
    """Return what to do after a search in which no set met the bounds."""
    words = [word for word in again if word not in _WITHOUT_VALUE]
    for option in (*_BOUNDS, "--out"):
        words = without_value(words, option)
    return f"a wider grid, without bounds: {command_line(words)}"


def go_on(summary: Mapping[str, Any], again: Sequence[str]) -> str:
    """Return how to go on with a search that was stopped. summary : of it, `run` is read."""
    words = [word for word in again if word != "--resume"]
    named = ["--out", summary["run"]] if run_name(summary) == summary["run"] else []
    return f"go on: {command_line([*without_value(words, '--out'), *named, '--resume'])}"


def show_sweep(summary: Mapping[str, Any], again: str) -> Outcome:
    """Show a finished sweep as it was told when it ended. again : the next command."""
    from backtests.search.text import short_lines, summary_lines

    return Outcome(dict(summary), summary_lines(summary), again, short_lines(summary))
