"""`KiteStore`: the one connection of an account, behind the venue port.

Threads: the SDK's stream on Twisted's reactor; a few workers for requests, those about one order in
turn; a keeper that opens, watches and reopens the stream and looks at the order book by itself.
Each only puts events into the inbox (`emit`).

What the stream says of an order is a reason to ask: its messages repeat, come late, are not sent
for a mere placement, and hold no fills.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brokers.contracts import Contract
from brokers.errors import AuthError, Disconnected, OutcomeUnknown, RateLimited
from brokers.kite import kite_capabilities, wire
from brokers.kite.client import WINDOWS, KiteClient
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.history import fetch_pages
from brokers.kite.instruments import load_contracts, today
from brokers.kite.mapping import (
    SIDES,
    SentTerms,
    change_terms,
    order_type,
    place_terms,
    whole_units,
)
from brokers.kite.order_roll import OrderRoll
from brokers.kite.prices import TickMaker
from brokers.kite.stream import KiteStream
from brokers.lanes import Lanes
from brokers.limits import Usage, Window
from brokers.master import ContractMaster
from brokers.port import Capabilities, OrderChangeRequest, VenueOrder
from brokers.retries import Questions, Reconnector, RetryPolicy
from core.bars import BAR
from core.errors import TolaError
from core.events import (
    AccountUpdate,
    Answer,
    Event,
    HistoryBars,
    Link,
    LinkState,
    Outcome,
    PositionUpdate,
    Snapshot,
    Ticks,
    Verb,
)
from core.instruments import get_instrument

logger = logging.getLogger(__name__)

_KEEPER_SECS = 0.1
_LOGIN_LOOK_SECS = 5.0
"""How often a new token is looked for while one is needed."""
_ORDER_THREADS, _QUESTION_THREADS = 6, 3
_TRIES_UNSENT = 3
_UNSENT_WAIT_SECS = 0.3
"""Between the tries of a request that never left this computer."""
_NO_ORDER = "the venue's order book has no such order"
_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_IST_NS = 19_800 * _SECOND_NS
"""Mumbai's wall clock minus UTC; it has had no change since 1945."""
_DAY_LOOK_SECS = 5.0
_TOKENS_END_NS = (6 * 3600 + 300) * _SECOND_NS
"""Five minutes after tokens die, from midnight in Mumbai."""


class KiteStore:
    """One account at Kite.

    Parameters
    ----------
    config : KiteConfig
    keys : returns the account's keys, read anew at each use of a token.
    emit : takes each event, from any thread.
    symbols : what will be traded or watched.
    policy : how often lost connections and refused questions are tried again.
    clock : the market's time, ns UTC; this computer's by default.
    contracts : of the day; None: the venue is asked.
    windows : the request limits of the account.
    """

    def __init__(
        self,
        config: KiteConfig,
        keys: Callable[[], KiteKeys],
        emit: Callable[[Event], None],
        symbols: Sequence[str] = (),
        *,
        policy: RetryPolicy | None = None,
        clock: Callable[[], int] = time.time_ns,
        contracts: ContractMaster | None = None,
        windows: Sequence[Window] = WINDOWS,
    ) -> None:
        self.config = config
        self.client = KiteClient(config, keys, windows)
        self._capabilities = kite_capabilities(config.product)
        self._keys = keys
        self._emit = emit
        self._symbols = tuple(symbols)
        self._clock = clock
        self._lock = threading.RLock()
        self._learning = threading.Lock()
        self._reconnector = Reconnector(policy or RetryPolicy())
        self._questions = Questions(policy or RetryPolicy(), self._rest_of_life)
        self._orders = Lanes("kite-orders", _ORDER_THREADS)
        self._asks = Lanes("kite-questions", _QUESTION_THREADS)
        self._roll = OrderRoll()
        self._makers = TickMaker()
        self._contracts = contracts
        self._watched: dict[str, None] = {}
        self._by_token: dict[int, str] = {}
        self._traded: dict[str, Contract] = {}
        self._last_day = self._token_day = 0
        self._stream: KiteStream | None = None
        self._keeper: threading.Thread | None = None
        self._closing = threading.Event()
        self._polled_at = self._looked_at = self._day_looked_at = 0.0
        self._token = ""

    @property
    def capabilities(self) -> Capabilities:
        """What the account can do."""
        return self._capabilities

    @property
    def is_quiet(self) -> bool:
        """Whether no request and no connection is on its way: a lock-step market waits for it."""
        rests = (LinkState.CONNECTED, LinkState.LOGIN_NEEDED, LinkState.GIVEN_UP)
        is_linked = self._keeper is None or self._reconnector.state in rests
        return is_linked and self._orders.is_idle and self._asks.is_idle

    def usage(self) -> Sequence[Usage]:
        """Return how much of each of the venue's request limits is used."""
        return self.client.usage()

    # -- connection --------------------------------------------------------------------------

    def connect(self) -> None:
        """Log in, open the stream; `Link` events tell how it went. Safe to call again."""
        with self._lock:
            if self._reconnector.state is not LinkState.CONNECTED:
                self._reconnector.begin(time.monotonic())
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="kite-keeper", daemon=True)
                self._keeper.start()

    def disconnect(self, timeout_secs: float = 5.0) -> None:
        """Close everything and end the store's threads; safe to call again."""
        self._closing.set()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._orders.close(timeout_secs)
        self._asks.close(timeout_secs)
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join(timeout_secs)

    def _rest_of_life(self, secs: float) -> bool:
        """Wait; True where the store is being closed."""
        return self._closing.wait(secs)

    def _keep(self) -> None:
        """Open, watch and reopen the stream; look at the order book by itself."""
        while not self._closing.wait(_KEEPER_SECS):
            now = time.monotonic()
            try:
                if self._reconnector.state is LinkState.LOGIN_NEEDED:
                    self._look_for_login(now)
                if self._stream is not None and self._stream.is_open:
                    self._watch(now)
                elif self._stream is None and self._reconnector.is_due(now):
                    self._open()
            except TolaError as fault:
                self._failed(fault)
            except Exception:  # the outer edge of the keeper's thread
                logger.exception("the keeper of the connection failed")
                self._failed(Disconnected("an error of ours, see the log", venue="kite"))

    def _open(self) -> None:
        """Check the token, learn the day's contracts, open a stream."""
        keys = self._keys()
        self._token = keys.access_token
        self.client.get_profile()
        self._learn_contracts()
        stream = KiteStream(self.config, keys, self)
        with self._lock:
            self._stream = stream
        stream.open()

    def _learn_contracts(self) -> None:
        """Know the day's contracts; another day may bring other ones, and other tokens."""
        with self._learning:
            now = self._clock()
            known = self._contracts
            if not self._symbols or (known is not None and known.origin.day >= today(now)):
                return
            found = load_contracts(self.config, self._symbols, now, self.client.get_instruments)
            logger.info("contracts known origin=%s", found.origin.describe())
            traded = {symbol: self._choose(symbol, found) for symbol in found.symbols}
            for symbol in found.symbols:
                for difference in found.differences(symbol, found.origin.day):
                    logger.warning("contract %s", difference.describe())
            with self._lock:
                self._contracts, self._traded = found, traded
                before = self._by_token
                self._by_token = {
                    int(traded[symbol].venue_id): symbol
                    for symbol in self._watched
                    if symbol in traded
                }
        self._change_subscriptions(before)

    def _choose(self, symbol: str, found: ContractMaster) -> Contract:
        """Return the contract of the day; while the one before is held, that one to its end."""
        day = found.origin.day
        front, old = found.contract_on(symbol, day), self._traded.get(symbol)
        if old is None or old.venue_symbol == front.venue_symbol:
            return front
        for contract in found.contracts(symbol):
            if contract.venue_symbol == old.venue_symbol and self._is_held(contract):
                logger.warning(
                    "a position stays in its contract symbol=%s contract=%s front=%s",
                    symbol, contract.describe(), front.describe(),
                )  # fmt: skip
                return contract
        logger.info("another contract is traded symbol=%s contract=%s", symbol, front.describe())
        return front

    def _is_held(self, contract: Contract) -> bool:
        return any(
            row.quantity and row.tradingsymbol == contract.venue_symbol
            for row in self.client.get_positions().net
        )

    def _change_subscriptions(self, before: Mapping[int, str]) -> None:
        stream, after = self._stream, self._by_token
        if stream is None or not stream.is_open or not before:
            return
        gone, new = before.keys() - after.keys(), after.keys() - before.keys()
        if gone:
            stream.unsubscribe(sorted(gone))
        if new:
            stream.subscribe(sorted(new))

    def _look_at_day(self, now: int) -> None:
        """Learn the day's contracts once it has begun; the list of before holds expired ones."""
        known = self._contracts
        if known is not None and known.origin.day < today(now):
            self._asks.put("contracts", self._learn_again)

    def _look_at_token(self, now: int) -> None:
        """Ask each morning whether the token lives: a stream may outlast it."""
        day = (now + _IST_NS - _TOKENS_END_NS) // _DAY_NS
        if day > self._token_day:
            is_first, self._token_day = not self._token_day, day
            if not is_first:
                self._asks.put("token", self._check_token)

    def _check_token(self) -> None:
        try:
            self._questions.ask(self.client.get_profile)
        except AuthError as fault:
            self._login_over(fault)
        except TolaError as fault:
            logger.warning("the token cannot be checked error=%s", fault)

    def _learn_again(self) -> None:
        try:
            self._learn_contracts()
        except TolaError as fault:
            logger.warning("the day's contracts are not known error=%s", fault)

    def _look_for_login(self, now: float) -> None:
        """Go on by itself once somebody has logged in."""
        if now - self._looked_at < _LOGIN_LOOK_SECS:
            return
        self._looked_at = now
        token = self._keys().access_token
        if token and token != self._token:
            self._token = token
            self._reconnector.logged_in(now)

    def login_renewed(self) -> None:
        """Look for a new token at once: somebody has logged in."""
        self._looked_at = 0.0

    def _watch(self, now: float) -> None:
        """End a stream that is dead though its socket stands; poll the order book."""
        stream = self._stream
        if stream is None:
            return
        if now - self._day_looked_at >= _DAY_LOOK_SECS:
            self._day_looked_at = now
            market_time = self._clock()
            self._look_at_day(market_time)
            self._look_at_token(market_time)
        silent = now - stream.heard_at
        if silent > self.config.silent_secs:
            stream.close()
            self._lost(stream, Disconnected(f"the stream is silent for {silent:.0f} s"))
            return
        if self._roll.has_working and now - self._polled_at >= self._capabilities.poll_secs:
            self._polled_at = now
            self._asks.put("poll", self._poll)

    def _failed(self, fault: Exception) -> None:
        """A connection could not be begun."""
        state = self._reconnector.failed(time.monotonic(), fault)
        self._tell_link(state, fault)

    def _lost(self, stream: KiteStream, fault: Exception) -> None:
        with self._lock:
            if self._stream is not stream:
                return
            self._stream = None
        self._failed(fault)

    def _tell_link(self, state: LinkState, fault: Exception | None = None) -> None:
        now = self._clock()
        reason = "" if fault is None else str(fault)
        logger.log(
            logging.INFO if fault is None else logging.WARNING,
            "link state=%s reason=%s", state.name, reason,
        )  # fmt: skip
        self._emit(Link(state, reason=reason, ts_event=now, ts_init=time.time_ns()))

    # -- the stream (reactor's thread) -------------------------------------------------------

    def opened(self, stream: KiteStream) -> None:
        """Renew all subscriptions, then say that the connection stands."""
        with self._lock:
            if stream is not self._stream:
                return
            tokens = list(self._by_token)
            self._makers.forget()
        if tokens:
            stream.subscribe(tokens)
        self._tell_link(LinkState.CONNECTED)
        self._reconnector.connected(time.monotonic())

    def heard_ticks(self, stream: KiteStream, ticks: Sequence[wire.Tick]) -> None:
        """Turn packets into ticks of our symbols."""
        if stream is not self._stream:
            return
        for tick in ticks:
            day = (tick.exchange_time + _IST_NS) // _DAY_NS
            if day > self._last_day:
                self._last_day = day
                self._look_at_day(tick.exchange_time)
            symbol = self._by_token.get(tick.instrument_token)
            made = None if symbol is None else self._makers.make(tick)
            if symbol is not None and made is not None:
                ts_event, ts_init = made["ts_event"].item(0), made["ts_init"].item(0)
                self._emit(Ticks(symbol, made, ts_event=ts_event, ts_init=ts_init))

    def heard_order(self, stream: KiteStream, order: wire.Order) -> None:
        """Tell of a changed order, and ask for the fills it lacks."""
        if stream is self._stream:
            self._tell_order(order)

    def ended(self, stream: KiteStream, fault: Exception) -> None:
        """The stream is over."""
        self._lost(stream, fault)

    # -- prices ------------------------------------------------------------------------------

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Ask for prices; they come as `Ticks`."""
        with self._lock:
            self._watched.update(dict.fromkeys(symbols))
        self._asks.put("subscriptions", self._subscribe)

    def _subscribe(self) -> None:
        """Subscribe to what is watched and has a contract; the rest follows with its contract."""
        try:
            wanted = {int(self.contract(symbol).venue_id): symbol for symbol in list(self._watched)}
        except TolaError as fault:
            logger.info("subscriptions wait for contracts reason=%s", fault)
            return
        with self._lock:
            new = wanted.keys() - self._by_token.keys()
            self._by_token = wanted
        stream = self._stream
        if stream is not None and stream.is_open and new:
            stream.subscribe(sorted(new))

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Stop prices of these."""
        with self._lock:
            for symbol in symbols:
                self._watched.pop(symbol, None)
            gone = [token for token, symbol in self._by_token.items() if symbol in symbols]
            for token in gone:
                del self._by_token[token]
        stream = self._stream
        if stream is not None and gone:
            stream.unsubscribe(gone)

    def contract(self, symbol: str) -> Contract:
        """Return what a symbol is at the venue today.

        Raises
        ------
        ConfigError : it has no contract. BrokerError : the contracts are not known yet.
        """
        found = self._traded.get(symbol)
        if found is None:
            if symbol not in self._symbols:
                self._symbols = (*self._symbols, symbol)
                self._contracts = None
            self._learn_contracts()
            found = self._traded[symbol]
        return found

    @property
    def contracts(self) -> ContractMaster | None:
        """The day's contracts, None before they are known."""
        return self._contracts

    # -- questions ---------------------------------------------------------------------------

    def request_history(
        self, request_id: int, symbol: str, timeframe_ns: int, start: int, end: int
    ) -> None:
        """Ask for the completed bars with `start` <= START and END <= `end` (ns UTC)."""

        def ask() -> None:
            error = ""
            try:
                for bars in self.history(symbol, timeframe_ns, start, end):
                    self._emit(self._page(request_id, symbol, timeframe_ns, bars, False))
            except TolaError as fault:
                error = str(fault)
            empty = np.zeros(0, BAR)
            self._emit(self._page(request_id, symbol, timeframe_ns, empty, True, error))

        self._asks.put(f"history {symbol}", ask)

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Yield pages of past bars; waits for the venue.

        Raises
        ------
        TolaError : there are none to be had; says why.
        """
        token = int(self.contract(symbol).venue_id)
        return fetch_pages(
            lambda interval, first, last: self._questions.ask(
                lambda: self.client.get_historical(token, interval, first, last)
            ),
            timeframe_ns,
            start,
            end,
        )

    def _page(
        self,
        request_id: int,
        symbol: str,
        timeframe_ns: int,
        bars: np.ndarray[Any, Any],
        is_last: bool,
        error: str = "",
    ) -> HistoryBars:
        now = self._clock()
        return HistoryBars(request_id, symbol, timeframe_ns, bars, is_last, error, ts_event=now)

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
        client = self.client
        orders, trades = client.get_orders(), client.get_trades()
        positions, margins = client.get_positions(), client.get_margins()
        updates = tuple(self._order_update(order, is_book=True) for order in orders)
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
            tuple(self._positions(positions)),
            tuple(executions),
            ts_event=self._clock(),
        )

    def _positions(self, books: wire.Positions) -> list[PositionUpdate]:
        """Return what is held by symbol, all products of a contract together."""
        held: dict[str, list[tuple[float, float]]] = {}
        for row in books.net:
            symbol, units = self._symbol_of(row.exchange, row.tradingsymbol)
            held.setdefault(symbol, []).append((row.quantity / units, row.average_price))
        found = []
        for symbol, parts in held.items():
            quantity = sum(part for part, _ in parts)
            weight = sum(abs(part) for part, _ in parts)
            price = sum(abs(part) * at for part, at in parts) / weight if weight else 0.0
            found.append(PositionUpdate(symbol, quantity, price if quantity else 0.0))
        return found

    def _poll(self) -> None:
        """Look at the order book: what the stream did not tell is told now."""
        try:
            orders = self.client.get_orders()
        except TolaError as fault:
            logger.warning("the order book cannot be read error=%s", fault)
            if isinstance(fault, AuthError):
                self._login_over(fault)
            return
        for order in orders:
            self._tell_order(order, is_book=True)

    def _look_at(self, venue_order_id: str) -> None:
        """Look at one order: the stream does not tell of what is merely placed.

        One that the exchange has not spoken of yet is seen again with the next look at the book.
        """
        try:
            order = self.client.get_order(venue_order_id)
        except TolaError as fault:
            logger.warning("an order cannot be read order=%s error=%s", venue_order_id, fault)
            return
        self._tell_order(order, is_book=True)

    def _login_over(self, fault: AuthError) -> None:
        """The token died while the stream stands: it will not be opened again with it."""
        stream = self._stream
        if stream is not None:
            stream.close()
            self._lost(stream, fault)

    # -- orders: what the venue tells --------------------------------------------------------

    def _tell_order(self, order: wire.Order, *, is_book: bool = False) -> None:
        self._emit(self._order_update(order, is_book=is_book))
        if self._roll.lacks_fills(order):
            self._asks.put(f"fills {order.order_id}", lambda: self._ask_fills(order))

    def _ask_fills(self, order: wire.Order) -> None:
        if not self._roll.lacks_fills(order):
            return
        try:
            trades = self._questions.ask(lambda: self.client.get_order_trades(order.order_id))
        except TolaError as fault:
            logger.warning("fills cannot be read order=%s error=%s", order.order_id, fault)
            return
        for execution in self._executions(trades):
            self._emit(execution)

    def _order_update(self, order: wire.Order, *, is_book: bool = False) -> Any:
        symbol, units = self._symbol_of(order.exchange, order.tradingsymbol)
        contract = self._contract_named(order.exchange, order.tradingsymbol)
        update = self._roll.heard(order, symbol, units, is_book=is_book)
        if update.order_id and contract is not None and order.order_type != "MARKET":
            side = SIDES[order.transaction_type]
            self._roll.learn_terms(
                update.order_id,
                SentTerms(order.order_type, side, contract, self._tick(symbol, contract)),
            )
        return update

    def _executions(self, trades: Sequence[wire.Trade]) -> list[Any]:
        found = []
        for trade in trades:
            symbol, units = self._symbol_of(trade.exchange, trade.tradingsymbol)
            found += self._roll.executions([trade], symbol, units)
        return found

    def _contract_named(self, exchange: str, venue_symbol: str) -> Contract | None:
        master = self._contracts
        if master is None:
            return None
        for contract in master.all:
            if (contract.exchange, contract.venue_symbol) == (exchange, venue_symbol):
                return contract
        return None

    def _symbol_of(self, exchange: str, venue_symbol: str) -> tuple[str, float]:
        """Return our symbol of the venue's, with its units; its own name for another contract.

        A month that is not the one traded now is another contract: what is held of it is no part
        of the position that is traded.
        """
        contract = self._contract_named(exchange, venue_symbol)
        if contract is None:
            return f"{exchange}:{venue_symbol}", 1.0
        if contract is not self.contract(contract.symbol):
            return f"{exchange}:{venue_symbol}", contract.venue_units
        return contract.symbol, contract.venue_units

    def _tick(self, symbol: str, contract: Contract) -> float:
        if contract.tick is not None:
            return contract.tick
        master = self._contracts
        return get_instrument(symbol).facts(0 if master is None else master.origin.day).tick

    # -- orders: what is asked ---------------------------------------------------------------

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Send an order. It is placed at most once, whatever becomes of the answer."""

        def send() -> str:
            contract = self.contract(order.symbol)
            tick = self._tick(order.symbol, contract)
            terms = place_terms(order, contract, self.config, tick)
            sent = SentTerms(order_type(order, self.config), order.side, contract, tick)
            self._roll.sending(order.order_id, sent)
            venue_order_id = self.client.place_order(terms)
            self._roll.placed(order.order_id, venue_order_id)
            return venue_order_id

        self._request(request_id, Verb.SUBMIT, order.order_id, send)

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working order."""

        def send() -> str:
            venue_order_id = self._find(change.order_id, change.venue_order_id)
            sent = self._roll.terms(change.order_id)
            if sent is None:
                raise _NoSuchOrder(_NO_ORDER)
            self.client.modify_order(venue_order_id, change_terms(change, sent, self.config))
            return venue_order_id

        self._request(request_id, Verb.MODIFY, change.order_id, send)

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working order."""

        def send() -> str:
            found = self._find(order_id, venue_order_id)
            self.client.cancel_order(found)
            return found

        self._request(request_id, Verb.CANCEL, order_id, send)

    def close_position(self, request_id: int, symbol: str, position_id: str = "") -> None:
        """Close a whole position at market, whoever opened it."""

        def send() -> str:
            contract = self.contract(symbol)
            books = self.client.get_positions()
            held = [
                row
                for row in books.net
                if (row.exchange, row.tradingsymbol) == (contract.exchange, contract.venue_symbol)
                and row.quantity
            ]
            if not held:
                raise _NoSuchOrder(f"no position in {symbol}")
            placed = [self._close_row(row, contract) for row in held]
            return placed[-1]

        self._request(request_id, Verb.CLOSE, "", send, lane=f"close {symbol}")

    def _close_row(self, row: wire.Position, contract: Contract) -> str:
        """Send market orders that end one row of the position book; return the last one's id."""
        master = self._contracts
        day = 0 if master is None else master.origin.day
        freeze = get_instrument(contract.symbol).facts(day).freeze_quantity
        most = whole_units(contract, freeze) if freeze < np.inf else abs(row.quantity)
        left, venue_order_id = abs(row.quantity), ""
        while left:
            size = min(left, most)
            venue_order_id = self.client.place_order(
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
        known = venue_order_id or self._roll.venue_id(order_id)
        if not known:
            for order in self.client.get_orders():
                self._tell_order(order, is_book=True)
            known = self._roll.venue_id(order_id)
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
                if isinstance(fault, AuthError):
                    self._login_over(fault)
            except Exception as fault:  # an error of ours: it may have been sent
                logger.exception("a request failed verb=%s order=%s", verb.name, order_id)
                answer = replace(answer, reason=f"an error of ours: {type(fault).__name__}")
            finally:
                venue_id = answer.venue_order_id or self._roll.venue_id(order_id)
                now = self._clock()
                self._emit(replace(answer, venue_order_id=venue_id, ts_event=now))
            if verb in (Verb.SUBMIT, Verb.MODIFY) and venue_id:
                self._asks.put(f"order {venue_id}", lambda: self._look_at(venue_id))

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


def _account_of(margins: dict[str, wire.MarginSegment]) -> AccountUpdate:
    """Return the money of all segments that are in use, rupees.

    What was blocked for orders is still the account's: free money and blocked money together.
    """
    used = [segment for segment in margins.values() if segment.enabled]
    free = sum(segment.net for segment in used)
    blocked = sum(segment.utilised.get("debits", 0.0) for segment in used)
    return AccountUpdate(free + blocked, margin_used=blocked)
