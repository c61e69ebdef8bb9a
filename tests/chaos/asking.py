"""From a task to the request of its session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backtests import runner
from backtests.resolve import resolve
from live import session as sessions
from live.account_folder import AccountFolder
from live.build import SessionTerms
from live.start_up import Remedy
from tests.chaos.venue import get_venue

ACCOUNT = "chaos"


def plain_request_of(task: dict[str, Any]) -> sessions.SessionRequest:
    """Return the request of a task's session, on the plans' own prices."""
    wanted = task["scenario"]
    whole = resolve(task["names"], task["flags"], task["config"])
    (account,) = whole.accounts
    loaded = runner.load_account(account, whole)
    flats = [runner.flats_of(plan.request, account) for plan in loaded]
    terms = SessionTerms(brackets=wanted["brackets"], positions=wanted["positions"])
    document = {"names": task["names"], "flags": task["flags"], "config": task["config"],
                "settings": whole.origins}  # fmt: skip
    return sessions.SessionRequest(
        account, loaded, flats, terms, AccountFolder(ACCOUNT, Path(task["folder"])),
        at_end=wanted["at_end"], document=document, remedy=Remedy(task.get("remedy", "")),
    )  # fmt: skip


def request_of(task: dict[str, Any]) -> sessions.SessionRequest:
    """Return the request of a task's session, at its venue."""
    return get_venue(task["venue"]).request(plain_request_of(task), task)
