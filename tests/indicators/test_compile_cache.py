"""The compile cache: never a stale kernel, and no folder needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import backtrader as bt
import pandas as pd
from indicators.displacement import Displacement

rows = [[100.0, 101.0, 99.0, 100.0, 1.0]] * 5 + [[100.0, 103.1, 99.9, 103.0, 1.0]]
names = ["open", "high", "low", "close", "volume"]
index = pd.date_range("2024-01-01", periods=6, freq="h")
cerebro = bt.Cerebro(stdstats=False)
cerebro.adddata(bt.feeds.PandasData(dataname=pd.DataFrame(rows, columns=names, index=index)))
cerebro.addindicator(Displacement, atr_period=2, disp_k=1.0)
strategy = cerebro.run()[0]
print(strategy.getindicators()[0].lines.displacement.array[5])
"""

ROUND = """
import sys
from core.prices import round_down

try:
    round_down(1.0, 0.0)
except ZeroDivisionError:
    print(round_down(100.27, 0.1), "numba.np.arraymath" in sys.modules)
"""


@pytest.fixture
def tree(tmp_path):
    """A copy of the packages that kernels live in."""
    for package in ("core", "indicators"):
        shutil.copytree(
            ROOT / package,
            tmp_path / "tree" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return tmp_path / "tree"


def run_once(tree, cache, program=PROGRAM):
    environment = {**os.environ, "PYTHONPATH": str(tree), "TOLA_CACHE_DIR": str(cache)}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_leaf_changed_in_another_module_changes_once(tree, tmp_path):
    # True ranges of 2, so ATR(2) is 2 and a body of 3 is a displacement; with ranges doubled by
    # the edited leaf it is none.
    before = run_once(tree, tmp_path / "cache")
    leaf = tree / "indicators" / "atr.py"
    text = leaf.read_text()
    leaf.write_text(text.replace("return max(high - low,", "return 2.0 * max(high - low,"))
    after = run_once(tree, tmp_path / "cache")

    assert leaf.read_text() != text
    assert list((tmp_path / "cache").rglob("displacement.run*.nbi"))
    assert (float(before.stdout), float(after.stdout)) == (1.0, 0.0)


def test_what_is_compiled_already_runs_and_raises_without_preparing_the_compiler(tree, tmp_path):
    cold = run_once(tree, tmp_path / "cache", ROUND)
    warm = run_once(tree, tmp_path / "cache", ROUND)

    assert cold.stdout.split() == ["100.2", "True"]
    assert warm.stdout.split() == ["100.2", "False"]


def test_without_a_writable_cache_folder_it_works_and_warns_once(tree, tmp_path):
    blocked = tmp_path / "a_file"
    blocked.write_text("no folder can be made below a file")

    run = run_once(tree, blocked)

    assert float(run.stdout) == 1.0
    assert run.stderr.count("compiled kernels are not cached") == 1
    assert not list(tree.rglob("*.nbi"))
