"""`audit` and `odds` from the command line: what they print, write, refuse."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LEAKING = """\
import backtrader as bt


class Leaking(bt.Strategy):
    params = (("size", 1),)

    def next(self):
        try:
            rises = self.data.close[1] > self.data.close[0]
        except IndexError:
            return
        if rises and not self.position:
            self.buy(size=self.p.size)
        elif not rises and self.position:
            self.close()
"""


@pytest.fixture
def gold(tmp_path):
    """A file of 400 bars in the working folder."""
    with gzip.open(ROOT / "data" / "xauusd_15m_synthetic.csv.gz", "rt") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        (tmp_path / "gold.csv").write_text("".join(next(lines) for _ in range(401)))
    (tmp_path / "my.py").write_text(LEAKING)
    return ("--data", "gold.csv", "--instrument", "XAUUSD", "--tz", "UTC")


def test_audit_fails_with_the_line_and_the_first_bar(tola, gold):
    said = tola("audit", "my.py:Leaking", *gold, "--json")

    told = json.loads(said.out)
    found = told["findings"][0]
    assert said.code == 1
    assert (found["place"], found["kind"]) == ("my.py:9", "decision")
    assert found["bar"].startswith("2024-01-0")
    assert told["one_bar_late"]["profit_factor"] < told["before"]["profit_factor"]
    assert json.loads(Path(told["files"]["audit"]).read_text())["clean"] is False
    assert Path(told["files"]["report"]).is_file()
    assert told["next"].startswith("mend what was found, then: python run.py audit my.py:Leaking")


def test_audit_passes_an_honest_strategy_and_leads_on(tola, gold):
    said = tola("audit", "tutorial", *gold, "--cuts", "3", "--no-report")

    assert said.code == 0, said.err
    assert said.out.startswith("PASS  400 prefixes, no reading rewritten; 3 files cut short")
    assert "one bar late: profit factor" in said.out.splitlines()[0]
    step = said.out.splitlines()[-1]
    assert step.startswith("next: python run.py live tutorial --data gold.csv")
    assert "--no-report" not in step and "--cuts" not in step
    assert not Path("runs/audit-tutorial/report.html").exists()


def test_audit_is_told_again_in_the_folder_of_its_plan(tola, gold):
    tola("audit", "my.py:Leaking", *gold, "--no-report")
    Path("my.py").write_text(LEAKING.replace("close[1]", "close[0]"))

    said = tola("audit", "my.py:Leaking", *gold, "--no-report")

    assert said.code == 0
    assert json.loads(Path("runs/audit-Leaking/audit.json").read_text())["clean"] is True
    assert tola("runs", "list", "--json").code == 0


def test_odds_of_a_run_are_the_same_for_the_same_seed(tola, gold):
    tola("backtest", "my.py:Leaking", *gold, "--no-report")
    asked = ("odds", "--paths", "500", "--days", "40", "--json")

    one, again, other = tola(*asked), tola(*asked), tola(*asked, "--seed", "3")

    told = json.loads(one.out)
    assert one.code == 0, one.err
    assert one.out == again.out != other.out
    assert {"topstep_50k", "gold_bot"} <= told["accounts"].keys()
    for row in told["accounts"].values():
        ends = [row["chances"][name]["p"] for name in ("passed", "failed", "unfinished")
                if name in row["chances"]]  # fmt: skip
        assert sum(ends) == pytest.approx(1.0)
    low, high = told["ruin"]["ci95"]
    assert low <= told["ruin"]["p"] <= high
    assert [Path(path).stem for path in told["files"]["plots"]] == ["paths", "order", "accounts"]
    assert "perturbed" in told["notes"][0]


def test_odds_run_a_plan_first_and_move_its_prices(tola):
    said = tola("odds", "gold", "--paths", "500", "--perturb", "2", "--no-report", "--json")

    told = json.loads(said.out)
    assert said.code == 0, said.err
    assert told["stress"][-1]["paths"] == 2
    assert told["sizes"] == "follow equity"
    assert told["accounts"]["topstep_50k"]["cash"] == 50_000.0


def test_odds_of_the_last_run_are_of_the_last_that_holds_trades(tola, gold):
    tola("backtest", "my.py:Leaking", *gold, "--no-report")
    _searched(Path("runs/0002"))

    for words in ((), ("last",)):
        said = tola("odds", *words, "--paths", "100", "--no-report")
        assert said.out.rstrip().endswith("python run.py runs show 0001"), said.err
    assert "run 0002 is a sweep" in tola("odds", "-1").error


def test_odds_change_nothing_of_a_run_that_was_made(tola, gold):
    tola("backtest", "my.py:Leaking", *gold, "--no-report")

    said = tola("odds", "last", "--set", "size=2")

    assert said.code == 2
    assert "--set: run 0001 stays as it was made" in said.error


def test_a_strategy_that_fails_before_its_first_bar_is_named_by_an_audit(tola, gold):
    begun = "    def __init__(self):\n        raise ValueError(self.p.size)\n\n    def next"
    Path("my.py").write_text(LEAKING.replace("    def next", begun))

    said = tola("audit", "my.py:Leaking", *gold)

    assert said.code == 1
    assert "my.py:8: ValueError: 1 (plan Leaking, before the first bar)" in said.error


def _searched(folder):
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"mode": "sweep", "plans": [], "accounts": []}')


def test_odds_of_a_sweep_are_refused(tola):
    _searched(Path("runs/0001"))

    said = tola("odds", "last")

    assert said.code == 2
    assert "run 0001 is a sweep: it holds no run's trades" in said.error


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("odds",), "holds 0 runs"),
        (("odds", "gold", "--paths", "5"), "--paths 5: expected 100 to 1,000,000"),
        (("odds", "gold", "--preset", "topstep_5k"), "did you mean 'topstep_50k'"),
        (("odds", "gold", "nifty"), "odds take one run or plan"),
        (("audit",), "an audit takes one plan at a time; name one of: gold, nifty"),
        (("odds", "gold", "--paths", "1000000", "--days", "5000"), "5,000,000,000 days in all"),
        (("odds", "some/folder"), "some/folder"),
        (("audit", "gold", "--cuts", "0"), "--cuts 0: expected 1 or more"),
        (("audit", "gold", "--seed", "-1"), "--seed -1: expected 0 or more"),
        (("audit", "golf"), "golf"),
    ],
)
def test_wrong_words_are_one_clear_line(tola, words, part):
    said = tola(*words)

    assert said.code == 2
    assert part in said.error
