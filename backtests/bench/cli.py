"""How long the command line takes to start, and a whole bundled backtest."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from backtests.bench import Row

ROOT = Path(__file__).resolve().parents[2]


def measure() -> Iterator[Row]:
    """Yield the start-up time and the bundled backtest with and without reports (wall seconds)."""
    yield Row("cli_help", "seconds", _wall("--help", repeats=5), target=0.4, rules="run.py --help")
    with tempfile.TemporaryDirectory() as folder:
        both = "bundled gold and Nifty plans, wall, whole process"
        plain = ("backtest", "--quiet", "--no-report", "--out")
        _wall(*plain, f"{folder}/first")
        taken = _wall(*plain, f"{folder}/second")
        yield Row("backtest_bundled", "seconds", taken, target=6.0, rules=f"{both}, no report")
        taken = _wall("backtest", "--quiet", "--out", f"{folder}/third")
        yield Row("backtest_report", "seconds", taken, target=15.0, rules=f"{both}, with report")


def _wall(*arguments: str, repeats: int = 1) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "run.py", *arguments], cwd=ROOT, check=True, capture_output=True
        )
        taken.append(time.perf_counter() - began)
    return median(taken)
