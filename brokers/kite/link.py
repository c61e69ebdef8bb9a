"""`KiteLink`: the connection of an account: it is opened, watched and reopened until it is closed.

Threads: the SDK's stream on Twisted's reactor, and a keeper that opens, watches and reopens it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from brokers.errors import AuthError, Disconnected
from brokers.kite import wire
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.login_desk import Keep, LoginDesk
from brokers.kite.stream import KiteStream
from brokers.retries import Reconnector, RetryPolicy
from core.errors import TolaError
from core.events import Event, Link, LinkState

logger = logging.getLogger(__name__)

_KEEPER_SECS = 0.1
_LOGIN_LOOK_SECS = 5.0
"""How often a new token is looked for while one is needed."""
_RESTS = (LinkState.CONNECTED, LinkState.LOGIN_NEEDED, LinkState.GIVEN_UP)


class Linked(Protocol):
    """Whose connection it is. The `stream_` methods run on the reactor's thread: no waiting."""

    def prepare(self) -> None:
        """Ask what must be known before the stream opens; raises where it cannot be had."""

    def stream_opened(self, stream: KiteStream) -> None:
        """The stream stands: subscribe anew."""

    def stream_ticks(self, told: np.ndarray[Any, Any]) -> None:
        """Packets of one frame came, as an array of `wire.SNAPSHOT`."""

    def stream_order(self, order: wire.Order) -> None:
        """An order of the user changed."""

    def tend(self, now: float) -> None:
        """Look at what only time tells; called again and again while it stands (keeper)."""


class KiteLink:
    """One account's connection.

    Parameters
    ----------
    keys : returns the account's keys, read anew at each use of a token.
    owner : is told what the stream says.
    emit : takes each `Link` event, from any thread. clock : the market's time, ns UTC.
    keep : puts what a login left where `keys` finds it; None: nowhere.

    Attributes
    ----------
    closing : set once it is being closed for good.
    """

    def __init__(
        self,
        config: KiteConfig,
        keys: Callable[[], KiteKeys],
        owner: Linked,
        policy: RetryPolicy,
        emit: Callable[[Event], None],
        clock: Callable[[], int],
        keep: Keep | None = None,
    ) -> None:
        self.closing = threading.Event()
        self._config = config
        self._keys = keys
        self._owner = owner
        self._emit = emit
        self._clock = clock
        self._lock = threading.RLock()
        self._reconnector = Reconnector(policy)
        self._desk = LoginDesk(config, keys, keep, self.login_renewed)
        self._stream: KiteStream | None = None
        self._keeper: threading.Thread | None = None
        self._looked_at = 0.0
        self._token = ""

    @property
    def stream(self) -> KiteStream | None:
        """The stream that stands or is being opened, None where there is none."""
        return self._stream

    @property
    def is_at_rest(self) -> bool:
        """Whether no connection is on its way."""
        return self._keeper is None or self._reconnector.state in _RESTS

    def open(self) -> None:
        """Begin to connect; `Link` events tell how it went. Safe to call again."""
        with self._lock:
            if self._reconnector.state is not LinkState.CONNECTED:
                self._reconnector.begin(time.monotonic())
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="kite-keeper", daemon=True)
                self._keeper.start()

    def end(self) -> None:
        """Begin to close: no connection is opened any more."""
        self.closing.set()
        self._desk.close()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def join(self, timeout_secs: float) -> None:
        """Wait for the keeper's end."""
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join(timeout_secs)

    def wait(self, secs: float) -> bool:
        """Wait; True where it is being closed."""
        return self.closing.wait(secs)

    def silence_secs(self) -> float:
        """Return how long nothing came, heartbeats included, on a stream that stands; else 0."""
        stream = self._stream
        if stream is None or not stream.is_open:
            return 0.0
        return time.monotonic() - stream.heard_at

    def login_renewed(self) -> None:
        """Look for a new token at once: somebody has logged in."""
        if self._reconnector.state is LinkState.LOGIN_NEEDED:
            self._take_new_token()

    def begin_anew(self, reason: str) -> None:
        """Let what was heard so far be followed by a gap: what comes now is of another kind."""
        if self._reconnector.state is LinkState.CONNECTED:
            self._tell(LinkState.LOST, Disconnected(reason, venue="kite"))
            self._tell(LinkState.CONNECTED)

    def login_over(self, fault: AuthError) -> None:
        """The token died while the stream stands: it will not be opened again with it."""
        stream = self._stream
        if stream is not None:
            stream.close()
            self._lost(stream, fault)

    # -- the keeper's thread -----------------------------------------------------------------

    def _keep(self) -> None:
        """Open, watch and reopen the stream."""
        while not self.closing.wait(_KEEPER_SECS):
            now = time.monotonic()
            try:
                if self._reconnector.state is LinkState.LOGIN_NEEDED:
                    self._look_for_login(now)
                if self._stream is not None and self._stream.is_open:
                    self._watch(self._stream, now)
                elif self._stream is None and self._reconnector.is_due(now):
                    self._open()
            except TolaError as fault:
                self._failed(fault)
            except Exception:  # the outer edge of the keeper's thread
                logger.exception("the keeper of the connection failed")
                self._failed(Disconnected("an error of ours, see the log", venue="kite"))

    def _open(self) -> None:
        keys = self._keys()
        self._token = keys.access_token
        self._owner.prepare()
        stream = KiteStream(self._config, keys, self)
        with self._lock:
            self._stream = stream
        stream.open()

    def _look_for_login(self, now: float) -> None:
        """Go on by itself once somebody has logged in."""
        if now - self._looked_at >= _LOGIN_LOOK_SECS:
            self._looked_at = now
            self._take_new_token()

    def _take_new_token(self) -> bool:
        """Go on with a token that was not used yet; False where there is none."""
        token = self._keys().access_token
        if not token or token == self._token:
            return False
        self._token = token
        self._reconnector.logged_in(time.monotonic())
        return True

    def _watch(self, stream: KiteStream, now: float) -> None:
        """End a stream that is dead though its socket stands."""
        silent = now - stream.heard_at
        if silent > self._config.silent_secs:
            stream.close()
            self._lost(stream, Disconnected(f"the stream is silent for {silent:.0f} s"))
            return
        self._owner.tend(now)

    def _failed(self, fault: Exception) -> None:
        """A connection could not be begun, or is over.

        A token that was refused although there is a newer one asks nobody to log in.
        """
        state = self._reconnector.failed(time.monotonic(), fault)
        if state is LinkState.LOGIN_NEEDED and self._take_new_token():
            state = LinkState.RETRYING
        page = self._desk.open() if state is LinkState.LOGIN_NEEDED else ""
        self._tell(state, fault, f", or on this computer at {page}" if page else "")

    def _lost(self, stream: KiteStream, fault: Exception) -> None:
        with self._lock:
            if self._stream is not stream:
                return
            self._stream = None
        self._failed(fault)

    def _tell(self, state: LinkState, fault: Exception | None = None, more: str = "") -> None:
        now = self._clock()
        reason = more if fault is None else f"{fault}{more}"
        logger.log(
            logging.INFO if fault is None else logging.WARNING,
            "link state=%s reason=%s", state.name, reason,
        )  # fmt: skip
        self._emit(Link(state, reason=reason, ts_event=now, ts_init=time.time_ns()))

    # -- the reactor's thread ----------------------------------------------------------------

    def opened(self, stream: KiteStream) -> None:
        """Let all subscriptions be renewed, then say that the connection stands."""
        if stream is not self._stream:
            return
        self._owner.stream_opened(stream)
        self._desk.close()
        self._tell(LinkState.CONNECTED)
        self._reconnector.connected(time.monotonic())

    def heard_ticks(self, stream: KiteStream, told: np.ndarray[Any, Any]) -> None:
        """Pass on what the stream that counts says of prices."""
        if stream is self._stream:
            self._owner.stream_ticks(told)

    def heard_order(self, stream: KiteStream, order: wire.Order) -> None:
        """Pass on what the stream that counts says of an order."""
        if stream is self._stream:
            self._owner.stream_order(order)

    def ended(self, stream: KiteStream, fault: Exception) -> None:
        """The stream is over."""
        self._lost(stream, fault)
