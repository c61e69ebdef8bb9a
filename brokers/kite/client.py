"""Kite's REST calls through the SDK: within the venue's limits, typed, with our errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from brokers.errors import AuthError
from brokers.kite import wire
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.faults import LOGIN, VENUE, asked
from brokers.limits import RateLimiter, Usage, Window

_Answer = TypeVar("_Answer")

WINDOWS = (
    Window("quote", 1, 1.0),
    Window("history", 3, 1.0),
    Window("orders", 10, 1.0),
    Window("orders a minute", 400, 60.0),
    Window("orders a day", 5000, 86_400.0),
    Window("other", 10, 1.0),
)
"""Limits as the venue counts them (docs, exceptions; forum for the larger two)."""

ENDPOINTS = {
    "quote": ("quote",),
    "history": ("history",),
    "order": ("orders", "orders a minute", "orders a day"),
    "change": ("orders", "orders a minute", "other"),
    "other": ("other",),
}
"""Which counts a request falls into. No document says whose a change or a cancel is: both."""

URGENT = ("order", "change")
"""Requests that go before all others."""

_ORDER_WAIT_SECS = 5.0
"""Longest wait of an order for its turn: later it would be another order."""


class KiteClient:
    """Asks and tells Kite for one account; any thread may call it.

    Parameters
    ----------
    keys : returns the account's keys, read anew where the token was renewed.
    windows : the venue's limits.
    login_over : is told where the venue takes the token no more and there is no newer one.

    Raises
    ------
    VenueError : from every call; see `brokers.kite.faults`.
    """

    def __init__(
        self,
        config: KiteConfig,
        keys: Callable[[], KiteKeys],
        windows: Sequence[Window] = WINDOWS,
        login_over: Callable[[AuthError], None] = lambda fault: None,
    ) -> None:
        self._config = config
        self._login_over = login_over
        self._keys = keys
        self._lock = threading.Lock()
        self._limiter = RateLimiter(windows, ENDPOINTS, URGENT)
        self._sdk: Any = None
        self._token = ""

    def usage(self) -> list[Usage]:
        """Return how much of each limit is used."""
        return self._limiter.usage()

    # -- login -------------------------------------------------------------------------------

    def login_url(self) -> str:
        """Return the page on which the user logs in; it names the app's key and no secret."""
        from kiteconnect import KiteConnect

        plain = KiteConnect(self._keys().api_key, root=self._config.api_root)
        return str(plain.login_url()).replace(
            str(plain._default_login_uri), self._config.login_page
        )

    def generate_session(self, request_token: str) -> wire.LoginReply:
        """Trade a request token for an access token."""
        keys = self._keys()
        sdk = self._make_sdk(KiteKeys(keys.api_key, ""))
        with self._limiter.turn("other"):
            return asked(
                lambda: wire.decode_login(sdk.generate_session(request_token, keys.api_secret)),
                "login",
            )

    def get_profile(self) -> str:
        """Return the user's id at the venue; the cheapest call that needs a login."""
        row: Mapping[str, Any] = self._get("profile", lambda sdk: sdk.profile())
        return str(row.get("user_id", ""))

    # -- questions ---------------------------------------------------------------------------

    def get_instruments(self, exchange: str) -> list[wire.InstrumentRow]:
        """Return the contracts of an exchange."""
        return self._get(
            "instruments",
            lambda sdk: [wire.decode_instrument(row) for row in sdk.instruments(exchange)],
        )

    def get_quote(self, *names: str) -> dict[str, wire.Quote]:
        """Return quotes by EXCHANGE:SYMBOL; what the venue does not know is absent."""
        return self._get(
            "quote",
            lambda sdk: {
                name: wire.decode_quote(row) for name, row in sdk.quote(list(names)).items()
            },
            "quote",
        )

    def get_historical(
        self,
        token: int,
        interval: str,
        first: datetime,
        last: datetime,
        *,
        continuous: bool = False,
    ) -> list[wire.Candle]:
        """Return candles with first <= START <= last; times are aware.

        The venue reads naive wall time of Mumbai, whatever zone a time is given in.
        """
        begin, end = (
            item.astimezone(wire.IST).strftime("%Y-%m-%d %H:%M:%S") for item in (first, last)
        )
        return self._get(
            "history",
            lambda sdk: wire.decode_candles(
                sdk.historical_data(token, begin, end, interval, continuous)
            ),
            "history",
        )

    def get_orders(self) -> list[wire.Order]:
        """Return the day's order book."""
        return self._get("orders", lambda sdk: [wire.decode_order(row) for row in sdk.orders()])

    def get_order(self, venue_order_id: str) -> wire.Order:
        """Return the present state of an order."""
        return self._get(
            "order", lambda sdk: wire.decode_order(sdk.order_history(venue_order_id)[-1])
        )

    def get_trades(self) -> list[wire.Trade]:
        """Return the day's fills."""
        return self._get("trades", lambda sdk: [wire.decode_trade(row) for row in sdk.trades()])

    def get_order_trades(self, venue_order_id: str) -> list[wire.Trade]:
        """Return the fills of an order."""
        return self._get(
            "order trades",
            lambda sdk: [wire.decode_trade(row) for row in sdk.order_trades(venue_order_id)],
        )

    def get_positions(self) -> wire.Positions:
        """Return both position books."""
        return self._get("positions", lambda sdk: wire.decode_positions(sdk.positions()))

    def get_margins(self) -> dict[str, wire.MarginSegment]:
        """Return the funds by segment."""
        return self._get("margins", lambda sdk: wire.decode_margins(sdk.margins()))

    # -- orders ------------------------------------------------------------------------------

    def place_order(self, terms: Mapping[str, Any]) -> str:
        """Place an order; return the venue's id. Called once for each: never repeated."""
        return str(self._send("submit", lambda sdk: sdk.place_order(**terms), "order"))

    def modify_order(self, venue_order_id: str, terms: Mapping[str, Any]) -> str:
        """Change an order."""
        return str(
            self._send("modify", lambda sdk: sdk.modify_order(order_id=venue_order_id, **terms))
        )

    def cancel_order(self, venue_order_id: str) -> str:
        """Cancel an order."""
        return str(self._send("cancel", lambda sdk: sdk.cancel_order("regular", venue_order_id)))

    # -- triggers ----------------------------------------------------------------------------

    def get_gtts(self) -> list[wire.Gtt]:
        """Return the account's triggers, fired ones too."""
        return self._get("triggers", lambda sdk: [wire.decode_gtt(row) for row in sdk.get_gtts()])

    def place_gtt(self, terms: Mapping[str, Any]) -> int:
        """Place a trigger; return its id."""
        return self._send("place trigger", lambda sdk: int(sdk.place_gtt(**terms)["trigger_id"]))

    def modify_gtt(self, trigger_id: int, terms: Mapping[str, Any]) -> int:
        """Change a trigger; return its id."""
        return self._send(
            "change trigger", lambda sdk: int(sdk.modify_gtt(trigger_id, **terms)["trigger_id"])
        )

    def delete_gtt(self, trigger_id: int) -> None:
        """End a trigger."""
        self._send("delete trigger", lambda sdk: sdk.delete_gtt(trigger_id))

    # -- how ---------------------------------------------------------------------------------

    def _get(
        self, operation: str, call: Callable[[Any], _Answer], endpoint: str = "other"
    ) -> _Answer:
        sdk = self._ready()
        with self._limiter.turn(endpoint):
            return self._asked(sdk, call, operation)

    def _send(
        self, operation: str, call: Callable[[Any], _Answer], endpoint: str = "change"
    ) -> _Answer:
        sdk = self._ready()
        with self._limiter.turn(endpoint, timeout_secs=_ORDER_WAIT_SECS):
            return self._asked(sdk, call, operation, sends_order=True)

    def _asked(
        self,
        sdk: Any,
        call: Callable[[Any], _Answer],
        operation: str,
        *,
        sends_order: bool = False,
    ) -> _Answer:
        try:
            return asked(lambda: call(sdk), operation, sends_order=sends_order)
        except AuthError as fault:
            if sdk.access_token == self._keys().access_token:
                self._login_over(fault)
            raise

    def _ready(self) -> Any:
        """Return the SDK with today's token."""
        keys = self._keys()
        if not keys.access_token:
            fault = AuthError(f"there is no token of today: log in: {LOGIN}", venue=VENUE)
            self._login_over(fault)
            raise fault
        with self._lock:
            if self._sdk is None or keys.access_token != self._token:
                self._sdk, self._token = self._make_sdk(keys), keys.access_token
            return self._sdk

    def _make_sdk(self, keys: KiteKeys) -> Any:
        from kiteconnect import KiteConnect

        return KiteConnect(
            keys.api_key,
            keys.access_token or None,
            root=self._config.api_root,
            timeout=self._config.timeout_secs,
        )
