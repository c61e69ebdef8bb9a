"""What `login` and `doctor VENUE` do."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime

from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from brokers.access import Access, access_to
from brokers.errors import AuthError
from brokers.logins import Finding, LoginRequest
from core.errors import ConfigError
from core.tokens import Token

_NS = 1_000_000_000


def login(
    venue: str,
    account: str | None,
    config: str,
    *,
    check: bool = False,
    paste: bool = False,
    say: Callable[[str], None] = print,
    ask: Callable[[str], str] | None = None,
    open_page: Callable[[str], bool] = webbrowser.open,
    timeout_secs: float = 300.0,
) -> Outcome:
    """Log in to a venue and keep its token, or (check) ask whether the kept one lives.

    Raises
    ------
    TolaError : keys are missing, nobody logged in, the venue refused.
    """
    access = access_to(venue, account, config)
    if not access.venue.log_in:
        raise ConfigError(f"venue {venue}: there is nothing to log in to")
    if check:
        return _checked(access)
    request = LoginRequest(
        access.credentials(), access.options, say, ask, open_page, paste, timeout_secs
    )
    token: Token = access.venue.load(access.venue.log_in)(request)
    path = access.tokens.write(token, venue, access.account)
    document = {"venue": venue, "account": access.account, "user": token.user, "file": str(path),
                "expires": _iso(token.expires)}  # fmt: skip
    lines = [f"logged in at {access.venue.title} as {token.user}, until {_iso(token.expires)}"]
    return Outcome(document, lines, command_line(["doctor", venue]))


def _checked(access: Access) -> Outcome:
    venue, examined = access.venue, access.examined()
    again = command_line(["login", venue.name])
    token = examined.token
    until = None if token is None else _iso(token.expires)
    document = {"venue": venue.name, "account": access.account, "expires": until}
    try:
        if examined.credentials.needs_login:
            raise AuthError("there is no token of today", venue=venue.name)
        user = venue.load(venue.check_login)(examined)
    except AuthError as fault:
        lines = [f"not logged in: {fault}"]
        return Outcome({**document, "ok": False, "user": ""}, lines, again, exit_code=FAILED)
    left = f", until {until}" if until else ""
    lines = [f"logged in at {venue.title} as {user}{left}"]
    return Outcome({**document, "ok": True, "user": user}, lines, command_line(["live"]))


def examine_venue(venue: str, account: str | None, config: str) -> Outcome:
    """Look at everything that trading at a venue needs; exit code 1 if something is missing.

    Raises
    ------
    TolaError : no such venue or account; its package is not installed.
    """
    access = access_to(venue, account, config)
    if not access.venue.examine:
        raise ConfigError(f"venue {venue}: there is nothing to examine")
    findings: list[Finding] = access.venue.load(access.venue.examine)(access.examined())
    failed = any(item.is_grave for item in findings)
    lines = [
        f"{_state(item):<5} {item.name}: {item.text}" + (f": {item.remedy}" if item.remedy else "")
        for item in findings
    ]
    rows = [
        {"state": _state(item), "name": item.name, "text": item.text, "remedy": item.remedy}
        for item in findings
    ]
    first = next((item for item in findings if item.is_grave), None)
    step = first.remedy if first is not None and first.remedy.startswith("python") else None
    return Outcome(
        {"venue": venue, "account": access.account, "checks": rows, "ok": not failed},
        lines,
        step or command_line(["doctor", venue] if failed else ["live"]),
        exit_code=FAILED if failed else DONE,
    )


def _state(item: Finding) -> str:
    return "FAIL" if item.is_grave else "warn" if item.remedy else "ok"


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / _NS, UTC).strftime("%Y-%m-%d %H:%M UTC")
