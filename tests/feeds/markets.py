"""A market, a venue whose history is late, and a feed between them, for tests."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field, fields

import numpy as np

from core.bars import BAR, NEVER_NS
from core.calendar import get_calendar
from core.path_ticks import path_ticks
from core.ticks import TICK, TRADE
from feeds.live import FeedTerms, LiveFeed

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PRICES = ("open", "high", "low", "close", "volume")
NO_BARS = np.zeros(0, BAR)


def at(text):
    """Return a UTC text ("2025-09-15T03:45") as ns."""
    return int(np.datetime64(text, "ns").astype(np.int64))


def clock(ts):
    """Return ns as a UTC text, for assertions that can be read."""
    return str(np.datetime64(int(ts), "ns").astype("M8[s]"))[5:].replace("T", " ")


def tick_at(ts, price=100.0, volume=1.0, flags=TRADE):
    """Return one tick, as an array."""
    ticks = np.zeros(1, TICK)
    ticks["ts_event"], ticks["price"], ticks["volume"], ticks["flags"] = ts, price, volume, flags
    ticks["bid"] = ticks["ask"] = ticks["spread"] = np.nan
    return ticks


def bars_at(starts, timeframe, calendar, seed=7):
    """Return annotated bars with prices drawn at random."""
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    chance = np.random.default_rng(seed)
    close = 100.0 + np.round(np.cumsum(chance.normal(0, 0.3, len(bars))), 2)
    bars["close"] = close
    bars["open"] = np.round(close + chance.normal(0, 0.2, len(bars)), 2)
    for name, choose, sign in (("high", np.maximum, 1), ("low", np.minimum, -1)):
        reach = sign * np.abs(chance.normal(0, 0.2, len(bars)))
        bars[name] = np.round(choose(bars["open"], close) + reach, 2)
    bars["volume"] = chance.integers(1, 50, len(bars))
    calendar.annotate(bars, timeframe)
    return bars


def market(first, last, timeframe, calendar="NSE", quiet=()):
    """Return the bars of all cells of the sessions from first to last; quiet ones have none."""
    book = get_calendar(calendar)
    starts = book.expected_starts(at(first), at(last), timeframe)
    return bars_at(np.setdiff1d(starts, [at(text) for text in quiet]), timeframe, book)


def same(told, true):
    """Whether two runs of bars have the same times and prices."""
    return len(told) == len(true) and all(
        np.array_equal(told[name], true[name]) for name in ("start", "end", *PRICES)
    )


@dataclass
class Venue:
    """History that shows a bar `late` ns after its END.

    shows_forming : before that it shows it unfinished; else not at all.
    pages : bars a page. newest_first : order of pages, and of bars in them.
    fails : how many requests fail first. lacks : STARTs it never has.
    """

    bars: np.ndarray
    late: int = 0
    shows_forming: bool = False
    pages: int = 10_000
    newest_first: bool = False
    fails: int = 0
    lacks: tuple = ()
    asked: list = field(default_factory=list)

    def answer(self, need, now):
        """Return pages: (bars, is_last, error)."""
        self.asked.append(need)
        if self.fails > 0:
            self.fails -= 1
            return [(NO_BARS, True, "503 service unavailable")]
        bars = self.bars[~np.isin(self.bars["start"], self.lacks)]
        shown = bars["start"] < now if self.shows_forming else bars["end"] + self.late <= now
        bars = bars[shown & (bars["start"] >= need.start) & (bars["start"] < need.end)].copy()
        unfinished = bars["end"] + self.late > now
        bars["close"][unfinished], bars["volume"][unfinished] = bars["open"][unfinished], 0
        if self.newest_first:
            bars = bars[::-1]
        parts = [bars[i : i + self.pages] for i in range(0, len(bars), self.pages)] or [bars]
        return [(part, part is parts[-1], "") for part in parts]


class Session:
    """A feed and what happens to it, in order of the wall's time; its clock is `close_delay` late.

    delay : how long an answer takes (ns), or a function of the request's number; None: for ever.
    """

    def __init__(self, feed, venue, delay=0, close_delay=0):
        self.feed, self.venue, self.delay, self.close_delay = feed, venue, delay, close_delay
        self.told = [NO_BARS]
        self.log = []
        self.now = 0
        self.joint = None
        self._queue = []
        self._order = itertools.count()

    @property
    def bars(self):
        """All that was told."""
        return np.concatenate(self.told)

    @property
    def asked(self):
        """The requests made, as (first START, last END) to read."""
        return [(clock(need.start), clock(need.end)) for need in self.venue.asked]

    def at(self, ts, kind, *content):
        """Let something happen at a time: connected, lost, ticks, clock or history."""
        heapq.heappush(
            self._queue, (at(ts) if isinstance(ts, str) else ts, next(self._order), kind, content)
        )
        return self

    def trade(self, bars, delay=0, first=0, last=NEVER_NS):
        """Let the prices of bars come, those between two times."""
        ticks = path_ticks(bars, 0.01)
        for row, ts in enumerate(ticks["ts_event"].tolist()):
            if first <= ts < last:
                self.at(ts + delay, "ticks", ticks[row : row + 1])
        return self

    def run(self, until):
        """Let all happen up to a time, and the clock wherever the feed is due."""
        until = at(until) if isinstance(until, str) else until
        while True:
            due = min(self.feed.due + self.close_delay, NEVER_NS)
            ts = self._queue[0][0] if self._queue else NEVER_NS
            if min(due, ts) > until:
                break
            if due < ts:
                self.apply(max(due, self.now), "clock", ())
                assert self.feed.due > self.now - self.close_delay
            else:
                ts, _, kind, content = heapq.heappop(self._queue)
                self.apply(ts, kind, content)
        self.apply(until, "clock", ())
        return self

    def apply(self, ts, kind, content):
        """Let one thing happen now."""
        self.now = now = max(self.now, ts)
        self.log.append((now, kind, content))
        feed = self.feed
        if kind == "ticks":
            self._tell(feed.advance(int(content[0]["ts_event"][0])), feed.take(content[0]))
        elif kind == "clock":
            self._tell(feed.advance(now - self.close_delay))
        elif kind == "connected":
            self._tell(feed.advance(now), feed.connected(now))
            self.joint = self.joint or max(feed._grid.first_start(now), feed._past.joint)
        elif kind == "lost":
            feed.lost()
            self._tell(feed.advance(now))
        else:
            need, bars, is_last, error = content
            self._tell(feed.hear_history(need, bars, now, is_last, error))
        self._ask(now)

    def _ask(self, now):
        needs, self.feed.needs[:] = list(self.feed.needs), []
        for need in needs:
            delay = self.delay(need.number) if callable(self.delay) else self.delay
            if delay is None:
                self.venue.asked.append(need)
                continue
            for page in self.venue.answer(need, now + delay):
                self.at(now + delay, "history", need, *page)

    def _tell(self, *parts):
        self.told += parts


def session(bars, timeframe=5 * MINUTE, calendar="NSE", delay=0, close_delay=0, **given):
    """Return a session over these true bars; what is given are FeedTerms' fields and Venue's."""
    names = {item.name for item in fields(FeedTerms)}
    terms = {"stale_ns": 0} | {name: given.pop(name) for name in list(given) if name in names}
    feed = LiveFeed("X", timeframe, get_calendar(calendar), FeedTerms(**terms))
    return Session(feed, Venue(bars, **given), delay, close_delay)
