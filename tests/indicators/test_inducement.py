"""Inducement before order blocks."""

import numpy as np

import indicators
from indicators import inducement
from tests.indicators.series import worked_example


def new_side(capacity=4):
    return np.zeros(1, inducement.side_dtype(capacity))[0]


def step(side, low, t):
    bar = np.zeros(1, [("low", "f8"), ("high", "f8")]).view(np.recarray)[0]
    bar.low = low
    bar.high = low + 1
    out = np.zeros(1, inducement.TOUCH)[0]
    inducement.step_side.py_func(bar, 1, t, side, out)
    return out


def test_worked_example_touches_one_induced_and_two_plain_blocks():
    readings = indicators.inducement(worked_example(), atr_period=5)

    # OB- of bar 4: internal high 102.6 (p=9) lies in front, taken and touched at bar 13
    assert np.flatnonzero(readings["bear_touched"]).tolist() == [13, 22]
    assert np.flatnonzero(readings["bear_induced"]).tolist() == [13]
    assert readings["bear_level"].iloc[11:13].tolist() == [102.6, 102.6]
    # OB+ of bars 11 and 17: no internal low in front of them before the touch
    assert np.flatnonzero(readings["bull_touched"]).tolist() == [17, 20]
    assert not readings["bull_induced"].any()


def test_the_first_pivot_beyond_the_block_after_the_break_is_the_level():
    side = new_side()
    inducement.add_block(side, 100.0, 5, 10)

    inducement.add_pivot(side, 1, 103.0, 10)
    inducement.add_pivot(side, 1, 99.0, 11)
    inducement.add_pivot(side, 1, 102.0, 12)
    inducement.add_pivot(side, 1, 101.0, 15)

    assert (side.blocks[0].level, side.blocks[0].level_origin) == (102.0, 12)


def test_a_touch_before_any_inducement_is_not_induced():
    side = new_side()
    inducement.add_block(side, 100.0, 5, 10)

    out = step(side, 100.0, 11)

    assert (out.touched, out.induced, side.count) == (1, 0, 0)


def test_a_level_taken_before_the_touch_makes_it_induced():
    side = new_side()
    inducement.add_block(side, 100.0, 5, 10)
    inducement.add_pivot(side, 1, 102.0, 12)

    equal = step(side, 102.0, 14)
    taken = step(side, 101.0, 15)
    touch = step(side, 99.0, 16)

    assert (equal.taken, equal.level) == (0, 102.0)
    assert (taken.taken, taken.touched) == (1, 0)
    assert (touch.touched, touch.induced, touch.block_origin) == (1, 1, 5)


def test_level_and_block_reached_by_one_bar_count_as_induced():
    side = new_side()
    inducement.add_block(side, 100.0, 5, 10)
    inducement.add_pivot(side, 1, 102.0, 12)

    out = step(side, 99.5, 14)

    assert (out.taken, out.touched, out.induced) == (1, 1, 1)


def test_a_block_created_again_waits_for_a_new_inducement():
    side = new_side()
    inducement.add_block(side, 100.0, 5, 10)
    inducement.add_pivot(side, 1, 102.0, 12)

    inducement.add_block(side, 100.0, 5, 14)

    assert side.count == 1
    assert np.isnan(side.blocks[0].level)


def test_the_oldest_block_is_dropped_and_counted_at_the_cap():
    side = new_side(capacity=2)

    for origin in range(3):
        inducement.add_block(side, 100.0 + origin, origin, origin + 5)

    assert [int(block.block_origin) for block in side.blocks[:2]] == [1, 2]
    assert side.dropped == 1
