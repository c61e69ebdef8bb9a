"""How long whole commands take, each in a new process: wall seconds, compiled code at hand."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from backtests.bench import Row, Task
from backtests.bench.session import ROOT, Session

TASKS = (
    Task("cli_help", "run.py --help", "0.4 s"),
    Task("backtest_bundled", "the bundled gold and Nifty plans without report", "6 s"),
    Task("backtest_report", "the same with its report", "15 s"),
    Task("gold_smc_command", "gold_smc with DXY on 61,574 bars, without report", "2.5 s"),
)
_PLAIN = ("backtest", "--quiet", "--no-report")


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield start-up time, the bundled backtest with and without report, and one long backtest."""
    several, runs = session.size(5, 2), session.folder / "runs"
    if "cli_help" in wanted:
        taken = _wall("--help", repeats=several)
        yield Row("cli_help", "seconds", taken, at_most=0.4, rules="run.py --help, wall")
    both = "bundled gold and Nifty plans, wall, whole process"
    if {"backtest_bundled", "backtest_report"} & wanted:
        session.tell("the bundled backtest")
        _wall(*_PLAIN, "--out", f"{runs}/first")
    if "backtest_bundled" in wanted:
        taken = _wall(*_PLAIN, "--out", f"{runs}/second")
        yield Row("backtest_bundled", "seconds", taken, at_most=6.0, rules=f"{both}, no report")
    if "backtest_report" in wanted:
        taken = _wall("backtest", "--quiet", "--out", f"{runs}/third")
        yield Row("backtest_report", "seconds", taken, at_most=15.0, rules=f"{both}, with report")
    if "gold_smc_command" in wanted:
        session.tell("gold_smc, the whole command")
        yield _gold(runs / "gold", several)


def _gold(out: Path, repeats: int) -> Row:
    """Time one backtest command on real prices, on the bundled ones where those are absent."""
    data = Path(os.environ.get("TOLA_SHARED", ROOT.parent / "shared")) / "data"
    words, note = [*_PLAIN, "gold"], "bundled prices, ../shared/data is not there; "
    bars = None
    if data.is_dir():
        words = [*_PLAIN, "gold_smc", "--instrument", "XAUUSD", "--timeframe", "15m"]
        words += ["--data", str(data / "xauusd_15m.csv.gz"), "--with", f"DXY={data}/dxy_1h.csv.gz"]
        note, bars = "", 61_574
    _wall(*words, "--out", f"{out}-first")
    spent = _children_cpu()
    taken = median(_wall(*words, "--out", f"{out}-{number}") for number in range(repeats))
    if os.name == "posix":
        note += f"{(_children_cpu() - spent) / repeats:.2f} CPU s a command"
    rules = "gold_smc with DXY, own fills, whole process from its start, wall, no report"
    return Row("gold_smc_command", "seconds", taken, at_most=2.5, rules=rules, bars=bars, note=note)


def _children_cpu() -> float:
    """Return the CPU seconds of all processes started and ended so far; 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


def _wall(*arguments: str, repeats: int = 1) -> float:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        taken.append(time.perf_counter() - began)
    return median(taken)
