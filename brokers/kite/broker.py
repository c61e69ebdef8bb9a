"""`KiteBroker`: what is asked of Kite about orders; each is placed at most once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from brokers.contracts import Contract
from brokers.errors import Disconnected, OutcomeUnknown, RateLimited
from brokers.kite import wire
from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig
from brokers.kite.mapping import SentTerms, change_terms, order_type, place_terms, whole_units
from brokers.kite.order_watch import OrderWatch
from brokers.kite.protection import KiteProtection
from brokers.kite.trading_day import TradingDay
from brokers.lanes import Lanes
from brokers.port import OrderChangeRequest, PositionPrices, VenueOrder
from core.errors import TolaError
from core.events import Answer, Event, Outcome, Verb

logger = logging.getLogger(__name__)

_TRIES_UNSENT = 3
_UNSENT_WAIT_SECS = 0.3
"""Between the tries of a request that never left this computer."""
_NO_ORDER = "the venue's order book has no such order"


class KiteBroker:
    """The orders of one account.

    Parameters
    ----------
    orders, asks : where requests about orders are done, and questions are asked.
    emit : takes each event, from any thread. clock : the market's time, ns UTC.
    closing : set once the account's store is being closed.
    """

    def __init__(
        self,
        config: KiteConfig,
        day: TradingDay,
        client: KiteClient,
        watch: OrderWatch,
        protection: KiteProtection,
        orders: Lanes,
        asks: Lanes,
        emit: Callable[[Event], None],
        clock: Callable[[], int],
        closing: threading.Event,
    ) -> None:
        self.config = config
        self._day = day
        self._client = client
        self._watch = watch
        self._protection = protection
        self._orders = orders
        self._asks = asks
        self._emit = emit
        self._clock = clock
        self._closing = closing

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Send an order. It is placed at most once, whatever becomes of the answer."""

        def send() -> str:
            contract = self._day.contract(order.symbol)
            tick = self._day.tick(contract)
            terms = place_terms(order, contract, self.config, tick)
            sent = SentTerms(order_type(order, self.config), order.side, contract, tick)
            self._watch.roll.sending(order.order_id, sent)
            self._protection.entry_sent(order)
            self._protection.exit_sent(order)
            venue_order_id = self._client.place_order(terms)
            self._watch.roll.placed(order.order_id, venue_order_id)
            return venue_order_id

        self._request(request_id, Verb.SUBMIT, order.order_id, send)

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working order, or the prices of a position."""
        prices = change.protection
        if prices is not None:
            self._move(request_id, change.order_id, prices)
            return

        def send() -> str:
            venue_order_id = self._find(change.order_id, change.venue_order_id)
            sent = self._watch.roll.terms(change.order_id)
            if sent is None:
                raise _NoSuchOrder(_NO_ORDER)
            self._client.modify_order(venue_order_id, change_terms(change, sent, self.config))
            return venue_order_id

        self._request(request_id, Verb.MODIFY, change.order_id, send)

    def _move(self, request_id: int, order_id: str, prices: PositionPrices) -> None:
        def send() -> str:
            self._protection.moved(prices)
            return ""

        lane = f"triggers {prices.symbol}"
        self._request(request_id, Verb.MODIFY, order_id, send, lane=lane)

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working order."""

        def send() -> str:
            found = self._find(order_id, venue_order_id)
            self._client.cancel_order(found)
            return found

        self._request(request_id, Verb.CANCEL, order_id, send)

    def close_position(self, request_id: int, symbol: str, position_id: str = "") -> None:
        """Close a whole position at market, whoever opened it."""

        def send() -> str:
            contract = self._day.contract(symbol)
            books = self._client.get_positions()
            held = [
                row
                for row in books.net
                if (row.exchange, row.tradingsymbol) == (contract.exchange, contract.venue_symbol)
                and row.quantity
            ]
            if not held:
                raise _NoSuchOrder(f"no position in {symbol}")
            self._protection.close_sent(symbol)
            placed = [self._close_row(row, contract) for row in held]
            return placed[-1]

        self._request(request_id, Verb.CLOSE, "", send, lane=f"close {symbol}")

    def _close_row(self, row: wire.Position, contract: Contract) -> str:
        """Send market orders that end one row of the position book; return the last one's id."""
        freeze = self._day.freeze_quantity(contract)
        most = whole_units(contract, freeze) if freeze < np.inf else abs(row.quantity)
        left, venue_order_id = abs(row.quantity), ""
        while left:
            size = min(left, most)
            venue_order_id = self._client.place_order(
                {
                    "variety": "regular",
                    "exchange": row.exchange,
                    "tradingsymbol": row.tradingsymbol,
                    "transaction_type": "SELL" if row.quantity > 0 else "BUY",
                    "quantity": size,
                    "product": row.product or self.config.product,
                    "order_type": "MARKET",
                    "validity": "DAY",
                    "market_protection": self.config.market_protection,
                }
            )
            left -= size
        return venue_order_id

    def _find(self, order_id: str, venue_order_id: str) -> str:
        """Return the venue's id of an order; the order book is searched where it is not known."""
        known = venue_order_id or self._watch.roll.venue_id(order_id)
        if not known:
            for order in self._client.get_orders():
                self._watch.tell(order, is_book=True)
            known = self._watch.roll.venue_id(order_id)
        if not known:
            raise _NoSuchOrder(_NO_ORDER)
        return known

    def _request(
        self,
        request_id: int,
        verb: Verb,
        order_id: str,
        send: Callable[[], str],
        lane: str = "",
    ) -> None:
        """Do a request in its order's turn and answer it, exactly once."""

        def do() -> None:
            answer = Answer(request_id, verb, Outcome.UNKNOWN, order_id)
            try:
                answer = replace(answer, venue_order_id=self._sent(send), outcome=Outcome.ACCEPTED)
            except OutcomeUnknown as fault:
                answer = replace(answer, reason=str(fault))
            except (TolaError, ValueError) as fault:  # refused, or never sent
                answer = replace(answer, outcome=Outcome.REFUSED, reason=str(fault))
                if verb is Verb.SUBMIT:
                    self._protection.refused(order_id)
            except Exception as fault:  # an error of ours: it may have been sent
                logger.exception("a request failed verb=%s order=%s", verb.name, order_id)
                answer = replace(answer, reason=f"an error of ours: {type(fault).__name__}")
            finally:
                venue_id = answer.venue_order_id or self._watch.roll.venue_id(order_id)
                now = self._clock()
                self._emit(replace(answer, venue_order_id=venue_id, ts_event=now))
            # What cannot be cancelled has ended, or filled.
            is_news = verb is not Verb.CANCEL or answer.outcome is Outcome.REFUSED
            if venue_id and is_news and verb is not Verb.CLOSE:
                self._asks.put(f"order {venue_id}", lambda: self._watch.look_at(venue_id))

        if not self._orders.put(lane or order_id, do):
            self._emit(
                Answer(request_id, verb, Outcome.REFUSED, order_id, reason="the store is closed")
            )

    def _sent(self, send: Callable[[], str]) -> str:
        """Send; again where nothing had left this computer: that is the one safe repetition."""
        for left in reversed(range(_TRIES_UNSENT)):
            try:
                return send()
            except (Disconnected, RateLimited) as fault:
                if not left or isinstance(fault, RateLimited) or self._closing.is_set():
                    raise
                self._closing.wait(_UNSENT_WAIT_SECS)
        raise AssertionError("unreachable")


class _NoSuchOrder(TolaError):
    """What a request is about is not at the venue."""
