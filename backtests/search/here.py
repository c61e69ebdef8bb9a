"""Runs sets in this very process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from backtests.search.portions import Portions
from backtests.search.runners import Given, Record, Runner

Stopped = Callable[[], bool]


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
