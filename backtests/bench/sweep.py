"""Compiled runs and sweeps: task T1 by Backtrader's rules, gold_smc with the dollar index."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from backtests.bench import Row, Task, gold, search
from backtests.bench.race import Entrant, Result, difference, race
from backtests.bench.session import Session
from backtests.bench.sweep_peers import OUR_GRID, grid_entrant
from backtests.bench.t1_entrants import Field, Sizes
from backtests.bench.t1_strategy import DENSE

TASKS = (
    Task("compiled_t1_1m", "one compiled backtest of T1, indicators included", "5000x"),
    Task("compiled_vs_vectorbt", "the same against vectorbt, warm", "15x"),
    Task("sweep_t1", "T1 over lookback, stop and target, 100k bars, two processes", "5000/s"),
    *gold.TASKS,
    *search.TASKS,
)

_EQUAL = "Backtrader's own fills; trades and final value equal bit for bit"


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield single runs, sweeps on two cores, what these gain, and how soon results are there."""
    if {"compiled_t1_1m", "compiled_vs_vectorbt"} & wanted:
        yield from _single(session, wanted)
    if "sweep_t1" in wanted:
        yield _sweep_t1(session)
    for group in (gold, search):
        further = wanted & {task.name for task in group.TASKS}
        if further:
            yield from group.measure(session, further)


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
        "compiled", "Tola, compiled", Path(sys.executable), "backtests.bench.t1_compiled", data,
        DENSE, repeats=8, rounds=2,
    )  # fmt: skip
    results = race([ours, *entrants], session)
    for task, peer in peers.items():
        if task in wanted:
            yield _duel(task, peer, results, field.missing, sizes.whole)


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


def _sweep_t1(session: Session) -> Row:
    field = Field(session, Sizes(session.size(100_000, 20_000), session.size(100_000, 20_000)))
    entrant = grid_entrant(OUR_GRID, Path(sys.executable), field.data(field.sizes.hundredk), 6)
    found = race([entrant], session)[entrant.key]
    if found.failed:
        return Row("sweep_t1", "combinations_per_second", failed=found.failed)
    return Row(
        "sweep_t1", "combinations_per_second", OUR_GRID.sets / found.wall, at_least=5000.0,
        ours_wall=found.wall, ours_cold=found.cold, bars=field.sizes.hundredk,
        rules="Backtrader's own fills, equity marked at every close, tables of indicators inside; "
        "two worker processes at hand; wall s",
        note=f"{OUR_GRID.sets} sets, {found.count:,} trades",
    )  # fmt: skip
