"""Pools of equal highs and lows."""

import numpy as np
import pytest

import indicators
from indicators import frame as frames
from indicators import liquidity, sweeps
from tests.indicators.series import frame_of, worked_example


def new_side(capacity=4):
    side = np.zeros(1, liquidity.side_dtype(capacity))
    liquidity.reset_side(side[0])
    return side[0]


def add_highs(side, prices, tolerance):
    return [
        liquidity.add_pivot(side, 1, price, origin, origin + 2, tolerance)
        for origin, price in enumerate(prices)
    ]


def pools_of(side):
    return [
        (float(pool.first), float(pool.level), int(pool.members))
        for pool in side.pools[: side.count]
    ]


def test_worked_example_has_equal_highs_at_a_quarter_of_the_atr_only():
    wide = indicators.liquidity(worked_example(), left=2, right=2, atr_period=5, tolerance=0.25)
    narrow = indicators.liquidity(worked_example(), left=2, right=2, atr_period=5, tolerance=0.1)

    assert np.flatnonzero(wide["eqh"].notna()).tolist() == [22]
    assert wide["eqh"].iloc[22] == 105.6
    assert narrow["eqh"].isna().all()


def test_a_difference_equal_to_the_tolerance_is_equal():
    side = new_side()

    assert add_highs(side, [100.0, 100.5], 0.5) == [0, liquidity.OPENED]
    assert pools_of(side) == [(100.0, 100.5, 2)]


def test_later_highs_are_compared_with_the_first_member_only():
    side = new_side()

    events = add_highs(side, [100.0, 100.5, 100.9, 100.3], 0.5)

    assert events == [0, liquidity.OPENED, liquidity.OPENED, liquidity.JOINED]
    assert pools_of(side) == [(100.0, 100.5, 2), (100.5, 100.9, 3)]


def test_a_pivot_joins_the_youngest_pool_within_reach():
    side = new_side()

    add_highs(side, [100.0, 100.0, 100.8, 100.8, 100.4], 0.5)

    assert pools_of(side) == [(100.0, 100.0, 2), (100.8, 100.8, 3)]


def test_a_pivot_that_joins_none_is_compared_with_the_previous_whatever_that_did():
    side = new_side()

    events = add_highs(side, [100.0, 100.5, 101.0], 0.5)

    assert events == [0, liquidity.OPENED, liquidity.OPENED]
    assert pools_of(side)[1] == (100.5, 101.0, 2)


def test_the_oldest_pool_is_dropped_and_counted_at_the_cap():
    side = new_side(capacity=2)

    add_highs(side, [100, 100, 110, 110, 120, 120], 1.0)

    assert [pool[0] for pool in pools_of(side)] == [110.0, 120.0]
    assert side.dropped == 1


def test_a_swept_pool_is_consumed_at_its_most_extreme_member():
    side = new_side()
    add_highs(side, [100.0, 100.4], 0.5)
    recent = np.zeros(1, sweeps.RECENT)
    hit = np.zeros(1, sweeps.HIT)
    bars = frames.bars_from_frame(frame_of([[99, 100.3, 99, 99.5], [99.5, 100.5, 99, 99.5]]))
    sweeps.clear_hit(hit[0])

    counts = []
    for bar in bars:
        sweeps.remember(bar, recent[0])
        counts.append(liquidity.sweep_high_pools(side, recent[0], 0, 0.0, hit[0]))

    assert counts == [0, 1]
    assert side.count == 0
    assert (hit[0].price, hit[0].kind, hit[0].extreme) == (100.4, sweeps.POOL, 100.5)


def test_before_the_atr_the_mean_true_range_judges_equality():
    frame = worked_example()

    readings = indicators.liquidity(frame, left=2, right=2, atr_period=200, tolerance=0.25)

    highs, lows, closes = frame["high"], frame["low"], frame["close"]
    before = closes.shift()
    ranges = np.maximum(highs - lows, np.maximum((highs - before).abs(), (lows - before).abs()))
    assert ranges.iloc[1:23].mean() * 0.25 > 105.6 - 105.2
    assert readings["eqh"].iloc[22] == 105.6


@pytest.mark.parametrize("sign", [1, -1])
def test_a_pool_acts_only_from_the_bar_after_it_became_known(sign):
    # two equal highs (mirrored: lows); the bar that confirms the second also goes through them
    shape = [0, 1, 2, 1, 0, 1, 2, 1, 0]
    rows = [[500 + sign * (v - 0.5), 0, 0, 500 + sign * (v - 0.6)] for v in shape]
    for row, v in zip(rows, shape, strict=True):
        ends = sorted((500 + sign * v, 500 + sign * (v - 1)))
        row[1], row[2] = ends[1], ends[0]
    frame = frame_of(rows)

    readings = indicators.liquidity(frame, left=2, right=2, tolerance=0.1)

    column = "eqh" if sign > 0 else "eql"
    assert np.flatnonzero(readings[column].notna()).tolist() == [8]
    assert readings["swept_high" if sign > 0 else "swept_low"].isna().all()
