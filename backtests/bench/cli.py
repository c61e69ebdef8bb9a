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
        runs = (f"--out={Path(folder) / name}" for name in "abcdef")
        plain = lambda: _wall("backtest", "--no-report", "--quiet", next(runs))  # noqa: E731
        plain()
        both = "bundled gold and Nifty plans, wall, whole process"
        yield Row("backtest_bundled", "seconds", plain(), target=6.0, rules=f"{both}, no report")
        full = _wall("backtest", "--quiet", next(runs))
        yield Row("backtest_report", "seconds", full, target=15.0, rules=f"{both}, with report")


def _wall(*arguments: str, repeats: int = 1) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "run.py", *arguments], cwd=ROOT, check=True, capture_output=True
        )
        taken.append(time.perf_counter() - began)
    return median(taken)
