"""A session's side of lock-step with a sandbox: it tells the market when it has come to rest.

The sandbox names each packet over a control route of its own, outside a venue's paths, once the
packet has reached this process; the session answers when nothing is left to do that it asked for.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol

STEP_PATH = "/_box/step"
"""The control route."""

_LONGEST_WAIT_SECS = 3600.0


class MarketClock(Protocol):
    """What a lock-step market asks of a session."""

    @property
    def is_quiet(self) -> bool:
        """Whether its inbox is empty, its engine sleeps and no request of its is in flight."""


class LockStepClient:
    """Keeps one session in step with a sandbox, on a thread of its own.

    Parameters
    ----------
    url : of the sandbox, scheme, host and port.
    clock : the session.
    name : of the session; several may share a market.
    on_end : called once, when the prices are over or the sandbox is gone.

    Attributes
    ----------
    packet : the last one named, 0 before the first.
    """

    def __init__(
        self,
        url: str,
        clock: MarketClock,
        name: str = "session",
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url.rstrip("/") + STEP_PATH
        self._clock = clock
        self._name = name
        self._on_end = on_end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock-step", daemon=True)
        self.packet = 0

    def start(self) -> None:
        """Join the market: it waits for this session from its next packet on."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the market; safe to call again."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        try:
            self._ask("DELETE", {"session": self._name})
        except OSError:
            return  # the sandbox is gone already

    def _run(self) -> None:
        done: int | None = None
        try:
            while not self._stopping.is_set():
                answer = self._ask("POST", {"session": self._name, "done": done})
                if answer["packet"] is None:
                    break
                done = self.packet = answer["packet"]
                while not self._clock.is_quiet and not self._stopping.is_set():
                    time.sleep(0.0002)
        except OSError:
            pass  # the sandbox is gone: that is the end of its prices
        finally:
            self._on_end()

    def _ask(self, method: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"},
            method=method,
        )  # fmt: skip
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_LONGEST_WAIT_SECS) as reply:
            return json.load(reply)
