"""Another hand on a paper account: what somebody does there who is not the engine.

For tests and demonstrations. What it does is told by the same events as everything else, and none
of it carries an id of ours.
"""

from __future__ import annotations

from typing import Any

from brokers.paper.exchange import PaperExchange
from brokers.paper.gateway import PaperGateway
from brokers.paper.orders import Author, PaperOrder, number_in, venue_id
from core.errors import BrokerError
from core.events import OrderStatus
from core.fx import FxRate, constant_rate
from core.instruments import Instrument, get_instrument
from core.matching.live_book import LiveBook
from core.orders import OrderKind, Role, Side
from core.ticks import TRADE


class OtherHand:
    """Trades on a paper account beside the engine.

    Market orders fill at the next price, as everybody's do; `show_price` shows one of a symbol
    that no plan trades. Every method returns the exchange's ids of the orders it made, and raises
    BrokerError where it cannot be done.

    Parameters
    ----------
    exchange, gateway : of the account. lock : what guards them.
    """

    def __init__(self, exchange: PaperExchange, gateway: PaperGateway, lock: Any) -> None:
        self._exchange = exchange
        self._gateway = gateway
        self._lock = lock

    def place(
        self,
        symbol: str,
        side: Side,
        quantity: float,
        kind: OrderKind = OrderKind.MARKET,
        price: float | None = None,
        limit_price: float | None = None,
        instrument: Instrument | None = None,
        fx: FxRate | None = None,
    ) -> list[str]:
        """Place an order; on a netting account a market order first closes what stands against it.

        instrument, fx : of a symbol that no plan trades; by default the bundled one, at rate 1.
        """
        with self._lock:
            made: list[PaperOrder] = []
            left = quantity
            if kind is OrderKind.MARKET and not self._exchange.terms.hedging:
                made, left = self._reduce(self._against(symbol, side), side, quantity)
            if left > 1e-9:
                book = self._own_book(symbol, instrument, fx)
                made.append(self._enter(book, side, left, kind, price, limit_price, False))
            self._exchange.settle()
            return [venue_id(order.number) for order in made]

    def close(self, symbol: str, quantity: float | None = None, position_id: str = "") -> list[str]:
        """Close a position at market, or only a quantity of it.

        position_id : which, on a hedging account; "" all of the symbol.
        """
        with self._lock:
            held = [
                book
                for book in self._exchange.symbol_books(symbol)
                if book.steps and position_id in ("", book.key)
            ]
            net = sum(book.quantity for book in held)
            if not net:
                raise BrokerError(f"no position in {symbol} to close on this paper account")
            side = Side.SELL if net > 0 else Side.BUY
            against = [book for book in held if book.quantity * net > 0]
            made, _ = self._reduce(against, side, abs(net) if quantity is None else quantity)
            self._exchange.settle()
            return [venue_id(order.number) for order in made]

    def cancel(self, venue_order_id: str) -> None:
        """Cancel an order, whoever made it: a stop of ours, too."""
        with self._lock:
            self._gateway.end(self._standing(venue_order_id))
            self._exchange.settle()

    def modify(
        self,
        venue_order_id: str,
        price: float | None = None,
        limit_price: float | None = None,
        quantity: float | None = None,
    ) -> None:
        """Change an order, whoever made it."""
        with self._lock:
            order = self._standing(venue_order_id)
            why = self._gateway.change(order, price, limit_price, quantity)
            if why:
                raise BrokerError(f"order {venue_order_id} cannot be changed: {why}")
            self._exchange.roll.tell(order)
            self._exchange.settle()

    def pay_in(self, amount: float) -> None:
        """Pay money into the account, or out of it if negative."""
        with self._lock:
            self._exchange.pay_in(amount)
            self._exchange.settle()

    def show_price(self, symbol: str, price: float) -> None:
        """Let a price of a symbol be seen that no plan trades."""
        with self._lock:
            if any(book.plan_id for book in self._exchange.symbol_books(symbol)):
                raise BrokerError(f"{symbol} is traded by a plan: its prices come with the market")
            self._exchange.price(symbol, self._exchange.now, price, 1e9, float("nan"), TRADE)
            self._exchange.settle()

    # -- inside ------------------------------------------------------------------------------

    def _against(self, symbol: str, side: Side) -> list[LiveBook]:
        books = self._exchange.symbol_books(symbol)
        return [book for book in books if book.steps * side < 0]

    def _reduce(
        self, books: list[LiveBook], side: Side, quantity: float
    ) -> tuple[list[PaperOrder], float]:
        """Let market orders close a quantity of these positions; return them and what is left."""
        made, left = [], quantity
        for book in list(books):
            part = min(left, abs(book.quantity))
            if book.steps_of(part) > 0:
                made.append(self._enter(book, side, part, OrderKind.MARKET, None, None, True))
                left -= part
        return made, left

    def _enter(
        self,
        book: LiveBook,
        side: Side,
        quantity: float,
        kind: OrderKind,
        price: float | None,
        limit_price: float | None,
        reduces: bool,
    ) -> PaperOrder:
        exchange = self._exchange
        if book.steps_of(quantity) < 1:
            raise BrokerError(f"quantity {quantity:g} is below the lot of {book.step:g}")
        order = exchange.roll.take(
            Author.HAND, book, side=side, quantity=quantity, kind=kind,
            role=Role.EXIT if reduces else Role.ENTRY, price=price, limit_price=limit_price,
        )  # fmt: skip
        exchange.enter(book, order, reduces)
        return order

    def _own_book(self, symbol: str, instrument: Instrument | None, fx: FxRate | None) -> LiveBook:
        """Return the book another hand's orders stand in: one a symbol, or one a position."""
        exchange = self._exchange
        hedging = exchange.terms.hedging
        key = venue_id(exchange.roll.count + 1) if hedging else f"hand {symbol}"
        if key in exchange.books:
            return exchange.books[key]
        beside = exchange.symbol_books(symbol)
        if beside:
            return exchange.open_book(key, "", beside[0])
        known = instrument or get_instrument(symbol)
        rate = fx or constant_rate(known.quote_currency, "account", 1.0)
        return exchange.open_foreign_book(key, "", known, rate)

    def _standing(self, venue_order_id: str) -> PaperOrder:
        order = self._exchange.roll.get(number_in(venue_order_id))
        if order is None or order.status is OrderStatus.RECEIVED:
            raise BrokerError(f"no order {venue_order_id} works on this paper account")
        return order
