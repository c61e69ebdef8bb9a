"""When a future is left for the next one, in sessions before its expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from core.calendar import Calendar, day_date
from core.errors import ConfigError

_SLACK_DAYS = 20
"""Longest run of days without a session that is looked across."""


@dataclass(frozen=True, slots=True)
class RollRule:
    """A contract is traded up to `sessions_before` sessions before its expiry, then the next one.

    0 : to the end of the expiry day. 1 : the next one is traded from the expiry day on.
    """

    sessions_before: int = 1

    def __post_init__(self) -> None:
        count = self.sessions_before
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 60:
            raise ConfigError(f"roll {count!r} sessions before expiry: expected 0 to 60")

    def last_day(self, expiry: int, calendar: Calendar) -> int:
        """Return the last trading day on which a contract is traded.

        Parameters
        ----------
        expiry : trading-day number of its expiry; on a day without a session the one before counts.

        Raises
        ------
        ConfigError : the calendar knows no sessions there.
        """
        reach = timedelta(days=_SLACK_DAYS + 2 * self.sessions_before)
        sessions = calendar.sessions(day_date(expiry) - reach, day_date(expiry))
        if len(sessions) <= self.sessions_before:
            raise ConfigError(
                f"calendar {calendar.name} knows no sessions before {day_date(expiry)}, "
                "an expiry: add the year to your calendar file"
            )
        return sessions[-1 - self.sessions_before].day

    def first_day_of_next(self, expiry: int, calendar: Calendar) -> int:
        """Return the first trading day on which the contract after it is traded."""
        last = day_date(self.last_day(expiry, calendar))
        following = calendar.sessions(last + timedelta(days=1), last + timedelta(days=_SLACK_DAYS))
        if not following:
            raise ConfigError(
                f"calendar {calendar.name} knows no session after {last}: "
                "add the year to your calendar file"
            )
        return following[0].day
