"""The one thread of a session: it takes events in order, and everything done follows from them.

Each event is numbered in the journal, then applied. Nothing here looks at a clock, a socket or
chance except through an event; so the recorded sequence, run through this again, ends in the same
state (live/recovery.py), and the same prices give the same trades as a backtest.

What comes first: events that belong to the one being applied (a paper exchange's fills), then bars
that are complete, then the inbox.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from brokers.inbox import Inbox
from core.bars import BAR, NEVER_NS
from core.errors import TolaError
from core.events import (
    AccountUpdate,
    Answer,
    Bars,
    CashFlow,
    Clock,
    Command,
    Event,
    Execution,
    FloorMet,
    HistoryBars,
    Link,
    LinkState,
    OrderUpdate,
    PositionUpdate,
    Snapshot,
    Ticks,
    VenueBar,
)
from feeds.live import HistoryNeed, LiveFeed

RESTART = "restart"
"""Reason of the `Link` by which a process that goes on from another's record begins."""
_WITHOUT_PRICES = ("orders",)
"""Connections that bring no prices: feeds do not mind them."""


class Recorder(Protocol):
    """Where events get their number."""

    def append(self, event: Event) -> int:
        """Number an event; it is written with the next commit."""


class Source(Protocol):
    """What the engine fetches itself when it has nothing else to do: a replay, or the time."""

    def pump(self, inbox: Inbox) -> float | None:
        """Put the next events into the inbox; return seconds to wait first, None at the end."""


@dataclass
class FeedSlot:
    """A feed in the engine: its machine, its Backtrader data, whose it is.

    cell : the bar that is being traded, None between bars; its START (-1) and END (never).
    is_clock : the plan's first data.
    guests : plans without a feed of their own that live by its bars.
    """

    name: str
    plan_id: str
    feed: LiveFeed
    data: Any
    is_clock: bool
    cell: Any = None
    cell_start: int = -1
    cell_end: int = NEVER_NS
    guests: tuple[str, ...] = ()

    @property
    def plan_ids(self) -> tuple[str, ...]:
        """All plans that live by its bars."""
        return (self.plan_id, *self.guests)


@dataclass
class Counts:
    """What a session has seen."""

    ticks: int = 0
    bars: int = 0
    late_bars: int = 0
    reconnects: int = 0


@dataclass(order=True)
class _Ready:
    end: int
    rank: tuple[int, int]
    slot: FeedSlot = field(compare=False)
    bar: Any = field(compare=False)


class Engine:
    """Applies events to feeds, broker and strategies.

    Parameters
    ----------
    broker : LiveBroker. port : its VenuePort (a `TickMatcher` too, on paper).
    slots : the feeds; further series of a plan come before it.
    inbox : events from other threads.
    recorder : numbers every event.
    source : prices to fetch when idle, None where threads bring them.
    entry_age_ns : a bar delivered later than that after its END takes no entry.
    on_command : applies a `Command`.

    Attributes
    ----------
    now : market time, ns UTC.
    seq : number of the event being applied.
    exit_reason : why the session ends, "" while it goes on.
    """

    def __init__(
        self,
        broker: Any,
        port: Any,
        slots: Sequence[FeedSlot],
        inbox: Inbox,
        recorder: Recorder,
        source: Source | None,
        entry_age_ns: int,
        on_command: Callable[[Command], None] = lambda command: None,
    ) -> None:
        self.broker = broker
        self.port = port
        self.matcher = port if hasattr(port, "see") else None
        self.slots = list(slots)
        self.inbox = inbox
        self.nested: deque[Event] = deque()
        self.recorder = recorder
        self.source = source
        self.entry_age_ns = entry_age_ns
        self.on_command = on_command
        self.on_cycle: Callable[[], None] = lambda: None
        self.on_failure: Callable[[Exception | SystemExit], None] = _raise
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_snapshot: Callable[[Snapshot], None] = lambda snapshot: None
        self.counts = Counts()
        self.now = 0
        self.exit_reason = ""
        self.replaying = False
        self.seq = 0
        self._pieces: deque[Event] = deque()
        self._ready: list[_Ready] = []
        self._requests = itertools.count(1)
        self._asked: dict[int, tuple[FeedSlot, HistoryNeed]] = {}
        self._by_name = {slot.name: slot for slot in self.slots}
        self._by_symbol: dict[str, list[FeedSlot]] = {}
        for slot in self.slots:
            self._by_symbol.setdefault(slot.feed.symbol, []).append(slot)
        self._cerebro: Any = None
        self._strategies: list[Any] = []
        self._up_since = 0

    # -- the loop ----------------------------------------------------------------------------

    def begin(self, cerebro: Any, strategies: list[Any]) -> None:
        """Take what Cerebro has built: the session is about to run."""
        self._cerebro, self._strategies = cerebro, strategies
        self._plan_of = {id(plan.data): plan for plan in self.broker.plans}
        self._plans = {plan.plan_id: plan for plan in self.broker.plans}

    def run(self) -> None:
        """Apply events until the session ends."""
        while not self.exit_reason:
            has_acted = self.step()
            # Before waiting, not after: what woke the engine goes first.
            self.on_cycle()
            if not has_acted and not self.exit_reason:
                self._wait()
        self.settle()

    def _wait(self) -> None:
        """Wait for the next event, or fetch it."""
        if self.source is None:
            self.inbox.wait(0.2)
            return
        wait = self.source.pump(self.inbox)
        if wait is None:
            self.stop("end of data")
        elif wait > 0.0:
            self.inbox.wait(min(wait, 0.1))

    def step(self) -> bool:
        """Apply one event or deliver one group of bars; False where there is neither."""
        if self.nested:
            self.consume(self.nested.popleft())
        elif self._is_deliverable():
            self._deliver_next()
        else:
            event = self._pieces.popleft() if self._pieces else self.inbox.take()
            if event is None:
                return False
            self.consume(self._in_order(event) if type(event) is Ticks else event)
        return True

    def _in_order(self, event: Ticks) -> Event:
        """Return what is to be consumed first: ticks one bar at a time, each after its clock.

        A tick that shows a bar to be over belongs to the next one: the bar goes out first.
        """
        ticks = event.ticks
        first = int(ticks["ts_event"][0])
        slots = self._by_symbol.get(event.symbol, [])
        if first > self.now and self._ends_by(first):
            self._pieces.appendleft(event)
            return Clock(ts_event=first)
        if len(ticks) == 1 or _is_one_bar(slots, int(ticks["ts_event"][-1])):
            return event
        piece, rest = (
            Ticks(event.symbol, part, ts_event=event.ts_event, ts_init=event.ts_init)
            for part in (ticks[:1], ticks[1:])
        )
        self._pieces.appendleft(rest)
        return piece

    def _ends_by(self, now: int) -> bool:
        """Whether some bar is over at a time."""
        return any(
            slot.cell_end <= now or (slot.feed.ends_at or NEVER_NS) <= now for slot in self.slots
        )

    def next_due(self) -> int | None:
        """Return the market's time at which something happens without a price, None for never.

        A bar ends, history is asked for (again), an answer is given up, silence is too long; bars
        have waited long enough for the venue's books.
        """
        times = [slot.feed.due for slot in self.slots]
        times += [slot.cell_end for slot in self.slots]
        if self._ready and self._awaits_books():
            times.append(self._up_since + self.entry_age_ns)
        due = min(times, default=NEVER_NS)
        return None if due == NEVER_NS else max(due, self.now + 1)

    def settle(self) -> None:
        """Apply what has happened already; nothing new is fetched."""
        while self.nested or self._is_deliverable():
            self.step()

    def stop(self, reason: str) -> None:
        """End the session after what is at hand."""
        self.exit_reason = self.exit_reason or reason
        self.inbox.poke()

    # -- events ------------------------------------------------------------------------------

    def consume(self, event: Event) -> None:
        """Number an event and apply it."""
        self.seq = self.recorder.append(event)
        self.apply(event)

    def replay(self, seq: int, event: Event) -> None:
        """Apply a recorded event again, in its place."""
        self.seq = seq
        self.apply(event)

    def apply(self, event: Event) -> None:
        """Apply an event, and let Backtrader hear what came of it."""
        outbox = self.broker.outbox
        outbox.hold()
        try:
            apply = _APPLY.get(type(event))
            if apply is not None:
                apply(self, event)
            self.on_event(event)
            outbox.send()  # a stop waits for nobody's notify_order
            self.notify()
        finally:
            outbox.release()
        self._ask_history()

    def notify(self) -> None:
        """Hand order notifications to the strategies."""
        if self._cerebro is None:
            return
        try:
            self._cerebro._brokernotify()
        except (Exception, SystemExit) as failure:  # whatever a strategy raises in notify_order
            self._failed(failure)

    def _on_ticks(self, event: Ticks) -> None:
        ticks = event.ticks
        self.counts.ticks += len(ticks)
        self.pass_time(int(ticks["ts_event"][0]))
        self._take(event.symbol, self._by_symbol.get(event.symbol, []), ticks)
        self.pass_time(int(ticks["ts_event"][-1]))

    def _take(self, symbol: str, slots: Sequence[FeedSlot], ticks: Any) -> None:
        """Take ticks that lie in one bar of each feed: build, begin bars, match, mark."""
        for slot in slots:
            self._add_ready(slot, slot.feed.take(ticks))
            if slot.is_clock:
                self._begin_if_new(slot)
        if self.matcher is not None and not self.replaying:
            self.matcher.see(symbol, ticks)
        for ts_event, _, price, _, _, _, spread, _ in ticks.tolist():
            self.broker.mark(symbol, price, spread, ts_event)

    def _begin_if_new(self, slot: FeedSlot) -> None:
        start = slot.feed.forming_start
        if start is None or slot.cell_start == start:
            return
        slot.cell = slot.feed.forming[0].copy()
        slot.cell_start, slot.cell_end = start, int(slot.cell["end"])
        for plan_id in slot.plan_ids:
            self.broker.begin_bar(self._plans[plan_id], slot.cell)
        self._drain()
        if self.matcher is not None and not self.replaying:
            for plan_id in slot.plan_ids:
                self.matcher.begin_bar(plan_id, slot.cell)

    def go_on(self) -> None:
        """After a restart: tell the matcher of the bars that had begun; it may not have kept it."""
        if self.matcher is not None:
            for slot in self.slots:
                for plan_id in slot.plan_ids if slot.cell is not None else ():
                    self.matcher.begin_bar(plan_id, slot.cell)

    def _drain(self) -> None:
        """Apply what the paper exchange answered before it goes on (cancels before a price)."""
        self.broker.outbox.send()
        while self.nested and not self.replaying:
            self.consume(self.nested.popleft())

    def pass_time(self, now: int) -> None:
        """The market's time is `now`: bars whose END it has reached are over."""
        if now <= self.now:
            return
        self.now = now
        for slot in self.slots:
            if now >= slot.cell_end:
                self._finish(slot)
            self._add_ready(slot, slot.feed.advance(now))
        if self.matcher is None:  # paper closes at the bar's own beginning, as a backtest does
            self.broker.pass_time(now)

    def _finish(self, slot: FeedSlot) -> None:
        forming = slot.feed.forming
        bar = forming[0] if len(forming) else slot.cell
        slot.cell, slot.cell_start, slot.cell_end = None, -1, NEVER_NS
        if self.matcher is not None and not self.replaying:
            for plan_id in slot.plan_ids:
                self.matcher.finish_bar(plan_id, bar)

    def _on_clock(self, event: Clock) -> None:
        self.pass_time(event.ts_event)

    def _on_history(self, event: HistoryBars) -> None:
        asked = self._asked.get(event.request_id)
        if asked is None:
            return
        slot, need = asked
        if event.is_last or event.error:
            del self._asked[event.request_id]
        bars = slot.feed.hear_history(need, event.bars, self.now, event.is_last, event.error)
        self._add_ready(slot, bars)

    def _on_link(self, event: Link) -> None:
        is_up = event.state is LinkState.CONNECTED
        if event.reason == RESTART:
            self._up_since = NEVER_NS
            self.broker.note_restart()
        if event.name not in _WITHOUT_PRICES and not is_up:
            # Before time passes: a bar that was forming may lack its last ticks.
            for slot in self.slots:
                slot.feed.lost()
        self.pass_time(event.ts_event or event.ts_init)
        if event.name not in _WITHOUT_PRICES and is_up:
            for slot in self.slots:
                self._add_ready(slot, slot.feed.connected(self.now))
            self._up_since = self.now
            self.counts.reconnects += 1

    def _on_venue_bar(self, event: VenueBar) -> None:
        for slot in self._by_symbol.get(event.symbol, []):
            if slot.feed.timeframe_ns == event.timeframe_ns:
                slot.feed.compare(event.bar)

    def _on_snapshot(self, event: Snapshot) -> None:
        self.on_snapshot(event)

    def _ask_history(self) -> None:
        for slot in self.slots:
            for need in slot.feed.needs:
                request_id = next(self._requests)
                self._asked[request_id] = (slot, need)
                if not self.replaying:
                    self.port.request_history(
                        request_id, need.symbol, need.timeframe_ns, need.start, need.end
                    )
            slot.feed.needs.clear()

    # -- bars --------------------------------------------------------------------------------

    def _add_ready(self, slot: FeedSlot, bars: Any) -> None:
        if not len(bars):
            return
        place = self.slots.index(slot)
        for bar in bars:
            heapq.heappush(
                self._ready, _Ready(int(bar["end"]), (int(slot.is_clock), place), slot, bar.copy())
            )

    def _is_deliverable(self) -> bool:
        """Whether the oldest complete bar may go out: nothing as old of its plan may come."""
        if not self._ready or self.replaying or self._awaits_books():
            return False
        oldest = self._ready[0]
        return not any(
            slot.plan_id == oldest.slot.plan_id and slot.feed.may_tell(oldest.end)
            for slot in self.slots
        )

    def _awaits_books(self) -> bool:
        """Whether bars wait for the venue's books after a restart, as long as an entry may.

        A strategy shall not act on a position that was closed meanwhile.
        """
        return self.broker.awaits_books and self.now - self._up_since < self.entry_age_ns

    def _deliver_next(self) -> None:
        """Deliver all complete bars of the oldest END as one event."""
        end = self._ready[0].end
        group = []
        while self._ready and self._ready[0].end == end:
            group.append(heapq.heappop(self._ready))
        late = self.now - end > self.entry_age_ns
        event = Bars(
            tuple(item.slot.name for item in group),
            tuple(late or not item.slot.feed.is_whole for item in group),
            np.array([item.bar for item in group], BAR),
            ts_event=self.now,
        )
        self.consume(event)

    def _on_bars(self, event: Bars) -> None:
        """Step the feeds, then every strategy once that has bars: histories come one by one."""
        if self.replaying:
            self._drop_ready(int(event.bars["end"][0]))
        for name, late, bar in zip(event.names, event.late, event.bars, strict=True):
            slot = self._by_name[name]
            slot.data.push(bar, late)
            slot.data.next(ticks=False)
            self.counts.bars += slot.is_clock
            self.counts.late_bars += slot.is_clock and late
            if slot.is_clock:
                self.broker.finish_bar(self._plan_of[id(slot.data)], bar)
        self.notify()
        for strategy in [item for item in self._strategies if any(map(len, item.datas))]:
            try:
                strategy._next()
            except (Exception, SystemExit) as failure:  # whatever a strategy raises
                self._failed(failure)
                break
            self.broker.outbox.send_if_due()

    def _drop_ready(self, end: int) -> None:
        """Forget what the record says was delivered; what is left at its end is still to be."""
        while self._ready and self._ready[0].end <= end:
            heapq.heappop(self._ready)

    def _failed(self, failure: Exception | SystemExit) -> None:
        """Step no strategy any more; in a replay the record cannot go on."""
        if self.replaying or isinstance(failure, TolaError):
            raise failure
        self._strategies = []
        self.broker.outbox.drop_entries("strategy_error")
        self.on_failure(failure)


def _raise(failure: Exception | SystemExit) -> None:
    raise failure


def _is_one_bar(slots: Sequence[FeedSlot], last: int) -> bool:
    """Whether ticks up to a time lie in the bar that each feed is building."""
    return all(slot.feed.ends_at is not None and last < slot.feed.ends_at for slot in slots)


_APPLY: dict[type[Event], Callable[[Engine, Any], None]] = {
    Ticks: Engine._on_ticks,
    Clock: Engine._on_clock,
    HistoryBars: Engine._on_history,
    VenueBar: Engine._on_venue_bar,
    Bars: Engine._on_bars,
    Link: Engine._on_link,
    Snapshot: Engine._on_snapshot,
    Answer: lambda engine, event: engine.broker.hear(event),
    OrderUpdate: lambda engine, event: engine.broker.hear(event),
    Execution: lambda engine, event: engine.broker.hear(event),
    CashFlow: lambda engine, event: engine.broker.hear_cash(event),
    FloorMet: lambda engine, event: engine.broker.hear_floor(event),
    AccountUpdate: lambda engine, event: engine.broker.hear_account(event),
    PositionUpdate: lambda engine, event: engine.broker.hear_position(event),
    Command: lambda engine, event: engine.on_command(event),
}
