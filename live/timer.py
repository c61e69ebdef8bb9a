"""Time for a session whose prices come from a venue: bars end, and patience too, without a tick.

The engine knows no clock but its events. This source looks at the computer's clock and puts a
`Clock` event whenever something is due that no price has brought about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from core.events import Clock, Event

_NS = 1_000_000_000
_LONGEST_WAIT = 1.0

CLOSE_DELAY_NS = 300_000_000
"""How long prices of a bar may be on their way after its END."""


class _Inbox(Protocol):
    def put(self, event: Event) -> None:
        """Add an event."""


class MarketTimer:
    """The engine's source of time for venues on a clock; a replay brings its own.

    Parameters
    ----------
    next_due : the market's time at which something is due (`Engine.next_due`).
    skew_ns : the venue's clock minus ours, as measured; may be set anew at any time.
    close_delay_ns : how far this clock stays behind the venue's, so that a bar's last prices, which
        are on their way when it ends, are still in it.
    wall : the computer's clock, ns UTC.
    silence : seconds since the prices' connection gave its last sign of life. What came in them may
        be on its way, or lost with a connection that is dead though it stands: a bar is over only
        once something was heard after its END.
    """

    def __init__(
        self,
        next_due: Callable[[], int | None],
        skew_ns: int = 0,
        close_delay_ns: int = CLOSE_DELAY_NS,
        wall: Callable[[], int] = time.time_ns,
        silence: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._next_due = next_due
        self.skew_ns = skew_ns
        self._close_delay_ns = close_delay_ns
        self._wall = wall
        self._silence = silence

    def market_time(self) -> int:
        """Return the time up to which the venue's prices should have come."""
        behind = max(self._close_delay_ns, round(self._silence() * _NS))
        return self._wall() + self.skew_ns - behind

    def pump(self, inbox: _Inbox) -> float:
        """Put the clock if something is due; return seconds to wait first."""
        due = self._next_due()
        if due is None:
            return _LONGEST_WAIT
        now = self.market_time()
        if now < due:
            return min((due - now) / _NS, _LONGEST_WAIT)
        inbox.put(Clock(ts_event=now, ts_init=self._wall()))
        return 0.0
