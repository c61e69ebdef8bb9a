"""Rate limits of a venue as a table, kept from our side, with orders first.

A venue counts requests in windows of time (10 a second, 400 a minute, 5000 a day), often in one
count for several endpoints. A request waits here until every window it falls into has room.
Urgent requests (orders) go before all others, which also leave them a share of each window.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from brokers.errors import RateLimited
from core.errors import ConfigError, near_name

RESERVE = 0.2
"""Share of every window that only urgent requests may use."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `count` requests within any `period_secs`.

    name : of the count the venue keeps; endpoints that name the same window share it.
    """

    name: str
    count: int
    period_secs: float


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a window is used now."""

    window: Window
    used: int


@dataclass(slots=True)
class _Waiter:
    endpoint: str
    urgent: bool
    number: int


@dataclass(slots=True)
class _Count:
    """Times of the requests in one window, oldest first."""

    window: Window
    times: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0

    def free_at(self, now: float, urgent: bool) -> float:
        """Return the time from which one more request fits."""
        window = self.window
        while self.times and self.times[0] <= now - window.period_secs:
            self.times.popleft()
        room = window.count if urgent else max(1, int(window.count * (1.0 - RESERVE)))
        if len(self.times) < room:
            return max(now, self.closed_until)
        return max(self.times[len(self.times) - room] + window.period_secs, self.closed_until)


class RateLimiter:
    """Makes callers wait so that no window of a venue's table is ever exceeded.

    Parameters
    ----------
    windows : sequence of Window
    endpoints : mapping of str to sequence of str
        Endpoint class to the names of the windows its requests count in.
    slack_secs : float
        Added to every period: requests may arrive closer together than they were sent.
    clock : function returning seconds that never run backwards.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        endpoints: Mapping[str, Sequence[str]],
        slack_secs: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        counts = {
            window.name: _Count(Window(window.name, window.count, window.period_secs + slack_secs))
            for window in windows
        }
        self._counts = {name: [counts[item] for item in used] for name, used in endpoints.items()}
        self._all = list(counts.values())
        self._clock = clock
        self._waiters: list[_Waiter] = []
        self._turn = threading.Condition()
        self._number = 0

    def wait(self, endpoint: str, *, urgent: bool = False, timeout_secs: float = 60.0) -> float:
        """Wait for this request's turn and count it; return the seconds waited.

        Raises
        ------
        ConfigError : the endpoint is not in the table.
        RateLimited : no turn came within the time; nothing was counted or sent.
        """
        if endpoint not in self._counts:
            raise ConfigError(f"endpoint {endpoint!r}{near_name(endpoint, self._counts)}")
        began = self._clock()
        with self._turn:
            self._number += 1
            waiter = _Waiter(endpoint, urgent, self._number)
            self._waiters.append(waiter)
            self._waiters.sort(key=lambda item: (not item.urgent, item.number))
            try:
                self._await_turn(waiter, began + timeout_secs)
                now = self._clock()
                for count in self._counts[endpoint]:
                    count.times.append(now)
            finally:
                self._waiters.remove(waiter)
                self._turn.notify_all()
        return now - began

    def _await_turn(self, waiter: _Waiter, deadline: float) -> None:
        while True:
            now = self._clock()
            free = self._free_at(waiter, now)
            if free is not None and free <= now:
                return
            if now >= deadline:
                wait = 1.0 if free is None else free - now
                raise RateLimited(
                    f"{waiter.endpoint}: the venue's limit leaves no room for {wait:.1f} s more",
                    retry_after_secs=wait,
                )
            until = deadline if free is None else min(free, deadline)
            self._turn.wait(max(until - now, 0.0))

    def _free_at(self, waiter: _Waiter, now: float) -> float | None:
        """Return when the waiter may go, None while one before it needs the same window."""
        mine = self._counts[waiter.endpoint]
        for other in self._waiters:
            if other is waiter:
                break
            if any(count in mine for count in self._counts[other.endpoint]):
                return None
        return max((count.free_at(now, waiter.urgent) for count in mine), default=now)

    def close_for(self, endpoint: str, secs: float) -> None:
        """Send nothing to an endpoint's windows for a time: the venue said that it is too much."""
        with self._turn:
            until = self._clock() + secs
            for count in self._counts[endpoint]:
                count.closed_until = max(count.closed_until, until)

    def usage(self) -> list[Usage]:
        """Return how much of each window is used now."""
        with self._turn:
            now = self._clock()
            for count in self._all:
                count.free_at(now, urgent=True)
            return [Usage(count.window, len(count.times)) for count in self._all]
