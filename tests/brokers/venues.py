"""Two made-up venues of different kind, and the six of the references as far as entries say.

BAZAAR is an Indian exchange: futures with lot, expiry and freeze quantity, a list of contracts
each morning, a login page each day. MERIDIAN is a hedging CFD broker: names with endings, volume
in hundredths of an ounce, no expiry, a login that is renewed by itself.
"""

from __future__ import annotations

from brokers.port import (
    Brackets,
    Capabilities,
    Distances,
    HistoryLimit,
    PositionMode,
    TickSource,
)
from brokers.registry import VENUES, Credential, Login, Need, Venue
from core.orders import OrderKind, Role, TimeInForce

BAZAAR = Venue(
    "bazaar",
    "an Indian exchange",
    "tests.brokers.venues:bazaar_capabilities",
    "tests.brokers.venues:port_of",
    extra="bazaar",
    login=Login.REQUEST_TOKEN,
    credentials=(
        Credential("api_key", "BAZAAR_API_KEY"),
        Credential("api_secret", "BAZAAR_API_SECRET", Need.LOGIN),
        Credential("access_token", "BAZAAR_ACCESS_TOKEN", Need.FROM_LOGIN),
    ),
    environments=("live",),
)
MERIDIAN = Venue(
    "meridian",
    "a hedging CFD broker",
    "tests.brokers.venues:meridian_capabilities",
    "tests.brokers.venues:port_of",
    extra="meridian",
    login=Login.OAUTH,
    credentials=(
        Credential("client_id", "MERIDIAN_CLIENT_ID"),
        Credential("access_token", "MERIDIAN_ACCESS_TOKEN", Need.FROM_LOGIN),
        Credential("account_id", "MERIDIAN_ACCOUNT_ID", is_secret=False),
    ),
    environments=("demo", "live"),
)


def bazaar_capabilities() -> Capabilities:
    return Capabilities(
        "bazaar",
        frozenset({OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT}),
        frozenset({TimeInForce.DAY, TimeInForce.IOC}),
        products=("intraday", "carry"),
        tag_chars=20,
        ticks=TickSource.SNAPSHOTS,
        history={60: HistoryLimit(span_secs=60 * 86_400)},
        market_protection=True,
    )


def meridian_capabilities() -> Capabilities:
    return Capabilities(
        "meridian",
        frozenset({OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP}),
        frozenset({TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC}),
        brackets=Brackets.ON_POSITION,
        bracket_prices=Distances.FROM_FILL,
        bracket_roles=frozenset({Role.STOP, Role.TARGET}),
        one_cancels_other=True,
        cancels_children_of_flat=True,
        tag_chars=50,
        position_mode=PositionMode.HEDGING,
        ticks=TickSource.QUOTES,
        counts_volume=False,
        has_bars=True,
    )


def port_of(request):
    return ("port", request)


def _secret(name, variable, need=Need.ALWAYS):
    return Credential(name, variable, need)


def _open(name, variable, need=Need.OPTIONAL):
    return Credential(name, variable, need, is_secret=False)


SIX = {
    entry.name: entry
    for entry in (
        VENUES["kite"],
        Venue(
            "upstox", "Upstox", "brokers.upstox:capabilities", "brokers.upstox.store:make_port",
            "upstox", ("upstox_client",), Login.OAUTH,
            (
                _secret("api_key", "UPSTOX_API_KEY"),
                _secret("api_secret", "UPSTOX_API_SECRET", Need.LOGIN),
                _open("redirect_uri", "UPSTOX_REDIRECT_URI", Need.LOGIN),
                _secret("access_token", "UPSTOX_ACCESS_TOKEN", Need.FROM_LOGIN),
            ),
            ("live",),
        ),
        Venue(
            "mstock", "mStock", "brokers.mstock:capabilities", "brokers.mstock.store:make_port",
            "mstock", ("httpx", "websockets", "pyotp"), Login.TOTP,
            (
                _secret("api_key", "MSTOCK_API_KEY"),
                _secret("api_secret", "MSTOCK_API_SECRET", Need.OPTIONAL),
                _open("client_code", "MSTOCK_CLIENT_CODE", Need.LOGIN),
                _secret("password", "MSTOCK_PASSWORD", Need.LOGIN),
                _secret("totp_secret", "MSTOCK_TOTP_SECRET", Need.LOGIN),
                _secret("access_token", "MSTOCK_ACCESS_TOKEN", Need.FROM_LOGIN),
            ),
            ("live",),
        ),
        Venue(
            "topstepx", "TopstepX", "brokers.topstepx:capabilities",
            "brokers.topstepx.store:make_port", "topstepx", ("httpx", "websockets"), Login.KEY,
            (
                _open("username", "TOPSTEPX_USERNAME", Need.ALWAYS),
                _secret("api_key", "TOPSTEPX_API_KEY"),
                _open("account_id", "TOPSTEPX_ACCOUNT_ID", Need.ALWAYS),
            ),
            ("demo", "live"),
        ),
        Venue(
            "ctrader", "cTrader Open API", "brokers.ctrader:capabilities",
            "brokers.ctrader.store:make_port", "ctrader", ("google.protobuf",), Login.OAUTH,
            (
                _secret("client_id", "CTRADER_CLIENT_ID"),
                _secret("client_secret", "CTRADER_CLIENT_SECRET"),
                _secret("access_token", "CTRADER_ACCESS_TOKEN", Need.FROM_LOGIN),
                _secret("refresh_token", "CTRADER_REFRESH_TOKEN", Need.OPTIONAL),
                _open("account_id", "CTRADER_ACCOUNT_ID", Need.ALWAYS),
                _open("environment", "CTRADER_ENV"),
                _open("redirect_uri", "CTRADER_REDIRECT_URI"),
            ),
            ("demo", "live"),
        ),
        Venue(
            "metaapi", "MetaApi (MetaTrader)", "brokers.metaapi:capabilities",
            "brokers.metaapi.store:make_port", "metaapi", ("httpx",), Login.LASTING_TOKEN,
            (
                _secret("token", "METAAPI_TOKEN"),
                _open("account_id", "METAAPI_ACCOUNT_ID", Need.ALWAYS),
            ),
            ("demo", "live"),
        ),
    )
}  # fmt: skip
"""How the six would be entered: what the references ask for must fit into an entry."""

NOT_YET_AMONG_THE_SETTINGS = {
    "UPSTOX_REDIRECT_URI", "MSTOCK_PASSWORD", "MSTOCK_ACCESS_TOKEN", "TOPSTEPX_ACCOUNT_ID",
}  # fmt: skip
"""Variables the references ask for that `core.config_fields` does not list."""
