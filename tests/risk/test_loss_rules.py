"""Rules of money: the day, the drawdown, the streak, the best day."""

from __future__ import annotations

import backtrader as bt
import pytest

from core.orders import Fill, Role, Side
from risk import RiskSettings
from risk.context import GuardContext
from risk.rules import TrailingDrawdown
from risk.trades import TradeTracker
from tests.risk.runs import actions, bracket, run

WIDE = {"stop": 50.0, "target": 200.0}


def entry(size=10, **terms):
    return bracket(size, **WIDE, **terms)


# -- daily loss ------------------------------------------------------------------------------


def test_daily_loss_is_met_inside_the_bar_at_the_price_where_equity_meets_it():
    """10 MGC from 100: 800 are lost at 92.0, though the bar closes at 95."""
    rows = [100, 100, 100, (100, 100, 90, 95), 95]
    result = run({2: entry()}, rows, RiskSettings(daily_loss=800))

    trade = result.inner.ledger.trades[0]
    assert (trade.exit_price, trade.pnl, trade.exit_reason) == (92.0, -800.0, "daily_loss")
    assert actions(result.guard) == [("daily_loss", "breach"), ("daily_loss", "locked")]


def test_daily_loss_over_stock_fills_is_seen_at_the_close_and_flattened_at_the_next_open():
    rows = [100, 100, 100, (100, 100, 90, 91), (90, 90, 89, 89), 89]
    result = run({2: entry()}, rows, RiskSettings(daily_loss=800), broker="stock")

    trade = result.inner.ledger.trades[0]
    assert (trade.exit_price, trade.pnl, trade.exit_reason) == (90.0, -1000.0, "daily_loss")


def test_daily_loss_not_reached_at_the_close_is_not_seen_over_stock_fills():
    rows = [100, 100, 100, (100, 100, 90, 95), 95]
    result = run({2: entry()}, rows, RiskSettings(daily_loss=800), broker="stock")

    assert actions(result.guard) == []


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_a_breach_cancels_working_orders_too(broker):
    def rest(strategy):
        return strategy.buy(size=1, exectype=bt.Order.Limit, price=60.0)

    rows = [100, 100, 100, 100, (100, 100, 90, 90), 90, 90]
    result = run({2: entry(), 4: rest}, rows, RiskSettings(daily_loss=800), broker=broker)

    assert result.strategy.orders[3].getstatusname() == "Canceled"
    assert result.strategy.position.size == 0
    assert result.guard.get_orders_open() == []


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_gold_is_locked_until_18_new_york_and_free_after_it(broker):
    """21:30 UTC is 16:30 New York; the next bar is the 18:00 reopening: a new trading day."""
    rows = [100, 100, 100, (100, 100, 90, 90), 90,
            (90, 90, 90, 90, "2024-01-09T23:00"), 90, 90]  # fmt: skip
    script = {2: entry(), 5: entry(2), 6: entry(2)}
    rules = RiskSettings(daily_loss=800)
    result = run(script, rows, rules, start="2024-01-09T20:30", broker=broker)

    refused, taken = result.strategy.orders[3], result.strategy.orders[6]
    assert (refused.info.refused.rule, refused.info.refused.detail) == ("daily_loss", "locked")
    assert taken.getstatusname() == "Completed"
    unlocked = [event for event in result.guard.events if event.action == "unlocked"]
    assert [event.rule for event in unlocked] == ["daily_loss"]
    assert not result.guard.locked


def test_nifty_is_locked_until_the_next_indian_date():
    rows = [100, 100, 100, (100, 100, 90, 90), 90,
            (90, 90, 90, 90, "2024-01-10T03:45"), 90, 90]  # fmt: skip
    script = {2: bracket(100, 50.0, 200.0), 5: bracket(50, 50.0, 200.0),
              6: bracket(50, 50.0, 200.0)}  # fmt: skip
    rules = RiskSettings(daily_loss=800)
    result = run(script, rows, rules, start="2024-01-09T08:00", symbol="NIFTY-FUT")

    assert result.strategy.orders[3].info.refused.rule == "daily_loss"
    assert result.strategy.orders[6].getstatusname() == "Completed"


def test_the_day_starts_from_equity_with_open_profit_or_from_balance():
    """Up 500 overnight: from equity the floor is 99,700 + 500, from balance 99,700."""
    rows = [100, 100, 100, 105, (105, 105, 105, 105, "2024-01-09T23:00"),
            (105, 105, 101, 105), 105]  # fmt: skip
    start = "2024-01-09T20:30"

    by_equity = run({2: entry()}, rows, RiskSettings(daily_loss=300), start=start)
    by_balance = run({2: entry()}, rows, RiskSettings(daily_loss=300, daily_loss_basis="balance"),
                     start=start)  # fmt: skip

    assert by_equity.inner.ledger.trades[0].exit_price == 102.0  # 105 less 300
    assert by_balance.inner.ledger.trades == []


def test_percent_and_the_strictest_of_several_sources_hold():
    rows = [100, 100, 100, (100, 100, 90, 95), 95]
    sources = (RiskSettings(daily_loss_pct=0.7), RiskSettings(daily_loss=800), "topstep_50k")
    result = run({2: entry()}, rows, *sources)

    assert result.inner.ledger.trades[0].pnl == -700.0


def test_the_gold_bot_preset_flattens_at_800_locks_and_reopens():
    """Two trades: the first loses 480 at its stop, the second is cut when the day has lost 800."""
    rows = [100, 100, 100, (100, 100, 94, 95), 95, 95, (95, 95, 90, 91), 91,
            (91, 91, 91, 91, "2024-01-09T23:00"), 91]  # fmt: skip
    script = {2: bracket(8, 94.0, 130.0), 5: bracket(10, 90.0, 130.0), 8: bracket(2, 90.0, 130.0),
              9: bracket(2, 90.0, 130.0)}  # fmt: skip
    result = run(script, rows, "gold_bot", start="2024-01-09T18:45")

    first, second = result.inner.ledger.trades
    assert (first.pnl, first.exit_reason) == (-480.0, "stop")
    assert (second.exit_price, second.exit_reason) == (91.8, "daily_loss")
    assert first.pnl + second.pnl == pytest.approx(-800.0)
    assert result.strategy.orders[6].info.refused.rule == "daily_loss"
    assert result.strategy.orders[9].getstatusname() == "Completed"


# -- trailing drawdown -----------------------------------------------------------------------


def walk(rule, *balances):
    """Return the floor at the start and after each end-of-day balance."""
    context = GuardContext(broker=None)
    context.start(50_000.0)
    rule.start(context)
    floors = [rule.floor()]
    for day, balance in enumerate(balances):
        context.begin_day(day, balance, balance)
        rule.on_day(context)
        floors.append(rule.floor())
    return floors


def test_the_worked_topstep_example_of_the_50k_account():
    """+500: 48,500; -500: stays; 52,500: stops for good at the starting balance."""
    rule = TrailingDrawdown(2_000, "end_of_day", lock_offset=0.0)

    floors = walk(rule, 50_500.0, 50_000.0, 52_500.0, 51_000.0, 60_000.0)

    assert floors == [48_000.0, 48_500.0, 48_500.0, 50_000.0, 50_000.0, 50_000.0]


def test_without_a_lock_level_the_floor_rises_for_ever():
    floors = walk(TrailingDrawdown(2_000), 53_000.0, 52_000.0, 56_000.0)

    assert floors == [48_000.0, 51_000.0, 51_000.0, 54_000.0]


def test_end_of_day_drawdown_ignores_the_peak_inside_the_day():
    """Up 3,000 and back within the day: only an intraday floor moves."""
    rows = [100, 100, 100, (100, 130, 100, 105), 105, 105]

    end_of_day = run({2: entry()}, rows, RiskSettings(trailing_drawdown=2_000))
    intraday = run(
        {2: entry()}, rows, RiskSettings(trailing_drawdown=2_000, trailing_mode="intraday")
    )

    assert end_of_day.inner.ledger.trades == []
    assert intraday.inner.ledger.trades[0].exit_price == 110.0  # 2,000 below the high of 130
    assert intraday.inner.ledger.trades[0].exit_reason == "trailing_drawdown"


def test_a_trailing_drawdown_locks_for_good():
    rows = [100, 100, 100, (100, 100, 70, 75), 75,
            (75, 75, 75, 75, "2024-01-09T23:00"), 75, 75]  # fmt: skip
    rules = RiskSettings(trailing_drawdown=2_000)
    result = run({2: entry(), 6: entry(1)}, rows, rules, start="2024-01-09T20:30")

    assert result.inner.ledger.trades[0].exit_price == 80.0
    assert result.strategy.orders[3].info.refused.rule == "trailing_drawdown"
    assert result.guard.locked


# -- streaks and days ------------------------------------------------------------------------


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_two_losses_in_a_row_end_the_day_and_the_next_day_begins_anew(broker):
    lose = bracket(1, 99.0, 110.0)
    drop = (100, 100, 98, 100)
    rows = [100, 100, 100, drop, 100, 100, drop, 100,
            (100, 100, 100, 100, "2024-01-09T23:00"), 100, 100]  # fmt: skip
    script = {2: lose, 5: lose, 8: lose, 9: lose}
    rules = RiskSettings(max_losses_row=2)
    result = run(script, rows, rules, start="2024-01-09T19:00", broker=broker)

    entries = result.strategy.orders[::3]
    assert [order.getstatusname() for order in entries] == [
        "Completed", "Completed", "Rejected", "Completed",
    ]  # fmt: skip
    assert entries[2].info.refused.rule == "losses"


def test_a_trade_that_ends_even_resets_the_streak():
    lose, even = bracket(1, 99.0, 110.0), bracket(1, 90.0, 110.0)
    drop = (100, 100, 98, 100)
    rows = [100, 100, 100, drop, 100, 100, 100, 100, 100, drop, 100, 100, 100]
    script = {2: lose, 5: even, 7: lambda strategy: strategy.close(), 8: lose, 11: lose}
    result = run(script, rows, RiskSettings(max_losses_row=2))

    assert result.guard.refused == {}


def test_a_loss_stays_a_loss_when_the_currency_of_the_quote_has_risen():
    tracker = TradeTracker()
    bought = Fill(1, 1, "plan", "MGC", Side.BUY, 1.0, 2000.0, 0, 0, Role.ENTRY, "entry", {})
    sold = Fill(2, 2, "plan", "MGC", Side.SELL, 1.0, 1999.0, 1, 0, Role.EXIT, "exit", {})

    tracker.book(bought, 830.0)

    assert tracker.book(sold, 900.0) == -900.0


def test_the_days_profit_may_not_pass_its_share_of_the_target():
    """50 % of 3,000: with 1,500 won, open profit counted, no further entry is taken."""
    rules = RiskSettings(consistency_pct=50, profit_target=3_000)
    rows = [100, 100, 100, 114, 114, 115, 115, 115]
    result = run({2: entry(), 5: entry(1), 7: entry(1)}, rows, rules)

    entries = result.strategy.orders[::3]
    assert [order.getstatusname() for order in entries] == ["Completed", "Completed", "Rejected"]
    assert entries[2].info.refused.rule == "consistency"
    assert entries[2].info.refused.limit == 1_500


def test_headroom_says_how_much_of_each_limit_is_used():
    rows = [100, 100, 100, 97, 97]
    result = run({2: entry()}, rows, "topstep_50k")

    used = {item.rule: (item.limit, item.used) for item in result.guard.headroom()}
    assert used["daily_loss"] == (1_000, 300.0)
    assert used["trailing_drawdown"] == (2_000.0, 300.0)
    assert used["position"] == (50, 10.0)
