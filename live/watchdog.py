"""The watchdog: where the engine hangs (a strategy that never returns), somebody must still act.

It is a thread that looks at the engine's heartbeat. After too long without one it may do two
things only, through the venue's port: cancel what works and close what is held. It writes down
that it did, in a file of its own, for the engine's journal belongs to the engine's thread; then it
interrupts what hangs, so that the session ends in order, and if nothing helps ends the process.

A process that was stopped as a whole (Ctrl-Z, a debugger, a computer asleep) has no engine that
hangs: the watchdog could not look either, and begins to count when it can.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.results import iso_time

logger = logging.getLogger(__name__)

HANGS_SECS = 5.0
GRACE_SECS = 10.0
"""How long an interrupted engine has to come back before the process is ended."""
_LOOK_SECS = 0.25


class EngineHung(Exception):
    """Raised inside whatever keeps the engine from its next cycle."""


def interrupt(thread_id: int) -> None:
    """Raise EngineHung in a thread as soon as it runs Python again."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), ctypes.py_object(EngineHung)
    )


def end_process() -> None:
    """End this process at once: its engine cannot be brought back."""
    os._exit(1)


class Watchdog:
    """Watches a heartbeat.

    Parameters
    ----------
    beat : callable() -> float
        Monotonic time of the engine's last cycle.
    act : callable() -> list of str
        Cancels and flattens through the port; returns what it asked for, in words.
    note : Path
        Where it writes down that it acted.
    alert : callable(kind, text)
    hangs_secs : float
        How long without a cycle is too long.
    wake : interrupts the engine once it was rescued. give_up : called where that did not help.
    steady : the clock of `beat`: seconds that never run backwards; None: this process' own.
    """

    def __init__(
        self,
        beat: Callable[[], float],
        act: Callable[[], list[str]],
        note: Path,
        alert: Callable[[str, str], None],
        hangs_secs: float = HANGS_SECS,
        *,
        wake: Callable[[], None] = lambda: None,
        give_up: Callable[[], None] = lambda: None,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._wake = wake
        self._give_up = give_up
        self._beat = beat
        self._act = act
        self._note = note
        self._alert = alert
        self._hangs_secs = hangs_secs
        self._steady = steady or time.monotonic
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self.has_acted = False

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End watching; safe to call again."""
        self._over.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _watch(self) -> None:
        looked = runs_since = self._steady()
        while not self._over.wait(_LOOK_SECS):
            now = self._steady()
            if now - looked > _LOOK_SECS + self._hangs_secs / 2:
                runs_since = now
            looked = now
            silent = now - max(self._beat(), runs_since)
            if silent > self._hangs_secs and not self.has_acted:
                self.has_acted = True
                self._bite(silent)
                self._wake()
                looked = self._steady()
            elif silent > self._hangs_secs + GRACE_SECS:
                logger.error("watchdog ends the process after_secs=%.1f", silent)
                self._give_up()
                return

    def _bite(self, silent: float) -> None:
        """Cancel and flatten; whatever fails is written down too."""
        try:
            done = self._act()
        except Exception as failure:  # the last line of defence reports what it could not do
            done = [f"failed: {type(failure).__name__}: {failure}"]
        text = f"the engine made no cycle for {silent:.0f} s: {', '.join(done) or 'nothing open'}"
        logger.error("watchdog acted after_secs=%.1f did=%s", silent, done)
        record = {"time": iso_time(time.time_ns()), "silent_secs": silent, "did": done}
        try:
            with self._note.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")
        except OSError as fault:
            logger.error("watchdog note not written error=%s", fault)
        self._alert("error", text)


def rescue(port: Any, plans: Any, orders: Any) -> list[str]:
    """Cancel the working orders and close the positions the engine last knew of.

    Parameters
    ----------
    port : VenuePort
    plans : (symbol, plan_id, is_open) of each plan. orders : (order_id, venue_order_id) working.
    """
    done = []
    for order_id, venue_order_id in orders:
        port.cancel(-1, order_id, venue_order_id)
        done.append(f"cancelled {order_id}")
    for symbol, plan_id, is_open in plans:
        if is_open:
            port.close_position(-1, symbol, plan_id)
            done.append(f"closed {symbol} of {plan_id}")
    return done
