"""Live, bars may come from history and fills before their bar: setups and days all the same."""

from __future__ import annotations

from types import SimpleNamespace

import backtrader as bt
import numpy as np
import pytest

from core.calendar import get_calendar
from core.instruments import get_instrument
from core.results import iso_time
from feeds.bulk import float_day
from strategies.machine_line import BarReader
from tests.backtests.plain_feed import ListFeed
from tests.strategies import samples
from tests.strategies.running import MODES, backtest

COUNT = 6_000


def run(name, count=COUNT, **given):
    series = samples.series(name)
    symbol = samples.FILES[name][1]
    bars = series.with_bars(series.bars[:count])
    return backtest(name, bars, get_instrument(symbol), 2e6, **given)


# -- bars of history -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_setup_on_a_bar_of_history_is_logged_as_warmup(mode):
    finished = run("gold_smc", mode=mode, late=np.ones(COUNT, bool))

    rows = finished.strategy.setups_log
    assert len(rows) > 5
    assert {row.reason for row in rows} == {"warmup"}
    assert finished.guard.refused == {}
    assert finished.trades == []


@pytest.mark.parametrize("name", samples.NAMES)
def test_after_history_it_trades_as_after_a_warm_up_of_that_many_bars(name):
    first = 3_000

    after_history = run(name, late=np.arange(COUNT) < first)
    after_warmup = run(name, warmup=first)

    assert after_history.setup_rows() == after_warmup.setup_rows()
    assert after_history.trade_rows() == after_warmup.trade_rows()
    assert len(after_history.trades) > 0


def test_in_a_gap_a_position_is_kept_and_a_setup_is_warmup_not_busy():
    whole = run("gold_smc")
    busy = next(row for row in whole.strategy.setups_log if row.reason == "busy")
    late = samples.series("gold_smc").bars["start"][:COUNT] == busy.bar

    with_gap = run("gold_smc", late=late)

    assert with_gap.trade_rows() == whole.trade_rows()
    differing = [
        (ours[0], ours[-2])
        for ours, other in zip(with_gap.setup_rows(), whole.setup_rows(), strict=True)
        if ours != other
    ]
    assert differing == [(iso_time(busy.bar), "warmup")]


# -- fills before their bar ----------------------------------------------------------------------


class Standing:
    """A feed of ours that stands on one bar; later ones are not delivered yet."""

    _timeframe, _compression = bt.TimeFrame.Minutes, 15

    def __init__(self, bars, index):
        self.bars = bars[: index + 1]
        self.datetime = [float_day(int(bars["end"][index]))]

    def __len__(self):
        return len(self.bars)


@pytest.mark.parametrize("name", samples.NAMES)
def test_the_day_of_a_bar_is_known_before_it_is_delivered(name):
    calendar = get_calendar(get_instrument(samples.FILES[name][1]).calendar)
    bars = samples.series(name).bars[:COUNT]
    first = BarReader(Standing(bars, 0), calendar)

    days = [first.day_of(float_day(int(end))) for end in bars["end"]]

    assert days == bars["day"].tolist()


def test_the_last_bar_of_a_session_ends_in_its_own_day():
    calendar = get_calendar("24/7")
    bars = samples.series("gold_smc").bars[:1].copy()
    midnight = int(np.datetime64("2024-03-06", "ns").astype("i8"))
    reader = BarReader(Standing(bars, 0), calendar)

    day = reader.day_of(float_day(midnight))

    assert day == int(np.datetime64("2024-03-05", "D").astype("i8"))


def test_a_delivered_bar_has_the_day_it_came_with():
    bars = samples.series("gold_smc").bars[:1].copy()
    bars["day"] = 7  # a day of the source's own, which the calendar does not know
    reader = BarReader(Standing(bars, 0), get_calendar("CMEGlobex_GC"))

    assert reader.day_of(float_day(int(bars["end"][0]))) == 7


def test_a_plain_feeds_bar_belongs_to_the_day_of_its_start():
    """Its stamp is its END: midnight ends the day before."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ListFeed(rows=[(1, 1, 1, 1)], first=float(738_885), step=1))
    cerebro.addstrategy(Asking)

    assert cerebro.run()[0].days == [738_884 - 719_163]


class Asking(bt.Strategy):
    """Asks for the day of the bar it stands on."""

    def __init__(self):
        self.days = []

    def next(self):
        reader = BarReader(self.data, get_calendar("24/7"))
        self.days.append(reader.day_of(self.data.datetime[0]))


def test_losses_count_on_the_day_of_the_bar_that_holds_the_fill():
    strategy = run("gold_smc", 300).strategy
    bars = samples.series("gold_smc").bars
    today = int(bars["day"][299])
    row = int(np.argmax(bars["day"] > today))
    end = float_day(int(bars["end"][row]))  # the first bar of the next day, not delivered yet
    lost = SimpleNamespace(isclosed=True, pnlcomm=-1.0, dtclose=strategy.data.datetime[0])

    for _ in range(2):
        strategy.notify_order(filled(end))
        strategy.notify_trade(lost)

    assert strategy._losses_in_row.of(int(bars["day"][row])) == 2
    assert strategy._losses_in_row.of(today) == 0


def filled(end):
    """An order that was executed in the bar with this END."""
    return SimpleNamespace(
        status=bt.Order.Completed, ref=0, executed=SimpleNamespace(dt=end, size=1, price=1.0)
    )
