"""The market's course: order of time, volumes that grow, history without a future."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bars import Series
from core.errors import ConfigError
from core.ticks import TICK, TRADE, Tape
from sandbox.course import (
    BarBegins,
    BarsEnd,
    Course,
    Price,
    corner_volumes,
    generated,
    replayed,
)
from tests.sandbox.market import CALM, MINUTE, OPEN, day, minutes

SECOND = 10**9


def test_a_bar_is_told_as_its_path_between_its_begin_and_its_end():
    steps = list(Course([day([CALM])], OPEN).steps())

    kinds = [type(step) for step in steps]
    assert kinds == [BarBegins, Price, Price, Price, Price, BarsEnd]
    prices = [step for step in steps if isinstance(step, Price)]
    assert [price.price for price in prices] == [25000.0, 25010.0, 24990.0, 25005.0]
    assert [price.volume for price in prices] == [250] * 4
    assert steps[-1].ts == OPEN + MINUTE


def test_at_one_time_bars_end_before_others_begin():
    steps = list(Course([day([CALM] * 2)], OPEN).steps())

    at_the_line = [type(step) for step in steps if step.ts == OPEN + MINUTE]

    assert at_the_line == [BarsEnd, BarBegins, Price]


def test_two_symbols_are_told_in_the_order_of_time():
    prices = [day([CALM] * 3), day([CALM] * 3, symbol="BANKNIFTY-FUT")]

    steps = list(Course(prices, OPEN).steps())

    times = [step.ts for step in steps]
    assert times == sorted(times)
    assert len([step for step in steps if isinstance(step, BarsEnd)]) == 3
    assert len([step for step in steps if isinstance(step, Price)]) == 24


@given(st.lists(st.one_of(st.just(0.0), st.floats(0, 1e9)), min_size=1, max_size=20))
def test_every_corner_of_a_bar_trades_something_and_all_its_volume(volumes):
    parts = corner_volumes(np.array(volumes)).reshape(-1, 4)

    assert (parts >= 1).all()
    assert parts.sum(axis=1).tolist() == [max(int(volume), 4) for volume in volumes]


def test_recorded_trades_are_told_as_they_were():
    ticks = np.zeros(3, TICK)
    ticks["ts_event"] = OPEN + np.array([5, 20, 70]) * SECOND
    ticks["price"] = (25001.0, 25002.0, 25003.0)
    ticks["volume"] = (75, 0, 50)
    ticks["spread"] = np.nan
    ticks["flags"] = (TRADE, 0, TRADE)
    bars = minutes([CALM] * 2)

    steps = Course([replayed(Series("NIFTY-FUT", MINUTE, bars), Tape(ticks, "trades"))], 0).steps()

    told = [(step.ts - OPEN, step.price, step.volume) for step in steps if isinstance(step, Price)]
    assert told == [(5 * SECOND, 25001.0, 75), (70 * SECOND, 25003.0, 50)]


def test_history_ends_where_the_course_stands():
    course = Course([day([CALM] * 10)], OPEN)
    steps = course.steps()
    while course.now < OPEN + 7 * MINUTE:
        next(steps)

    minutes_known = course.history("NIFTY-FUT", MINUTE, OPEN, OPEN + 60 * MINUTE)
    fives = course.history("NIFTY-FUT", 5 * MINUTE, OPEN, OPEN + 60 * MINUTE)

    assert len(minutes_known) == 7
    assert [int(bar["start"] - OPEN) for bar in fives] == [0]
    assert len(course.history("NIFTY-FUT", 7 * SECOND, OPEN, OPEN + MINUTE)) == 0


def test_made_up_prices_are_the_same_for_the_same_seed():
    one, same, other = (
        generated("NIFTY-FUT", date(2024, 9, 2), date(2024, 9, 3), seed) for seed in (1, 1, 2)
    )

    assert np.array_equal(one.series.bars, same.series.bars)
    assert not np.array_equal(one.series.bars, other.series.bars)


def test_what_cannot_be_told_is_refused():
    with pytest.raises(ConfigError, match="expected path or trades"):
        replayed(Series("NIFTY-FUT", MINUTE, minutes([CALM])), ticks="jumps")
    with pytest.raises(ConfigError, match="no recipe"):
        generated("EURUSD", date(2024, 9, 2), date(2024, 9, 3))
    with pytest.raises(ConfigError, match="no bars"):
        replayed(Series("NIFTY-FUT", MINUTE, minutes([CALM])[:0]))
    with pytest.raises(ConfigError, match="day bars"):
        replayed(Series("NIFTY-FUT", 24 * 60 * MINUTE, minutes([CALM])))
    with pytest.raises(ConfigError, match="no prices"):
        Course([], 0)
