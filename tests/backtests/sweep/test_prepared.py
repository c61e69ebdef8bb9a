"""From a plan's names and flags to results: the figures of a backtest, and what is refused."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

from backtests import runner
from backtests.resolve import resolve
from backtests.sweep import prepare, run
from backtests.verbs.progress import Progress
from core.errors import ConfigError
from tests.backtests.sweep.twin import differences

FIGURES = ("trades", "net_profit", "equity_end", "max_drawdown_pct", "win_rate", "profit_factor",
           "expectancy_r", "sharpe", "sortino", "calmar", "ambiguous_trades")  # fmt: skip


def request(name, tmp_path, monkeypatch, **flags):
    monkeypatch.chdir(tmp_path)
    return resolve([name], flags, "tola.toml")


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("gold", {"risk": "topstep_50k", "intrabar": "nearest"}),
        ("nifty", {"risk": "nifty_intraday", "params": ["risk_pct=1.5"]}),
        ("gold", {"params": ["legs=0.5@1>0,0.5@3", "stop_rule=trail_swing", "risk_pct=2"]}),
    ],
    ids=["gold under a preset", "nifty under a preset", "gold by its own limits, with legs"],
)
def test_figures_are_those_of_the_backtest(name, flags, tmp_path, monkeypatch):
    asked = request(name, tmp_path, monkeypatch, **flags)
    backtest = runner.run(asked, Progress(io.StringIO(), wanted=False))

    results = run(prepare(asked), [{}], keep_trades=True, keep_curve=True)

    ledger = backtest.runs[0].broker.ledger
    assert not differences(results.trades(0), ledger.trades)
    found = results.figures(0)
    assert found["trades"]
    for figure in FIGURES:
        wanted = backtest.summary[figure]
        assert found[figure] == (wanted if wanted is None else pytest.approx(wanted, rel=1e-9))


def test_a_set_gives_the_same_alone_and_among_others(tmp_path, monkeypatch):
    plan = prepare(request("gold", tmp_path, monkeypatch, params=["risk_pct=2"]))
    table = [
        {"left": swing, "right": swing, "rr": rr, "flat_time": flat}
        for swing in (2, 3)
        for rr in (1.0, 2.5)
        for flat in ("16:45", "12:00")
    ]

    together = run(plan, [*table, *reversed(table)], keep_curve=True)

    for place, given in enumerate(table):
        alone = run(prepare(request("gold", tmp_path, monkeypatch, params=["risk_pct=2"])),
                    [given], keep_curve=True)  # fmt: skip
        for other in (place, 2 * len(table) - 1 - place):
            assert together.outcomes[other].summary == alone.outcomes[0].summary
            np.testing.assert_array_equal(
                together.outcomes[other].day_equity, alone.outcomes[0].day_equity
            )


def test_a_set_without_a_trade_is_a_result(tmp_path, monkeypatch):
    plan = prepare(request("gold", tmp_path, monkeypatch))

    figures = run(plan, [{"max_risk": 0.02, "min_risk": 0.01}], keep_curve=True).figures(0)

    assert figures["trades"] == 0
    assert figures["net_profit"] == 0.0
    assert figures["win_rate"] is figures["profit_factor"] is figures["expectancy_r"] is None


def test_what_is_prepared_travels_and_gives_the_same(tmp_path, monkeypatch):
    plan = prepare(request("nifty", tmp_path, monkeypatch))
    here = run(plan, [{}])

    there = run(pickle.loads(pickle.dumps(plan)), [{}])

    assert there.outcomes[0].summary == here.outcomes[0].summary


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_shift": 3}, "no parameter 'max_shift'.*max_shift_bars"),
        ({"rr": 0}, "rr=0: expected a number from 0.1 to 100"),
        ({"legs": "0.5@2,0.5@1"}, "expected the R of the legs to rise"),
    ],
)
def test_a_wrong_set_is_refused_in_one_line(given, said, tmp_path, monkeypatch):
    plan = prepare(request("gold", tmp_path, monkeypatch))

    with pytest.raises(ConfigError, match=said):
        run(plan, [{}, given])


@pytest.mark.parametrize(
    ("names", "flags", "said"),
    [
        (["gold", "nifty"], {}, "a sweep runs one plan, and these were named: gold, nifty"),
        (
            ["tutorial"],
            {"instrument": "MGC", "timeframe": "15m"},
            "Tutorial is a plain Backtrader strategy",
        ),
        (["gold"], {"fills": "backtrader", "intrabar": "best"}, "fills know no such choice"),
        (["gold"], {"intrabar": "drill"}, "give a file of finer ones"),
    ],
)
def test_what_is_not_compiled_is_said(names, flags, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=said):
        prepare(resolve(names, flags, "tola.toml"))
