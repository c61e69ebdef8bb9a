"""The walk itself: a search in each window, and its choice on the days after."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backtests.request import BacktestRequest
from backtests.results import metrics
from backtests.search.drivers import GRID, MOST_SEED, Driver, make_driver
from backtests.search.here import Here, Stopped, Warmed, Workers, check_workers
from backtests.search.identity import identity_of
from backtests.search.objective import METRICS, Goal
from backtests.search.parcel import pack
from backtests.search.pool import Pool
from backtests.search.runners import COMPILED, CompiledRunner, check_engine, strategy_file
from backtests.search.size import check_size
from backtests.search.space import Axis, Space, text_of
from backtests.sweep import Prepared, prepare
from backtests.walkforward.choosing import WIDTH, Choice, Chooser
from backtests.walkforward.runner import WindowRunner
from backtests.walkforward.study import FORMAT, Done, Forgetful, Memory
from backtests.walkforward.windows import Cut, Window, lengths, make_windows

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Step(Done):
    """A finished window, and which it is."""

    window: Window


@dataclass(frozen=True)
class Walk:
    """A finished walk-forward.

    days : trading days out of sample, shape (d,). equity : at each one's last close, windows one
    after the other. cash : before the first. combinations : sets, each counted for every window it
    is searched in; known : those of them that were not run now.
    """

    steps: Sequence[Step]
    days: Array
    equity: Array
    cash: float
    search: str
    combinations: int
    known: int
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
    ConfigError : the plan is not compiled, more workers than the machine bears, or a search that
        cannot be; at its first use: the prices are too short for the windows.
    """

    request: BacktestRequest
    space: Space
    goal: Goal
    cut: Cut
    search: str | None = None
    trials: int | None = None
    seed: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        check_engine(self.request, COMPILED)
        check_workers(self.workers)
        self._driver(0)

    @cached_property
    def prepared(self) -> Prepared:
        """The plan, its prices loaded when they are first asked for."""
        return prepare(self.request)

    @cached_property
    def runner(self) -> WindowRunner:
        """What runs sets over the windows."""
        windows = make_windows(self.cut, len(self.prepared.market.days), self._exits)
        return WindowRunner(self.prepared, windows)

    @cached_property
    def _exits(self) -> list[int]:
        return WindowRunner(self.prepared, []).exits() if self.cut.by_trades else []

    def identity(self) -> dict[str, Any]:
        """Return what the results hang on, by the names of `study.NAMES`."""
        train, test, count = lengths(self.cut, len(self.prepared.market.days), self._exits)
        driver, name, _ = self._driver(0)
        return {
            **identity_of(self.request, CompiledRunner(self.prepared), COMPILED),
            "format": f"walk-forward {FORMAT}",
            "windows": {
                "windows": count, "train": train, "test": test,
                "anchored": self.cut.anchored, "by_trades": self.cut.by_trades,
            },
            "grid": [_exactly(axis) for axis in self.space.axes],
            "objective": f"{self.goal.first.name}:{self.goal.first.direction}",
            "constraints": [item.told() for item in self.goal.constraints],
            "search": {
                "search": name, "trials": driver.total,
                "seed": None if name == GRID else self.seed,
            },
        }  # fmt: skip

    def check_size(self) -> None:
        """Refuse more sets and windows than can be kept (`search.size.check_size`)."""
        driver, name, _ = self._driver(0)
        check_size(self.runner, self.space, name, driver.total, len(self.runner.windows))

    def walk(
        self,
        progress: Progress,
        memory: Memory | None = None,
        stopped: Stopped = lambda: False,
    ) -> Walk:
        """Load, search each window and trade its choice.

        Parameters
        ----------
        progress : callable(sets done, sets in all)
        memory : keeps what is done, and knows what was; None: nothing.
        stopped : once it says so nothing more is begun.

        Raises
        ------
        TolaError : every set failed. KeyboardInterrupt : it was stopped.
        """
        windows, market = self.runner.windows, self.prepared.market
        memory = Forgetful() if memory is None else memory
        driver, name, _ = self._driver(0)
        total = driver.total * len(windows)
        began = time.perf_counter()
        with closing(self._workers()) as workers:
            chooser = Chooser(
                lambda place: self._driver(place)[0], driver.learns, len(windows), self.goal,
                workers, memory, stopped, lambda done: progress(done, total),
            )  # fmt: skip
            finished = memory.windows()
            steps = self._steps(chooser, finished, memory)
        return Walk(
            steps, market.days[windows[0].middle : windows[-1].last],
            np.array([mark for step in steps for mark in step.equity]), market.cash, name,
            total, min(total, sum(done.tried for done in finished) + chooser.known),
            time.perf_counter() - began,
        )  # fmt: skip

    def _steps(self, chooser: Chooser, finished: Sequence[Done], memory: Memory) -> list[Step]:
        """Return the windows, finished before or now; each begins with what is left by then."""
        cash, steps = self.prepared.market.cash, []
        for place, window in enumerate(self.runner.windows):
            if place < len(finished):
                done = finished[place]
            else:
                done = self._trade(chooser.choose(place), window, cash)
                memory.keep_window(place, done)
            cash = float(done.equity[-1])
            steps.append(Step(**vars(done), window=window))
        return steps

    def _trade(self, choice: Choice, window: Window, cash: float) -> Done:
        """Run what was chosen on the days of its window."""
        if choice.params is None:
            marks = [cash] * (window.last - window.middle)
            return Done(**vars(choice), outside=[None] * WIDTH, equity=marks)
        spell = self.runner.trade(choice.params, window, cash)
        outside = [
            None if value is None or value != value else float(value) for value in spell.figures
        ]
        return Done(**vars(choice), outside=outside, equity=spell.equity.tolist())

    def _driver(self, place: int) -> tuple[Driver, str, str]:
        """Return a new driver for a window; what it draws by chance is the window's own."""
        seed = (self.seed + place) % (MOST_SEED + 1) if place else self.seed
        return make_driver(self.space, self.goal, self.search, self.trials, seed)

    def _workers(self) -> Workers:
        here = Here(self.runner)
        return Warmed(self.runner, self._start) if self.workers > 1 else here

    def _start(self) -> Workers:
        return Pool(pack(self.runner, strategy_file(self.request)), self.workers)


def _exactly(axis: Axis) -> str:
    if axis.values:
        return f"{axis.name}={','.join(map(text_of, axis.values))}"
    return f"{axis.name}={axis.low!r}:{axis.high!r}"
