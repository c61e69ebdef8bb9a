"""Kite as a venue of the harness: the genuine SDK against a sandbox in a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.chaos import scenario as scenarios
from tests.chaos.box_line import BoxLine
from tests.chaos.points import START, Monitor
from tests.chaos.scenario import Scenario
from tests.chaos.venue import (
    OutsideBooks,
    OutsideFill,
    OutsideOrder,
    Venue,
    after_init,
    watch_recovery,
)

if TYPE_CHECKING:
    from live.session import SessionRequest
    from tests.chaos.lane import Lane

_SIDES = {"BUY": 1, "SELL": -1}
_CALLS = ("place_order", "modify_order", "cancel_order")
_PORT = ("submit", "modify", "cancel", "close_position", "connect", "disconnect",
         "request_snapshot")  # fmt: skip
KEY, SECRET, USER = "sandboxkey", "sandboxsecret", "XX0000"
_READY_SECS = 60.0
_TIMEOUT_SECS = 3.0
_POLL_IN_STEP_SECS = 0.05
_POLL_SECS = 0.01
_MINUTE_NS = 60_000_000_000
_DAY_NS = 1440 * _MINUTE_NS
_LEFT_NS = 20 * _MINUTE_NS
SESSION, DOWN = "session", "while it is down"
"""Who keeps step with the market: the session, and the harness in its place."""


class Kite(Venue):
    """A sandbox of Kite, whose orders come through the official SDK; its ledger is the outside."""

    name = "kite"
    is_stepped = False
    at_work: ClassVar = {
        "at the venue": tuple(
            f"venue orders.{call} {phase}"
            for call in ("place", "modify", "cancel")
            for phase in ("arrived", "done", "lost", "late")
        ),
        "in flight": (
            *(f"journal.{name} after" for name in ("intend", "try_intend", "intend_all")),
            *(f"client {call} {phase}" for call in _CALLS for phase in ("before", "after")),
            "journal.append Answer before",
            "journal.append Answer after",
            "reply Answer before",
        ),
    }
    start_points = tuple(point for point in START if not point.startswith("ledger"))

    def __init__(self) -> None:
        self._ended: Future[dict[str, Any]] | None = None
        self._folder = Path()
        self._pid = self._last = 0
        self.line: BoxLine
        self._back: threading.Thread | None = None

    # -- in the harness ----------------------------------------------------------------------

    def scenario(self, seed: int) -> Scenario:
        """Return what a seed stands for: the kept brackets of a netting account, minutes of NSE."""
        return scenarios.on_kite(seed)

    def write_inputs(self, wanted: Scenario, folder: Path) -> dict[str, Any]:
        """Write prices and settings; return what a process needs to run the session."""
        return scenarios.write_kite_inputs(wanted, folder)

    def open(
        self,
        lane: Lane,
        folder: Path,
        task: dict[str, Any],
        *,
        is_paced: bool = False,
        tape: str = "",
    ) -> dict[str, Any]:
        """Start a sandbox; return where it is.

        Parameters
        ----------
        is_paced : its market goes on when it is told to; else in step with the session.
        tape : a file of trades that are told instead of the bars' paths.
        """
        folder.mkdir(parents=True)
        given = {"is_paced": is_paced, "tape": tape, "seed": task["scenario"]["seed"]}
        ended = lane.begin(
            0, task | {"kind": "market", "folder": str(folder), "market": given, "hangs_secs": 1e6}
        )
        until = time.monotonic() + _READY_SECS
        while not (folder / "market.json").exists():
            if ended.done() or time.monotonic() > until:
                raise RuntimeError(f"the sandbox did not start: {ended.done() and ended.result()}")
            time.sleep(_POLL_SECS)
        found = json.loads((folder / "market.json").read_text())
        self._ended, self._folder, self._pid = ended, folder, found["pid"]
        self._last = found["last"]
        self.line = BoxLine(found["url"])
        return {"market": {"url": found["url"], "token": found["token"], "folder": str(folder),
                           "is_paced": is_paced}}  # fmt: skip

    def aim(self, folder: Path, point: str, nth: int) -> None:
        """Tell the sandbox which request its sender shall die at."""
        is_its = point.startswith("venue ")
        aimed = {"point": point, "nth": nth} if is_its else {}
        (self._folder / "aim.json").write_text(json.dumps(aimed))

    def pass_time(self, minutes: float) -> None:
        """Take the dead session's place in the market, go on, and leave it to the next one."""
        if not minutes:
            return
        line = self.line
        packet, now = line.step(DOWN, None)
        line.leave(SESSION)
        until = min(now + round(minutes * _MINUTE_NS), _last_return(now, self._last))
        while packet is not None and now < until:
            packet, now = line.step(DOWN, packet)
        self._back = threading.Thread(target=self._give_back, daemon=True)
        self._back.start()

    def _give_back(self) -> None:
        """Leave the market once the next session keeps step with it."""
        with contextlib.suppress(OSError):
            while SESSION not in self.line.state()["sessions"]:
                time.sleep(_POLL_SECS)
            self.line.leave(DOWN)

    def close(self) -> dict[str, int]:
        """Stop the sandbox; return how often each of its points was passed."""
        if self._ended is None:
            return {}
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        said, self._ended = self._ended.result(), None
        if said["outcome"] != "ended":
            raise RuntimeError(f"the sandbox {said['outcome']}: {said['log']}")
        return dict(json.loads((self._folder / "counts.json").read_text()))

    def outside(self, folder: Path) -> OutsideBooks:
        """Read the sandbox's ledger; whose orders are, and what for, is known by their tags."""
        sent = _sent(folder / "journal.sqlite")
        file = sqlite3.connect(f"{(self._folder / 'box.sqlite').as_uri()}?mode=ro", uri=True)
        file.row_factory = sqlite3.Row
        try:
            rows = file.execute("SELECT * FROM orders ORDER BY made, order_id").fetchall()
            fills = file.execute("SELECT * FROM fills ORDER BY fill_id").fetchall()
            now = file.execute("SELECT max(ts) FROM requests").fetchone()[0] or 0
        finally:
            file.close()
        numbers = {row["order_id"]: place for place, row in enumerate(rows, 1)}
        tags = {row["order_id"]: row["tag"] for row in rows}
        none = {"plan_id": "", "role": ""}
        orders = [
            OutsideOrder(
                numbers[row["order_id"]], row["tag"],
                "ours" if row["author"] == "client" else row["author"],
                sent.get(row["tag"], none)["plan_id"], _SIDES[row["side"]], row["quantity"],
                sent.get(row["tag"], none)["role"], 0, row["status"], row["filled"], row["made"],
                row["changed"],
            )
            for row in rows
        ]  # fmt: skip
        done = [
            OutsideFill(
                row["fill_id"], numbers[row["order_id"]], tags[row["order_id"]],
                sent.get(tags[row["order_id"]], none)["plan_id"], _SIDES[row["side"]],
                row["quantity"], row["price"], row["ts"], "", row["costs"], row["pnl"],
                "NIFTY-FUT", "",
            )
            for row in fills
        ]  # fmt: skip
        done = list(_shared_out(done))
        from tests.chaos.kite_market import CASH

        balance = CASH + sum(fill.pnl - fill.costs for fill in done)
        now = max([now, *(fill.ts for fill in done)])
        return OutsideBooks(orders, done, CASH, balance, now, shut=_nights(now))

    def in_flight(self, box: Path) -> int:
        """Return how many order requests had been sent and not been answered at a death."""
        out: Counter[int] = Counter()
        for line in box.read_text().splitlines() if box.exists() else ():
            row = json.loads(line)
            if "begun" in row:
                out.clear()
            for name, way in (("sent", 1), ("got", -1)):
                if name in row:
                    out[row[name]] += way
        return sum(out.values())

    # -- in the processes --------------------------------------------------------------------

    def warm(self, folder: Path) -> None:
        """Load the SDK's libraries, all but the reactor, of which each process has its own."""

        from sandbox.warm import warm

        warm()

    def watch(self, monitor: Monitor, down_ns: int) -> None:
        """Watch port and client of the session that is built next."""
        from brokers.kite.client import KiteClient
        from brokers.kite.store import KiteStore

        monitor.note(begun=os.getpid())
        watch_recovery(monitor)
        after_init(KiteStore, lambda store: _watch_port(monitor, store))
        after_init(KiteClient, lambda client: _watch_client(monitor, client))

    def request(self, asked: SessionRequest, task: dict[str, Any]) -> SessionRequest:
        """Return a session's request at the sandbox."""
        from live.verbs.venue_market import on_market

        if "market" not in task:
            return asked
        folder = Path(task["market"]["folder"])
        (folder / "prey").write_text(str(os.getpid()))
        os.environ["TOLA_CACHE_DIR"] = str(folder / "cache")  # contracts are kept by address
        from tests.chaos.kite_market import HISTORY_BARS

        terms = replace(asked.terms, history_bars=HISTORY_BARS)
        return on_market(replace(asked, terms=terms), market_of(task["market"]))


def market_of(found: dict[str, Any]) -> Any:
    """Return a running sandbox as a session's market; the token is read anew at each use."""
    from brokers.kite.client import WINDOWS
    from brokers.kite.clock import market_clock
    from brokers.kite.config import KiteConfig, KiteKeys
    from brokers.kite.store import KiteStore
    from brokers.retries import RetryPolicy
    from live.market import VenueMarket

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
        if not found["is_paced"]:  # a market in step passes minutes while a clock passes seconds
            store._capabilities = replace(store.capabilities, poll_secs=_POLL_IN_STEP_SECS)
        return store

    return VenueMarket(
        "kite", open_port, False, True, market_clock(config), line.is_over, is_real_time=False,
        lock_step="" if found["is_paced"] else url,
    )  # fmt: skip


def _last_return(now: int, last: int) -> int:
    """Return until when a session may be away.

    Kite tells the day's orders and fills alone: what was filled while nobody looked, and the day
    with it is over, no session can know. And some market has to be left to go on in.
    """
    from core.calendar import get_calendar

    calendar = get_calendar("NSE")
    close = int(calendar.closes[calendar.closes.searchsorted(now, side="right")])
    return min(close, last) - _LEFT_NS


def _nights(until: int) -> list[tuple[int, int]]:
    """Return the times in which NSE is shut, up to a few days after its first."""
    from core.calendar import get_calendar

    calendar = get_calendar("NSE")
    place = int(calendar.opens.searchsorted(until - 7 * _DAY_NS))
    closes, opens = calendar.closes[place : place + 9], calendar.opens[place + 1 : place + 10]
    return [(int(close), int(opens)) for close, opens in zip(closes, opens, strict=True)]


def log_in(line: BoxLine, folder: Path) -> None:
    """Log in as a person does, on the page; leave the token where the session looks for it."""
    from brokers.kite.wire import login_checksum

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


def _watch_port(monitor: Monitor, store: Any) -> None:
    for name in _PORT:
        monitor.watch(store, name, lambda *_, _at=f"port.{name}", **__: _at)


def _watch_client(monitor: Monitor, client: Any) -> None:
    """Count order requests before they are sent and once they are answered."""
    numbers = itertools.count()
    for name in _CALLS:
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


def _shared_out(fills: Iterable[OutsideFill]) -> Iterator[OutsideFill]:
    """Yield fills; what another hand filled against a plan's position closes that, up to flat."""
    held: Counter[str] = Counter()
    for fill in fills:
        if not fill.plan_id:
            against = [plan for plan, size in held.items() if size * fill.side < 0]
            for plan_id in against[:1]:
                closed = min(abs(held[plan_id]), round(fill.quantity))
                yield replace(fill, plan_id=plan_id, quantity=float(closed))
                held[plan_id] += fill.side * closed
                fill = replace(fill, quantity=fill.quantity - closed)
            if not fill.quantity:
                continue
        held[fill.plan_id] += fill.side * round(fill.quantity)
        yield fill


def _sent(journal: Path) -> dict[str, dict[str, str]]:
    """Return plan and role of each order whose sending was written down, by its id."""
    file = sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)
    try:
        rows = file.execute(
            "SELECT order_id, plan_id, document FROM intents WHERE verb = 'submit'"
        ).fetchall()
    finally:
        file.close()
    return {
        order_id: {"plan_id": plan_id, "role": _role(json.loads(document))}
        for order_id, plan_id, document in rows
    }


def _role(document: dict[str, Any]) -> str:
    from core.orders import Role

    return Role(document["role"]).name
