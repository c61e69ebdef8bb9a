"""How each window's set is found: by one search for all windows, or by one of its own.

Sets known beforehand (a grid, sets drawn by chance) are run once for all windows. A search that
learns from results looks at each window anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backtests.search.drivers import Driver
from backtests.search.here import Stopped, Workers
from backtests.search.objective import METRICS, Goal
from backtests.search.runners import Given, Record
from backtests.search.search import Tally, search
from backtests.search.summary import check_any
from backtests.search.table import Table
from backtests.walkforward.runner import WINDOW
from backtests.walkforward.study import ALL, Figures, Memory

WIDTH = len(METRICS)


@dataclass(frozen=True)
class Choice:
    """What was chosen for a window: the fields of `study.Done` that are known before it trades."""

    params: Given | None
    tried: int
    failed: int
    inside: Figures


@dataclass
class Chooser:
    """Finds the windows' sets; what it asks, study or workers answer.

    Parameters
    ----------
    make : callable(window) -> Driver
        A new driver for a window.
    learns : each window has a search of its own; else that of the first is for all.
    count : windows. told : callable(sets done), for all windows together.

    Attributes
    ----------
    known : sets that stood in the study, each counted for all its windows.
    """

    make: Callable[[int], Driver]
    learns: bool
    count: int
    goal: Goal
    workers: Workers
    memory: Memory
    stopped: Stopped
    told: Callable[[int], None]
    known: int = 0
    _table: Table | None = None

    def choose(self, place: int) -> Choice:
        """Return what a window is traded with.

        Raises
        ------
        TolaError : every set failed. KeyboardInterrupt : it was stopped; what was run is kept.
        """
        if self.learns:
            own = _OfWindow(self.workers, place)
            table = self._search(self.make(place), own, place, Table())
            return self._best(table, table.figures)
        if self._table is None:
            table = Table(self.count * WIDTH)
            self._table = self._search(self.make(0), self.workers, ALL, table)
        span = slice(place * WIDTH, (place + 1) * WIDTH)
        return self._best(self._table, self._table.figures[:, span])

    def _search(self, driver: Driver, workers: Workers, place: int, table: Table) -> Table:
        tally = Tally()
        shared, before = (self.count, 0) if place == ALL else (1, place * driver.total)

        def watch(table: Table, run: int) -> None:
            self.told(before + shared * int(table.done.sum()))

        search(driver, workers, self.memory.part(place), table, tally, self.stopped, watch)
        self.known += shared * (int(table.done.sum()) - tally.run)
        if self.stopped():
            raise KeyboardInterrupt
        if place in (ALL, 0):  # no later window can bear what fails from the first one on
            check_any(table)
        return table

    def _best(self, table: Table, figures: Any) -> Choice:
        tried, failed = len(table.sets) + table.repeated, len(table.faults)
        ranking = self.goal.ranking(figures)
        if not len(ranking):
            return Choice(None, tried, failed, [None] * WIDTH)
        best = int(ranking[0])
        inside = [None if value != value else value for value in figures[best].tolist()]
        return Choice(table.sets[best], tried, failed, inside)


class _OfWindow:
    """Workers that run sets for one window."""

    def __init__(self, workers: Workers, place: int) -> None:
        self._workers, self._place = workers, place

    def run(
        self, table: Sequence[Given], stopped: Stopped
    ) -> Iterator[tuple[int, Sequence[Record]]]:
        """Run the sets."""
        return self._workers.run([{**given, WINDOW: self._place} for given in table], stopped)

    def close(self) -> None:
        """They are another's to end."""
