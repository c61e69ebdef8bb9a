"""Bars of a moving market: one state machine for every venue, from history to live and back.

A bar is built of ticks only where the ticks are complete: from the first grid line after the
connection stood. Everything before comes from the venue's history: the warm-up, what was missed
while the connection was lost, and the bar that was forming when it came back. So a gap is nothing
but a start that remembers how far it got.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from core.bars import BAR, FIRST_OF_DAY
from core.calendar import Calendar
from feeds.bar_builder import BarBuilder

Bars = np.ndarray[Any, Any]
NO_BARS: Bars = np.zeros(0, BAR)

_SECOND_NS = 1_000_000_000


class FeedState(Enum):
    """Where a feed stands.

    WAITING : no connection yet, or it is lost. BEHIND : ticks come, older bars are still asked for.
    LIVE : every bar from here on is built of ticks.
    """

    WAITING = "waiting"
    BEHIND = "behind"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class HistoryNeed:
    """Bars to ask the venue for: those with `start` <= START and END <= `end` (ns UTC)."""

    symbol: str
    timeframe_ns: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """How a feed behaves.

    history_bars : bars of history before the first live one.
    stale_ns : a feed silent that long in an open market has a gap.
    patience_ns : how long the venue's history may lack a bar that should be over.
    retry_ns : pause between two requests for the same bars.
    """

    history_bars: int = 0
    stale_ns: int = 30 * _SECOND_NS
    patience_ns: int = 0
    retry_ns: int = _SECOND_NS


class LiveFeed:
    """Completed bars of one symbol at one timeframe, in order, none twice.

    Parameters
    ----------
    symbol, timeframe_ns, calendar : whose bars, on which grid.
    terms : FeedTerms
    dress : callable(bars)
        Fills what neither ticks nor history tell (spread, flat time), in place.

    Notes
    -----
    It sees no clock: `now` is the market's time as the events told it. `needs` is read after each
    call; what it names must be asked of the venue, and the answer given to `hear_history`.

    Attributes
    ----------
    last_tick : time of the last tick, ns UTC; 0 before the first. last_price : nan before.
    gaps : gaps filled so far. differing : bars whose prices the venue's own bar contradicts.
    """

    def __init__(
        self,
        symbol: str,
        timeframe_ns: int,
        calendar: Calendar,
        terms: FeedTerms | None = None,
        dress: Callable[[Bars], None] = lambda bars: None,
    ) -> None:
        self.symbol = symbol
        self.timeframe_ns = timeframe_ns
        self.calendar = calendar
        self.terms = terms or FeedTerms()
        self._dress = dress
        self._builder = BarBuilder(calendar, timeframe_ns)
        self._joint: int | None = None
        self._told_until = 0
        self._day = -1
        self._asked_at: int | None = None
        self._asked: HistoryNeed | None = None
        self._waiting: list[Bars] = []
        self.needs: list[HistoryNeed] = []
        self.last_tick = 0
        self.last_price = float("nan")
        self.gaps = 0
        self.differing = 0
        self._recent: dict[int, Any] = {}

    # -- what it says ------------------------------------------------------------------------

    @property
    def state(self) -> FeedState:
        """Where it stands."""
        if self._joint is None:
            return FeedState.WAITING
        return FeedState.LIVE if self._told_until >= self._joint else FeedState.BEHIND

    @property
    def forming(self) -> Bars:
        """The bar that is being built, dressed, as a one-item BAR array; or no item."""
        bars = self._builder.forming
        if len(bars):
            self._dress(bars)
        return bars

    @property
    def forming_start(self) -> int | None:
        """START of the forming bar (ns UTC), None without one."""
        return self._builder.starts_at

    @property
    def ends_at(self) -> int | None:
        """When the forming bar is over (ns UTC), None without one."""
        return self._builder.ends_at

    @property
    def told_until(self) -> int:
        """END of the last bar told, ns UTC; 0 before the first."""
        return self._told_until

    @property
    def left_out(self) -> int:
        """Ticks that no bar took."""
        return self._builder.left_out

    # -- what it hears -----------------------------------------------------------------------

    def connected(self, now: int) -> Bars:
        """Ticks are complete from `now` on; ask for what came before."""
        if self._joint is not None:
            return NO_BARS
        self._joint = self._first_start(now)
        if not self._told_until and not self.terms.history_bars:
            self._told_until = self._joint
            return NO_BARS
        if self._told_until:
            self.gaps += self._told_until < self._joint
        self._ask(now)
        return self._what_waited()

    def lost(self) -> None:
        """The connection is gone: what is built from here on may lack ticks."""
        self._joint = None
        self._waiting.clear()

    def take(self, ticks: Any) -> Bars:
        """Take ticks (TICK, oldest first); return the bars they completed."""
        if len(ticks):
            self.last_tick = max(self.last_tick, int(ticks["ts_event"].max()))
            self.last_price = float(ticks["price"][-1])
        return self._told(self._builder.take(ticks))

    def advance(self, now: int) -> Bars:
        """Time has passed: return the bars that are over, ask again for what is missing."""
        done = self._told(self._builder.close(now))
        if self.state is FeedState.BEHIND and self._asked is None and self._may_ask(now):
            self._ask(now)
        return done

    def is_stale(self, now: int) -> bool:
        """Whether it has been silent for too long while its market was open all that time."""
        if self._joint is None or now - max(self.last_tick, self._joint) <= self.terms.stale_ns:
            return False
        quiet_since = max(self.last_tick, self._joint)
        return self._is_open(quiet_since) and self._is_open(now)

    def hear_history(self, bars: Bars, asked_end: int, now: int, error: str = "") -> Bars:
        """Take an answer to a need whose `end` was `asked_end`; return the bars now known.

        An answer that lacks the bar just over is asked for again while the venue may be late.
        """
        self._asked = None
        if error:
            return NO_BARS
        joint = self._joint if self._joint is not None else asked_end
        fresh = bars[(bars["start"] >= self._told_until) & (bars["end"] <= joint)]
        done = [self._tell(fresh)] if len(fresh) else []
        complete = asked_end >= joint
        if complete and not self._lacks_last(joint, now):
            self._told_until = max(self._told_until, joint)
        if self.state is FeedState.LIVE:
            done.append(self._what_waited())
        return np.concatenate(done) if done else NO_BARS

    def compare(self, bar: Any) -> str:
        """Compare the venue's own bar with the one told; return what differs, "" for nothing."""
        ours = self._recent.get(int(bar["start"]))
        if ours is None:
            return ""
        words = [
            f"{name} {ours[name]:g} here, {bar[name]:g} at the venue"
            for name in ("open", "high", "low", "close")
            if abs(float(ours[name]) - float(bar[name])) > 1e-9 * abs(float(bar[name]))
        ]
        self.differing += bool(words)
        return ", ".join(words)

    # -- inside ------------------------------------------------------------------------------

    def _first_start(self, now: int) -> int:
        """Return the first grid line at or after a time; bars from there on are complete."""
        start = int(self.calendar.grid_starts(np.array([now], np.int64), self.timeframe_ns)[0])
        if start == now:
            return now
        cell = np.zeros(1, BAR)
        cell["start"] = start
        self.calendar.annotate(cell, self.timeframe_ns)
        end = int(cell["end"][0])
        return end if now < end else now

    def _ask(self, now: int) -> None:
        assert self._joint is not None
        start = self._told_until or self._history_start(self._joint)
        if start >= self._joint:
            self._told_until = max(self._told_until, self._joint)
            return
        end = min(self._joint, now)
        self._asked = HistoryNeed(self.symbol, self.timeframe_ns, start, end)
        self._asked_at = now
        self.needs.append(self._asked)

    def _may_ask(self, now: int) -> bool:
        """Whether there is more to ask for now than the last answer could hold."""
        if self._asked_at is None or self._joint is None:
            return True
        if now >= self._joint > self._asked_at:
            return True
        return now >= self._asked_at + self.terms.retry_ns and now >= self._joint

    def _history_start(self, joint: int) -> int:
        """Return START of the first bar of the warm-up: the grid's, markets' closures counted."""
        wanted = self.terms.history_bars
        span = wanted * self.timeframe_ns
        while True:
            reach = joint - 2 * span - 14 * 86_400 * _SECOND_NS
            starts = self.calendar.expected_starts(reach, joint - 1, self.timeframe_ns)
            if len(starts) >= wanted or reach <= self.calendar.opens[0]:
                return int(starts[-wanted:][0]) if len(starts) else reach
            span *= 2

    def _lacks_last(self, joint: int, now: int) -> bool:
        """Whether the last bar before the joint is still missing and may yet appear."""
        if now >= joint + self.terms.patience_ns:
            return False
        starts = self.calendar.expected_starts(
            joint - 8 * self.timeframe_ns, joint - 1, self.timeframe_ns
        )
        return len(starts) > 0 and self._told_until <= int(starts[-1])

    def _is_open(self, ts: int) -> bool:
        at = int(np.searchsorted(self.calendar.opens, ts, side="right")) - 1
        return at >= 0 and ts < int(self.calendar.closes[at])

    def _told(self, done: Bars) -> Bars:
        """Return the bars built of complete ticks, at once or when older ones are there."""
        if not len(done) or self._joint is None:
            return NO_BARS
        done = done[done["start"] >= self._joint]
        if not len(done):
            return NO_BARS
        if self.state is FeedState.LIVE:
            return self._tell(done)
        self._waiting.append(done)
        return NO_BARS

    def _what_waited(self) -> Bars:
        waited, self._waiting = self._waiting, []
        return self._tell(np.concatenate(waited)) if waited else NO_BARS

    def _tell(self, bars: Bars) -> Bars:
        """Dress bars and note that they are told."""
        told: Bars = bars.copy()
        self._dress(told)
        for bar in told:
            bar["flags"] &= ~np.uint16(FIRST_OF_DAY)
            if int(bar["day"]) != self._day:
                bar["flags"] |= np.uint16(FIRST_OF_DAY)
                self._day = int(bar["day"])
            self._recent[int(bar["start"])] = bar.copy()
        while len(self._recent) > 64:
            del self._recent[next(iter(self._recent))]
        self._told_until = int(told["end"][-1])
        self._builder.begin_after(told[-1])
        return told
