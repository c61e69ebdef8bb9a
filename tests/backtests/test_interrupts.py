"""Ctrl-C, sent for real to a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backtests.interrupts import listening
from tests.cli import market

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")

SLEEPER = market.EVERY_TENTH.replace(
    "    def next(self):\n",
    """\
    def __init__(self):
        import os, pathlib
        self.count = pathlib.Path("runs-begun")
        self.count.write_text(self.count.read_text() + "x" if self.count.exists() else "x")
        if {when} == 0:
            self.sleep()

    def sleep(self):
        import pathlib, time
        pathlib.Path("ready").write_text("")
        for _ in range(4000):
            time.sleep(0.005)
            if pathlib.Path("go").exists():
                break

    def next(self):
        if len(self.count.read_text()) == {run} and len(self) >= {when}:
            self.sleep()
""",
)


@pytest.fixture
def asleep(tmp_path):
    """Start a backtest with a band that sleeps in its given run from the given bar on."""
    market.write(tmp_path / "XAUUSD_M15.csv")
    started = []

    def start(run, when):
        source = SLEEPER.replace("{run}", str(run)).replace("{when}", str(when))
        (tmp_path / "my.py").write_text(source)
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), "backtest", "--strategy", "my.py:EveryTenth",
             "--data", "XAUUSD_M15.csv", "--band", "--intrabar", "nearest",
             "--no-report"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        until = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.02)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize(("hits", "apart"), [(1, 0.0), (2, 0.05), (4, 0.05), (60, 0.002), (9, 0.2)])
def test_ctrl_c_in_the_band_keeps_the_finished_run(asleep, tmp_path, hits, apart):
    process = asleep(run=2, when=50)

    for _ in range(hits):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(apart)
    (tmp_path / "go").touch()  # the bar at hand ends, which a first Ctrl-C waits for
    code, out, err = ended(process)

    summary = json.loads((tmp_path / "runs/0001/summary.json").read_text())
    assert (code, err) == (0, "")
    assert summary["interrupted"] is False
    assert summary["bars"] == 200
    assert summary["band"] is None
    assert "no band: its further runs were interrupted" in out


def test_ctrl_c_before_the_first_bar_ends_at_once_and_says_so(asleep, tmp_path):
    process = asleep(run=1, when=0)

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    code, out, err = ended(process)

    assert time.monotonic() - began < 5
    assert (code, out, err) == (1, "", "interrupted: nothing was kept\n")
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.skipif(os.name == "nt", reason="no process there can send itself Ctrl-C")
def test_ctrl_c_while_the_program_is_imported_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
        "raise ImportError('gone on')\n"
    )
    words = [sys.executable, str(ROOT / "run.py"), "backtest"]

    done = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path, check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "interrupted: nothing was kept\n"


def test_ctrl_c_that_a_library_makes_an_error_of_its_own_is_still_ctrl_c():
    with pytest.raises(KeyboardInterrupt), listening():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as heard:
            raise ValueError("Invalid bounding box") from heard

    with pytest.raises(ValueError, match="of its own"), listening():
        raise ValueError("of its own")
