"""The floor: orders in their books, and what the matching engine does to them.

A book knows orders by *slots*, one for each time an order (or a part of it) comes to the market.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.events import OrderStatus
from core.matching.live_book import LiveBook
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    EXPIRE_EVENT,
    FILL_EVENT,
    MARGIN_EVENT,
    REASONS,
)
from core.matching.records import Event as BookEvent
from core.orders import (
    ChildRequest,
    OrderChange,
    OrderKind,
    OrderRequest,
    Side,
    TimeInForce,
)
from core.ticks import OPENS_BAR
from sandbox.account import Account
from sandbox.course import Price
from sandbox.orders import BoxFill, BoxOrder, OrderTerms

_ENDS = {EXPIRE_EVENT: OrderStatus.EXPIRED, MARGIN_EVENT: OrderStatus.REJECTED}
_STOPS = (OrderKind.STOP, OrderKind.STOP_LIMIT)


class Floor:
    """Keeps orders at work.

    Parameters
    ----------
    accounts : by name. now : market time, ns UTC. book_of : returns the book of an order.
    later : lets an action come with the next price.

    Attributes
    ----------
    orders, working : by number, all that ever were, and those that may fill.
    on_order, on_fill : called after an order entered a state, and for each fill (before that).
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        now: Callable[[], int],
        book_of: Callable[[BoxOrder], LiveBook],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.orders: dict[int, BoxOrder] = {}
        self.working: dict[int, BoxOrder] = {}
        self.on_order: Callable[[BoxOrder], None] = lambda order: None
        self.on_fill: Callable[[BoxFill], None] = lambda fill: None
        self._accounts = accounts
        self._now = now
        self._book_of = book_of
        self._later = later
        self._fill_numbers = itertools.count(1)
        self._slot_numbers = itertools.count(1)
        self._orders_of: dict[int, int] = {}

    # -- orders ------------------------------------------------------------------------------

    def note(self, order: BoxOrder, status: OrderStatus, reason: str = "") -> None:
        """Let an order enter a state."""
        order.note(status, self._now(), reason)
        if order.is_working:
            self.working[order.number] = order
        else:
            self.working.pop(order.number, None)
        self.on_order(order)

    def enter(self, order: BoxOrder) -> None:
        """Bring an order to the market, its children behind it."""
        if not order.is_working:
            return
        self.note(order, OrderStatus.WORKING)
        self._work(order, order.left - order.held_back)

    def _work(self, order: BoxOrder, quantity: float) -> None:
        """Put a quantity of an order into its book."""
        book, terms = self._book_of(order), order.terms
        kind, price = terms.kind, terms.price
        if order.resting is not None:
            kind, price = OrderKind.LIMIT, order.resting
        elif order.is_triggered and kind is OrderKind.STOP:
            kind, price = OrderKind.MARKET, None
        elif order.is_triggered and kind is OrderKind.STOP_LIMIT:
            kind, price = OrderKind.LIMIT, terms.limit_price
        ioc = terms.time_in_force is TimeInForce.IOC
        _, events = book.add(
            OrderRequest(
                self._slot(order), book.plan_id, book.symbol, terms.side, quantity, kind, price,
                terms.limit_price if kind is OrderKind.STOP_LIMIT else None,
                time_in_force=TimeInForce.IOC if ioc else TimeInForce.GTC,
                reduces=terms.reduces,
                children=tuple(self._child(number) for number in order.children),
            )
        )  # fmt: skip
        self.happened(book, events)

    def _child(self, number: int) -> ChildRequest:
        """Return a child as it goes to the book with its parent."""
        child = self.orders[number]
        terms = child.terms
        return ChildRequest(
            self._slot(child), terms.role, terms.kind, terms.quantity, terms.price,
            terms.limit_price,
        )  # fmt: skip

    def _slot(self, order: BoxOrder) -> int:
        slot = next(self._slot_numbers)
        self._orders_of[slot] = order.number
        return slot

    def _slots(self, order: BoxOrder, book: LiveBook) -> list[int]:
        """Return where an order stands in its book."""
        slots = map(int, book.book.working()["order_id"])
        return [slot for slot in slots if self._orders_of.get(slot) == order.number]

    def _take_out(self, order: BoxOrder, book: LiveBook) -> None:
        """Take an order out of its book; children that wait for it end with it."""
        for slot in self._slots(order, book):
            del self._orders_of[slot]
            self.happened(book, book.cancel(slot))

    def end(self, order: BoxOrder, status: OrderStatus, reason: str = "") -> None:
        """End a working order."""
        if order.is_working:
            self._take_out(order, self._book_of(order))
            self.note(order, status, reason)

    def change(self, order: BoxOrder, after: OrderTerms) -> None:
        """Give a working order new terms; it keeps its place where only prices change."""
        if not order.is_working:
            return
        book, before = self._book_of(order), order.terms
        order.changes += 1
        order.terms = after
        if after.quantity <= order.filled:
            self._take_out(order, book)
            order.terms = replace(after, quantity=order.filled)
            self.note(order, OrderStatus.FILLED)
            return
        is_same = before.kind is after.kind and before.quantity == after.quantity
        if is_same and order.resting is None:
            for slot in self._slots(order, book):
                book.change(OrderChange(slot, after.price, after.limit_price))
            self.note(order, order.status)
            return
        self._take_out(order, book)
        order.resting, order.held_back = None, 0.0
        self.note(order, order.status)
        self._work(order, order.left)

    # -- prices ------------------------------------------------------------------------------

    def see(self, book: LiveBook, price: Price, tick: float) -> None:
        """Match one price in one book."""
        jumps = bool(price.flags & OPENS_BAR) or book.is_discrete
        if jumps and book.is_live:
            self._protect(book, price.price, tick)
        events = book.see(price.ts, price.price, price.volume, price.spread, price.flags)
        self.happened(book, events)
        if book.is_live:
            self._look_for_triggers(book)

    def _at_work(self, book: LiveBook) -> list[tuple[int, BoxOrder]]:
        """Return the slots of a book with their orders."""
        slots = map(int, book.book.working()["order_id"])
        return [(slot, self.orders[self._orders_of[slot]]) for slot in slots]

    def _protect(self, book: LiveBook, price: float, tick: float) -> None:
        """Turn orders that a jump would fill beyond their protection into limits there."""
        for _, order in self._at_work(book):
            share = order.terms.protection
            if share is None or order.resting is not None:
                continue
            is_stop = order.terms.kind is OrderKind.STOP and not order.is_triggered
            base = order.terms.price if is_stop else order.terms.reference
            if base is None:
                continue
            sign = int(order.terms.side)
            bound = round(base * (1.0 + sign * share) / tick) * tick
            is_reached = not is_stop or sign * (price - base) >= 0
            if is_reached and sign * (price - bound) > 0:
                self._take_out(order, book)
                order.resting, order.is_triggered = bound, order.is_triggered or is_stop
                self.note(order, OrderStatus.WORKING)
                self._work(order, order.left - order.held_back)

    def _look_for_triggers(self, book: LiveBook) -> None:
        """Note which stops have triggered and rest at their limit now."""
        rows = book.book.working()
        triggered = set(rows["order_id"][rows["triggered"] == 1].tolist())
        for slot, order in self._at_work(book):
            is_new = slot in triggered and not order.is_triggered and order.terms.kind in _STOPS
            if is_new:
                order.is_triggered = True
                self.note(order, OrderStatus.WORKING)

    def settle(self, account: Account, book: LiveBook) -> None:
        """Close a position at the last price, free of charge: its contract is no more."""
        for event in (*book.flatten(), *book.settle()):
            if event.kind == FILL_EVENT:
                self._book_fill(account, self._fill_of(account, book, event, 0))

    # -- what happened -----------------------------------------------------------------------

    def happened(self, book: LiveBook, events: Sequence[BookEvent]) -> None:
        """Take what happened in a book."""
        for event in events:
            number = self._orders_of.get(event.order_id)
            if number is not None:
                self._take(book, self.orders[number], event)

    def _take(self, book: LiveBook, order: BoxOrder, event: BookEvent) -> None:
        if event.kind == FILL_EVENT:
            self._fill(book, order, event)
        elif event.kind == ACTIVE_EVENT:
            if order.status is OrderStatus.HELD:
                self.note(order, OrderStatus.WORKING)
        elif event.kind == CHANGE_EVENT:
            whole = round(order.filled + book.size(event.quantity), 9)
            order.terms = replace(order.terms, quantity=whole, price=event.price)
            self.note(order, order.status)
        else:
            del self._orders_of[event.order_id]
            status = _ENDS.get(event.kind, OrderStatus.CANCELLED)
            self.note(order, status, REASONS[event.reason])

    def _fill(self, book: LiveBook, order: BoxOrder, event: BookEvent) -> None:
        order.is_triggered = order.is_triggered or order.terms.kind in _STOPS
        account = self._accounts[order.account]
        fill = self._fill_of(account, book, event, order.number)
        order.note_fill(fill)
        self._book_fill(account, fill)
        if order.left <= 1e-9:
            self._orders_of.pop(event.order_id, None)
            self.note(order, OrderStatus.FILLED)
            return
        self.note(order, OrderStatus.WORKING)
        if order.held_back and order.left <= order.held_back + 1e-9:
            self._orders_of.pop(event.order_id, None)
            rest, order.held_back = order.held_back, 0.0
            self._later(lambda: self._work(order, rest) if order.is_working else None)

    def _fill_of(self, account: Account, book: LiveBook, event: BookEvent, order: int) -> BoxFill:
        return BoxFill(
            next(self._fill_numbers), order, account.name, account.contract_of(book),
            account.product_of(book), Side(event.side), book.size(event.quantity), event.price,
            self._now(), event.costs, event.pnl,
        )  # fmt: skip

    def _book_fill(self, account: Account, fill: BoxFill) -> None:
        account.note_fill(fill)
        self.on_fill(fill)
