"""The paper exchange itself: the books of one account, its money, and what is told of them.

It knows no request and no port (`gateway`, `venue`). Whatever happens is gathered until `settle`:
then it is committed to the ledger, and only then told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from brokers.paper.ledger import AccountRow, PaperLedger
from brokers.paper.orders import Author, PaperOrder, flow_id
from brokers.paper.roll import OrderRoll
from brokers.paper.turn import Turn
from core.bars import NEVER_NS
from core.errors import BrokerError, near_name
from core.events import (
    AccountUpdate,
    CashFlow,
    Event,
    Execution,
    FloorMet,
    OrderStatus,
    PositionUpdate,
)
from core.fx import FxRate, constant_rate
from core.instruments import Instrument, get_instrument
from core.matching.book import Array, LimitFill
from core.matching.floors import breach_reason
from core.matching.live_book import KeptBook, LiveBook
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    EXPIRE_EVENT,
    FILL_EVENT,
    MARGIN_EVENT,
    REASONS,
    REQUESTED_FLAT,
    SWAP_EVENT,
)
from core.matching.records import Event as BookEvent
from core.orders import OrderKind, OrderRequest, Role, Side
from core.ports import BREACH_NONE, no_limits
from core.ticks import TRADE
from core.zones import NS_PER_DAY

_ENDS = {EXPIRE_EVENT: OrderStatus.EXPIRED, MARGIN_EVENT: OrderStatus.REJECTED}


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """How a paper account behaves.

    native : it keeps stop and targets of an entry itself; else our broker does.
    hedging : each entry is a position with an id of its own; else a symbol has one net position.
    discrete : prices are trades; else they are the path of replayed bars.
    volume_share : share of each trade's volume that one position's orders may fill; None: all.
    latency_ns : market time a request takes to reach the book; 0: none.
    answers_at_once : a request is answered when sent, not when it has reached the book.
    """

    native: bool = True
    hedging: bool = False
    discrete: bool = False
    limit_fill: LimitFill = "touch"
    volume_share: float | None = None
    latency_ns: int = 0
    answers_at_once: bool = True

    def __post_init__(self) -> None:
        if self.volume_share is not None and not (self.discrete and 0 < self.volume_share <= 1):
            raise BrokerError(
                f"volume_share={self.volume_share:g} on paper: expected 0 < volume_share <= 1, and "
                "prices that are trades (discrete): a replayed bar's path tells no volumes"
            )
        if self.latency_ns < 0:
            raise BrokerError(f"latency_ms={self.latency_ns / 1e6:g} on paper: expected 0 or more")

    @property
    def positions(self) -> str:
        """How positions are kept, in a word."""
        return "hedging" if self.hedging else "netting"


class PaperExchange:
    """The books of one account.

    Parameters
    ----------
    ledger : where all is committed. cash : balance of a new account.
    emit : takes what is told, in order.

    Attributes
    ----------
    roll : its orders. turn : what happened since the last commit.
    balance : realised money, account currency.
    books : by plan (hedging: where the plan stands in the market), by position, by other hand.
    next_due, on_due : when a request is to arrive, and what lets it.
    walks : prices were not told when they came: orders fill at their own price on the way.
    """

    def __init__(
        self, ledger: PaperLedger, terms: PaperTerms, cash: float, emit: Callable[[Event], None]
    ) -> None:
        self.ledger = ledger
        self.terms = terms
        self.cash = self.balance = float(cash)
        self.turn = Turn(ledger, emit)
        self.roll = OrderRoll(ledger, self.turn)
        self.books: dict[str, LiveBook] = {}
        self.next_due = NEVER_NS
        self.on_due: Callable[[int], None] = lambda now: None
        self.walks = False
        self._now = 0
        self._fill_count = ledger.numbers_from
        self._flow_count = 0
        self._plans: dict[str, list[LiveBook]] = {}
        self._symbols: dict[str, list[LiveBook]] = {}
        self._has_several = False
        self._limits: Array | None = None
        self._breach: Array | None = None
        self._breach_told = False
        self._moved: dict[tuple[str, str], None] = {}

    @property
    def now(self) -> int:
        """Market time, ns UTC."""
        return self._now

    def pass_time(self, now: int) -> None:
        """It is (at least) so late."""
        if now > self._now:
            self._now = self.roll.now = now

    # -- books -------------------------------------------------------------------------------

    def add_plan(self, plan_id: str, instrument: Instrument, fx: FxRate) -> None:
        """Let a plan trade an instrument."""
        if plan_id in self._plans:
            raise BrokerError(f"plan {plan_id} has a book on this paper account already")
        self._plans[plan_id] = []
        self._add(self._new_book(plan_id, plan_id, instrument, fx))

    def _new_book(self, key: str, plan_id: str, instrument: Instrument, fx: FxRate) -> LiveBook:
        terms = self.terms
        return LiveBook(
            key, plan_id, instrument, fx, discrete=terms.discrete, limits=self._limits_of(plan_id),
            limit_fill=terms.limit_fill, volume_share=terms.volume_share,
        )  # fmt: skip

    def _limits_of(self, plan_id: str) -> Array | None:
        return self._limits if plan_id in self._plans else None

    def _add(self, book: LiveBook) -> None:
        self.books[book.key] = book
        self._symbols.setdefault(book.symbol, []).append(book)
        if book.plan_id in self._plans:
            self._plans[book.plan_id].append(book)
        self._has_several = len(self.books) > 1
        book.take_account(self.balance, 0.0, 0.0, 0.0)

    def open_book(self, key: str, plan_id: str, beside: LiveBook) -> LiveBook:
        """Return a new book, of a position or of another hand's orders, beside one that is there.

        plan_id : "" for another hand's: no bars begin and end in it.
        """
        book = beside.fork(key, plan_id, self._limits_of(plan_id))
        self._add(book)
        return book

    def open_foreign_book(
        self, key: str, plan_id: str, instrument: Instrument, fx: FxRate
    ) -> LiveBook:
        """Return a new book on an instrument that no plan trades."""
        book = self._new_book(key, plan_id, instrument, fx)
        book.take_day(self._now // NS_PER_DAY, self._now)
        self._add(book)
        return book

    def _drop(self, book: LiveBook) -> None:
        del self.books[book.key]
        self._symbols[book.symbol].remove(book)
        if book.plan_id in self._plans:
            self._plans[book.plan_id].remove(book)
        self._has_several = len(self.books) > 1
        self.turn.note_gone(book.key)
        for other in self.books.values():
            self.join(other, always=True)

    def plan_books(self, plan_id: str) -> list[LiveBook]:
        """Return a plan's books: the first stands in the market, hedging adds its positions.

        Raises
        ------
        BrokerError : no such plan trades here.
        """
        books = self._plans.get(plan_id)
        if books is None:
            raise BrokerError(
                f"plan {plan_id!r} has no book on this paper account"
                f"{near_name(plan_id, self._plans)}"
            )
        return books

    def symbol_books(self, symbol: str) -> list[LiveBook]:
        """Return the books of a symbol; none for one that is not traded."""
        return self._symbols.get(symbol, [])

    @property
    def plan_ids(self) -> list[str]:
        """The plans that trade here."""
        return list(self._plans)

    @property
    def symbols(self) -> list[str]:
        """The symbols that have a book here."""
        return [symbol for symbol, books in self._symbols.items() if books]

    @property
    def is_idle(self) -> bool:
        """Whether no price could change anything: no position, no order, none on its way."""
        return self.next_due == NEVER_NS and not any(book.is_live for book in self.books.values())

    def watch(self, limits: Array | None) -> None:
        """Let the plans' books test the guard's floors (its LIMITS array), or (None) none."""
        self._limits = limits if self.terms.native else None
        self._breach = None if self._limits is None else self._limits["breach"]
        for books in self._plans.values():
            for book in books:
                book.book.limits = no_limits() if self._limits is None else self._limits

    @property
    def limits(self) -> Array | None:
        """The LIMITS array that is watched, None for none."""
        return self._limits

    def join(self, book: LiveBook, always: bool = False) -> None:
        """Tell a book the account's balance and what its other books are worth."""
        if not self._has_several and not always:
            return
        opened = slope = margin = 0.0
        for other in self.books.values():
            if other is book or other.steps == 0:
                continue
            margin += other.margin
            if other.symbol == book.symbol:
                each = other.steps * other.step_value
                slope += each
                opened += other.open_pnl - each * other.price
            else:
                opened += other.open_pnl
        book.take_account(self.balance, opened, slope, margin)

    # -- the market's course -----------------------------------------------------------------

    def begin_bar(self, plan_id: str, bar: np.record) -> None:
        """A plan's bar begins."""
        books = self.plan_books(plan_id)
        self.let_arrive(int(bar.start))
        for book in list(books):
            self.join(book)
            self.happened(book, book.begin_bar(bar))

    def price(
        self, symbol: str, ts: int, price: float, volume: float, spread: float, flags: int
    ) -> None:
        """Match one price of a symbol.

        Two symbols may be told one after the other over the same time: what happens at a price
        happens at its own time, though a later one of another symbol is known.
        """
        books = self._symbols.get(symbol)
        if not books:
            return
        if ts >= self.next_due:
            self.on_due(ts)
        latest = self._now
        self._now = self.roll.now = ts
        if flags & TRADE:
            self._match(books, ts, price, volume, spread, flags)
        if latest > ts:
            self._now = self.roll.now = latest

    def _match(
        self,
        books: list[LiveBook],
        ts: int,
        price: float,
        volume: float,
        spread: float,
        flags: int,
    ) -> None:
        if self._breach_told and self._breach is not None:
            self._breach_told = self._breach.item(0) != BREACH_NONE  # the guard has heard of it
        for book in books:
            if not book.is_live:
                book.see(ts, price, volume, spread, flags)
                continue
            if self._has_several:
                self.join(book)
            events = book.see(ts, price, volume, spread, flags, self.walks)
            if events:
                self.happened(book, events)
            if self._breach is not None and book.plan_id:
                self._look_at_breach(book)

    def finish_bar(self, plan_id: str, bar: np.record) -> None:
        """A plan's bar is over; tell where trailing stops stand."""
        books = self.plan_books(plan_id)
        self.let_arrive(int(bar.end))
        self.pass_time(int(bar.end))
        for book in list(books):
            self.join(book)
            was_live = book.is_live
            self.happened(book, book.finish_bar(bar))
            if was_live:
                self._show_trails(book)

    def let_arrive(self, now: int) -> None:
        """Let requests reach the book whose time has come."""
        if now >= self.next_due:
            self.on_due(now)

    def _look_at_breach(self, book: LiveBook | None) -> None:
        """Close the other books where one met a floor, and say so once.

        book : the one that met it; None: any, in what was no price (an order that filled at once).
        """
        assert self._breach is not None and self._limits is not None
        if self._breach.item(0) == BREACH_NONE:
            self._breach_told = False
            return
        if self._breach_told:
            return
        self._breach_told = True
        limits = self._limits[0]
        met = FloorMet(
            int(limits.breach),
            float(limits.breach_equity),
            float(limits.breach_price),
            ts_event=self._now,
        )
        reason = int(breach_reason(limits))
        for other in list(self.books.values()):
            if other is not book and other.is_live and other.plan_id:
                self.join(other)
                self.happened(other, other.flatten(reason))
        self.turn.is_changed = True
        self.turn.tell(met)

    def _show_trails(self, book: LiveBook) -> None:
        for number, price in book.trailing():
            order = self.roll.get(number)
            if order is not None and order.price != price and price == price:
                self.roll.note_terms(order, book)
                self.roll.tell(order)

    # -- what happened -----------------------------------------------------------------------

    def happened(self, book: LiveBook, events: Sequence[BookEvent]) -> None:
        """Take what happened in a book: orders, fills and money, to be committed and told."""
        if not events:
            return
        self.turn.is_changed = book.changed = True
        self.balance = book.balance
        for event in events:
            self._take(book, event)

    def _take(self, book: LiveBook, event: BookEvent) -> None:
        if event.kind == FILL_EVENT:
            self._fill(book, event)
            return
        if event.kind == SWAP_EVENT:
            self._pay("swap", event.costs, book.plan_id, book.symbol)
            return
        order = self.roll.get(event.order_id)
        if order is None:
            return
        if event.kind == ACTIVE_EVENT:
            self.roll.set_status(order, OrderStatus.WORKING)
        elif event.kind == CHANGE_EVENT:
            self.roll.note_change(order, book.size(event.quantity), event.price)
        else:
            status = _ENDS.get(event.kind, OrderStatus.CANCELLED)
            self.roll.set_status(order, status, REASONS[event.reason])
        self.roll.tell(order)

    def _fill(self, book: LiveBook, event: BookEvent) -> None:
        quantity, side = book.size(event.quantity), Side(event.side)
        order = self.roll.get(event.order_id)
        reason = REASONS[event.reason]
        if order is None:
            order = self._own_order(book, side, quantity, reason)
        elif order.author is Author.EXCHANGE:
            reason = reason or order.reason
        self._fill_count += 1
        execution = Execution(
            f"F{self._fill_count}", order.venue_id, book.symbol, side, quantity, event.price,
            order.order_id, order.order_id, self._position_id(book, order), reason,
            adverse=event.adverse, favourable=event.favourable, ts_event=self._now,
        )  # fmt: skip
        self.turn.note_fill(self._fill_count, order, execution, event.costs, event.pnl)
        order.filled = round(order.filled + quantity, 9)
        done = order.filled >= order.quantity - 1e-9
        self.roll.set_status(order, OrderStatus.FILLED if done else order.status)
        if order.author is not Author.EXCHANGE:
            self.roll.tell(order)
        self._moved[book.symbol, book.key if self.terms.hedging else ""] = None

    def _own_order(self, book: LiveBook, side: Side, quantity: float, reason: str) -> PaperOrder:
        """Return an order of the exchange's own, with which it closes a position."""
        return self.roll.take(
            Author.EXCHANGE, book, side=side, quantity=quantity, kind=OrderKind.MARKET,
            role=Role.EXIT, reason=reason,
        )  # fmt: skip

    def _position_id(self, book: LiveBook, order: PaperOrder) -> str:
        """Return the position an execution is of.

        A netting account has none; but of two plans' virtual positions only the exchange knows
        which one it has closed by itself.
        """
        if self.terms.hedging:
            return book.key
        return "" if order.author is Author.HAND else book.plan_id

    def close(self, book: LiveBook) -> None:
        """Close a book's position at the next price; orders that wait to open another stay."""
        side = Side.SELL if book.steps > 0 else Side.BUY
        order = self._own_order(book, side, book.size(book.steps), REASONS[REQUESTED_FLAT])
        self.enter(book, order, reduces=True)

    def enter(self, book: LiveBook, order: PaperOrder, reduces: bool) -> None:
        """Put an order without children, and without an id of a client's, into a book."""
        self.join(book)
        request = OrderRequest(
            order.number, order.plan_id, order.symbol, order.side, order.quantity, order.kind,
            order.price, order.limit_price, reduces=reduces,
        )  # fmt: skip
        _, events = book.add(request)
        if order.author is Author.HAND:
            self.roll.tell(order)
        self.happened(book, events)

    def pay_in(self, amount: float) -> None:
        """Take money that somebody pays in, or out of the account if negative."""
        self.balance += amount
        for book in self.books.values():
            self.join(book, always=True)
            book.changed = True
        self._pay("deposit" if amount > 0 else "withdrawal", -amount)

    def _pay(self, kind: str, paid: float, plan_id: str = "", symbol: str = "") -> None:
        self._flow_count += 1
        name = flow_id(self._now, self._flow_count)
        self.turn.note_cash(CashFlow(kind, paid, symbol, plan_id, name, ts_event=self._now))

    def book_of(self, order: PaperOrder) -> LiveBook:
        """Return the book in which an order that has not ended stands."""
        return self.books[order.book]

    # -- what there is -----------------------------------------------------------------------

    def account(self) -> AccountUpdate:
        """Return the account's money."""
        opened = sum(book.open_pnl for book in self.books.values())
        margin = sum(book.margin for book in self.books.values())
        return AccountUpdate(self.balance, self.balance + opened, margin, ts_event=self._now)

    def positions(self) -> list[PositionUpdate]:
        """Return each position: hedging by id, netting the net of each symbol that has a book."""
        if self.terms.hedging:
            held = [book for book in self.books.values() if book.steps]
            return [self._position(book.symbol, book.key) for book in held]
        return [self._position(symbol, "") for symbol in self.symbols]

    def _position(self, symbol: str, position_id: str) -> PositionUpdate:
        if position_id:
            book = self.books.get(position_id)
            held = [] if book is None else [book]
        else:
            held = self.symbol_books(symbol)
        net = round(sum(book.quantity for book in held), 9)
        kept = [book for book in held if book.quantity * net > 0]
        total = sum(book.quantity for book in kept)
        average = sum(book.quantity * book.average for book in kept) / total if total else 0.0
        return PositionUpdate(
            symbol, net, kept[0].average if len(kept) == 1 else average, position_id,
            ts_event=self._now,
        )  # fmt: skip

    # -- committing and telling --------------------------------------------------------------

    def settle(self) -> None:
        """Commit what happened, if anything did; then tell it.

        Raises
        ------
        BrokerError : it could not be written; nothing was told.
        """
        if self.turn.is_changed:
            if self._breach is not None:
                self._look_at_breach(None)
            self._commit()
        self.turn.tell_all()

    def _commit(self) -> None:
        for symbol, position_id in self._moved:
            self.turn.tell(self._position(symbol, position_id))
        self._moved.clear()
        for book in [book for book in self.books.values() if self._is_over(book)]:
            self._drop(book)
        changed = [book for book in self.books.values() if book.changed]
        account = AccountRow(
            self.terms.positions, self.cash, self.balance, self._now, self.roll.count,
            self._fill_count,
        )  # fmt: skip
        self.turn.commit(account, [book.kept() for book in changed])
        for book in changed:
            book.changed = False

    def _is_over(self, book: LiveBook) -> bool:
        """Whether a position's or another hand's book has nothing left in it."""
        return not (book.is_live or book.key in self._plans)

    def flush(self) -> None:
        """Commit how everything stands, though nothing has happened."""
        for book in self.books.values():
            book.changed = True
        self.turn.is_changed = True
        self.settle()

    # -- going on ----------------------------------------------------------------------------

    def restore(self, row: AccountRow) -> None:
        """Go on from what the ledger holds.

        Raises
        ------
        BrokerError : what is open does not fit these settings or plans.
        """
        self.cash, self.balance = row.cash, row.balance
        self.pass_time(row.now)
        self._fill_count = row.fills
        self._flow_count = len(self.ledger.cash())
        self.roll.restore(row.orders)
        kept = [KeptBook(*found) for found in self.ledger.books()]
        is_open = len(self.roll) > 0 or any(item.is_open for item in kept)
        if is_open and row.positions != self.terms.positions:
            raise BrokerError(
                f"this paper account keeps its positions {row.positions} and has something open: "
                f"set positions = {row.positions!r} until it is flat, or begin a new account"
            )
        for item in kept:
            book = self._book_for(item)
            if book is not None:
                book.restore(item)
        for book in self.books.values():
            self.join(book, always=True)

    def _book_for(self, kept: KeptBook) -> LiveBook | None:
        """Return the book that goes on from a kept one, None where nothing is left to go on with.

        A plan's that this session does not have is a foreign one now.
        """
        key, plan_id, symbol = kept.key, kept.plan_id, kept.symbol
        book = self.books.get(key)
        if book is not None and book.symbol == symbol:
            return book
        if not kept.is_open:
            return None
        if book is not None:
            raise BrokerError(
                f"plan {plan_id} has something open in {symbol} on this paper account and trades "
                f"{book.symbol} now: name it otherwise, or let it trade {symbol} until it is flat"
            )
        beside = self.symbol_books(symbol)
        if beside:
            return self.open_book(key, plan_id, beside[0])
        instrument = get_instrument(symbol)
        fx = constant_rate(instrument.quote_currency, "account", kept.rate)
        return self.open_foreign_book(key, plan_id, instrument, fx)
