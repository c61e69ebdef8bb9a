"""Premium, discount and optimal trade entry."""

import math

import pytest

import indicators
from tests.indicators.series import frame_of, worked_example


def test_worked_example_at_bars_16_and_17():
    readings = indicators.dealing_range(worked_example())

    at_16, at_17 = readings.iloc[16], readings.iloc[17]
    assert (at_16["low"], at_16["high"]) == (99.9, 105.2)
    assert at_16["equilibrium"] == pytest.approx(102.55)
    assert at_16["ote_bottom"] == pytest.approx(101.013)
    assert at_16["ote_top"] == pytest.approx(101.914)
    assert at_16["ote_sweet"] == pytest.approx(101.4635)
    assert at_16["ote_side"] == 1
    assert at_17["ote_entered"] == 1
    assert at_17["zone"] == 1
    assert at_17["position"] == pytest.approx(0.5472, abs=5e-5)


def test_there_is_no_range_before_both_swings():
    readings = indicators.dealing_range(worked_example())

    assert readings["position"].iloc[:6].isna().all()
    assert not math.isnan(readings["position"].iloc[6])


def test_a_falling_leg_gives_a_short_entry_zone_measured_from_its_low():
    readings = indicators.dealing_range(worked_example())

    # swings at bar 11: high 102.6 (p=9), low 100.4 (p=7) is the older one; at bar 13 low 99.9
    at_13 = readings.iloc[13]
    assert at_13["ote_side"] == -1
    assert at_13["ote_bottom"] == pytest.approx(99.9 + 0.62 * 2.7)
    assert at_13["ote_top"] == pytest.approx(99.9 + 0.79 * 2.7)


def test_close_at_the_equilibrium_is_neither_premium_nor_discount():
    rows = [
        [10, 12, 10, 11],
        [11, 13, 11, 12],
        [12, 20, 12, 14],
        [14, 15, 11, 12],
        [12, 14, 10.5, 12],
        [12, 13, 4, 10],
        [10, 12, 6, 11],
        [11, 13, 7, 12],
    ]

    readings = indicators.dealing_range(frame_of(rows))

    assert readings["equilibrium"].iloc[7] == 12.0
    assert readings["zone"].iloc[7] == 0


def test_lux_zones_follow_the_extremes_since_the_last_pivots():
    readings = indicators.dealing_range(worked_example())

    at_18 = readings.iloc[18]
    assert (at_18["trail_low"], at_18["trail_high"]) == (99.9, 105.2)
    assert at_18["trail_premium"] == pytest.approx(105.2 - 0.05 * 5.3)
    assert at_18["trail_middle_top"] == pytest.approx(99.9 + 0.525 * 5.3)
