"""TIME on the command line of `why`: a bar, or a day, of a run, in the market's zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from core.calendar import day_date, day_number
from core.errors import ConfigError

_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_MOMENT = re.compile(rf"({_DAY})[T ]({_CLOCK})(Z?)")
_WHOLE = re.compile(rf"{_DAY}|{_CLOCK}|{_DAY}[T ]{_CLOCK}Z?")


@dataclass(frozen=True)
class Bars:
    """What TIME is looked up in: bars (BAR records) and the market's zone (IANA name)."""

    records: np.ndarray[Any, Any]
    zone: str

    def label(self, index: int, *, day: bool = True) -> str:
        """Return a bar's START in the market's zone: 2025-09-15 09:35, or 09:35."""
        when = self.local(int(self.records["start"][index]))
        return f"{when:%Y-%m-%d %H:%M}" if day else f"{when:%H:%M}"

    def local(self, ns: int) -> datetime:
        """Return a time (ns UTC) in the market's zone."""
        return datetime.fromtimestamp(ns / 1e9, UTC).astimezone(ZoneInfo(self.zone))


def is_time(word: str) -> bool:
    """Say whether a word of the command line is a date or a time, not a run's name."""
    return _WHOLE.fullmatch(word) is not None


def split_words(words: list[str]) -> tuple[str, str | None]:
    """Return the run and the TIME that `why`'s words name; either may be left out.

    Raises
    ------
    ConfigError : more words than a run, a date and a time.
    """
    rest = list(words)
    run = rest.pop(0) if rest and not is_time(rest[0]) else "last"
    time = " ".join(rest)
    if time and not is_time(time):
        raise ConfigError(_expected(time))
    return run, time or None


def find_time(text: str, bars: Bars) -> int | np.ndarray[Any, Any]:
    """Return the index of the bar a TIME lies in, or the indices of a day's bars.

    A bare clock time is of the last day; a bare date is the trading day of that date.

    Raises
    ------
    ConfigError : not a time, or no bar there (the nearest are named).
    """
    if re.fullmatch(_DAY, text):
        return _day(text, bars)
    found = _MOMENT.fullmatch(text)
    if found is None and not re.fullmatch(_CLOCK, text):
        raise ConfigError(_expected(text))
    zone = UTC if found is not None and found[3] else ZoneInfo(bars.zone)
    if found is not None:
        day, clock = _date(found[1]), found[2]
    else:
        day, clock = bars.local(int(bars.records["end"][-1]) - 1).date(), text
    hour, minute, *rest = (int(part) for part in clock.split(":"))
    if hour > 23 or minute > 59:
        raise ConfigError(_expected(text))
    second = rest[0] if rest else 0
    when = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
    return _bar_at(int(when.timestamp()) * 1_000_000_000, text, bars)


def _expected(text: str) -> str:
    return f"TIME {text!r}: expected 2025-09-15 09:35, 09:35 (of the last day) or 2025-09-15"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(_expected(text)) from None


def _day(text: str, bars: Bars) -> np.ndarray[Any, Any]:
    indices = np.flatnonzero(bars.records["day"] == day_number(_date(text)))
    if len(indices):
        return indices
    days = np.unique(bars.records["day"])
    at = int(np.searchsorted(days, day_number(_date(text))))
    near = [day_date(int(day)).isoformat() for day in days[max(at - 1, 0) : at + 1]]
    raise ConfigError(f"TIME {text}: no bar of that trading day; near it: {', '.join(near)}")


def _bar_at(ns: int, text: str, bars: Bars) -> int:
    starts, ends = bars.records["start"], bars.records["end"]
    at = int(np.searchsorted(starts, ns, side="right")) - 1
    if 0 <= at < len(starts) and ns < ends[at]:
        return at
    near = [bars.label(i) for i in (at, at + 1) if 0 <= i < len(starts)]
    raise ConfigError(f"TIME {text}: no bar there ({bars.zone}); near it: {', '.join(near)}")
