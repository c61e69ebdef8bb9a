"""Bars handed to Backtrader one at a time: the same to every strategy as bars loaded at once."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pytest

import feeds
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.events import Bars
from feeds.bulk import exact_ns
from feeds.live import LiveFeed
from feeds.live_data import LiveData
from live.cerebro import LiveCerebro
from live.engine import Engine, FeedSlot
from tests.feeds.markets import HOUR, MINUTE, market, same
from tests.live.stages import Broker, Idle

QUARTERS = market("2025-09-01T00:00", "2025-09-19T09:59", 15 * MINUTE)
HOURS = market("2025-09-01T00:00", "2025-09-19T09:59", HOUR)
LINES = ("datetime", "start", "open", "high", "low", "close", "volume", "openinterest")


class Recorded(Engine):
    """An engine that consumes groups of bars and nothing else."""

    groups = ()

    def run(self):
        """Consume them."""
        for group in self.groups:
            self.consume(group)


def groups_of(named):
    """Return all bars of the feeds as events, those with one END together."""
    rows = [
        (int(bar["end"]), rank, name, bar)
        for rank, (name, bars) in enumerate(named)
        for bar in bars
    ]
    rows.sort(key=lambda row: row[:2])
    ends = sorted({row[0] for row in rows})
    parts = ([row for row in rows if row[0] == end] for end in ends)
    return [
        Bars(
            tuple(row[2] for row in part),
            (False,) * len(part),
            np.array([row[3] for row in part], BAR),
            ts_event=part[0][0],
        )
        for part in parts
    ]


def live(strategy, *series, late=(), **params):
    """Run a strategy on bars delivered by an engine; further series come first in a group."""
    slots = []
    for place, (timeframe, _) in enumerate(series):
        data = LiveData("X" if not place else f"X{place}", timeframe)
        feed = LiveFeed(data.symbol, timeframe, get_calendar("NSE"))
        slots.append(FeedSlot(data.symbol, "a", feed, data, is_clock=False))
    engine = Recorded(Broker(slots), Idle(), slots, Idle(), Idle(), None, 10**18)
    named = [(slot.name, bars) for slot, (_, bars) in zip(slots, series, strict=True)]
    engine.groups = groups_of(named[1:] + named[:1])
    if late:
        engine.groups = [
            Bars(group.names, (place in late,), group.bars, ts_event=group.ts_event)
            for place, group in enumerate(engine.groups)
        ]
    cerebro = LiveCerebro(**params)
    cerebro.engine = engine
    for slot in slots:
        cerebro.adddata(slot.data, name=slot.name)
    cerebro.addstrategy(strategy)
    return cerebro.run()[0]


def bulk(strategy, *series, **params):
    """Run it on the same bars loaded at once."""
    cerebro = bt.Cerebro(stdstats=False, **params)
    for place, (timeframe, bars) in enumerate(series):
        cerebro.adddata(feeds.BulkData(Series(f"X{place}", timeframe, bars), name=f"X{place}"))
    cerebro.addstrategy(strategy)
    return cerebro.run()[0]


class Seen(bt.Strategy):
    """Notes every line of every data at each call."""

    def __init__(self):
        self.rows = []

    def prenext(self):
        self.next()

    def next(self):
        self.rows.append(
            tuple(
                (len(d), *(getattr(d.lines, name)[0] for name in LINES)) if len(d) else None
                for d in self.datas
            )
        )


def test_every_line_and_length_is_that_of_bulk_data_bit_for_bit():
    rows = live(Seen, (15 * MINUTE, QUARTERS)).rows

    assert rows == bulk(Seen, (15 * MINUTE, QUARTERS)).rows
    assert len(rows) == len(QUARTERS)
    assert [exact_ns(row[0][1]) for row in rows] == QUARTERS["end"].tolist()


def test_two_datas_of_different_timeframes_are_seen_as_bulk_datas_are():
    series = (15 * MINUTE, QUARTERS), (HOUR, HOURS)

    rows = live(Seen, *series).rows

    assert rows == bulk(Seen, *series).rows == bulk(Seen, *series, runonce=False).rows


def test_a_further_series_that_starts_late_and_ends_early_is_seen_as_bulk_datas_are():
    series = (15 * MINUTE, QUARTERS), (HOUR, HOURS[20:60])

    rows = live(Seen, *series).rows

    assert rows == bulk(Seen, *series, runonce=False).rows
    assert rows[0][1] is None


class Indicators(bt.Strategy):
    """Backtrader's own indicators, one with a long period, and lines of two timeframes."""

    def __init__(self):
        data = self.data
        self.values = [
            bt.ind.SMA(data, period=7),
            bt.ind.EMA(data, period=21),
            bt.ind.ATR(data, period=14),
            bt.ind.RSI(data, period=14),
            bt.ind.MACDHisto(data).histo,
            bt.ind.BollingerBands(data, period=20).top,
            bt.ind.Stochastic(data).percD,
            bt.ind.Highest(data.high, period=30),
            bt.ind.CrossOver(data.close, bt.ind.SMA(data, period=9)),
            bt.ind.SMA(data, period=200),
            data.close - data.close(-3),
        ]
        if len(self.datas) > 1:
            slow = bt.ind.EMA(self.data1, period=12)
            self.values += [slow, data.close - slow()]
        self.rows = []

    def next(self):
        self.rows.append((len(self.data), *(value[0] for value in self.values)))


@pytest.mark.parametrize(
    "further, runonce",
    # Backtrader's own runonce fails where lines of two lengths are coupled
    [((), True), ((), False), (((HOUR, HOURS),), False)],
    ids=["one data at once", "one data", "two datas"],
)
def test_indicators_have_the_values_they_have_on_bulk_data(further, runonce):
    series = (15 * MINUTE, QUARTERS), *further

    rows = live(Indicators, *series).rows

    expected = bulk(Indicators, *series, runonce=runonce).rows
    assert len(rows) == len(expected) > 100
    assert np.allclose(rows, expected, rtol=1e-12, atol=1e-12)
    if not runonce:
        assert rows == expected


class LooksBack(bt.Strategy):
    """Looks at bars before."""

    def __init__(self):
        self.rows = []

    def next(self):
        data = self.data
        if len(data) > 5:
            closes = list(data.close.get(ago=-1, size=4))
            self.rows.append((data.close[-5], data.high[-1], data.datetime[-2], *closes))


def test_a_strategy_looks_back_as_far_as_it_likes():
    rows = live(LooksBack, (15 * MINUTE, QUARTERS)).rows

    assert rows == bulk(LooksBack, (15 * MINUTE, QUARTERS)).rows
    assert rows[0][0] == QUARTERS["close"][0]


def test_with_bounded_memory_the_values_are_the_same():
    series = (15 * MINUTE, QUARTERS)

    assert live(Seen, series, exactbars=1).rows == live(Seen, series).rows
    assert live(Indicators, series, exactbars=1).rows == live(Indicators, series).rows


class Records(bt.Strategy):
    """Reads the record of the bar it stands on."""

    def __init__(self):
        self.rows, self.late = [], []

    def next(self):
        self.rows.append(self.data.bars[len(self.data) - 1].copy())
        self.late.append(self.data.catching_up)


def test_the_record_of_a_bar_is_the_bar_and_says_whether_it_came_late():
    late = {0, 1, 2, 7}

    seen = live(Records, (15 * MINUTE, QUARTERS), late=late)

    assert same(np.array(seen.rows), QUARTERS)
    assert {place for place, was in enumerate(seen.late) if was} == late


def test_bars_laid_ready_together_are_delivered_one_by_one():
    data = live(bt.Strategy, (15 * MINUTE, QUARTERS[:0])).data
    data.push(QUARTERS[0], True)
    data.push(QUARTERS[1], False)

    seen = [(data.next(ticks=False), len(data), data.catching_up) for _ in range(3)]

    assert seen == [(True, 1, True), (True, 2, False), (None, 2, False)]


def test_more_bars_than_the_first_capacity_are_kept():
    bars = market("2025-09-03T00:00", "2025-09-19T09:59", MINUTE)
    assert len(bars) > 4096

    seen = live(Records, (MINUTE, bars))

    assert same(seen.data.bars, bars)


def test_the_timeframe_is_backtraders():
    data = LiveData("X", 15 * MINUTE, name="gold")

    assert (data.p.timeframe, data.p.compression) == (bt.TimeFrame.Minutes, 15)
    assert (data._name, data.islive()) == ("gold", True)
