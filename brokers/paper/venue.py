"""The paper exchange behind the venue port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from brokers.limits import Usage
from brokers.paper import paper_capabilities
from brokers.paper.exchange import PaperExchange, PaperTerms
from brokers.paper.gateway import PaperGateway
from brokers.paper.hand import OtherHand
from brokers.paper.ledger import AccountRow, PaperLedger
from brokers.paper.missed import History, PlanBars, play_missed
from brokers.paper.orders import flow_id, venue_id
from brokers.port import Capabilities, OrderChangeRequest, VenueOrder
from core.calendar import get_calendar
from core.errors import BrokerError, TolaError, near_name
from core.events import (
    CashFlow,
    Event,
    Execution,
    HistoryBars,
    Link,
    LinkState,
    Snapshot,
)
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.book import LimitFill
from core.orders import Side

_MS_NS = 1_000_000


class Quote(NamedTuple):
    """A symbol's last price, and what a sell gets and a buy pays there; nan before the first."""

    symbol: str
    last: float
    bid: float
    ask: float
    ts_event: int


class PaperVenue:
    """One paper account: books of its plans on one balance, a ledger on disk.

    Parameters
    ----------
    emit : callable(event)
        Takes what happens, in order; called before a method returns.
    history : where past prices are found: for the engine's requests, and to play what it missed.
    cash : balance of a new account, account currency.
    ledger : the account's file; None: it lives in memory and ends with the process.
    native, hedging : how brackets and positions are kept (`paper_capabilities`).
    discrete : prices are trades; else they are the path of replayed bars.
    limit_fill : touch fills a limit at its price, through only beyond it.
    volume_share : share of each trade's volume that one position's orders may fill (discrete).
    latency_ms : market time each request takes to reach the book; 0: none.
    answers_at_once : a request is answered when it is sent, not when it has reached the book.

    Raises
    ------
    BrokerError : terms that contradict each other.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        history: History,
        cash: float,
        *,
        ledger: PaperLedger | None = None,
        native: bool = True,
        hedging: bool = False,
        discrete: bool = False,
        limit_fill: LimitFill = "touch",
        volume_share: float | None = None,
        latency_ms: float = 0.0,
        answers_at_once: bool = True,
    ) -> None:
        terms = PaperTerms(
            native, hedging, discrete, limit_fill, volume_share,
            round(latency_ms * _MS_NS), answers_at_once,
        )  # fmt: skip
        self._history = history
        self._ledger = ledger or PaperLedger()
        self._capabilities = paper_capabilities(native=native, hedging=hedging)
        self._lock = threading.RLock()
        self._emit = emit
        self._exchange = PaperExchange(self._ledger, terms, cash, emit)
        self._gateway = PaperGateway(self._exchange)
        self._plans: dict[str, PlanBars] = {}
        self._is_open = self._is_closed = False
        self.other_hand = OtherHand(self._exchange, self._gateway, self._lock)

    @property
    def capabilities(self) -> Capabilities:
        """What a paper account can do."""
        return self._capabilities

    @property
    def balance(self) -> float:
        """Realised money, account currency."""
        return self._exchange.balance

    @property
    def ledger(self) -> PaperLedger:
        """The account's own books."""
        return self._ledger

    @property
    def resume_time(self) -> int:
        """Market time the account's ledger has seen (ns UTC), 0 for a new one."""
        if self._exchange.now:
            return self._exchange.now
        kept = self._ledger.load()
        return 0 if kept is None else int(kept["now"])

    @property
    def is_idle(self) -> bool:
        """Whether no price could change anything: no position, no order, none on its way."""
        return self._exchange.is_idle

    def add_plan(
        self,
        plan_id: str,
        instrument: Instrument,
        fx: FxRate,
        timeframe_ns: int,
        finest_ns: int | None = None,
    ) -> None:
        """Let a plan trade an instrument. Called before `connect`.

        finest_ns : the finest bars of it that `history` has, if finer than its own.
        """
        self._exchange.add_plan(plan_id, instrument, fx)
        self._plans[plan_id] = PlanBars(timeframe_ns, finest_ns or timeframe_ns)

    def watch(self, limits: Any) -> None:
        """Let the books test the guard's floors (its LIMITS array), or (None) none."""
        with self._lock:
            self._exchange.watch(limits)

    # -- connection --------------------------------------------------------------------------

    def connect(self, now: int = 0) -> None:
        """Open the account as it was left, and play what the market did meanwhile.

        Raises
        ------
        BrokerError : what is open on it does not fit these plans or settings.
        """
        with self._lock:
            exchange = self._exchange
            if self._is_closed:
                raise BrokerError("this paper account was closed: build a new one over its ledger")
            if not self._is_open:
                self._open(now)
            exchange.let_arrive(now)
            exchange.pass_time(now)
            exchange.settle()
            self._emit(Link(LinkState.CONNECTED, ts_event=exchange.now))

    def _open(self, now: int) -> None:
        exchange = self._exchange
        kept = self._ledger.load()
        if kept is None:
            exchange.turn.is_changed = True
            self._take_day(now)
        else:
            exchange.restore(AccountRow(**kept))
            self._gateway.restore()
            play_missed(exchange, self._history, self._plans, now)
        self._is_open = True

    def _take_day(self, now: int) -> None:
        """Let the facts of the day hold from the first order on, which may come before any bar."""
        for book in self._exchange.books.values() if now else ():
            calendar = get_calendar(book.instrument.calendar)
            book.take_day(int(calendar.trading_days(np.array([now], np.int64))[0]), now)

    def disconnect(self, timeout_secs: float = 5.0) -> None:
        """Write everything and close the account's file; safe to call again."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            try:
                if self._is_open:
                    self._exchange.flush()
            finally:
                self._ledger.close()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Do nothing: the engine brings the prices itself."""

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Do nothing: the engine brings the prices itself."""

    def usage(self) -> Sequence[Usage]:
        """Return nothing: paper counts no requests."""
        return ()

    # -- questions ---------------------------------------------------------------------------

    def quote(self, symbol: str) -> Quote:
        """Return a symbol's prices now.

        Raises
        ------
        BrokerError : no such symbol is traded here.
        """
        with self._lock:
            books = self._exchange.symbol_books(symbol)
            if not books:
                near = near_name(symbol, self._exchange.symbols)
                raise BrokerError(f"no prices of {symbol!r} on this paper account{near}")
            book = max(books, key=lambda item: item.last_ts)
            bid, ask = book.bid_ask()
            return Quote(symbol, book.price, bid, ask, book.last_ts)

    def request_history(
        self, request_id: int, symbol: str, timeframe_ns: int, start: int, end: int
    ) -> None:
        """Answer with past bars."""
        now, error = self._exchange.now, ""
        try:
            bars = self._history.history(symbol, timeframe_ns, start, end)
        except TolaError as failure:
            bars, error = np.zeros(0), str(failure)
        self._emit(HistoryBars(request_id, symbol, timeframe_ns, bars, error=error, ts_event=now))

    def request_snapshot(self, request_id: int, since: int) -> None:
        """Answer with the account, its positions, the orders that work or ended since a time, and
        the executions since.
        """
        with self._lock:
            exchange = self._exchange
            try:
                snapshot = Snapshot(
                    request_id,
                    exchange.now,
                    exchange.account(),
                    tuple(order.update(exchange.now) for order in exchange.roll.since(since)),
                    tuple(exchange.positions()),
                    tuple(map(_execution, self._ledger.fills(since))),
                    flows=tuple(flow for flow in _flows(self._ledger) if flow.ts_event >= since),
                    ts_event=exchange.now,
                )
            except BrokerError as failure:
                snapshot = Snapshot(request_id, exchange.now, error=str(failure))
            self._emit(snapshot)

    # -- orders ------------------------------------------------------------------------------

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Take an order with its children."""
        with self._lock:
            self._gateway.submit(request_id, order)
            self._exchange.settle()

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working or held order."""
        with self._lock:
            self._gateway.modify(request_id, change)
            self._exchange.settle()

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working or held order."""
        with self._lock:
            self._gateway.cancel(request_id, order_id, venue_order_id)
            self._exchange.settle()

    def close_position(self, request_id: int, symbol: str, position_id: str = "") -> None:
        """Close a whole position at the next price, whoever opened it."""
        with self._lock:
            self._gateway.close(request_id, symbol, position_id)
            self._exchange.settle()

    # -- the market --------------------------------------------------------------------------

    def begin_bar(self, plan_id: str, bar: np.record) -> None:
        """A plan's bar begins."""
        with self._lock:
            self._exchange.begin_bar(plan_id, bar)
            self._exchange.settle()

    def see(self, symbol: str, ticks: np.ndarray[Any, Any]) -> None:
        """Match prices of a symbol."""
        with self._lock:
            exchange = self._exchange
            for ts, _, price, volume, _, _, spread, flags in ticks.tolist():
                exchange.price(symbol, ts, price, volume, spread, flags)
            exchange.settle()

    def finish_bar(self, plan_id: str, bar: np.record) -> None:
        """A plan's bar is over; tell where trailing stops stand."""
        with self._lock:
            self._exchange.finish_bar(plan_id, bar)
            self._exchange.settle()


def _flows(ledger: PaperLedger) -> Iterator[CashFlow]:
    """Yield money that belonged to no fill, as it was told."""
    for number, row in enumerate(ledger.cash(), start=1):
        ts = int(row["ts"])
        yield CashFlow(
            row["kind"], row["paid"], row["symbol"], row["plan_id"], flow_id(ts, number),
            ts_event=ts,
        )  # fmt: skip


def _execution(row: dict[str, Any]) -> Execution:
    """Return a fill as the ledger kept it."""
    return Execution(
        f"F{row['number']}",
        venue_id(row["order"]),
        row["symbol"],
        Side(row["side"]),
        row["quantity"],
        row["price"],
        row["order_id"] or "",
        row["order_id"] or "",
        row["position_id"],
        row["reason"],
        adverse=row["adverse"],
        favourable=row["favourable"],
        ts_event=row["ts"],
    )
