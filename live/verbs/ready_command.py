"""`ready`: the gate to a real account, pass or fail with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtests.verbs.outcome import (
    DONE,
    FAILED,
    Outcome,
    command_line,
    plan_words,
    settings_words,
)
from core.errors import ConfigError

if TYPE_CHECKING:
    from live.ready import Check

RUNS = Path("runs")


def ready(names: Sequence[str], flags: Mapping[str, Any], config: str, paper_days: int) -> Outcome:
    """Say whether a plan may go to a real account; exit code 1 if it may not.

    Parameters
    ----------
    flags : of the plan; what the gate asks for must have been done with the same ones.
    paper_days : verified trading days on paper that are asked for.

    Raises
    ------
    TolaError : no such plan, or its settings are at fault.
    """
    from backtests.resolve import resolve
    from core.config import load
    from live.ready import examine

    if paper_days < 1:
        raise ConfigError(f"--paper-days {paper_days}: expected 1 or more")
    request = resolve(names, flags, config)
    if len(request.plans) != 1:
        found = ", ".join(plan.plan.name for plan in request.plans)
        raise ConfigError(f"ready takes one plan at a time; name one of: {found}")
    plan = request.plans[0]
    again = [*plan_words(names, flags), *settings_words(config)]
    on_market = [*plan_words(names, flags, recorded=False), *settings_words(config)]
    checks = examine(
        request, load(config), RUNS, paper_days=paper_days, again=again, on_market=on_market
    )
    wrong = [check for check in checks if not check.is_passed]
    width = max(len(check.name) for check in checks)
    lines = [_verdict(plan.plan.name, checks)]
    lines += [f"  {check.mark:<4}  {check.name:<{width}}  {check.text}" for check in checks]
    document = {
        "plan_id": plan.plan_id,
        "ready": not wrong,
        "checks": [check.as_dict() for check in checks],
        "findings": [check.as_dict() for check in wrong],
    }
    told = [f"override: {line}" for line in request.overrides] + lines
    if wrong:
        return Outcome(document, told, wrong[0].remedy, lines[:1], FAILED)
    words = ["live", plan.plan.name, "--account", str(plan.plan.account), *on_market]
    return Outcome(document, told, command_line(words), lines[:1], DONE)


def _verdict(name: str, checks: Sequence[Check]) -> str:
    wrong = [check.text for check in checks if not check.is_passed]
    if wrong:
        return f"NOT READY  {'; '.join(wrong)}"
    without = [check.name for check in checks if not check.applies]
    if without:
        return f"READY  {name}: every check passed but {', '.join(without)}, which does not apply"
    return f"READY  {name}: every check passed"
