"""The flat time in force: the earliest of what strategy, risk preset and venue ask, day by day.

A flat time is the moment from which nothing may be open: a position is closed at the open of the
first bar whose START is at or after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.bars import EARLY_CLOSE, NEVER_NS
from core.calendar import Calendar
from core.errors import ConfigError
from core.zones import NS_PER_DAY, NS_PER_MINUTE, Times, find_zone, zone_table

EARLY_CLOSE_MARGIN_MINUTES = 15
"""On an early close everything is flat this long before the calendar's close."""

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class FlatRule:
    """One party's flat time: a wall time, or minutes before the session's close.

    source : who asks, as the header prints it: `strategy`, `preset topstep_50k`, `venue`.
    time, zone : 'HH:MM' on the trading day's own wall clock of an IANA zone; a time after the
        session's close belongs to the evening on which the session opened.
    before_close_minutes : used where `time` is None.
    """

    source: str
    time: str | None = None
    zone: str = "UTC"
    before_close_minutes: int = EARLY_CLOSE_MARGIN_MINUTES

    def __post_init__(self) -> None:
        if self.time is not None:
            if not _CLOCK.fullmatch(self.time):
                raise ConfigError(f"flat time {self.time!r} of {self.source}: expected HH:MM")
            find_zone(self.zone)
        if self.before_close_minutes < 0:
            raise ConfigError(
                f"before_close_minutes={self.before_close_minutes} of {self.source}: "
                "expected 0 or more"
            )

    def describe(self) -> str:
        """Return the rule in words, such as '15:10 Chicago (preset topstep_50k)'."""
        if self.time is None:
            return f"{self.before_close_minutes} min before the close ({self.source})"
        return f"{self.time} {zone_city(self.zone)} ({self.source})"


@dataclass(frozen=True, slots=True)
class FlatSchedule:
    """The flat time of each trading day in a series, and which rule set it.

    days : trading-day numbers, ascending. flat_at : ns UTC, NEVER_NS where no rule applies.
    reasons : for each day the text of the rule in force.
    """

    days: Times
    flat_at: Times
    reasons: tuple[str, ...]

    def header(self) -> str:
        """Return one line for a run's header: the usual flat time and its exceptions."""
        if not self.reasons:
            return "no flat time"
        counts: dict[str, int] = {}
        for reason in self.reasons:
            counts[reason] = counts.get(reason, 0) + 1
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        if ordered[0][0] == "none":
            return "no flat time"
        text = f"flat by {ordered[0][0]} on {ordered[0][1]} of {len(self.reasons)} days"
        others = [f"{reason} on {count}" for reason, count in ordered[1:]]
        return "; ".join([text, *others])


def late_days(bars: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the last bar of each trading day that has no bar from its flat time on.

    What is open on such a day leaves at the next trading day's first open. Left out is a last day
    that the data end within: nothing is known of its flat time.
    """
    if not len(bars):
        return bars
    day = bars["day"].astype(np.int64)
    last: np.ndarray[Any, Any] = bars[np.flatnonzero(np.diff(day, append=day[-1] + 1))]
    late = (last["flat_at"] != NEVER_NS) & (last["start"] < last["flat_at"])
    late[-1] &= last["end"][-1] >= last["flat_at"][-1]
    found: np.ndarray[Any, Any] = last[late]
    return found


def zone_city(zone: str) -> str:
    """Return an IANA zone's city as people write it ('New York')."""
    return zone.rsplit("/", 1)[-1].replace("_", " ")


def flat_schedule(
    calendar: Calendar, days: Sequence[int] | Times, flats: Sequence[FlatRule]
) -> FlatSchedule:
    """Return the earliest flat time of each trading day.

    Parameters
    ----------
    calendar : Calendar
        Its closes; on a day it lacks the regular close stands in.
    days : sequence of int
        Trading-day numbers, ascending.
    flats : sequence of FlatRule
        None given: nothing is ever flat, early closes included.

    Notes
    -----
    On an early close (and a special session that ends early) the calendar's close minus
    15 minutes is one more candidate. A tie is won by the rule given first.
    """
    wanted = np.asarray(days, np.int64)
    if not flats or len(wanted) == 0:
        return FlatSchedule(
            wanted, np.full(len(wanted), NEVER_NS, np.int64), ("none",) * len(wanted)
        )
    opens, closes, early = _hours(calendar, wanted)
    candidates = [_candidate(rule, wanted, opens, closes) for rule in flats]
    texts = [rule.describe() for rule in flats]
    margin = EARLY_CLOSE_MARGIN_MINUTES * NS_PER_MINUTE
    candidates.append(np.where(early, closes - margin, NEVER_NS))
    texts.append(f"{EARLY_CLOSE_MARGIN_MINUTES} min before an early close (calendar)")
    table = np.stack(candidates)
    winner = table.argmin(axis=0)
    flat_at = table[winner, np.arange(len(wanted))]
    return FlatSchedule(wanted, flat_at, tuple(texts[index] for index in winner))


def _hours(calendar: Calendar, days: Times) -> tuple[Times, Times, np.ndarray[Any, Any]]:
    """Return each day's open and close (ns UTC) and whether the calendar closes it early."""
    opens, closes = calendar.regular_hours(days)
    row = np.minimum(np.searchsorted(calendar.days, days), len(calendar.days) - 1)
    known = calendar.days[row] == days
    opens = np.where(known, calendar.opens[row], opens)
    closes = np.where(known, calendar.closes[row], closes)
    return opens, closes, known & ((calendar.flags[row] & EARLY_CLOSE) != 0)


def _candidate(rule: FlatRule, days: Times, opens: Times, closes: Times) -> Times:
    """Return one rule's flat time of each day, never later than the close."""
    if rule.time is None:
        return closes - rule.before_close_minutes * NS_PER_MINUTE
    hours, minutes = rule.time.split(":")
    wall = (int(hours) * 60 + int(minutes)) * NS_PER_MINUTE
    zone = zone_table(rule.zone)
    flat = zone.to_utc(days * NS_PER_DAY + wall)
    evening_before = zone.to_utc((days - 1) * NS_PER_DAY + wall)
    on_opening_evening = (flat > closes) & (evening_before >= opens)
    return np.where(on_opening_evening, evening_before, np.minimum(flat, closes))


def apply_flat_times(
    bars: np.ndarray[Any, Any], calendar: Calendar, flats: Sequence[FlatRule]
) -> FlatSchedule:
    """Fill `flat_at` of annotated BARs with the flat time in force; return why.

    The bars' `day` must be set (`Calendar.annotate`).
    """
    days, row = np.unique(bars["day"].astype(np.int64), return_inverse=True)
    schedule = flat_schedule(calendar, days, flats)
    if len(bars):
        bars["flat_at"] = schedule.flat_at[row]
    return schedule
