"""Orders that the venue takes and never answers: each is there once, and is found again.

The genuine SDK gives up waiting; whoever then sent again would have two orders. All requests go
over sockets to a sandbox in this process; a batch is a day's order book of its own.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from brokers.kite.client import WINDOWS
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.port import VenueOrder
from brokers.retries import RetryPolicy
from core.events import Answer, Event, Link, LinkState, Outcome, Snapshot
from core.orders import OrderKind, Role, Side, TimeInForce
from sandbox import AccountTerms, Sandbox
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS as VENUE_WINDOWS
from tests.chaos.harness import Row
from tests.sandbox.market import CALM, LOT, OPEN, day

BATCH = 500
_WAIT_SECS = 0.2
"""How long the SDK waits for an answer."""
_LONGEST_SECS = 120.0
_LOOK_SECS = 0.01
_PLENTY = 1e12


@dataclass
class _Heard:
    """What a store told."""

    answers: list[Answer] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    is_linked: threading.Event = field(default_factory=threading.Event)

    def hear(self, event: Event) -> None:
        """Take it, from any thread."""
        if isinstance(event, Answer):
            self.answers.append(event)
        elif isinstance(event, Snapshot):
            self.snapshots.append(event)
        elif isinstance(event, Link) and event.state is LinkState.CONNECTED:
            self.is_linked.set()


def run_timeouts(count: int, batch: int = BATCH) -> Iterator[Row]:
    """Send so many orders whose answers never come; yield what came of each batch."""
    for number, first in enumerate(range(0, count, batch)):
        wanted = min(batch, count - first)
        row = Row(number, "kite", "no_answer", f"{wanted} orders")
        began = time.monotonic()
        for words in _batch(number, wanted):
            row.fail(words)
        secs = time.monotonic() - began
        print(
            f"timeouts {first + wanted}/{count} {'ok' if row.ok else row.detail} {secs:.0f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        yield row


def _batch(number: int, count: int) -> Iterator[str]:
    """Send one batch; yield what is wrong with it."""
    box = Sandbox(
        "kite", day([CALM] * 30), start=OPEN, accounts={"XX0000": AccountTerms(_PLENTY)},
        settings=KiteSettings(windows=dict.fromkeys(VENUE_WINDOWS, ())), seed=number,
    )  # fmt: skip
    with box:
        box.play(1)
        box.add_fault("no_answer", on="orders.place")
        token = box.login()
        with _at(box, token, _WAIT_SECS) as (store, heard):
            ids = _send(box, store, heard, number, count)
        yield from _judged(box, heard, ids)
        with _at(box, token, _LONGEST_SECS) as (store, heard):
            store.request_snapshot(1, 0)
            _came(lambda: bool(heard.snapshots))
        found = Counter(update.tag for item in heard.snapshots for update in item.orders)
        if found != Counter(ids):
            yield f"{len(set(ids) - found.keys())} orders are not found again"


def _send(box: Sandbox, store: KiteStore, heard: _Heard, number: int, count: int) -> list[str]:
    """Send orders until the venue has taken so many; return the ids of all that it has taken.

    One whose sender gives up before the venue has read it is not taken; another makes up for it.
    """
    sent = 0
    taken: set[str] = set()
    while len(taken) < count and sent < 2 * count:
        until = sent + count - len(taken)
        for place in range(sent, until):
            store.submit(place, _order(f"deaf-{number}-{place}"))
        sent = until
        _came(lambda wanted=sent: len(heard.answers) >= wanted)
        taken = {row["tag"] for row in box.call(box.ledger.rows, "orders")}
    return sorted(taken)


@contextmanager
def _at(box: Sandbox, token: str, wait_secs: float) -> Iterator[tuple[KiteStore, _Heard]]:
    """Open a store at a sandbox, and close it."""
    heard = _Heard()
    store = KiteStore(
        KiteConfig(api_root=box.url, stream_root=box.stream_url, timeout_secs=wait_secs),
        lambda: KiteKeys("sandboxkey", token, "sandboxsecret"),
        heard.hear,
        ["NIFTY-FUT"],
        policy=RetryPolicy(reconnect_interval=0.1, max_retries=100),
        clock=lambda: int(box.now),
        windows=[replace(window, count=10**9) for window in WINDOWS],
    )
    try:
        store.connect()
        heard.is_linked.wait(_LONGEST_SECS)
        yield store, heard
    finally:
        store.disconnect()


def _judged(box: Sandbox, heard: _Heard, ids: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with what was told of orders, and with what the venue has."""
    outcomes = Counter(answer.outcome for answer in heard.answers)
    if outcomes.keys() != {Outcome.UNKNOWN}:
        yield f"told otherwise than unknown: {dict(outcomes)}"
    rows: list[dict[str, Any]] = box.call(box.ledger.rows, "orders")
    at_venue = Counter(row["tag"] for row in rows)
    yield from (f"{tag} is {n} times at the venue" for tag, n in at_venue.items() if n != 1)
    requests: list[dict[str, Any]] = box.call(box.ledger.rows, "requests")
    placed = sum(row["endpoint"] == "orders.place" for row in requests)
    if placed > len(heard.answers):
        yield f"{placed} requests for {len(heard.answers)} orders"


def _came(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + _LONGEST_SECS
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_SECS)
    return True


def _order(order_id: str) -> VenueOrder:
    """Return an order that waits far below the market."""
    return VenueOrder(
        order_id, "plan", "NIFTY-FUT", Side.BUY, LOT, OrderKind.LIMIT, Role.ENTRY, 24_500.0,
        time_in_force=TimeInForce.DAY, product="NRML",
    )  # fmt: skip
