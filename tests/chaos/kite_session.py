"""A session at the sandbox: its market, its login, and the points at which it dies."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from brokers.kite.client import WINDOWS
from brokers.kite.clock import market_clock
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.kite.wire import login_checksum
from brokers.retries import RetryPolicy
from live.market import VenueMarket
from tests.chaos.box_line import BoxLine
from tests.chaos.points import Monitor

KEY, SECRET, USER = "sandboxkey", "sandboxsecret", "XX0000"
CALLS = ("place_order", "modify_order", "cancel_order")
_PORT = ("submit", "modify", "cancel", "close_position", "connect", "disconnect",
         "request_snapshot")  # fmt: skip
HISTORY_BARS = 20
_TIMEOUT_SECS = 3.0
_SETTLED_SECS = 10.0
_POLL_IN_STEP_SECS = 0.05
_LOOKS_APART = 4
"""So many times as long as a look at the order book takes are two of them apart: a market in step
waits for each, and on a busy machine would come to no packet between them."""


def market_of(found: dict[str, Any]) -> Any:
    """Return a running sandbox as a session's market; the token is read anew at each use."""

    url = found["url"]
    config = KiteConfig(
        api_root=url,
        stream_root=url.replace("http", "ws"),
        clock_url=f"{url}/_box/state",
        timeout_secs=_TIMEOUT_SECS,
    )
    line = BoxLine(url)

    def open_port(emit: Callable[[Any], None], symbols: Any) -> KiteStore:
        store = KiteStore(
            config,
            lambda: KiteKeys(KEY, _token(found), SECRET),
            emit,
            symbols,
            policy=RetryPolicy(reconnect_interval=0.05, retry_delay=0.05, longest_secs=1.0),
            clock=market_clock(config),
            windows=[replace(window, count=1_000_000) for window in WINDOWS],
        )
        if not found["is_paced"]:
            _look_often(store)
        return store

    return VenueMarket(
        "kite", open_port, False, True, market_clock(config), line.is_over, is_real_time=False,
        lock_step="" if found["is_paced"] else url,
    )  # fmt: skip


def _look_often(store: KiteStore) -> None:
    """Let a store look at its order book in step with a market.

    That passes minutes while a clock passes seconds.
    """
    plain = store.client.get_orders

    def get_orders() -> Any:
        began = time.monotonic()
        try:
            return plain()
        finally:
            apart = max(_POLL_IN_STEP_SECS, _LOOKS_APART * (time.monotonic() - began))
            store._capabilities = replace(store.capabilities, poll_secs=apart)

    store._capabilities = replace(store.capabilities, poll_secs=_POLL_IN_STEP_SECS)
    store.client.get_orders = get_orders  # type: ignore[method-assign]


def stay_until_settled(built: Any) -> None:
    """Let a session that goes on after a death end with its prices once it has settled its orders.

    A market does not end in earnest, and a process may have died in the last minutes of one.
    """
    market, broker = built.source._market, built.broker
    ends: list[float] = []

    def is_over() -> bool:
        if not market.is_over():
            return False
        ends.append(time.monotonic())
        return not broker.needs_snapshot or ends[-1] - ends[0] > _SETTLED_SECS

    built.source._market = replace(market, is_over=is_over)


def log_in(line: BoxLine, folder: Path) -> None:
    """Log in as a person does, on the page; leave the token where the session looks for it."""

    form = {"api_key": KEY, "user_id": USER, "password": "sandbox", "totp": "123456"}
    where = line.follow("/connect/login", form)
    token = parse_qs(urlsplit(where).query)["request_token"][0]
    checksum = login_checksum(KEY, token, SECRET)
    asked = {"api_key": KEY, "request_token": token, "checksum": checksum}
    found = line.post("/session/token", asked)["data"]["access_token"]
    part = folder / "token.part"
    part.write_text(found)
    part.rename(folder / "token")


def _token(found: dict[str, Any]) -> str:
    newer = Path(found["folder"]) / "token"
    return newer.read_text() if newer.exists() else str(found["token"])


def watch_port(monitor: Monitor, store: Any) -> None:
    """Count what a session asks of its store."""
    for name in _PORT:
        monitor.watch(store, name, lambda *_, _at=f"port.{name}", **__: _at)


def watch_client(monitor: Monitor, client: Any) -> None:
    """Count order requests before they are sent and once they are answered."""
    numbers = itertools.count()
    for name in CALLS:
        _watch_call(monitor, client, name, numbers)


def _watch_call(monitor: Monitor, client: Any, name: str, numbers: itertools.count[int]) -> None:
    inner = getattr(client, name)

    def watched(*given: Any) -> Any:
        monitor.pass_by(f"client {name} before")
        number = next(numbers)
        monitor.note(sent=number)
        try:
            return inner(*given)
        finally:
            monitor.note(got=number)
            monitor.pass_by(f"client {name} after")

    setattr(client, name, watched)
