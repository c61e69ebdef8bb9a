"""`runs compare` and `runs list` from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.run_samples import make_runs
from tests.cli.test_next_step import parses


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_runs(folder)
    return folder


@pytest.fixture
def runs(made, tmp_path):
    """The finished runs, in the working folder; a test may damage them."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    return tmp_path / "runs"


def compared(tola, *words):
    said = tola("runs", "compare", *words, "--no-report", "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_settings_that_differ_come_first_then_figures_with_their_change(tola, runs):
    said = tola("runs", "compare", "1", "2", "--no-report")

    lines = said.out.splitlines()
    differing = next(i for i, line in enumerate(lines) if line.startswith("what differs"))
    figures = next(i for i, line in enumerate(lines) if line.startswith("figures"))
    assert lines[0] == "0001 (base) against 0002"
    assert lines[differing + 1].split() == ["params.hold", "-", "14"]
    assert lines[differing + 2] == ""
    assert differing < figures
    assert lines[figures].split() == ["figures", "0001", "0002", "change"]
    assert lines[figures + 3].split()[:4] == ["net", "profit", "+80,143", "INR"]
    assert "-43,058 INR" in lines[figures + 3]


def test_figures_are_the_summaries_and_changes_their_differences(tola, runs):
    (plan,) = compared(tola, "1", "2")["plans"]
    summaries = [json.loads((runs / n / "summary.json").read_text()) for n in ("0001", "0002")]

    figures = {row["name"]: row for row in plan["figures"]}

    for name in ("trades", "net_profit", "max_drawdown_pct", "expectancy_r"):
        before, after = (summary[name] for summary in summaries)
        assert figures[name]["values"] == [before, after]
        assert figures[name]["changes"] == pytest.approx([0.0, after - before])


def test_trades_are_matched_by_entry_bar_and_side(tola, runs):
    ((pair,),) = [plan["pairs"] for plan in compared(tola, "1", "2")["plans"]]
    tables = [pd.read_csv(runs / n / "trades.csv") for n in ("0001", "0002")]
    keys = [set(zip(table["entry_bar"], table["side"], strict=True)) for table in tables]

    assert pair["both"] == len(keys[0] & keys[1])
    assert pair["only_base"] == len(keys[0] - keys[1])
    assert pair["only_other"] == len(keys[1] - keys[0])
    assert pair["differing"] == pair["differing_exit"] == 7
    assert pair["differing_quantity"] == 0
    for row in pair["trades_differing"]:
        assert row["base"]["entry_bar"] == row["other"]["entry_bar"]
        assert "exit_time" in row["differs"]


def test_mean_change_of_common_trades_is_the_mean_of_their_differences(tola, runs):
    ((pair,),) = [plan["pairs"] for plan in compared(tola, "1", "2")["plans"]]
    one, two = (pd.read_csv(runs / n / "trades.csv") for n in ("0001", "0002"))
    both = one.merge(two, on=["entry_bar", "side"])

    found = pair["common_trades"]

    assert found["unit"] == "R"
    assert found["mean"] == pytest.approx((both["r_multiple_y"] - both["r_multiple_x"]).mean())
    assert found["ci95"] is None
    assert found["shows"] == "too few to tell"


def test_a_run_against_itself_made_again_shows_no_difference(tola, runs):
    shutil.copytree(runs / "0005", runs / "0008")

    said = tola("runs", "compare", "5", "8", "--no-report")
    ((pair,),) = [plan["pairs"] for plan in compared(tola, "5", "8")["plans"]]

    assert "nothing differs in settings, parameters, data or code" in said.out
    assert pair["differing"] == pair["only_base"] == pair["only_other"] == 0
    assert pair["common_trades"]["shows"] == pair["days"]["shows"] == "no difference at all"


def test_a_difference_is_shown_with_its_interval_only_where_it_is_clear(tola, runs):
    shutil.copytree(runs / "0005", runs / "0008")
    trades = pd.read_csv(runs / "0008" / "trades.csv")
    trades["r_multiple"] += 0.5 + trades.index % 3 / 100
    trades.to_csv(runs / "0008" / "trades.csv", index=False)

    ((better,),) = [plan["pairs"] for plan in compared(tola, "5", "8")["plans"]]
    ((worse,),) = [plan["pairs"] for plan in compared(tola, "8", "5")["plans"]]

    low, high = better["common_trades"]["ci95"]
    assert 0.5 < low < better["common_trades"]["mean"] < high < 0.52
    assert better["common_trades"]["shows"] == "better than the base"
    assert worse["common_trades"]["shows"] == "worse than the base"


def test_runs_of_different_length_are_compared_where_both_were(tola, runs):
    document = compared(tola, "1", "6")
    ((pair,),) = [plan["pairs"] for plan in document["plans"]]
    trades = pd.read_csv(runs / "0001" / "trades.csv")

    assert any("cover different times" in note for note in document["notes"])
    assert any("starting cash differs" in note for note in document["notes"])
    assert pair["both"] + pair["only_base"] == (trades["entry_bar"] >= "2025-03-04").sum()


def test_money_of_two_currencies_needs_a_rate(tola, runs):
    without = tola("runs", "compare", "1", "3", "--no-report")
    (plan,) = compared(tola, "1", "3", "--fx", "USDINR=83.123457")["plans"]

    figures = {row["name"]: row["values"] for row in plan["figures"]}
    assert without.code == 2
    assert without.error.endswith("without a rate; give one: --fx USDINR=RATE")
    assert figures["net_profit"][1] == pytest.approx(figures["net_profit"][0])
    assert plan["pairs"][0]["differing"] == 0


def test_each_plan_finds_its_own_and_the_rest_are_named(tola, runs):
    document = compared(tola, "4", "1")

    assert [plan["plan"] for plan in document["plans"]] == ["gold"]
    assert document["notes"] == [
        "0004: nifty, metal has no partner in every run and is left out",
        "gold: equity and days are those of the whole account, which in 0004 trades other plans "
        "too",
    ]


def test_the_page_and_the_picture_stand_alone(tola, runs):
    said = tola("runs", "compare", "1", "2", "7", "--out", "seen")

    page = Path("seen/compare.html").read_text()
    assert said.code == 0
    assert "wrote seen/compare.html" in said.out
    assert "2 runs against one base" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert page.count('"label"') == 3
    assert Path("seen/equity.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in Path("seen").iterdir()) == ["compare.html", "equity.png"]


def test_names_cannot_break_the_page(tola, runs):
    evil = runs.parent / "a<b>&"
    shutil.copytree(runs / "0002", evil / "</script>")

    said = tola("runs", "compare", "1", str(evil / "<"), "--out", "seen")

    assert said.code == 2
    shutil.move(evil / "<", evil / "<i>")
    said = tola("runs", "compare", "1", str(evil / "<i>" / "script>"), "--out", "seen")
    assert said.code == 0
    assert Path("seen/compare.html").read_text().count("</script>") == 2


WRONG = {
    "twice": (["1", "0001"], 2, "run 0001 is named twice: name another run"),
    "alone": (["1"], 2, "one run is no comparison: name two or more"),
    "unknown": (["1", "99"], 2, "unknown run '99'"),
    "market": (["1", "5"], 1, "share no instrument (0001: XAUUSD; 0005: NIFTY-FUT)"),
    "time": (["6", "7"], 1, "no time in common (0006: 2025-03-04 to 2025-03-05; 0007"),
    "rate": (["1", "3", "--fx", "83"], 2, "--fx 83: expected PAIR=RATE, such as USDINR=83.5"),
    "no rate": (["1", "2", "--fx", "USDINR=-1"], 2, "--fx USDINR=-1: expected PAIR=RATE"),
    "unfinished": (["1", "half/run"], 2, "half/run: holds no summary.json"),
    "cut off": (["1", "8"], 2, "runs/0008: holds no summary.json; it is no run, or one that"),
    "broken": (["1", "half/broken"], 2, "summary.json: not valid JSON"),
    "no trades": (["1", "half/bare"], 1, "trades.csv: is missing; make the run again"),
    "out": (["1", "2", "--out", "file/here"], 2, "file/here: cannot be made"),
}


@pytest.mark.parametrize("case", WRONG)
def test_runs_that_cannot_be_compared_get_one_line_with_the_remedy(tola, runs, case):
    words, code, text = WRONG[case]
    Path("file").write_text("")
    Path("half/run").mkdir(parents=True)
    Path("runs/0008").mkdir()
    shutil.copytree(runs / "0002", "half/broken")
    Path("half/broken/summary.json").write_text('{"plans": [')
    shutil.copytree(runs / "0002", "half/bare")
    Path("half/bare/trades.csv").unlink()

    said = tola("runs", "compare", *words)

    assert said.code == code
    assert text in said.error
    assert not list(runs.glob("compare-*"))


def test_a_plan_named_by_digits_keeps_its_zeros(tola, runs):
    for name in ("0001", "0002"):
        for file in ("run.json", "summary.json", "trades.csv"):
            path = runs / name / file
            path.write_text(path.read_text().replace('"gold"', '"01"').replace(",gold,", ",01,"))

    ((pair,),) = [plan["pairs"] for plan in compared(tola, "1", "2")["plans"]]

    assert pair["both"] == 7


def test_runs_without_trades_are_compared(tola, runs):
    for name in ("0001", "0002"):
        path = runs / name / "trades.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")

    ((pair,),) = [plan["pairs"] for plan in compared(tola, "1", "2")["plans"]]

    assert pair["both"] == pair["only_base"] == 0
    assert pair["common_trades"] is None


def test_the_list_is_sorted_with_the_best_last(tola, runs):
    document = json.loads(tola("runs", "list", "--sort", "net", "--json").out)
    said = tola("runs", "list", "--sort", "net", "--last", "2")

    returns = [row["return_pct"] for row in document["runs"]]
    assert returns[0] is None  # two accounts have no one return
    assert returns[1:] == sorted(returns[1:])
    assert document["runs"][0]["verdict"]  # but R has no currency
    assert said.out.splitlines()[0].split()[:3] == ["run", "plans", "from"]
    assert len(said.out.splitlines()) == 4
    assert tola("runs", "list", "--sort", "nett").error.startswith("error: --sort 'nett'; did you")
    assert tola("runs", "list", "--last", "0").code == 2


@pytest.mark.parametrize("given", ["USDINR=-1", "USDINR=0", "USDINR=nan", "USD=3", "USDINR"])
def test_a_rate_that_is_none_is_refused(tola, runs, given):
    said = tola("runs", "compare", "1", "3", "--no-report", "--fx", given)

    assert said.code == 2
    assert said.error == f"error: --fx {given}: expected PAIR=RATE, such as USDINR=83.5"


def test_money_of_several_currencies_is_not_added_up(runs):
    summary = json.loads((runs / "0004" / "summary.json").read_text())

    assert len({account["currency"] for account in summary["accounts"]}) == 2
    assert summary["totals"]["longest_losing_streak"]["trades"] > 0
    assert summary["totals"]["longest_losing_streak"]["pnl"] is None


def test_a_broken_run_does_not_hide_the_others(tola, runs):
    (runs / "0003" / "summary.json").write_text("{}")
    (runs / "0004" / "summary.json").write_text("{")
    for name in ("0006", "0007"):
        (runs / name / "summary.json").write_text("[]")

    said = tola("runs", "list")

    assert said.code == 0
    assert "0003" in said.out
    assert "summary.json lacks 'plans'" in said.out
    assert "not valid JSON" in said.out
    assert said.out.endswith("next: python run.py runs compare 0002 0005\n")


@pytest.mark.parametrize("words", ["runs show 3", "runs compare 1 3", "why 3", "report 3"])
@pytest.mark.parametrize("held", ["{}", "[]", '{"plans": 5, "accounts": []}'])
def test_a_summary_that_is_none_is_told_in_one_line(tola, runs, words, held):
    (runs / "0003" / "summary.json").write_text(held)

    said = tola(*words.split())

    assert said.code == 2
    assert "summary.json lacks 'plans'; make the run again" in said.error


@pytest.mark.parametrize("words", ["compare 1 2", "compare -7 -6 --no-report", "list --last 1"])
def test_the_next_line_ends_with_a_command_that_parses(tola, runs, words):
    parses(tola("runs", *words.split()).out.splitlines()[-1])
