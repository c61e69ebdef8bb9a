"""What trading at Kite needs, looked at one by one; nothing is placed or changed."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import urlsplit

from brokers.kite.client import KiteClient
from brokers.kite.clock import market_clock
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.faults import LOGIN
from brokers.kite.instruments import ZONE, load_contracts, scope_of
from brokers.logins import ExamineRequest, Finding
from brokers.master_cache import MasterCache
from core.calendar import day_date
from core.errors import BrokerError, ConfigError, TolaError
from core.zones import find_zone

ROUND_TRIPS = 5
_SKEW_SECS = 2.0
"""How far this computer's clock may be from the venue's; its times are of a second."""
_ECHO_SECS = 5.0
_NS = 1_000_000_000


def examine(request: ExamineRequest) -> list[Finding]:
    """Look at keys, token, round trip, contracts, clock and IP."""
    config = KiteConfig.of(request.options)
    now = market_clock(config)
    found = [_keys(request), _token(request, now())]
    client = KiteClient(config, lambda: KiteKeys.of(request.credentials))
    if any(item.is_grave for item in found):
        return [*found, _address(config)]
    found += _round_trips(client)
    if not any(item.is_grave for item in found):
        found += [_contracts(config, client, now()), *_clock(client, now)]
    return [*found, _address(config)]


def _keys(request: ExamineRequest) -> Finding:
    missing = request.credentials.missing
    if missing:
        remedy = f"set {', '.join(missing)} in the environment or in .env"
        return Finding("keys", f"missing {', '.join(missing)}", remedy, is_grave=True)
    if request.credentials.missing_for_login:
        names = ", ".join(request.credentials.missing_for_login)
        return Finding("keys", f"no {names}: nobody can log in here", f"set {names}")
    return Finding("keys", "there")


def _token(request: ExamineRequest, now: int) -> Finding:
    token = request.token
    if request.credentials.needs_login:
        text = "none of today" if token is None else f"died at {_clock_text(token.expires)}"
        return Finding("token", text, LOGIN, is_grave=True)
    if token is None:
        return Finding("token", "from the environment; its age is not known")
    age = (now - token.made) / _NS / 3600
    return Finding(
        "token", f"{age:.1f} h old, of {token.user}, dies at {_clock_text(token.expires)}"
    )


def _round_trips(client: KiteClient) -> Iterator[Finding]:
    times = []
    try:
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            user = client.get_profile()
            times.append((time.perf_counter() - began) * 1e3)
    except TolaError as fault:
        yield Finding("round trip", str(fault), "see the line above", is_grave=True)
        return
    yield Finding(
        "round trip", f"p50 {statistics.median(times):.0f} ms of {ROUND_TRIPS}, as {user}"
    )


def _contracts(config: KiteConfig, client: KiteClient, now: int) -> Finding:
    kept = MasterCache("kite", scope_of(config)).days()
    try:
        master = load_contracts(config, ("NIFTY-FUT",), now, client.get_instruments)
    except (BrokerError, ConfigError) as fault:
        return Finding("contracts", str(fault), "try again when the venue answers", is_grave=True)
    front = master.contract_on("NIFTY-FUT", master.origin.day)
    was = "kept" if master.origin.day in kept else "fetched now"
    return Finding(
        "contracts", f"of {day_date(master.origin.day)}, {was}; NIFTY-FUT is {front.describe()}"
    )


def _clock(client: KiteClient, now: Callable[[], int]) -> Iterator[Finding]:
    """Compare clocks by a quote; while nothing trades its time stands still and tells nothing."""
    try:
        quote = client.get_quote("NSE:NIFTY 50").get("NSE:NIFTY 50")
    except TolaError as fault:
        yield Finding("clock", f"not compared: {fault}", "try again")
        return
    skew = None if quote is None or not quote.timestamp else (now() - quote.timestamp) / _NS
    if skew is None or abs(skew) > 600:
        yield Finding("clock", "not compared: the market is closed, its time stands still")
    elif abs(skew) > _SKEW_SECS:
        side = "ahead of" if skew > 0 else "behind"
        yield Finding(
            "clock", f"{abs(skew):.1f} s {side} the venue's", "let the computer set its clock (NTP)"
        )
    else:
        yield Finding("clock", f"within {_SKEW_SECS:g} s of the venue's")


def _address(config: KiteConfig) -> Finding:
    """Say from which IP orders would go, as far as it can be seen from here."""
    wanted = config.static_ip
    if wanted is None:
        return Finding(
            "IP", "none is set; the venue takes orders from a registered static address alone",
            "static_ip in [venues.kite], as registered in the developer console",
        )  # fmt: skip
    try:
        used = _echoed(config.ip_echo) if config.ip_echo else _local(config.api_root)
    except OSError as fault:
        return Finding("IP", f"not seen ({type(fault).__name__})", "is the network up?")
    if used == wanted:
        return Finding("IP", f"{used}, as registered")
    if config.ip_echo:
        return Finding(
            "IP", f"{used}, but {wanted} is registered: orders would be refused",
            "connect by the registered address, or register this one", is_grave=True,
        )  # fmt: skip
    return Finding(
        "IP", f"{wanted} is registered; this computer is {used}, a router shows it as another",
        "ip_echo in [venues.kite]: an address that answers with the caller's IP",
    )  # fmt: skip


def _local(api_root: str) -> str:
    """Return the address this computer reaches the venue from; nothing is sent for it."""
    parts = urlsplit(api_root)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((parts.hostname or "", parts.port or 443))
        return str(probe.getsockname()[0])


def _echoed(address: str) -> str:
    import requests

    return requests.get(address, timeout=_ECHO_SECS).text.strip()[:45]


def _clock_text(ns: int) -> str:
    when = datetime.fromtimestamp(ns / _NS, find_zone(ZONE))
    return f"{when:%Y-%m-%d %H:%M} {when.tzname()}"
