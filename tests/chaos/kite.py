"""Kite as a venue of the harness: the genuine SDK against a sandbox in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from brokers.kite.client import KiteClient
from brokers.kite.store import KiteStore
from core.calendar import get_calendar
from live import start_up
from tests.chaos import scenario as scenarios
from tests.chaos.box_line import BoxLine
from tests.chaos.kite_books import read_books, requests_at_venue
from tests.chaos.kite_session import (
    CALLS,
    HISTORY_BARS,
    market_of,
    stay_until_settled,
    watch_client,
    watch_port,
)
from tests.chaos.points import START, Monitor
from tests.chaos.scenario import Scenario
from tests.chaos.venue import (
    OutsideBooks,
    Venue,
    after_init,
    watch_recovery,
)

if TYPE_CHECKING:
    from live.session import SessionRequest
    from tests.chaos.lane import Lane

_LIBRARIES = (
    "autobahn.twisted.websocket", "requests", "twisted.internet.endpoints",
    "twisted.internet.ssl", "twisted.python.log", "tests.chaos.kite_market", "sandbox.kite.face",
)  # fmt: skip
_READY_SECS = 60.0
_POLL_SECS = 0.01
_AGAIN_SECS = 0.05
"""A market in step would pass hours in the time between two questions."""
_MINUTE_NS = 60_000_000_000
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
            *(f"client {call} {phase}" for call in CALLS for phase in ("before", "after")),
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
        if minutes == scenarios.OVERNIGHT:
            until = _next_open(now, self._last)
        else:
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
        """Read the sandbox's ledger."""
        return read_books(self._folder / "box.sqlite", folder / "journal.sqlite")

    def in_flight(self, box: Path) -> int:
        """Return how many order requests had been sent and not been answered at a death."""
        return requests_at_venue(box)

    # -- in the processes --------------------------------------------------------------------

    def warm(self, folder: Path) -> None:
        """Load the SDK's libraries, all but the reactor, of which each process has its own."""
        for name in _LIBRARIES:
            import_module(name)
        import_module("sandbox.warm").warm()

    def watch(self, monitor: Monitor, down_ns: int) -> None:
        """Watch port and client of the session that is built next."""
        monitor.note(begun=os.getpid())
        watch_recovery(monitor, stay_until_settled)
        start_up.AGAIN_SECS = _AGAIN_SECS
        after_init(KiteStore, lambda store: watch_port(monitor, store))
        after_init(KiteClient, lambda client: watch_client(monitor, client))

    def request(self, asked: SessionRequest, task: dict[str, Any]) -> SessionRequest:
        """Return a session's request at the sandbox."""
        from live.verbs.venue_market import on_market

        if "market" not in task:
            return asked
        folder = Path(task["market"]["folder"])
        (folder / "prey").write_text(str(os.getpid()))
        os.environ["TOLA_CACHE_DIR"] = str(folder / "cache")  # contracts are kept by address
        terms = replace(asked.terms, history_bars=HISTORY_BARS)
        return on_market(replace(asked, terms=terms), market_of(task["market"]))


class KitePair(Kite):
    """The same with two plans on one account, whose orders and fills tags alone tell apart."""

    name = "kite pair"

    def scenario(self, seed: int) -> Scenario:
        """Return what a seed stands for: that of one plan, with another one beside it."""
        return scenarios.pair_on_kite(seed)


class KiteNight(Kite):
    """The same over a night: orders of the day before are told no more, its fills neither."""

    name = "kite night"

    def scenario(self, seed: int) -> Scenario:
        """Return what a seed stands for: two days, a death on the first."""
        return scenarios.night_on_kite(seed)


def _next_open(now: int, last: int) -> int:
    """Return when the next day begins; now, where the prices have none."""
    opens = get_calendar("NSE").opens
    found = int(opens[opens.searchsorted(now, side="right")])
    return found if found < last else now


def _last_return(now: int, last: int) -> int:
    """Return until when a session may be away.

    Kite tells the day's orders and fills alone: what was filled while nobody looked, and the day
    with it is over, no session can know. And some market has to be left to go on in.
    """
    calendar = get_calendar("NSE")
    close = int(calendar.closes[calendar.closes.searchsorted(now, side="right")])
    return min(close, last) - _LEFT_NS
