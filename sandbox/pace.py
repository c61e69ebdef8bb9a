"""How fast the market moves: seconds of the market a second of ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_NS = 1_000_000_000
_LONGEST_STEP_NS = 120 * _NS
"""A pause of the market (a night, a hole) lasts no longer than that."""
_CATCH_UP_SECS = 1.0
"""A market that could not keep its pace makes up for no more than that."""


class Pace:
    """Waits for a market's times.

    Parameters
    ----------
    speed : market seconds a second; None: no waiting.
    clock : seconds that never go back. sleep : waits so many seconds.
    """

    def __init__(
        self,
        speed: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._speed = speed
        self._sleep = sleep
        self._clock = clock
        self._last: int | None = None
        self._due = 0.0

    async def reach(self, ts: int) -> None:
        """Return when it is a market time (ns UTC)."""
        if self._speed is None:
            return
        now = self._clock()
        if self._last is None:
            self._due = now
        else:
            step = min(max(ts - self._last, 0), _LONGEST_STEP_NS)
            self._due = max(self._due, now - _CATCH_UP_SECS) + step / _NS / self._speed
        self._last = ts
        await self._sleep(max(0.0, self._due - now))
