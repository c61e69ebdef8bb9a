"""A dead man's switch: an address is asked for while the engine runs, and no longer.

A monitoring service that expects the request tells a person when it stops coming, whatever the
cause: a strategy that hangs, a process that died, a computer without power.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
import urllib.request

from core.log import redact, register_secrets

logger = logging.getLogger(__name__)

FRESH_SECS = 5.0
"""An engine without a cycle for so long does not run."""
TIMEOUT_SECS = 10.0
_LOOK_SECS = 0.25


class Ping(threading.Thread):
    """Asks for an address every so often while `beat` is called.

    Parameters
    ----------
    address : str
        http or https; a credential, never shown.
    every_secs : float
        Time between two requests; the first follows the first beat at once.
    """

    def __init__(self, address: str, every_secs: float) -> None:
        super().__init__(name="ping", daemon=True)
        register_secrets([address])
        self._address = address
        self._every_secs = every_secs
        self._last_beat: float | None = None
        self._end = threading.Event()
        self._answers = True
        self._beats = True
        self.start()

    def beat(self) -> None:
        """Say that the engine runs; for every cycle."""
        self._last_beat = time.monotonic()

    def close(self) -> None:
        """Ask no more; does not wait for a request under way."""
        self._end.set()

    def run(self) -> None:
        """Ask while the heart beats."""
        due = 0.0
        while not self._end.wait(min(_LOOK_SECS, self._every_secs)):
            now = time.monotonic()
            if self._last_beat is None or now < due:
                continue
            due = now + self._every_secs
            if self._is_fresh(now - self._last_beat):
                self._ask()

    def _is_fresh(self, age_secs: float) -> bool:
        is_fresh = age_secs <= FRESH_SECS
        if not is_fresh and self._beats:
            logger.warning("the engine stands still, the ping is withheld secs=%.0f", age_secs)
        self._beats = is_fresh
        return is_fresh

    def _ask(self) -> None:
        request = urllib.request.Request(self._address, headers={"User-Agent": "tola"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECS):
                pass
        except (OSError, ValueError, http.client.HTTPException) as fault:
            if self._answers:
                logger.warning("the ping is not answered error=%s", redact(str(fault)))
            self._answers = False
        else:
            if not self._answers:
                logger.info("the ping is answered again")
            self._answers = True
