"""Kite's login: the page, request tokens, access tokens and their end at six in the morning."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from brokers.kite.wire import LoginReply, login_checksum, next_expiry
from core.bars import NEVER_NS
from sandbox.kite.replies import KiteFault
from sandbox.kite.settings import KiteSettings

EXCHANGES = ("NSE", "NFO", "MCX")
PRODUCTS = ("CNC", "NRML", "MIS")
ORDER_TYPES = ("MARKET", "LIMIT", "SL", "SL-M")

_PAGE = """<!doctype html>
<html><head><title>Kite sandbox login</title></head><body>
<h1>Sandbox login</h1>
<p>This is not Zerodha. Never type a real password here.</p>
<p>{problem}</p>
<form method="post" action="/connect/login">
<input type="hidden" name="api_key" value="{api_key}">
<input type="hidden" name="redirect_params" value="{redirect_params}">
<label>User <input name="user_id" value="{user}"></label>
<label>Password <input name="password" type="password"></label>
<label>TOTP <input name="totp" inputmode="numeric"></label>
<button>Log in</button>
</form></body></html>
"""


@dataclass(slots=True)
class _Session:
    user: str
    token: str
    began: int
    ends: int


def totp(secret: str, at: float) -> str:
    """Return the six digits of a base32 secret at a time (RFC 6238, 30 s, SHA-1)."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    at_byte = digest[-1] & 15
    number = struct.unpack(">I", digest[at_byte : at_byte + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


class Sessions:
    """Who is logged in.

    Parameters
    ----------
    users : names that may log in. now : market time, ns UTC: tokens die by it.
    """

    def __init__(
        self, settings: KiteSettings, users: list[str], seed: int, now: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._users = users
        self._now = now
        self._random = random.Random(f"tokens/{seed}")
        self._requests: dict[str, tuple[str, float]] = {}
        self._open: dict[str, _Session] = {}

    def page(self, api_key: str, redirect_params: str, problem: str = "") -> str:
        """Return the login page.

        Raises
        ------
        KiteFault : no such app.
        """
        if api_key != self._settings.api_key:
            raise KiteFault("InputException", "Invalid `api_key`.")
        return _PAGE.format(
            api_key=escape(api_key), redirect_params=escape(redirect_params), user=self._users[0],
            problem=escape(problem),
        )  # fmt: skip

    def enter(self, user: str, password: str, code: str, redirect_params: str) -> str | None:
        """Return where a browser goes after a login, None where the login is wrong."""
        secret = self._settings.totp_secret
        codes = [totp(secret, time.time() + shift) for shift in (0, -30)] if secret else [code]
        is_code = len(code) == 6 and code.isdigit() and code in codes
        if user not in self._users or password != self._settings.password or not is_code:
            return None
        parts = urlsplit(self._settings.redirect_url)
        query = [
            *parse_qsl(parts.query),
            ("request_token", self.request_token(user)),
            ("action", "login"),
            ("status", "success"),
            *parse_qsl(redirect_params),
        ]
        return urlunsplit(parts._replace(query=urlencode(query)))

    def request_token(self, user: str) -> str:
        """Return a new request token of a user, good once and for some minutes."""
        token = self._new_token()
        self._requests[token] = (user, time.monotonic() + self._settings.request_token_secs)
        return token

    def exchange(self, api_key: str, request_token: str, checksum: str) -> LoginReply:
        """Return a login for a request token.

        Raises
        ------
        KiteFault : the token was used, is too old or never was; or the checksum is wrong.
        """
        settings = self._settings
        user, until = self._requests.pop(request_token, ("", 0.0))
        if api_key != settings.api_key:
            raise KiteFault("TokenException", "Invalid `api_key`.")
        if not user or time.monotonic() > until:
            raise KiteFault("TokenException", "Token is invalid or has expired.")
        if checksum != login_checksum(api_key, request_token, settings.api_secret):
            raise KiteFault("TokenException", "Invalid `checksum`.")
        return self.login(user)

    def login(self, user: str) -> LoginReply:
        """Begin a session of a user without the page, as tests and programs need.

        Raises
        ------
        KiteFault : there is no such user.
        """
        if user not in self._users:
            raise KiteFault("UserException", f"There is no user {user}.")
        if self._settings.ends_older_session:
            self._open = {key: item for key, item in self._open.items() if item.user != user}
        token, now = self._new_token(), self._now()
        ends = self._settings.tokens_end
        dies = NEVER_NS if ends is None else next_expiry(now, ends)
        self._open[token] = _Session(user, token, now, dies)
        return LoginReply(
            user, token, now, f"Sandbox {user}", self._settings.api_key, EXCHANGES, PRODUCTS,
            ORDER_TYPES,
        )  # fmt: skip

    def user_of(self, api_key: str, token: str) -> str | None:
        """Return whose token it is, None where it is wrong or has died."""
        session = self._open.get(token)
        if api_key != self._settings.api_key or session is None or self._now() >= session.ends:
            return None
        return session.user

    def end(self, token: str) -> None:
        """End a session."""
        self._open.pop(token, None)

    def end_all(self) -> None:
        """End every session."""
        self._open.clear()

    def _new_token(self) -> str:
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        return "".join(self._random.choice(letters) for _ in range(32))
