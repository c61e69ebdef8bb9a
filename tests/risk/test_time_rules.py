"""Rules of time: hours of entries, the hour to be flat, news."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import backtrader as bt
import numpy as np
import pytest

import feeds
from backtests.fills.broker import BacktestBroker
from core.bars import EARLY_CLOSE
from core.instruments import get_instrument
from risk import Guard, RiskSettings, get_preset
from risk.news import NewsEvent
from risk.rules import NewsBlackout
from tests.risk.runs import actions, bracket, run, run_plans, series

CHICAGO = ZoneInfo("America/Chicago")
MINUTE_NS = 60 * 10**9


def entry(size=2, **terms):
    return bracket(size, 50.0, 200.0, **terms)


def rest(price=90.0):
    return lambda strategy: strategy.buy(size=2, exectype=bt.Order.Limit, price=price)


def exit_clock(result, zone):
    at = result.inner.ledger.trades[0].exit_time
    return datetime.fromtimestamp(at / 1e9, UTC).astimezone(ZoneInfo(zone)).strftime("%H:%M")


# -- flat by ---------------------------------------------------------------------------------

FLAT_1510 = RiskSettings(flat_by="15:10", flat_zone="America/Chicago", flat_entry_minutes=10)


@pytest.mark.parametrize(
    ("minutes", "start", "leaves"),
    [(5, "2024-01-09T20:30", "15:10"), (15, "2024-01-09T19:00", "15:00"),
     (60, "2024-01-09T16:00", "15:00")],
    ids=["5m-at-the-flat-time", "15m-before-the-bar-that-spans-it", "1h"],
)  # fmt: skip
@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_a_position_is_closed_by_the_flat_time_on_any_grid(minutes, start, leaves, broker):
    result = run({2: entry()}, [100] * 20, FLAT_1510, start=start, minutes=minutes, broker=broker)

    assert exit_clock(result, "America/Chicago") == leaves
    assert result.inner.ledger.trades[0].exit_reason == "flat_time"
    assert result.strategy.position.size == 0


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_working_entries_end_at_the_flat_time_and_new_ones_stop_before_it(broker):
    """5m bars from 14:30 Chicago: bar 6 ends at 15:00, ten minutes before the flat time."""
    script = {2: rest(), 5: rest(91.0), 6: rest(92.0)}
    result = run(script, [100] * 20, FLAT_1510, start="2024-01-09T20:30", minutes=5, broker=broker)

    assert result.strategy.statuses() == ["Canceled", "Canceled", "Rejected"]
    assert result.strategy.orders[2].info.refused.rule == "flat_by"


def test_on_an_early_close_the_flat_time_is_15_minutes_before_it():
    """The day after Thanksgiving 2024 closes at 13:45 New York: flat by 13:30."""
    result = run({2: entry()}, [100] * 33, FLAT_1510, start="2024-11-29T16:00", minutes=5)

    assert exit_clock(result, "America/New_York") == "13:30"


def test_a_new_trading_day_may_be_entered_again():
    rows = [100] * 6 + [(100, 100, 100, 100, "2024-01-09T23:00"), 100, 100]
    result = run({6: entry(), 7: entry()}, rows, FLAT_1510, start="2024-01-09T20:00")

    assert result.strategy.orders[0].info.refused.rule == "flat_by"
    assert result.strategy.orders[3].getstatusname() == "Completed"


class AlwaysIn(bt.Strategy):
    """Enter whenever flat; leave never."""

    def next(self):
        if not self.position:
            price = self.data.close[0]
            self.buy_bracket(size=2, exectype=bt.Order.Market, stopprice=price - 60,
                             limitprice=price + 60)  # fmt: skip


def flat_times(bars):
    """Return the latest allowed exit of each trading day, and the days that close early."""
    times, shortened = {}, set()
    for bar in bars[np.unique(bars["day"], return_index=True)[1]]:
        day = int(bar["day"])
        date = datetime.fromtimestamp(day * 86_400, UTC)
        local = datetime(date.year, date.month, date.day, 15, 10, tzinfo=CHICAGO)
        times[day] = int(local.timestamp()) * 10**9
        if bar["flags"] & EARLY_CLOSE:
            shortened.add(day)
            times[day] = min(times[day], int(bar["close_at"]) - 15 * MINUTE_NS)
    return times, shortened


def test_topstep_50k_is_flat_by_1510_chicago_on_every_day_of_the_file(real_data, capsys):
    """The preset's flat time alone, on 31 months of gold, with a strategy that never leaves.

    A day on which the file itself ends before the flat time (spot gold on US holidays) has no
    later price to leave at: the position goes at the next trading day's first open.
    """
    series = feeds.load(real_data / "xauusd_15m.csv.gz", symbol="MGC", timeframe="15m")
    preset = get_preset("topstep_50k")
    rules = RiskSettings(flat_by=preset.flat_by, flat_zone=preset.flat_zone)
    cerebro = bt.Cerebro(stdstats=False)
    data = feeds.BulkData(series)
    cerebro.adddata(data, name="gold")
    broker = BacktestBroker(cash=50_000_000.0)
    broker.add_instrument(data, get_instrument("MGC").without_costs(), "gold")
    cerebro.setbroker(Guard(broker, rules))
    cerebro.addstrategy(AlwaysIn)
    cerebro.run()

    bars, trades = series.bars, broker.ledger.trades
    times, shortened = flat_times(bars)
    day_of = dict(zip(bars["start"].tolist(), bars["day"].tolist(), strict=True))
    held = [(day_of[trade.entry_bar], trade) for trade in trades]
    timed = {day for day, trade in held if trade.exit_reason == "flat_time"}
    first = {day: bars["start"][bars["day"] == day][0] for day in times}
    last = {day: bars["end"][bars["day"] == day][-1] for day in times}
    later = dict(itertools.pairwise(sorted(times)))
    late = [(day, trade) for day, trade in held if trade.exit_time > times[day]]
    with capsys.disabled():
        early = len(timed & shortened)
        print(f"\nflat by 15:10 Chicago: {len(trades)} trades, {len(timed)} of {len(times)} days "
              f"ended by the rule, {early} of them early closes; {len(late)} at the next open "
              "because the file ends before the flat time")  # fmt: skip
    for day, trade in late:  # the file's bars of that day end before its flat time
        assert last[day] <= times[day]
        assert trade.exit_time == first[later[day]]
    assert len(late) < 25
    assert len(timed) > 600
    assert len(timed & shortened) >= 10


# -- window ----------------------------------------------------------------------------------


def test_entries_are_taken_only_inside_the_window():
    rules = RiskSettings(window="10:30-11:00,22:00-01:00", window_zone="America/New_York")
    script = {1: rest(), 2: rest(91.0), 3: rest(92.0), 4: rest(93.0)}
    result = run(script, [100] * 8, rules)  # bar 1 ends 10:15, bar 2 at 10:30, bar 4 at 11:00

    assert result.strategy.statuses() == ["Rejected", "Canceled", "Canceled", "Rejected"]


def test_a_window_may_span_midnight():
    rules = RiskSettings(window="18:00-02:00", window_zone="America/New_York")
    script = {1: rest(), 5: rest(91.0)}
    result = run(script, [100] * 8, rules, start="2024-01-10T06:00")  # 01:00 New York

    assert result.strategy.statuses() == ["Canceled", "Rejected"]


# -- news ------------------------------------------------------------------------------------

AT_1130 = "2024-01-09T16:30"
"""11:30 New York; bar 7 of a 15m run from 10:00 starts there."""


def news(tmp_path, mode, **terms):
    file = tmp_path / "events.csv"
    file.write_text(f"time,currency,impact,name\n{AT_1130}Z,USD,high,Speech\n")
    given = {"news_minutes_before": 10, "news_minutes_after": 10, **terms}
    return RiskSettings(news=mode, news_file=str(file), **given)


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_no_entry_is_taken_or_left_working_around_news(tmp_path, broker):
    """The blackout 11:20-11:40 touches bars 6 (11:15) and 7 (11:30)."""
    script = {4: rest(), 5: rest(91.0), 6: rest(92.0), 7: rest(93.0)}
    result = run(script, [100] * 10, news(tmp_path, "block"), broker=broker)

    assert result.strategy.statuses() == ["Canceled", "Rejected", "Rejected", "Accepted"]
    refused = result.strategy.orders[1].info.refused
    assert (refused.rule, refused.limit, refused.value) == ("news", 10.0, 15.0)


def test_news_may_leave_positions_alone_or_flatten_them(tmp_path):
    kept = run({2: entry()}, [100] * 10, news(tmp_path, "block"))
    closed = run({2: entry()}, [100] * 10, news(tmp_path, "flatten"))

    assert kept.strategy.position.size == 2
    assert exit_clock(closed, "America/New_York") == "11:15"
    assert closed.inner.ledger.trades[0].exit_reason == "news"


@pytest.mark.parametrize("broker", ["tola", "stock"])
@pytest.mark.parametrize(("side", "stop", "tight"), [(1, 90.0, 95.0), (-1, 110.0, 105.0)])
def test_news_may_halve_the_distance_of_stops_once(tmp_path, broker, side, stop, tight):
    action = bracket(2, stop, 100 + 50 * side, side)
    result = run({2: action}, [100] * 12, news(tmp_path, "tighten"), broker=broker)

    assert result.strategy.orders[1].created.price == tight
    assert actions(result.guard) == [("news", "tighten")]


def test_events_of_other_currencies_and_lesser_impact_are_ignored(tmp_path):
    other = news(tmp_path, "block", news_currencies=("INR",))

    result = run({5: rest(91.0)}, [100] * 10, other)

    assert result.strategy.statuses() == ["Accepted"]


def test_a_blackout_reaches_from_before_to_after_the_event():
    rule = NewsBlackout("block", [NewsEvent(100 * MINUTE_NS, "USD", "high", "")], 5, 3)

    touched = [
        minute
        for minute in range(90, 110)
        if rule.event_in(minute * MINUTE_NS, (minute + 1) * MINUTE_NS) is not None
    ]

    assert touched == list(range(95, 103))


@pytest.mark.parametrize("first", ["gold", "euro"])
def test_a_symbol_that_is_done_for_the_day_does_not_block_the_others(first):
    """Gold closes early (14:30 New York), the euro trades on to its flat time of 16:10."""
    gold = series([2000] * 10, start="2024-07-04T16:00", symbol="XAUUSD")
    rows = [1.1] * 13 + [(1.1, 1.1, 1.09, 1.09), 1.09]
    euro = series(rows, start="2024-07-04T16:00", symbol="EURUSD")

    def wait(strategy):
        return strategy.buy(size=1, exectype=bt.Order.Limit, price=1.095)

    plans = {"gold": ({}, gold), "euro": ({11: wait}, euro)}
    ordered = {name: plans[name] for name in sorted(plans, key=lambda name: name != first)}
    rules = RiskSettings(flat_by="15:10", flat_zone="America/Chicago")
    result = run_plans(ordered, rules, cash=1e7)

    assert result.strategies["euro"].statuses() == ["Completed"]
