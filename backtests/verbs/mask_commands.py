"""`backtest --check-mask`: the entry masks of plans put to the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from backtests.verbs.outcome import Outcome, command_line
from backtests.verbs.progress import Progress


def check_mask(
    names: Sequence[str], flags: Mapping[str, Any], config: str, progress: Progress
) -> Outcome:
    """Run each account with and without its entry masks and compare; nothing is written.

    Raises
    ------
    TolaError : settings or data are at fault, or a strategy acts where its mask is false.
    """
    from backtests.engine import run_account
    from backtests.loop.check_mask import check_masks
    from backtests.resolve import resolve
    from backtests.runner import load_account

    request = resolve(names, flags, config)
    settings = request.settings
    found: dict[str, list[str]] = {}
    for account in request.accounts:
        plans = load_account(account, request)
        found[account.name] = check_masks(
            partial(run_account, account, plans, settings, settings.intrabar, progress)
        )
    progress.end()
    lines = [f"account {name}: {line}" for name, lines in found.items() for line in lines]
    return Outcome({"accounts": found}, lines, command_line(["backtest", *names]))
