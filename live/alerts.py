"""Telling a person what a session does, by the services the apprise package knows.

The engine's thread only leaves a text. Each service has a thread of its own, so one that hangs
keeps neither the engine nor another service waiting. Of each kind one text waits at most: what
comes meanwhile is counted and told with it, so nothing piles up.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from core.config import AlertSettings
from core.environment import environment_python
from core.log import redact, register_secrets
from live.monitor import AlertStatus
from live.ping import Ping
from live.view_text import clean, span

logger = logging.getLogger(__name__)

LONGEST_TEXT = 1000
GIVEN_UP_SECS = 600.0
"""A text that a service has refused for so long is dropped."""
CLOSE_SECS = 5.0
_LATE_SECS = 5.0
_KEPT = 10
_SHORTEST_TOKEN, _SURE_TOKEN = 8, 20
_APPRISE_LOG = logging.getLogger("apprise")
_PARTS = re.compile(r"[/?&=@:,]+")


class AlertKind(StrEnum):
    """What a person may be told; the rate is limited for each of them by itself."""

    FILL = "fill"
    LOCK = "lock"
    REFUSED = "refused"
    GAP = "gap"
    UNPROTECTED = "unprotected"
    TOKEN = "token"
    ROLL = "roll"
    END_OF_DAY = "end_of_day"
    KILLED = "killed"
    ERROR = "error"


_URGENCY: dict[str, str] = {
    AlertKind.FILL: "info",
    AlertKind.END_OF_DAY: "info",
    AlertKind.UNPROTECTED: "failure",
    AlertKind.KILLED: "failure",
    AlertKind.ERROR: "failure",
}
"""What the service is told of a kind, which may colour it; "warning" for all others."""


class Alerts:
    """Tells services what happens, and a dead-man's monitor that the engine runs.

    Parameters
    ----------
    addresses : sequence of str
        Services as apprise reads them; credentials, so no log or error shows them.
    ping_url : str, optional
        Asked for while the engine's heart beats (`live/ping.py`).
    title : str
        Mode and account, such as `PAPER demo`: stands in each alert.
    per_minute : float
        Most alerts of a kind in a minute.
    ping_secs : float
        Time between pings.
    """

    def __init__(
        self,
        addresses: Sequence[str] = (),
        ping_url: str | None = None,
        *,
        title: str = "",
        per_minute: float = 1.0,
        ping_secs: float = 60.0,
    ) -> None:
        register_secrets(secret_parts([*addresses, *([ping_url] if ping_url else [])]))
        self._recent: deque[AlertStatus] = deque(maxlen=_KEPT)
        if addresses and importlib.util.find_spec("apprise") is None:
            _say_missing(len(addresses))
            addresses = ()
        self._services = [
            _Service(number, address, 60.0 / per_minute, title)
            for number, address in enumerate(addresses, start=1)
        ]
        self._ping = Ping(ping_url, ping_secs) if ping_url else None

    @classmethod
    def of(cls, settings: AlertSettings, title: str) -> Alerts:
        """Return the alerts that `[alerts]` asks for."""
        return cls(
            settings.services,
            settings.ping,
            title=title,
            per_minute=settings.per_minute,
            ping_secs=settings.ping_secs,
        )

    def send(self, kind: AlertKind | str, text: str) -> None:
        """Tell it, now or with the next of its kind; returns at once, whatever the services do."""
        text = clean(redact(text))[:LONGEST_TEXT]
        self._recent.append(AlertStatus(time.time_ns(), str(kind), text))
        for service in self._services:
            service.offer(str(kind), text)

    def recent(self) -> tuple[AlertStatus, ...]:
        """Return the last few, oldest first, whether or not there is a service to tell."""
        return tuple(self._recent)

    def beat(self) -> None:
        """Say that the engine runs; for every cycle."""
        if self._ping is not None:
            self._ping.beat()

    def close(self, timeout: float = CLOSE_SECS) -> None:
        """Tell what still waits, for `timeout` seconds at most, and end the threads."""
        end = time.monotonic() + timeout
        if self._ping is not None:
            self._ping.close()
        for service in self._services:
            service.finish()
        for service in self._services:
            service.join(max(end - time.monotonic(), 0.0))

    def __enter__(self) -> Alerts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class _Waiting:
    """The newest text of a kind that waits, how many it stands for, and since when."""

    text: str
    count: int
    since: float


class _Service(threading.Thread):
    """One service, with what waits for it. A fault of it is logged once, until it works again."""

    def __init__(self, number: int, address: str, interval_secs: float, title: str) -> None:
        scheme = address.partition("://")[0]
        self._name = f"alert service {number} ({scheme})"
        super().__init__(name=self._name, daemon=True)
        self._address = address
        self._interval_secs = interval_secs
        self._title = title
        self._news = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._free_at: dict[str, float] = {}
        self._is_ending = False
        self._is_well = True
        self.start()

    def offer(self, kind: str, text: str) -> None:
        """Leave a text; never waits for the service."""
        with self._news:
            self._add(kind, text, 1, time.monotonic())
            self._news.notify()

    def finish(self) -> None:
        """Let it tell what waits, without waiting for its turn, and end."""
        with self._news:
            self._is_ending = True
            self._news.notify()

    def run(self) -> None:
        """Tell what waits as its time comes."""
        messenger = self._messenger()
        while messenger is not None:
            found = self._next()
            if found is None:
                return
            kind, waiting = found
            if not self._tell(messenger, kind, waiting):
                self._keep(kind, waiting)

    def _messenger(self) -> Any:
        """Return what sends to this service; None, and a warning, where there is nothing."""
        try:
            import apprise
        except ImportError as fault:
            logger.warning("%s: apprise cannot be loaded: %s", self._name, fault)
            return None
        _APPRISE_LOG.propagate = False  # its lines hold addresses
        messenger = apprise.Apprise.instantiate(self._address)
        if messenger is None:
            logger.warning("%s: apprise does not understand its address: mend TOLA_ALERTS or "
                           "[alerts] services", self._name)  # fmt: skip
        return messenger

    def _next(self) -> tuple[str, _Waiting] | None:
        """Wait for a text whose kind is free and take it; None at the end of all."""
        with self._news:
            while True:
                now = time.monotonic()
                ready = [
                    kind
                    for kind in self._waiting
                    if self._is_ending or self._free_at.get(kind, 0.0) <= now
                ]
                if ready:
                    kind = min(ready, key=lambda kind: self._waiting[kind].since)
                    self._free_at[kind] = now + self._interval_secs
                    return kind, self._waiting.pop(kind)
                if self._is_ending:
                    return None
                soonest = min((self._free_at[kind] for kind in self._waiting), default=None)
                self._news.wait(None if soonest is None else soonest - now)

    def _tell(self, messenger: Any, kind: str, waiting: _Waiting) -> bool:
        text, late_secs = waiting.text, time.monotonic() - waiting.since
        if waiting.count > 1:
            text += f" (and {waiting.count - 1} more)"
        if late_secs > _LATE_SECS:
            text += f" ({span(late_secs)} ago)"
        title = f"{self._title}: {kind}" if self._title else kind
        urgency = _URGENCY.get(kind, "warning")
        with _Heard() as heard:
            try:
                is_told = bool(messenger.notify(body=text, title=title, notify_type=urgency))
                why = "; ".join(heard.lines)
            except Exception as fault:  # whatever a plugin raises: the thread must go on
                is_told, why = False, f"{type(fault).__name__}: {fault}"
        self._note(is_told, why)
        return is_told

    def _note(self, is_told: bool, why: str) -> None:
        if not is_told and self._is_well:
            reason = redact(" ".join(why.split())) or "no reason told"
            logger.warning("%s does not take alerts: %s", self._name, reason)
        elif is_told and not self._is_well:
            logger.info("%s takes alerts again", self._name)
        self._is_well = is_told

    def _keep(self, kind: str, waiting: _Waiting) -> None:
        """Try a text that was not taken again at its kind's next turn, not for ever."""
        with self._news:
            is_over = self._is_ending or time.monotonic() - waiting.since > GIVEN_UP_SECS
            newer = self._waiting.get(kind)
            if newer is not None:
                newer.count += waiting.count
            elif not is_over:
                self._add(kind, waiting.text, waiting.count, waiting.since)

    def _add(self, kind: str, text: str, count: int, since: float) -> None:
        waiting = self._waiting.get(kind)
        if waiting is None:
            self._waiting[kind] = _Waiting(text, count, since)
        else:
            waiting.text = text
            waiting.count += count
            waiting.since = since


class _Heard(logging.Handler):
    """What apprise logs on this thread while it sends: it says there why it could not."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of this thread."""
        if record.thread == self._thread:
            self.lines.append(record.getMessage())

    def __enter__(self) -> _Heard:
        _APPRISE_LOG.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _APPRISE_LOG.removeHandler(self)


def secret_parts(addresses: Iterable[str]) -> list[str]:
    """Return addresses whole, and those parts of them that look like credentials.

    A part is one where it has digits in it or is long, and no dots: names of hosts and folders
    stay readable, for they stand in other lines too.
    """
    parts = []
    for address in addresses:
        parts.append(address)
        rest = address.partition("://")[2]
        before, at, _ = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")
        if at:
            parts.append(unquote(before.partition(":")[2]))
        parts += [part for part in map(unquote, _PARTS.split(rest)) if _looks_secret(part)]
    return [part for part in parts if part]


def _looks_secret(part: str) -> bool:
    if len(part) < _SHORTEST_TOKEN or "." in part:
        return False
    return len(part) >= _SURE_TOKEN or any(letter.isdigit() for letter in part)


def _say_missing(count: int) -> None:
    python = environment_python(Path()).as_posix()
    logger.warning(
        '%d alert service(s) are named, but the extra "live" is not installed, so nobody is told: '
        '%s -m pip install ".[live]"', count, python,
    )  # fmt: skip
