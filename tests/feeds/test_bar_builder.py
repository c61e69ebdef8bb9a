"""Bars built of ticks: on the grid, by tick or by clock, however the ticks were batched."""

import datetime

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bars import BAR, FIRST_OF_DAY, Series
from core.calendar import get_calendar
from core.resampling import resample
from core.ticks import TICK, TRADE
from feeds.bar_builder import BarBuilder

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
NSE_OPEN = int(np.datetime64("2025-09-15T03:45:00", "ns").astype(np.int64))
PRICES = ("open", "high", "low", "close", "volume", "spread")


def ticks_at(offsets, prices=None, volumes=None, flags=TRADE, base=NSE_OPEN):
    ticks = np.zeros(len(offsets), TICK)
    ticks["ts_event"] = base + np.asarray(offsets, np.int64)
    ticks["price"] = 100.0 if prices is None else prices
    ticks["volume"] = 1.0 if volumes is None else volumes
    ticks["bid"] = ticks["ask"] = ticks["spread"] = np.nan
    ticks["flags"] = flags
    return ticks


def builder(timeframe=MINUTE, name="NSE"):
    return BarBuilder(get_calendar(name), timeframe)


def builder_bars(ticks):
    build = builder()
    return np.concatenate([build.take(ticks), build.close(NSE_OPEN + 10_000 * MINUTE)])


def test_a_bar_is_over_with_the_first_tick_of_the_next():
    build = builder()
    assert len(build.take(ticks_at([0, 10 * SECOND, 59 * SECOND], [100, 103, 99]))) == 0

    (bar,) = build.take(ticks_at([MINUTE], [101]))

    assert [bar[name] for name in PRICES] == [100, 103, 99, 99, 3, 0]
    assert (bar["start"], bar["end"]) == (NSE_OPEN, NSE_OPEN + MINUTE)
    assert build.forming["open"][0] == 101


def test_a_bar_is_over_by_the_clock_without_a_tick():
    build = builder()
    build.take(ticks_at([0]))

    assert build.ends_at == NSE_OPEN + MINUTE
    assert len(build.close(NSE_OPEN + MINUTE - 1)) == 0
    assert len(build.close(NSE_OPEN + MINUTE)) == 1
    assert build.ends_at is None


def test_what_comes_late_is_left_out_and_counted():
    build = builder()
    build.take(ticks_at([0]))
    build.close(NSE_OPEN + MINUTE)

    assert len(build.take(ticks_at([30 * SECOND], [500]))) == 0
    (bar,) = np.concatenate([build.take(ticks_at([MINUTE])), build.close(NSE_OPEN + 2 * MINUTE)])

    assert (bar["high"], build.left_out) == (100.0, 1)


def test_a_tick_that_is_no_trade_tells_the_time_only():
    build = builder()
    build.take(ticks_at([0]))

    (bar,) = build.take(ticks_at([61 * SECOND], [900], flags=0))

    assert bar["high"] == 100.0
    assert len(build.forming) == 0


def test_the_last_bar_ends_with_the_session_and_ticks_after_it_are_in_none():
    build = builder(60 * MINUTE)
    close = 375 * MINUTE
    build.take(ticks_at([360 * MINUTE]))

    (bar,) = build.take(ticks_at([close], [900]))

    assert (bar["start"], bar["end"]) == (NSE_OPEN + 360 * MINUTE, NSE_OPEN + close)
    assert (bar["high"], len(build.forming), build.left_out) == (100.0, 0, 1)


def test_bars_that_came_from_history_are_not_built_again():
    build = builder()
    build.begin_after(builder_bars(ticks_at([MINUTE]))[0])

    done = build.take(ticks_at([0, MINUTE, 2 * MINUTE, 3 * MINUTE]))

    assert list(done["start"]) == [NSE_OPEN + 2 * MINUTE]
    assert build.left_out == 2
    assert not done["flags"][0] & FIRST_OF_DAY


def test_the_spread_of_a_bar_is_the_widest_told():
    build = builder()
    ticks = ticks_at([0, 1, 2])
    ticks["spread"] = [1.0, 2.0, np.nan]
    build.take(ticks)

    assert build.forming["spread"][0] == 2.0


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bars_do_not_depend_on_how_ticks_were_batched(data):
    steps = data.draw(st.lists(st.integers(-20, 90), min_size=1, max_size=60))
    offsets = np.cumsum(steps) * SECOND
    ticks = ticks_at(offsets, np.arange(len(steps)) + 100.0, np.arange(len(steps)) + 0.1)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(steps)), max_size=6)))
    whole, parts = builder(), builder()

    at_once = [whole.take(ticks[i : i + 1]) for i in range(len(ticks))]
    in_parts = [parts.take(part) for part in np.split(ticks, cuts)]

    end = NSE_OPEN + 10_000 * MINUTE
    one = np.concatenate([*at_once, whole.close(end)])
    other = np.concatenate([*in_parts, parts.close(end)])
    assert len(one) == len(other) and np.all(one == other)
    assert whole.left_out == parts.left_out
    assert one["volume"].sum() <= ticks["volume"].sum() + 1e-9
    assert np.all(np.diff(one["start"]) > 0) and np.all(np.diff(other["start"]) > 0)


@pytest.mark.parametrize("timeframe", [3, 15, 60])
def test_bars_of_ticks_are_the_bars_resampled_from_minutes(timeframe):
    chance = np.random.default_rng(3)
    minutes = np.zeros(700, BAR)
    calendar = get_calendar("NSE")
    first, last = NSE_OPEN, NSE_OPEN + 2 * 24 * 60 * MINUTE
    minutes["start"] = calendar.expected_starts(first, last, MINUTE)[:700]
    for name in ("open", "high", "low", "close"):
        minutes[name] = chance.normal(100, 5, 700)
    minutes["high"] = np.max([minutes[name] for name in ("open", "high", "low", "close")], axis=0)
    minutes["low"] = np.min([minutes[name] for name in ("open", "high", "low", "close")], axis=0)
    minutes["volume"] = 4.0
    calendar.annotate(minutes, MINUTE)
    ticks = np.zeros(2800, TICK)
    for place, name in enumerate(("open", "high", "low", "close")):
        ticks["price"][place::4] = minutes[name]
        ticks["ts_event"][place::4] = minutes["start"] + place * 15 * SECOND
    ticks["volume"], ticks["flags"] = 1.0, TRADE
    build = builder(timeframe * MINUTE)

    built = np.concatenate([build.take(ticks), build.close(last)])

    expected = resample(Series("NIFTY", MINUTE, minutes), timeframe * MINUTE, calendar).bars
    assert len(built) == len(expected) and np.all(built == expected)


class _Ticks(bt.feed.DataBase):
    params = (("ticks", None), ("timeframe", bt.TimeFrame.Ticks))

    def start(self):
        super().start()
        self._rows = iter(self.p.ticks)

    def _load(self):
        row = next(self._rows, None)
        if row is None:
            return False
        when = datetime.datetime(1970, 1, 1) + datetime.timedelta(
            microseconds=row["ts_event"] / 1e3
        )
        self.lines.datetime[0] = bt.date2num(when)
        for line in (self.lines.open, self.lines.high, self.lines.low, self.lines.close):
            line[0] = row["price"]
        self.lines.volume[0] = row["volume"]
        self.lines.openinterest[0] = 0.0
        return True


class _Seen(bt.Strategy):
    def __init__(self):
        self.bars = []

    def next(self):
        self.bars.append(tuple(getattr(self.data, name)[0] for name in PRICES[:5]))


def test_bars_are_those_of_backtraders_own_resampler():
    chance = np.random.default_rng(5)
    # a tick on the very edge belongs to the bar before in Backtrader, to the bar after here
    offsets = np.sort(chance.choice(np.arange(1, 3600), 900, replace=False))
    offsets = offsets[offsets % 60 != 0] * SECOND
    ticks = ticks_at(offsets, np.round(chance.normal(100, 2, len(offsets)), 2), base=NSE_OPEN)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(_Ticks(ticks=ticks), timeframe=bt.TimeFrame.Minutes, compression=1)
    cerebro.addstrategy(_Seen)
    seen = cerebro.run()[0].bars
    build = builder()

    built = np.concatenate([build.take(ticks), build.close(NSE_OPEN + 61 * MINUTE)])

    assert [tuple(bar[name] for name in PRICES[:5]) for bar in built] == seen
