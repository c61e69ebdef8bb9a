"""The bars before the moment from which ticks are complete: asked of the venue, never for ever.

A stretch runs from what is known to the joint, the first grid line with complete ticks. Its bars
are asked for in one request at a time; an error, silence or an answer that lacks what must be there
is asked again a stated number of times, and then the stretch is a hole that is said aloud.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.bars import BAR, NEVER_NS, REGULAR
from core.zones import NS_PER_DAY
from feeds.grid import Grid

logger = logging.getLogger(__name__)

Bars = np.ndarray[Any, Any]
NO_BARS: Bars = np.zeros(0, BAR)

_SECOND_NS = 1_000_000_000
_LEAST_EXTENSION_NS = 7 * NS_PER_DAY
_KEPT_HOLES = 16
_LEAST = {"retry_ns": 1, "answer_ns": 1, "tries": 1}
"""Where nothing is too little: the same would be asked again before any time has passed."""


@dataclass(frozen=True, slots=True)
class HistoryNeed:
    """Bars to ask the venue for: those with `start` <= START and END <= `end` (ns UTC).

    number : tells requests of one feed apart. is_check : to compare with bars already told.
    """

    symbol: str
    timeframe_ns: int
    start: int
    end: int
    number: int = 0
    is_check: bool = False


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch whose bars could not be had in time, ns UTC, and why."""

    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """How a feed behaves; the defaults suit a venue whose answers are final, as a replay's are.

    history_bars : bars of history before the first live one.
    stale_ns : a feed silent that long in an open market has a gap; 0: never.
    settle_ns : a bar is asked for that long after its END: before, it may still change.
    patience_ns : how long after its END a bar may be missing in the venue's history.
    retry_ns : pause between two requests for the same bars.
    tries : how many requests for the same bars may fail.
    answer_ns : a request (or its next page) without an answer for that long has failed.
    clock_error_ns : how far our clock may be behind the venue's when a connection stands.
    hole_bars : how many bars after a hole it takes until no entry is barred any more; None: as
        many as the warm-up has.
    check_every_bars : how often built bars are compared with the venue's history; 0: never.
    """

    history_bars: int = 0
    stale_ns: int = 30 * _SECOND_NS
    settle_ns: int = 0
    patience_ns: int = 0
    retry_ns: int = _SECOND_NS
    tries: int = 5
    answer_ns: int = 30 * _SECOND_NS
    clock_error_ns: int = 0
    hole_bars: int | None = None
    check_every_bars: int = 0

    def __post_init__(self) -> None:
        faults = [
            f"{item.name}={value}: expected {least} or more"
            for item in fields(self)
            if (value := getattr(self, item.name)) is not None
            and value < (least := _LEAST.get(item.name, 0))
        ]
        if faults:
            raise ValueError("; ".join(faults))


def joined(parts: Sequence[Bars]) -> Bars:
    """Return runs of bars as one; numpy takes long over structured arrays, empty ones too."""
    filled = [part for part in parts if len(part)]
    if len(filled) > 1:
        return np.concatenate(filled)
    return filled[0] if filled else NO_BARS


class Backfill:
    """Brings the bars from `since` to `joint`, in order, none twice.

    Parameters
    ----------
    needs : where requests are laid; the feed's owner asks the venue for them.
    numbers : of requests.

    Attributes
    ----------
    since : bars that START before it are told or given up, ns UTC; 0 before the warm-up.
    joint : what trades from here on is whole; None without a connection.
    holes : the last stretches given up; `hole_count` of all.
    filled : stretches brought whole after the warm-up.
    until_whole : bars still to be told until the last hole counts no more; the owner counts down.
    due : when `step` has something to do, NEVER_NS if only an event can help.
    """

    def __init__(
        self,
        symbol: str,
        grid: Grid,
        terms: FeedTerms,
        needs: list[HistoryNeed],
        numbers: itertools.count[int],
    ) -> None:
        self._symbol = symbol
        self._grid = grid
        self._terms = terms
        self._needs = needs
        self._numbers = numbers
        self.since = 0
        self.joint: int | None = None
        self.holes: deque[Hole] = deque(maxlen=_KEPT_HOLES)
        self.hole_count = 0
        self.filled = 0
        self.until_whole = 0
        self.due = NEVER_NS
        self._ask_at = NEVER_NS
        self._asked: HistoryNeed | None = None
        self._asked_at = 0
        self._failures = 0
        self._gathered: list[tuple[int, Bars]] = []
        self._known = 0
        self._seen = self._traded = 0
        self._is_gap = False
        self._reach = 0
        self._whole_from = 0
        self._warm_end = 0
        self._had = -1

    # -- what it says ------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether bars before the joint are still to come."""
        return self.joint is not None and self.since < self.joint

    def may_tell(self, end: int) -> bool:
        """Whether a bar with an END by this time may still come."""
        if self._asked is None and not self.is_open:
            return False
        known = max(self.since, self._known)
        return known == 0 or self._grid.next_end(known) <= end

    # -- what it hears -----------------------------------------------------------------------

    def open(self, joint: int, now: int) -> None:
        """Ticks are complete from the joint on: bring what lies before."""
        self.joint = joint
        if not self._terms.history_bars:
            self.since = self.since or joint
        self._asked = None
        self._failures = 0
        self._known = self.since
        self._is_gap = 0 < self.since < joint
        self._reach, self._warm_end, self._had = 0, 0, -1
        if not self.since:
            self._reach = self._grid.start_before(joint, self._terms.history_bars)
        if self.is_open:
            line = self._grid.start(now)
            settled = max(now, line + self._terms.settle_ns) if line <= now else now
            is_over = self._grid.next_end(self.since or self._reach) <= self._askable(settled)
            self._ask_at = settled if is_over else self._joint_settled()
        else:
            self._gathered.clear()
        self._proceed(now)

    def suspend(self) -> None:
        """The connection is gone; an answer on its way is still heard."""
        self.joint = None
        self._set_due()

    def note_traded(self, bars: Bars) -> None:
        """Something traded in these bars, of which not all was seen: the venue should have them.

        It must have those of a known session; of others some venues show prices and keep no bars.
        """
        if len(bars):
            self._seen = max(self._seen, int(bars["end"].max()))
        regular = bars["end"][(bars["flags"] & REGULAR) != 0]
        if len(regular):
            self._traded = max(self._traded, int(regular.max()))

    def step(self, now: int) -> Bars:
        """Time has passed: ask, or give an answer up."""
        asked, done = self._asked, NO_BARS
        if asked is not None and now >= self._asked_at + self._terms.answer_ns:
            self._asked = None
            done = self._fail(asked.end, now, "no answer")
        self._proceed(now)
        return done

    def hear(self, need: HistoryNeed, bars: Bars, now: int, is_last: bool, error: str) -> Bars:
        """Take a page of an answer; return the bars now known, oldest first."""
        self._gather(need, bars)
        is_current = self._asked is not None and need.number == self._asked.number
        done = NO_BARS
        if is_current:
            self._asked_at = now
        if is_current and (error or is_last):
            self._asked = None
        if error:
            done = self._fail(need.end, now, error) if is_current else NO_BARS
        elif is_last and self.since:
            done = self._fill(need.end, now)
        elif is_last and self.joint is not None and need.start <= self._reach:
            done = self._warm(self.joint, need.end, now)
        self._proceed(now)
        return done

    # -- asking ------------------------------------------------------------------------------

    def _askable(self, now: int) -> int:
        """Return up to which END bars can be had now."""
        assert self.joint is not None
        return min(self.joint, now - self._terms.settle_ns)

    def _joint_settled(self) -> int:
        assert self.joint is not None
        return self.joint + self._terms.settle_ns

    def _proceed(self, now: int) -> None:
        """Ask if it is time to; note when there will be something to do."""
        if self.is_open and now >= self._ask_at:
            self._ask(now)
        self._set_due()

    def _ask(self, now: int) -> None:
        start, end = self.since or self._reach, self._askable(now)
        number = next(self._numbers)
        step = self._grid.timeframe_ns
        self._asked = HistoryNeed(self._symbol, step, start, end, number)
        self._asked_at, self._ask_at = now, NEVER_NS
        self._needs.append(self._asked)

    def _set_due(self) -> None:
        waits = NEVER_NS if self._asked is None else self._asked_at + self._terms.answer_ns
        self.due = min(waits, self._ask_at if self.is_open else NEVER_NS)

    # -- answers -----------------------------------------------------------------------------

    def _gather(self, need: HistoryNeed, bars: Bars) -> None:
        """Keep what an answer holds of the bars that were over when it was asked for."""
        if not len(bars):
            return
        bars = self._grid.fitted(bars)
        wanted = (bars["start"] >= max(self.since, need.start)) & (bars["end"] <= need.end)
        if wanted.any():
            self._gathered.append((need.number, bars[wanted]))

    def _known_bars(self, end: int) -> Bars:
        """Return the bars gathered from `since` to an END; of one told twice the later answer's."""
        if not self._gathered:
            return NO_BARS
        self._gathered.sort(key=lambda item: item[0])
        bars = np.concatenate([bars for _, bars in self._gathered])
        bars = bars[np.argsort(bars["start"], kind="stable")]
        is_final = np.append(bars["start"][1:] != bars["start"][:-1], True)
        bars = bars[is_final & (bars["start"] >= self.since)]
        self._gathered = [(self._gathered[-1][0], bars)]
        return bars[bars["end"] <= end]

    def _fill(self, end: int, now: int) -> Bars:
        """Take a whole answer up to an END: tell what is new, see what is missing."""
        was_open, bars = self.is_open, self._known_bars(end)
        self._tell(bars)
        return joined([bars, self._look(end, now)]) if was_open else bars

    def _look(self, end: int, now: int) -> Bars:
        """See whether an answer up to an END held what it must; plan what comes next."""
        if self._may_be_late(self.since, end, now):
            self._ask_at = now + self._terms.retry_ns
            return NO_BARS
        if self.since < self._traded <= end:
            lack = "the venue's history lacks a bar in which it traded"
            return self._fail(end, now, lack) if self._asked is None else NO_BARS
        self._failures = 0
        self._known = max(self._known, end)
        self._go_on(end)
        return NO_BARS

    def _may_be_late(self, last: int, end: int, now: int) -> bool:
        """Whether the last bar up to an END is not there (`last` is END of it) and may yet come."""
        patience = self._terms.patience_ns
        if last < self._seen <= end and now < self._seen + patience:
            return True
        cell = self._grid.last_expected(end, end - patience - 2 * self._grid.timeframe_ns)
        return cell is not None and last <= cell[0] and now < cell[1] + patience

    def _go_on(self, end: int) -> None:
        """All is known up to an END: the rest comes when the joint is over, or it is done."""
        assert self.joint is not None
        if end < self.joint:
            self._ask_at = self._joint_settled()
            return
        self.since = max(self.since, self.joint)
        self.filled += self._is_gap
        self._gathered.clear()
        self._ask_at = NEVER_NS

    def _tell(self, bars: Bars) -> None:
        if len(bars):
            self.since = int(bars["end"][-1])

    # -- warm-up -----------------------------------------------------------------------------

    def _warm(self, joint: int, end: int, now: int) -> Bars:
        """Take a whole answer while nothing is told: as many bars before the joint as wanted.

        Bars still to come before the joint count; one without trades there leaves one bar less.
        """
        bars = self._known_bars(end)
        bars = bars[bars["start"] >= self._reach]
        if self._may_be_late(int(bars["end"][-1]) if len(bars) else 0, end, now):
            self._ask_at = now + self._terms.retry_ns
            return NO_BARS
        wanted = self._terms.history_bars - self._grid.count_expected(end, joint)
        if len(bars) < wanted and self._extend(joint, len(bars), wanted):
            self._ask_at, self._asked, self._warm_end, self._failures = now, None, end, 0
            return NO_BARS
        self._warm_end = 0
        told = bars[max(len(bars) - wanted, 0) :] if wanted > 0 else NO_BARS
        self._tell(told)
        return joined([told, self._look(end, now)])

    def _extend(self, joint: int, found: int, wanted: int) -> bool:
        """Reach further back if the venue has fewer bars than the sessions; False if it ends."""
        if found <= self._had or self._reach <= self._grid.first:
            return False
        self._had, self._whole_from = found, self._reach
        further = max(joint - self._reach, _LEAST_EXTENSION_NS)
        reach = self._grid.start_before(self._reach, 2 * (wanted - found))
        self._reach = max(min(reach, self._reach - further), self._grid.first)
        return True

    # -- failures ----------------------------------------------------------------------------

    def _fail(self, end: int, now: int, why: str) -> Bars:
        """A request up to an END came to nothing: once more, or the stretch is given up."""
        if self.joint is None:
            return NO_BARS
        self._failures += 1
        if self._failures < self._terms.tries:
            self._ask_at = now + self._terms.retry_ns
            return NO_BARS
        if not self.since and self._warm_end:
            # What lies further back is not to be had: the venue has fewer bars.
            self._had, self._reach = self._terms.history_bars, self._whole_from
            return self._warm(self.joint, self._warm_end, now)
        return self._give_up(end, why)

    def _give_up(self, end: int, why: str) -> Bars:
        """Go on without the bars of a stretch, and say so."""
        start = self.since or self._reach
        bars = self._known_bars(end)
        if not self.since:
            bars = bars[bars["start"] >= start][-self._terms.history_bars :]
        self._note_hole(Hole(start, end, why), len(bars))
        self._failures = 0
        self._known = end
        self._tell(bars)
        self.since = max(self.since, start, self._grid.start(end))
        self._is_gap = False
        self._go_on(end)
        return bars

    def _note_hole(self, hole: Hole, told: int) -> None:
        barred = self._terms.hole_bars
        self.until_whole = told + (self._terms.history_bars if barred is None else barred)
        last = self.holes[-1] if self.holes else None
        if last is not None and last.end >= hole.start >= last.start:
            self.holes.pop()
            hole = Hole(last.start, hole.end, hole.why)
        else:
            self.hole_count += 1
        self.holes.append(hole)
        logger.warning(
            "bars missing symbol=%s from=%s until=%s why=%s",
            self._symbol,
            np.datetime64(hole.start, "ns").astype("M8[s]"),
            np.datetime64(hole.end, "ns").astype("M8[s]"),
            hole.why,
        )
