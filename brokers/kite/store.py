"""`KiteStore`: one account at Kite behind the venue port.

It joins the connection (`KiteLink`), prices (`KiteData`) and orders (`KiteBroker`), which run on
threads of their own: the stream on Twisted's reactor, a keeper of the connection, a few workers for
requests, those about one order in turn. Each only puts events into the inbox (`emit`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from brokers.contracts import Contract
from brokers.errors import AuthError
from brokers.kite import kite_capabilities, wire
from brokers.kite.broker import KiteBroker
from brokers.kite.client import WINDOWS, KiteClient
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.feed import KiteData
from brokers.kite.link import KiteLink
from brokers.kite.login_desk import Keep
from brokers.kite.order_watch import OrderWatch
from brokers.kite.protection import KiteProtection
from brokers.kite.stream import KiteStream
from brokers.kite.trading_day import TradingDay
from brokers.kite.trigger_desk import TriggerDesk
from brokers.lanes import Lanes
from brokers.limits import Usage, Window
from brokers.master import ContractMaster
from brokers.port import Capabilities, OrderChangeRequest, VenueOrder
from brokers.retries import Questions, RetryPolicy
from core.errors import TolaError
from core.events import ContractLeft, Event

logger = logging.getLogger(__name__)

_ORDER_THREADS, _QUESTION_THREADS = 6, 3
_DAY_NS = 86_400_000_000_000
_IST_NS = 19_800_000_000_000
"""Mumbai's wall clock minus UTC; it has had no change since 1945."""
_DAY_LOOK_SECS = 5.0
_PRICE_AGE_NS = 60_000_000_000
"""A contract that was not traded for so long has no price to move a stop by."""
_TOKENS_END_NS = (6 * 3600 + 300) * 1_000_000_000
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
    keep : puts what a login left where `keys` finds it; None: nowhere.
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
        keep: Keep | None = None,
    ) -> None:
        policy = policy or RetryPolicy()
        self.config = config
        self.client = KiteClient(config, keys, windows, self._login_over)
        self._capabilities = kite_capabilities(config.product, config.protection)
        self._emit = emit
        self._clock = clock
        self._orders = Lanes("kite-orders", _ORDER_THREADS, goes_first=True)
        self._asks = Lanes("kite-questions", _QUESTION_THREADS)
        self._link = link = KiteLink(config, keys, self, policy, emit, clock, keep)
        self._questions = Questions(policy, link.wait)
        self._day = day = TradingDay(
            config, self.client, symbols, clock, contracts, self._contracts_changed
        )
        self._data = KiteData(
            day, self.client, lambda: link.stream, self._asks, self._questions, emit, clock
        )
        desk = TriggerDesk(config, day, self.client, self._data.last_price, clock)
        self._protection = KiteProtection(config, day, desk, self._orders, emit, clock)
        self._watch = OrderWatch(
            day, self.client, self._protection, self._asks, self._questions, emit, clock
        )
        self._broker = KiteBroker(
            config, day, self.client, self._watch, self._protection, self._orders, self._asks,
            emit, clock, link.closing,
        )  # fmt: skip
        self._last_day = self._token_day = 0
        self._polled_at = self._day_looked_at = 0.0
        self.login_renewed = link.login_renewed

    @property
    def capabilities(self) -> Capabilities:
        """What the account can do."""
        return self._capabilities

    @property
    def is_quiet(self) -> bool:
        """Whether no request and no connection is on its way: a lock-step market waits for it."""
        return self._link.is_at_rest and self._orders.is_idle and self._asks.is_idle

    def silence_secs(self) -> float:
        """Return how long nothing came on a stream that stands; 0 without one."""
        return self._link.silence_secs()

    @property
    def contracts(self) -> ContractMaster | None:
        """The day's contracts, None before they are known."""
        return self._day.contracts

    def contract(self, symbol: str) -> Contract:
        """Return what a symbol is at the venue today; see `TradingDay.contract`."""
        return self._day.contract(symbol)

    def usage(self) -> Sequence[Usage]:
        """Return how much of each of the venue's request limits is used."""
        return self.client.usage()

    # -- the port ----------------------------------------------------------------------------

    def connect(self) -> None:
        """Log in, open the stream; `Link` events tell how it went. Safe to call again."""
        self._link.open()

    def disconnect(self, timeout_secs: float = 5.0) -> None:
        """Close everything and end the store's threads; safe to call again."""
        self._link.end()
        self._orders.close(timeout_secs)
        self._asks.close(timeout_secs)
        self._link.join(timeout_secs)

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Ask for prices; they come as `Ticks`."""
        self._data.subscribe(symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Stop prices of these."""
        self._data.unsubscribe(symbols)

    def request_history(
        self, request_id: int, symbol: str, timeframe_ns: int, start: int, end: int
    ) -> None:
        """Ask for the completed bars with `start` <= START and END <= `end` (ns UTC)."""
        self._data.request_history(request_id, symbol, timeframe_ns, start, end)

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Yield pages of past bars; see `KiteData.history`."""
        return self._data.history(symbol, timeframe_ns, start, end)

    def request_snapshot(self, request_id: int, since: int) -> None:
        """Ask for account, orders and positions now and executions since a time (ns UTC)."""
        self._watch.request_snapshot(request_id, since)

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Send an order. It is placed at most once, whatever becomes of the answer."""
        self._broker.submit(request_id, order)

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working order."""
        self._broker.modify(request_id, change)

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working order."""
        self._broker.cancel(request_id, order_id, venue_order_id)

    def close_position(self, request_id: int, symbol: str, position_id: str = "") -> None:
        """Close a whole position at market, whoever opened it."""
        self._broker.close_position(request_id, symbol, position_id)

    # -- what the connection asks for --------------------------------------------------------

    def prepare(self) -> None:
        """Check the token, learn the day's contracts."""
        self.client.get_profile()
        self._day.learn()
        self._protection.learn()

    def stream_opened(self, stream: KiteStream) -> None:
        """Renew all subscriptions; see what became of orders meanwhile."""
        self._data.renew(stream)
        if self._watch.roll.has_working:
            self._asks.put("poll", self._watch.poll)

    def stream_ticks(self, told: np.ndarray[Any, Any]) -> None:
        """Take in prices; those of another day bring other contracts."""
        latest = int(told["exchange_time"].max())
        day = (latest + _IST_NS) // _DAY_NS
        if day > self._last_day:
            self._last_day = day
            self._look_at_day(latest)
            self._look_at_token(latest)
        self._data.heard(told)

    def stream_order(self, order: wire.Order) -> None:
        """Tell of a changed order, and ask for the fills it lacks."""
        self._watch.tell(order)

    def tend(self, now: float) -> None:
        """Look at the day, at the token, and at the order book while an order works."""
        if now - self._day_looked_at >= _DAY_LOOK_SECS:
            self._day_looked_at = now
            market_time = self._clock()
            self._look_at_day(market_time)
            self._look_at_token(market_time)
            if self._day.left:
                self._asks.put("left", self._tell_left)
        if self._watch.roll.has_working and now - self._polled_at >= self._capabilities.poll_secs:
            self._polled_at = now
            self._asks.put("poll", self._watch.poll)
        self._protection.tend(now)

    # -- each morning ------------------------------------------------------------------------

    def _look_at_day(self, now: int) -> None:
        """Learn the day's contracts once it has begun; the list of before holds expired ones."""
        if self._day.is_over(now):
            self._asks.put("contracts", self._learn_again)

    def _learn_again(self) -> None:
        try:
            self._day.learn()
        except TolaError as fault:
            logger.warning("the day's contracts are not known error=%s", fault)
            return
        if self._day.left:
            self._tell_left()

    def hold_by(self, holds: Callable[[str], bool]) -> None:
        """Let positions of a symbol be those of a paper exchange, which the venue knows nothing of.

        Parameters
        ----------
        holds : whether a symbol is held.
        """
        self._day.holds = holds

    def roll(self, symbol: str) -> None:
        """Trade a symbol's next contract; its prices so far were another contract's."""
        self._day.roll(symbol)
        self._link.begin_anew(f"{symbol}: another contract")

    def _tell_left(self) -> None:
        """Tell of contracts that are held past their time, with both prices."""
        left = dict(self._day.left)
        both = [contract for pair in left.values() for contract in pair]
        names = {item.venue_id: f"{item.exchange}:{item.venue_symbol}" for item in both}
        try:
            quotes = self.client.get_quote(*names.values())
        except TolaError as fault:
            logger.warning("contracts have no quotes error=%s", fault)
            return
        now = self._clock()
        for symbol, pair in left.items():
            old, new = (quotes.get(names[item.venue_id]) for item in pair)
            if old is None or new is None:
                continue
            if now - min(old.last_trade_time, new.last_trade_time) > _PRICE_AGE_NS:
                continue
            self._emit(
                ContractLeft(
                    symbol, pair[0].venue_symbol, pair[1].venue_symbol, old.last_price,
                    new.last_price, old.last_trade_time, new.last_trade_time, ts_event=now,
                )
            )  # fmt: skip

    def _contracts_changed(self) -> None:
        self._data.contracts_changed()

    def _login_over(self, fault: AuthError) -> None:
        self._link.login_over(fault)

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
        except TolaError as fault:
            logger.warning("the token cannot be checked error=%s", fault)
