"""Our side in a lab: a real engine, broker, guard, outbox, feed, and a strategy that tests drive.

It runs on a thread of its own, as a session does. What a test wants done goes to it as a `Command`,
so that a record of it can be run through again.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import backtrader as bt

from brokers.broker import LiveBroker
from brokers.inbox import Inbox
from brokers.live_terms import Foreign, LiveTerms
from brokers.port import Brackets
from core.calendar import get_calendar
from core.events import Command, Event, Link, LinkState, Snapshot
from feeds.live import FeedTerms, LiveFeed
from feeds.live_data import LiveData
from live.cerebro import LiveCerebro
from live.controls import Controls
from live.engine import Engine, FeedSlot
from live.journal import SessionFacts, open_journal
from live.outbox import LiveOutbox
from live.recovery import chain_of, recover
from risk.guard import Guard
from tests.conformance.lab import MINUTE, SECOND, Lab

PLAN = "plan"
PATIENCE_SECS = 90.0
"""Longer than compiling takes on a busy machine."""
UNPROTECTED_SECS = 5.0
SNAPSHOT_EVERY = 5 * SECOND
"""How often the venue's books are read, though nothing seems to be missing."""
HISTORY_BARS = 5
STALE_NS = 10 * MINUTE
"""Longer than any test keeps its market silent."""
_KINDS = {
    "market": bt.Order.Market, "limit": bt.Order.Limit, "stop": bt.Order.Stop,
    "stop_limit": bt.Order.StopLimit,
}  # fmt: skip


class Driven(bt.Strategy):
    """Does what it is told and notes all it hears.

    orders : by the names tests give them: a bracket's are `a`, `a.stop`, `a.target`, `a.target2`.
    """

    def __init__(self) -> None:
        self.orders: dict[str, Any] = {}
        self.heard: list[tuple[str, str, float, float, str]] = []
        self.bars: list[tuple[float, float, float, float, float]] = []
        self._names: dict[int, str] = {}

    def notify_order(self, order: Any) -> None:
        name = self._names.get(order.ref, "-")
        done, reason = order.executed, str(order.info.get("reason") or "")
        self.heard.append((name, order.getstatusname(), done.size, done.price, reason))

    def next(self) -> None:
        data = self.data
        self.bars.append((data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0]))

    def act(self, what: str, name: str, **terms: Any) -> None:
        """Carry out what a test wants."""
        getattr(self, f"_{what}")(name, **terms)

    def _know(self, name: str, order: Any) -> Any:
        if order is not None:
            self.orders[name] = order
            self._names[order.ref] = name
        return order

    def _order(
        self,
        name: str,
        side: str,
        size: float,
        kind: str = "market",
        price: float | None = None,
        day: bool = False,
        **more: Any,
    ) -> None:
        send = self.buy if side == "buy" else self.sell
        valid = bt.Order.DAY if day else None
        self._know(name, send(size=size, exectype=_KINDS[kind], price=price, valid=valid, **more))

    def _bracket(
        self,
        name: str,
        side: str,
        size: float,
        stop: float,
        targets: Sequence[Sequence[float]],
        kind: str = "market",
        price: float | None = None,
    ) -> None:
        enter, leave = (self.buy, self.sell) if side == "buy" else (self.sell, self.buy)
        parent = self._know(
            name, enter(size=size, exectype=_KINDS[kind], price=price, transmit=False)
        )
        last = len(targets)
        self._know(
            f"{name}.stop",
            leave(size=size, exectype=bt.Order.Stop, price=stop, parent=parent, transmit=not last),
        )
        for number, (leg, at, *stop_to) in enumerate(targets, 1):
            more = {"stop_to": stop_to[0]} if stop_to else {}
            order = leave(
                size=leg, exectype=bt.Order.Limit, price=at, parent=parent,
                transmit=number == last, **more,
            )  # fmt: skip
            self._know(f"{name}.target{number if number > 1 else ''}", order)

    def _cancel(self, name: str) -> None:
        self.cancel(self.orders[name])

    def _modify(self, name: str, **terms: Any) -> None:
        self.broker.modify(self.orders[name], **terms)

    def _close(self, name: str) -> None:
        self._know(name, self.close())


class Killed(BaseException):
    """What ends our side's thread where a process would be killed."""


class _Numbers:
    """Numbers events and keeps none."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def append(self, event: Event) -> int:
        return next(self._count)


class OurSide:
    """One process of ours on a lab's account.

    Parameters
    ----------
    rules : of the guard. journal : keep a record, so that `restart` can go on from it.
    terms : how the broker is kept.

    Attributes
    ----------
    events : all that was consumed, oldest first. differences : what snapshots showed.
    other_hands : what another hand was seen to do, in words.
    """

    def __init__(
        self,
        lab: Lab,
        *,
        rules: Sequence[Any] = (),
        journal: bool = False,
        terms: LiveTerms | None = None,
        symbol: str = "",
    ) -> None:
        self.lab = lab
        self._rules = tuple(rules)
        self._keeps_journal = journal
        self._terms = terms or LiveTerms(foreign=Foreign.PAUSE)
        self.events: list[Event] = []
        self.differences: list[str] = []
        self.other_hands: list[str] = []
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._is_killed = False
        self._build()

    def _build(self) -> None:
        lab = self.lab
        self.inbox = Inbox()
        self.port = lab.open_port(self._hear)
        self.journal = None
        recorder: Any = _Numbers()
        if self._keeps_journal:
            self.journal = recorder = open_journal(str(Path(lab.folder) / "journal.db"), "lab")
        self.outbox = LiveOutbox(self.journal, self.port)
        self.broker = LiveBroker(
            self.port, self.outbox, lab.cash, lab.currency, "lab-", self._terms
        )
        self.broker.on_other_hand = self._note_hand
        self.data = LiveData(lab.symbol, MINUTE)
        self.data.tola_plan = PLAN
        self.broker.add_instrument(self.data, lab.instrument, PLAN)
        feed = LiveFeed(
            lab.symbol, MINUTE, get_calendar(lab.calendar), FeedTerms(HISTORY_BARS, STALE_NS)
        )
        self.guard = Guard(self.broker, *self._rules)
        slot = FeedSlot(PLAN, PLAN, feed, self.data, True)
        self.engine = Engine(
            self.broker, self.port, [slot], self.inbox, recorder, None, 10 * SECOND
        )
        self.engine.on_cycle = self._housekeep
        self.engine.on_event = self._note_event
        self.engine.on_snapshot = self._hear_snapshot
        self.engine.on_command = self._obey
        self.cerebro = LiveCerebro()
        self.cerebro.engine = self.engine
        self.cerebro.when_ready = self._begin
        self.cerebro.adddata(self.data, name=lab.symbol)
        self.cerebro.setbroker(self.guard)
        self.cerebro.addstrategy(Driven)
        run = SimpleNamespace(plan_id=PLAN, strategy=None)
        stage = SimpleNamespace(guard=self.guard, broker=self.broker, plans=[run], hands=[])
        self.controls = Controls(stage, self.engine.stop)
        self._flattened: set[str] = set()
        self._asked_at: int | None = None
        self._snapshots = itertools.count(1)
        self._engine_thread = 0
        lab.join(self)

    # -- the thread --------------------------------------------------------------------------

    def start(self) -> OurSide:
        """Start, and wait until the session stands."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.settle()
        return self

    def _run(self) -> None:
        self._engine_thread = threading.get_ident()
        try:
            self.cerebro.run()
        except Killed:
            pass
        except BaseException as failure:  # told to the thread that waits for it
            self._failure = failure

    def _begin(self) -> None:
        """Do what a session does before it trades: record, connection, the venue's books."""
        chain = []
        if self.journal is not None:
            chain = chain_of(self.journal.sessions())
            document = {"continues": chain[-1].session_id if chain else None}
            if chain:
                recover(self, self.journal, chain)
                self.engine.consume(
                    Link(LinkState.LOST, reason="restart", ts_event=self.engine.now)
                )
            self.journal.begin(SessionFacts("paper", "lab", "lab", document))
        self.port.connect()
        self.port.subscribe([self.lab.symbol])
        self._settle_begun()
        self.ask_snapshot()
        self._settle_begun()
        for verb, wanted in self.outbox.take_unsent():
            self.broker.settle_unsent(verb, wanted, self.engine.now, 10 * SECOND)
        self.engine.settle()

    def _settle_begun(self) -> None:
        """Apply all that comes until nothing is on its way."""
        self.lab.rest()
        while self.engine.step():
            self.lab.rest()

    def kill(self) -> None:
        """Die as by kill -9: what was not written is gone."""
        self._is_killed = True
        self.inbox.poke()
        assert self._thread is not None
        self._thread.join(PATIENCE_SECS)
        if self.journal is not None:
            self.journal.close(abandon=True)
            self.journal = None
        self.lab.drop_port()

    def restart(self) -> OurSide:
        """Come back to the same account (after `kill`), and go on from the record."""
        self._is_killed = False
        self.events, self.differences, self.other_hands = [], [], []
        self._build()
        return self.start()

    def stop(self) -> None:
        """End in order."""
        if self._thread is not None and self._thread.is_alive():
            self.engine.stop("done")
            self._thread.join(PATIENCE_SECS)
        if self.journal is not None:
            self.journal.close(abandon=True)
            self.journal = None

    # -- on the engine's thread --------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        """Take what the port tells: at once where the engine itself has called the venue."""
        if threading.get_ident() == self._engine_thread:
            self.engine.nested.append(event)
        else:
            self.inbox.put(event)

    def _obey(self, command: Command) -> None:
        if command.name == "do":
            self.strategy.act(**command.arguments)
        elif command.name == "ask":
            if not self.engine.replaying:
                self.ask_snapshot()
        else:
            self.controls.apply(command)

    def _housekeep(self) -> None:
        """Do what a session does on each cycle of its engine."""
        if self._is_killed:
            raise Killed
        now = self.engine.now
        pause = SECOND if self.broker.needs_snapshot else SNAPSHOT_EVERY
        if self._asked_at is not None and now - self._asked_at >= pause:
            self.ask_snapshot()
        for plan in self.broker.check_protection(now, int(UNPROTECTED_SECS * SECOND)):
            if plan.plan_id not in self._flattened:
                self._flattened.add(plan.plan_id)
                self.engine.consume(
                    Command("flatten", {"plan": plan.plan_id, "reason": "unprotected"}, "session")
                )
        if self.journal is not None and not self.engine.nested and not len(self.inbox):
            self.journal.flush()

    def ask_snapshot(self) -> None:
        """Ask the venue for its own books."""
        self._asked_at = self.engine.now
        self.port.request_snapshot(next(self._snapshots), 0)

    def _hear_snapshot(self, snapshot: Snapshot) -> None:
        self.differences += [item.describe() for item in self.broker.hear_snapshot(snapshot)]

    def _note_event(self, event: Event) -> None:
        self.events.append(event)
        is_back = isinstance(event, Link) and event.state is LinkState.CONNECTED
        if is_back and self._asked_at is not None and not self.engine.replaying:
            self.ask_snapshot()

    def _note_hand(self, act: Foreign, what: Any) -> None:
        self.other_hands.append(what.describe())
        if act is Foreign.PAUSE:
            self.guard.block("other_hand", what.describe())

    # -- what a test asks --------------------------------------------------------------------

    @property
    def strategy(self) -> Driven:
        """The strategy of this process."""
        found: Driven = self.cerebro.runningstrats[0]
        return found

    def settle(self) -> None:
        """Wait until the venue and we have done all there is to do."""
        deadline = time.monotonic() + PATIENCE_SECS
        quiet = 0
        while quiet < 2:
            self.lab.rest()
            if self._failure is not None:
                raise self._failure
            at_rest = self.inbox.is_quiet and not self.engine.nested
            quiet = quiet + 1 if at_rest else 0
            if time.monotonic() > deadline:
                raise AssertionError("our side did not come to rest")
            time.sleep(0.0003)

    def do(self, what: str, name: str = "a", **terms: Any) -> None:
        """Let the strategy act, and wait until all that follows has been done."""
        self._tell(Command("do", {"what": what, "name": name, **terms}, ts_event=self.lab.now))

    def control(self, name: str, **arguments: Any) -> None:
        """Lay a hand on the session, and wait until all that follows has been done."""
        self._tell(Command(name, arguments, "test", ts_event=self.lab.now))

    def _tell(self, command: Command) -> None:
        self.inbox.put(command)
        self.settle()

    def show(self, *prices: float, volume: float | None = None) -> None:
        """Let prices be printed, each taken in before the next."""
        for price in prices:
            self.lab.show(price, volume)
            self.settle()

    def wait(self, secs: int) -> None:
        """Let time pass, the last price printed again each second."""
        self.show(*[self.lab.last] * secs)

    # -- what there is -----------------------------------------------------------------------

    @property
    def position(self) -> float:
        """Signed position by our own books."""
        return float(self.guard.getposition(self.data).size)

    @property
    def working(self) -> set[str]:
        """Names of the orders Backtrader holds to be alive."""
        return {name for name, order in self.strategy.orders.items() if order.alive()}

    @property
    def is_on_position(self) -> bool:
        """Whether the venue keeps children as prices of a position."""
        return self.port.capabilities.brackets is Brackets.ON_POSITION  # type: ignore[no-any-return]

    @property
    def is_native(self) -> bool:
        """Whether the venue takes children with their entry as orders."""
        return self.port.capabilities.brackets is Brackets.CHILD_ORDERS  # type: ignore[no-any-return]

    def lots(self, count: int) -> float:
        """Return a quantity of so many lots."""
        return round(count * self.lab.lot, 9)

    def worth(self, quantity: float, ticks: int) -> float:
        """Return the account money of a move by so many ticks."""
        return quantity * ticks * self.lab.tick * self.lab.money_a_point

    def id_of(self, name: str) -> str:
        """Return our id of an order, as the venue's client tag."""
        return self.broker.order_id_of(self.strategy.orders[name].ref)

    def ask(self) -> None:
        """Ask the venue for its own books, and take them in."""
        self.inbox.put(Command("ask", {}, "test", ts_event=self.lab.now))
        self.settle()

    def venue_positions(self) -> list[Any]:
        """Return the positions of the last snapshot."""
        last = [event for event in self.events if isinstance(event, Snapshot)][-1]
        return list(last.positions)

    def states(self, name: str) -> list[str]:
        """Return what the strategy was told of an order, in order."""
        return [state for known, state, *_ in self.strategy.heard if known == name]

    def last(self, name: str) -> tuple[str, str, float, float, str]:
        """Return the last that was told of an order: name, state, size, price, reason."""
        return [row for row in self.strategy.heard if row[0] == name][-1]
