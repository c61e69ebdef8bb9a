"""The market's time: this computer's, or a sandbox's, whose market has a time of its own."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from brokers.kite.config import KiteConfig
from core.errors import BrokerError

_FRESH_SECS = 0.05
_TIMEOUT_SECS = 5.0
_LATE_SECS = 0.5
"""Longest wait once a time is known: a session asks between two steps, and must not seem hung."""
_AWAY_SECS = 2.0
"""A sandbox that did not answer is not asked again for so long; time stands still meanwhile."""


def market_clock(config: KiteConfig) -> Callable[[], int]:
    """Return what tells the market's time, ns UTC."""
    return time.time_ns if config.clock_url is None else _SandboxClock(config.clock_url)


def venue_clock(options: Mapping[str, Any]) -> Callable[[], int]:
    """Return the clock of the settings of [venues.kite]."""
    return market_clock(KiteConfig.of(options))


class _SandboxClock:
    """Asks a sandbox for its time, not more often than makes a difference."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._now = 0

    def __call__(self) -> int:
        with self._lock:
            if time.monotonic() > self._next:
                told = self._ask()
                self._now = max(self._now, told or self._now)
                self._next = time.monotonic() + (_FRESH_SECS if told else _AWAY_SECS)
            return self._now

    def _ask(self) -> int | None:
        """Return what is told; None where nothing is, and a time is known already."""
        timeout = _LATE_SECS if self._now else _TIMEOUT_SECS
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self._url, timeout=timeout) as reply:
                return int(json.load(reply)["now"])
        except (OSError, ValueError, KeyError, TypeError) as fault:
            if self._now:
                return None
            raise BrokerError(
                f"the sandbox at {self._url} does not tell its time ({type(fault).__name__}): "
                "is it running?"
            ) from None
