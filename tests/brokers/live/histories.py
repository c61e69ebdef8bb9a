"""Generated histories: what a venue may truly tell of an order group, and the same in disorder.

A history is what we ask (first, all of it) and what the venue then tells, as events that are each
true. It is drawn from a seed, so that any one can be made again. `play` tells it in a given order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import backtrader as bt

from core.events import (
    Answer,
    Execution,
    OrderStatus,
    OrderUpdate,
    Outcome,
    Snapshot,
    Verb,
)
from core.orders import Side
from tests.brokers.live.desk import CHILDREN, KEPT, NOON, PRICES, Desk

S = OrderStatus
MS = 1_000_000
RANK = {
    "Submitted": 1, "Accepted": 2, "Partial": 3, "Expired": 4, "Canceled": 5, "Margin": 6,
    "Rejected": 6, "Completed": 7,
}  # fmt: skip
"""The order in which Backtrader may hear of statuses; equal ones may replace each other."""


@dataclass
class Order:
    """An order at the venue as the history goes on."""

    order_id: str
    side: Side
    quantity: float
    price: float
    parent: str = ""
    filled: float = 0.0
    version: int = 0


@dataclass
class History:
    """One history.

    table : what kind of venue tells it. asks : what we do before it tells. later : what it tells of
    orders that we send only once we have heard of the entry's fills.
    """

    table: object
    size: int
    exit_size: int = 0
    asks: list = field(default_factory=list)
    events: list = field(default_factory=list)
    later: list = field(default_factory=list)
    marks: set = field(default_factory=set)


class Teller:
    """Draws a history: a venue that goes through the life of one group."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.now = NOON
        self.fills = self.requests = 0

    def history(self):
        """Return a history of one of the kinds of venues."""
        chance = self.chance
        table = chance.choice([KEPT, CHILDREN, CHILDREN, PRICES])
        self.out = History(table, chance.randint(1, 4))
        self.entry = Order("t000001", Side.BUY, float(self.out.size), 1999.0)
        self.stop = Order("t000002", Side.SELL, float(self.out.size), 1990.0, "t000001")
        self.target = Order("t000003", Side.SELL, float(self.out.size), 2010.0, "t000001")
        self.has_children = table is not KEPT
        self._entry_fate()
        if table is not PRICES and chance.random() < 0.2:
            self.note("hand")
            self._hand(chance.choice([Side.BUY, Side.SELL]), float(chance.randint(1, 3)))
        return self.out

    # -- telling -----------------------------------------------------------------------------

    def note(self, word):
        """Note what happens in it, to know what a run has covered."""
        self.out.marks.add(word)

    def tell(self, event):
        """Tell an event a moment after the last."""
        self.now += MS
        self.out.events.append(replace(event, ts_event=self.now))

    def answer(self, order, outcome, verb=Verb.SUBMIT, reason=""):
        """Answer a request."""
        venue_id = f"v{order.order_id}" if outcome is Outcome.ACCEPTED else ""
        self.requests += 1
        self.tell(Answer(self.requests, verb, outcome, order.order_id, venue_id, reason))

    def update(self, order, status, *, tells_filled=True, reason="", terms=True):
        """Tell an order's state: by our id, or by the venue's own with our tag."""
        order.version += 1
        named = self.chance.random() < 0.7
        given = {"quantity": order.quantity, "price": order.price} if terms else {}
        self.tell(
            OrderUpdate(
                status, f"v{order.order_id}", order.order_id if named else "", order.order_id,
                "" if not order.parent else f"v{order.parent}", "MGC", order.side,
                order.filled if tells_filled else 0.0, version=order.version, reason=reason,
                **given,
            )
        )  # fmt: skip

    def fill(self, order, quantity, price, told_twice=None, reason=""):
        """Tell a fill, often twice: by the stream, and with its costs by a query."""
        self.fills += 1
        order.filled += quantity
        as_price = order.parent and self.out.table is PRICES
        fill = Execution(
            f"f{self.fills}", "vposition" if as_price else f"v{order.order_id}", "MGC", order.side,
            quantity, price, "" if as_price else order.order_id, reason=reason,
        )  # fmt: skip
        self.tell(fill)
        if told_twice if told_twice is not None else self.chance.random() < 0.5:
            self.note("told twice")
            told = replace(self.out.events[-1], costs={"commission": 1.25 * quantity})
            if self.chance.random() < 0.5:
                self.out.events.append(told)
            else:
                self.out.events.append(Snapshot(1, 0, executions=(told,), ts_event=told.ts_event))

    def parts(self, total):
        """Return a quantity as one to three fills."""
        sizes = []
        while total:
            size = self.chance.randint(1, total)
            sizes.append(float(size))
            total -= size
        return sizes

    # -- fates -------------------------------------------------------------------------------

    def _entry_fate(self):
        chance = self.chance
        fates = [self._fills, self._fills, self._fills, self._ends, self._refused, self._unknown,
                 self._refused_yet_placed, self._overfilled, self._cancel_race, self._modify_race,
                 self._resized, self._late_fill]  # fmt: skip
        chance.choice(fates)()

    def _accepted(self):
        order = self.entry
        if self.chance.random() < 0.9:
            self.answer(order, Outcome.ACCEPTED)
        if self.chance.random() < 0.5:
            self.update(order, S.RECEIVED)
        self._working()

    def _working(self):
        self.update(self.entry, S.WORKING)
        if self.out.table is CHILDREN:
            for child in (self.stop, self.target):
                if self.chance.random() < 0.7:
                    self.update(child, S.HELD, terms=False)

    def _fill_entry(self, quantity):
        for size in self.parts(int(quantity)):
            self.fill(self.entry, size, 1999.0 - self.chance.randint(0, 5) / 10)
            if self.chance.random() < 0.4:
                self.update(self.entry, S.WORKING)

    def _fills(self):
        self.note("filled")
        self._accepted()
        self._fill_entry(self.entry.quantity)
        self._filled()

    def _filled(self):
        if self.chance.random() < 0.9:
            self.update(self.entry, S.FILLED)
        self._children()

    def _children(self):
        """The children of a filled entry work; perhaps one fills, perhaps both do."""
        if not self.entry.filled:
            return
        if not self.has_children:
            self._kept_children()
            return
        for child in (self.stop, self.target):
            child.quantity = self.entry.filled
            if self.out.table is CHILDREN:
                self.update(child, S.WORKING)
        fate = self.chance.random()
        if fate < 0.25:
            self.note("children work on")
            return
        first, second = self.chance.sample([self.stop, self.target], 2)
        for size in self.parts(int(first.quantity)):
            name = "stop" if first is self.stop else "target"
            self.fill(first, size, first.price, reason=name)
        if fate < 0.4 and self.out.table is CHILDREN:
            self.note("both children filled")
            self.update(first, S.FILLED)
            self.fill(second, second.quantity, second.price)
            self.update(second, S.FILLED)
            return
        self.note("a child filled")
        if self.out.table is CHILDREN:
            ends = [(first, S.FILLED), (second, S.CANCELLED)]
            self.chance.shuffle(ends)
            for order, status in ends:
                self.update(order, status)

    def _kept_children(self):
        """Children that are orders of ours are sent at the fill, and tell their own later."""
        self.note("children of ours")
        before, self.out.events = self.out.events, self.out.later
        for child in (self.stop, self.target):
            child.quantity = self.entry.filled
            self.update(child, S.WORKING)
        first, second = self.chance.sample([self.stop, self.target], 2)
        fate = self.chance.random()
        if fate < 0.7:
            for size in self.parts(int(first.quantity)):
                self.fill(first, size, first.price)
            self.update(first, S.FILLED)
        if fate < 0.2:
            self.note("both children filled")
            self.fill(second, second.quantity, second.price)
            self.update(second, S.FILLED)
        elif fate < 0.7:
            self.note("a child filled")
            self.update(second, S.CANCELLED)
        self.out.events = before

    def _childless(self):
        """The children of an entry that ended unfilled end with it."""
        if self.out.table is CHILDREN:
            for child in (self.stop, self.target):
                self.update(child, S.CANCELLED, reason="parent_ended")

    def _ends(self):
        status = self.chance.choice([S.CANCELLED, S.EXPIRED, S.REJECTED])
        part = self.chance.randint(0, self.out.size - 1)
        self.note(f"{status.name.lower()} with {'some' if part else 'none'} filled")
        self._accepted()
        self._fill_entry(part)
        self.update(self.entry, status, reason=self.chance.choice(["", "margin", "x"]))
        if part:
            self._children()
        else:
            self._childless()

    def _refused(self):
        self.note("refused")
        self.answer(self.entry, Outcome.REFUSED, reason=self.chance.choice(["", "no funds"]))

    def _unknown(self):
        self.note("unknown then found")
        self.answer(self.entry, Outcome.UNKNOWN)
        self._working()
        self._fill_entry(self.entry.quantity)
        self._filled()

    def _refused_yet_placed(self):
        """The venue refuses the bracket and places the entry: no children ever exist."""
        self.note("refused yet placed")
        self.answer(self.entry, Outcome.REFUSED, reason="brackets cannot be used")
        self.update(self.entry, S.WORKING)
        part = self.chance.randint(0, self.out.size)
        self._fill_entry(part)
        self.update(self.entry, S.FILLED if part == self.out.size else S.CANCELLED)

    def _overfilled(self):
        self.note("more filled than ordered")
        self._accepted()
        self._fill_entry(self.entry.quantity)
        self.fill(self.entry, 1.0, 1998.5)
        self.update(self.entry, S.FILLED)

    def _cancel_race(self):
        """We cancel; the entry fills in part, wholly or not at all before the venue hears of it."""
        self.note("cancel racing fill")
        self.out.asks.append(("cancel",))
        self._accepted()
        part = self.chance.randint(0, self.out.size)
        self._fill_entry(part)
        if part == self.out.size:
            self.answer(self.entry, Outcome.REFUSED, Verb.CANCEL, "already filled")
            self._filled()
            return
        self.answer(self.entry, Outcome.ACCEPTED, Verb.CANCEL)
        self.update(self.entry, S.CANCELLED)
        if part:
            self._children()
        else:
            self._childless()

    def _modify_race(self):
        """We move the entry; it fills at the old price or the new one."""
        self.note("modify racing fill")
        self.out.asks.append(("modify", 1998.0, None))
        self._accepted()
        if self.chance.random() < 0.5:
            self._fill_entry(self.entry.quantity)
            self.answer(self.entry, Outcome.REFUSED, Verb.MODIFY, "already filled")
        else:
            self.answer(self.entry, Outcome.ACCEPTED, Verb.MODIFY)
            self.entry.price = 1998.0
            self.update(self.entry, S.WORKING)
            self._fill_entry(self.entry.quantity)
        self._filled()

    def _resized(self):
        """We make the entry smaller or larger while it fills."""
        self.note("resized while filling")
        wanted = float(self.out.size + self.chance.choice([-1, 1]))
        if wanted < 1:
            wanted = 2.0
        self.out.asks.append(("modify", None, wanted))
        self._accepted()
        early = self.chance.randint(0, int(min(wanted, self.out.size)) - 1)
        self._fill_entry(early)
        self.answer(self.entry, Outcome.ACCEPTED, Verb.MODIFY)
        self.entry.quantity = wanted
        self.update(self.entry, S.WORKING)
        self._fill_entry(wanted - early)
        self._filled()

    def _late_fill(self):
        """The venue says cancelled without a word of fills, and fills had come before."""
        self.note("fill after cancel told")
        self.out.asks.append(("cancel",))
        self._accepted()
        part = self.chance.randint(1, self.out.size)
        self.update(self.entry, S.CANCELLED, tells_filled=False)
        self._fill_entry(part)
        if self.out.table is CHILDREN:
            for child in (self.stop, self.target):
                self.update(child, S.CANCELLED)

    def _hand(self, side, quantity):
        self.fills += 1
        event = Execution(f"h{self.fills}", f"vh{self.fills}", "MGC", side, quantity, 2001.0)
        place = self.chance.randint(0, len(self.out.events))
        before = self.out.events[place - 1].ts_event if place else NOON
        self.out.events.insert(place, replace(event, ts_event=before + 1))


def disordered(history, chance):
    """Return a history's events shuffled, some of them told again."""
    events, later = history.events, history.later
    told = events + chance.choices(events, k=chance.randint(0, len(events)))
    chance.shuffle(told)
    then = later + chance.choices(events + later, k=len(later))
    chance.shuffle(then)
    return told + then


DESKS = {}


def play(history, events):
    """Tell a history to a broker; return the desk and the entry with its children."""
    desk = DESKS.get(id(history.table))
    if desk is None:
        desk = DESKS[id(history.table)] = Desk(history.table, plans=1)
    desk.reopen()
    desk.snapshot()  # what a session begins with
    orders = desk.bracket(history.size)
    for ask in history.asks:
        if ask[0] == "cancel":
            desk.guard.cancel(orders[0])
        else:
            desk.guard.modify(orders[0], price=ask[1], size=ask[2])
    for event in events:
        if isinstance(event, Snapshot):
            desk.broker.hear_snapshot(event)
        else:
            desk.broker.hear(event)
    return desk, orders


def settle(desk):
    """Flatten, and let the venue end what works and fill what closes, until nothing is left."""
    broker, venue = desk.broker, desk.venue
    broker.flatten("end")
    done = 0
    for _ in range(20):
        asked, done = venue.asked[done:], len(venue.asked)
        if not asked:
            return
        for verb, order_id in asked:
            known = broker.book.sent(order_id)
            if verb == "modify":
                desk.answers(order_id, verb=Verb.MODIFY)
            elif verb == "cancel" and not known.is_over:
                desk.says(order_id, S.CANCELLED)
            elif verb == "submit" and broker.ticket_of(order_id).is_forced:
                desk.answers(order_id)
                left = known.quantity - known.filled
                desk.fills(order_id, left, 2000.0, ts_event=NOON + 60 * 1000 * MS)
    raise AssertionError("no end in sight")


def picture(desk, orders, history):
    """Return all that must not depend on the order of hearing, after the history and at its end."""
    broker = desk.broker
    watched = orders if history.table is not KEPT or history.later else orders[:1]
    ids = {broker.order_id_of(order.ref) for order in watched}
    heard = sorted(
        repr(known) for known in broker.book if not known.order_id or known.order_id in ids
    )
    for order_id in [order.order_id for order in desk.venue.submitted]:
        if order_id not in ids:
            desk.answers(order_id)
    desk.price(2000.0)
    shown = {
        "book": heard,
        "position": desk.position + broker.hands.held("MGC"),
        "equity": round(broker.getvalue(), 2),
        "fills": booked(desk),
    }
    if "hand" not in history.marks:
        shown["balance"] = round(broker.balance, 2)
        shown["average"] = round(desk.plan.average, 6)
        settle(desk)
        shown |= {f"end of {place}": _end(desk, order) for place, order in enumerate(watched)}
        shown["end"] = desk.position, round(broker.getvalue(), 2)
    return shown


def booked(desk):
    """Return the fills that were booked, each as often as it was."""
    tickets = {id(item): item for item in desk.broker._tickets.values()}.values()
    told = [fill_id for ticket in tickets for fill_id in ticket.told]
    return sorted(fill_id for fill_id in told if fill_id.startswith("f"))


def _end(desk, order):
    return order.getstatusname(), desk.plan_of(order).executed_steps


def faults(desk):
    """Return what is wrong with the notifications: a status that fell, a fill told twice."""
    last, bits = {}, {}
    wrong = []
    for note in desk.notifications():
        status = note.getstatusname()
        if RANK[status] < last.get(note.ref, 0):
            wrong.append(f"{note.ref}: {status} after rank {last[note.ref]}")
        last[note.ref] = RANK[status]
        for bit in note.executed.iterpending():
            bits[note.ref] = bits.get(note.ref, 0.0) + bit.size
    for ticket in {id(item): item for item in desk.broker._tickets.values()}.values():
        told = bits.get(ticket.order.ref, 0.0)
        if abs(told - ticket.order.executed.size) > 1e-9:
            wrong.append(f"{ticket.order.ref}: {told} told of {ticket.order.executed.size}")
        if ticket.order.status == bt.Order.Completed and ticket.remaining:
            wrong.append(f"{ticket.order.ref}: completed with {ticket.remaining} left")
    return wrong
