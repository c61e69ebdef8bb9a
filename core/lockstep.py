"""A session's side of lock-step with a sandbox: it tells the market when it has come to rest.

The sandbox names each packet over a control route of its own, outside a venue's paths, once the
packet has reached this process; the session answers when nothing is left to do that it asked for.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any, Protocol
from urllib.parse import urlsplit

from core.errors import TolaError

logger = logging.getLogger(__name__)

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
    error : why it could not take part, None as long as it can.
    """

    def __init__(
        self,
        url: str,
        clock: MarketClock,
        name: str = "session",
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._address = urlsplit(url).netloc
        self._clock = clock
        self._name = name
        self._on_end = on_end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock-step", daemon=True)
        self.packet = 0
        self.error: TolaError | None = None

    def start(self) -> None:
        """Join the market: it waits for this session from its next packet on."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the market; safe to call again."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        line = HTTPConnection(self._address, timeout=_LONGEST_WAIT_SECS)
        try:
            self._ask(line, "DELETE", {"session": self._name})
        except (OSError, HTTPException):
            return  # the sandbox is gone already
        finally:
            line.close()

    def _run(self) -> None:
        done: int | None = None
        line = HTTPConnection(self._address, timeout=_LONGEST_WAIT_SECS)
        try:
            while not self._stopping.is_set():
                answer = self._ask(line, "POST", {"session": self._name, "done": done})
                if answer["packet"] is None:
                    break
                done = self.packet = answer["packet"]
                while not self._clock.is_quiet and not self._stopping.is_set():
                    time.sleep(0.0002)
        except (OSError, HTTPException):
            logger.debug("lock-step: the sandbox is gone")
        except TolaError as error:
            self.error = error
        finally:
            line.close()
            self._on_end()

    def _ask(self, line: HTTPConnection, method: str, body: dict[str, Any]) -> Any:
        line.request(method, STEP_PATH, json.dumps(body), {"Content-Type": "application/json"})
        reply = line.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            raise TolaError(f"lock-step: {answer.get('error', reply.status)}")
        return answer
