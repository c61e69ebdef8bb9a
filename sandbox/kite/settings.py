"""What a Kite sandbox can be told, and Kite's limits as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from sandbox.limits import Window

_SECOND, _MINUTE, _DAY = 1.0, 60.0, 86_400.0

QUOTE, HISTORICAL, PLACE, OTHER = "quote", "historical", "place", "other"

WINDOWS: dict[str, Sequence[Window]] = {
    QUOTE: (Window("quote 1/s", 1, _SECOND),),
    HISTORICAL: (Window("historical 3/s", 3, _SECOND),),
    PLACE: (
        Window("orders 10/s", 10, _SECOND),
        Window("orders 400/min", 400, _MINUTE),
        Window("orders 5000/day", 5000, _DAY),
    ),
    OTHER: (Window("other 10/s", 10, _SECOND),),
}
"""Requests by class of endpoints, as documented; real seconds, whatever the market's speed."""

PROTECTION: tuple[tuple[float, float], ...] = ((100.0, 0.02), (500.0, 0.01), (float("inf"), 0.005))
"""Automatic market protection of futures and shares: below a price, this share (unconfirmed)."""


@dataclass(frozen=True, slots=True)
class KiteSettings:
    """How the sandbox's Kite behaves. Of what Kite does not document, the default is a guess.

    api_key, api_secret, redirect_url : of the one app that is registered.
    password : of every user; totp_secret : base32; None: any six digits pass.
    tokens_end : when access tokens die, IST; None: never. ends_older_session : a new login ends the
        one before.
    windows : request limits by class of endpoints.
    requires_protection : MARKET and SL-M need market_protection (so since April 2026).
    protection : automatic protection by price.
    shows_protected_as_limit : /orders shows a protected MARKET order as LIMIT with 0.
    quantity_is_total : a modified quantity includes what is filled.
    margin_refusal : an order without margin is REJECTED with an id (`status`), or the request is
        answered with MarginException (`error`).
    refuses_passed_trigger : a stop whose trigger the last price has passed is refused.
    serves_forming_candle : history ends with the bar that is forming.
    sends_snapshot : a subscription is answered with the last packet.
    max_modifications, max_tokens, max_connections : as documented.
    circuit_share : prices further than that from the last close are refused.
    square_off_minutes : MIS positions are closed so long before the session's close.
    heartbeat_secs : between one-byte frames.
    request_token_secs : life of a request token.
    holdings : what GET /portfolio/holdings tells, as Kite's rows.
    first_number : of the orders; trades and triggers count from it, too.
    crowd : made-up shares that tick and cannot be traded, to put a client under load.
    """

    api_key: str = "sandboxkey"
    api_secret: str = field(default="sandboxsecret", repr=False)
    redirect_url: str = "http://127.0.0.1:8765/"
    password: str = field(default="sandbox", repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    tokens_end: time | None = time(6, 0)
    ends_older_session: bool = True
    windows: Mapping[str, Sequence[Window]] = field(default_factory=lambda: WINDOWS)
    requires_protection: bool = True
    protection: tuple[tuple[float, float], ...] = PROTECTION
    shows_protected_as_limit: bool = False
    quantity_is_total: bool = True
    margin_refusal: str = "status"
    refuses_passed_trigger: bool = True
    serves_forming_candle: bool = False
    sends_snapshot: bool = True
    max_modifications: int = 25
    max_tokens: int = 3000
    max_connections: int = 3
    circuit_share: float = 0.10
    square_off_minutes: int = 5
    heartbeat_secs: float = 2.0
    request_token_secs: float = 300.0
    holdings: Sequence[Mapping[str, Any]] = ()
    first_number: int = 1
    crowd: int = 0
