"""Sweeps against hand-made bars and the worked example."""

import math

import numpy as np
import pytest

import indicators
from core.errors import ConfigError
from indicators import frame as frames
from indicators import sweeps
from tests.indicators.series import frame_of, worked_example


def remembered(rows):
    recent = np.zeros(1, sweeps.RECENT)
    for bar in frames.bars_from_frame(frame_of(rows)):
        sweeps.remember(bar, recent[0])
    return recent[0]


def level_at(price, kind=sweeps.SWING):
    level = np.zeros(1, sweeps.LEVEL)
    sweeps.set_level(level[0], price, kind, 1)
    return level[0]


def empty_hit():
    hit = np.zeros(1, sweeps.HIT)
    sweeps.clear_hit(hit[0])
    return hit[0]


def test_worked_example_sweeps_the_low_of_bar_7_at_bar_11_and_nothing_else():
    readings = indicators.sweeps(worked_example(), day_levels=False)

    swept = np.flatnonzero(readings["low_count"] + readings["high_count"])
    assert swept.tolist() == [11]
    assert readings["low_level"].iloc[11] == 100.4
    assert readings["low_depth"].iloc[11] == pytest.approx(0.5)


def test_a_close_at_the_level_is_no_reclaim():
    recent = remembered([[101, 101, 99, 100]])

    assert sweeps.low_sweep_age(recent, 100.0, 0, 0.0) == -1


def test_a_low_at_the_level_is_no_sweep():
    recent = remembered([[101, 102, 100, 101]])

    assert sweeps.low_sweep_age(recent, 100.0, 0, 0.0) == -1


def test_penetration_asks_for_depth():
    recent = remembered([[101, 102, 99.5, 101]])

    assert sweeps.low_sweep_age(recent, 100.0, 0, 0.5) == -1
    assert sweeps.low_sweep_age(recent, 100.0, 0, 0.4) == 0


def test_delayed_reclaim_counts_from_the_earliest_bar_below_the_level():
    recent = remembered([[101, 102, 99, 99.5], [99.5, 100, 98, 99], [99, 102, 98.5, 101]])

    assert sweeps.low_sweep_age(recent, 100.0, 0, 0.0) == 0
    assert sweeps.low_sweep_age(recent, 100.0, 1, 0.0) == 1
    assert sweeps.low_sweep_age(recent, 100.0, 2, 0.0) == 2
    assert sweeps.lowest_low(recent, 2) == 98.0


def test_an_earlier_close_above_the_level_bounds_the_reclaim():
    recent = remembered([[101, 102, 99, 101], [101, 101, 98, 99], [99, 102, 99, 101]])

    assert sweeps.low_sweep_age(recent, 100.0, 2, 0.0) == 1


def test_a_bar_above_the_level_between_dip_and_reclaim_does_not_hide_the_dip():
    recent = remembered([[101, 101, 99, 100], [100, 100, 100, 100], [100, 102, 100, 101]])

    assert sweeps.low_sweep_age(recent, 100.0, 2, 0.0) == 2


def test_of_several_swept_lows_the_highest_is_the_reference_and_all_are_used_up():
    recent = remembered([[103, 104, 95, 103]])
    levels = [level_at(100.0), level_at(102.0), level_at(98.0), level_at(90.0)]
    hit = empty_hit()

    for level in levels:
        sweeps.sweep_low(recent, level, 0, 0.0, hit)

    assert hit.count == 3
    assert hit.price == 102.0
    assert hit.extreme == 95.0
    assert [int(level.active) for level in levels] == [0, 0, 0, 1]


def test_of_several_swept_highs_the_lowest_is_the_reference():
    recent = remembered([[97, 105, 96, 97]])
    hit = empty_hit()

    for price in (104.0, 99.0, 101.0):
        sweeps.sweep_high(recent, level_at(price), 0, 0.0, hit)

    assert (hit.count, hit.price, hit.extreme) == (3, 99.0, 105.0)


def test_a_level_is_swept_at_most_once_until_another_origin_renews_it():
    recent = remembered([[101, 102, 99, 101]])
    level = level_at(100.0)

    first = sweeps.sweep_low(recent, level, 0, 0.0, empty_hit())
    sweeps.follow_level(level, 100.0, sweeps.SWING, 1, True)
    again = sweeps.sweep_low(recent, level, 0, 0.0, empty_hit())
    sweeps.follow_level(level, 100.0, sweeps.SWING, 2, True)
    renewed = sweeps.sweep_low(recent, level, 0, 0.0, empty_hit())

    assert (first, again, renewed) == (True, False, True)


def test_a_close_beyond_a_day_level_does_not_use_it_up():
    day_one = [[105, 110, 100, 105], [105, 106, 101, 105]]
    day_two = [[105, 106, 98, 99], [99, 102, 97, 101]]
    frame = frame_of([*day_one, *day_two], start="2024-01-02", step="12h")

    readings = indicators.sweeps(frame, swing_levels=False)

    assert readings["low_level"].iloc[:3].isna().all()
    assert readings["low_level"].iloc[3] == 100.0
    assert readings["low_depth"].iloc[3] == 3.0


def test_a_missing_previous_day_gives_no_level():
    level = level_at(math.nan)

    assert level.active == 0


@pytest.mark.parametrize("value", [-1, 16, 1.5])
def test_reclaim_outside_its_range_is_refused_by_name(value):
    with pytest.raises(ConfigError, match="reclaim"):
        sweeps.params(reclaim=value)
