"""`audit`: does a plan's strategy know anything before its time?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backtests.verbs.commands import without_value
from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from backtests.verbs.progress import Progress
from core.errors import ConfigError, TolaError
from core.files import put_in_place
from core.results import json_text

RUNS = Path("runs")
FILE = "audit.json"

DrawStudy = Callable[[Mapping[str, Any], Path], Mapping[str, Any]]


def audit(
    names: Sequence[str],
    flags: Mapping[str, Any],
    config: str,
    progress: Progress,
    draw: DrawStudy | None,
    again: Sequence[str] = ("audit",),
    *,
    cuts: int = 12,
    seed: int = 0,
) -> Outcome:
    """Audit one plan, write what was found to runs/audit-PLAN; exit code 1 if anything was.

    Parameters
    ----------
    draw : callable(content, folder) -> files
        Writes the page and the pictures; None leaves them out.
    again : sequence of str
        The words of this very command.
    cuts : how many files cut short are run. seed : of their ends.

    Raises
    ------
    TolaError : settings or data are at fault, or the strategy raises in an ordinary backtest.
    """
    from backtests.audit import audit as look
    from backtests.audit.files import opened_files
    from backtests.audit.telling import document, lines, page_content, verdict
    from backtests.identity import identity_of
    from backtests.resolve import resolve
    from backtests.runner import load_account

    if cuts < 1:
        raise ConfigError(f"--cuts {cuts}: expected 1 or more")
    with opened_files() as opened:
        request = resolve(names, flags, config)
        if len(request.plans) != 1:
            found = ", ".join(plan.plan.name for plan in request.plans)
            raise ConfigError(f"an audit takes one plan at a time; name one of: {found}")
        account, plan = request.accounts[0], request.plans[0]
        identity = identity_of(plan)
        loaded = load_account(account, request)[0]
        done = look(
            account, loaded, request.settings, progress,
            opened=opened, cuts=cuts, seed=seed,
        )  # fmt: skip
    progress.end()
    told = document(done, identity)
    folder = RUNS / f"audit-{plan.plan_id}"
    told["run"] = folder.as_posix()
    with_page = request.settings.report and draw is not None
    told["files"] = _write(folder, told, page_content(done, told), draw if with_page else None)
    text = [f"override: {line}" for line in request.overrides] + lines(done)
    if with_page:
        text.append(f"report {told['files']['report']}")
    return Outcome(
        told, text, _next_step(done.is_clean, again), [verdict(done)],
        exit_code=DONE if done.is_clean else FAILED,
    )  # fmt: skip


def _next_step(is_clean: bool, again: Sequence[str]) -> str:
    if not is_clean:
        return f"mend what was found, then: {command_line(again)}"
    words = list(again)
    for name in ("--cuts", "--seed"):
        words = without_value(words, name)
    return command_line(["live" if word == "audit" else word for word in words])


def _write(
    folder: Path, told: dict[str, Any], content: Mapping[str, Any], draw: DrawStudy | None
) -> dict[str, Any]:
    """Write an audit anew in its plan's folder: what stood there was of another moment."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        files = {} if draw is None else dict(draw(content, folder))
        files["audit"] = (folder / FILE).as_posix()
        fresh = folder / f"{FILE}.new"
        fresh.write_text(json_text({**told, "files": files}) + "\n", encoding="utf-8")
        put_in_place(fresh, folder / FILE)
    except OSError as error:
        raise TolaError(f"{folder}: the audit could not be written ({error.strerror})") from error
    return files
