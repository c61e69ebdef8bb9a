"""One connection of the SDK's stream, from its opening to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from brokers.errors import AuthError, Disconnected, RateLimited
from brokers.kite import reactor, wire
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.faults import LOGIN, VENUE

logger = logging.getLogger(__name__)

_NEVER_RETRY = -1
"""The SDK's count of its own tries: none, and it says when a connection has ended."""
_REFUSED, _TOO_MANY = "(403", "(429"
_PER_REQUEST = 1000
"""Tokens named in one message."""


class Listener(Protocol):
    """Who hears a stream; called on the reactor's thread, so nothing here may wait."""

    def opened(self, stream: KiteStream) -> None:
        """It stands."""

    def heard_ticks(self, stream: KiteStream, told: np.ndarray[Any, Any]) -> None:
        """Packets of one frame came, as an array of `wire.SNAPSHOT`."""

    def heard_order(self, stream: KiteStream, order: wire.Order) -> None:
        """An order of the user changed."""

    def ended(self, stream: KiteStream, fault: Exception) -> None:
        """It is over, or never came to stand; told once."""


class KiteStream:
    """A connection that is opened once and not again: who wants another makes a new one.

    The SDK's own reconnection is off: it tries bad tokens again as it does bad lines. Frames are
    read here rather than by the SDK, whose times are the host's wall clock (and so lost in the hour
    that clocks repeat).

    Attributes
    ----------
    heard_at : monotonic seconds of the last frame, heartbeats included.
    """

    def __init__(self, config: KiteConfig, keys: KiteKeys, listener: Listener) -> None:
        self._config = config
        self._keys = keys
        self._listener = listener
        self._ticker: Any = None
        self._is_open = self._is_over = self._is_unwanted = False
        self._fault: Exception | None = None
        self.heard_at = time.monotonic()
        self.unread = 0

    @property
    def is_open(self) -> bool:
        """Whether it stands."""
        return self._is_open and not self._is_over

    def open(self) -> None:
        """Begin to connect; the listener is told how it goes."""
        reactor.call(self._open)

    def close(self) -> None:
        """End it; the listener hears nothing more of it."""
        self._is_unwanted = True
        reactor.call(self._close)

    def subscribe(self, tokens: Sequence[int]) -> None:
        """Ask for everything that is told of these instruments."""
        self._ask(wire.Subscribe(tuple(tokens)), wire.SetMode(wire.FULL, tuple(tokens)))

    def unsubscribe(self, tokens: Sequence[int]) -> None:
        """Ask for no more prices of these instruments."""
        self._ask(wire.Unsubscribe(tuple(tokens)))

    def _ask(self, *wanted: wire.StreamRequest) -> None:
        reactor.call(self._send, wanted)

    # -- on the reactor's thread -------------------------------------------------------------

    def _open(self) -> None:
        from kiteconnect import KiteTicker

        if self._is_unwanted:
            return
        # It calls every end an error, those asked for too; what ended is told by us.
        logging.getLogger("kiteconnect.ticker").setLevel(logging.CRITICAL)
        ticker = KiteTicker(
            self._keys.api_key,
            self._keys.access_token,
            root=self._config.stream_root,
            reconnect_max_tries=_NEVER_RETRY,
            connect_timeout=self._config.timeout_secs,
        )
        ticker.on_open = self._opened
        ticker.on_message = self._message
        ticker.on_close = self._closed
        ticker.on_noreconnect = self._gone
        self._ticker = ticker
        try:
            ticker.connect(threaded=True)
        except Exception as fault:  # an address the SDK cannot read, a socket that is refused
            self._end(Disconnected(f"{type(fault).__name__}: check stream_root", venue=VENUE))

    def _close(self) -> None:
        if self._ticker is not None:
            self._ticker.close()

    def _send(self, wanted: Sequence[wire.StreamRequest]) -> None:
        if not self.is_open:
            return
        for request in wanted:
            for some in _split(request.tokens):
                if isinstance(request, wire.SetMode):
                    self._ticker.set_mode(request.mode, some)
                elif isinstance(request, wire.Subscribe):
                    self._ticker.subscribe(some)
                else:
                    self._ticker.unsubscribe(some)

    def _opened(self, _: Any) -> None:
        self._is_open = True
        self.heard_at = time.monotonic()
        if self._is_unwanted:
            self._close()
        else:
            self._tell(self._listener.opened, self)

    def _message(self, _: Any, payload: bytes, is_binary: bool) -> None:
        self.heard_at = time.monotonic()
        if self._is_unwanted:
            return
        try:
            self._read(payload, is_binary)
        except wire.WireError as fault:
            self.unread += 1
            logger.warning("a message of the stream cannot be read error=%s", fault)

    def _read(self, payload: bytes, is_binary: bool) -> None:
        if is_binary:
            told = wire.read_frame(payload)
            if len(told):
                self._tell(self._listener.heard_ticks, self, told)
            return
        message = wire.decode_message(payload)
        if isinstance(message, wire.OrderMessage):
            self._tell(self._listener.heard_order, self, message.order)
        elif isinstance(message, wire.ErrorMessage):
            logger.warning("the stream complains text=%s", message.text)

    def _closed(self, _: Any, code: int | None, reason: str | None) -> None:
        self._fault = _fault_of(code, str(reason or ""))
        self._end(self._fault)

    def _gone(self, _: Any) -> None:
        """There is no connection and there will be none: it could not even be begun."""
        self._end(self._fault or Disconnected("the stream cannot be reached", venue=VENUE))

    def _end(self, fault: Exception) -> None:
        if self._is_over:
            return
        self._is_over = True
        if not self._is_unwanted:
            self._tell(self._listener.ended, self, fault)

    def _tell(self, hear: Callable[..., None], *given: Any) -> None:
        try:
            hear(*given)
        except Exception:  # the outer edge of the reactor's thread
            logger.exception("a listener of the stream failed")


def _fault_of(code: int | None, reason: str) -> Exception:
    if _REFUSED in reason:
        return AuthError(f"the stream refused the token: log in: {LOGIN}", venue=VENUE)
    if _TOO_MANY in reason:
        return RateLimited(
            "more streams than the app may have: end another program that uses it",
            retry_after_secs=10.0,
            venue=VENUE,
        )
    return Disconnected(f"the stream ended (code {code})", venue=VENUE)


def _split(tokens: Sequence[int]) -> list[list[int]]:
    return [list(tokens[at : at + _PER_REQUEST]) for at in range(0, len(tokens), _PER_REQUEST)]
