"""Sweeps of gold_smc with the dollar index on real prices, by two worker processes: wall seconds.

The workers run what `sweep` runs, every figure of every set inside the time. Before each table they
are new and have run a few sets of another structure: code is loaded, nothing is remembered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from backtests.bench import Row, Task
from backtests.bench.session import ROOT, Session

TASKS = (
    Task("sweep_gold_structural", "gold_smc with DXY, 648 structural sets, two workers", "300/s"),
    Task("sweep_gold_unshared", "the same, every set with blocks of its own", "120/s"),
    Task("sweep_gold_management", "gold_smc with DXY, management settings alone", "5000/s"),
)

_WORKERS = 2
_WARM_UP = [{"left": 9, "right": 9, "atr": period} for period in (30, 31, 32, 33)]


def data_folder() -> Path:
    """Return where the real prices lie, if they are there."""
    return Path(os.environ.get("TOLA_SHARED", ROOT.parent / "shared")) / "data"


def gold_request(data: Path) -> Any:
    """Return the backtest whose sets are run: gold_smc with DXY on XAUUSD 5m."""
    from backtests.resolve import resolve

    flags = {
        "instrument": "XAUUSD",
        "timeframe": "5m",
        "data": [str(data / "xauusd_5m.csv.gz")],
        "with": {"DXY": str(data / "dxy_1h.csv.gz")},
    }
    return resolve(["gold_smc"], flags, "tola.toml")


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield how many sets a second are run, by what they share."""
    from backtests.search.parcel import pack
    from backtests.search.runners import make_runner

    data = data_folder()
    if not data.is_dir():
        for task in sorted(wanted):
            yield Row(task, "combinations_per_second", skipped="../shared/data is not there")
        return
    runner = make_runner(gold_request(data), "compiled")
    parcel = pack(runner, "")
    tables = {
        "sweep_gold_structural": (structural_table(), 300.0),
        "sweep_gold_unshared": (_unshared(), 120.0),
        "sweep_gold_management": (_management(), 5000.0),
    }
    for task, (table, least) in tables.items():
        if task in wanted:
            session.tell(f"{task}: {len(table):,} sets")
            yield _row(task, parcel, table[:: session.size(1, 6)], least, session.size(3, 1))


def _row(
    task: str, parcel: Any, table: Sequence[Mapping[str, Any]], least: float, rounds: int
) -> Row:
    from backtests.search.objective import METRICS
    from backtests.search.pool import Pool

    walls, trades = [], 0.0
    for _ in range(rounds):
        pool = Pool(parcel, _WORKERS)
        try:
            for _first, _records in pool.run(_WARM_UP, lambda: False):
                pass
            began = time.perf_counter()
            found = [records for _, records in pool.run(table, lambda: False)]
            walls.append(time.perf_counter() - began)
        finally:
            pool.close()
        place = list(METRICS).index("trades")
        trades = sum(
            record.figures[place] or 0.0
            for records in found
            for record in records
            if record.figures
        )
    wall = median(walls)
    return Row(
        task, "combinations_per_second", len(table) / wall, at_least=least, ours_wall=wall,
        rules="own fills, worst path, own limits, costs, all figures of every set; two worker "
        "processes at hand, nothing remembered; wall s",
        note=f"{len(table):,} sets, {trades:,.0f} trades",
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
        for left, right, reclaim in product(range(2, 10), range(2, 7), (0, 1, 2))
    ]


def _management() -> list[dict[str, Any]]:
    return [
        {"rr": round(float(rr), 2), "order_bars": bars, "be_at_1r": even, "risk_pct": risk}
        for rr, bars, even, risk in product(
            np.arange(1.0, 4.0, 0.01), (5, 10, 15, 20), (False, True), (0.25, 0.5, 1.0)
        )
    ]
