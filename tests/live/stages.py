"""An engine with feeds and a clock, and nothing to trade: what happens to bars and when."""

from __future__ import annotations

import heapq
import itertools
from types import SimpleNamespace

import numpy as np

from brokers.inbox import Inbox
from core.bars import NEVER_NS
from core.calendar import get_calendar
from core.events import Bars, HistoryBars, Link, LinkState, Ticks
from core.path_ticks import path_ticks
from feeds.live import FeedTerms, LiveFeed
from live.engine import Engine, FeedSlot
from live.timer import MarketTimer
from tests.feeds.markets import SECOND, Venue, at, clock


class Idle:
    """Does nothing, whatever it is told."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *told: None


class Broker(Idle):
    """Knows the plans and trades nothing."""

    awaits_books = False

    def __init__(self, slots):
        self.outbox = Idle()
        self.plans = [
            SimpleNamespace(plan_id=slot.plan_id, data=slot.data) for slot in slots if slot.is_clock
        ]


class Data:
    """Takes bars as LiveData does."""

    def __init__(self):
        self.bars, self.late = [], []

    def push(self, bar, late):
        """Take a bar."""
        self.bars.append(bar.copy())
        self.late.append(late)

    def next(self, ticks=False):
        """Step."""

    def __len__(self):
        return len(self.bars)


class Strategy:
    """Writes down with how many bars of its plan it is stepped, and when.

    Like Backtrader's it cannot be stepped without any.
    """

    def __init__(self, stage, plan):
        self.datas = [slot.data for slot in stage.slots if slot.plan_id == plan]
        self._stage, self._plan = stage, plan

    def _next(self):
        self._stage.steps.append(self._stage.engine.now)
        self._stage.lengths.append((self._plan, max(len(data) for data in self.datas if len(data))))


class Stage:
    """Feeds of one or more plans on one engine, driven by a wall clock that the test owns.

    delay : of history answers by symbol, ns, None: for ever.
    """

    def __init__(self, skew=0, close_delay=300_000_000):
        self.wall = 0
        self.skew = skew
        self.log = []
        self.slots, self.venues, self.delays, self.steps = [], {}, {}, []
        self.lengths = []
        self.close_delay = close_delay
        self.engine = None
        self._queue = []
        self._order = itertools.count()

    def feed(
        self, symbol, bars, timeframe, plan="a", is_clock=True, delay=0, calendar="NSE", **given
    ):
        """Add a feed; what is given are FeedTerms' fields and Venue's."""
        names = FeedTerms.__dataclass_fields__
        terms = {"stale_ns": 0} | {name: given.pop(name) for name in list(given) if name in names}
        feed = LiveFeed(symbol, timeframe, get_calendar(calendar), FeedTerms(**terms))
        name = plan if is_clock else f"{plan}/{symbol}"
        self.slots.append(FeedSlot(name, plan, feed, Data(), is_clock))
        self.venues[symbol], self.delays[symbol] = Venue(bars, **given), delay
        return self

    def start(self):
        """Build the engine."""
        self.inbox = Inbox()
        self.engine = Engine(
            Broker(self.slots), self, self.slots, self.inbox, self, None, 10 * SECOND
        )
        self.timer = MarketTimer(
            self.engine.next_due, self.skew, self.close_delay, lambda: self.wall
        )
        self.engine.source = self.timer
        plans = dict.fromkeys(slot.plan_id for slot in self.slots)
        self.engine.begin(None, [Strategy(self, plan) for plan in plans])
        return self

    def append(self, event):
        """Number an event, as a journal does."""
        self.log.append(event)
        return len(self.log)

    def request_history(self, request_id, symbol, timeframe_ns, start, end):
        """Answer as the symbol's venue does."""
        need = SimpleNamespace(number=request_id, start=start, end=end)
        delay = self.delays[symbol]
        delay = delay(request_id) if callable(delay) else delay
        if delay is None:
            return
        now = self.wall + delay
        for bars, is_last, error in self.venues[symbol].answer(need, now + self.skew):
            self.at(now, HistoryBars(request_id, symbol, timeframe_ns, bars, is_last, error))

    # -- the script --------------------------------------------------------------------------

    def at(self, wall, event):
        """Let an event come at a time of the wall's clock."""
        heapq.heappush(
            self._queue, (at(wall) if isinstance(wall, str) else wall, next(self._order), event)
        )
        return self

    def link(self, market, state=LinkState.CONNECTED, name="venue"):
        """Let the connection change at a time of the venue's clock."""
        ts = at(market) if isinstance(market, str) else market
        return self.at(ts - self.skew, Link(state, name, ts_event=ts))

    def trade(self, symbol, bars, delay=0, first=0, last=NEVER_NS):
        """Let the prices of bars come, those between two times."""
        ticks = path_ticks(bars, 0.01)
        for row, ts in enumerate(ticks["ts_event"].tolist()):
            if first <= ts < last:
                self.at(ts - self.skew + delay, Ticks(symbol, ticks[row : row + 1], ts_event=ts))
        return self

    def run(self, until):
        """Let the wall's clock go on to a time of the venue's clock."""
        until = (at(until) if isinstance(until, str) else until) - self.skew
        while True:
            while self.engine.step():
                pass
            if self.timer.pump(self.inbox) == 0.0:
                continue
            due = self.engine.next_due()
            ring = NEVER_NS if due is None else due - self.skew + self.close_delay
            then = min(ring, self._queue[0][0] if self._queue else NEVER_NS)
            if then > until:
                self.wall = max(self.wall, until)
                return self
            self.wall = max(self.wall, then)
            while self._queue and self._queue[0][0] <= self.wall:
                self.inbox.put(heapq.heappop(self._queue)[2])

    # -- what was seen -----------------------------------------------------------------------

    @property
    def groups(self):
        """What was delivered: (END, names)."""
        return [
            (clock(event.bars["end"][0])[6:11], event.names)
            for event in self.log
            if isinstance(event, Bars)
        ]

    def bars(self, name):
        """The bars a feed's data has."""
        (slot,) = [slot for slot in self.slots if slot.name == name]
        return np.array(slot.data.bars) if slot.data.bars else np.zeros(0)

    def late(self, name):
        """Whether each of them took no entry."""
        (slot,) = [slot for slot in self.slots if slot.name == name]
        return slot.data.late
