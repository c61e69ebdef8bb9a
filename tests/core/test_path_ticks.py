"""Bars replayed as ticks: four corners each, and the bars built of them are the bars again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import feeds
from core.bars import BAR, NEVER_NS, parse_timeframe
from core.calendar import get_calendar
from core.path_ticks import path_ticks
from core.ticks import OPENS_BAR, TRADE
from feeds.bar_builder import BarBuilder

MILLISECOND = 1_000_000
MINUTE = 60_000 * MILLISECOND
GOLD = "CMEGlobex_GC"
FIRST = 1_704_150_000_000_000_000  # 2024-01-01 23:00 UTC, gold's first open of the year


def bars_of(rows, timeframe="1m", calendar=GOLD, spread=0.0):
    """Bars of (open, high, low, close, volume) rows at a calendar's first times."""
    step = parse_timeframe(timeframe)
    days = get_calendar(calendar)
    bars = np.zeros(len(rows), BAR)
    bars["start"] = days.expected_starts(FIRST, FIRST + 400 * len(rows) * step, step)[: len(rows)]
    days.annotate(bars, step)
    for column, name in enumerate(("open", "high", "low", "close", "volume")):
        bars[name] = [row[column] for row in rows]
    bars["spread"], bars["flat_at"] = spread, NEVER_NS
    return bars


def prices(row):
    return path_ticks(bars_of([row]), 0.1)["price"].tolist()


def test_a_bar_is_its_open_the_nearer_extreme_the_other_and_its_close():
    assert prices((100, 103, 99, 102, 7)) == [100, 99, 103, 102]
    assert prices((100, 101, 97, 98, 7)) == [100, 101, 97, 98]


def test_of_two_equal_distances_the_high_is_nearer_whatever_dust_decimals_leave():
    assert prices((0.3, 0.4, 0.2, 0.3, 7)) == [0.3, 0.4, 0.2, 0.3]
    assert prices((2000.3, 2000.4, 2000.2, 2000.3, 7)) == [2000.3, 2000.4, 2000.2, 2000.3]


def test_corners_that_coincide_are_ticks_all_the_same():
    assert prices((100, 100, 100, 100, 7)) == [100, 100, 100, 100]


def test_ticks_tell_their_time_what_they_are_the_spread_and_once_the_volume():
    (bar,) = bars = bars_of([(100, 103, 99, 102, 7)], spread=0.3)

    ticks = path_ticks(bars, 0.1)

    times = [0, 20_000, 40_000, 59_999]
    assert ticks["ts_event"].tolist() == [bar.start + ms * MILLISECOND for ms in times]
    assert ticks["ts_init"].tolist() == ticks["ts_event"].tolist()
    assert ticks["flags"].tolist() == [TRADE | OPENS_BAR, TRADE, TRADE, TRADE]
    assert ticks["volume"].tolist() == [7, 0, 0, 0]
    assert ticks["spread"].tolist() == [0.3] * 4
    assert np.isnan(ticks["bid"]).all()
    assert np.isnan(ticks["ask"]).all()


def test_in_a_bar_of_no_length_to_speak_of_the_close_is_not_before_the_other_corners():
    bars = bars_of([(100, 103, 99, 102, 7)])
    bars["end"] = bars["start"] + 3 * 1000

    offsets = path_ticks(bars, 0.1)["ts_event"] - bars["start"][0]

    assert offsets.tolist() == [0, 1000, 2000, 2000]


def built(bars, timeframe, calendar=GOLD):
    """The bars a builder makes of the path ticks of bars."""
    build = BarBuilder(get_calendar(calendar), parse_timeframe(timeframe))
    done = [build.take(path_ticks(bars, 0.1)), build.close(NEVER_NS)]
    made = np.concatenate(done)
    made["flat_at"] = NEVER_NS  # the feed's to set
    return made


steps = st.integers(-30, 30)
volumes = st.one_of(st.integers(0, 10**9).map(float), st.floats(0, 1e6))
rows = st.lists(st.tuples(steps, steps, steps, steps, volumes), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from(["1m", "15m", "4h", "1d"]), st.sampled_from([0.0, 0.3]))
def test_bars_built_of_the_ticks_of_bars_are_those_bars(drawn, timeframe, spread):
    paths = [([2000 + 0.1 * step for step in row[:4]], row[4]) for row in drawn]
    bars = bars_of(
        [(path[0], max(path), min(path), path[3], volume) for path, volume in paths],
        timeframe,
        spread=spread,
    )

    assert built(bars, timeframe).tolist() == bars.tolist()


@pytest.mark.parametrize(
    ("file", "symbol", "timeframe"),
    [
        ("xauusd_1m", "XAUUSD", "1m"),
        ("xauusd_5m", "XAUUSD", "5m"),
        ("nifty50_1m", "NIFTY-FUT", "1m"),
        ("xauusd_1h", "XAUUSD", "1h"),
    ],
)
def test_real_bars_are_built_again_of_their_ticks(real_data, file, symbol, timeframe):
    series = feeds.load(real_data / f"{file}.csv.gz", symbol=symbol, timeframe=timeframe)
    calendar = "NSE" if symbol == "NIFTY-FUT" else GOLD
    bars = series.bars[:50_000].copy()
    bars["flat_at"] = NEVER_NS

    assert (built(bars, timeframe, calendar) == bars).all()
