"""A session under the limits of its groups: what they ask for becomes commands of the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.config import Group
from core.events import Command
from live.account_folder import ACCOUNTS
from live.group_limits import GroupAct, GroupLimits, GroupState, group_state
from live.kill import KillSwitch
from live.pool import AccountPool, Document

RULE = "group"
"""Rule of the block that keeps entries off, and reason of what is closed."""
LOOK_SECS = 1.0
"""How often the members' status documents are read."""


def limits_of(group: Group, fx: Mapping[str, float]) -> GroupLimits:
    """Return a group's limits.

    Parameters
    ----------
    fx : rates by pair (`USDINR`); a member in another currency without a rate is unknown.
    """
    rates = {pair[:3]: rate for pair, rate in fx.items() if pair[3:] == group.currency}
    return GroupLimits(
        group.members, group.currency, group.daily_loss, group.open_risk, group.gold_ounces, rates
    )


def group_switch(name: str, root: Path = ACCOUNTS) -> KillSwitch:
    """Return the kill switch of a group: a file beside its members' folders."""
    return KillSwitch(root / f"{name}.KILL", name)


class GroupWatch:
    """Holds one session to the limits of the groups it is a member of.

    Parameters
    ----------
    groups : limits by the group's name; those without this account are left out.
    account : name of this session's folder. root : folder of all accounts' folders.
    own : this session's own status document, newer than its file.
    command : puts a command into the sequence.
    tell : called with what a person should see.
    today : the session's trading day.
    """

    def __init__(
        self,
        groups: Mapping[str, GroupLimits],
        account: str,
        root: Path,
        own: Callable[[], Document],
        command: Callable[[str, Mapping[str, Any]], None],
        tell: Callable[[str], None],
        today: Callable[[], int],
    ) -> None:
        self._groups = {name: item for name, item in groups.items() if account in item.members}
        self._switches = {name: group_switch(name, root) for name in self._groups}
        self._account = account
        self._root = root
        self._own = own
        self._command = command
        self._tell = tell
        self._today = today
        self._next_look = 0.0
        self._shown = ""
        self._flat_day: int | None = None

    @property
    def killed_by(self) -> str:
        """The group whose kill switch is pressed, "" for none."""
        return next((name for name, item in self._switches.items() if item.is_pressed), "")

    def hear(self, command: Command) -> None:
        """Take from the sequence that the group's daily loss was met: it lasts for the day."""
        given = command.arguments
        if command.name == "block" and given.get("rule") == RULE:
            self._shown = str(given.get("detail", ""))
        elif command.name == "unblock" and given.get("rule") == RULE:
            self._shown = ""
        elif command.name == "flatten" and given.get("reason") == RULE:
            self._flat_day = self._today()

    def look(self) -> None:
        """Read how the members stand and command what follows."""
        now = time.monotonic()
        if not self._groups or now < self._next_look:
            return
        self._next_look = now + LOOK_SECS
        states = {name: self._state(name, limits) for name, limits in self._groups.items()}
        was_met = self._flat_day is not None and self._flat_day == self._today()
        if any(item.act is GroupAct.FLATTEN for item in states.values()) and not was_met:
            self._command("flatten", {"reason": RULE})
        self._show(states)

    def _state(self, name: str, limits: GroupLimits) -> GroupState:
        documents = AccountPool(self._root, self._others(limits)).documents()
        documents[self._account] = self._own()
        return group_state(documents, limits, is_killed=self._switches[name].is_pressed)

    def _others(self, limits: GroupLimits) -> Sequence[str]:
        return [name for name in limits.members if name != self._account]

    def _show(self, states: Mapping[str, GroupState]) -> None:
        """Keep entries off while a group says so, each reason named; the day's loss to its end."""
        texts = [
            f"{name}: {state.describe()}" for name, state in states.items() if not state.may_enter
        ]
        if not texts and self._flat_day is not None and self._flat_day == self._today():
            texts = ["its daily loss was met today"]
        # Figures move all the time: a reason that stays the same is not commanded again.
        detail = "; ".join(texts)
        if _words(detail) == _words(self._shown):
            return
        if detail:
            self._command("block", {"rule": RULE, "detail": detail})
            self._tell(f"entries off by group {detail}")
        else:
            self._command("unblock", {"rule": RULE})


def _words(text: str) -> str:
    """Return a text without its figures."""
    return "".join(letter for letter in text if not letter.isdigit())
