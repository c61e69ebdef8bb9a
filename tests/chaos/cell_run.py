"""One cell of the fault matrix: a session at a sandbox of its own, and a hand that orders.

A bracket is entered, its stop moved, an order cancelled, the position closed: as far as the cell's
step needs it. The fault is armed just before its step. Afterwards the sandbox's ledger must be the
journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from live import monitor
from live.account_folder import AccountFolder
from live.mailbox import Mailbox
from tests.chaos.asking import ACCOUNT
from tests.chaos.cells import LOGINS, Cell
from tests.chaos.checks import MATRIX_CHECKS, Left
from tests.chaos.harness import Row
from tests.chaos.kite import Kite
from tests.chaos.kite_session import log_in
from tests.chaos.lane import Lane
from tests.chaos.protection import unprotected
from tests.chaos.record import read_record
from tests.chaos.scenario import on_kite, write_cell_inputs

QUANTITY = 50
STOP, MOVED, TARGET, AWAY = 24_900.0, 24_940.0, 25_100.0, 24_800.0
NEAR = 24_999.0
"""A price that the market, which stays about 25,000, comes to within moments."""
_READY_SECS, _STEP_SECS, _END_SECS = 40.0, 14.0, 45.0
_MINUTE_SECS = 80.0
_WATCH_SECS = 9.0
"""How long a session is watched where no order waits for an outcome."""
_SEEN_SECS = 6.0
"""In which the venue's books are looked at, which alone tell of another hand."""
_CALM_SECS = 1.0
_REOPEN_SECS = 2.0
"""In which a stream that broke is opened again."""
_LOGIN_SECS = 3.0
_SETTLE_SECS = 20.0
"""After which the fate of what a dead process sent is settled."""
_LOOK_SECS = 0.05
_TICK_SECS = 0.25
MOST_UNPROTECTED_SECS = 7.0
"""The five seconds after which a position without a stop is closed, and the time that takes."""


class CellRun:
    """One cell, from its market to its row."""

    def __init__(self, lane: Lane, number: int, cell: Cell, folder: Path) -> None:
        self.lane, self.number, self.cell, self.folder = lane, number, cell, folder
        self.row = Row(number, "kite", cell.fault, cell.step)
        self.venue = Kite()
        self.account = folder / "account"
        self.starts = 0
        self.to_arm = cell.plan
        self.is_over = threading.Event()
        self.pacer = threading.Thread(target=self._pace, daemon=True)
        self.session: Future[dict[str, Any]]

    def run(self) -> Row:
        """Run it and judge it."""
        if self.cell.why_not:
            self.row.detail = f"does not apply: {self.cell.why_not}"
            return self.row
        self.account.mkdir(parents=True)
        task = write_cell_inputs(replace(on_kite(self.number), stop_at=None), self.folder) | {
            "folder": str(self.account), "venue": "kite", "kind": "session",
        }  # fmt: skip
        try:
            tape = str(self.folder / "ticks.npy")
            task |= self.venue.open(
                self.lane, self.folder / "market", task, is_paced=True, tape=tape
            )
            self.task = task
            self._start(lambda told: [feed["state"] for feed in told["feeds"]] == ["live"])
            self.pacer.start()
            self._script()
            is_over = self._ended()
            self._see_that_it_struck()
        finally:
            self.is_over.set()
            self.venue.close()
        if is_over:
            self._judge()
        return self.row

    # -- the session -------------------------------------------------------------------------

    def _start(self, is_ready: Callable[[dict[str, Any]], bool]) -> None:
        self.session = self.lane.begin(self.starts, self.task)
        self.starts += 1
        folder = AccountFolder(ACCOUNT, self.account)
        self.mail = Mailbox(folder.commands)
        self._wait(
            "the session is ready", lambda: self._is_up(folder, is_ready), _READY_SECS, must=True
        )

    def _is_up(self, folder: AccountFolder, is_ready: Callable[[dict[str, Any]], bool]) -> bool:
        if self.session.done():
            said = self.session.result()
            raise RuntimeError(f"the session {said['outcome']}: {said['log'][-300:]}")
        if not folder.status.exists():
            return False
        told = monitor.read(folder.status)
        return bool(told["pid"] == self._prey() and is_ready(told))

    def _pace(self) -> None:
        """Let the market go on, four trades a second, as a clock would."""
        due = time.monotonic()
        with contextlib.suppress(OSError, RuntimeError):
            while not self.is_over.wait(max(0.0, due - time.monotonic())):
                self.venue.line.ask("POST", "/_box/play", {"packets": 1})
                due = max(due + _TICK_SECS, time.monotonic() - 1.0)

    def _prey(self) -> int:
        path = self.folder / "market" / "prey"
        return int(path.read_text() or 0) if path.exists() else 0

    def _ask(self, name: str, **given: Any) -> None:
        self.mail.send(name, given, "chaos")

    def _ended(self) -> bool:
        """Let the session end; say whether it did."""
        self._ask("stop", reason="enough")
        until = time.monotonic() + _END_SECS
        while not self.session.done() and time.monotonic() < until:
            time.sleep(_LOOK_SECS)
        if not self.session.done():
            os.kill(self._prey(), signal.SIGABRT)
        said = self.session.result()
        if said["outcome"] != "ended":
            self.row.fail(f"the session {said['outcome']}: {said['log'][-400:]}")
        return bool(said["outcome"] == "ended")

    # -- what is done ------------------------------------------------------------------------

    def _script(self) -> None:
        step = self.cell.step
        if step in ("place entry", "entry fill", "place stop", "place target"):
            self._meet(self._enter)
            self._wait("the position is protected or flat", self._is_settled)
            time.sleep(_CALM_SECS)
            return
        if self.cell.fault == "partial":  # what fills in parts is settled when an order comes
            self._arm()
        self._enter()
        self._wait("the bracket stands", self._stands, must=True)
        _SCRIPTS[step](self)
        if self.cell.fault.startswith("hand"):
            time.sleep(_SEEN_SECS)

    def _meet(self, act: Callable[[], None]) -> None:
        """Arm the fault, act, and do what a person or a supervisor does about it."""
        self._arm()
        act()
        if self.cell.fault.startswith("refuse"):
            time.sleep(_REOPEN_SECS)
        if self.cell.fault in LOGINS:
            time.sleep(_LOGIN_SECS)
            log_in(self.venue.line, self.folder / "market")
        if self.cell.fault == "kill":
            self._kill()

    def _arm(self) -> None:
        """Let the sandbox know what is to go wrong, once."""
        faults, self.to_arm = self.to_arm, ()
        for fault in faults:
            self.venue.line.ask("POST", "/_box/fault", fault)

    def _kill(self) -> None:
        """Kill the session at the step's request, or soon after; start it again at once."""
        self._wait("the session dies", self.session.done, 3.0)
        if not self.session.done():
            os.kill(self._prey(), signal.SIGKILL)
        self.session.result()
        self.row.kills += 1
        self.row.in_flight += self.venue.in_flight(self.account / "box.jsonl") > 0
        self.venue.aim(self.folder / "market", "", 0)
        self._start(lambda told: True)
        time.sleep(_SETTLE_SECS)

    def _enter(self) -> None:
        if self.cell.fault == "kill":
            self._aim()
        self._ask("order", side="buy", quantity=QUANTITY, stop_loss=STOP, take_profit=TARGET)

    def _aim(self) -> None:
        """Let the session die at the request of the step, where it has one."""
        turns = {"place entry": ("place", 1), "place stop": ("place", 2), "modify stop":
                 ("modify", 1), "place target": ("place", 3), "cancel": ("cancel", 1)}  # fmt: skip
        call, nth = turns.get(self.cell.step, ("", 0))
        phase = ("arrived", "done", "lost")[self.number % 3]
        self.venue.aim(self.folder / "market", call and f"venue orders.{call} {phase}", nth)

    def _move(self) -> None:
        self._ask("modify", order_id=self._tag("STOP"), price=MOVED)

    def _modify_stop(self) -> None:
        self._meet(self._move)
        self._wait("the stop has moved", lambda: self._price("STOP") == MOVED or self._is_flat())

    def _cancel(self) -> None:
        before = len(self._orders())
        self._ask("order", side="buy", quantity=QUANTITY, limit=AWAY)
        self._wait("the order works", lambda: len(self._orders()) > before, must=True)
        time.sleep(0.5)
        away = self._orders()[-1]["tag"]
        self._meet(lambda: self._ask("cancel", order_id=away))
        self._wait("it is cancelled", lambda: self._state(away) in ("CANCELLED", "REJECTED"))

    def _stop_fill(self) -> None:
        self._meet(lambda: self._ask("modify", order_id=self._tag("STOP"), price=NEAR))
        self._wait("the stop has filled", self._is_flat)

    def _close(self) -> None:
        self._meet(lambda: self._ask("close", plan="hand"))
        self._wait("the position is closed", self._is_flat)

    def _watch(self) -> None:
        self._meet(lambda: None)
        if self.cell.step == "history":
            self._wait("the minute that has a hole is over", self._has_struck, _MINUTE_SECS)
        time.sleep(_WATCH_SECS)

    # -- what the venue holds ----------------------------------------------------------------

    def _orders(self) -> list[dict[str, Any]]:
        return [row for row in self.venue.line.rows("orders") if row["author"] == "client"]

    def _working(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self._orders() if row["kind"] == kind and row["status"] == "WORKING"]

    def _tag(self, kind: str) -> str:
        return str(self._working(kind)[-1]["tag"]) if self._working(kind) else ""

    def _price(self, kind: str) -> float | None:
        found = self._working(kind)
        return found[-1]["price"] if found else None

    def _state(self, tag: str) -> str:
        return next(str(row["status"]) for row in self._orders() if row["tag"] == tag)

    def _net(self) -> float:
        return sum(
            row["quantity"] * (1 if row["side"] == "BUY" else -1)
            for row in self.venue.line.rows("fills")
        )

    def _is_flat(self) -> bool:
        return not self._net()

    def _stands(self) -> bool:
        return bool(self._net() and self._working("STOP") and self._working("LIMIT"))

    def _is_settled(self) -> bool:
        """Whether the entry has ended, and what it opened is protected or closed."""
        orders = self._orders()
        has_ended = bool(orders) and orders[0]["status"] not in ("RECEIVED", "WORKING")
        return has_ended and (self._is_flat() or self._stands())

    def _has_struck(self) -> bool:
        struck = {row["kind"] for row in self.venue.line.rows("faults")}
        return {fault["kind"] for fault in self.cell.plan} <= struck

    def _wait(
        self, what: str, holds: Callable[[], bool], secs: float = _STEP_SECS, *, must: bool = False
    ) -> None:
        """Wait for something; what does not come is a fault only where nothing goes on without."""
        until = time.monotonic() + secs
        while not holds():
            if time.monotonic() > until:
                if must:
                    raise RuntimeError(f"did not come: {what}")
                return
            time.sleep(_LOOK_SECS)

    def _see_that_it_struck(self) -> None:
        """Let no cell pass in which nothing went wrong."""
        if not self._has_struck():
            self.row.fail("the fault never struck")

    # -- judging -----------------------------------------------------------------------------

    def _judge(self) -> None:
        record = read_record(self.account / "journal.sqlite")
        books = self.venue.outside(self.account)
        said = json.loads((self.account / "result.json").read_text())
        bare = unprotected(books, [])
        left = Left(books, record, said, {"findings": []}, {}, bare)
        self.row.restarts = self.starts - 1
        self.row.unprotected_secs = round(bare.whole, 2)
        self.row.unprotected_with_downtime_secs = self.row.unprotected_secs
        for check in MATRIX_CHECKS:
            for words in check(left):
                self.row.fail(words)
        if any(said["hands"].values()):
            self.row.detail = "what another hand opened is its own, and is left alone"
        elif bare.longest > MOST_UNPROTECTED_SECS:
            self.row.fail(f"a position had no working stop for {bare.longest:.1f} s")
        if not said["exit_reason"].startswith("enough"):
            self.row.fail(f"the session ended so: {said['exit_reason']}")


_SCRIPTS: dict[str, Callable[[CellRun], None]] = {
    "modify stop": CellRun._modify_stop,
    "cancel": CellRun._cancel,
    "stop fill": CellRun._stop_fill,
    "close": CellRun._close,
    "poll": CellRun._watch,
    "history": CellRun._watch,
    "stream": CellRun._watch,
}
