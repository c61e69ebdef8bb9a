"""Entries are off while a venue wants a login that only a person can give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.events import Link, LinkState
from risk.guard import Guard

LOGIN = "login"
"""Rule that keeps entries off meanwhile."""


class LoginWatch:
    """Follows one session's links.

    Parameters
    ----------
    command : lets a command be part of the sequence. alert : called with (kind, text).
    """

    def __init__(
        self,
        guard: Guard,
        command: Callable[[str, Mapping[str, Any]], None],
        alert: Callable[[str, str], None],
    ) -> None:
        self._guard = guard
        self._command = command
        self._alert = alert
        self._wanted = ""

    def hear(self, event: Link) -> None:
        """Tell a person what only a person can mend."""
        if event.state is LinkState.LOGIN_NEEDED:
            self._wanted = event.reason
            self._alert("token", f"entries are off until somebody logs in: {event.reason}")
        elif event.state is LinkState.GIVEN_UP:
            self._alert("error", f"the connection is given up: {event.reason}")
        elif event.state is LinkState.CONNECTED and event.name not in ("orders",):
            self._wanted = ""

    def look(self) -> None:
        """Keep entries off while a login is needed, and no longer."""
        is_blocked = LOGIN in self._guard.blocks
        if self._wanted and not is_blocked:
            self._command("block", {"rule": LOGIN, "detail": self._wanted})
        elif is_blocked and not self._wanted:
            self._command("unblock", {"rule": LOGIN})
            self._alert("token", "logged in again: entries are on")
