"""The walk itself: a search in each window, and its choice on the days after."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from backtests.request import BacktestRequest
from backtests.results import metrics
from backtests.search.drivers import Driver, make_driver
from backtests.search.here import Here, Warmed, Workers
from backtests.search.objective import METRICS, Goal
from backtests.search.parcel import pack
from backtests.search.pool import Pool
from backtests.search.runners import COMPILED, Given, Record, check_engine, strategy_file
from backtests.search.space import Space
from backtests.sweep import prepare
from backtests.walkforward.runner import WINDOW, WindowRunner
from backtests.walkforward.windows import Cut, Window, make_windows

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]

_WIDTH = len(METRICS)


@dataclass(frozen=True)
class Step:
    """One window: what was chosen, its figures where it was chosen and where it traded.

    params : None where no set counted: nothing was traded. sets : how many were tried; failed : of
    them. Figures are in the order of METRICS.
    """

    window: Window
    params: Given | None
    sets: int
    failed: int
    inside: Sequence[float | None]
    outside: Sequence[float | None]


@dataclass(frozen=True)
class Walk:
    """A finished walk-forward.

    days : trading days out of sample, shape (d,). equity : at each one's last close, windows one
    after the other. cash : before the first.
    """

    steps: Sequence[Step]
    days: Array
    equity: Array
    cash: float
    search: str
    combinations: int
    seconds: float

    def figures(self) -> dict[str, Any]:
        """Return the figures of all days out of sample together; drawdown is of daily marks."""
        found = metrics.curve_figures(metrics.Curve(self.cash, self.days, self.equity, self.days))
        place = list(METRICS).index("trades")
        return {**found, "trades": int(sum(step.outside[place] or 0 for step in self.steps))}


@dataclass
class Walker:
    """Walks one plan forward.

    Parameters
    ----------
    space, goal : what is searched in each window. search, trials, seed : `drivers.make_driver`.
    workers : processes that run the sets.

    Raises
    ------
    ConfigError : the plan is not compiled, or the prices are too short for the windows.
    """

    request: BacktestRequest
    space: Space
    goal: Goal
    cut: Cut
    search: str | None = None
    trials: int | None = None
    seed: int = 1
    workers: int = 1
    runner: WindowRunner = field(init=False)

    def __post_init__(self) -> None:
        check_engine(self.request, COMPILED)
        make_driver(self.space, self.goal, self.search, self.trials, self.seed)

    def walk(self, progress: Progress) -> Walk:
        """Load, search each window and trade its choice.

        Parameters
        ----------
        progress : callable(sets done, sets in all)
        """
        prepared = prepare(self.request)
        market = prepared.market
        whole = WindowRunner(prepared, [])
        exits = whole.exits() if self.cut.by_trades else []
        windows = make_windows(self.cut, len(market.days), exits)
        self.runner = WindowRunner(prepared, windows)
        workers: Workers = Here(self.runner)
        if self.workers > 1:
            workers = Warmed(self.runner, self._start)
        began = time.perf_counter()
        try:
            chosen, name, count = self._choose(windows, workers, progress)
        finally:
            workers.close()
        cash, steps, parts = market.cash, [], []
        for window, (params, tried, failed, inside) in zip(windows, chosen, strict=True):
            equity: Array = np.full(window.last - window.middle, cash)
            outside: Sequence[float | None] = _nothing()
            if params is not None:
                spell = self.runner.trade(params, window, cash)
                equity, outside = spell.equity, spell.figures
            cash = float(equity[-1])
            parts.append(equity)
            steps.append(Step(window, params, tried, failed, inside, outside))
        days = market.days[windows[0].middle : windows[-1].last]
        took = time.perf_counter() - began
        return Walk(steps, days, np.concatenate(parts), market.cash, name, count, took)

    def _start(self) -> Workers:
        return Pool(pack(self.runner, strategy_file(self.request)), self.workers)

    def _choose(
        self, windows: Sequence[Window], workers: Workers, progress: Progress
    ) -> tuple[list[Any], str, int]:
        """Return each window's choice, what the search is called, and how many sets were run."""
        driver, name, _ = make_driver(self.space, self.goal, self.search, self.trials, self.seed)
        if not driver.learns:
            sets = driver.ask()
            records = _records(workers, sets, lambda done: progress(done, len(sets)))
            return (
                [self._best(sets, _part(records, place)) for place in range(len(windows))],
                name,
                len(sets) * len(windows),
            )
        found, total = [], driver.total * len(windows)
        for place in range(len(windows)):
            tell = partial(_further, progress, place * driver.total, total)
            found.append(self._learn(place, workers, tell))
        return found, name, total

    def _learn(self, place: int, workers: Workers, tell: Callable[[int], None]) -> Any:
        """Let a driver of its own search one window."""
        driver: Driver
        driver, _, _ = make_driver(
            self.space, self.goal, self.search, self.trials, self.seed + place
        )
        asked: list[Given] = []
        records: list[Record] = []
        while sets := driver.ask():
            found = _records(workers, [{**given, WINDOW: place} for given in sets], lambda _: None)
            driver.tell(found)
            asked += sets
            records += found
            tell(len(asked))
        return self._best(asked, records)

    def _best(self, sets: Sequence[Given], records: Sequence[Record]) -> Any:
        figures = np.full((len(sets), _WIDTH), np.nan)
        for row, record in enumerate(records):
            if record.figures is not None:
                figures[row] = [np.nan if value is None else value for value in record.figures]
        failed = sum(record.figures is None for record in records)
        ranking = self.goal.ranking(figures)
        if not len(ranking):
            return None, len(sets), failed, _nothing()
        best = int(ranking[0])
        return sets[best], len(sets), failed, records[best].figures


def _further(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _nothing() -> list[float | None]:
    return [None] * _WIDTH


def _records(workers: Workers, sets: Sequence[Given], tell: Callable[[int], None]) -> list[Record]:
    records: list[Record | None] = [None] * len(sets)
    done = 0
    for first, found in workers.run(sets, lambda: False):
        records[first : first + len(found)] = found
        done += len(found)
        tell(done)
    return records  # type: ignore[return-value]


def _part(records: Sequence[Record], place: int) -> list[Record]:
    """Return the records of one window, of records that hold all windows' figures."""
    span = slice(place * _WIDTH, (place + 1) * _WIDTH)
    return [
        record if record.figures is None else Record(record.figures[span]) for record in records
    ]
