"""Each verb's last line names what to do next, and ends with a command that parses."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

import run
from tests.cli import market

COMMAND = "python run.py "


def parses(line):
    """Parse the command at the end of a line as the program would; raise where it is wrong."""
    assert COMMAND in line, line
    words = shlex.split(line[line.rindex(COMMAND) + len(COMMAND) :])
    command, name = typer.main.get_command(run.app), "run.py"
    while hasattr(command, "commands"):
        name = words.pop(0)
        command = command.commands[name]
    command.make_context(name, words)


@pytest.fixture
def here(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    table = market.rows()
    table[9][2] = "2000"
    market.write(tmp_path / "XAUUSD_bad.csv", table)
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    (tmp_path / "idle.py").write_text(market.EVERY_TENTH.replace("% 10 == 0", "% 10 == 11"))
    (tmp_path / "bare.py").write_text(
        market.EVERY_TENTH.replace("self.buy_bracket(", "self.buy(size=2) if True else dict(")
    )
    (tmp_path / "stops.py").write_text(market.STOPS_ITSELF)
    return tola


OWN = "backtest --data XAUUSD_M15.csv --no-report --strategy"
LINES = [
    "init --market gold",
    "init --market nifty --config my/own.toml",
    "strategies",
    "strategies gold_smc",
    "doctor",
    "data check XAUUSD_M15.csv",
    "data check XAUUSD_bad.csv",
    "data fix XAUUSD_bad.csv -o mended.csv",
    "data convert XAUUSD_M15.csv -o gold.parquet",
    "data list",
    "data list .",
    "runs list",
    f"{OWN} my.py:EveryTenth",
    f"{OWN} my.py:EveryTenth --band",
    f"{OWN} my.py:EveryTenth --fills backtrader",
    f"{OWN} my.py:EveryTenth --out elsewhere --set hold=4",
    f"{OWN} idle.py:EveryTenth",
    f"{OWN} bare.py:EveryTenth --risk gold_bot",
    f"{OWN} stops.py:StopsItself",
    "backtest breakout --data XAUUSD_M15.csv --no-report",
    "backtest breakout --data XAUUSD_M15.csv --check-mask",
    "audit --data XAUUSD_M15.csv --no-report --cuts 2 --seed 3 --strategy my.py:EveryTenth",
    "audit my.py:EveryTenth --data XAUUSD_M15.csv --no-report --cuts=2",
    "ready nifty",
]


@pytest.mark.parametrize("line", LINES)
def test_the_next_line_ends_with_a_command_that_parses(here, line):
    said = here(*line.split())

    assert said.code in (0, 1), said.err
    last = said.out.splitlines()[-1]
    assert last.startswith("next: ")
    parses(last)


def test_after_a_run_each_verb_on_runs_names_a_next_step_too(here):
    for hold in (2, 4):
        assert here(*OWN.split(), "my.py:EveryTenth", "--set", f"hold={hold}").code == 0

    for line in ("runs list", "runs show last", "runs compare -2 -1 --no-report", "report last",
                 "export trades", "why"):  # fmt: skip
        said = here(*line.split())
        assert said.out, said.err
        parses(said.out.splitlines()[-1])


def test_the_same_command_is_told_whole_without_a_folder_that_now_exists(here):
    said = here(*OWN.split(), "my.py:EveryTenth", "--out", "a b", "--quiet", "--set", "hold=2")

    assert said.out.splitlines()[-1] == (
        "next: how much hangs on the order of extremes inside a bar: python run.py backtest "
        "--data XAUUSD_M15.csv --no-report --strategy my.py:EveryTenth --set hold=2 --band"
    )


def test_a_run_with_its_band_is_to_be_audited_where_the_audit_has_its_options(here):
    one = here(*OWN.split(), "my.py:EveryTenth", "--band", "--out", "there")
    other = here(*OWN.split(), "my.py:EveryTenth", "--band", "--no-costs")

    assert one.out.splitlines()[-1] == (
        "next: whether it looks ahead: python run.py audit --data XAUUSD_M15.csv --no-report "
        "--strategy my.py:EveryTenth"
    )
    assert other.out.splitlines()[-1] == "next: what one bar did: python run.py why 0001"


@pytest.mark.parametrize("said_in", ["option", "settings"])
def test_no_band_is_proposed_for_fills_that_know_no_path(here, said_in):
    words = [*OWN.split(), "my.py:EveryTenth"]
    if said_in == "option":
        words += ["--fills", "backtrader"]
    else:
        Path("tola.toml").write_text("[settings]\nfills = 'backtrader'\n")

    said = here(*words)

    assert said.code == 0
    assert said.out.splitlines()[-1] == "next: what one bar did: python run.py why 0001"
    assert here(*words, "--band").error.startswith("error: --band needs --fills tola")
    assert here("why", "0001").code == 0


def test_a_settings_file_of_another_name_is_named_in_the_next_command(here):
    said = here("init", "--market", "gold", "--config", "my own.toml")

    assert said.out.endswith("next: python run.py backtest gold --config 'my own.toml'\n")
    assert Path("my own.toml").is_file()
