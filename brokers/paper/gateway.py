"""The way in: requests are checked, are on their way for as long as the account says, and answered.

A request that is on its way has left its sender: it is in the ledger and arrives, whatever becomes
of the process that sent it.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from brokers.paper.exchange import PaperExchange
from brokers.paper.orders import (
    Author,
    PaperOrder,
    number_in,
    order_from_dict,
    order_to_dict,
    request_of,
    venue_id,
)
from brokers.port import OrderChangeRequest, VenueOrder
from core.bars import NEVER_NS
from core.errors import near_name
from core.events import Answer, OrderStatus, Outcome, Verb
from core.matching.live_book import LiveBook
from core.orders import OrderChange, OrderKind, Side

_PRICED = (OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT)
_GONE = "this order works no more"


@dataclass(slots=True)
class _Sent:
    """A request on its way. request_id : None once nobody is left who waits for its answer."""

    number: int
    due: int
    verb: Verb
    body: dict[str, Any]
    request_id: int | None
    refused: str = ""
    order: VenueOrder | None = None


class PaperGateway:
    """Takes requests of an account."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange
        self._latency = exchange.terms.latency_ns
        self._answers_at_once = exchange.terms.answers_at_once or not self._latency
        self._way: deque[_Sent] = deque()
        self._sent_count = 0
        exchange.on_due = self._let_arrive

    # -- requests ----------------------------------------------------------------------------

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Take an order with its children."""
        used = next((n for n in map(self._exchange.roll.number_of, _ids(order)) if n), 0)
        refused = "this id was used" if used else self._refusal(order)
        if refused:
            self._refuse(Verb.SUBMIT, request_id, {"order_id": order.order_id}, used, refused)
            return
        numbers = self._take(order)
        body = {"order_id": order.order_id, "numbers": numbers}
        self._send(Verb.SUBMIT, request_id, body, numbers[0], order)

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working or held order."""
        self._about(Verb.MODIFY, request_id, asdict(change))

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working or held order."""
        body = {"order_id": order_id, "venue_order_id": venue_order_id}
        self._about(Verb.CANCEL, request_id, body)

    def close(self, request_id: int, symbol: str, position_id: str) -> None:
        """Close a whole position at the next price, whoever opened it."""
        body = {"order_id": "", "symbol": symbol, "position_id": position_id}
        self._send(Verb.CLOSE, request_id, body, 0)

    def _about(self, verb: Verb, request_id: int, body: dict[str, Any]) -> None:
        """Take a request about an order that must be known."""
        number = self._number(body)
        if number:
            self._send(verb, request_id, body, number)
        else:
            self._refuse(verb, request_id, body, 0, _GONE)

    def _number(self, body: dict[str, Any]) -> int:
        roll = self._exchange.roll
        number = roll.number_of(body["order_id"]) or number_in(body["venue_order_id"])
        return number if number <= roll.count else 0

    # -- checks ------------------------------------------------------------------------------

    def _refusal(self, order: VenueOrder) -> str:
        """Return why an order is not taken, "" if it is."""
        exchange = self._exchange
        ids = _ids(order)
        if "" in ids or len(set(ids)) < len(ids):
            return "each order of a group needs an id of its own"
        if order.plan_id not in exchange.plan_ids:
            near = near_name(order.plan_id, exchange.plan_ids)
            return f"plan {order.plan_id!r} has no book here{near}"
        main = exchange.plan_books(order.plan_id)[0]
        if order.symbol != main.symbol:
            return f"plan {order.plan_id} trades {main.symbol} here, not {order.symbol}"
        if main.steps_of(order.quantity) < 1:
            return f"quantity {order.quantity:g} is below the lot of {main.step:g}"
        if order.kind in _PRICED and order.price is None:
            return f"a {order.kind.name.lower().replace('_', '-')} order needs a price"
        return self._wrong_position(order) if exchange.terms.hedging else ""

    def _wrong_position(self, order: VenueOrder) -> str:
        if order.position_id:
            book = self._exchange.books.get(order.position_id)
            is_open = book is not None and book.symbol == order.symbol and book.steps != 0
            return "" if is_open else f"position {order.position_id} is not open"
        if order.reduces:
            return "it may only reduce, and names no position: give position_id"
        return ""

    # -- on their way ------------------------------------------------------------------------

    def _send(
        self,
        verb: Verb,
        request_id: int,
        body: dict[str, Any],
        number: int,
        order: VenueOrder | None = None,
    ) -> None:
        exchange = self._exchange
        if not self._latency:
            self._arrive(_Sent(0, exchange.now, verb, body, request_id, order=order))
            return
        self._sent_count += 1
        due = exchange.now + self._latency
        sent = _Sent(self._sent_count, due, verb, body, request_id, order=order)
        document = {"verb": verb.name, **body, "order": order and order_to_dict(order)}
        exchange.turn.sent.append((sent.number, due, json.dumps(document)))
        exchange.turn.is_changed = True
        self._put(sent)
        if self._answers_at_once:
            sent.request_id = None
            self._answer(verb, request_id, body["order_id"], number)
            if verb is Verb.SUBMIT:
                self._tell(body["numbers"])

    def _refuse(
        self, verb: Verb, request_id: int, body: dict[str, Any], number: int, why: str
    ) -> None:
        if self._answers_at_once:
            self._answer(verb, request_id, body["order_id"], number, why)
            return
        self._sent_count += 1
        due = self._exchange.now + self._latency
        body = {**body, "numbers": [number]}
        self._put(_Sent(self._sent_count, due, verb, body, request_id, why))

    def _put(self, sent: _Sent) -> None:
        self._way.append(sent)
        self._exchange.next_due = self._way[0].due

    def _let_arrive(self, now: int) -> None:
        exchange = self._exchange
        while self._way and self._way[0].due <= now:
            sent = self._way.popleft()
            exchange.pass_time(sent.due)
            if sent.refused:
                number = sent.body["numbers"][0]
                assert sent.request_id is not None
                self._answer(
                    sent.verb, sent.request_id, sent.body["order_id"], number, sent.refused
                )
                continue
            exchange.turn.arrived.append(sent.number)
            exchange.turn.is_changed = True
            self._arrive(sent)
        exchange.next_due = self._way[0].due if self._way else NEVER_NS

    def restore(self) -> None:
        """Go on with the requests that were on their way; nobody waits for their answers."""
        for number, due, text in self._exchange.ledger.transit():
            body = json.loads(text)
            verb, order = Verb[body.pop("verb")], body.pop("order")
            self._sent_count = number
            self._put(_Sent(number, due, verb, body, None, order=order and order_from_dict(order)))

    # -- at the book -------------------------------------------------------------------------

    def _arrive(self, sent: _Sent) -> None:
        if sent.verb is Verb.SUBMIT:
            self._place(sent)
        elif sent.verb is Verb.MODIFY:
            self._change(sent)
        elif sent.verb is Verb.CANCEL:
            self._end(sent)
        else:
            self._close(sent)

    def _take(self, order: VenueOrder) -> list[int]:
        """Give an order and its children their numbers."""
        exchange = self._exchange
        book = exchange.plan_books(order.plan_id)[0]
        waits = OrderStatus.RECEIVED if self._latency else OrderStatus.WORKING
        parent = exchange.roll.take(
            Author.OURS, book, side=order.side, quantity=order.quantity, kind=order.kind,
            role=order.role, order_id=order.order_id, price=order.price,
            limit_price=order.limit_price, status=waits,
        )  # fmt: skip
        side = Side.SELL if order.side is Side.BUY else Side.BUY
        numbers = [parent.number]
        for child in order.children:
            made = exchange.roll.take(
                Author.OURS, book, side=side, quantity=child.quantity or order.quantity,
                kind=child.kind, role=child.role, order_id=child.order_id, price=child.price,
                limit_price=child.limit_price, parent=parent.number, status=OrderStatus.HELD,
            )  # fmt: skip
            numbers.append(made.number)
        return numbers

    def _place(self, sent: _Sent) -> None:
        """Put an order into its book."""
        exchange = self._exchange
        order = sent.order
        assert order is not None
        numbers = sent.body["numbers"]
        taken = [item for item in map(exchange.roll.get, numbers) if item is not None]
        parent = taken[0]
        if sent.request_id is not None:
            self._answer(Verb.SUBMIT, sent.request_id, order.order_id, parent.number)
        oco = exchange.roll.number_of(order.oco) or None
        book = self._book_for(order, parent, oco)
        if book is None:
            for item in taken:
                exchange.roll.set_status(
                    item, OrderStatus.REJECTED, "its position was closed before"
                )
                exchange.roll.tell(item)
            return
        for item in taken:
            item.book = book.key
        if parent.status is OrderStatus.RECEIVED:
            exchange.roll.set_status(parent, OrderStatus.WORKING)
        exchange.join(book)
        _, events = book.add(request_of(order, numbers, oco))
        self._tell(numbers)
        exchange.happened(book, events)

    def _book_for(self, order: VenueOrder, parent: PaperOrder, oco: int | None) -> LiveBook | None:
        """Return the book an order belongs in, None where its position is gone.

        Orders of which one cancels the others share a book: of them only one is ever a position.
        """
        exchange = self._exchange
        books = exchange.plan_books(order.plan_id)
        if not exchange.terms.hedging:
            return books[0]
        if order.position_id:
            book = exchange.books.get(order.position_id)
            return book if book is not None and book.steps else None
        if oco is not None:
            for book in books[1:]:
                group = book.book.working()
                if not book.steps and (oco in group["order_id"] or oco in group["oco"]):
                    return book
        return exchange.open_book(venue_id(parent.number), order.plan_id, books[0])

    def _tell(self, numbers: list[int]) -> None:
        for number in numbers:
            order = self._exchange.roll.get(number)
            if order is not None:
                self._exchange.roll.tell(order)

    def _standing(self, sent: _Sent) -> PaperOrder | None:
        """Return the order a request is about if it stands in a book."""
        order = self._exchange.roll.get(self._number(sent.body))
        return None if order is None or order.status is OrderStatus.RECEIVED else order

    def _change(self, sent: _Sent) -> None:
        exchange, body = self._exchange, sent.body
        order = self._standing(sent)
        why = _GONE if order is None else ""
        if order is not None:
            why = self.change(order, body["price"], body["limit_price"], body["quantity"])
        if sent.request_id is not None:
            number = self._number(body)
            self._answer(Verb.MODIFY, sent.request_id, body["order_id"], number, why)
        if order is not None and not why:
            exchange.roll.tell(order)

    def change(
        self,
        order: PaperOrder,
        price: float | None = None,
        limit_price: float | None = None,
        quantity: float | None = None,
    ) -> str:
        """Change an order that stands in a book; return why not, "" if it was."""
        exchange = self._exchange
        book = exchange.book_of(order)
        if quantity is not None and book.steps_of(quantity) <= book.steps_of(order.filled):
            return f"quantity {quantity:g} is not above the {order.filled:g} that are filled"
        if not book.change(OrderChange(order.number, price, limit_price, quantity)):
            return _GONE
        exchange.roll.note_terms(order, book)
        return ""

    def _end(self, sent: _Sent) -> None:
        order = self._standing(sent)
        if sent.request_id is not None:
            number = self._number(sent.body)
            why = _GONE if order is None else ""
            self._answer(Verb.CANCEL, sent.request_id, sent.body["order_id"], number, why)
        if order is not None:
            self.end(order)

    def end(self, order: PaperOrder) -> None:
        """Cancel an order that stands in a book."""
        exchange = self._exchange
        book = exchange.book_of(order)
        exchange.join(book)
        exchange.happened(book, book.cancel(order.number))

    def _close(self, sent: _Sent) -> None:
        exchange, symbol = self._exchange, sent.body["symbol"]
        books = [
            book
            for book in exchange.symbol_books(symbol)
            if book.steps and sent.body["position_id"] in ("", book.key, book.plan_id)
        ]
        for book in books:
            exchange.close(book)
        if sent.request_id is not None:
            why = "" if books else f"no position in {symbol}"
            self._answer(Verb.CLOSE, sent.request_id, "", 0, why)

    def _answer(
        self, verb: Verb, request_id: int, order_id: str, number: int, why: str = ""
    ) -> None:
        exchange = self._exchange
        outcome = Outcome.REFUSED if why else Outcome.ACCEPTED
        exchange.turn.tell(
            Answer(
                request_id, verb, outcome, order_id, venue_id(number), why, ts_event=exchange.now
            )
        )


def _ids(order: VenueOrder) -> list[str]:
    return [order.order_id, *(child.order_id for child in order.children)]
