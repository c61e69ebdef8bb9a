"""The smaller verbs: init, runs, report, strategies, doctor, data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backtests.verbs import doctor
from tests.cli import market


@pytest.fixture
def finished(tola, tmp_path):
    """Two small finished runs in runs/."""
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    words = ["--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv", "--no-report"]
    for hold in (2, 4):
        assert tola("backtest", *words, "--set", f"hold={hold}").code == 0


def test_init_writes_settings_that_load_and_run(tola):
    said = tola("init", "--market", "both", "--risk", "topstep_50k", "--currency", "USD")

    assert said.code == 0
    assert "wrote tola.toml and .env.example" in said.out
    assert tola("doctor").code == 0
    assert 'risk = "topstep_50k"' in Path("tola.toml").read_text()


def test_init_names_the_exchange_rates_to_fill_in(tola):
    own = tola("init", "--market", "both", "--config", "own.toml")
    dollars = tola("init", "--market", "both", "--currency", "USD")
    text = Path("tola.toml").read_text()

    assert "fill in" not in own.out
    assert "fill in [fx] INRUSD in tola.toml first (remove its #): USD per 1 INR" in dollars.out
    assert tola("backtest", "nifty", "--no-report").code == 2
    Path("tola.toml").write_text(text.replace("# INRUSD = RATE", "INRUSD = 0.0118"))
    assert tola("doctor").code == 0


def test_init_keeps_an_environment_example_of_the_users(tola):
    Path(".env.example").write_text("mine")

    said = tola("init", "--market", "gold")

    assert "wrote tola.toml" in said.out
    assert Path(".env.example").read_text() == "mine"


def test_runs_are_listed_oldest_first(tola, finished):
    said = tola("runs", "list")
    rows = json.loads(tola("runs", "list", "--json").out)["runs"]

    assert [line.split()[0] for line in said.out.splitlines()[:3]] == ["run", "0001", "0002"]
    assert [row["run"] for row in rows] == ["0001", "0002"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [("last", "0002"), ("-1", "0002"), ("-2", "0001"), ("0001", "0001"), ("2", "0002")],
)
def test_a_run_is_found_by_last_by_place_and_by_name(tola, finished, name, folder):
    document = json.loads(tola("runs", "show", name, "--json").out)

    assert document["run"] == f"runs/{folder}"


def test_a_run_is_shown_as_it_was_printed(tola, finished):
    said = tola("runs", "show", "last")

    assert said.out.startswith("EveryTenth  XAUUSD 15m")


def test_a_prefix_that_fits_two_runs_is_refused(tola, finished):
    said = tola("runs", "show", "000")

    assert said.code == 2
    assert "0001, 0002" in said.error


def test_report_draws_an_old_run_again(tola, finished):
    said = tola("report", "-2")

    assert said.code == 0
    assert Path("runs/0001/report.html").is_file()
    assert list(Path("runs/0001/plots").glob("*.png"))


def test_no_runs_yet_says_how_to_make_one(tola):
    said = tola("runs", "list")

    assert (said.code, said.out) == (0, "no runs yet\nnext: python run.py backtest\n")


def test_strategies_are_listed_with_a_line_each(tola):
    said = tola("strategies")

    for name in ("gold_smc", "nifty_smc", "breakout", "tutorial"):
        assert f"\n{name}" in "\n" + said.out


def test_a_strategy_shows_parameters_with_defaults_and_bounds(tola):
    rows = json.loads(tola("strategies", "gold_smc", "--json").out)["parameters"]
    ratio = next(row for row in rows if row["name"] == "rr")

    assert ratio["default"] == 2.0
    assert ratio["allowed"] == "a number from 0.1 to 100"


def test_doctor_is_content_with_this_installation(tola):
    document = json.loads(tola("doctor", "--json").out)

    assert document["ok"] is True
    assert {check["name"] for check in document["checks"]} >= {"python", "bundled prices", "disk"}


def test_doctor_finds_a_missing_package_and_exits_1(tola, monkeypatch):
    def missing(name):
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "version", missing)

    said = tola("doctor")

    assert said.code == 1
    assert "FAIL  numba: not installed" in said.out
    assert said.out.endswith("next: python run.py setup\n")


def test_doctor_names_a_fault_of_the_settings(tola):
    Path("tola.toml").write_text("[setings]\n")

    said = tola("doctor")

    assert said.code == 1
    assert "FAIL  tola.toml: " in said.out


def test_doctor_tells_what_sessions_go_by(tola):
    Path("tola.toml").write_text(
        """
        [live]
        foreign = "halt"
        [accounts.demo]
        venue = "paper"
        stale_secs = 20
        [accounts.other]
        venue = "nowhere"
        [groups.all]
        members = ["demo", "unheard"]
        currency = "USD"
        daily_loss = 1500
        """
    )

    said = tola("doctor")

    for line in (
        "ok    [live]: foreign = halt",
        "ok    [accounts.demo]: stale_secs = 20.0",
        "ok    account demo: paper, paper: ready",
        "warn  account other: venue nowhere is not part of this version; there are: paper",
        "warn  group all: demo, unheard: daily_loss 1500 (USD); not in [accounts]: unheard",
    ):
        assert line in said.out
    assert said.code == 0


def test_data_check_of_a_sound_file(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")

    said = tola("data", "check", "XAUUSD_M15.csv")

    assert said.code == 0
    assert "200 rows of 15m, zone UTC" in said.out
    assert said.out.endswith("next: python run.py init\n")


def test_data_check_names_each_defect_and_exits_1(tola, tmp_path):
    table = market.rows()
    table[9][2], table[19][4] = "2000", "3500"
    market.write(tmp_path / "XAUUSD_M15.csv", table)

    said = tola("data", "check", "XAUUSD_M15.csv", "--json")

    errors = [f for f in json.loads(said.out)["findings"] if f["severity"] == "error"]
    assert said.code == 1
    assert [error["line"] for error in errors] == [11, 21]


def test_data_check_says_how_many_bars_a_timeframe_gives(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")

    said = tola("data", "check", "XAUUSD_M15.csv", "--timeframe", "1h")

    assert "as 1h: 50 bars" in said.out


def test_data_list_names_the_bundled_samples_as_synthetic(tola):
    files = json.loads(tola("data", "list", "--json").out)["files"]

    assert {row["symbol"] for row in files} == {"XAUUSD", "NIFTY-FUT", "DXY"}
    assert all(row["synthetic"] for row in files)


def test_data_list_of_a_folder_says_what_cannot_be_read(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    table = market.rows()
    table[9][2] = "n/a"
    market.write(tmp_path / "XAUUSD_bad.csv", table)

    said = tola("data", "list", ".")

    assert re.search(r"XAUUSD +15m +200 bars  2025-03-03 to 2025-03-05  CSV +UTC", said.out)
    assert "not checked" in said.out
    assert "cannot be read" in said.out
