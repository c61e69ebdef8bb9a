"""Rules of time: the hours of entries, the hour to be flat, the minutes around news."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from core.bars import EARLY_CLOSE, NEVER_NS
from core.orders import OrderRequest
from risk.news import NewsEvent, builtin_events, load_news, select
from risk.rules.base import Act, Refusal, Rule
from risk.settings import RiskSettings, parse_clock, parse_window

if TYPE_CHECKING:
    from risk.context import GuardContext

_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS
_EPOCH = date(1970, 1, 1)


def local_minute(ts: int, zone: ZoneInfo) -> int:
    """Return the minute of the local day at a time in ns UTC."""
    moment = datetime.fromtimestamp(ts // _SECOND_NS, UTC).astimezone(zone)
    return moment.hour * 60 + moment.minute


class TradingWindow(Rule):
    """Take entries, and let them work, only at certain hours of the day."""

    name = "window"
    is_timed = True

    def __init__(self, windows: str, zone: str) -> None:
        self.text = f"{windows} {zone}"
        self.windows = parse_window(windows)
        self.zone = ZoneInfo(zone)

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> TradingWindow | None:
        """Return the rule, None where every hour is good."""
        return None if settings.window is None else cls(settings.window, settings.window_zone)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"window entries only {self.text}"

    def is_open(self, ts: int) -> bool:
        """Whether entries are allowed at a time: start inclusive, end exclusive."""
        minute = local_minute(ts, self.zone)
        for start, end in self.windows:
            inside = start <= minute < end if start < end else minute >= start or minute < end
            if inside:
                return True
        return False

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse an entry made outside the hours; its value is the minute of the local day."""
        if self.is_open(context.now):
            return None
        minute = local_minute(context.now, self.zone)
        return Refusal(self.name, self.windows[0][0], minute, f"outside {self.text}")

    def at_bar(self, symbol: str, bar: np.record, context: GuardContext) -> Act:
        """Leave no entry working in a bar that starts outside the hours."""
        return Act.NONE if self.is_open(int(bar.start)) else Act.BLOCK


class FlatBy(Rule):
    """Be flat, with no order working, by a clock time on every trading day.

    Positions are closed at the open of the last bar that lets them be: the first bar whose END is
    after the flat time (on a 15m grid and a flat time of 15:10 that is the 15:00 open). On an
    early close the flat time is `early_minutes` before the calendar's close, if that is earlier.
    Where a day's bars end before its flat time, at the next trading day's first open.
    """

    name = "flat_by"
    is_timed = True
    exit_reason = "flat_time"

    def __init__(
        self, clock: str, zone: str, entry_minutes: int = 0, early_minutes: int = 15
    ) -> None:
        self.text = f"{clock} {zone}"
        minute = parse_clock(clock)
        self.time = time(minute // 60, minute % 60)
        self.zone = ZoneInfo(zone)
        self.entry_minutes = entry_minutes
        self.early_minutes = early_minutes
        self._clock_ns: dict[int, int] = {}
        self._reached: dict[str, tuple[int, bool]] = {}

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> FlatBy | None:
        """Return the rule, None where positions may be held."""
        if settings.flat_by is None:
            return None
        return cls(
            settings.flat_by,
            settings.flat_zone,
            settings.flat_entry_minutes,
            settings.early_close_minutes,
        )

    def describe(self) -> str:
        """Return the rule in one line."""
        early = f"{self.early_minutes} min before an early close"
        entries = f", no entry in the last {self.entry_minutes} min" if self.entry_minutes else ""
        return f"flat_by {self.text}, {early}{entries}"

    def start(self, context: GuardContext) -> None:
        """Forget the days of the last run."""
        self._reached.clear()

    def flat_at(self, bar: np.record) -> int:
        """Return the flat time of a bar's trading day, ns UTC."""
        day = int(bar.day)
        if day not in self._clock_ns:
            local = datetime.combine(_EPOCH + timedelta(days=day), self.time, self.zone)
            self._clock_ns[day] = int(local.timestamp()) * _SECOND_NS
        flat = self._clock_ns[day]
        if int(bar["flags"]) & EARLY_CLOSE and int(bar.close_at) != NEVER_NS:
            flat = min(flat, int(bar.close_at) - self.early_minutes * _MINUTE_NS)
        return flat

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse an entry from `entry_minutes` before the flat time to the end of the day."""
        flat = self.flat_at(context.bar)
        if context.now < flat - self.entry_minutes * _MINUTE_NS:
            return None
        return Refusal(
            self.name,
            local_minute(flat, self.zone),
            local_minute(context.now, self.zone),
            f"flat by {self.text}",
        )

    def at_bar(self, symbol: str, bar: np.record, context: GuardContext) -> Act:
        """Flatten in the bar that would otherwise carry a position beyond the flat time."""
        day = int(bar.day)
        last_day, was_reached = self._reached.get(symbol, (day, False))
        is_reached = int(bar.end) > self.flat_at(bar)
        self._reached[symbol] = (day, is_reached)
        is_overdue = day != last_day and not was_reached
        return Act.FLATTEN if is_reached or is_overdue else Act.NONE

    def quiet_until(self, symbol: str, bar: np.record) -> int:
        """Return this day's flat time: even the next day's first bar ends after it."""
        return self.flat_at(bar)


class NewsBlackout(Rule):
    """Stay out of the market around scheduled news.

    A bar is in the blackout if any part of it is: an order cannot be pulled inside a bar of a
    backtest. Entries are refused when the next bar (as long as the last) touches the blackout.
    """

    name = "news"
    is_timed = True
    exit_reason = "news"

    def __init__(
        self, mode: str, events: list[NewsEvent], minutes_before: int, minutes_after: int
    ) -> None:
        self.mode = mode
        self.times = sorted({event.ts for event in events})
        self.before_ns = minutes_before * _MINUTE_NS
        self.after_ns = max(minutes_after * _MINUTE_NS, 1)
        self._tightened: set[tuple[str, int]] = set()

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> NewsBlackout | None:
        """Return the rule with the built-in events and the user's; reads the user's file."""
        if settings.news is None:
            return None
        events = builtin_events()
        if settings.news_file is not None:
            events = events + load_news(settings.news_file)
        chosen = select(events, settings.news_currencies, settings.news_impact)
        return cls(settings.news, chosen, settings.news_minutes_before, settings.news_minutes_after)

    def describe(self) -> str:
        """Return the rule in one line."""
        before, after = self.before_ns // _MINUTE_NS, self.after_ns // _MINUTE_NS
        if not self.times:
            return f"news {self.mode}: no event known"
        first, last = (
            datetime.fromtimestamp(ts // _SECOND_NS, UTC).date().isoformat()
            for ts in (self.times[0], self.times[-1])
        )
        return (
            f"news {self.mode} {before} min before to {after} min after "
            f"{len(self.times)} events from {first} to {last}"
        )

    def start(self, context: GuardContext) -> None:
        """Forget the events of the last run."""
        self._tightened.clear()

    def event_in(self, start: int, end: int) -> int | None:
        """Return the time of the first event whose blackout touches [start, end)."""
        at = bisect_left(self.times, start - self.after_ns + 1)
        if at < len(self.times) and self.times[at] - self.before_ns < end:
            return self.times[at]
        return None

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse an entry that would first work in a blackout; value: minutes to the event."""
        length = int(context.bar.end) - int(context.bar.start)
        event = self.event_in(context.now, context.now + max(length, 1))
        if event is None:
            return None
        minutes = (event - context.now) / _MINUTE_NS
        return Refusal(self.name, self.before_ns / _MINUTE_NS, minutes, "minutes to the event")

    def at_bar(self, symbol: str, bar: np.record, context: GuardContext) -> Act:
        """Block entries in a blackout; flatten or, once an event, tighten stops."""
        event = self.event_in(int(bar.start), int(bar.end))
        if event is None:
            return Act.NONE
        if self.mode == "flatten":
            return Act.FLATTEN
        if self.mode == "tighten" and (symbol, event) not in self._tightened:
            self._tightened.add((symbol, event))
            return Act.TIGHTEN
        return Act.BLOCK

    def quiet_until(self, symbol: str, bar: np.record) -> int:
        """Return the beginning of the next blackout."""
        at = bisect_left(self.times, int(bar.end))
        return self.times[at] - self.before_ns if at < len(self.times) else NEVER_NS
