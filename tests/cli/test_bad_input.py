"""Bad input: one clear line naming what is wrong, the right exit code, nothing written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli import market


@pytest.fixture
def run_on(tola, tmp_path):
    """Run a plain strategy on a price file of this name."""
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)

    def call(name, *more):
        words = ["--strategy", "my.py:EveryTenth", "--data", name, "--instrument", "XAUUSD"]
        said = tola("backtest", *words, "--no-report", *more)
        assert said.out == ""
        assert not Path("runs").exists() or not list(Path("runs").iterdir())
        return said

    return call


def changed(row, column, value):
    table = market.rows()
    table[row][column] = value
    return table


def swapped():
    table = market.rows()
    table[40], table[41] = table[41], table[40]
    return table


def doubled():
    table = market.rows()
    table.insert(41, table[40])
    return table


def mixed_zones():
    table = market.rows()
    for row in table[100:]:
        row[0] += "+05:30"
    return table


FAULTY_ROWS = {
    "text in a price": (changed(9, 2, "n/a?"), 11, "n/a?"),
    "NaN": (changed(9, 4, "nan"), 11, "close"),
    "a negative price": (changed(9, 3, "-1"), 11, "-1"),
    "a price of zero": (changed(9, 3, "0"), 11, "0"),
    "high below low": (changed(9, 2, "2000"), 11, "2000"),
    "close outside the range": (changed(9, 4, "3500"), 11, "3500"),
    "unsorted stamps": (swapped(), 43, ""),
    "a stamp twice": (doubled(), 43, ""),
    "mixed zones": (mixed_zones(), 102, ""),
    "a stamp that is none": (changed(9, 0, "yesterday"), 11, "yesterday"),
}


@pytest.mark.parametrize(("table", "line", "value"), FAULTY_ROWS.values(), ids=FAULTY_ROWS)
def test_a_faulty_row_names_file_line_and_value(run_on, tmp_path, table, line, value):
    market.write(tmp_path / "gold.csv", table)

    said = run_on("gold.csv")

    assert said.code == 1
    assert said.error.startswith(f"error: gold.csv:{line}: ")
    assert value in said.error


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\xff" * 400, "gold.csv"),
        (market.text([]).encode(), "gold.csv"),
        (market.text(market.rows(1)).encode(), "holds one row, so the timeframe is unknown"),
    ],
    ids=["empty", "binary", "header only", "one row"],
)
def test_a_file_that_is_no_price_file_says_why(run_on, tmp_path, content, words):
    (tmp_path / "gold.csv").write_bytes(content)

    said = run_on("gold.csv")

    assert said.code == 1
    assert "gold.csv" in said.error
    assert words in said.error


def test_an_unknown_form_is_shown_with_what_was_expected_and_the_flag(run_on, tmp_path):
    text = market.text(market.rows(), "datetime,open,high,low,settle,x")
    (tmp_path / "gold.csv").write_text(text)

    said = run_on("gold.csv")

    assert said.code == 1
    first, *shown = said.err.splitlines()
    assert first.startswith("error: gold.csv:1: missing column close")
    assert shown[1].strip() == "line 1: datetime,open,high,low,settle,x"
    assert "a stamp, open, high, low, close" in said.err
    assert "--columns close=settle" in said.err


def test_a_file_whose_name_tells_no_instrument_names_the_flag(tola, tmp_path):
    market.write(tmp_path / "prices.csv")

    said = tola("data", "check", "prices.csv")

    assert said.code == 2
    assert "name it with --instrument" in said.error


def test_a_missing_file_is_named(run_on):
    said = run_on("nowhere.csv")

    assert said.code == 1
    assert "nowhere.csv" in said.error


def test_a_truncated_archive_is_named(run_on, tmp_path):
    whole = gzip.compress(market.text(market.rows()).encode())
    (tmp_path / "gold.csv.gz").write_bytes(whole[: len(whole) // 2])

    said = run_on("gold.csv.gz")

    assert said.code == 1
    assert "gold.csv.gz" in said.error


def test_a_timeframe_finer_than_the_file_says_what_the_file_has(run_on, tmp_path):
    market.write(tmp_path / "gold.csv")

    said = run_on("gold.csv", "--timeframe", "5m")

    assert said.code in (1, 2)
    assert "15m" in said.error
    assert "5m" in said.error


USAGE = {
    "strategy": (["backtest", "gold_smk"], "did you mean 'gold_smc'"),
    "plan": (["backtest", "gld"], "did you mean 'gold'"),
    "parameter": (["backtest", "gold", "--set", "r=3"], "no such setting"),
    "near parameter": (["backtest", "gold", "--set", "max_rsk=3"], "did you mean 'max_risk'"),
    "parameter range": (["backtest", "gold", "--set", "rr=-1"], "a number from 0.1 to 100"),
    "risk of zero": (["backtest", "gold", "--set", "risk_pct=0"], "risk_pct"),
    "risk above limits": (["backtest", "gold", "--set", "risk_pct=50"], "risk_pct"),
    "parameter form": (["backtest", "gold", "--set", "rr"], "--set=['rr']: "),
    "fact's form": (["backtest", "gold", "--instrument-set", "lot"], "--instrument-set=['lot']: "),
    "instrument": (["backtest", "gold", "--instrument", "XAUSD"], "did you mean 'XAUUSD'"),
    "preset": (["backtest", "gold", "--risk", "topstep50k"], "did you mean 'topstep_50k'"),
    "zone": (["backtest", "gold", "--tz", "Asia/Kolkatta"], "did you mean Asia/Kolkata"),
    "zone's shift": (["backtest", "gold", "--tz", "ny+77"], "at most 15 hours"),
    "intrabar": (["backtest", "gold", "--intrabar", "worse"], "worst, nearest, best, drill"),
    "fills": (["backtest", "gold", "--fills", "stock"], "tola, backtrader"),
    "timeframe": (["backtest", "gold", "--timeframe", "15"], "15m"),
    "day": (["backtest", "gold", "--from", "yesterday"], "2025-09-15"),
    "days the wrong way": (["backtest", "gold", "--from", "2025", "--to", "2024"], "lies after"),
    "no bars in the days": (["backtest", "gold", "--from", "2031"], "the data runs from"),
    "cash": (["backtest", "gold", "--cash", "-5"], "above 0"),
    "fact of the instrument": (["backtest", "gold", "--instrument-set", "lots=2"], "lot"),
    "missing exchange rate": (["backtest", "gold", "--config", "eur.toml"], "USDEUR"),
    "settings file": (["backtest", "--config", "none.toml"], "none.toml"),
    "data for several plans": (["backtest", "--data", "x.csv"], "name the one plan"),
    "drill without finer bars": (["backtest", "gold", "--intrabar", "drill"], "finer bars"),
    "market of a strategy": (["backtest", "gold", "--instrument", "NIFTY-FUT"], "gold_smc"),
    "market of nifty": (
        ["backtest", "nifty", "--instrument", "MGC"],
        "nifty_smc: instrument=MGC: its market keeps the hours of CMEGlobex_GC, expected one of",
    ),
    "gold's risk bounds": (
        ["backtest", "gold", "--set", "min_risk=5", "--set", "max_risk=1"],
        "gold_smc: max_risk=1: expected more than min_risk=5",
    ),
    "nifty's risk bounds": (
        ["backtest", "nifty", "--set", "min_risk=2.5"],
        "nifty_smc: max_risk=2.5: expected more than min_risk=2.5",
    ),
    "nifty's entry window": (
        ["backtest", "nifty", "--set", "entry_end=09:20"],
        "nifty_smc: entry_end='09:20': expected a time later than opening_end='09:30'",
    ),
    "every day late": (
        ["backtest", "nifty", "--set", "latest_first_bar=09:00"],
        "nifty_smc: latest_first_bar='09:00': expected session_start='09:15' or later",
    ),
    "no opening range": (["backtest", "nifty", "--set", "opening_end=09:15"], "session_start"),
    "square-off first": (["backtest", "nifty", "--set", "square_off=09:30"], "opening_end='09:30'"),
    "run": (["runs", "show", "7"], "unknown run"),
    "strategy to list": (["strategies", "gold"], "gold_smc"),
    "market of init": (["init", "--market", "silver"], "gold, nifty"),
    "preset of init": (["init", "--risk", "topstep"], "topstep_50k"),
    "folder": (["data", "list", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize(("words", "hint"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_one_line_with_a_remedy(tola, words, hint):
    Path("eur.toml").write_text(
        "[plans.gold]\nstrategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
        "currency = 'EUR'\ncash = 90_000\n"
    )

    said = tola(*words)

    assert said.code == 2
    assert said.out == ""
    assert hint in said.error
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_every_fault_of_a_settings_file_is_in_one_message(tola):
    Path("tola.toml").write_text(
        "[plans.gold]\nstrategy = 'gold_smk'\ninstrument = 'MGCX'\ntimeframe = '15m'\n"
        "[risk.mine]\ndaily_loss = 0\n[setings]\nband = true\n"
    )

    said = tola("backtest")

    assert said.code == 2
    for word in ("gold_smk", "MGCX", "setings"):
        assert word in said.err


def test_a_limit_of_zero_in_the_users_own_preset_is_refused(tola):
    Path("tola.toml").write_text(
        "[plans.gold]\nstrategy = 'gold_smc'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
        "risk = 'mine'\n[risk.mine]\ndaily_loss = 0\n"
    )

    said = tola("backtest")

    assert said.code == 2
    assert "daily_loss=0" in said.error


def test_init_never_overwrites(tola):
    Path("tola.toml").write_text("mine")

    said = tola("init", "--market", "gold")

    assert said.code == 2
    assert "exists already" in said.error
    assert Path("tola.toml").read_text() == "mine"
    assert not Path(".env.example").exists()


def test_a_fault_of_the_program_names_its_place_and_how_to_see_more(tola, monkeypatch):
    from backtests.verbs import runs_commands

    monkeypatch.setattr(runs_commands, "runs_list", lambda *_: 1 / 0)

    said = tola("runs", "list")

    assert said.code == 1
    assert "internal error at test_bad_input.py:" in said.error
    assert "TOLA_DEBUG=1" in said.error


@pytest.mark.parametrize("words", [[], ["data"], ["runs"]], ids=["run.py", "data", "runs"])
def test_a_command_left_out_shows_the_help_and_no_error(tola, words):
    said = tola(*words)

    assert said.code == 2
    assert said.err.startswith("Usage: run.py")
