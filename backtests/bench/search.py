"""What workers gain a sweep, and how soon a new process has its first result: wall seconds.

One process, two worker processes and two Dask workers run the same table in turns, so that what
else the machine does meets all of them; ratios are of medians. Workers are started before.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from backtests.bench import Row, Task
from backtests.bench.gold import data_folder, gold_request, structural_table
from backtests.bench.session import ROOT, Session

if TYPE_CHECKING:
    from backtests.search.here import Workers

TASKS = (
    Task("sweep_two_workers", "two worker processes against one process", "1.8x"),
    Task("sweep_two_dask_workers", "two Dask workers against one process", "1.7x"),
    Task("sweep_first_result", "a new process up to its first result, cache filled", "3 s"),
    Task("walkforward_gold", "gold_smc, 31 months, 12 windows x 2,000 sets, two workers", "60 s"),
)
_ROUNDS = 4
_RULES = (
    "gold_smc with DXY on XAUUSD 5m, own fills; wall of whole tables, in turns, workers at hand; "
    "all figures equal bit for bit"
)


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield the gain by two workers of each kind, and the time to a first result."""
    data = data_folder()
    if not data.is_dir():
        for task in sorted(wanted):
            yield Row(task, "seconds", skipped="../shared/data is not there")
        return
    kinds = {"sweep_two_workers": 1.8, "sweep_two_dask_workers": 1.7}
    if wanted & set(kinds):
        yield from _gains(session, data, {name: kinds[name] for name in kinds if name in wanted})
    if "sweep_first_result" in wanted:
        yield _first_result(session, data)
    if "walkforward_gold" in wanted:
        yield _walk(session, data)


def _gains(session: Session, data: Path, wanted: dict[str, float]) -> Iterator[Row]:
    from backtests.search.cluster import LOCAL, Cluster
    from backtests.search.here import Here
    from backtests.search.parcel import pack
    from backtests.search.pool import Pool
    from backtests.search.runners import make_runner

    request = gold_request(data)
    runner = make_runner(request, "compiled")
    table = _table()[:: session.size(1, 6)]
    runner.run(table[:2])
    parcel = pack(runner, "")
    kinds: dict[str, Workers] = {"one": Here(runner)}
    try:
        if "sweep_two_workers" in wanted:
            kinds["sweep_two_workers"] = Pool(parcel, 2)
        if "sweep_two_dask_workers" in wanted:
            kinds["sweep_two_dask_workers"] = Cluster(LOCAL, 2).take(parcel)
        walls: dict[str, list[float]] = {name: [] for name in kinds}
        figures: dict[str, Any] = {}
        for number in range(session.size(_ROUNDS, 1) + 1):
            for name, workers in kinds.items():
                session.tell(f"sweep by {name}")
                took, figures[name] = _wall(workers, table)
                if number:  # the first round warms workers up
                    walls[name].append(took)
    finally:
        for workers in kinds.values():
            workers.close()
    one = median(walls["one"])
    for name, least in wanted.items():
        row = Row(
            name, "seconds", median(walls[name]), one, "one process", least, _RULES,
            bars=len(runner.prepared.market.bars), note=f"{len(table)} sets",  # type: ignore[attr-defined]
        )  # fmt: skip
        same = figures[name] == figures["one"]
        yield row if same else replace(row, failed="figures differ from those of one process")


def _wall(workers: Workers, table: Sequence[Any]) -> tuple[float, list[Any]]:
    found: list[Any] = [None] * len(table)
    began = time.perf_counter()
    for first, records in workers.run(table, lambda: False):
        found[first : first + len(records)] = [tuple(record.figures or ()) for record in records]
    return time.perf_counter() - began, found


def _words(data: Path) -> list[str]:
    return [
        "gold_smc", "--instrument", "XAUUSD", "--timeframe", "5m",
        "--data", str(data / "xauusd_5m.csv.gz"), "--with", f"DXY={data}/dxy_1h.csv.gz",
    ]  # fmt: skip


def _table() -> list[dict[str, Any]]:
    """Return 648 structural sets, neighbours side by side, each with 15 targets."""
    targets = [1.5 + 0.25 * step for step in range(15)]
    return [{**given, "rr": rr} for given in structural_table() for rr in targets]


def _first_result(session: Session, data: Path) -> Row:
    """Time whole commands of one combination: a result stands before its process ends."""
    session.tell("first result of a new process")
    taken = []
    for number in range(session.size(5, 2) + 1):
        out = session.folder / "runs" / f"sweep-{number}"
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "run.py", "sweep", *_words(data), "--grid", "rr=2", "--no-report",
             "--quiet", "--out", str(out)],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        if number:  # the first fills the caches of code and prices
            taken.append(time.perf_counter() - began)
    return Row(
        "sweep_first_result", "seconds", median(taken), at_most=3.0,
        rules="gold_smc with DXY on XAUUSD 5m: a whole command of one combination, wall",
    )  # fmt: skip


def _walk(session: Session, data: Path) -> Row:
    """Time a whole walk-forward from loaded names to stitched equity; the second of two runs."""
    from backtests.resolve import resolve
    from backtests.search.objective import Goal, read_objectives
    from backtests.search.space import make_space
    from backtests.walkforward.walking import Walker
    from backtests.walkforward.windows import Cut

    session.tell("walk-forward of gold_smc")
    flags = {
        "instrument": "XAUUSD", "timeframe": "15m", "data": [str(data / "xauusd_15m.csv.gz")],
        "with": {"DXY": str(data / "dxy_1h.csv.gz")},
    }  # fmt: skip
    request = resolve(["gold_smc"], flags, "tola.toml")
    axes = ["left=2,3,5", "max_shift_bars=6,9,12,18", "disp_k=0.5:1.4:0.1"]
    if not session.quick:
        axes.append("rr=1:2.6:0.1")  # 17 of them: 2,040 sets
    space = make_space(axes, request.plans[0].strategy)
    taken, walk = [], None
    for _ in range(2):
        began = time.perf_counter()
        walker = Walker(request, space, Goal(read_objectives(["sharpe"])), Cut(12), workers=2)
        walk = walker.walk(lambda done, total: None)
        taken.append(time.perf_counter() - began)
    assert walk is not None
    return Row(
        "walkforward_gold", "seconds", taken[-1], at_most=60.0,
        rules="gold_smc with DXY on XAUUSD 15m, rolling windows, each set run anew from each "
        "window's first day; wall, prices loaded and two workers started inside the time",
        bars=len(walker.runner.prepared.market.bars),
        note=f"{walk.combinations:,} combinations, {len(walk.days)} days out of sample",
    )  # fmt: skip
