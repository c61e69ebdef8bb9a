"""One entrant of a race, in its own process: read a job, run it several times, write what came.

A job is a JSON file {data, options, repeats, warm_up, started}; the answer is an npz file of trades
and a JSON file of times and memory beside it. All libraries' processes use this very code, so the
clock starts and stops at the same places: from prices in memory (a DataFrame, our bars) to
finished trades. Importing and reading files lie outside; they count in `cold_secs` alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

TRADE_COLUMNS = ("entry_bar", "entry_price", "exit_bar", "exit_price", "pnl", "pnlcomm")
"""What two runs are compared by; bars count from 0, money is float64 as the library gave it."""


@dataclass
class Answer:
    """What one run of a library came to.

    trades : columns of equal length, as many of TRADE_COLUMNS as the library tells.
    pnl : profit of all closed trades net of commission. final : the account's value at the end.
    note : what else a reader of the figures should know.
    """

    count: int
    pnl: float
    final: float
    trades: dict[str, Any] = field(default_factory=dict)
    note: str = ""


Prepare = Callable[[Path, dict[str, Any]], Callable[[], Answer]]
"""Takes the folder with the prices and the options; returns the work that is timed."""


def serve(prepare: Prepare, version: str) -> None:
    """Run the job named on the command line."""
    place = Path(sys.argv[1])
    job = json.loads(place.read_text(encoding="utf-8"))
    if job["warm_up"]:
        prepare(Path(job["warm_up"]), job["options"])()
    work = prepare(Path(job["data"]), job["options"])
    before = current_megabytes()
    forget_peak()
    runs = []
    for number in range(job["repeats"]):
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        answer = work()
        runs.append({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
        if number == 0:
            cold, peak = time.time() - job["started"], peak_megabytes()
            np.savez(place.with_suffix(".npz"), **answer.trades)
            told = {name: getattr(answer, name) for name in ("count", "pnl", "final", "note")}
        del answer
    grown = None if before is None or peak is None else peak - before
    report = {**told, "version": version, "runs": runs, "cold_secs": cold, "grown_mb": grown}
    place.with_suffix(".answer.json").write_text(json.dumps(report), encoding="utf-8")


def columns_of(folder: Path) -> dict[str, Any]:
    """Return the prices as plain columns: start (ns UTC), open, high, low, close, volume."""
    with np.load(folder / "columns.npz") as stored:
        return {name: stored[name] for name in stored.files}


def frame_of(folder: Path) -> Any:
    """Return the prices as a DataFrame with Open, High, Low, Close, Volume and their starts."""
    import pandas as pd

    columns = columns_of(folder)
    index = pd.to_datetime(columns.pop("start"))
    return pd.DataFrame({name.title(): column for name, column in columns.items()}, index=index)


def current_megabytes() -> float | None:
    """Return the memory this process holds now; None where the system doesn't say."""
    return _status("VmRSS")


def peak_megabytes() -> float | None:
    """Return the most memory this process held since `forget_peak`; None where unknown."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Begin a new high-water mark of memory, so that reading the prices doesn't count."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _status(name: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return None
