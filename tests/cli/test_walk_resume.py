"""`walkforward --resume`: what is done is kept, and gone on with to the same end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from backtests.walkforward.walking import Walker

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["--set", "risk_pct=2", "--objective", "net_profit", "--no-report"]
GRID = ["walkforward", "gold", "--grid", "rr=1:3:0.05", "--grid", "order_bars=4,8", *SHORT,
        "--windows", "3"]  # fmt: skip
TPE = ["walkforward", "gold", "--grid", "rr=1:4", "--grid", "left=2,3", *SHORT, "--windows", "4",
       "--search", "tpe", "--trials", "64"]  # fmt: skip


def result(folder):
    """Return what a walk-forward came to, byte for byte, without how long it took."""
    summary = json.loads((folder / "summary.json").read_text())
    told = {name: summary[name] for name in ("windows", "out_of_sample", "combinations", "plans")}
    return json.dumps(told), *(
        (folder / name).read_bytes() for name in ("windows.csv", "equity.csv")
    )


def count(path, table):
    try:
        with closing(sqlite3.connect(path)) as base:
            return base.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX's")
@pytest.mark.parametrize(
    ("words", "table"), [(TPE, "windows"), (GRID, "sets")], ids=["tpe", "grid"]
)
def test_killed_amidst_and_gone_on_with_it_ends_as_one_without_a_break(words, table, tola):
    assert tola(*words, "--out", "whole").code == 0
    child = subprocess.Popen([sys.executable, str(ROOT / "run.py"), *words, "--out", "broken"])
    study = Path("broken/walk.sqlite")
    while not count(study, table) and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not Path("broken/summary.json").exists()
    done = count(study, "windows")

    said = tola(*words, "--out", "broken", "--resume")

    assert said.code == 0, said.err
    assert result(Path("broken")) == result(Path("whole"))
    summary = json.loads(Path("broken/summary.json").read_text())
    assert 0 < summary["from_study"] < summary["combinations"]
    assert summary["from_study"] >= done * 64 * (words is TPE)
    assert f"{summary['from_study']:,} combinations stood in the study already" in said.out


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tola, tmp_path, monkeypatch):
    assert tola(*GRID).code == 0
    heard = []

    def interrupt(progress, done, total):
        if done and not heard:
            heard.append(done)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("backtests.verbs.walkforward_commands._show", interrupt)

    said = tola(*GRID)

    assert said.code == 1
    told, step = said.out.splitlines()
    sets = heard[0] // 3
    assert told == (
        f"interrupted: 0 of 3 windows finished, {sets} set{'s' * (sets > 1)} run and kept in "
        "runs/0002"
    )
    assert step == f"next: go on: python run.py {shlex.join([*GRID, '--resume'])}"
    assert not Path("runs/0002/summary.json").exists()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert tola(*GRID, "--out", "runs/0002", "--resume").code == 0
    assert result(Path("runs/0002")) == result(Path("runs/0001"))


def test_ctrl_c_before_anything_was_run_leaves_nothing(tola, monkeypatch):
    def walk(self, progress, memory, stopped):
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        raise KeyboardInterrupt

    monkeypatch.setattr(Walker, "walk", walk)

    said = tola(*GRID)

    assert (said.code, said.error) == (1, "interrupted: nothing was kept")
    assert not list(Path("runs").iterdir())


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """A folder in which a walk-forward is finished."""
    folder = tmp_path_factory.mktemp("walked")
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *GRID, "--quiet"], cwd=folder, check=False
    )
    assert done.returncode == 0
    return folder


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--set", "disp_k=0.9"], "in its settings of the strategy: disp_k="),
        (["--grid", "left=2,3"], "in its grid: "),
        (["--objective", "sharpe"], "in its objective: net_profit:max there, sharpe:max here"),
        (["--min-trades", "5"], "in its bounds: [] there, "),
        (["--windows", "2"], "in its cut into windows: "),
        (["--search", "random", "--trials", "9"], "in its search: search=grid there, random"),
        (["--to", "2025-03-20"], "in its price data: "),
        (["--no-costs"], "in its limits, costs and fill rules: costs=True there, False here"),
        (
            ["--instrument-set", "slippage_ticks=7"],
            "in its contract facts: slippage_ticks=1.0 there, 7.0 here",
        ),
        (["--cash", "5e4"], "in its cash and currency: cash=100000.0 there, 50000.0 here"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_walk_forward_of_other_things_is_refused_in_one_line(
    more, says, walked, tola, monkeypatch
):
    monkeypatch.chdir(walked)

    said = tola(*GRID, *more, "--resume")

    assert said.code == 2
    assert says in said.error and "leave --resume out" in said.error
    assert [path.name for path in Path("runs").iterdir()] == ["0001"]


def test_without_anything_to_go_on_with_it_says_so(tola):
    assert "holds no study; leave --resume out" in tola(*GRID, "--resume").error
    assert "there is no study" in tola(*GRID, "--resume", "--out", "gone").error


def test_other_workers_go_on_with_the_same_study(walked, tola, monkeypatch):
    monkeypatch.chdir(walked)
    before = result(Path("runs/0001"))

    said = tola(*GRID, "--workers", "2", "--resume")

    assert said.code == 0
    assert result(Path("runs/0001")) == before
