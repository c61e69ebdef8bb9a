"""`backtest` from the command line: what it prints, what it leaves, how it ends early."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from core.results import RunWriter
from tests.cli import market

ROOT = Path(__file__).resolve().parents[2]
PLAN_FIELDS = {
    "strategy", "instrument", "timeframe", "bars", "first", "last", "params", "data_sha256",
    "cash_start", "equity_end", "net_profit", "costs", "return_pct", "max_drawdown_pct", "sharpe",
    "sortino", "calmar", "profit_factor", "win_rate", "expectancy_r", "trades",
    "ambiguous_trades", "band", "expectancy_ci95", "verdict", "funnel", "refused", "risk",
}  # fmt: skip
RUN_FIELDS = {"run", "seconds", "bars_per_second", "files"}


@pytest.fixture
def own(tmp_path):
    """A price file and a strategy of the user's own, and the words that run them."""
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    return ["backtest", "--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv", "--no-report"]


def test_no_arguments_run_both_bundled_markets_with_a_report(tola):
    said = tola("backtest")

    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0].startswith("gold   MGC (synthetic) 15m")
    assert lines[1].startswith("nifty  NIFTY-FUT (synthetic) 5m")
    assert lines[-1] == "next: your own prices: python run.py data check FILE"
    assert "account backtest-usd:" in said.out
    assert "account backtest-inr:" in said.out
    assert Path("runs/0001/report.html").stat().st_size > 100_000
    assert list(Path("runs/0001/plots").glob("*.png"))
    trades = pd.read_csv("runs/0001/trades.csv")
    assert trades["trade_id"].is_unique
    assert set(trades["plan_id"]) == {"gold", "nifty"}


def test_a_users_strategy_runs_and_leaves_a_whole_run_folder(tola, own):
    said = tola(*own)

    names = {path.name for path in Path("runs/0001").iterdir()}
    assert said.code == 0
    assert said.out.startswith("EveryTenth  XAUUSD 15m")
    assert names >= {
        "run.json", "summary.json", "trades.csv", "fills.csv", "orders.csv", "setups.csv",
        "funnel.json", "equity-backtest.csv", "days-backtest.csv", "bars-EveryTenth.parquet",
    }  # fmt: skip
    assert len(pd.read_csv("runs/0001/trades.csv")) > 5


def test_stops_on_the_wrong_side_are_refused_by_name_or_noted(tola, own, tmp_path):
    strategy = tmp_path / "my.py"
    strategy.write_text(strategy.read_text().replace("stopprice=price - 8", "stopprice=price + 4"))

    bare, limited = tola(*own), tola(*own, "--risk", "gold_bot", "--set", "size=2")

    assert "sent with a stop on the wrong side" in bare.out
    assert "refused: wrong stop " in limited.out
    assert "on the wrong side" not in limited.out
    assert "is not below the buy at" in Path("runs/0002/orders.csv").read_text()


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (("self.buy_bracket(", "self.buy(size=2) or ("), "next: send a protecting stop with each"),
        (("stopprice=price - 8", "stopprice=price + 4"), "next: put the stop of a buy below"),
        (("% 10 == 0", "% 10 == 11"), "next: see in runs/0001/orders.csv why"),
    ],
)
def test_a_plain_strategy_without_trades_is_told_what_to_change(tola, own, tmp_path, change, hint):
    strategy = tmp_path / "my.py"
    text = strategy.read_text().replace(*change)
    if "buy(size" in text:
        text = text[: text.index(" or (")] + "\n"
    strategy.write_text(text)

    said = tola(*own, "--risk", "gold_bot", "--set", "size=2")

    assert "0 trades" in said.out
    assert hint in said.out


def test_json_is_one_document_with_every_field_and_nothing_else(tola, own):
    said = tola(*own, "--json")

    document = json.loads(said.out)
    assert said.err == ""
    assert document.keys() >= PLAN_FIELDS | RUN_FIELDS
    assert set(document["seconds"]) == {"load", "compile", "run", "report"}
    assert document["files"].keys() >= {"trades", "equity", "orders", "summary"}
    assert document == {**json.loads(Path("runs/0001/summary.json").read_text()),
                        "next": document["next"]}  # fmt: skip


def test_what_a_strategy_prints_is_no_part_of_the_json(tola, own):
    source = Path("my.py").read_text()
    Path("my.py").write_text(source.replace("def next(self):", "def next(self):\n        print(7)"))

    said = tola(*own, "--json")

    assert json.loads(said.out)["bars"] > 0
    assert said.err.startswith("7\n7\n")


def test_json_of_a_wrong_command_is_an_error_object(tola, own):
    said = tola(*own, "--set", "hodl=3", "--json")

    error = json.loads(said.out)["error"]
    assert said.code == 2
    assert error["exit_code"] == 2
    assert "did you mean 'hold'" in error["message"]


def test_parameters_reach_the_strategy(tola, own):
    tola(*own, "--out", "short")
    tola(*own, "--set", "hold=9", "--out", "long")

    first, second = (pd.read_csv(f"{name}/trades.csv") for name in ("short", "long"))
    assert not first["exit_bar"].equals(second["exit_bar"])
    assert json.loads(Path("long/run.json").read_text())["plans"][0]["params"] == {"hold": 9}


def test_days_are_cut_to_trading_days_both_included(tola, own):
    said = tola(*own, "--from", "2025-03-04", "--to", "2025-03-04", "--json")

    document = json.loads(said.out)
    assert document["first"] == "2025-03-04T00:00:00Z"
    assert document["last"] == "2025-03-04T21:00:00Z"


def test_no_costs_are_no_costs(tola, own):
    with_costs = json.loads(tola(*own, "--json").out)
    without = json.loads(tola(*own, "--no-costs", "--json").out)

    assert sum(with_costs["costs"].values()) > 0
    assert without["costs"] == {}
    assert without["net_profit"] > with_costs["net_profit"]


def test_the_band_holds_the_run_itself(tola, own):
    document = json.loads(tola(*own, "--band", "--json").out)

    assert document["band"]["worst"] <= document["net_profit"] <= document["band"]["best"]


def test_backtraders_own_fills_differ_only_in_the_fills(tola, own):
    document = json.loads(tola(*own, "--fills", "backtrader", "--json").out)

    assert document["trades"] > 5


def test_a_preset_refuses_and_the_summary_says_which_rule(tola, own):
    said = tola(*own, "--risk", "gold_bot", "--json")

    document = json.loads(said.out)
    assert document["refused"]
    assert document["accounts"][0]["rules"]


def test_a_plain_strategy_without_a_preset_says_that_nothing_limits_it(tola, own):
    said = tola(*own)

    assert "no risk rules: orders are not limited" in said.out


def test_bars_traded_as_another_instrument_are_noted(tola, own):
    said = tola(*own, "--instrument", "MGC", "--timeframe", "15m")

    assert "the file's name says XAUUSD; its bars are traded as MGC" in said.out


def test_bars_in_hours_the_market_is_shut_are_noted_with_a_remedy(tola, own):
    wrong = tola(*own, "--tz", "ny+12")
    found = tola(*own, "--tz", "auto")

    assert wrong.code == found.code == 0
    assert "bars start while" in wrong.out
    assert "try --tz auto" in wrong.out
    assert "bars start while" not in found.out


def test_the_same_run_twice_is_the_same_to_the_byte(tola, own):
    tola(*own)
    tola(*own)

    for name in ("trades.csv", "fills.csv", "equity-backtest.csv", "days-backtest.csv"):
        assert Path("runs/0001", name).read_bytes() == Path("runs/0002", name).read_bytes()


def test_quiet_leaves_the_result_lines_alone(tola, own):
    said = tola(*own, "--quiet")

    assert len(said.out.splitlines()) == 3
    assert said.err == ""


def test_two_plans_of_one_account_share_cash_guard_and_curve(tola, own):
    Path("tola.toml").write_text(
        "[accounts.one]\ncurrency = 'USD'\ncash = 50_000\n"
        + "".join(
            f"[plans.{name}]\nstrategy = 'my.py:EveryTenth'\ninstrument = 'XAUUSD'\n"
            f"timeframe = '15m'\ndata = 'XAUUSD_M15.csv'\naccount = 'one'\n"
            f"params = {{hold = {n}}}\n"
            for name, n in (("fast", 2), ("slow", 5))
        )
    )
    document = json.loads(tola("backtest", "--no-report", "--json").out)

    alone = json.loads(tola("backtest", "fast", "--no-report", "--json").out)
    account, (fast, slow) = document["accounts"][0], document["plans"]
    assert account["plans"] == ["fast", "slow"]
    assert account["cash_start"] == 50_000
    assert fast["net_profit"] + slow["net_profit"] == pytest.approx(account["net_profit"])
    assert document["correlation"]["one"]["fast"]["slow"] is not None
    assert fast["trades"] == alone["trades"]
    assert fast["net_profit"] == pytest.approx(alone["net_profit"])


SLEEPER = """\
import backtrader as bt
import numpy as np


class Sleeper(bt.Strategy):
    idle_in_position = True

    def __init__(self):
        self.awake = 0

    def entry_mask(self):
        return np.arange(self.data.buflen()) % 10 == 9

    def next(self):
        self.awake += 1
        if not self.position and len(self.data) % 10 == 0:
            price = self.data.close[0]
            self.buy_bracket(size=1.0, exectype=bt.Order.Market, stopprice=price - 5.0,
                             limitprice=price + 5.0)

    def stop(self):
        with open("awake.txt", "a") as stream:
            stream.write(f"{self.awake} ")
"""


@pytest.mark.parametrize("fills", ["tola", "backtrader"])
@pytest.mark.parametrize("is_masked", [True, False], ids=["masked", "every bar"])
@pytest.mark.parametrize("span", [slice(0, 90), slice(110, 200)], ids=["ends early", "begins late"])
def test_days_are_the_accounts_when_its_first_plan_has_bars_of_a_part_only(
    tola, tmp_path, fills, is_masked, span
):
    every = market.rows()
    market.write(tmp_path / "whole.csv", every)
    market.write(tmp_path / "part.csv", every[span])
    strategy = SLEEPER if is_masked else SLEEPER.replace("def entry_mask", "def unused")
    (tmp_path / "my.py").write_text(strategy)
    (tmp_path / "tola.toml").write_text(
        "[accounts.one]\ncurrency = 'USD'\ncash = 50_000\n"
        + "".join(
            f"[plans.{name}]\nstrategy = 'my.py:Sleeper'\ninstrument = 'XAUUSD'\n"
            f"timeframe = '15m'\ndata = '{name}.csv'\naccount = 'one'\n"
            for name in ("part", "whole")
        )
    )

    said = tola("backtest", "--fills", fills, "--no-report", "--json")

    (account,) = json.loads(said.out)["accounts"]
    days = pd.read_csv("runs/0001/days-one.csv")
    equity = pd.read_csv("runs/0001/equity-one.csv")
    exits = pd.to_datetime(pd.read_csv("runs/0001/trades.csv")["exit_time"])
    of_days = exits.dt.strftime("%Y-%m-%d").value_counts()  # no bar here is of the next day
    assert days["day"].tolist() == sorted({row[0][:10] for row in every})
    assert days["pnl"].sum() == pytest.approx(account["equity_end"] - 50_000, abs=1e-6)
    assert days["pnl"].abs().min() > 0
    marks = equity.groupby(equity["time"].str[:10])["equity"].last()
    assert days["end_equity"].tolist() == pytest.approx(marks[days["day"]].tolist())
    assert days["trades"].tolist() == [of_days.get(day, 0) for day in days["day"]]
    assert account["worst_day"] == pytest.approx(days["pnl"].min())
    awake = [int(count) for count in Path("awake.txt").read_text().split()]
    assert (max(awake) < 100) is is_masked


# -- ending early --------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_there_is_and_marks_it(tola, own, tmp_path):
    (tmp_path / "my.py").write_text(market.STOPS_ITSELF)
    own[2] = "my.py:StopsItself"

    said = tola(*own)

    summary = json.loads(Path("runs/0001/summary.json").read_text())
    assert said.code == 1
    assert "INTERRUPTED" in said.out
    assert summary["interrupted"] is True
    assert summary["bars"] in (50, 51)
    assert "INTERRUPTED" in tola("runs", "list").out


def test_a_second_ctrl_c_ends_at_once_and_keeps_nothing(tola, own, tmp_path):
    (tmp_path / "my.py").write_text(market.STOPS_ITSELF)
    own[2] = "my.py:StopsItself"

    said = tola(*own, "--set", "hits=2")

    assert said.code == 1
    assert said.error == "interrupted: nothing was kept"
    assert nothing_left()


def test_a_strategy_that_raises_is_named_with_bar_and_line(tola, own, tmp_path):
    (tmp_path / "my.py").write_text(market.RAISES)
    own[2] = "my.py:Raises"

    said = tola(*own)

    assert said.code == 1
    assert "my.py:7: KeyError: 'nothing'" in said.error
    assert "at the bar of 2025-03-03T08:15:00Z" in said.error
    assert nothing_left()


def test_a_strategy_that_exits_python_is_named_too(tola, own, tmp_path):
    (tmp_path / "my.py").write_text(market.RAISES.replace('self.lost = {}["nothing"]', "exit(3)"))
    own[2] = "my.py:Raises"

    said = tola(*own)

    assert said.code == 1
    assert "my.py:7: SystemExit: 3" in said.error
    assert nothing_left()


@pytest.mark.parametrize(
    ("cause", "word"),
    [(OSError(28, "No space left on device"), "No space left"), (KeyboardInterrupt(), "interrupt")],
    ids=["full disk", "Ctrl-C"],
)
def test_a_report_cut_short_leaves_the_run_whole(tola, own, monkeypatch, cause, word):
    def fail(folder):
        raise cause

    monkeypatch.setattr("reports.write_report", fail)

    said = tola(*[flag for flag in own if flag != "--no-report"])

    assert said.code == 1
    assert "the run is kept in runs/0001" in said.error
    assert word in said.error
    assert tola("runs", "show", "last").out.startswith("EveryTenth")


def test_a_killed_runs_leavings_stop_no_later_run(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 7)
    RunWriter(tmp_path)  # killed: never left

    with RunWriter(tmp_path) as writer:
        folder = writer.publish()

    assert folder.name == "0001"


def test_an_existing_run_folder_is_refused_before_anything_runs(tola, own):
    Path("mine").mkdir()
    Path("mine/precious.txt").write_text("x")

    said = tola(*own, "--out", "mine")

    assert said.code == 2
    assert "--out mine: exists already" in said.error
    assert [path.name for path in Path("mine").iterdir()] == ["precious.txt"]
    assert nothing_left()


def test_a_folder_that_cannot_be_written_is_one_line(tola, own):
    Path("file").write_text("x")

    said = tola(*own, "--out", "file/run")

    assert said.code == 2
    assert "cannot write a run folder there" in said.error


def test_a_full_disk_leaves_nothing_half_written(tola, own, monkeypatch):
    def full(self, name, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunWriter, "json", full)

    said = tola(*own)

    assert said.code == 1
    assert "No space left on device" in said.error
    assert nothing_left()


def nothing_left():
    return not Path("runs").exists() or not list(Path("runs").iterdir())


def test_without_a_writable_cache_folder_it_warns_once_and_works(tmp_path):
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "TOLA_CACHE_DIR": str(tmp_path / "file" / "cache")}

    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "strategies", "gold_smc"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0
    assert done.stderr.count("not cached") == 1
    assert "TOLA_CACHE_DIR" in done.stderr


def test_a_pipe_gets_no_colours_and_no_progress(tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    words = ["backtest", "--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv",
             "--no-report", "--json"]  # fmt: skip

    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0
    assert json.loads(done.stdout)["trades"] > 5
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""
