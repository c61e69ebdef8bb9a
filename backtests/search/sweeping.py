"""A sweep from request to run folder: reads what is asked, searches, writes results."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtests.interrupts import held, interruptible
from backtests.request import BacktestRequest
from backtests.search import folder as folders
from backtests.search.drivers import Driver, make_driver
from backtests.search.here import Here, Warmed, Workers, check_workers
from backtests.search.identity import identity_of
from backtests.search.luck import judge
from backtests.search.objective import Goal, read_constraints, read_objectives
from backtests.search.parcel import pack
from backtests.search.pool import Pool
from backtests.search.runners import (
    BACKTRADER,
    Runner,
    check_engine,
    make_runner,
    strategy_file,
)
from backtests.search.search import Tally, search
from backtests.search.size import check_size
from backtests.search.space import Space, make_space
from backtests.search.study import FILE, Study
from backtests.search.summary import Made, brief, check_any, summarize
from backtests.search.table import Table
from core.compile import compile_clock
from core.results import write_json

if TYPE_CHECKING:
    from backtests.search.cluster import Cluster

SEED = 1
OBJECTIVE = "sharpe"
STOPPING = "stopping; what is done is kept (Ctrl-C again: without waiting for what is at work)"


@dataclass(frozen=True)
class Asked:
    """What a sweep is told; None where the default holds.

    Attributes
    ----------
    grid : axes (`space.make_space`). trials, search, seed : `drivers.make_driver`.
    objectives, constraints : `objective.read_objectives`, `read_constraints`.
    workers : processes; by default one, and for runs in Backtrader one a core.
    cluster : a scheduler's address, or "local". engine : compiled or backtrader.
    resume : go on with the study in `out`, else with the newest that fits.
    """

    grid: Sequence[str]
    trials: int | None = None
    search: str | None = None
    objectives: Sequence[str] = ()
    constraints: Sequence[str] = ()
    workers: int | None = None
    cluster: str | None = None
    seed: int | None = None
    engine: str | None = None
    resume: bool = False


class Watcher:
    """Is told how a sweep goes on; this one tells nobody."""

    def begin(self, space: Space, goal: Goal, total: int, currency: str) -> None:
        """A sweep of `total` sets begins."""

    def note(self, line: str) -> None:
        """What is under way."""

    def watch(self, table: Table, run: int) -> None:
        """Results have come; `run` of them were run now."""


@dataclass(frozen=True)
class Swept:
    """A finished sweep: its folder, its summary, and all it found."""

    path: Path
    summary: dict[str, Any]
    table: Table
    goal: Goal

    def results(self) -> list[dict[str, Any]]:
        """Return every combination that was run, as `--json` tells it."""
        return [brief(self.table, int(row), self.goal) for row in self.table.rows()]


@dataclass
class Sweep:
    """One sweep of one plan.

    Raises
    ------
    ConfigError : what is asked cannot be (at creation, before any price is read).
    """

    request: BacktestRequest
    asked: Asked
    space: Space = field(init=False)
    goal: Goal = field(init=False)
    driver: Driver = field(init=False)
    seed: int = field(init=False)
    search: str = field(init=False)
    remarks: list[str] = field(init=False)
    _stopped: bool = False

    def __post_init__(self) -> None:
        asked = self.asked
        check_engine(self.request, asked.engine)
        if asked.workers is not None:
            check_workers(asked.workers)
        self.space = make_space(asked.grid, self.request.plans[0].strategy)
        self.goal = Goal(
            read_objectives(asked.objectives or (OBJECTIVE,)), read_constraints(asked.constraints)
        )
        self.seed = SEED if asked.seed is None else asked.seed
        self.driver, self.search, remark = make_driver(
            self.space, self.goal, asked.search, asked.trials, self.seed
        )
        self.remarks = [remark] if remark else []

    def run(self, runs: Path, watcher: Watcher, again: Sequence[str]) -> Swept:
        """Search and write the run folder.

        Parameters
        ----------
        runs : the folder of runs.
        again : the words of the command, for run.json.

        Raises
        ------
        TolaError : data, study or cluster are at fault, or every set failed.
        KeyboardInterrupt : Ctrl-C before the first result.
        """
        out = None if self.request.settings.out is None else Path(self.request.settings.out)
        currency = self.request.accounts[0].currency
        watcher.begin(self.space, self.goal, self.driver.total, currency)
        engine = check_engine(self.request, self.asked.engine)
        with self._cluster(engine) as cluster:
            return self._run(engine, cluster, out, runs, watcher, again)

    def _run(
        self,
        engine: str,
        cluster: Cluster | None,
        out: Path | None,
        runs: Path,
        watcher: Watcher,
        again: Sequence[str],
    ) -> Swept:
        began = time.perf_counter()
        watcher.note("loading prices; compiling takes up to a minute the first time")
        runner = make_runner(self.request, engine)
        check_size(runner, self.space, self.search, self.driver.total)
        identity = identity_of(self.request, runner, engine)
        goes_on = self.asked.resume
        path = folders.find_study(runs, out, identity) if goes_on else folders.claim(runs, out)
        table, tally = Table(), Tally()
        watcher.note("")
        loaded = time.perf_counter()
        try:
            with (
                compile_clock() as compiled,
                Study(path / FILE, identity) as study,
                self._workers(runner, engine, cluster) as workers,
            ):
                self._search(workers, study, table, tally, watcher)
                took = time.perf_counter() - loaded
                compile_secs = min(compiled(), took)
            check_any(table)
        except BaseException:
            if not goes_on and len(table.faults) == int(table.done.sum()):
                folders.drop(path)
            raise
        with held():
            made = Made(
                engine, self.search, self.seed, self._count(engine), self.asked.cluster,
                self.driver.total, self._stopped, took - compile_secs, compile_secs,
                loaded - began, self.remarks,
            )  # fmt: skip
            summary = summarize(self.request, runner, self.space, self.goal, table, tally, made)
            summary["luck"] = self._judge(runner, table)
            folders.write_results(path, self.space, table)
            document = folders.run_document("sweep", self.request, identity, self.seed, again)
            write_json(path / folders.RUN, document)
            summary["run"] = path.as_posix()
            summary["files"] = folders.files_of(path)
            write_json(path / folders.SUMMARY, summary)
        return Swept(path, summary, table, self.goal)

    def _judge(self, runner: Runner, table: Table) -> dict[str, Any] | None:
        """Return how much of the best result is luck, where a whole search can be judged."""
        ranking = self.goal.ranking(table.figures)
        ranking = ranking[table.done[ranking]]
        if self._stopped or not len(ranking):
            return None
        return judge(runner, table, self.goal, int(ranking[0]), self.seed)

    def _search(
        self, workers: Workers, study: Study, table: Table, tally: Tally, watcher: Watcher
    ) -> None:
        def stop() -> None:
            self._stopped = True

        try:
            with interruptible(stop, lambda: watcher.note(STOPPING)):
                search(self.driver, workers, study, table, tally, self._is_stopped, watcher.watch)
        except KeyboardInterrupt:
            self._stopped = True
        if not table.done.any():
            raise KeyboardInterrupt

    def _is_stopped(self) -> bool:
        return self._stopped

    def _count(self, engine: str) -> int:
        """Return how many processes are wanted."""
        if self.asked.workers is not None:
            return self.asked.workers
        return (os.cpu_count() or 1) if engine == BACKTRADER or self.asked.cluster else 1

    @contextmanager
    def _cluster(self, engine: str) -> Iterator[Cluster | None]:
        """Yield the cluster that was asked for: if it is not there, nothing need be loaded."""
        if self.asked.cluster is None:
            yield None
            return
        from backtests.search.cluster import Cluster

        cluster = Cluster(self.asked.cluster, self._count(engine))
        try:
            yield cluster
        finally:
            cluster.close()

    @contextmanager
    def _workers(self, runner: Runner, engine: str, cluster: Cluster | None) -> Iterator[Workers]:
        count = self._count(engine)
        if count == 1 and cluster is None:
            yield Here(runner)
            return

        def start() -> Workers:
            parcel = pack(runner, strategy_file(self.request))
            return Pool(parcel, count) if cluster is None else cluster.take(parcel)

        workers = Warmed(runner, start)
        try:
            yield workers
        finally:
            workers.close()
