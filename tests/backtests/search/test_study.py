"""A study keeps all that was done, survives any death, and refuses what is not its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from backtests.search.objective import METRICS
from backtests.search.runners import Record
from backtests.search.study import IDENTITY, Study
from backtests.verbs.commands import ROOT
from core.errors import ConfigError, TolaError

MINE = {**dict.fromkeys(IDENTITY, "x"), "settings": {"rr": 2.0, "left": 3}, "format": 1}
FIGURES = [0.1 + place for place in range(len(METRICS))]
NO_TRADE = [0.0] + [None] * (len(METRICS) - 1)


def test_figures_come_back_to_the_last_bit_also_none_zero_and_faults(tmp_path):
    sets = [{"rr": 0.1 + 0.2, "patterns": ("a", "b")}, {"rr": 2}, {"rr": 3}]
    records = [Record(FIGURES), Record(NO_TRADE), Record(None, "rr=3: not allowed")]

    with Study(tmp_path / "s.sqlite", MINE) as study:
        study.keep(sets, records)
    with Study(tmp_path / "s.sqlite", MINE) as study:
        found = [study.find(given) for given in sets]
        other = study.find({"rr": 0.3, "patterns": ("a", "b")})

    assert [list(item.figures) for item in found[:2]] == [FIGURES, NO_TRADE]
    assert (found[2].figures, found[2].fault) == (None, "rr=3: not allowed")
    assert other is None


def test_the_order_of_parameters_does_not_matter(tmp_path):
    with Study(tmp_path / "s.sqlite", MINE) as study:
        study.keep([{"a": 1, "b": 2}], [Record(FIGURES)])

    with Study(tmp_path / "s.sqlite", MINE) as study:
        assert study.find({"b": 2, "a": 1}) is not None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"strategy": "nifty_smc"}, "differs in its strategy: x there, nifty_smc here"),
        ({"data": "y"}, "differs in its price data: x there, y here"),
        ({"settings": {"rr": 2.5, "left": 3}}, "settings of the strategy: rr=2.0 there, 2.5 here"),
        ({"code": "z"}, "differs in its version of Tola"),
    ],
)
def test_a_study_of_other_things_is_refused_in_one_line(changed, says, tmp_path):
    Study(tmp_path / "s.sqlite", MINE).close()

    with pytest.raises(ConfigError) as raised:
        Study(tmp_path / "s.sqlite", {**MINE, **changed})

    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_no_study_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_text("not a database, but long enough to look at" * 10)

    with pytest.raises(ConfigError, match="is no study"):
        Study(path, MINE)

    assert path.read_text().startswith("not a database")


WRITER = """
import sys
from backtests.search.runners import Record
from backtests.search.study import Study
from tests.backtests.search.test_study import FIGURES, MINE
study = Study(__import__("pathlib").Path(sys.argv[1]), MINE)
for batch in range(10**6):
    study.keep([{"a": batch * 50 + k} for k in range(50)], [Record(FIGURES)] * 50)
    print(batch, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX's")
def test_kill_9_loses_nothing_that_was_done(tmp_path):
    path = tmp_path / "s.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    told = [writer.stdout.readline() for _ in range(10)]
    writer.send_signal(signal.SIGKILL)
    told += writer.stdout.readlines()
    writer.wait()

    with Study(path, MINE) as study:
        last = int(told[-1])
        assert len(study) % 50 == 0
        assert len(study) >= 50 * (last + 1)
        assert study.find({"a": last * 50 + 49}) is not None


def test_a_disk_that_is_full_is_told_with_the_remedy(tmp_path):
    with Study(tmp_path / "s.sqlite", MINE) as study:
        study.keep([{"a": 1}], [Record(FIGURES)])
        study._base.execute("PRAGMA max_page_count = 8")

        with pytest.raises(TolaError, match=r"results cannot be kept .*--resume"):
            for batch in range(1000):
                study.keep([{"a": batch, "b": k} for k in range(50)], [Record(FIGURES)] * 50)

    base = sqlite3.connect(tmp_path / "s.sqlite")
    assert base.execute("SELECT COUNT(*) FROM sets").fetchone()[0] % 50 == 1
