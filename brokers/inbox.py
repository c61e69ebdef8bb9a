"""One queue from all threads of an account's connections to its engine, and one wake-up.

Threads of SDKs, sockets and timers only put events here; the engine's thread alone takes them, in
the order they came, and touches Backtrader. No feed waits on a queue of its own: a silent feed
would hold up the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from core.events import Event


class Inbox:
    """Events on their way to the engine; any thread may put, one thread takes.

    Attributes
    ----------
    highest : most events that ever waited: how far the engine fell behind.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._bell = threading.Event()
        self._waiting = False
        self.highest = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Add an event and wake the engine."""
        self._events.append(event)
        # A bell that rings already is heard after this: it is stilled before events are taken.
        if not self._bell.is_set():
            self._bell.set()

    def put_all(self, events: Iterable[Event]) -> None:
        """Add events that belong together and wake the engine once."""
        self._events.extend(events)
        self._bell.set()

    def poke(self) -> None:
        """Wake the engine without an event: something it looks at by itself has changed."""
        self._bell.set()

    def take(self) -> Event | None:
        """Return the oldest event, None where there is none."""
        waiting = len(self._events)
        if not waiting:
            return None
        if waiting > self.highest:
            self.highest = waiting
        return self._events.popleft()

    def wait(self, timeout_secs: float) -> bool:
        """Sleep until there is an event or a poke; say whether one came in time."""
        self._waiting = True
        try:
            woken = self._bell.wait(timeout_secs)
        finally:
            self._waiting = False
        self._bell.clear()
        return woken or bool(self._events)

    @property
    def is_quiet(self) -> bool:
        """Whether the engine has taken everything and sleeps: what a lock-step market waits for."""
        return self._waiting and not self._events
