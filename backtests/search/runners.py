"""What runs parameter sets of one plan in one process: compiled, or each in Backtrader."""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from backtests.loading import LoadedPlan, load_plan
from backtests.request import AccountRequest, BacktestRequest, PlanRequest
from backtests.resolve import own_limits
from backtests.runner import flats_of
from backtests.search.objective import figures_row
from backtests.sweep import Prepared, prepare
from backtests.sweep.prepared import run_values
from core.config_fields import is_file_name
from core.errors import ConfigError, TolaError
from core.schedule import FlatRule
from strategies.base import SetupStrategy

Given = Mapping[str, Any]
COMPILED, BACKTRADER = "compiled", "backtrader"
ENGINES = (COMPILED, BACKTRADER)
_TIDY_SECS = 2.0
"""Runs in Backtrader leave rings of objects, 30 MB and more each; they are collected once runs have
taken so long, which costs a twentieth at most."""


class Record(NamedTuple):
    """What one set came to: its figures in the order of `objective.METRICS`, or why it failed.

    A tuple, since many of them travel: that costs a fifth of what other objects cost.
    """

    figures: Sequence[float | None] | None
    fault: str = ""


class Runner(Protocol):
    """Runs sets of one plan. It travels to other processes; a strategy of a user's file must have
    been read there before it is unpacked (`parcel`)."""

    def run(self, table: Sequence[Given]) -> list[Record]:
        """Run sets; a set at fault is a record that says why, and never ends the others."""


@dataclass
class CompiledRunner:
    """Runs sets in the compiled engine (`backtests.sweep`)."""

    prepared: Prepared

    def run(self, table: Sequence[Given]) -> list[Record]:
        """Run sets together; one by one where one of them breaks the run."""
        records: list[Record | None] = []
        checked: list[tuple[Given, dict[str, Any]]] = []
        for given in table:
            try:
                checked.append((given, self.prepared.values(given)))
                records.append(None)
            except TolaError as fault:
                records.append(Record(None, str(fault)))
        found = iter(self._together(checked))
        return [next(found) if record is None else record for record in records]

    def _together(self, checked: Sequence[tuple[Given, dict[str, Any]]]) -> list[Record]:
        try:
            results = run_values(
                self.prepared,
                [given for given, _ in checked],
                [values for _, values in checked],
                keep_curve=True,
            )
        except Exception as fault:
            if len(checked) > 1:
                return [record for item in checked for record in self._together([item])]
            return [Record(None, fault_text(fault))]
        cash = self.prepared.market.cash
        return [_record(results.figures(place), cash) for place in range(len(checked))]


def _record(figures: dict[str, Any], cash: float) -> Record:
    figures["return_pct"] = (figures["equity_end"] / cash - 1.0) * 100.0
    return Record(figures_row(figures))


def fault_text(fault: BaseException) -> str:
    """Return one line that says what a set ran into."""
    told = str(fault) if isinstance(fault, TolaError) else f"{type(fault).__name__}: {fault}"
    return " ".join(told.split())


@dataclass
class BacktraderRunner:
    """Runs each set as a backtest of its own: the slow road, open to any Backtrader strategy."""

    request: BacktestRequest
    _loaded: dict[tuple[FlatRule, ...], LoadedPlan] = field(default_factory=dict)
    _untidy_secs: float = 0.0

    def run(self, table: Sequence[Given]) -> list[Record]:
        """Run sets one after the other."""
        return [self._tidied(given) for given in table]

    def load(self) -> LoadedPlan:
        """Load the plan's bars as its own settings ask for them."""
        return self._load(self.request.accounts[0], self.request.plans[0])

    def _tidied(self, given: Given) -> Record:
        began = time.perf_counter()
        record = self._one(given)
        self._untidy_secs += time.perf_counter() - began
        if self._untidy_secs > _TIDY_SECS:
            gc.collect()
            self._untidy_secs = 0.0
        return record

    def _one(self, given: Given) -> Record:
        from backtests.engine import run_account
        from backtests.results.summary import summarize
        from backtests.verbs.progress import Progress

        settings = self.request.settings
        try:
            account = _with_params(self.request.accounts[0], given)
            loaded = self._load(account, account.plans[0])
            silent = Progress(io.StringIO(), wanted=False)
            run = run_account(account, [loaded], settings, settings.intrabar, silent)
            if run.interrupted:
                raise KeyboardInterrupt
            figures = summarize([run], {})
        except Exception as fault:
            return Record(None, fault_text(fault))
        figures["costs"] = sum(figures["costs"].values())
        return Record(figures_row(figures))

    def _load(self, account: AccountRequest, plan: PlanRequest) -> LoadedPlan:
        """Load the plan's bars, once for the flat times it asks for."""
        flats = tuple(flats_of(plan, account))
        if flats not in self._loaded:
            self._loaded[flats] = load_plan(plan, self.request.settings, flats, account.limits)
        return replace(self._loaded[flats], request=plan)


def _with_params(account: AccountRequest, given: Given) -> AccountRequest:
    """Return the account with a set's parameters in its one plan, and the limits they make."""
    plan = account.plans[0]
    if not issubclass(plan.strategy, SetupStrategy):
        return replace(account, plans=(replace(plan, params={**plan.params, **given}),))
    own = {setting.name for setting in plan.strategy.settings}
    base = {name: value for name, value in plan.params.items() if name in own}
    values = plan.strategy.read({**base, **given})
    plan.strategy.check(values, plan.instrument)
    changed = replace(
        plan, params={**plan.params, **values}, own_limits=plan.strategy.default_rules(values)
    )
    if plan.plan.risk is not None:
        return replace(account, plans=(changed,))
    limits = own_limits(changed)
    return replace(account, plans=(changed,), limits=() if limits is None else (limits,))


def check_engine(request: BacktestRequest, engine: str | None) -> str:
    """Return the engine a plan's sets run in: compiled where the strategy allows it.

    Parameters
    ----------
    engine : "compiled", "backtrader" or None

    Raises
    ------
    ConfigError : several plans; an unknown engine; `compiled` for a strategy that is not.
    """
    if engine is not None and engine not in ENGINES:
        raise ConfigError(f"--engine {engine}: expected {' or '.join(ENGINES)}")
    if len(request.plans) != 1:
        names = ", ".join(plan.plan.name for plan in request.plans)
        raise ConfigError(f"one plan is searched at a time; name one of: {names}")
    plan = request.plans[0]
    compiled = issubclass(plan.strategy, SetupStrategy)
    if engine == COMPILED and not compiled:
        raise ConfigError(
            f"{plan.strategy.__name__} is a plain Backtrader strategy, whose Python cannot be run "
            "compiled: sweep it with --engine backtrader (the slow road), or write it as a setup "
            "machine (docs/sweep.md)"
        )
    return engine or (COMPILED if compiled else BACKTRADER)


def make_runner(request: BacktestRequest, engine: str) -> Runner:
    """Return what runs a plan's sets in an engine (`check_engine`), its prices loaded.

    Raises
    ------
    ConfigError : the plan cannot be run in that engine.
    DataError : a file is faulty.
    """
    if engine == COMPILED:
        return CompiledRunner(prepare(request))
    runner = BacktraderRunner(request)
    runner.load()
    return runner


def bars_of(runner: Runner) -> list[Any]:
    """Return the BAR arrays that a runner's results hang on: the plan's, further ones, finer."""
    if isinstance(runner, CompiledRunner):
        market = runner.prepared.market
        return [market.bars, market.further, market.lower]
    assert isinstance(runner, BacktraderRunner)
    loaded = runner.load()
    lower = loaded.series.lower
    further = [series.bars for series in loaded.further.values()]
    return [loaded.series.bars, *further, *([] if lower is None else [lower.bars])]


def strategy_file(request: BacktestRequest) -> str:
    """Return the name `path/to/file.py:Class` by which a user's strategy travels; else ""."""
    name = request.plans[0].plan.strategy
    return f"{Path(name).absolute()}" if is_file_name(name) else ""
