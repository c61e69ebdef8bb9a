"""The runs an audit compares: whole, bar by bar, on a file cut short, a bar late, begun later."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import extract_tb
from typing import Any

import backtrader as bt
import numpy as np

from backtests.audit.watching import GrowingData, Observed, WatchedGuard, Watcher
from backtests.engine import AccountRun, Parts, run_account
from backtests.loading import LoadedPlan
from backtests.request import AccountRequest
from backtests.verbs.progress import Progress
from core.bars import Series
from core.config import Settings
from core.errors import StrategyError

Wrap = Callable[[type[Any]], type[Any]]


@dataclass(frozen=True)
class Failure:
    """A strategy raised. where : (file, line) of its own code; text : the error's name and text."""

    bar: int
    where: tuple[str, int] | None
    text: str
    error: StrategyError


@dataclass(frozen=True)
class Watched:
    """A run with what was observed. run : None where the strategy raised (`failure`)."""

    observed: Observed
    run: AccountRun | None
    failure: Failure | None = None

    @property
    def trades(self) -> list[dict[str, Any]]:
        """Closed trades as rows of trades.csv."""
        return [] if self.run is None else [item.row() for item in self.run.broker.ledger.trades]


class Staged(Progress):
    """A run's progress with the name of the stage before its own title."""

    def __init__(self, shown: Progress) -> None:
        self._inner = shown
        self.active = shown.active
        self.stage = ""

    def begin(self, title: str, total: int) -> None:
        """Start a stage of so many bars."""
        self._inner.begin(f"{title}: {self.stage}", total)

    def update(self, done: int) -> None:
        """Show that so many are finished."""
        self._inner.update(done)

    def note(self, line: str) -> None:
        """Show a passing remark."""
        self._inner.note(line)

    def tell(self, line: str) -> None:
        """Print a line that stays."""
        self._inner.tell(line)

    def end(self) -> None:
        """Wipe the line."""
        self._inner.end()


class Runs:
    """Makes runs of one plan alone on its account, watched.

    period : bars Backtrader itself waits before it calls `next`, once a whole run was made.
    """

    def __init__(
        self, account: AccountRequest, loaded: LoadedPlan, settings: Settings, progress: Progress
    ) -> None:
        self.account = account
        self.loaded = loaded
        self.settings = settings
        self.progress = Staged(progress)
        self.files = source_files(loaded.request.strategy)
        self.period = 0

    @property
    def bars(self) -> np.ndarray[Any, Any]:
        """The bars of the whole run."""
        return self.loaded.series.bars

    def whole(self, stage: str = "whole file", wrap: Wrap | None = None) -> Watched:
        """Run as a backtest does, every bar played; learn the strategy's period from it."""
        done = self._run(stage, self.loaded, wrap)
        if done.run is not None:
            self.period = own_period(done)
        return done

    def bar_by_bar(self) -> Watched:
        """Run with the bars delivered one by one: at each the strategy has that prefix alone."""
        return self._run("every prefix", self.loaded, None, streamed=True)

    def cut(self, last: int, stage: str = "cut file", wrap: Wrap | None = None) -> Watched:
        """Run on the file that ends with bar `last`, or where Backtrader has bars enough to run."""
        stop = max(last + 1, min(self.period, len(self.bars)))
        return self._run(stage, part_of(self.loaded, 0, stop), wrap)

    def begun_at(self, first: int) -> Watched:
        """Run on the file that begins with bar `first`."""
        return self._run("later start", part_of(self.loaded, first, len(self.bars)), None)

    def _run(
        self, stage: str, loaded: LoadedPlan, wrap: Wrap | None, *, streamed: bool = False
    ) -> Watched:
        observed = Observed(self.files)
        request = loaded.request
        if wrap is not None:
            loaded = replace(loaded, request=replace(request, strategy=wrap(request.strategy)))

        def prepare(cerebro: Any, guard: Any) -> None:
            guard.__dict__["observed"] = observed
            cerebro.use_masks = False
            if streamed:
                cerebro.p.preload = cerebro.p.runonce = False
            cerebro.addanalyzer(Watcher, observed=observed)

        parts = Parts(GrowingData, WatchedGuard) if streamed else Parts(guard=WatchedGuard)
        # Numbers of orders go on from run to run: what keeps one must meet the same again.
        bt.order.OrderBase.refbasis = itertools.count(1)
        bt.trade.Trade.refbasis = itertools.count(1)
        self.progress.stage = stage
        intrabar = self.settings.intrabar
        account = replace(self.account, plans=(loaded.request,))
        try:
            run = run_account(
                account, [loaded], self.settings, intrabar, self.progress, prepare, parts
            )
        except StrategyError as error:
            return Watched(observed, None, _failure(error, observed))
        if run.interrupted:
            raise KeyboardInterrupt
        return Watched(observed, run)


def part_of(loaded: LoadedPlan, first: int, stop: int) -> LoadedPlan:
    """Return a plan with its bars first .. stop - 1 and what had been known of its other series."""
    bars = loaded.series.bars[first:stop]
    end = int(bars["end"][-1])
    series = loaded.series.with_bars(bars)
    if series.lower is not None:
        series = replace(series, lower=_until(series.lower, end))
    further: Mapping[str, Series] = {
        name: _until(item, end) for name, item in loaded.further.items()
    }
    return replace(loaded, series=series, further=further)


def _until(series: Series, end: int) -> Series:
    known = int(np.searchsorted(series.bars["end"], end, side="right"))
    return series.with_bars(series.bars[:known])


def own_period(watched: Watched) -> int:
    """Return the bars Backtrader itself waits before it calls `next`."""
    if watched.run is None:
        return 0
    return int(max(watched.run.plans[0].strategy._minperiods, default=0))


def source_files(strategy: type[Any]) -> frozenset[str]:
    """Return the source files of a strategy's own classes, Backtrader's and the base left out."""
    found = set()
    for kind in strategy.__mro__:
        module = kind.__module__.split(".")[0]
        if module in ("backtrader", "builtins", "object") or kind.__module__ == "strategies.base":
            continue
        file = inspect.getsourcefile(kind)
        if file is not None:
            found.add(file)
    return frozenset(found)


def _failure(error: StrategyError, observed: Observed) -> Failure:
    cause = error.__cause__ or error
    where = next(
        (
            (frame.filename, frame.lineno or 0)
            for frame in reversed(extract_tb(cause.__traceback__))
            if frame.filename in observed.files
        ),
        None,
    )
    # The bar it raised at is the one after the last that was noted.
    return Failure(observed.bars, where, f"{type(cause).__name__}: {cause}", error)


def short_name(file: str) -> str:
    """Return a source file as a person names it: its path from here, if it lies here."""
    path = Path(file)
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.name
