"""Rate limits of a venue as a table, kept from our side, with orders first.

A venue counts requests in windows of time (10 a second, 400 a minute, 5000 a day), often in one
count for several endpoints. A request waits here until every window it falls into has room.
Urgent requests (orders) go before all others, which also leave them a share of each window that
they use.

When the venue counts a request is not known here, but that it does so between its sending and its
answer. So a request is in its windows from before it is sent until a period after it was answered:
however long one is on its way, the venue never counts too many.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    """The requests in one window.

    times : when they were answered, oldest first. open : those that are not answered yet.
    room : how many of requests that are not urgent it holds.
    """

    window: Window
    room: int
    times: deque[float] = field(default_factory=deque)
    open: int = 0
    closed_until: float = 0.0

    def used(self, now: float) -> int:
        """Return how many requests it holds."""
        while self.times and self.times[0] <= now - self.window.period_secs:
            self.times.popleft()
        return self.open + len(self.times)

    def free_at(self, now: float, urgent: bool) -> float:
        """Return the time from which one more request fits, inf where an answer must come first."""
        over = self.used(now) - (self.window.count if urgent else self.room)
        if over < 0:
            return max(now, self.closed_until)
        if over >= len(self.times):
            return math.inf
        return max(self.times[over] + self.window.period_secs, self.closed_until)


class RateLimiter:
    """Makes callers wait so that no window of a venue's table is ever exceeded.

    Parameters
    ----------
    windows : sequence of Window
    endpoints : mapping of str to sequence of str
        Endpoint class to the names of the windows its requests count in.
    urgent : endpoint classes that go first.
    slack_secs : float
        Added to every period: two clocks never run quite alike.
    clock : function returning seconds that never run backwards.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        endpoints: Mapping[str, Sequence[str]],
        urgent: Collection[str] = (),
        slack_secs: float = 0.01,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        shared = {name for endpoint in urgent for name in endpoints[endpoint]}
        counts = {
            window.name: _Count(
                Window(window.name, window.count, window.period_secs + slack_secs),
                max(1, int(window.count * (1.0 - RESERVE)))
                if window.name in shared
                else window.count,
            )
            for window in windows
        }
        self._counts = {name: [counts[item] for item in used] for name, used in endpoints.items()}
        self._all = list(counts.values())
        self._urgent = frozenset(urgent)
        self._clock = clock
        self._waiters: list[_Waiter] = []
        self._turn = threading.Condition()
        self._number = 0

    @contextmanager
    def turn(self, endpoint: str, *, timeout_secs: float = 60.0) -> Iterator[float]:
        """Wait for a request's turn; give the seconds waited. It is sent and answered inside.

        Raises
        ------
        ConfigError : the endpoint is not in the table.
        RateLimited : no turn came within the time; nothing was counted or sent.
        """
        if endpoint not in self._counts:
            raise ConfigError(f"endpoint {endpoint!r}{near_name(endpoint, self._counts)}")
        waited = self._begin(endpoint, timeout_secs)
        try:
            yield waited
        finally:
            self._end(endpoint)

    def _begin(self, endpoint: str, timeout_secs: float) -> float:
        began = self._clock()
        with self._turn:
            self._number += 1
            waiter = _Waiter(endpoint, endpoint in self._urgent, self._number)
            self._waiters.append(waiter)
            self._waiters.sort(key=lambda item: (not item.urgent, item.number))
            try:
                self._await_turn(waiter, began + timeout_secs)
                for count in self._counts[endpoint]:
                    count.open += 1
            finally:
                self._waiters.remove(waiter)
                self._turn.notify_all()
        return self._clock() - began

    def _end(self, endpoint: str) -> None:
        with self._turn:
            now = self._clock()
            for count in self._counts[endpoint]:
                count.open -= 1
                count.times.append(now)
            self._turn.notify_all()

    def _await_turn(self, waiter: _Waiter, deadline: float) -> None:
        while True:
            now = self._clock()
            free = self._free_at(waiter, now)
            if free is not None and free <= now:
                return
            if now >= deadline:
                wait = 1.0 if free is None or free == math.inf else free - now
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
            return [Usage(count.window, count.used(now)) for count in self._all]
