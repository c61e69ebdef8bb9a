"""Logging in to a venue, and the credentials that a login leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from brokers.registry import Credentials, Venue
from core.secrets import LookUp
from core.tokens import Token, TokenStore


@dataclass(frozen=True)
class LoginRequest:
    """What a venue's login is made of.

    Attributes
    ----------
    credentials : of the account. options : the venue's own settings.
    say : tells a person a line. ask : puts a question to him; None: nobody is there.
    open_page : shows him an address in a browser; False where it cannot.
    paste : the address it ends on is pasted, no page of ours waits for it.
    timeout_secs : how long a person is waited for.
    """

    credentials: Credentials
    options: Mapping[str, Any] = field(default_factory=dict)
    say: Callable[[str], None] = lambda line: None
    ask: Callable[[str], str] | None = None
    open_page: Callable[[str], bool] = lambda address: False
    paste: bool = False
    timeout_secs: float = 300.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at before trading. remedy : what to do, "" where all is well.

    is_grave : nothing can be traded before it is mended.
    """

    name: str
    text: str
    remedy: str = ""
    is_grave: bool = False


@dataclass(frozen=True)
class ExamineRequest:
    """What a venue is examined with. account : its name. token : what a login left, if any."""

    account: str
    credentials: Credentials
    options: Mapping[str, Any] = field(default_factory=dict)
    token: Token | None = None


def account_credentials(
    venue: Venue, account: str, look_up: LookUp, tokens: TokenStore, now: int
) -> Credentials:
    """Return an account's credentials with what its last login left; a dead token is none.

    A token of a login here outranks one in the environment, which nobody renews.
    """
    found = venue.credentials_of(account, look_up)
    token = tokens.read(venue.name, account)
    if token is None or not token.is_good(now):
        return found
    values = {**found.values, "access_token": token.value}
    return replace(found, values=values, needs_login=False)
