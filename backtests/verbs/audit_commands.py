"""`audit`: does a plan's strategy know anything before its time?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtests.verbs.commands import DrawStudy, without_value
from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from backtests.verbs.progress import Progress
from backtests.verbs.study_folder import study_folder, write_study
from core.errors import ConfigError


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
    if seed < 0:
        raise ConfigError(f"--seed {seed}: expected 0 or more")
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
    folder = study_folder("audit", plan.plan_id)
    told["run"] = folder.as_posix()
    with_page = request.settings.report and draw is not None
    drawn = draw if with_page else None
    told["files"] = write_study("audit", folder, told, page_content(done, told), drawn)
    text = [f"override: {line}" for line in request.overrides] + lines(done)
    if with_page:
        text.append(f"report {told['files']['report']}")
    return Outcome(
        told, text, _next_step(done.is_clean, again), [verdict(done)],
        exit_code=DONE if done.is_clean else FAILED,
    )  # fmt: skip


def _next_step(is_clean: bool, again: Sequence[str]) -> str:
    words = [word for word in again if word != "--no-report"]
    if not is_clean:
        return f"mend what was found, then: {command_line(words)}"
    for name in ("--cuts", "--seed"):
        words = without_value(words, name)
    return command_line(["live" if word == "audit" else word for word in words])
