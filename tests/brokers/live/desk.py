"""A live broker at a desk: orders through the guard on one side, a scripted venue on the other.

The venue does nothing by itself. A test reads what it was asked (`desk.venue.submitted`, ...) and
says what it answers (`desk.answers`, `desk.works`, `desk.fills`, ...), in any order it likes.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import backtrader as bt
import numpy as np

from brokers.broker import LiveBroker
from brokers.live_terms import LiveTerms
from brokers.port import Brackets, Capabilities, PositionMode
from core.bars import BAR
from core.events import (
    AccountUpdate,
    Answer,
    Execution,
    OrderStatus,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    Snapshot,
    Verb,
)
from core.instruments import get_instrument
from core.orders import OrderKind, Role, Side, TimeInForce
from risk.guard import Guard

SECOND = 1_000_000_000
NOON = 1_750_000_000 * SECOND
"""Market time at which a desk opens, ns UTC."""
BUY, SELL = Side.BUY, Side.SELL
S = OrderStatus


def able(**given):
    """Return the table of a venue that takes every order and keeps no brackets."""
    table = {
        "venue": "scripted",
        "order_kinds": frozenset(OrderKind),
        "times_in_force": frozenset(TimeInForce),
        "tag_chars": 36,
        "tag_on_executions": True,
    }
    return Capabilities(**(table | given))


BOTH = frozenset({Role.STOP, Role.TARGET})
KEPT = able()
CHILDREN = able(brackets=Brackets.CHILD_ORDERS, bracket_roles=BOTH, one_cancels_other=True)
PRICES = able(brackets=Brackets.ON_POSITION, bracket_roles=BOTH, one_cancels_other=True)
HEDGING = able(position_mode=PositionMode.HEDGING)


@dataclass
class Venue:
    """What a venue was asked, in order; it answers nothing by itself."""

    capabilities: Capabilities
    submitted: list = field(default_factory=list)
    modified: list = field(default_factory=list)
    cancelled: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    given_up: list = field(default_factory=list)

    def on_refused(self, order_id, why):
        self.given_up.append((order_id, why))

    def submit(self, order, bar_start):
        self.submitted.append(order)
        self.asked.append(("submit", order.order_id))

    def modify(self, change, plan_id, symbol):
        self.modified.append(change)
        self.asked.append(("modify", change.order_id))

    def cancel(self, order_id, venue_order_id, plan_id, symbol):
        self.cancelled.append(order_id)
        self.asked.append(("cancel", order_id))


class StillTime:
    """A data's datetime line at one moment."""

    def __getitem__(self, index):
        return 739_000.5

    def datetime(self, index=0):
        return datetime.datetime(2024, 4, 30, 12)

    def date(self, index=0):
        return datetime.date(2024, 4, 30)


class Feed:
    """As much of a Backtrader data as orders look at."""

    p = SimpleNamespace(sessionend=datetime.time(23, 59, 59))
    _compensate = None

    def __init__(self, symbol, name):
        self.symbol, self._name = symbol, name
        self.close, self.datetime = [2000.0], StillTime()
        self.lines = self

    def __len__(self):
        return 1

    def date2num(self, moment):
        return bt.date2num(moment)


class Desk:
    """A broker with its plans, a guard without rules in front, a scripted venue behind."""

    def __init__(self, table=KEPT, symbol="MGC", plans=1, terms=None, cash=100_000.0, **facts):
        self.venue = Venue(table)
        self.instrument = get_instrument(symbol, facts or None)
        self.terms = terms or LiveTerms()
        self.broker = LiveBroker(self.venue, self.venue, cash=cash, terms=self.terms)
        self.feeds = [Feed(symbol, f"plan{number}") for number in range(plans)]
        for feed in self.feeds:
            self.broker.add_instrument(feed, self.instrument, feed._name)
        self.guard = Guard(self.broker)
        self.guard.start()
        self.broker.on_other_hand = lambda act, what: self.heard_hands.append((act, what))
        self.heard_hands, self.told, self._versions, self._requests = [], [], 0, 1000
        self.bar(NOON)

    def reopen(self):
        """Begin a new session with the same parts: nothing was sent, nothing heard."""
        self.guard.start()
        for asked in (self.venue.submitted, self.venue.modified, self.venue.cancelled):
            asked.clear()
        self.venue.asked.clear()
        self.heard_hands, self.told, self._versions, self._requests = [], [], 0, 1000
        self.bar(NOON)

    @property
    def plan(self):
        return self.broker.plans[0]

    @property
    def position(self):
        return self.plan.size(self.plan.position_steps)

    # -- the market --------------------------------------------------------------------------

    def bar(self, start, minutes=5, day=20_000, plan=0, **given):
        """Let a plan's bar begin."""
        cell = np.zeros(1, BAR)
        cell["start"], cell["end"] = start, start + minutes * 60 * SECOND
        cell["day"], cell["close_at"] = day, NOON + 6 * 3600 * SECOND
        for name, value in given.items():
            cell[name] = value
        self.broker.begin_bar(self.broker.plans[plan], cell[0])

    def price(self, price, after=0.0):
        """Let a price come, so many seconds after the last thing heard."""
        now = self.broker.now + round(after * SECOND)
        self.broker.mark(self.instrument.symbol, price, 0.0, now)

    # -- the strategy ------------------------------------------------------------------------

    def enter(self, size=2, price=1999.0, side=BUY, plan=0, stop=None, targets=(), **given):
        """Send an entry with a stop and targets (quantity, price[, stop_to]); return its orders."""
        data = self.feeds[plan]
        enter, leave = (
            (self.guard.buy, self.guard.sell) if side is BUY else (self.guard.sell, self.guard.buy)
        )
        kind = bt.Order.Market if price is None else given.pop("kind", bt.Order.Limit)
        has_children = stop is not None or bool(targets)
        parent = enter(
            None, data, size, price=price, exectype=kind, transmit=not has_children, **given
        )
        orders = [parent]
        if stop is not None:
            orders.append(
                leave(None, data, size, price=stop, exectype=bt.Order.Stop, parent=parent,
                      transmit=not targets)
            )  # fmt: skip
        for number, target in enumerate(targets):
            more = {"stop_to": target[2]} if len(target) > 2 else {}
            orders.append(
                leave(None, data, target[0], price=target[1], exectype=bt.Order.Limit,
                      parent=parent, transmit=number == len(targets) - 1, **more)
            )  # fmt: skip
        return orders

    def bracket(self, size=2, stop=1990.0, target=2010.0, **given):
        """Send an entry with one stop and one target; return the three orders."""
        return self.enter(size, stop=stop, targets=((size, target),), **given)

    def filled_bracket(self, size=2, price=1999.0, **given):
        """Send a bracket and let its entry fill, its children work; return the three orders."""
        orders = self.bracket(size, **given)
        entry = self.id_of(orders[0])
        self.works(entry)
        self.fills(entry, size, price)
        for child in orders[1:]:
            if self.plan_of(child).is_sent:
                self.works(self.id_of(child))
        return orders

    def plan_of(self, order):
        """Return the ticket of a Backtrader order."""
        return self.broker._by_ref[order.ref]

    def id_of(self, order):
        """Return our id of a Backtrader order."""
        return self.broker.order_id_of(order.ref)

    # -- the venue ---------------------------------------------------------------------------

    def answers(self, order_id, outcome=Outcome.ACCEPTED, verb=Verb.SUBMIT, reason="", venue=None):
        """Let the venue answer a request."""
        venue_id = f"v-{order_id}" if venue is None and outcome is Outcome.ACCEPTED else venue or ""
        self._requests += 1
        self.broker.hear(
            Answer(self._requests, verb, outcome, order_id, venue_id, reason, ts_event=self.now)
        )

    @property
    def now(self):
        return self.broker.now

    def says(self, order_id, status, **given):
        """Let the venue tell the state of an order of ours."""
        self._versions += 1
        given = {"version": self._versions, "ts_event": self.now, "symbol": "MGC"} | given
        self.broker.hear(OrderUpdate(status, f"v-{order_id}", order_id, **given))

    def works(self, order_id, **given):
        """Let the venue say that an order works, on the terms it was asked for."""
        for asked in self.venue.submitted:
            if asked.order_id == order_id:
                given = {"quantity": asked.quantity, "price": asked.price} | given
        self.says(order_id, S.WORKING, **given)

    def fills(self, order_id, quantity, price, fill_id=None, side=None, **given):
        """Let the venue tell a fill of an order of ours."""
        ticket = self.broker.ticket_of(order_id)
        fill_id = fill_id or f"{order_id}-{price}-{quantity}"
        given = {"order_id": order_id, "ts_event": self.now} | given
        symbol = given.pop("symbol", self.instrument.symbol)
        self.broker.hear(
            Execution(fill_id, f"v-{order_id}", symbol, side or ticket.side, quantity, price,
                      **given)
        )  # fmt: skip

    def hand_fills(self, side, quantity, price, fill_id="hand-1", **given):
        """Let the venue tell a fill of an order that is not ours."""
        given = {"ts_event": self.now, "venue_order_id": f"h-{fill_id}"} | given
        venue_id = given.pop("venue_order_id")
        symbol = given.pop("symbol", self.instrument.symbol)
        self.broker.hear(Execution(fill_id, venue_id, symbol, side, quantity, price, **given))

    def snapshot(self, orders=(), position=None, executions=(), after=0.0, **given):
        """Let the venue tell all it holds; by default the position our books have."""
        now = self.now + round(after * SECOND)
        if position is None:
            position = sum(plan.size(plan.position_steps) for plan in self.broker.plans)
        positions = (PositionUpdate(self.instrument.symbol, position, 2000.0),)
        told = {
            "request_id": 1,
            "asked_at": now,
            "account": AccountUpdate(self.broker.balance),
            "orders": tuple(orders),
            "positions": positions,
            "executions": tuple(executions),
            "ts_event": now,
        }
        return self.broker.hear_snapshot(Snapshot(**(told | given)))

    def listed(self, *order_ids, **given):
        """Return orders of ours as a snapshot lists them."""
        rows = []
        for order_id in order_ids:
            ticket = self.broker.ticket_of(order_id)
            part = self.broker.book.sent(order_id)
            self._versions += 1
            row = OrderUpdate(
                S.WORKING, f"v-{order_id}", order_id, symbol=self.instrument.symbol,
                side=ticket.side, quantity=part.quantity, filled=part.filled,
                price=ticket.wanted_price, version=self._versions,
            )  # fmt: skip
            rows.append(replace(row, **given))
        return rows

    # -- what Backtrader hears ---------------------------------------------------------------

    def notifications(self):
        """Return the copies of orders Backtrader was handed so far."""
        while (order := self.guard.get_notification()) is not None:
            self.told.append(order)
        return self.told

    def notes(self):
        """Return (order, status, executed size) of each notification so far."""
        return [
            (order.ref, order.getstatusname(), order.executed.size)
            for order in self.notifications()
        ]

    def states(self, order):
        """Return the statuses Backtrader was told of one order, in turn."""
        return [status for ref, status, _ in self.notes() if ref == order.ref]
