"""What the store knows of the orders at the venue: whose, in which version, filled how far."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from brokers.kite import wire
from brokers.kite.mapping import GUARD_TAG, SIDES, STATUSES, Prices, SentTerms, prices_of
from core.events import Execution, OrderStatus, OrderUpdate

_Terms = tuple[float, float | None, float | None]


@dataclass(slots=True)
class _Known:
    """One order at the venue.

    versions : what it stood at, by version; a venue's second may hold several changes.
    filled : what fills of it were told, by trade.
    """

    order_id: str = ""
    symbol: str = ""
    status: OrderStatus = OrderStatus.RECEIVED
    is_at_market: bool = False
    stamp: int = 0
    version: int = 0
    seen: dict[_Terms, int] = field(default_factory=dict)
    trades: set[str] = field(default_factory=set)
    filled: int = 0


class OrderRoll:
    """Orders by both their ids; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[str, _Known] = {}
        self._venue_ids: dict[str, str] = {}
        self._terms: dict[str, SentTerms] = {}
        self._at_market: set[str] = set()

    # -- ids ---------------------------------------------------------------------------------

    def sending(self, order_id: str, terms: SentTerms) -> None:
        """An order of ours is about to be sent."""
        with self._lock:
            self._terms[order_id] = terms
            if terms.kind == "MARKET":
                self._at_market.add(order_id)

    def placed(self, order_id: str, venue_order_id: str) -> None:
        """The venue gave an order its id."""
        with self._lock:
            self._venue_ids[order_id] = venue_order_id
            self._of(venue_order_id).order_id = order_id

    def venue_id(self, order_id: str) -> str:
        """Return the venue's id of an order of ours, "" where it is not known."""
        with self._lock:
            return self._venue_ids.get(order_id, "")

    def terms(self, order_id: str) -> SentTerms | None:
        """Return what is known of an order that a change needs."""
        with self._lock:
            return self._terms.get(order_id)

    def learn_terms(self, order_id: str, terms: SentTerms) -> None:
        """Know the terms of an order that an earlier process sent."""
        with self._lock:
            self._terms.setdefault(order_id, terms)

    @property
    def has_working(self) -> bool:
        """Whether an order of ours may still fill."""
        with self._lock:
            return any(item.order_id and not item.status.is_end for item in self._known.values())

    def _of(self, venue_order_id: str) -> _Known:
        return self._known.setdefault(venue_order_id, _Known())

    # -- what the venue tells ----------------------------------------------------------------

    def heard(
        self, order: wire.Order, symbol: str, units: float, *, is_book: bool = False
    ) -> OrderUpdate:
        """Take in what the venue tells of an order; return it in our words.

        Parameters
        ----------
        symbol, units : ours, and how many of the venue's units 1.0 of our quantity is.
        is_book : it was read from the order book, which tells the present, not of a change.
        """
        with self._lock:
            known = self._of(order.order_id)
            known.symbol = symbol
            tag = _tag_of(order, self._terms)
            if not known.order_id and tag:
                known.order_id = tag
                self._venue_ids.setdefault(tag, order.order_id)
            status = STATUSES.get(order.status, OrderStatus.WORKING)
            known.status = max(known.status, status)
            prices = prices_of(order)
            if known.order_id in self._at_market:
                prices = Prices(None, None)
            version = self._version(known, order, prices, is_book)
            return OrderUpdate(
                status,
                order.order_id,
                known.order_id,
                tag,
                order.parent_order_id or "",
                symbol,
                SIDES.get(order.transaction_type),
                order.filled_quantity / units,
                order.average_price or None,
                order.quantity / units,
                prices.price,
                prices.limit_price,
                version,
                order.status_message or "",
                ts_event=_time_of(order),
            )

    def _version(self, known: _Known, order: wire.Order, prices: Prices, is_book: bool) -> int:
        """Return a number that grows with each change of an order's terms.

        The venue's times are of a second. Within one, terms not seen before are newer; ones that
        were come again by repetition, unless the order book itself shows them now.
        """
        stamp = _time_of(order)
        terms: _Terms = (order.quantity, prices.price, prices.limit_price)
        if stamp > known.stamp:
            known.stamp, known.version = stamp, max(stamp, known.version + 1)
            known.seen = {terms: known.version}
        elif stamp < known.stamp:
            return stamp
        elif terms not in known.seen or (is_book and known.seen[terms] < known.version):
            known.version += 1
            known.seen[terms] = known.version
        return known.seen[terms]

    def lacks_fills(self, order: wire.Order) -> bool:
        """Whether the venue calls more of an order filled than fills of it were told."""
        with self._lock:
            return order.filled_quantity > self._of(order.order_id).filled

    def executions(
        self, trades: Iterable[wire.Trade], symbol: str, units: float
    ) -> list[Execution]:
        """Return fills in our words, those told before too: they count once by their id."""
        with self._lock:
            return [self._execution(trade, symbol, units) for trade in trades]

    def _execution(self, trade: wire.Trade, symbol: str, units: float) -> Execution:
        known = self._of(trade.order_id)
        if trade.trade_id not in known.trades:
            known.trades.add(trade.trade_id)
            known.filled += trade.quantity
        return Execution(
            f"{trade.order_id}/{trade.trade_id}",
            trade.order_id,
            symbol,
            SIDES[trade.transaction_type],
            trade.quantity / units,
            trade.average_price,
            known.order_id,
            known.order_id,
            ts_event=trade.fill_timestamp,
        )


def _time_of(order: wire.Order) -> int:
    return max(order.exchange_update_timestamp, order.exchange_timestamp, order.order_timestamp)


def _tag_of(order: wire.Order, sent: dict[str, SentTerms]) -> str:
    """Return our tag of an order: the venue adds tags of its own, in any place."""
    tags = [tag for tag in (order.tag, *order.tags) if tag]
    ours = [tag for tag in tags if tag in sent]
    if ours:
        return ours[0]
    foreign = ("autoslice", "mktp:", GUARD_TAG)
    return next((tag for tag in tags if not tag.startswith(foreign)), "")
