"""Requests counted as a venue counts them: windows of real time, each over a class of endpoints."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """At most `count` requests within any `period_secs`."""

    name: str
    count: int
    period_secs: float


class RequestCounts:
    """Counts the requests of each account and turns down those above a limit.

    Parameters
    ----------
    windows : by endpoint class, those its requests count in.

    Attributes
    ----------
    clock : seconds that never go back.
    highest : (account, window) -> most requests within its period so far, refused ones included.
    refused : requests that were turned down.
    """

    def __init__(
        self,
        windows: Mapping[str, Sequence[Window]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._windows = windows
        self.clock = clock
        self._times: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self.highest: dict[tuple[str, str], int] = defaultdict(int)
        self.refused = 0

    def take(self, account: str, endpoint_class: str) -> Window | None:
        """Count a request; return the window that is full, None where it may pass.

        A request that is turned down counts in no window but is in `highest`.
        """
        now = self.clock()
        windows = self._windows.get(endpoint_class, ())
        full = None
        for window in windows:
            times = self._times[account, window.name]
            while times and times[0] <= now - window.period_secs:
                times.popleft()
            asked = len(times) + 1
            self.highest[account, window.name] = max(self.highest[account, window.name], asked)
            if asked > window.count and full is None:
                full = window
        if full is not None:
            self.refused += 1
            return full
        for window in windows:
            self._times[account, window.name].append(now)
        return None
