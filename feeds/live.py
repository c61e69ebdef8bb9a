"""Bars of a moving market: one state machine for every venue, from history to live and back.

A bar is built of ticks only where the ticks are complete: from the first grid line after the
connection stood. Everything before comes from the venue's history (feeds/backfill.py): the warm-up,
what was missed while the connection was lost or silent, and the bar that was forming when it came
back. So a gap is nothing but a start that remembers how far it got.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

from core.bars import FIRST_OF_DAY, NEVER_NS
from core.calendar import Calendar
from feeds.backfill import NO_BARS, Backfill, Bars, FeedTerms, HistoryNeed, Hole, joined
from feeds.bar_builder import BarBuilder
from feeds.grid import Grid
from feeds.venue_check import KEPT_BARS, Difference, VenueCheck

__all__ = ["Difference", "FeedState", "FeedTerms", "HistoryNeed", "Hole", "LiveFeed"]


class FeedState(Enum):
    """Where a feed stands.

    WAITING : no connection yet, or it is lost. SILENT : no price for too long in an open market;
    with the next one it has a gap. BEHIND : ticks come, older bars are still asked for.
    LIVE : every bar from here on is built of ticks.
    """

    WAITING = "waiting"
    SILENT = "silent"
    BEHIND = "behind"
    LIVE = "live"


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
    It sees no clock: `now` is the market's time as the events told it, and must not run ahead of
    prices still on their way. `needs` is read and cleared after each call; what it names must be
    asked of the venue, and each page of the answer given to `hear_history`. Where no event brings
    time, `advance` must be called when `due` says.

    Attributes
    ----------
    last_tick : time of the last tick, ns UTC; 0 before the first. last_price : nan before.
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
        self.needs: list[HistoryNeed] = []
        self.last_tick = 0
        self.last_price = float("nan")
        self._dress = dress
        self._grid = Grid(calendar, timeframe_ns)
        self._builder = BarBuilder(calendar, timeframe_ns)
        self._numbers = itertools.count(1)
        self._past = Backfill(symbol, self._grid, self.terms, self.needs, self._numbers)
        self._check = VenueCheck()
        self._waiting: list[Bars] = []
        self._day = np.int32(-(2**31))
        self._now = 0
        self._heard = 0
        self._is_silent = False
        self._stale_at = NEVER_NS
        self._built_since = 0
        self._unchecked = 0
        self._check_at = NEVER_NS
        self._check_asked: HistoryNeed | None = None

    # -- what it says ------------------------------------------------------------------------

    @property
    def state(self) -> FeedState:
        """Where it stands."""
        if self._past.joint is None:
            return FeedState.SILENT if self._is_silent else FeedState.WAITING
        return FeedState.BEHIND if self._past.is_open else FeedState.LIVE

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
    def due(self) -> int:
        """When `advance` must be called at the latest (ns UTC), NEVER_NS for no such time."""
        end = self._builder.ends_at
        return min(NEVER_NS if end is None else end, self._next_step, self._stale_at)

    @property
    def told_until(self) -> int:
        """Bars that START before it are told or given up, ns UTC; 0 before the first."""
        return self._past.since

    @property
    def is_whole(self) -> bool:
        """Whether as many bars as the warm-up has came without a hole; entries wait for it."""
        return self._past.until_whole <= 0

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The last stretches whose bars could not be had."""
        return tuple(self._past.holes)

    @property
    def hole_count(self) -> int:
        """Stretches whose bars could not be had."""
        return self._past.hole_count

    @property
    def gaps(self) -> int:
        """Gaps filled so far."""
        return self._past.filled

    @property
    def left_out(self) -> int:
        """Ticks that no bar took."""
        return self._builder.left_out

    @property
    def differing(self) -> int:
        """Built bars whose prices the venue's own bar contradicts."""
        return self._check.differing

    @property
    def compared(self) -> int:
        """Built bars held against the venue's own."""
        return self._check.compared

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The last of the differing bars."""
        return tuple(self._check.last)

    def may_tell(self, end: int) -> bool:
        """Whether a bar with an END by this time may still come from history."""
        return self._past.may_tell(end)

    def is_stale(self, now: int) -> bool:
        """Whether it has been silent for too long while its market was open."""
        return self._is_silent or (self._past.joint is not None and self._is_overdue(now))

    # -- what it hears -----------------------------------------------------------------------

    def connected(self, now: int) -> Bars:
        """Ticks are complete from `now` on; ask for what came before."""
        self._now = max(self._now, now)
        if self._past.joint is not None:
            return NO_BARS
        # A tick that came before the connection was told has others before it that did not.
        begin = max(self._now + self.terms.clock_error_ns, self.last_tick + 1)
        joint = self._grid.first_start(begin)
        self._is_silent = False
        self._built_since = joint
        self._hear_at(self._now)
        self._past.open(joint, self._now)
        return NO_BARS

    def lost(self) -> None:
        """The connection is gone: what is built from here on may lack ticks."""
        self._suspend()
        self._is_silent = False

    def take(self, ticks: Any) -> Bars:
        """Take ticks (TICK, oldest first); return the bars they completed."""
        count = len(ticks)
        if count == 1:
            last = ticks["ts_event"].item(0)
        elif count:
            last = int(ticks["ts_event"].max())
        else:
            return NO_BARS
        if last >= self._stale_at or self._is_silent:
            return self._take_after_silence(ticks)
        if last >= self.last_tick:
            self.last_tick = last
            self.last_price = ticks["price"].item(count - 1)
            if self._stale_at != NEVER_NS:
                self._stale_at = last + self.terms.stale_ns
                self._heard = last
        done = self._builder.take(ticks)
        return self._built(done) if len(done) else NO_BARS

    def advance(self, now: int) -> Bars:
        """Time has passed: return the bars that are over, ask again for what is missing."""
        if now > self._now:
            self._now = now
        if now >= self._stale_at:
            self._listen(now)
        done = self._builder.close(now)
        built = self._built(done) if len(done) else NO_BARS
        return built if now < self._next_step else self._told([built, self._step(now)])

    def hear_history(
        self, need: HistoryNeed, bars: Bars, now: int, is_last: bool = True, error: str = ""
    ) -> Bars:
        """Take a page of an answer to a need; return the bars now known.

        Pages and bars may come in any order, with bars that were not asked for or are still
        forming, after another request was made, or not at all.
        """
        self._now = max(self._now, now)
        if need.is_check:
            self._hear_check(need, bars, is_last or bool(error))
            return NO_BARS
        return self._told([self._tell(self._past.hear(need, bars, self._now, is_last, error))])

    def compare(self, bar: Any) -> str:
        """Compare the venue's own bar with the one told; return what differs, "" for nothing."""
        return self._check.compare(bar)

    # -- silence -----------------------------------------------------------------------------

    def _hear_at(self, now: int) -> None:
        self._heard = max(self.last_tick, now)
        stale = self.terms.stale_ns
        self._stale_at = self._heard + stale if stale else NEVER_NS

    def _is_overdue(self, now: int) -> bool:
        if now < self._stale_at:
            return False
        return now >= self._grid.after_open_time(self._heard, self.terms.stale_ns)

    def _listen(self, now: int) -> None:
        """Fall silent if nothing was heard for too long, hours of a shut market apart."""
        self._stale_at = self._grid.after_open_time(self._heard, self.terms.stale_ns)
        if now >= self._stale_at:
            self._suspend()
            self._is_silent = True

    def _take_after_silence(self, ticks: Any) -> Bars:
        """Take ticks one at a time: each may be the first after a silence."""
        done = []
        for place in range(len(ticks)):
            tick = ticks[place : place + 1]
            ts = tick["ts_event"].item(0)
            if ts >= self._stale_at:
                self._listen(ts)
            if self._is_silent:
                self.last_tick = max(self.last_tick, ts)
                self.connected(ts)
            done.append(self.take(tick))
        return joined(done)

    def _suspend(self) -> None:
        """From here on ticks may be missing; what is not told yet must come from history."""
        for bars in [*self._waiting, self._builder.forming]:
            self._past.note_traded(bars)
        self._waiting.clear()
        self._past.suspend()
        self._stale_at = NEVER_NS

    # -- bars --------------------------------------------------------------------------------

    @property
    def _next_step(self) -> int:
        return min(self._past.due, self._check_at)

    def _step(self, now: int) -> Bars:
        """Ask for what is due to be asked for."""
        if now >= self._check_at:
            self._ask_check(now)
        return self._tell(self._past.step(now)) if now >= self._past.due else NO_BARS

    def _built(self, done: Bars) -> Bars:
        """Return the bars built of complete ticks, at once or when older ones are there."""
        joint = self._past.joint
        is_complete = done["start"] >= (NEVER_NS if joint is None else joint)
        if not is_complete.all():
            self._past.note_traded(done[~is_complete])
            done = done[is_complete]
        if not len(done):
            return NO_BARS
        if self._past.is_open:
            self._waiting.append(done)
            return NO_BARS
        return self._tell(done, is_built=True)

    def _told(self, parts: list[Bars]) -> Bars:
        """Join what was told; add the bars that waited for older ones if those are there now."""
        if self._waiting and not self._past.is_open:
            waited, self._waiting = self._waiting, []
            parts.append(self._tell(joined(waited), is_built=True))
        return joined(parts)

    def _tell(self, bars: Bars, is_built: bool = False) -> Bars:
        """Dress bars and note that they are told."""
        if not len(bars):
            return NO_BARS
        told: Bars = bars.copy()
        self._dress(told)
        days, flags = told["day"], told["flags"]
        flags &= ~np.uint16(FIRST_OF_DAY)
        if len(told) > 1:
            flags[np.diff(days, prepend=self._day) != 0] |= np.uint16(FIRST_OF_DAY)
        elif days[0] != self._day:
            flags |= np.uint16(FIRST_OF_DAY)
        self._day = days[-1]
        self._past.since = max(self._past.since, int(told["end"][-1]))
        self._past.until_whole -= len(told)
        self._builder.begin_after(told[-1])
        self._check.note(told, is_built)
        if is_built:
            self._plan_check(len(told))
        return told

    # -- the venue's own bars ----------------------------------------------------------------

    def _plan_check(self, count: int) -> None:
        self._unchecked += count
        every = self.terms.check_every_bars
        if every and self._unchecked >= every and self._check_asked is None:
            wait = max(self.terms.settle_ns, self.terms.patience_ns)
            self._check_at = min(self._check_at, self._past.since + wait)

    def _ask_check(self, now: int) -> None:
        """Ask for the bars told since the last check; a check without an answer is dropped."""
        if self._check_asked is not None:
            self._check_asked, self._check_at = None, NEVER_NS
            return
        end = self._past.since
        reach = min(self._unchecked, KEPT_BARS)
        start = max(self._grid.start_before(end, reach), self._built_since)
        number = next(self._numbers)
        need = HistoryNeed(self.symbol, self.timeframe_ns, start, end, number, is_check=True)
        self.needs.append(need)
        self._check_asked, self._check_at = need, now + self.terms.answer_ns
        self._unchecked = 0

    def _hear_check(self, need: HistoryNeed, bars: Bars, is_end: bool) -> None:
        bars = self._grid.fitted(bars)
        bars = bars[(bars["start"] >= need.start) & (bars["end"] <= need.end)]
        self._check.lacking(bars, max(need.start, self._built_since), need.end)
        for bar in bars:
            self._check.compare(bar)
        asked = self._check_asked
        if is_end and asked is not None and asked.number == need.number:
            self._check_asked, self._check_at = None, NEVER_NS
