"""`KiteData`: what Kite tells of prices, streamed and past; the live feed is the shared one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from brokers.kite.client import KiteClient
from brokers.kite.history import fetch_pages
from brokers.kite.prices import TickMaker
from brokers.kite.stream import KiteStream
from brokers.kite.trading_day import TradingDay
from brokers.lanes import Lanes
from brokers.retries import Questions
from core.bars import BAR
from core.errors import TolaError
from core.events import Event, HistoryBars, Ticks

logger = logging.getLogger(__name__)


class KiteData:
    """The prices of one account's connection.

    Parameters
    ----------
    stream : returns the connection that stands, None where none does.
    lanes, questions : where requests are done, and how often they are asked.
    emit : takes each event, from any thread. clock : the market's time, ns UTC.
    """

    def __init__(
        self,
        day: TradingDay,
        client: KiteClient,
        stream: Callable[[], KiteStream | None],
        lanes: Lanes,
        questions: Questions,
        emit: Callable[[Event], None],
        clock: Callable[[], int],
    ) -> None:
        self._day = day
        self._client = client
        self._stream = stream
        self._lanes = lanes
        self._questions = questions
        self._emit = emit
        self._clock = clock
        self._lock = threading.RLock()
        self._makers = TickMaker()
        self._watched: dict[str, None] = {}
        self._by_token: dict[int, str] = {}
        self._last: dict[str, float] = {}

    def last_price(self, symbol: str) -> float | None:
        """Return the last price the stream told of a symbol's contract, None before any."""
        return self._last.get(symbol)

    # -- the stream --------------------------------------------------------------------------

    def renew(self, stream: KiteStream) -> None:
        """Subscribe to everything again: the connection is a new one."""
        with self._lock:
            tokens = list(self._by_token)
            self._makers.forget()
        if tokens:
            stream.subscribe(tokens)

    def heard(self, told: np.ndarray[Any, Any]) -> None:
        """Turn the packets of a frame (`wire.SNAPSHOT`) into ticks of our symbols."""
        tokens, ticks = self._makers.make(told)
        emit, symbols = self._emit, self._by_token
        times = zip(tokens, ticks["ts_event"].tolist(), ticks["ts_init"].tolist(), strict=True)
        for place, (token, ts_event, ts_init) in enumerate(times):
            symbol = symbols.get(token)
            if symbol is not None:
                one = ticks[place : place + 1]
                self._last[symbol] = float(ticks["price"][place])
                emit(Ticks(symbol, one, ts_event=ts_event, ts_init=ts_init))

    def contracts_changed(self) -> None:
        """Watch the contracts of another day."""
        with self._lock:
            self._last.clear()
            self._set_tokens()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Ask for prices; they come as `Ticks`."""
        with self._lock:
            self._watched.update(dict.fromkeys(symbols))
        self._lanes.put("subscriptions", self._subscribe)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Stop prices of these."""
        with self._lock:
            for symbol in symbols:
                self._watched.pop(symbol, None)
            kept = {token: name for token, name in self._by_token.items() if name not in symbols}
            self._watch(kept)

    def _subscribe(self) -> None:
        """Subscribe to what is watched and has a contract; the rest follows with its contract."""
        try:
            for symbol in list(self._watched):
                self._day.contract(symbol)
        except TolaError as fault:
            logger.info("subscriptions wait for contracts reason=%s", fault)
            return
        with self._lock:
            self._set_tokens()

    def _set_tokens(self) -> None:
        traded = self._day.traded
        self._watch({int(traded[name].venue_id): name for name in self._watched if name in traded})

    def _watch(self, tokens: dict[int, str]) -> None:
        """Watch these and no others; a stream that opens later renews them."""
        gone, new = self._by_token.keys() - tokens.keys(), tokens.keys() - self._by_token.keys()
        self._by_token = tokens
        stream = self._stream()
        if stream is None or not stream.is_open:
            return
        if gone:
            stream.unsubscribe(sorted(gone))
        if new:
            stream.subscribe(sorted(new))

    # -- past bars ---------------------------------------------------------------------------

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

        self._lanes.put(f"history {symbol}", ask)

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Yield pages of past bars; waits for the venue.

        Raises
        ------
        TolaError : there are none to be had; says why.
        """
        token = int(self._day.contract(symbol).venue_id)
        return fetch_pages(
            lambda interval, first, last: self._questions.ask(
                lambda: self._client.get_historical(token, interval, first, last)
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
