"""Twisted's reactor, which this process has one of: started once, on a thread, and never stopped.

A stopped reactor can never be started again, so nothing here ends it: the thread is a daemon and
goes with the process. All calls into it, and so into the SDK's stream, come through `call`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from core.errors import BrokerError

_START_SECS = 10.0
_lock = threading.Lock()


def call(function: Callable[..., object], *given: Any) -> None:
    """Have a function called on the reactor's thread, soon."""
    _running().callFromThread(function, *given)


def call_later(secs: float, function: Callable[..., object], *given: Any) -> None:
    """Have a function called on the reactor's thread after a time; only from that thread."""
    _running().callLater(secs, function, *given)


def _running() -> Any:
    """Return the reactor; start it where it does not run yet."""
    from twisted.internet import reactor

    found: Any = reactor
    if found.running:
        return found
    with _lock:
        if not found.running:
            started = threading.Event()
            found.callWhenRunning(started.set)
            threading.Thread(
                target=found.run,
                kwargs={"installSignalHandlers": False},
                name="kite-reactor",
                daemon=True,
            ).start()
            if not started.wait(_START_SECS):
                raise BrokerError("kite: the network loop did not start: restart the program")
    return found
