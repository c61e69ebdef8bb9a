"""The trading day with Backtrader's fills: that of what is traded, not of what is read."""

import backtrader as bt
import numpy as np
import pytest

from backtests.fills.stock import StockBroker
from backtests.loop.cerebro import Cerebro
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.instruments import get_instrument
from feeds import BulkData
from risk.analyzers import DailyLoss
from risk.guard import Guard
from risk.settings import RiskSettings

MINUTE = 60 * 10**9


def series(symbol, calendar, times, prices):
    bars = np.zeros(len(times), BAR)
    bars["start"] = [np.datetime64(time, "ns").astype(np.int64) for time in times]
    for name in ("open", "high", "low", "close"):
        bars[name] = prices
    get_calendar(calendar).annotate(bars, 30 * MINUTE)
    return Series(symbol, 30 * MINUTE, bars)


# In January New York is UTC-5: gold's day rolls at 18:00, 23:00 UTC, the dollar index's at 17:00.
GOLD = series(
    "XAUUSD",
    "CMEGlobex_GC",
    ["2025-01-14T21:00", "2025-01-14T21:30", "2025-01-14T23:00", "2025-01-14T23:30"],
    [2600.0, 2610.0, 2590.0, 2595.0],
)
DOLLAR = series("DXY", "ICE_DX", ["2025-01-14T21:30", "2025-01-14T22:00"], [109.0, 109.1])


class Holder(bt.Strategy):
    idle_in_position = True

    def __init__(self):
        self.days = []

    def entry_mask(self):
        return np.arange(self.data.buflen()) == 0

    def next(self):
        self.days.append(int(self.broker.trading_day))
        if len(self.data) == 1 and not self.position:
            self.buy(size=1.0)

    prenext = next


class Watchful(Holder):
    idle_in_position = False
    entry_mask = None


def ran(kind):
    cerebro = Cerebro(stdstats=False)
    gold, dollar = BulkData(GOLD), BulkData(DOLLAR)
    cerebro.adddata(gold, name="gold")
    cerebro.adddata(dollar, name="DXY")
    broker = StockBroker(cash=50_000.0)
    broker.add_instrument(gold, get_instrument("XAUUSD"), "gold")
    cerebro.setbroker(Guard(broker, RiskSettings(daily_loss=10_000.0)))
    cerebro.addstrategy(kind)
    cerebro.addanalyzer(DailyLoss, _name="days")
    return cerebro.run()[0]


def test_a_further_series_whose_day_rolls_earlier_does_not_roll_the_accounts():
    strategy = ran(Watchful)

    first, second = (int(GOLD.bars["day"][row]) for row in (0, 3))
    assert second == first + 1 == int(DOLLAR.bars["day"][1])
    assert strategy.days == [first, first, first, second, second]


@pytest.mark.parametrize("kind", [Holder, Watchful], ids=["skipping", "every bar"])
def test_days_are_marked_where_the_traded_market_rolls(kind):
    days = ran(kind).analyzers.days.get_analysis()["days"]

    assert [row["day"] for row in days] == ["2025-01-14", "2025-01-15"]
    assert days[0]["end_equity"] == days[1]["start_equity"]
    assert days[1]["pnl"] == pytest.approx((2595.0 - 2610.0) * 100.0)  # ounces a lot
