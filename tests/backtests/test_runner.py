"""The runner from names and flags to results: reference trades, accounts, plan curves."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from backtests import runner, store
from backtests.resolve import resolve
from backtests.results import metrics
from backtests.results.summary import floor_headroom, plan_curve
from backtests.verbs.progress import Progress
from risk.settings import RiskSettings
from tests.cli import market

REFERENCE = {
    "gold_smc 15m": ("gold_smc", "XAUUSD", "15m", "xauusd_15m", "DXY", "xauusd_15m_15m_gold_smc"),
    "gold_smc 5m": ("gold_smc", "XAUUSD", "5m", "xauusd_5m", "DXY", "xauusd_5m_5m_gold_smc"),
    "nifty_smc 5m": ("nifty_smc", "NIFTY-FUT", "5m", "nifty50_1m", "", "nifty50_1m_5m_nifty_smc"),
    "nifty_smc 3m": ("nifty_smc", "NIFTY-FUT", "3m", "nifty50_1m", "", "nifty50_1m_3m_nifty_smc"),
    "breakout": ("breakout", "MGC", "1h", "gc_fut_1h", "", "gc_fut_1h_1h_breakout"),
}


def silent():
    return Progress(io.StringIO(), wanted=False)


def reference_flags(folder, instrument, timeframe, file, further):
    flags = {
        "instrument": instrument, "timeframe": timeframe, "data": [f"{folder}/{file}.csv.gz"],
        "costs": False, "margin": False,
    }  # fmt: skip
    if further:
        flags["with"] = [f"{further}={folder}/dxy_1h.csv.gz"]
    if instrument == "NIFTY-FUT":
        flags["instrument_set"] = ["lot=75"]
    return flags


@pytest.mark.parametrize("case", REFERENCE.values(), ids=REFERENCE)
def test_reference_trades_come_out_of_the_whole_runner(real_data, case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strategy, instrument, timeframe, file, further, answers = case
    flags = reference_flags(real_data, instrument, timeframe, file, further)

    result = runner.run(resolve([strategy], flags, "tola.toml"), silent())

    with runner.RunWriter(tmp_path / "runs") as writer:
        folder = runner.store(result, writer)
    wanted = pd.read_csv(real_data / "reference-trades" / f"{answers}.csv")
    found = pd.read_csv(folder.path / "trades.csv")[wanted.columns]
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=0, atol=1e-6)
    wanted = pd.read_csv(real_data / "reference-trades" / f"{answers}_setups.csv")
    found = pd.read_csv(folder.path / "setups.csv")[wanted.columns]
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def two_gold_plans(tmp_path_factory):
    """One account with two bundled gold plans, and each of them alone."""
    folder = tmp_path_factory.mktemp("plans")
    (folder / "tola.toml").write_text(
        "[accounts.one]\n"
        + "".join(
            f"[plans.{name}]\nstrategy = '{strategy}'\ninstrument = 'MGC'\ntimeframe = '15m'\n"
            f"account = 'one'\n"
            for name, strategy in (("smc", "gold_smc"), ("break", "breakout"))
        )
    )
    config = str(folder / "tola.toml")
    return [runner.run(resolve(names, {}, config), silent()) for names in ([], ["smc"], ["break"])]


def test_plans_of_one_account_see_only_their_own_bars(two_gold_plans):
    together, alone, _ = two_gold_plans
    (run,), (single,) = together.runs, alone.runs

    # Setups depend on prices only, so company changes none of them.
    assert run.plans[0].strategy.machine.machine.funnel() == (
        single.plans[0].strategy.machine.machine.funnel()
    )


NOTES_BARS = """\
import backtrader as bt


class NotesBars(bt.Strategy):
    params = (("tag", 0),)

    def __init__(self):
        self.noted = []

    def prenext(self):
        self.next()

    def next(self):
        self.noted.append(len(self.data))
"""


def test_a_plan_that_trades_before_its_further_series_begins_does_so_in_company_too(tmp_path):
    (tmp_path / "noted.py").write_text(NOTES_BARS)
    market.write(tmp_path / "XAUUSD_15m.csv", market.rows(60))
    market.write(tmp_path / "DXY_15m.csv", market.rows(60)[30:])
    flags = {"strategy": f"{tmp_path}/noted.py:NotesBars", "data": f"{tmp_path}/XAUUSD_15m.csv"}
    plan = (
        f"strategy = '{flags['strategy']}'\ninstrument = 'XAUUSD'\ntimeframe = '15m'\n"
        f"data = '{flags['data']}'\ntz = 'UTC'\naccount = 'one'\n"
    )
    late = f"with = {{ DXY = '{tmp_path}/DXY_15m.csv' }}\n"
    (tmp_path / "tola.toml").write_text(
        f"[accounts.one]\n[plans.late]\n{plan}{late}[plans.other]\n{plan}"
    )
    config = str(tmp_path / "tola.toml")

    together, alone = (runner.run(resolve(names, {}, config), silent()) for names in ([], ["late"]))

    noted = [plan.strategy.noted for plan in together.runs[0].plans]
    assert noted[0] == alone.runs[0].plans[0].strategy.noted == list(range(1, 61))
    assert noted[1] == list(range(1, 61))


def test_plan_curves_add_up_to_the_account(two_gold_plans):
    (run,) = two_gold_plans[0].runs
    end, equity = run.broker.equity_curve

    curves = [plan_curve(run, plan) for plan in run.plans]

    total = sum(curve.equity - run.request.cash for curve in curves)
    assert np.array_equal(curves[0].end, end)
    assert total == pytest.approx(equity - run.request.cash, abs=0.05)


def test_a_plan_alone_has_the_accounts_own_curve(two_gold_plans):
    (run,) = two_gold_plans[1].runs
    _, equity = run.broker.equity_curve

    assert np.array_equal(plan_curve(run, run.plans[0]).equity, equity)


def test_one_guard_holds_each_plans_own_limits(two_gold_plans):
    (run,) = two_gold_plans[0].runs

    assert {limits.plan for limits in run.request.limits} == {"smc", "break"}


def test_the_summary_names_costs_by_plan_that_sum_to_the_ledger(two_gold_plans):
    result = two_gold_plans[0]
    (run,) = result.runs

    of_plans = sum(sum(plan["costs"].values()) for plan in result.summary["plans"])

    assert of_plans == pytest.approx(sum(run.broker.ledger.costs.values()))


def test_imagined_accounts_are_one_a_currency():
    request = resolve([], {}, "tola.toml")

    assert [(a.name, a.currency, a.cash) for a in request.accounts] == [
        ("backtest-usd", "USD", 100_000.0),
        ("backtest-inr", "INR", 2_000_000.0),
    ]


def test_a_flag_is_told_as_an_override_and_stored_with_its_origin():
    request = resolve(["gold"], {"timeframe": "5m", "params": ["rr=3"]}, "tola.toml")

    assert any(
        line.startswith("gold.timeframe = 5m (flag --timeframe") for line in request.overrides
    )
    assert request.origins["plans.gold.timeframe"] == {
        "value": "5m", "source": "flag", "origin": "--timeframe",
    }  # fmt: skip
    assert request.plans[0].params["rr"] == 3.0


def test_the_code_version_changes_with_the_code(tmp_path, monkeypatch):
    before = store.code_version()
    for package in ("core", "indicators", "strategies", "feeds", "risk", "backtests"):
        (tmp_path / package).mkdir()
    (tmp_path / "core" / "a.py").write_text("x = 1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nversion = '0.1.0'\n")
    monkeypatch.setattr(store, "ROOT", tmp_path)
    one = store.code_version()
    (tmp_path / "core" / "a.py").write_text("x = 2\n")

    assert len({before, one, store.code_version()}) == 3


def test_figures_of_the_summary_are_those_of_the_curve(two_gold_plans):
    result = two_gold_plans[1]
    (run,) = result.runs
    end, equity = run.broker.equity_curve
    day = run.plans[0].loaded.calendar.trading_days(end - 1)
    curve = metrics.Curve(run.request.cash, end, equity, day)

    assert result.summary["sharpe"] == metrics.sharpe(curve.daily_returns())
    assert result.summary["equity_end"] == equity[-1]
    days = run.plans[0].strategy.analyzers.daily_loss.get_analysis()["days"]
    assert sum(row["pnl"] for row in days) == pytest.approx(equity[-1] - 100_000.0)
    assert sum(row["trades"] for row in days) == result.summary["trades"]


def test_a_run_without_ambiguous_bars_is_the_same_under_every_reading(real_data):
    flags = reference_flags(real_data, "XAUUSD", "5m", "xauusd_5m", "DXY")

    profits = {
        intrabar: runner.run(
            resolve(["gold_smc"], {**flags, "intrabar": intrabar}, "tola.toml"), silent()
        ).summary["net_profit"]
        for intrabar in ("worst", "nearest", "best")
    }

    assert len(set(profits.values())) == 1


def test_an_ambiguous_bar_opens_the_band(real_data):
    flags = reference_flags(real_data, "XAUUSD", "15m", "xauusd_15m", "DXY")

    summary = runner.run(
        resolve(["gold_smc"], {**flags, "band": True}, "tola.toml"), silent()
    ).summary

    assert summary["ambiguous_trades"] == 1
    assert summary["band"]["worst"] == summary["net_profit"] < summary["band"]["best"]


def test_headroom_to_a_trailing_floor_by_hand():
    limits = RiskSettings(trailing_drawdown=2_000, trailing_lock_offset=0.0)
    days = [
        {"start_equity": 50_000.0, "low_equity": 49_500.0},  # floor 48,000: 1,500 left
        {"start_equity": 51_000.0, "low_equity": 50_200.0},  # floor 49,000: 1,200 left
        {"start_equity": 53_000.0, "low_equity": 51_500.0},  # floor stops at 50,000: 1,500 left
    ]

    assert floor_headroom(limits, 50_000.0, days) == 1_200.0
    assert floor_headroom(RiskSettings(), 50_000.0, days) is None


def test_a_run_says_on_how_many_days_its_bars_are_too_coarse_for_the_flat_time(real_data):
    flags = reference_flags(real_data, "XAUUSD", "30m", "xauusd_15m", "")
    span = {"from": "2024-03-04", "to": "2024-03-08"}

    summary = runner.run(resolve(["gold_smc"], {**flags, **span}, "tola.toml"), silent()).summary

    assert any(
        "on 5 of 5 days no 30m bar begins between the flat time and the close" in note
        and "next trading day's first open" in note
        and "--timeframe 15m" in note
        for note in summary["notes"]
    )
