"""Requests of other processes: taken, made part of the sequence, answered once it is known what
came of them, or after a few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feeds.live import FeedState
from live.controls import Controls, Watched
from live.given import Told
from live.mailbox import Mailbox, Request
from live.outcomes import is_settled, told_of

PATIENCE_SECS = 5.0
"""How long an answer waits for a fill, an end or a change at the venue."""


@dataclass
class _Open:
    request: Request
    answer: Told
    watched: list[Watched]
    until: float


class Desk:
    """One session's requests.

    Parameters
    ----------
    mail : where they come from.
    built : the session.
    controls : what carries them out.
    command : puts a command into the sequence: name, arguments, author.
    note : keeps something for people in the journal: kind, document.
    tell : writes the session's status, so that whoever was answered finds it as he was told.
    """

    def __init__(
        self,
        mail: Mailbox,
        built: Any,
        controls: Controls,
        command: Callable[[str, Mapping[str, Any], str], None],
        note: Callable[[str, Mapping[str, Any]], None],
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._mail = mail
        self._built = built
        self._controls = controls
        self._command = command
        self._note = note
        self._tell = tell
        self._open: list[_Open] = []
        for request in mail.interrupted():
            text = "unknown: the session ended then"
            mail.answer(request, {"done": False, "outcome": "unknown", "text": text})

    def look(self) -> None:
        """Carry out what has come, and answer what is known by now."""
        for request in self._mail.take():
            self._carry_out(request)
        now = time.monotonic()
        for item in list(self._open):
            if now >= item.until or all(is_settled(one) for one in item.watched):
                self._finish(item)

    def close(self) -> None:
        """Answer what is still open: the session ends."""
        for item in list(self._open):
            self._finish(item)

    def carry_out(self, name: str, arguments: Mapping[str, Any], author: str) -> list[Watched]:
        """Make a request part of the sequence; return the orders whose fate its answer awaits.

        All that happened before is applied first: a command never acts on half a picture.
        """
        engine, controls = self._built.engine, self._controls
        engine.settle()
        self._command(name, controls.complete(name, arguments, engine.now, self._gaps()), author)
        return controls.watched

    def _carry_out(self, request: Request) -> None:
        watched = self.carry_out(request.name, request.arguments, request.author)
        answer = self._controls.answer
        if watched:
            until = time.monotonic() + PATIENCE_SECS
            self._open.append(_Open(request, answer, watched, until))
        else:
            self._answer(request, answer)

    def _gaps(self) -> dict[str, str]:
        """Return why a symbol cannot be traded on now: its prices are missing."""
        return {
            slot.feed.symbol: f"prices of {slot.feed.symbol} are missing"
            for slot in self._built.engine.slots
            if slot.is_clock and slot.feed.state is not FeedState.LIVE
        }

    def _finish(self, item: _Open) -> None:
        self._open.remove(item)
        self._answer(item.request, item.answer | told_of(item.watched))

    def _answer(self, request: Request, answer: Told) -> None:
        asked = {"command": request.name, "author": request.author}
        self._note("answer", {**answer, **asked})
        self._tell()
        self._mail.answer(request, answer)
