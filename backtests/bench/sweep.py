"""Compiled runs and sweeps: task T1 by Backtrader's rules, gold_smc with the dollar index.

Rates are of one process, in CPU seconds; half of what two free cores should give is the target.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from backtests.bench import Row, Task, search
from backtests.bench.race import Entrant, Result, difference, race
from backtests.bench.session import ROOT, Session
from backtests.bench.t1_entrants import Field, Sizes
from backtests.bench.t1_strategy import DENSE

TASKS = (
    Task("compiled_t1_1m", "one compiled backtest of T1, indicators included", "5000x"),
    Task("compiled_vs_vectorbt", "the same against vectorbt, warm", "15x"),
    Task("sweep_t1", "T1 over lookback, stop and target, 100k bars, one process", "2500/s"),
    Task("sweep_gold_structural", "gold_smc with DXY, 648 structural sets, one process", "150/s"),
    Task("sweep_gold_unshared", "the same, every set with blocks of its own", "60/s"),
    Task("sweep_gold_management", "gold_smc with DXY, management settings alone", "2500/s"),
    *search.TASKS,
)

_EQUAL = "Backtrader's own fills; trades and final value equal bit for bit"
_PROCESS = "one process, CPU s, tables of the shared parts inside the time"


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield what one process does alone, what two gain, and when the first result is there."""
    if {"compiled_t1_1m", "compiled_vs_vectorbt"} & wanted:
        yield from _single(session, wanted)
    if "sweep_t1" in wanted:
        yield _sweep_t1(session)
    gold = {name for name in wanted if name.startswith("sweep_gold")}
    if gold:
        yield from _gold(session, gold)
    further = wanted & {task.name for task in search.TASKS}
    if further:
        yield from search.measure(session, further)


def _single(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Race one compiled run against stock Backtrader and vectorbt on the same million bars."""
    sizes = Sizes(session.size(1_000_000, 40_000), session.size(100_000, 20_000))
    field = Field(session, sizes)
    peers = {"compiled_t1_1m": "stock_dense", "compiled_vs_vectorbt": "vectorbt"}
    asked = [peer for task, peer in peers.items() if task in wanted]
    field.note_missing(asked)
    entrants = field.entrants([peer for peer in asked if peer not in field.missing])
    data = session.folder / f"walk-{sizes.whole}"
    if not data.exists():
        field.entrants(["stock_dense"])  # writes the bars
    ours = Entrant(
        "compiled", "Tola, compiled", _python(), "backtests.bench.t1_compiled", data, DENSE,
        repeats=8, rounds=2,
    )  # fmt: skip
    results = race([ours, *entrants], session)
    for task, peer in peers.items():
        if task in wanted:
            yield _duel(task, peer, results, field.missing, sizes.whole)


def _python() -> Path:
    import sys

    return Path(sys.executable)


def _duel(
    task: str, peer: str, results: Mapping[str, Result], missing: Mapping[str, str], bars: int
) -> Row:
    blank = Row(task, "seconds")
    if peer in missing:
        return replace(blank, skipped=missing[peer])
    ours, theirs = results["compiled"], results[peer]
    for result in (ours, theirs):
        if result.failed:
            return replace(blank, failed=result.failed)
    is_stock = peer == "stock_dense"
    wrong = difference(ours, theirs) if is_stock else ""
    name = "backtrader" if is_stock else "vectorbt"
    rules = _EQUAL if is_stock else "ours by Backtrader's rules; vectorbt: from_signals, warm"
    return Row(
        task, "seconds", ours.cpu, theirs.cpu, f"{name} {theirs.version}",
        5000.0 if is_stock else 15.0, f"{rules}; prices in memory to finished trades; CPU s",
        ours_wall=ours.wall, peer_wall=theirs.wall, ours_cold=ours.cold, peer_cold=theirs.cold,
        bars=bars, note=f"{ours.count:,} trades, {ours.pnl:,.2f} net",
        failed=f"the runs differ: {wrong}" if wrong else "",
    )  # fmt: skip


def _rate(work: Callable[[], int], repeats: int) -> tuple[float, float]:
    """Return sets a CPU second and a wall second; the median of several runs."""
    cpu, wall, count = [], [], 0
    for _ in range(repeats):
        began, spent = time.perf_counter(), time.process_time()
        count = work()
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - began)
    return count / median(cpu), median(wall)


def _sweep_t1(session: Session) -> Row:
    from backtests.bench.t1_signals import TERMS, T1Rule
    from backtests.bench.walk import t1_bars
    from backtests.sweep.signals import Columns, SignalEngine

    bars = session.size(100_000, 20_000)
    session.tell("sweep of T1")
    columns = Columns.of(t1_bars(bars))
    stops, targets = (1.0, 1.5, 2.0, 2.5, 3.0), (1.0, 2.0, 3.0, 4.0)
    table = [
        {"window": window, "stop_atr": stop, "target_atr": target}
        for window, stop, target in product(range(10, 50, 2), stops, targets)
    ]
    SignalEngine(T1Rule, columns, TERMS).run(table[:2])
    trades = 0

    def work() -> int:
        nonlocal trades
        found = SignalEngine(T1Rule, columns, TERMS).run(table)
        trades = int(found["trades"].sum())
        return len(table)

    rate, wall = _rate(work, 5)
    return Row(
        "sweep_t1", "combinations_per_second", rate, at_least=2500.0, ours_wall=wall, bars=bars,
        rules=f"Backtrader's own fills, equity marked at every close, ATR and maxima inside; "
        f"{_PROCESS}",
        note=f"{len(table)} sets, {trades:,} trades",
    )  # fmt: skip


def _gold(session: Session, wanted: set[str]) -> Iterator[Row]:
    data = Path(os.environ.get("TOLA_SHARED", ROOT.parent / "shared")) / "data"
    if not data.is_dir():
        for task in sorted(wanted):
            yield Row(task, "combinations_per_second", skipped="../shared/data is not there")
        return
    session.tell("sweeps of gold_smc")
    plan = _gold_plan(data)
    tables = {
        "sweep_gold_structural": (structural_table(), 150.0),
        "sweep_gold_unshared": (_unshared(), 60.0),
        "sweep_gold_management": (_management(), 2500.0),
    }
    for task, (table, least) in tables.items():
        if task in wanted:
            yield _gold_row(task, plan, table[:: session.size(1, 6)], least)


def _gold_plan(data: Path) -> Any:
    from backtests.resolve import resolve
    from backtests.sweep import prepare

    flags = {
        "instrument": "XAUUSD",
        "timeframe": "5m",
        "data": [str(data / "xauusd_5m.csv.gz")],
        "with": {"DXY": str(data / "dxy_1h.csv.gz")},
    }
    return prepare(resolve(["gold_smc"], flags, "tola.toml"))


def _gold_row(task: str, plan: Any, table: Sequence[Mapping[str, Any]], least: float) -> Row:
    from dataclasses import replace as changed

    from backtests.sweep import run

    run(plan, table[:2])
    trades = 0

    def work() -> int:
        nonlocal trades
        results = run(changed(plan), table)  # a copy: nothing is remembered of the run before
        trades = sum(int(outcome.summary["trades"]) for outcome in results.outcomes)
        return len(table)

    rate, wall = _rate(work, 3)
    return Row(
        task, "combinations_per_second", rate, at_least=least, ours_wall=wall,
        bars=len(plan.market.bars), rules=f"own fills, worst path, own limits, costs; {_PROCESS}",
        note=f"{len(table)} sets, {trades:,} trades",
    )  # fmt: skip


def structural_table() -> list[dict[str, Any]]:
    """Return 648 structural sets of gold_smc, those that share most side by side."""
    return [
        {"left": swing, "right": swing, "atr": period, "disp_k": body, "max_shift_bars": shift,
         "sweep_reclaim": reclaim}
        for reclaim, shift, swing, period, body in product(
            (0, 2), (6, 9, 12, 15, 18, 24), (2, 3, 5), (10, 14, 20), (0.5, 0.7, 1.0, 1.2, 1.5, 2.0)
        )
    ]  # fmt: skip


def _unshared() -> list[dict[str, Any]]:
    return [
        {"left": left, "right": right, "sweep_reclaim": reclaim, "atr": 8 + left + right}
        for left, right, reclaim in product(range(2, 8), range(2, 6), (0, 1, 2))
    ]


def _management() -> list[dict[str, Any]]:
    return [
        {"rr": round(float(rr), 2), "order_bars": bars, "be_at_1r": even, "risk_pct": risk}
        for rr, bars, even, risk in product(
            np.arange(1.0, 4.0, 0.1), (5, 10, 15, 20), (False, True), (0.25, 0.5, 1.0)
        )
    ]
