"""A live session whose venue is a stand-in: engine, guard, broker, outbox and journal are real.

The venue's thread tells prices and fills and notes when it is handed an order; it answers when it
is told to, so that what is measured is what happens on our side.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backtests.engine import PlanRun, strategy_maker
from brokers.broker import LiveBroker
from brokers.inbox import Inbox
from brokers.port import Brackets, Capabilities, OrderChangeRequest, VenueOrder
from core.calendar import get_calendar
from core.events import (
    Answer,
    Clock,
    Event,
    Execution,
    Link,
    LinkState,
    OrderStatus,
    OrderUpdate,
    Outcome,
    Ticks,
    Verb,
)
from core.fx import constant_rate
from core.instruments import get_instrument
from core.orders import OrderKind, Role, Side, TimeInForce
from core.ticks import TICK, TRADE
from core.zones import NS_PER_MINUTE, NS_PER_SECOND
from feeds.live import FeedTerms, LiveFeed
from feeds.live_data import LiveData
from live.bench.paper import CASH, LIMITS, loaded_plan
from live.cerebro import LiveCerebro
from live.engine import Engine, FeedSlot
from live.journal import Journal, SessionFacts, open_journal
from live.kill import KillSwitch
from live.mailbox import Mailbox
from live.outbox import LiveOutbox
from live.session import LOOK_SECS
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard

OPENED = 1_717_396_200 * NS_PER_SECOND
"""A Monday inside the session of the gold futures: 2024-06-03 06:30 UTC."""
_TICK = 0.1
_PATIENCE_SECS = 30.0


class StandIn:
    """A venue port that notes what it is handed, and when; any thread may read that.

    brackets : NONE, or CHILD_ORDERS given with the entry.
    """

    def __init__(self, brackets: Brackets) -> None:
        native = brackets is not Brackets.NONE
        self.capabilities = Capabilities(
            venue="stand-in",
            order_kinds=frozenset(OrderKind),
            times_in_force=frozenset(TimeInForce),
            brackets=brackets,
            bracket_roles=frozenset({Role.STOP, Role.TARGET}) if native else frozenset(),
            tag_chars=40,
            tag_on_executions=True,
        )
        self.handed: list[tuple[float, VenueOrder]] = []
        self.cancelled: list[str] = []
        self._wanted = 0
        self._there = threading.Event()

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Note an order and the moment."""
        self.handed.append((time.perf_counter(), order))
        if len(self.handed) >= self._wanted:
            self._there.set()

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Ignore a change."""

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Note a cancel."""
        self.cancelled.append(order_id)

    def request_history(self, *_: Any) -> None:
        """Leave a question for history unanswered."""

    def request_snapshot(self, *_: Any) -> None:
        """Leave a question for a snapshot unanswered."""

    def expect(self, count: int) -> None:
        """Forget what was handed before, and look out for so many orders."""
        self.handed, self.cancelled, self._wanted = [], [], count
        self._there.clear()

    def wait(self) -> list[tuple[float, VenueOrder]]:
        """Return the orders expected, once they are there."""
        if not self._there.wait(_PATIENCE_SECS):
            raise RuntimeError(f"{len(self.handed)} of {self._wanted} orders came")
        return list(self.handed)


class Scene:
    """One account of several plans, one instrument each, and the thread that is its venue.

    Parameters
    ----------
    strategies : of the plans. folder : for the journal and the mailbox.
    timeframe_ns : of all plans. brackets : how the venue keeps stops and targets.
    alone : all feeds belong to the one strategy there is; the others are further series.
    """

    def __init__(
        self,
        strategies: Sequence[type[Any]],
        folder: Path,
        timeframe_ns: int = NS_PER_MINUTE,
        brackets: Brackets = Brackets.NONE,
        feeds: int | None = None,
    ) -> None:
        self.inbox = Inbox()
        self.venue = StandIn(brackets)
        self.journal = _journal(folder)
        self.outbox = LiveOutbox(self.journal, self.venue)
        self.broker = LiveBroker(self.venue, self.outbox, CASH, "USD", "b-")
        self.guard = Guard(self.broker, LIMITS)
        self.timeframe_ns = timeframe_ns
        self.now = OPENED
        self.plans: list[PlanRun] = []
        self.slots = [self._slot(place) for place in range(feeds or len(strategies))]
        self.engine = Engine(
            self.broker, self.venue, self.slots, self.inbox, self.journal, None, 10 * NS_PER_SECOND
        )
        self.engine.on_cycle = _Housekeeping(self.journal, folder)
        self._cerebro(strategies)
        self._failure: BaseException | None = None

    @property
    def symbols(self) -> list[str]:
        """The instruments, as their feeds name them."""
        return [slot.feed.symbol for slot in self.slots]

    def run(self, venue: Callable[[], None]) -> None:
        """Run the engine on this thread and the venue on another, until that has done its part."""
        thread = threading.Thread(target=self._venue, args=(venue,), daemon=True)
        self.cerebro.when_ready = thread.start
        self.cerebro.run()
        thread.join()
        self.journal.end("done")
        self.journal.close()
        if self._failure is not None:
            raise self._failure

    def _venue(self, venue: Callable[[], None]) -> None:
        try:
            self.tell(Link(LinkState.CONNECTED, ts_event=self.now))
            self.settle()
            venue()
        except BaseException as failure:  # told to the thread that waits for it
            self._failure = failure
        finally:
            self.engine.stop("done")

    # -- what the venue's thread does --------------------------------------------------------

    def tell(self, *events: Event) -> float:
        """Put events into the inbox; return the moment before."""
        began = time.perf_counter()
        self.inbox.put_all(events)
        return began

    def settle(self) -> None:
        """Wait until the engine has done everything and sleeps."""
        until = time.perf_counter() + _PATIENCE_SECS
        while not self.inbox.is_quiet:
            if time.perf_counter() > until:
                raise RuntimeError("the engine did not come to rest")
            time.sleep(0.0005)

    def tick(self, symbol: str, price: float, at: int | None = None) -> Ticks:
        """Return one trade, by default now."""
        now = self.now if at is None else at
        ticks = np.zeros(1, TICK)
        ticks["ts_event"] = ticks["ts_init"] = now
        ticks["price"], ticks["volume"], ticks["spread"] = price, 1.0, _TICK
        ticks["bid"] = ticks["ask"] = np.nan
        ticks["flags"] = TRADE
        return Ticks(symbol, ticks, ts_event=now, ts_init=now)

    def clock(self) -> Clock:
        """Return the word that time has passed."""
        return Clock(ts_event=self.now, ts_init=self.now)

    def next_bar(self) -> None:
        """Let the market's time go on to the end of the bar."""
        self.now = (self.now // self.timeframe_ns + 1) * self.timeframe_ns

    def answers(self, order: VenueOrder, status: OrderStatus) -> list[Event]:
        """Return what a venue says of an order it has taken."""
        children = [self.update(item.order_id, OrderStatus.HELD) for item in order.children]
        return [self.accepted(order.order_id), self.update(order.order_id, status), *children]

    def accepted(self, order_id: str, verb: Verb = Verb.SUBMIT) -> Answer:
        """Return the word that a request has come."""
        return Answer(0, verb, Outcome.ACCEPTED, order_id, f"v{order_id}", ts_event=self.now)

    def update(self, order_id: str, status: OrderStatus) -> OrderUpdate:
        """Return what a venue says of an order of ours."""
        return OrderUpdate(status, f"v{order_id}", order_id, order_id, ts_event=self.now)

    def execution(self, order: VenueOrder, price: float) -> Execution:
        """Return the whole fill of an order."""
        return Execution(
            f"f{order.order_id}", f"v{order.order_id}", order.symbol, Side(order.side),
            order.quantity, price, order.order_id, order.order_id, ts_event=self.now,
        )  # fmt: skip

    # -- the parts ---------------------------------------------------------------------------

    def _slot(self, place: int) -> FeedSlot:
        instrument = replace(get_instrument("MGC"), symbol=f"MGC{place}")
        name = f"p{place}"
        data = LiveData(instrument.symbol, self.timeframe_ns)
        data.tola_plan, data.tola_calendar = name, get_calendar(instrument.calendar)
        terms = FeedTerms(stale_ns=0)
        feed = LiveFeed(instrument.symbol, self.timeframe_ns, data.tola_calendar, terms)
        rate = constant_rate(instrument.quote_currency, "USD", 1.0)
        self.broker.add_instrument(data, instrument, name, fx=rate)
        return FeedSlot(name, name, feed, data, True)

    def _cerebro(self, strategies: Sequence[type[Any]]) -> None:
        self.cerebro = LiveCerebro()
        self.cerebro.engine = self.engine
        for slot in self.slots:
            self.cerebro.adddata(slot.data, name=slot.name)
        self.cerebro.setbroker(self.guard)
        for slot, strategy in zip(self.slots, strategies, strict=False):
            plan = PlanRun(loaded_plan(strategy, slot.name, 1), slot.data)
            self.plans.append(plan)
            self.cerebro.addstrategy(strategy_maker(plan, alone=False))
        self.cerebro.addanalyzer(DailyLoss, _name="daily_loss")
        self.cerebro.addanalyzer(TradeRisk, _name="trade_risk")


class _Housekeeping:
    """What a session does on its engine's cycles, as far as it takes time."""

    def __init__(self, journal: Journal, folder: Path) -> None:
        self._journal = journal
        self._mail = Mailbox(folder / "commands")
        self._kill = KillSwitch(folder / "KILL", "bench")
        self._next_look = 0.0

    def __call__(self) -> None:
        """Look at hands, the kill switch and the journal as often as a session does."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECS
        self._mail.take()
        if self._kill.is_pressed:
            raise RuntimeError("killed")
        self._journal.try_flush()


def _journal(folder: Path) -> Journal:
    journal = open_journal(str(folder / "journal.sqlite"), "bench")
    journal.begin(SessionFacts("live", "stand-in", "bench", {}))
    return journal
