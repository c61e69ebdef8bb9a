"""Runs sets in this very process: all of them, or the first before workers are started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from backtests.search.portions import Portions
from backtests.search.runners import Given, Record, Runner
from core.errors import ConfigError

Stopped = Callable[[], bool]


MOST_A_CORE = 8
"""More worker processes than this a core only take memory, some 200 MB each."""


def check_workers(count: int) -> int:
    """Return a number of worker processes that this machine can be asked for.

    Raises
    ------
    ConfigError : none, or far more than it has cores.
    """
    cores = os.cpu_count() or 1
    if not 1 <= count <= MOST_A_CORE * cores:
        raise ConfigError(
            f"--workers {count}: expected 1 to {MOST_A_CORE * cores} (this machine has {cores} "
            f"core{'s' * (cores != 1)})"
        )
    return count


class Workers(Protocol):
    """Whatever runs a table of sets."""

    def run(
        self, table: Sequence[Given], stopped: Stopped
    ) -> Iterator[tuple[int, Sequence[Record]]]:
        """Yield (place of the first set, records of it and the next ones) as they are done.

        stopped : once it says so nothing more is begun, and what is not done stays out.
        """

    def close(self) -> None:
        """End what was started."""


class Here:
    """One process: this one."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def run(
        self, table: Sequence[Given], stopped: Stopped
    ) -> Iterator[tuple[int, Sequence[Record]]]:
        """Run the sets in their order."""
        portions = Portions(len(table), 1)
        while not stopped() and (portion := portions.take(0)) is not None:
            began = time.perf_counter()
            records = self._runner.run(table[portion.first : portion.last])
            portions.took(0, portion, time.perf_counter() - began)
            yield portion.first, records

    def close(self) -> None:
        """Nothing was started."""


class Warmed:
    """Runs the first set here, before workers are started: what is compiled then they only read."""

    def __init__(self, runner: Runner, start: Callable[[], Workers]) -> None:
        self._runner, self._start = runner, start
        self._workers: Workers | None = None

    def run(
        self, table: Sequence[Given], stopped: Stopped
    ) -> Iterator[tuple[int, Sequence[Record]]]:
        """Run the sets."""
        done = 0
        if self._workers is None and len(table):
            yield 0, self._runner.run(table[:1])
            done = 1
            if len(table) > 1 and not stopped():
                self._workers = self._start()
        if self._workers is not None and len(table) > done:
            for first, records in self._workers.run(_Rest(table, done), stopped):
                yield first + done, records

    def close(self) -> None:
        """End the workers, if there are any."""
        if self._workers is not None:
            self._workers.close()


class _Rest(Sequence[Given]):
    """A table without its first sets."""

    def __init__(self, table: Sequence[Given], done: int) -> None:
        self._table, self._done = table, done

    def __len__(self) -> int:
        return len(self._table) - self._done

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            first, last, step = place.indices(len(self))
            return self._table[first + self._done : last + self._done : step]
        return self._table[place + self._done]
