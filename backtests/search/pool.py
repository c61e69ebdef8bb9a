"""Runs sets in worker processes of this machine; a lost one is replaced and its sets redone.

The standard library's pool is broken as a whole by one lost process; this one is not.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from backtests.search.here import Stopped
from backtests.search.parcel import Parcel
from backtests.search.portions import Portion, Portions
from backtests.search.runners import Given, Record
from core.errors import ConfigError, TolaError

_LISTEN_SECS = 0.2
_MOST_FALSE_STARTS = 3
_FAREWELL_SECS = 2.0


@dataclass
class _Worker:
    process: Any
    line: Connection
    portion: Portion | None = None
    ready: bool = False


class Pool:
    """Worker processes, spawned; names and parameters travel to them, and once the plan's parcel.

    Parameters
    ----------
    parcel : the packed runner. count : how many processes, at least 1.
    """

    def __init__(self, parcel: Parcel, count: int) -> None:
        self._parcel = parcel
        self._context = multiprocessing.get_context("spawn")
        self._false_starts = 0
        self._workers: list[_Worker] = []
        with without_interrupts():
            for _ in range(count):
                self._workers.append(self._start())

    @property
    def pids(self) -> list[int]:
        """The workers' process numbers."""
        return [worker.process.pid for worker in self._workers]

    def run(
        self, table: Sequence[Given], stopped: Stopped
    ) -> Iterator[tuple[int, Sequence[Record]]]:
        """Run the sets as workers become free.

        Raises
        ------
        ConfigError : a worker cannot read the strategy's file.
        TolaError : workers end before they begin.
        """
        portions = Portions(len(table), len(self._workers))
        for place in range(len(self._workers)):
            self._deal(place, portions, table, stopped)
        while any(worker.portion is not None for worker in self._workers):
            lines = {worker.line: place for place, worker in enumerate(self._workers)}
            for line in wait(list(lines), _LISTEN_SECS):
                place = lines[line]  # type: ignore[index]
                yield from self._hear(place, portions)
                if self._workers[place].portion is None:
                    self._deal(place, portions, table, stopped)

    def close(self) -> None:
        """End the workers, gently first."""
        for worker in self._workers:
            worker.line.close()
        for worker in self._workers:
            worker.process.join(_FAREWELL_SECS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._parcel), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _deal(
        self, place: int, portions: Portions, table: Sequence[Given], stopped: Stopped
    ) -> None:
        portion = None if stopped() else portions.take(place)
        worker = self._workers[place]
        worker.portion = portion
        if portion is not None:
            try:
                worker.line.send((portion, table[portion.first : portion.last]))
            except OSError:  # it is gone; its line says so, too
                return

    def _hear(self, place: int, portions: Portions) -> Iterator[tuple[int, Sequence[Record]]]:
        worker = self._workers[place]
        try:
            told = worker.line.recv()
        except (EOFError, OSError):
            yield from self._replace(place, portions)
            return
        if isinstance(told, ConfigError):
            raise told
        if told is None:
            worker.ready = True
            return
        portion, records, seconds = told
        worker.portion = None
        portions.took(place, portion, seconds)
        yield portion.first, records

    def _replace(self, place: int, portions: Portions) -> Iterator[tuple[int, Sequence[Record]]]:
        """Start another worker for one that is gone; its sets go back to the heap."""
        gone = self._workers[place]
        gone.process.join(_FAREWELL_SECS)
        code = gone.process.exitcode
        if not gone.ready:
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise TolaError(f"worker processes end before they begin (exit code {code})")
        fatal = None
        if gone.portion is not None:
            fatal = portions.lost(gone.portion, blamed=gone.ready)
        gone.line.close()
        with without_interrupts():
            self._workers[place] = self._start()
        if fatal is not None:
            yield fatal.first, [Record(None, f"it ends its worker process (exit code {code})")]


def serve(line: Connection, parcel: Parcel) -> None:
    """Run portions as they come, until the line is closed: a worker's whole life."""
    sys.stdout = sys.stderr  # a user's prints must not stand among results
    try:
        runner = parcel.open()
    except TolaError as fault:
        line.send(ConfigError(str(fault)))
        return
    with suppress(EOFError, OSError):  # whoever asked is gone
        line.send(None)
        while True:
            portion, table = line.recv()
            began = time.perf_counter()
            records = runner.run(table)
            line.send((portion, records, time.perf_counter() - began))


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start processes that never hear Ctrl-C: the terminal sends it to all of them.

    A process started while it is blocked keeps it so (where nothing can be blocked: while it is
    ignored); what ends them is their line. Here it is heard as ever, if need be afterwards.
    """
    if hasattr(signal, "pthread_sigmask"):
        # Python's own helper of all spawned processes would lift the block when it is started.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return
    try:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
