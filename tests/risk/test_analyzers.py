"""DailyLoss and TradeRisk report; they attach to any Cerebro."""

from __future__ import annotations

import backtrader as bt
import pytest

from risk import RiskSettings
from risk.analyzers import DailyLoss, TradeRisk
from tests.backtests.plain_feed import ListFeed
from tests.risk.runs import Script, bracket, run

BOTH = ((DailyLoss, {"_name": "days"}), (TradeRisk, {"_name": "trades"}))
ROWS = [100, 100, 100, (100, 103, 94, 102), 102, (102, 110, 101, 109), 109]


def analysis(result):
    analyzers = result.strategy.analyzers
    return analyzers.days.get_analysis(), analyzers.trades.get_analysis()


def plain(script, rows, **limits):
    """Run on stock Cerebro and BackBroker: no guard, no broker of ours."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ListFeed(rows=rows), name="stock")
    cerebro.broker.setcommission(margin=100.0, mult=10.0)
    cerebro.broker.setcash(100_000.0)
    cerebro.addstrategy(Script, script=script)
    cerebro.addanalyzer(DailyLoss, _name="days", **limits.get("days", {}))
    cerebro.addanalyzer(TradeRisk, _name="trades", **limits.get("trades", {}))
    strategy = cerebro.run()[0]
    return strategy.analyzers.days.get_analysis(), strategy.analyzers.trades.get_analysis()


def test_the_lowest_equity_of_the_day_is_that_of_the_path():
    """10 MGC from 100: worst 600 at 94; the bar closes up."""
    rules = RiskSettings(daily_loss=800)
    days, _ = analysis(run({2: bracket(10, 90.0, 130.0)}, ROWS, rules, analyzers=BOTH))

    row = days["days"][0]
    assert days["exact"]
    assert (row["start_equity"], row["low_equity"], row["end_equity"]) == (1e5, 99_400.0, 100_900.0)
    assert (row["limit"], row["headroom"], row["used_pct"]) == (800, 200.0, 75.0)
    assert (row["trades"], row["locked"], row["rule"]) == (0, False, "")
    assert days["nearest"] is row


def test_a_breached_day_is_marked_with_its_rule_and_an_entry_bar_is_cut_at_the_path():
    rows = [100, 100, 100, (100, 100, 90, 95), 95]
    days, _ = analysis(run({2: bracket(10, 50.0, 130.0)}, rows, RiskSettings(daily_loss=800),
                           analyzers=BOTH))  # fmt: skip

    row = days["days"][0]
    assert (row["low_equity"], row["headroom"]) == (99_200.0, 0.0)
    assert (row["locked"], row["rule"], row["trades"]) == (True, "daily_loss", 1)


def test_days_start_at_the_last_mark_before_the_roll():
    rows = [100, 100, 100, 105, (105, 105, 105, 105, "2024-01-09T23:00"), (105, 106, 101, 106)]
    days, _ = analysis(run({2: bracket(10, 50.0, 130.0)}, rows, RiskSettings(daily_loss_pct=1),
                           start="2024-01-09T20:30", analyzers=BOTH))  # fmt: skip

    first, second = days["days"]
    assert (first["day"], second["day"]) == ("2024-01-09", "2024-01-10")
    assert first["end_equity"] == second["start_equity"] == 100_500.0
    assert (second["low_equity"], second["limit"]) == (100_100.0, 1_005.0)


def test_a_trade_closed_on_a_days_first_bar_counts_on_that_day():
    rows = [100, 100, 100, 105, (105, 131, 105, 130, "2024-01-09T23:00"), 130]
    days, _ = analysis(run({2: bracket(10, 50.0, 130.0)}, rows, RiskSettings(daily_loss_pct=1),
                           start="2024-01-09T20:30", analyzers=BOTH))  # fmt: skip

    assert [(row["day"], row["trades"]) for row in days["days"]] == [
        ("2024-01-09", 0), ("2024-01-10", 1),
    ]  # fmt: skip


def test_on_a_plain_cerebro_the_days_go_on_after_the_first_feeds_end():
    """UTC days of hourly bars: the first feed has 5 of them, the second, bought, 30."""
    cerebro = bt.Cerebro(stdstats=False)
    for name, count in (("short", 5), ("long", 30)):
        rows = [(100.0 + i, 101.0 + i, 99.0 + i, 100.5 + i) for i in range(count)]
        cerebro.adddata(ListFeed(rows=rows, step=1 / 24), name=name)
    cerebro.addstrategy(Script, script={2: lambda s: s.buy(data=s.datas[1], size=1)})
    cerebro.addanalyzer(DailyLoss, _name="days")

    strategy = cerebro.run()[0]

    days = strategy.analyzers.days.get_analysis()["days"]
    assert len(days) > 1
    assert min(row["pnl"] for row in days) > 0
    assert (
        sum(row["pnl"] for row in days) == cerebro.broker.getvalue() - cerebro.broker.startingcash
    )


def test_a_trade_is_reported_in_money_and_in_r():
    """Risk 10 points x 10 x 10 = 1,000; out at the target, 8 points up; 6 against on the way."""
    _, trades = analysis(run({2: bracket(10, 90.0, 108.0)}, ROWS, RiskSettings(trade_risk=1_500),
                             analyzers=BOTH))  # fmt: skip

    row = trades["trades"][0]
    assert (row["planned_risk"], row["pnl"], row["r_multiple"]) == (1_000.0, 800.0, 0.8)
    assert (row["mae_r"], row["mfe_r"], row["realised_risk"]) == (-0.6, 0.8, 0.0)
    assert (row["limit"], row["headroom"]) == (1_500, 500.0)
    assert (trades["mean_r"], trades["over_planned"], trades["without_stop"]) == (0.8, 0, 0)


def test_the_same_figures_come_from_bars_on_a_plain_cerebro_and_say_so():
    rows = [row if isinstance(row, tuple) else (row,) * 4 for row in ROWS]
    script = {2: bracket(10, 90.0, 108.0)}

    days, trades = plain(script, rows, days={"limit": 800}, trades={"limit": 1_500})

    assert not days["exact"]
    assert not trades["exact"]
    row = days["days"][0]
    assert (row["low_equity"], row["end_equity"], row["headroom"]) == (99_400.0, 100_800.0, 200.0)
    row = trades["trades"][0]
    assert (row["planned_risk"], row["pnl"], row["r_multiple"]) == (1_000.0, 800.0, 0.8)
    assert row["mae_r"] == pytest.approx(-0.6)
    assert row["mfe_r"] == pytest.approx(1.0)  # the whole exit bar counts: bars know no better
    assert (row["limit"], row["headroom"]) == (1_500.0, 500.0)


def test_a_trade_without_a_stop_has_no_r():
    script = {2: lambda s: s.buy(size=1), 4: lambda s: s.close()}

    days, trades = plain(script, [(100.0,) * 4] * 6)

    assert trades["trades"][0]["r_multiple"] is None
    assert trades["without_stop"] == 1
    assert days["days"][0]["headroom"] is None


def test_a_limit_in_percent_is_of_the_equity_at_the_entry():
    script = {2: bracket(10, 90.0, 108.0)}
    rows = [row if isinstance(row, tuple) else (row,) * 4 for row in ROWS]

    _, trades = plain(script, rows, trades={"limit_pct": 2.0})

    assert trades["trades"][0]["limit"] == pytest.approx(2_000.0)


def test_stock_fills_behind_the_guard_have_a_ledger_too():
    result = run({2: bracket(10, 95.0, 108.0)}, ROWS, "gold_bot", broker="stock", analyzers=BOTH)

    days, trades = analysis(result)

    assert not days["exact"]
    row = trades["trades"][0]
    assert (row["exit_price"], row["pnl"], row["r_multiple"]) == (95.0, -500.0, -1.0)
    assert (row["stop"], row["headroom"]) == (95.0, 0.0)
