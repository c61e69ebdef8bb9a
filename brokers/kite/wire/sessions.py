"""The exchange of a request token for an access token.

Source: kite.trade/docs/connect/v3/user, "Login flow"; mocks generate_session.json.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from brokers.kite.wire.fields import row_of, rows_of, text
from brokers.kite.wire.times import ist_ns, ist_text


@dataclass(frozen=True, slots=True)
class LoginReply:
    """What a login leaves. login_time : ns UTC."""

    user_id: str
    access_token: str = field(repr=False)
    login_time: int
    user_name: str = ""
    api_key: str = ""
    exchanges: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    order_types: tuple[str, ...] = ()


def login_checksum(api_key: str, token: str, api_secret: str) -> str:
    """Return what proves the secret without sending it: sha256 of key, token and secret."""
    return hashlib.sha256(f"{api_key}{token}{api_secret}".encode()).hexdigest()


def decode_login(value: object) -> LoginReply:
    """Return the data of POST /session/token.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "login")

    def names(name: str) -> tuple[str, ...]:
        return tuple(map(str, rows_of(row.get(name) or [], name)))

    return LoginReply(
        text(row, "user_id"),
        text(row, "access_token"),
        ist_ns(row.get("login_time"), "login_time"),
        text(row, "user_name", ""),
        text(row, "api_key", ""),
        names("exchanges"),
        names("products"),
        names("order_types"),
    )


def encode_login(reply: LoginReply) -> dict[str, Any]:
    """Return a login as the data of POST /session/token."""
    return {
        "user_id": reply.user_id,
        "user_name": reply.user_name,
        "user_shortname": reply.user_name.partition(" ")[0],
        "email": "",
        "user_type": "individual",
        "broker": "ZERODHA",
        "exchanges": list(reply.exchanges),
        "products": list(reply.products),
        "order_types": list(reply.order_types),
        "avatar_url": None,
        "api_key": reply.api_key,
        "access_token": reply.access_token,
        "public_token": "",
        "enctoken": "",
        "refresh_token": "",
        "silo": "",
        "login_time": ist_text(reply.login_time),
        "meta": {"demat_consent": "consent"},
    }
