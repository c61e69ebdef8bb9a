"""A walk-forward in its run folder: claimed first, kept as it goes, complete with summary.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backtests.interrupts import held, interruptible
from backtests.search import folder as folders
from backtests.walkforward.study import FILE, NAMES, WalkStudy
from backtests.walkforward.summary import day_text, rows_of, summarize
from backtests.walkforward.walking import Progress, Walk, Walker
from core.errors import TolaError
from core.results import write_json, write_table

WINDOWS, EQUITY = "windows.csv", "equity.csv"


@dataclass(frozen=True)
class Walked:
    """What a walk-forward has left in its folder.

    summary : None where it was stopped before its end. windows : finished ones. sets : kept.
    """

    path: Path
    summary: dict[str, Any] | None
    windows: int
    sets: int


def walk_in_folder(
    walker: Walker,
    runs: Path,
    out: Path | None,
    again: Sequence[str],
    progress: Progress,
    stopping: Callable[[], None],
    *,
    resume: bool,
) -> Walked:
    """Walk, and write the run folder: `out`, else the next in `runs`.

    Parameters
    ----------
    again : the words of the command, for run.json.
    stopping : says that Ctrl-C was heard.
    resume : go on in `out`, else in the newest folder whose study fits.

    Raises
    ------
    TolaError : data or windows are at fault, there are too many sets or all of them failed, no
        study fits, or the disk is full.
    KeyboardInterrupt : Ctrl-C before there was anything to keep.
    """
    walker.check_size()
    identity = walker.identity()
    if resume:
        path = folders.find_study(runs, out, identity, NAMES, FILE)
    else:
        path = folders.claim(runs, out)
    sets = failed = 0
    try:
        with WalkStudy(path / FILE, identity) as study:
            try:
                walk = _walk(walker, study, progress, stopping)
            finally:
                windows, sets, failed = len(study.windows()), len(study), study.failed()
        if not sets:
            raise KeyboardInterrupt
    except BaseException:
        if sets == failed and not resume:
            folders.drop(path)
        raise
    if walk is None:
        return Walked(path, None, windows, sets)
    with held():
        document = folders.run_document("walkforward", walker.request, identity, walker.seed, again)
        return Walked(path, _write(path, walker, walk, document), windows, sets)


def _walk(
    walker: Walker, study: WalkStudy, progress: Progress, stopping: Callable[[], None]
) -> Walk | None:
    """Return the walk, None if Ctrl-C ended it."""
    is_stopped = False

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True

    try:
        with interruptible(stop, stopping):
            return walker.walk(progress, study, lambda: is_stopped)
    except KeyboardInterrupt:
        return None


def _write(path: Path, walker: Walker, walk: Walk, document: dict[str, Any]) -> dict[str, Any]:
    """Write the results; summary.json, by which the folder counts as a run, comes last."""
    summary = summarize(walker, walk)
    columns, rows = rows_of(summary)
    marks = zip(map(day_text, walk.days), walk.equity.tolist(), strict=True)
    names = {"windows": WINDOWS, "equity": EQUITY, "summary": folders.SUMMARY,
             "run": folders.RUN, "study": FILE}  # fmt: skip
    summary["run"] = path.as_posix()
    summary["files"] = {what: (path / name).as_posix() for what, name in names.items()}
    try:
        write_table(path / WINDOWS, columns, rows)
        write_table(path / EQUITY, ("day", "equity"), ({"day": d, "equity": e} for d, e in marks))
        write_json(path / folders.RUN, document)
        write_json(path / folders.SUMMARY, summary)
    except OSError as cause:
        raise TolaError(
            f"{path}: the results could not be written ({cause.strerror}); they are kept in "
            f"{FILE}: free space and go on with --resume"
        ) from cause
    return summary
