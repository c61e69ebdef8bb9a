"""A grid of task T1 compiled, on two processes: `python -m backtests.bench.t1_grid JOB.json`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np

from backtests.bench.peers.job import Answer, serve

PROCESSES = 2
_bars: list[Any] = []
"""A worker's columns, read once."""
_engine: dict[int, Any] = {}
"""A worker's engine by the number of the run; each run begins with none."""


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run, tables of indicators inside. options : lists of the three parameters.

    Workers are at hand and have the prices; tables are each worker's own, and of one run alone.
    """
    names = ("window", "stop_atr", "target_atr")
    parts = []
    for window in options["window"]:
        sets = product([window], options["stop_atr"], options["target_atr"])
        parts.append([dict(zip(names, item, strict=True)) for item in sets])
    pool = multiprocessing.get_context("spawn").Pool(PROCESSES, _begin, (str(folder),))
    pool.starmap(_run, [(-1, part) for part in parts[: 2 * PROCESSES]], chunksize=1)
    numbers = count()

    def work() -> Answer:
        number = next(numbers)
        found = pool.starmap(_run, [(number, part) for part in parts], chunksize=1)
        return Answer(sum(count for count, _ in found), sum(net for _, net in found), 0.0)

    return work


def _begin(folder: str) -> None:
    from backtests.sweep.signals import Columns
    from core.bars import BAR

    _bars[:] = [Columns.of(np.load(Path(folder) / "bars.npy").view(BAR))]


def _run(number: int, table: list[dict[str, Any]]) -> tuple[int, float]:
    """Return how many trades the sets made, and what they earned. number : of the whole run."""
    from backtests.bench.t1_signals import TERMS, T1Rule
    from backtests.sweep.signals import SignalEngine

    if number not in _engine:
        _engine.clear()
        _engine[number] = SignalEngine(T1Rule, _bars[0], TERMS)
    found = _engine[number].run(table)
    return int(found["trades"].sum()), float(found["net_profit"].sum())


if __name__ == "__main__":
    serve(prepare, "this version")
