"""One backtest from request to run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backtests.engine import AccountRun, run_account
from backtests.interrupts import held
from backtests.loading import LoadedPlan, load_plan
from backtests.request import BAND, AccountRequest, BacktestRequest, PlanRequest
from backtests.results.summary import plan_curve, summarize
from backtests.store import run_document, write_tables
from backtests.verbs.progress import Progress
from backtests.warm import helped_compiling
from core.compile import compile_clock
from core.config_fields import is_file_name
from core.errors import ConfigError
from core.results import RunFolder, RunWriter, write_json
from core.schedule import FlatRule
from strategies.base import SetupStrategy

CHEAP_SECS = 1.0
"""A run this short is repeated for its band without being asked."""


@dataclass
class RunResult:
    """A finished backtest, not yet written."""

    request: BacktestRequest
    runs: list[AccountRun]
    summary: dict[str, Any]


def _nothing() -> None:
    pass


def run(
    request: BacktestRequest, progress: Progress, keep: Callable[[], None] = _nothing
) -> RunResult:
    """Load, run and sum up.

    Parameters
    ----------
    keep : callable, optional
        Called when the main runs are done: no Ctrl-C may lose them from then on.

    Raises
    ------
    TolaError : settings, data or a user's strategy are at fault.
    KeyboardInterrupt : Ctrl-C before the first bar.
    """
    if request.settings.band and request.settings.fills != "tola":
        raise ConfigError("--band needs --fills tola: Backtrader's rules know one path only")
    ours = [plan.plan.strategy for plan in request.plans if _is_ours(plan)]
    with helped_compiling(ours), compile_clock() as compiled:
        load = _Stopwatch(compiled)
        progress.note("loading prices")
        loaded = [load_account(account, request) for account in request.accounts]
        load.stop()
        progress.note("starting (compiling takes up to a minute the first time)")
        main = _Stopwatch(compiled)
        runs = _run_all(request, loaded, request.settings.intrabar, progress)
        main.stop()
        keep()
        more = _Stopwatch(compiled)
        bands, left_out = _bands(request, loaded, runs, main.seconds < CHEAP_SECS, progress)
        more.stop()
        compile_seconds = compiled()
    progress.end()
    summary = summarize(runs, bands)
    summary["notes"] += left_out
    summary["seconds"] = {
        "load": load.seconds,
        "compile": compile_seconds,
        "run": main.seconds + more.seconds,
        "report": 0.0,
    }
    bars = sum(len(plan.bars) for item in runs for plan in item.plans)
    summary["bars_per_second"] = bars / main.seconds if main.seconds else None
    return RunResult(request, runs, summary)


def _is_ours(plan: PlanRequest) -> bool:
    """Say whether a plan runs a bundled strategy whose machine is compiled."""
    return issubclass(plan.strategy, SetupStrategy) and not is_file_name(plan.plan.strategy)


class _Stopwatch:
    """Measures a stage without the compiling that happened in it."""

    def __init__(self, compiled: Callable[[], float]) -> None:
        self._compiled = compiled
        self._began, self._before = time.perf_counter(), compiled()
        self.seconds = 0.0

    def stop(self) -> None:
        """End the stage."""
        passed = time.perf_counter() - self._began
        self.seconds = max(passed - (self._compiled() - self._before), 0.0)


def load_account(account: AccountRequest, request: BacktestRequest) -> list[LoadedPlan]:
    """Load the bars of an account's plans, with the flat times and limits that hold for them."""
    return [
        load_plan(plan, request.settings, flats_of(plan, account), account.limits)
        for plan in account.plans
    ]


def flats_of(plan: PlanRequest, account: AccountRequest) -> list[FlatRule]:
    """Return the flat times that the strategy and the account's limits ask for."""
    own = getattr(plan.strategy, "flat_rules", None)
    rules = list(own(plan.params)) if own is not None else []
    for limits in account.limits:
        if limits.flat_by is not None:
            rules.append(FlatRule(limits.name or "risk", limits.flat_by, limits.flat_zone))
    return rules


def _run_all(
    request: BacktestRequest,
    loaded: Sequence[list[LoadedPlan]],
    intrabar: str,
    progress: Progress,
) -> list[AccountRun]:
    """Run the accounts one after the other; an interruption ends the rest, what is done stays."""
    runs: list[AccountRun] = []
    for account, plans in zip(request.accounts, loaded, strict=True):
        try:
            runs.append(run_account(account, plans, request.settings, intrabar, progress))
        except KeyboardInterrupt:
            if not runs:
                raise
            runs[-1].interrupted = True
        if runs[-1].interrupted:
            break
    return runs


def _bands(
    request: BacktestRequest,
    loaded: Sequence[list[LoadedPlan]],
    runs: Sequence[AccountRun],
    cheap: bool,
    progress: Progress,
) -> tuple[dict[str, Mapping[str, float]], list[str]]:
    """Return lowest and highest net profit of complete runs under worst, nearest and best.

    Asked for by --band; given for strategies of ours if it is cheap, or free: a run in which no
    bar's paths differed is the same under each reading. Ctrl-C ends these further runs, all of
    them, and leaves the main ones whole; the notes returned name the accounts without a band.
    """
    if request.settings.fills != "tola":
        return {}, []
    intrabar = request.settings.intrabar
    bands: dict[str, Mapping[str, float]] = {}
    left_out: list[str] = []
    for account, plans, done in zip(request.accounts, loaded, runs, strict=False):
        ours = all(issubclass(plan.strategy, SetupStrategy) for plan in account.plans)
        free = intrabar == "worst" and _is_free(done)
        if done.interrupted or not (request.settings.band or (ours and (cheap or free))):
            continue
        others = [] if free else [other for other in BAND if other != intrabar]
        found = [done] if intrabar in BAND else []
        further: list[AccountRun] | None = []
        if others:
            further = None if left_out else _further_runs(account, plans, request, others, progress)
        if further is None:
            left_out.append(
                f"account {account.name}: no band: its further runs were interrupted; "
                "the figures of the run itself are whole"
            )
        else:
            bands |= _lowest_and_highest(found + further)
    return bands, left_out


def _further_runs(
    account: AccountRequest,
    plans: list[LoadedPlan],
    request: BacktestRequest,
    readings: Sequence[str],
    progress: Progress,
) -> list[AccountRun] | None:
    """Run an account under other readings; None if Ctrl-C, once or twice, ended one of them."""
    runs: list[AccountRun] = []
    for reading in readings:
        try:
            runs.append(run_account(account, plans, request.settings, reading, progress))
        except KeyboardInterrupt:
            return None
        if runs[-1].interrupted:
            return None
    return runs


def _is_free(run: AccountRun) -> bool:
    """Say whether a run by `worst`, which walks both paths of every bar, met no choice at all."""
    trails = any(limits.trailing_mode == "intraday" for limits in run.request.limits)
    return run.broker.ambiguous_bars == 0 and not trails


def _lowest_and_highest(runs: Sequence[AccountRun]) -> dict[str, Mapping[str, float]]:
    profits: dict[str, list[float]] = {}
    for run in runs:
        for plan in run.plans:
            curve = plan_curve(run, plan)
            profit = float(curve.equity[-1]) - curve.cash_start if len(curve.equity) else 0.0
            profits.setdefault(plan.plan_id, []).append(profit)
    return {name: {"worst": min(found), "best": max(found)} for name, found in profits.items()}


def store(result: RunResult, writer: RunWriter) -> RunFolder:
    """Write a result with an open writer, publish it whole and return its folder."""
    write_tables(writer, result.runs)
    writer.json("run.json", run_document(result.request, result.runs))
    writer.json("summary.json", result.summary)
    return writer.publish()


def finish(
    folder: RunFolder, draw: Callable[[RunFolder], Mapping[str, Any]] | None
) -> dict[str, Any]:
    """Draw the report of a run and return its summary with all files named.

    The run stands whole before its report is drawn: a report that fails loses no result.
    """
    began = time.perf_counter()
    files = dict(draw(folder)) if draw is not None else {}
    with held():
        return _finished(folder, files, time.perf_counter() - began)


def _finished(folder: RunFolder, files: dict[str, Any], report_secs: float) -> dict[str, Any]:
    summary = folder.summary
    summary["run"] = folder.path.as_posix()
    summary["seconds"]["report"] = report_secs
    names = ("trades.csv", "fills.csv", "orders.csv", "setups.csv", "funnel.json", "run.json")
    files |= {Path(name).stem: (folder.path / name).as_posix() for name in names}
    files["equity"] = [path.as_posix() for path in sorted(folder.path.glob("equity-*.csv"))]
    files["summary"] = (folder.path / "summary.json").as_posix()
    summary["files"] = files
    write_json(folder.path / "summary.json", summary)
    return summary
