"""Kite's daily login: a page in the browser, a request token, an access token until six."""

from __future__ import annotations

import secrets
from urllib.parse import quote, urlencode

from brokers.kite import wire
from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.redirect import RedirectPage, pasted_token
from brokers.logins import ExamineRequest, LoginRequest
from core.errors import BrokerError, ConfigError
from core.log import register_secrets
from core.tokens import Token

STATE_BYTES = 12
"""Of the word that goes along to the login page and must come back."""


def log_in(request: LoginRequest) -> Token:
    """Have a person log in, and return the token that trades until the next morning.

    The page comes back to this computer; or, with `paste`, the person pastes the address it ended
    on. Nobody's password passes through here.

    Raises
    ------
    ConfigError : keys are missing, the port is in use, nothing could be pasted.
    BrokerError : nobody logged in, or the venue refused the request token.
    """
    missing = request.credentials.missing_for_login
    if missing:
        raise ConfigError(
            f"kite login: set {', '.join(missing)} in the environment or in .env "
            "(from the app's page in the developer console)"
        )
    config = KiteConfig.of(request.options)
    keys = KiteKeys.of(request.credentials)
    client = KiteClient(config, lambda: keys)
    request_token = _pasted(client, request) if request.paste else _waited(client, config, request)
    return token_of(client, request_token)


def token_of(client: KiteClient, request_token: str) -> Token:
    """Return the token that a request token is good for, once.

    Raises
    ------
    BrokerError : the venue refused it.
    """
    register_secrets([request_token])
    reply = client.generate_session(request_token)
    return Token(
        reply.access_token, reply.login_time, wire.next_expiry(reply.login_time), reply.user_id
    )


def check_login(request: ExamineRequest) -> str:
    """Ask the venue whether the token lives; return the user's name there.

    Raises
    ------
    AuthError : it does not.
    """
    keys = KiteKeys.of(request.credentials)
    return KiteClient(KiteConfig.of(request.options), lambda: keys).get_profile()


def login_address(client: KiteClient, state: str) -> str:
    """Return the page to log in on; what must come back goes along."""
    return f"{client.login_url()}&redirect_params={quote(urlencode({'state': state}))}"


def _waited(client: KiteClient, config: KiteConfig, request: LoginRequest) -> str:
    state = secrets.token_urlsafe(STATE_BYTES)
    address = login_address(client, state)
    page = RedirectPage(config.redirect_port, state, address)
    try:
        request.say(f"log in at {address}")
        if not request.open_page(address):
            request.say(f"open it in a browser on this computer; it comes back to {page.address}")
        return page.wait(request.timeout_secs)
    finally:
        page.close()


def _pasted(client: KiteClient, request: LoginRequest) -> str:
    if request.ask is None:
        raise BrokerError("kite login: there is no terminal to paste into: leave out --paste")
    request.say(f"log in at {client.login_url()}")
    return pasted_token(request.ask("paste the address the browser ended on"))
