"""`sweep`: what a user sees, what is left behind, and what each mistake is answered with."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.results import RunFolder

GRID = ("--grid", "rr=1.5:3:0.5", "--grid", "max_shift_bars=6,12")

CROSS = """
import backtrader as bt
class Cross(bt.Strategy):
    params = (("fast", 10), ("slow", 30), ("fail_at", 0))
    def __init__(self):
        if self.p.fast == self.p.fail_at:
            raise ValueError("fast must differ")
        print("a strategy that talks")
        fast, slow = (bt.ind.SMA(period=p) for p in (self.p.fast, self.p.slow))
        self.cross = bt.ind.CrossOver(fast, slow)
    def next(self):
        if not self.position and self.cross > 0:
            self.buy()
        elif self.position and self.cross < 0:
            self.close()
"""
PLAIN = ("--instrument", "MGC", "--data", "gold.csv", "--no-report", "--grid", "fast=5,10")


@pytest.fixture
def bars(tmp_path):
    """400 bars of a wave, and a plain strategy beside them."""
    rows = ["time,open,high,low,close,volume"]
    for k in range(400):
        day, minute = divmod(k, 80)
        price = 2000 + 10 * ((k % 50) - 25) / 25 * (1 if (k // 50) % 2 else -1)
        stamp = f"2025-03-{3 + day:02d}T{1 + minute // 12:02d}:{minute % 12 * 5:02d}:00Z"
        rows.append(f"{stamp},{price:.1f},{price + 1:.1f},{price - 1:.1f},{price:.1f},100")
    (tmp_path / "gold.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "my.py").write_text(CROSS)


def test_a_sweep_tells_the_best_and_leaves_every_combination(tola):
    said = tola("sweep", "gold", *GRID, "--objective", "net_profit")

    assert said.code == 0 and not said.err
    lines = said.out.strip().splitlines()
    assert lines[0] == ("gold  MGC (synthetic) 15m  grid: rr (4) x max_shift_bars (2)  compiled")
    assert lines[1].strip().startswith("8 combinations in ")
    assert lines[-2].startswith("report runs/0001/report.html")
    assert lines[-1].startswith("next: the best one's trades, in Backtrader: python run.py "
                                "backtest gold --set rr=")  # fmt: skip
    with Path("runs/0001/results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["rr"], row["max_shift_bars"]) for row in rows} == {
        (rr, shift) for rr in ("1.5", "2", "2.5", "3") for shift in ("6", "12")
    }
    best = max(rows, key=lambda row: float(row["net_profit"]))
    assert f"rr={best['rr']}" in lines[-1]
    assert {path.name for path in Path("runs/0001/plots").iterdir()} == {
        "by-rr.png", "by-max_shift_bars.png", "map-rr-max_shift_bars.png", "parallel.png"
    }  # fmt: skip

    listed, shown = tola("runs", "list"), tola("runs", "show", "last")
    assert "best of 8" in listed.out and shown.out.splitlines()[0] == lines[0]
    for verb in (["why", "last"], ["export", "trades"], ["verify", "last"],
                 ["runs", "compare", "last", "last"]):  # fmt: skip
        refused = tola(*verb)
        assert refused.code == 2 and "run 0001 is a sweep" in refused.error


def test_the_best_set_run_in_backtrader_gives_the_figures_of_the_sweep(tola):
    swept = json.loads(tola("sweep", "gold", *GRID, "--no-report", "--json").out)
    words = [part for name, value in swept["best"]["params"].items()
             for part in ("--set", f"{name}={value}")]  # fmt: skip

    backtest = json.loads(tola("backtest", "gold", *words, "--no-report", "--json").out)

    for name in ("trades", "net_profit", "max_drawdown_pct", "sharpe", "win_rate"):
        assert swept["best"]["figures"][name] == pytest.approx(backtest[name], rel=1e-9)


def test_json_is_one_document_with_every_combination_zero_trades_and_failures_too(tola):
    said = tola("sweep", "gold", "--grid", "max_risk=0.02,40", "--grid", "min_risk=0.01,50",
                "--no-report", "--json")  # fmt: skip

    found = json.loads(said.out)
    assert said.code == 0
    assert {"best", "results", "seconds", "combinations_per_second"} <= set(found)
    keys = {"params", "trades", "net_profit", "objective", "max_drawdown_pct"}
    assert all(keys <= set(item) for item in found["results"])
    assert [item["params"] for item in found["results"]] == [
        {"max_risk": high, "min_risk": low} for high in (0.02, 40.0) for low in (0.01, 50.0)
    ]
    assert found["results"][0]["trades"] == 0
    assert "failed" in found["results"][1] and found["results"][1]["trades"] is None
    assert found["best"]["params"] == {"max_risk": 40.0, "min_risk": 0.01}
    assert found["combinations"]["failed"] == 2 and len(found["failures"]) == 2


def test_a_plain_strategy_is_swept_in_processes_and_says_it_is_the_slow_road(tola, bars):
    said = tola("sweep", "--strategy", "my.py:Cross", *PLAIN, "--grid", "fail_at=0,5",
                "--workers", "2", "--json")  # fmt: skip

    found = json.loads(said.out)
    assert found["engine"] == "backtrader" and found["workers"] == 2
    assert any("the slow road" in note for note in found["notes"])
    assert [bool(item.get("failed")) for item in found["results"]] == [False, True, False, False]
    assert "my.py:7: ValueError: fast must differ" in found["results"][1]["failed"]
    whole = json.loads(
        tola("backtest", "--strategy", "my.py:Cross", *PLAIN[:5], "--json", "--set", "fast=10").out
    )
    assert found["results"][2]["trades"] == whole["trades"] > 0
    assert found["results"][2]["net_profit"] == whole["net_profit"]


def test_a_setup_machine_runs_in_backtrader_too_and_says_the_same(tola):
    words = ("sweep", "nifty", "--grid", "rr=1.5,2", "--no-report", "--json", "--from", "2024-11")
    compiled = json.loads(tola(*words).out)
    slow = json.loads(tola(*words, "--engine", "backtrader", "--workers", "1").out)

    assert slow["engine"] == "backtrader"
    for one, other in zip(compiled["results"], slow["results"], strict=True):
        assert one["trades"] == other["trades"] > 0
        assert one["net_profit"] == pytest.approx(other["net_profit"], abs=0.005)
        assert one["objective"] == pytest.approx(other["objective"], rel=1e-9)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gold"], "an empty grid: name what to vary"),
        (["gold", "--grid", "rrr=1,2"], "gold_smc has no parameter 'rrr'; did you mean 'rr'?"),
        (["gold", "--grid", "rr=3:1:1"], "an empty grid"),
        (["gold", *GRID, "--objective", "sharp"], "did you mean 'sharpe'?"),
        (["gold", *GRID, "--constraint", "trades"], "expected NAME>=NUMBER"),
        (["gold", *GRID, "--search", "rnd"], "--search 'rnd'"),
        (["gold", *GRID, "--workers", "0"], "--workers 0: expected 1 to "),
        (["gold", *GRID, "--workers", "100000"], "--workers 100000: expected 1 to "),
        (["gold", *GRID, "--engine", "fast"], "expected compiled or backtrader"),
        (["gold", *GRID, "--resume"], "runs holds no study; leave --resume out"),
        (GRID, "one plan is searched at a time; name one of: gold, nifty"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_leaves_nothing(words, says, tola):
    said = tola("sweep", *words)

    assert said.code == 2
    assert says in said.error
    assert not list(Path("runs").glob("*"))


def test_a_grid_of_a_thousand_million_is_refused_with_count_and_estimate(tola):
    axes = ("rr=1:10.99:0.01", "risk_pct=0.001:1:0.001", "max_losses_row=1:1000:1")

    said = tola("sweep", "gold", *(word for axis in axes for word in ("--grid", axis)))

    assert said.code == 2
    assert "the grid has 1,000,000,000 combinations, about " in said.error
    assert any(unit in said.error for unit in ("hours at", "days at"))
    assert not list(Path("runs").glob("*"))


def test_all_combinations_failing_says_why_and_names_the_first_three(tola):
    said = tola("sweep", "gold", "--grid", "min_risk=50:90:10", "--set", "max_risk=40")

    assert said.code == 1
    assert "all 5 combinations failed: min_risk=50: " in said.error
    assert said.error.count("min_risk=") >= 3 and "min_risk=80:" not in said.error
    assert not list(Path("runs").glob("*"))


def test_a_plain_strategy_cannot_be_compiled_and_is_told_what_to_do(tola, bars):
    said = tola("sweep", "--strategy", "my.py:Cross", *PLAIN, "--engine", "compiled")

    assert said.code == 2
    assert "Cross is a plain Backtrader strategy" in said.error
    assert "--engine backtrader (the slow road)" in said.error


def test_bounds_nothing_meets_are_a_result_and_exit_1(tola):
    said = tola("sweep", "gold", *GRID, "--no-report", "--min-trades", "5000")

    assert said.code == 1
    assert "no combination has trades>=5000" in said.out
    assert json.loads(Path("runs/0001/summary.json").read_text())["best"] is None
    assert said.out.rstrip().endswith(f"python run.py sweep gold {' '.join(GRID)}")
    assert tola("runs", "list").code == 0 and tola("report", "last").code == 0


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") and value]

    def handle_data(self, data):
        self.text.append(data)


def test_a_walk_forward_tells_each_window_and_the_days_out_of_sample(tola):
    said = tola("walkforward", "gold", "--grid", "rr=1:3:1", "--windows", "4", "--min-trades", "22")

    lines = said.out.strip().splitlines()
    assert said.code == 0 and not said.err
    assert lines[0] == "gold  MGC (synthetic) 15m  4 rolling windows by days, 3 sets each"
    assert [line.split()[0] for line in lines[3:7]] == ["1", "2", "3", "4"]
    assert lines[7].startswith("  out of sample: ")
    assert said.out.count("no set counted on the days before, so nothing was traded") == 1
    assert Path("runs/0001/report.html").read_text(encoding="utf-8").count("nothing chosen") == 1
    found = json.loads(tola("runs", "show", "last", "--json").out)
    assert found["mode"] == "walkforward" and found["plan_id"] == "gold"
    assert {"net_profit", "sharpe", "trades"} <= set(found["out_of_sample"])
    total = sum(window["outside"]["net_profit"] or 0.0 for window in found["windows"])
    assert found["out_of_sample"]["net_profit"] == pytest.approx(total)
    assert {path.name for path in Path("runs/0001/plots").iterdir()} >= {"equity.png"}
    assert "4 windows" in tola("runs", "list").out
    assert tola("report", "last").code == 0
    assert "run 0001 is a walk-forward" in tola("why", "last").error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--windows", "900"], "too little for 900 windows: the prices hold 321 trading days"),
        (["--windows", "0"], "--windows 0: expected 1 or more"),
        (["--grid", "left=2,3", "--objective", "sharp"], "did you mean 'sharpe'?"),
        (["--workers", "0"], "--workers 0: expected 1 to "),
        (
            [
                "--grid",
                "risk_pct=0.001:1:0.001",
                "--grid",
                "max_losses_row=1:251:1",
                "--windows",
                "2",
                "--train",
                "3",
                "--test",
                "2",
            ],
            "the grid has 502,000 combinations, each for 2 windows, about ",
        ),
    ],
)
def test_a_walk_forward_that_cannot_be_is_one_line_and_leaves_nothing(words, says, tola):
    said = tola("walkforward", "gold", "--grid", "rr=1,2", *words)

    assert said.code == 2 and says in said.error
    assert not list(Path("runs").glob("[0-9]*"))


def test_a_walk_forward_of_sets_that_all_fail_says_why(tola):
    words = ("gold", "--grid", "min_risk=50:90:10", "--set", "max_risk=40")

    said = tola("walkforward", *words)

    assert said.code == 1
    assert said.error == tola("sweep", *words).error
    assert not list(Path("runs").iterdir())


def test_a_walk_forward_in_which_no_set_meets_the_bounds_ends_as_such_a_sweep(tola):
    said = tola("walkforward", "gold", "--grid", "rr=1,2", "--windows", "2", "--min-trades", "999",
                "--no-report")  # fmt: skip

    assert said.code == 1
    assert said.out.splitlines()[-1] == (
        "next: a wider grid, without bounds: python run.py walkforward gold --grid rr=1,2 "
        "--windows 2"
    )


def test_the_page_needs_no_network_and_names_its_charts(tola):
    tola("sweep", "gold", *GRID)
    page = _Page()
    page.feed(Path("runs/0001/report.html").read_text(encoding="utf-8"))

    text = " ".join(page.text)
    assert page.tags.count("svg") == 4 and "script" not in page.tags
    assert not [link for link in page.links if not link.startswith(("#", "data:"))]
    for said in (
        "Sharpe: rr and max_shift_bars",
        "Sharpe by rr",
        "How much of it is luck",
        "bright is better",
    ):
        assert said in text
    assert RunFolder(Path("runs/0001")).is_sweep


def test_an_axis_of_many_values_is_shown_in_parts_that_hold_as_many_each(tola):
    tola("sweep", "gold", "--grid", "rr=0.5:5:0.1", "--grid", "be_at_1r")
    page = _Page()
    page.feed(Path("runs/0001/report.html").read_text(encoding="utf-8"))

    rows = re.findall(
        r"([\d.]+)–([\d.]+) \S+  \((\d+) sets\)", "\n".join(page.text).replace("\n", " ")
    )
    assert (rows[0][:2], rows[-1][1]) == (("0.5", "0.8"), "5")
    assert {int(count) for *_, count in rows} <= {6, 8}
