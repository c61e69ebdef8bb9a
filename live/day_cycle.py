"""The day of a session that stays up: what is due before the open, after the close, in between.

It knows calendars and times, no engine: the session asks it, at each look at the clock, what has
become due since the last time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from core.calendar import Calendar

_MINUTE_NS = 60_000_000_000


class Phase(Enum):
    """Where a market's day stands. PREFLIGHT: the minutes before its open."""

    CLOSED = "closed"
    PREFLIGHT = "preflight"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Due:
    """Something to do now. what : preflight, open, close. day : trading day (days since 1970)."""

    what: str
    day: int


class DayCycle:
    """Follows the sessions of an account's markets.

    Parameters
    ----------
    calendars : the markets' calendars; the account is open while any of them is.
    preflight_minutes : how long before an open the preflight is due.
    """

    def __init__(self, calendars: Sequence[Calendar], preflight_minutes: float = 15.0) -> None:
        self._calendars = list(dict.fromkeys(calendars))
        self._before_ns = int(preflight_minutes * _MINUTE_NS)
        self._phase: Phase | None = None
        self._day = -1

    def phase_at(self, now: int) -> Phase:
        """Return where the day stands at a time (ns UTC)."""
        phases = [self._phase_of(calendar, now) for calendar in self._calendars]
        for phase in (Phase.OPEN, Phase.PREFLIGHT):
            if phase in phases:
                return phase
        return Phase.CLOSED

    def next_open(self, now: int) -> int | None:
        """Return when a market opens next (ns UTC), None where no calendar knows."""
        found = []
        for calendar in self._calendars:
            at = int(np.searchsorted(calendar.opens, now, side="right"))
            if at < len(calendar.opens):
                found.append(int(calendar.opens[at]))
        return min(found, default=None)

    def look(self, now: int) -> list[Due]:
        """Return what has become due since the last look, in order.

        The first look tells nothing of the past: a session that starts in an open market is told
        of that market's close.
        """
        phase, before = self.phase_at(now), self._phase
        self._phase = phase
        if before is None or phase is before:
            if phase is Phase.OPEN:
                self._day = self._day_at(now)
            return []
        due = []
        if before is Phase.OPEN:
            due.append(Due("close", self._day))
        if phase is Phase.OPEN:
            self._day = self._day_at(now)
            due.append(Due("open", self._day))
        elif phase is Phase.PREFLIGHT:
            due.append(Due("preflight", self._day_at(now + self._before_ns)))
        return due

    def _phase_of(self, calendar: Calendar, now: int) -> Phase:
        at = int(np.searchsorted(calendar.opens, now, side="right")) - 1
        if at >= 0 and now < int(calendar.closes[at]):
            return Phase.OPEN
        is_known = at + 1 < len(calendar.opens)
        if is_known and int(calendar.opens[at + 1]) - now <= self._before_ns:
            return Phase.PREFLIGHT
        return Phase.CLOSED

    def _day_at(self, now: int) -> int:
        return int(self._calendars[0].trading_days(np.array([now], np.int64))[0])
