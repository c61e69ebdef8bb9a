"""The exchange: accounts, their books, and what each price does to them.

It fills by `core.matching`, as backtest and paper do. It knows no wire: a face asks it to place,
change and cancel, hears through `on_order` and `on_fill`, and has its own words for refusals.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import floor
from typing import Any

import numpy as np

from core.bars import NEVER_NS
from core.calendar import day_date
from core.events import OrderStatus
from core.fx import constant_rate
from core.instruments import InstrumentFacts
from core.matching.live_book import LiveBook
from core.orders import TimeInForce
from core.ticks import TRADE
from sandbox.account import Account
from sandbox.board import Board
from sandbox.course import BarBegins, BarsEnd, Course, Price, Step
from sandbox.faults import ORDER, FaultPlan, Kind
from sandbox.floor import Floor
from sandbox.orders import (
    Author,
    BoxOrder,
    Contract,
    OrderTerms,
    Refusal,
    Refused,
)


class Exchange:
    """Books of several accounts on one market.

    Parameters
    ----------
    course : what is traded. board : what of it is shown. plan : what goes wrong with orders.
    latency_ns : market time between a request's acceptance and the book.
    volume_share : share of each trade's volume that one position's orders may fill; None: all.

    Attributes
    ----------
    now : market time, ns UTC. skew_ns : how far ahead of it the venue's clock is.
    floor : the orders in their books.
    """

    def __init__(
        self,
        course: Course,
        board: Board,
        plan: FaultPlan,
        *,
        latency_ns: int = 0,
        volume_share: float | None = None,
    ) -> None:
        self.prices = course.prices
        self.board = board
        self.now = course.now
        self.skew_ns = 0
        self.accounts: dict[str, Account] = {}
        self.contracts: dict[str, Contract] = {}
        self.floor = Floor(self.accounts, lambda: self.now, self._book_of, self._next_price)
        self._plan = plan
        self._latency_ns = latency_ns
        self._arrivals: list[tuple[int, int, Callable[[], None]]] = []
        self._arrival_numbers = itertools.count()
        self._over_until: dict[str, int] = {}
        self._day_began: dict[str, int] = {}
        self._stands = {
            item.symbol: LiveBook(
                "", "", item.instrument.without_margin(),
                constant_rate(item.instrument.quote_currency, "account", 1.0),
                discrete=item.model == "trades",
                volume_share=volume_share,
                day=int(item.calendar.trading_days(_at(course.now))[0]),
            )
            for item in course.prices.values()
        }  # fmt: skip

    # -- what there is -----------------------------------------------------------------------

    @property
    def orders(self) -> dict[int, BoxOrder]:
        """All orders that ever were, by number."""
        return self.floor.orders

    @property
    def working(self) -> dict[int, BoxOrder]:
        """Orders that may fill, by number."""
        return self.floor.working

    def open_account(self, account: Account) -> None:
        """Add an account."""
        self.accounts[account.name] = account

    def list_contracts(self, contracts: Sequence[Contract]) -> None:
        """Let these be traded, beside those already listed."""
        self.contracts.update({contract.key: contract for contract in contracts})

    def contract(self, key: str) -> Contract:
        """Return a contract by its key.

        Raises
        ------
        Refused : there is none, or it has expired.
        """
        found = self.contracts.get(key)
        if found is None:
            raise Refused(Refusal.UNKNOWN_CONTRACT, f"{key} is not traded here")
        if found.last_day is not None and self.day(found.symbol) > found.last_day:
            raise Refused(Refusal.EXPIRED, f"{key} expired on {day_date(found.last_day)}")
        return found

    def day(self, symbol: str) -> int:
        """Return the trading day of a symbol's market now."""
        stand = self._stands[symbol]
        if stand.has_seen_bar:
            return int(stand.bar["day"][0])
        calendar = self.prices[symbol].calendar
        return int(calendar.trading_days(_at(self.now))[0])

    def facts(self, symbol: str) -> InstrumentFacts:
        """Return a symbol's facts of the day."""
        return self.prices[symbol].instrument.facts(self.day(symbol))

    def last_price(self, symbol: str) -> float:
        """Return a symbol's last price, nan before the first."""
        price = self._stands[symbol].price
        return price if price == price else self.board.shown(symbol).last

    def day_began(self, symbol: str) -> int:
        """Return when a symbol's present day began, ns UTC; 0 before the first."""
        return self._day_began.get(symbol, 0)

    def session_close(self, symbol: str) -> int:
        """Return when the session of a symbol's present day closes, ns UTC."""
        stand = self._stands[symbol]
        return int(stand.bar["close_at"][0]) if stand.has_seen_bar else NEVER_NS

    def is_open(self, symbol: str) -> bool:
        """Whether a symbol trades now: by its calendar, or because its bars say so."""
        stand = self._stands[symbol]
        if stand.in_bar:
            return True
        calendar = self.prices[symbol].calendar
        session = calendar.session_of(int(calendar.trading_days(_at(self.now))[0]))
        return session is not None and session.open <= self.now < session.close

    def order(self, account: str, number: int) -> BoxOrder:
        """Return an account's order.

        Raises
        ------
        Refused : it has none of this number.
        """
        found = self.floor.orders.get(number)
        if found is None or found.account != account:
            raise Refused(Refusal.UNKNOWN_ORDER, f"no order {number}")
        return found

    # -- requests ----------------------------------------------------------------------------

    def place(
        self,
        account: str,
        number: int,
        terms: OrderTerms,
        author: Author = Author.CLIENT,
        *,
        children: Sequence[int] = (),
        waits_for_open: bool = False,
    ) -> BoxOrder:
        """Take an order; what is wrong with it ends it as REJECTED with a reason.

        Parameters
        ----------
        number, children : new ones, made by the face as its venue makes them, one for each child of
            the terms.
        waits_for_open : it is checked, and comes to the market, when the next session opens.
        """
        order = BoxOrder(
            number, account, author, terms, self.now, children=tuple(children),
            waits_for_open=waits_for_open,
        )  # fmt: skip
        self.orders[number] = order
        self.floor.note(order, OrderStatus.RECEIVED)
        for child, its in zip(children, terms.children, strict=True):
            self.orders[child] = BoxOrder(child, account, author, its, self.now, parent=number)
            self.floor.note(self.orders[child], OrderStatus.HELD)
        if not waits_for_open:
            self._admit(order)
        return order

    def _admit(self, order: BoxOrder) -> None:
        """Check an order and send it to its book."""
        try:
            self._check(order)
            if order.author is Author.CLIENT:
                self._suffer(order)
        except Refused as refused:
            for child in order.children:
                self.floor.note(self.orders[child], OrderStatus.CANCELLED, "parent_ended")
            self.floor.note(order, OrderStatus.REJECTED, refused.text)
            return
        self._later(lambda: self.floor.enter(order))

    def _suffer(self, order: BoxOrder) -> None:
        """Do to an order what the fault plan has for it."""
        terms = order.terms
        fault = self._plan.strike(ORDER, terms.kind.name.lower(), self.now)
        if fault is None:
            return
        if fault.kind is Kind.REJECT:
            raise Refused(Refusal.FAULT, fault.text or "rejected as the fault plan says")
        if terms.children:
            return  # a bracket fills whole: its stop covers what one slot of it has opened
        lot = self.facts(self.contracts[terms.contract].symbol).lot
        first = max(lot, floor(fault.share * terms.quantity / lot) * lot)
        order.held_back = max(0.0, terms.quantity - first)

    def change(self, account: str, number: int, **terms: Any) -> BoxOrder:
        """Change a working order's quantity (its whole), price, limit_price or kind.

        Raises
        ------
        Refused : there is none, or it has ended.
        """
        order = self.order(account, number)
        self._must_work(order)
        after = replace(order.terms, **terms)
        is_bracket = bool(order.children or order.parent)
        if is_bracket and (after.quantity, after.kind) != (order.terms.quantity, order.terms.kind):
            raise Refused(Refusal.BRACKET, "quantity and kind of a bracket's orders are fixed")
        self._check_terms(after)
        self._later(lambda: self.floor.change(order, after))
        return order

    def cancel(self, account: str, number: int, reason: str = "") -> BoxOrder:
        """Cancel a working order.

        Raises
        ------
        Refused : there is none, or it has ended.
        """
        order = self.order(account, number)
        self._must_work(order)
        self._later(lambda: self.floor.end(order, OrderStatus.CANCELLED, reason))
        return order

    def _must_work(self, order: BoxOrder) -> None:
        if not order.is_working:
            raise Refused(
                Refusal.ENDED, f"order {order.number} is {order.status.name.lower()} already"
            )  # fmt: skip

    def _later(self, action: Callable[[], None]) -> None:
        """Let a request reach the book: at once, or after the latency."""
        if not self._latency_ns:
            action()
            return
        due = self.now + self._latency_ns
        heapq.heappush(self._arrivals, (due, next(self._arrival_numbers), action))

    def _let_arrive(self, now: int) -> None:
        while self._arrivals and self._arrivals[0][0] <= now:
            heapq.heappop(self._arrivals)[2]()

    # -- checks ------------------------------------------------------------------------------

    def _check(self, order: BoxOrder) -> None:
        contract = self.contract(order.terms.contract)
        if not self.is_open(contract.symbol):
            raise Refused(Refusal.MARKET_CLOSED, f"{contract.key}: the market is closed")
        self._check_terms(order.terms)
        account = self.accounts[order.account]
        short = account.shortfall(self, order)
        if short > 0.0 and order.author is Author.CLIENT:
            raise Refused(
                Refusal.NO_MARGIN, f"Insufficient funds. Required margin is {short:.2f} more "
                "than available",
            )  # fmt: skip

    def _check_terms(self, terms: OrderTerms) -> None:
        for child in terms.children:
            self._check_terms(child)
        contract = self.contract(terms.contract)
        facts = self.facts(contract.symbol)
        for price in (terms.price, terms.limit_price):
            if price is not None and abs(price / facts.tick - round(price / facts.tick)) > 1e-6:
                raise Refused(
                    Refusal.OFF_TICK, f"{price:g} is no multiple of the tick {facts.tick:g}"
                )
        lots = terms.quantity / facts.lot
        if terms.quantity <= 0 or abs(lots - round(lots)) > 1e-6:
            raise Refused(
                Refusal.NOT_A_LOT, f"quantity {terms.quantity:g} is no multiple of {facts.lot:g}"
            )  # fmt: skip
        if terms.quantity > facts.freeze_quantity:
            raise Refused(
                Refusal.ABOVE_FREEZE, f"quantity {terms.quantity:g} is above the freeze quantity "
                f"{facts.freeze_quantity:g}",
            )  # fmt: skip

    # -- books -------------------------------------------------------------------------------

    def _book_of(self, order: BoxOrder) -> LiveBook:
        symbol = self.contracts[order.terms.contract].symbol
        return self.accounts[order.account].book(order, self._stands[symbol])

    def _books(self, symbol: str) -> list[tuple[Account, LiveBook]]:
        """Return the books that a symbol's prices concern."""
        return [
            (account, book)
            for account in self.accounts.values()
            for book in account.books_of(symbol)
        ]

    def _next_price(self, action: Callable[[], None]) -> None:
        """Let something happen just before the next price."""
        heapq.heappush(self._arrivals, (self.now + 1, next(self._arrival_numbers), action))

    # -- the market's course -----------------------------------------------------------------

    def take(self, step: Step) -> None:
        """Let the market go one step on."""
        self._let_arrive(step.ts)
        self.now = max(self.now, step.ts)
        self.board.take(step)
        if isinstance(step, Price):
            self._price(step)
        elif isinstance(step, BarBegins):
            self._begin(step.symbol, step.bar)
        else:
            self._end(step)

    def _begin(self, symbol: str, bar: Any) -> None:
        stand = self._stands[symbol]
        is_new_day = not stand.has_seen_bar or int(bar["day"]) != int(stand.bar["day"][0])
        if is_new_day and stand.has_seen_bar:
            self._end_session(symbol)
            for account in self.accounts.values():
                account.begin_day()
        stand.begin_bar(bar)
        for _, book in self._books(symbol):
            self.floor.happened(book, book.begin_bar(bar))
        if is_new_day:
            self._day_began[symbol] = int(bar["start"])
            self._open(symbol)

    def _open(self, symbol: str) -> None:
        """Let orders come to the market that wait for its opening."""
        for order in list(self.floor.working.values()):
            if order.waits_for_open and self.contracts[order.terms.contract].symbol == symbol:
                order.waits_for_open = False
                self._admit(order)

    def _price(self, step: Price) -> None:
        stand = self._stands[step.symbol]
        stand.see(step.ts, step.price, step.volume, step.spread, step.flags)
        if step.flags & TRADE:
            tick = self.facts(step.symbol).tick
            for _, book in self._books(step.symbol):
                self.floor.see(book, step, tick)

    def _end(self, step: BarsEnd) -> None:
        for symbol, bar in step.bars:
            self._stands[symbol].finish_bar(bar)
            for _, book in self._books(symbol):
                self.floor.happened(book, book.finish_bar(bar))
            if step.ts >= self.session_close(symbol):
                self._end_session(symbol)

    def _end_session(self, symbol: str) -> None:
        """End the day's orders of a symbol, and what expires with the day."""
        day = self.day(symbol)
        if self._over_until.get(symbol) == day:
            return
        self._over_until[symbol] = day
        for order in list(self.floor.working.values()):
            contract = self.contracts[order.terms.contract]
            lasts = order.terms.time_in_force is TimeInForce.GTC or order.waits_for_open
            if contract.symbol == symbol and not lasts:
                self.floor.end(order, OrderStatus.EXPIRED, "end of the session")
        for account, book in self._books(symbol):
            key = account.contract_of(book)
            if self.contracts[key].last_day == day and book.steps:
                self.floor.settle(account, book)


def _at(ts: int) -> Any:
    return np.array([ts], np.int64)
