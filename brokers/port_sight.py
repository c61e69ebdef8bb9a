"""An account seen through a port of its own: asked, waited for, and told in the unified shape."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brokers.errors import AuthError, Disconnected, OutcomeUnknown, VenueError
from brokers.port import VenuePort
from brokers.unified import AccountState, Hear, OpenPosition, Quote, WorkingOrder
from core.bars import BAR, Series
from core.events import (
    Event,
    HistoryBars,
    Link,
    LinkState,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Snapshot,
    Ticks,
)


@dataclass
class _Waiting:
    """A question under way: what has come, and whether that is all."""

    pages: list[Any] = field(default_factory=list)
    is_complete: bool = False


class PortSight:
    """What a venue's port shows, asked for and waited for.

    Parameters
    ----------
    make : makes the port; it is given what takes the port's events.
    name, currency : of the account.
    timeout_secs : how long an answer is waited for.
    fresh_secs : a snapshot so young answers again without asking.

    Notes
    -----
    It owns the port: a session's own port tells its events to the session alone. Any thread may
    call; `hear` of a subscription is called on the port's.
    """

    def __init__(
        self,
        make: Callable[[Callable[[Event], None]], VenuePort],
        name: str,
        currency: str,
        timeout_secs: float = 10.0,
        fresh_secs: float = 1.0,
    ) -> None:
        self.name = name
        self.currency = currency
        self._timeout_secs = timeout_secs
        self._fresh_secs = fresh_secs
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._number = 0
        self._quotes: dict[str, Quote] = {}
        self._hearers: dict[str, list[Hear]] = {}
        self._snapshot: Snapshot | None = None
        self._snapshot_at = float("-inf")
        self._port = make(self._take)
        self.venue = self._port.capabilities.venue

    def __enter__(self) -> PortSight:
        self.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        self.disconnect()

    def connect(self) -> None:
        """Connect and wait until that is done.

        Raises
        ------
        AuthError : a login is needed. Disconnected : no connection came.
        """
        self._port.connect()
        settled = (LinkState.CONNECTED, LinkState.GIVEN_UP, LinkState.LOGIN_NEEDED)
        with self._changed:
            self._changed.wait_for(lambda: self._state in settled, self._timeout_secs)
            state, reason = self._state, self._link.reason if self._link else ""
        if state is LinkState.LOGIN_NEEDED:
            raise AuthError(f"log in: python run.py login {self.venue}", venue=self.venue)
        if state is not LinkState.CONNECTED:
            raise Disconnected(reason or "no connection", venue=self.venue, operation="connect")

    def disconnect(self) -> None:
        """Close the connection."""
        self._port.disconnect()

    def account(self) -> AccountState:
        """Return the account's money."""
        snapshot = self._asked()
        told = snapshot.account
        if told is None:
            raise VenueError("it told no money of the account", venue=self.venue)
        return AccountState(
            self.name,
            self.venue,
            self.currency,
            told.balance,
            told.equity,
            told.margin_used,
            told.can_trade,
            told.ts_event or snapshot.ts_event,
        )

    def positions(self) -> tuple[OpenPosition, ...]:
        """Return what is open, whoever opened it."""
        return tuple(self._position(item) for item in self._asked().positions if item.quantity)

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return what works, whoever sent it."""
        alive = [item for item in self._asked().orders if _works(item.status)]
        return tuple(map(_working_order, alive))

    def price(self, symbol: str) -> Quote:
        """Return the last price, waiting for the first one."""
        with self._changed:
            if symbol not in self._quotes:
                self._port.subscribe([symbol])
                self._changed.wait_for(lambda: symbol in self._quotes, self._timeout_secs)
            if symbol in self._quotes:
                return self._quotes[symbol]
        raise OutcomeUnknown(
            f"no price of {symbol} came within {self._timeout_secs:g} s: is its market open?",
            venue=self.venue,
        )

    def subscribe(self, symbol: str, hear: Hear) -> Callable[[], None]:
        """Have each new price told; call the result to end it."""
        with self._changed:
            hearers = self._hearers.setdefault(symbol, [])
            hearers.append(hear)
            if len(hearers) == 1:
                self._port.subscribe([symbol])

        def end() -> None:
            with self._changed:
                if hear in hearers:
                    hearers.remove(hear)
                    if not hearers:
                        self._port.unsubscribe([symbol])
                        self._quotes.pop(symbol, None)

        return end

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Series:
        """Return completed bars of the venue's own, oldest first."""
        pages: list[HistoryBars] = self._ask(
            lambda number: self._port.request_history(number, symbol, timeframe_ns, start, end),
            f"history of {symbol}",
        )
        fault = next((page.error for page in pages if page.error), "")
        if fault:
            raise VenueError(fault, venue=self.venue, operation=f"history of {symbol}")
        bars = np.concatenate([page.bars for page in pages]) if pages else np.zeros(0, BAR)
        bars = bars[np.argsort(bars["start"], kind="stable")]
        return Series(symbol, timeframe_ns, bars, {"venue": self.venue})

    # -- inside ------------------------------------------------------------------------------

    @property
    def _state(self) -> LinkState | None:
        return None if self._link is None else self._link.state

    def _asked(self) -> Snapshot:
        """Return a snapshot that is young enough, asking for one if need be."""
        with self._changed:
            kept = self._snapshot
            if kept is not None and time.monotonic() - self._snapshot_at < self._fresh_secs:
                return kept
        (snapshot,) = self._ask(
            lambda number: self._port.request_snapshot(number, time.time_ns()), "snapshot"
        )
        if snapshot.error:
            raise VenueError(snapshot.error, venue=self.venue, operation="snapshot")
        with self._changed:
            self._snapshot, self._snapshot_at = snapshot, time.monotonic()
        return snapshot  # type: ignore[no-any-return]

    def _ask(self, send: Callable[[int], None], what: str) -> list[Any]:
        """Send a question and return all of its answer."""
        question = _Waiting()
        with self._changed:
            self._number += 1
            number = self._number
            self._waiting[number] = question
        try:
            send(number)
            with self._changed:
                self._changed.wait_for(lambda: question.is_complete, self._timeout_secs)
        finally:
            with self._changed:
                del self._waiting[number]
        if not question.is_complete:
            raise OutcomeUnknown(
                f"no answer within {self._timeout_secs:g} s", venue=self.venue, operation=what
            )
        return question.pages

    def _take(self, event: Event) -> None:
        """Take an event of the port, on its thread."""
        told: list[tuple[Hear, Quote]] = []
        with self._changed:
            if isinstance(event, Link):
                self._link = event
                if event.state is not LinkState.CONNECTED:  # what was known is of before
                    self._quotes.clear()
                    self._snapshot = None
            elif isinstance(event, Snapshot | HistoryBars):
                question = self._waiting.get(event.request_id)
                if question is not None:
                    question.pages.append(event)
                    question.is_complete = not isinstance(event, HistoryBars) or event.is_last
            elif isinstance(event, Ticks) and len(event.ticks):
                quote = _quote(event)
                self._quotes[event.symbol] = quote
                told = [(hear, quote) for hear in self._hearers.get(event.symbol, ())]
            self._changed.notify_all()
        for hear, quote in told:
            hear(quote)

    def _position(self, item: PositionUpdate) -> OpenPosition:
        quote = self._quotes.get(item.symbol)
        return OpenPosition(
            item.symbol,
            1 if item.quantity > 0 else -1,
            abs(item.quantity),
            item.average_price,
            None if quote is None else quote.price,
            stop=item.stop,
            target=item.target,
            position_id=item.position_id,
        )


def _works(status: OrderStatus) -> bool:
    return OrderStatus.RECEIVED <= status <= OrderStatus.WORKING


def _working_order(item: OrderUpdate) -> WorkingOrder:
    return WorkingOrder(
        item.order_id,
        item.venue_order_id,
        item.symbol,
        item.side,
        item.quantity,
        item.filled,
        price=item.limit_price if item.price is None else item.price,
        status=item.status.name.lower(),
    )


def _quote(event: Ticks) -> Quote:
    last = event.ticks[-1]
    bid, ask = float(last["bid"]), float(last["ask"])
    return Quote(
        event.symbol,
        float(last["price"]),
        int(last["ts_event"]),
        bid if bid == bid else None,
        ask if ask == ask else None,
    )
