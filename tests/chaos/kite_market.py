"""The sandbox as a process of its own: it outlives the sessions that die, and kills some of them.

Only the venue knows when a request has come and is not answered. So a session that is to die with
one in flight is killed from here, at the request it was said to die at.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from core.ticks import TICK, Tape
from sandbox import AccountTerms, Sandbox, replayed
from sandbox.face import Route
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS
from sandbox.server import Server
from tests.chaos.kite_books import CASH
from tests.chaos.kite_session import HISTORY_BARS, USER

CALLS = ("orders.place", "orders.modify", "orders.cancel")
PHASES = ("arrived", "done", "lost", "late")
"""Of a request at whose coming its sender dies: carried out then; carried out before, unanswered;
never carried out; carried out when another process may be running already."""
LATE_SECS = (0.2, 1.0, 2.5)
STEP_TIMEOUT_SECS = 120.0


def point_of(call: str, phase: str) -> str:
    """Return the name of a point of the venue's."""
    return f"venue {call} {phase}"


class Hunter:
    """Counts a session's order requests, and kills it at the one it was told.

    Parameters
    ----------
    folder : in which a session that begins leaves its process' number (`prey`), and the harness
        where that is to die (`aim.json`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prey = 0
        self.counts: Counter[str] = Counter()

    def watch(self) -> None:
        """Stand between the server and what carries its requests out."""
        plain = Server._answer

        async def answer(server: Server, request: web.Request, route: Route) -> web.StreamResponse:
            if route.name not in CALLS:
                return await plain(server, request, route)
            phase = self._phase(route.name)
            if phase in ("arrived", "lost", "late"):
                self._kill()
            if phase == "lost":
                await server._stay_silent(request)
            if phase == "late":
                await asyncio.sleep(
                    LATE_SECS[self.counts[point_of(route.name, phase)] % len(LATE_SECS)]
                )
            made = await plain(server, request, route)
            if phase == "done":
                self._kill()
            return made

        Server._answer = answer  # type: ignore[method-assign]

    def _phase(self, call: str) -> str:
        """Count a request; return the phase at which its sender dies, "" for none."""
        prey = int(_read(self._folder / "prey") or "0")
        if prey != self._prey:
            self._prey, self.counts = prey, Counter()
        for phase in PHASES:
            self.counts[point_of(call, phase)] += 1
        aim = json.loads(_read(self._folder / "aim.json") or "{}")
        for phase in PHASES:
            point = point_of(call, phase)
            if (point, self.counts[point]) == (aim.get("point"), aim.get("nth")):
                return phase
        return ""

    def _kill(self) -> None:
        os.kill(self._prey, signal.SIGKILL)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def run_market(task: dict[str, Any]) -> None:
    """Serve a sandbox until this process is asked to end; leave its counts."""
    from live.build import start_of
    from tests.chaos.asking import plain_request_of

    given, folder = task["market"], Path(task["folder"])
    asked = plain_request_of(task)
    tape = None
    if given["tape"]:
        tape = Tape(np.load(given["tape"]).astype(TICK).view(np.recarray), "trades")
    told = {plan.request.instrument.symbol: plan for plan in asked.loaded}
    prices = [
        replayed(plan.series, tape, plan.request.instrument, "trades") for plan in told.values()
    ]
    terms = replace(asked.terms, history_bars=HISTORY_BARS)
    hunter = Hunter(folder)
    hunter.watch()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    box = Sandbox(
        "kite", prices, start=start_of(asked.loaded, terms),
        lock_step=not given["is_paced"], step_timeout_secs=STEP_TIMEOUT_SECS,
        seed=given["seed"],
        accounts={USER: AccountTerms(CASH)}, ledger=folder / "box.sqlite",
        settings=KiteSettings(tokens_end=None, windows=dict.fromkeys(WINDOWS, ())),
    )  # fmt: skip
    with box:
        part = folder / "market.part"
        token = box.login(USER)
        told = {"url": box.url, "token": token, "pid": os.getpid(), "last": box.course.end}
        part.write_text(json.dumps(told))
        part.rename(folder / "market.json")
        over.wait()
        box.error = None  # a session that was killed at the very end leaves the market waiting
    (folder / "counts.json").write_text(json.dumps(hunter.counts))
