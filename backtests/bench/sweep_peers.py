"""Compiled task T1 against the other libraries: single runs, and grids as each means them.

Grids are of the same axes, on two cores as each library uses them, in wall seconds. A peer that
takes seconds a set is asked for few of them, which flatters no one: its time a set does not depend
on their number.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backtests.bench import Row, Task
from backtests.bench.environments import BACKTESTING, VECTORBT, Peer, PeerMissing
from backtests.bench.race import Entrant, Result, race
from backtests.bench.session import Session
from backtests.bench.t1_entrants import Field, Sizes
from backtests.bench.t1_strategy import DENSE

TASKS = (
    Task("compiled_vs_backtesting_py", "one compiled backtest of T1, a million bars", "400x"),
    Task("compiled_vs_nautilus_100k", "the same on 100k bars", "4000x"),
    Task("sweep_t1_vs_vectorbt", "T1 over lookback, stop and target, 100k bars", "100x"),
    Task("sweep_t1_vs_backtesting_py", "the same against its optimiser", "5000x"),
    Task("sweep_t1_vs_optstrategy", "the same against Backtrader's optstrategy", "25000x"),
)

_COMPILED = "ours compiled, by Backtrader's rules, indicators included"
_TIME = "prices in memory to finished trades; CPU s"


@dataclass(frozen=True)
class _Duel:
    """A single run against one peer: which of `t1_entrants.VARIANTS`, on how many bars."""

    peer: str
    title: str
    size: str
    target: float
    rules: str


_DUELS = {
    "compiled_vs_backtesting_py": _Duel(
        "backtesting", "backtesting.py", "whole", 400.0,
        "backtesting.py: with its statistics, stop before target in a bar",
    ),
    "compiled_vs_nautilus_100k": _Duel(
        "nautilus", "NautilusTrader", "hundredk", 4000.0,
        "NautilusTrader: no risk engine, no log, entry at the signal's close, path O-H-L-C",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """A grid of T1, ours or a peer's: where it runs, and over which of the axes."""

    peer: Peer | None
    title: str
    module: str
    windows: tuple[int, ...]
    stops: tuple[float, ...]
    targets: tuple[float, ...]
    target: float
    rules: str

    @property
    def options(self) -> dict[str, list[float]]:
        """The axes, as every entrant takes them."""
        return {
            "window": list(self.windows),
            "stop_atr": list(self.stops),
            "target_atr": list(self.targets),
        }

    @property
    def sets(self) -> int:
        """How many points the grid has."""
        return math.prod(map(len, self.options.values()))


OUR_GRID = Grid(
    None, "Tola, compiled grid", "backtests.bench.t1_grid", tuple(range(10, 50, 2)),
    (1.0, 1.5, 2.0, 2.5, 3.0), (1.0, 2.0, 3.0, 4.0), 0.0, "",
)  # fmt: skip
_GRIDS = {
    "sweep_t1_vs_vectorbt": Grid(
        VECTORBT, "vectorbt", "vectorbt_sweep", (10, 20, 30, 40), (1.0, 2.0), (2.0, 3.0), 100.0,
        "vectorbt: from_signals, a column a set, all in one call, warm",
    ),
    "sweep_t1_vs_backtesting_py": Grid(
        BACKTESTING, "backtesting.py", "backtesting_sweep", (10, 20), (1.0, 2.0), (2.0,), 5000.0,
        "backtesting.py: Backtest.optimize in two processes at hand, half a grid each",
    ),
    "sweep_t1_vs_optstrategy": Grid(
        None, "Backtrader's optstrategy", "stock_sweep", (10, 20, 30, 40), (1.0,), (2.0,), 25_000.0,
        "Backtrader: optstrategy with all defaults, maxcpus=2, TradeAnalyzer",
    ),
}  # fmt: skip


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Race what the wanted rows need, ours and the peers by turns."""
    sizes = Sizes(session.size(1_000_000, 40_000), session.size(100_000, 20_000))
    field = Field(session, sizes)
    duels = {task: duel for task, duel in _DUELS.items() if task in wanted}
    grids = {task: grid for task, grid in _GRIDS.items() if task in wanted}
    missing = _missing(field, duels, grids, session)
    data = {name: field.data(sizes.of(name)) for name in ("whole", "hundredk")}
    entrants = field.entrants(duel.peer for task, duel in duels.items() if task not in missing)
    for size in {duel.size for duel in duels.values()}:
        entrants.append(_ours(size, data[size]))
    if grids:
        entrants.append(grid_entrant(OUR_GRID, Path(sys.executable), data["hundredk"], repeats=4))
    for task, grid in grids.items():
        if task not in missing:
            python = Path(sys.executable) if grid.peer is None else session.python_of(grid.peer)
            entrants.append(grid_entrant(grid, python, data["hundredk"], repeats=2))
    results = race(entrants, session)
    for task, duel in duels.items():
        yield _single(task, duel, results, missing, sizes.of(duel.size))
    for task, grid in grids.items():
        yield _rates(task, grid, results, missing, sizes.hundredk)


def _missing(
    field: Field, duels: Mapping[str, _Duel], grids: Mapping[str, Grid], session: Session
) -> dict[str, str]:
    """Return the rows whose peer cannot be installed here, with the reason."""
    field.note_missing(duel.peer for duel in duels.values())
    missing = {
        task: field.missing[duel.peer] for task, duel in duels.items() if duel.peer in field.missing
    }
    for task, grid in grids.items():
        if grid.peer is not None:
            try:
                session.python_of(grid.peer)
            except PeerMissing as cause:
                missing[task] = str(cause)
    return missing


def _ours(size: str, data: Path) -> Entrant:
    return Entrant(
        f"compiled-{size}", "Tola, compiled", Path(sys.executable),
        "backtests.bench.t1_compiled", data, DENSE, repeats=8, rounds=2,
    )  # fmt: skip


def grid_entrant(grid: Grid, python: Path, data: Path, repeats: int) -> Entrant:
    """Return a grid as an entrant of a race."""
    module = grid.module if "." in grid.module else f"backtests.bench.peers.{grid.module}"
    return Entrant(grid.module, grid.title, python, module, data, grid.options, repeats, rounds=2)


def _single(
    task: str, duel: _Duel, results: Mapping[str, Result], missing: Mapping[str, str], bars: int
) -> Row:
    blank = Row(task, "seconds")
    if task in missing:
        return replace(blank, skipped=missing[task])
    ours, theirs = results[f"compiled-{duel.size}"], results[duel.peer]
    failed = ours.failed or theirs.failed
    if failed:
        return replace(blank, failed=failed)
    return Row(
        task, "seconds", ours.cpu, theirs.cpu, f"{duel.title} {theirs.version}", duel.target,
        f"{_COMPILED}; {duel.rules}; {_TIME}", ours_wall=ours.wall, peer_wall=theirs.wall,
        ours_cold=ours.cold, peer_cold=theirs.cold, bars=bars,
        note=f"{ours.count:,} trades, {ours.pnl:,.2f} net; peer {theirs.count:,}, "
        f"{theirs.pnl:,.2f}",
    )  # fmt: skip


def _rates(
    task: str, grid: Grid, results: Mapping[str, Result], missing: Mapping[str, str], bars: int
) -> Row:
    blank = Row(task, "combinations_per_second")
    if task in missing:
        return replace(blank, skipped=missing[task])
    ours, theirs = results[OUR_GRID.module], results[grid.module]
    failed = ours.failed or theirs.failed
    if failed:
        return replace(blank, failed=failed)
    rate = grid.sets / theirs.wall
    return Row(
        task, "combinations_per_second", OUR_GRID.sets / ours.wall, rate,
        f"{grid.title} {theirs.version}", grid.target,
        f"ours compiled, {OUR_GRID.sets} sets, by Backtrader's rules, tables of indicators inside; "
        f"two worker processes at hand; {grid.rules}, {grid.sets} sets; prices in memory to "
        "finished trades; wall s, two cores",
        ours_wall=ours.wall, peer_wall=theirs.wall, ours_cold=ours.cold, peer_cold=theirs.cold,
        bars=bars, note=_note(ours, theirs),
    )  # fmt: skip


def _note(ours: Result, theirs: Result) -> str:
    told: dict[str, Any] = {"ours": ours.count, "peer": theirs.count}
    return ", ".join(f"{name} {count:,} trades" for name, count in told.items())
