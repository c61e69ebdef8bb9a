"""What Kite tells of orders, fills, positions and money, in our words.

What the stream says of an order is a reason to ask: its messages repeat, come late, are not sent
for a mere placement, and hold no fills.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from brokers.kite import wire
from brokers.kite.client import KiteClient
from brokers.kite.mapping import SIDES, SentTerms
from brokers.kite.order_roll import OrderRoll
from brokers.kite.protection import KiteProtection
from brokers.kite.trading_day import TradingDay
from brokers.kite.triggers import NO_PRICES, Pair
from brokers.lanes import Lanes
from brokers.retries import Questions
from core.errors import TolaError
from core.events import AccountUpdate, Event, OrderUpdate, PositionUpdate, Snapshot

logger = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000


class OrderWatch:
    """Sees to it that everything that becomes of an account's orders is told.

    Parameters
    ----------
    asks, questions : where questions are asked, and how often.
    emit : takes each event, from any thread. clock : the market's time, ns UTC.

    Attributes
    ----------
    roll : the orders known at the venue.
    """

    def __init__(
        self,
        day: TradingDay,
        client: KiteClient,
        protection: KiteProtection,
        asks: Lanes,
        questions: Questions,
        emit: Callable[[Event], None],
        clock: Callable[[], int],
    ) -> None:
        self.roll = OrderRoll()
        self._day = day
        self._client = client
        self._protection = protection
        self._asks = asks
        self._questions = questions
        self._emit = emit
        self._clock = clock

    def request_snapshot(self, request_id: int, since: int) -> None:
        """Ask for account, orders and positions now and executions since a time (ns UTC)."""
        asked_at = self._clock()

        def ask() -> None:
            try:
                snapshot = self._questions.ask(lambda: self._snapshot(request_id, asked_at, since))
            except TolaError as fault:
                snapshot = Snapshot(request_id, asked_at, error=str(fault), ts_event=asked_at)
            self._emit(snapshot)

        self._asks.put("snapshot", ask)

    def _snapshot(self, request_id: int, asked_at: int, since: int) -> Snapshot:
        # Orders before fills: a fill in between is one more, never one that is missing.
        client = self._client
        orders, trades = client.get_orders(), client.get_trades()
        protection = self._protection
        for order in orders:
            update = self._order_update(order, is_book=True)
            protection.explain(order, update.order_id)
        prices = {symbol: protection.prices(symbol) for symbol in self._day.traded}
        positions, margins = client.get_positions(), client.get_margins()
        updates = tuple(
            self._order_update(order, is_book=True)
            for order in orders
            if not protection.reason(order.order_id)
        )
        executions = [
            self._executions([trade])[0]
            for trade in trades
            if trade.fill_timestamp + _SECOND_NS > since  # the venue's times are of a second
        ]
        return Snapshot(
            request_id,
            asked_at,
            _account_of(margins),
            updates,
            tuple(self._positions(positions, prices)),
            tuple(executions),
            ts_event=self._clock(),
        )

    def _positions(self, books: wire.Positions, prices: Mapping[str, Pair]) -> list[PositionUpdate]:
        """Return what is held by symbol, all products of a contract together."""
        held: dict[str, list[tuple[float, float]]] = {}
        for row in books.net:
            symbol, units = self._day.symbol_of(row.exchange, row.tradingsymbol)
            held.setdefault(symbol, []).append((row.quantity / units, row.average_price))
        found = []
        for symbol, parts in held.items():
            quantity = sum(part for part, _ in parts)
            weight = sum(abs(part) for part, _ in parts)
            price = sum(abs(part) * at for part, at in parts) / weight if weight else 0.0
            pair = prices.get(symbol, NO_PRICES)
            average = price if quantity else 0.0
            found.append(PositionUpdate(symbol, quantity, average, "", pair.stop, pair.target))
        return found

    def poll(self) -> None:
        """Look at the order book: what the stream did not tell is told now."""
        try:
            orders = self._client.get_orders()
        except TolaError as fault:
            logger.warning("the order book cannot be read error=%s", fault)
            return
        for order in orders:
            self.tell(order, is_book=True)

    def look_at(self, venue_order_id: str) -> None:
        """Look at one order: the stream does not tell of what is merely placed.

        One that the exchange has not spoken of yet is seen again with the next look at the book.
        """
        try:
            order = self._client.get_order(venue_order_id)
        except TolaError as fault:
            logger.warning("an order cannot be read order=%s error=%s", venue_order_id, fault)
            return
        self.tell(order, is_book=True)

    def tell(self, order: wire.Order, *, is_book: bool = False) -> None:
        """Tell how an order stands, and ask for the fills it lacks.

        Of an order that a trigger has placed the fills alone are told.
        """
        update = self._order_update(order, is_book=is_book)
        protection, order_id = self._protection, update.order_id
        if protection.may_be_ours(order, order_id):
            self._asks.put(f"order {order.order_id}", lambda: self._tell_explained(order, update))
        elif not protection.reason(order.order_id):
            self._emit(update)
        if self.roll.lacks_fills(order):
            self._asks.put(f"fills {order.order_id}", lambda: self._ask_fills(order, order_id))

    def _tell_explained(self, order: wire.Order, update: OrderUpdate) -> None:
        """Tell of an order that carries no tag, unless a trigger has placed it."""
        try:
            self._protection.explain(order, update.order_id)
        except TolaError as fault:
            logger.warning("triggers cannot be read error=%s", fault)
        if not self._protection.reason(order.order_id):
            self._emit(update)

    def _ask_fills(self, order: wire.Order, order_id: str) -> None:
        if not self.roll.lacks_fills(order):
            return
        try:
            self._protection.explain(order, order_id)
            trades = self._questions.ask(lambda: self._client.get_order_trades(order.order_id))
        except TolaError as fault:
            logger.warning("fills cannot be read order=%s error=%s", order.order_id, fault)
            return
        for execution in self._executions(trades):
            self._emit(execution)

    def _order_update(self, order: wire.Order, *, is_book: bool = False) -> OrderUpdate:
        symbol, units = self._day.symbol_of(order.exchange, order.tradingsymbol)
        contract = self._day.named(order.exchange, order.tradingsymbol)
        update = self.roll.heard(order, symbol, units, is_book=is_book)
        self._protection.heard(order, update.order_id)
        if update.order_id and contract is not None and order.order_type != "MARKET":
            side = SIDES[order.transaction_type]
            self.roll.learn_terms(
                update.order_id,
                SentTerms(order.order_type, side, contract, self._day.tick(contract)),
            )
        return update

    def _executions(self, trades: Sequence[wire.Trade]) -> list[Any]:
        found = []
        for trade in trades:
            symbol, units = self._day.symbol_of(trade.exchange, trade.tradingsymbol)
            reason = self._protection.reason(trade.order_id)
            executions = self.roll.executions([trade], symbol, units)
            found += [replace(item, reason=reason) for item in executions]
        return found


def _account_of(margins: dict[str, wire.MarginSegment]) -> AccountUpdate:
    """Return the money of all segments that are in use, rupees.

    What was blocked for orders is still the account's: free money and blocked money together.
    """
    used = [segment for segment in margins.values() if segment.enabled]
    free = sum(segment.net for segment in used)
    blocked = sum(segment.utilised.get("debits", 0.0) for segment in used)
    return AccountUpdate(free + blocked, margin_used=blocked)
