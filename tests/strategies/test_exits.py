from __future__ import annotations

from math import nan

import pytest

from core.errors import ConfigError
from core.orders import StopRule, StopRuleKind, Target
from strategies.exits import (
    Leg,
    break_even_offset,
    leg_quantities,
    parse_legs,
    plan_exit,
    stop_after,
)


def test_legs_are_read_from_text():
    assert parse_legs("0.5@1>0, 0.5@3") == (Leg(0.5, 1.0, 0.0), Leg(0.5, 3.0))


@pytest.mark.parametrize(
    "text", ["half@1", "0.5@", "0.7@1,0.7@2", "0.5@3,0.5@1", "0@1", "0.5@-1", "0.5@1>2"]
)
def test_legs_that_make_no_plan_are_refused(text):
    with pytest.raises(ConfigError, match="legs="):
        parse_legs(text)


def test_half_at_one_r_then_break_even_then_three_r():
    plan = plan_exit(2400.0, 2395.0, nan, 0.1, parse_legs("0.5@1>0,0.5@3"))

    assert plan.targets == (Target(0.5, 2405.0, 2400.0), Target(0.5, 2415.0, None))


def test_a_short_plan_is_the_mirror():
    plan = plan_exit(2400.0, 2405.0, nan, 0.1, parse_legs("0.5@1>0,0.5@3"))

    assert plan.targets == (Target(0.5, 2395.0, 2400.0), Target(0.5, 2385.0, None))


def test_without_legs_the_setups_own_target_is_the_only_one():
    assert plan_exit(100.0, 99.0, 102.0, 0.1).targets == (Target(1.0, 102.0),)


def test_without_any_target_the_stop_is_the_way_out():
    assert plan_exit(100.0, 99.0, nan, 0.1).targets == ()


@pytest.mark.parametrize(
    ("quantity", "shares", "lot", "parts"),
    [
        (2.0, (0.5, 0.5), 1.0, (1.0, 1.0)),
        (3.0, (0.5, 0.5), 1.0, (1.0, 2.0)),
        (1.0, (0.5, 0.5), 1.0, (0.0, 1.0)),
        (1.87, (0.5, 0.5), 0.01, (0.93, 0.94)),
        (150.0, (0.5, 0.25), 75.0, (75.0, 0.0)),
    ],
)
def test_legs_come_in_whole_lots_and_the_last_takes_the_rest(quantity, shares, lot, parts):
    assert leg_quantities(quantity, shares, lot) == parts


def moved(rule, direction=1, stop=95.0, close=106.0, swing=nan, block=nan, atr=2.0):
    """Where the stop of a position from 100 with a risk of 5 stands after a close."""
    kind = (int(rule.kind), rule.trigger_r, rule.distance, rule.offset)
    return stop_after(*kind, direction, 100.0, 5.0, stop, close, atr, swing, block, 0.1)


def test_a_fixed_stop_stays():
    assert moved(StopRule(), close=150.0) == 95.0


def test_break_even_waits_for_its_trigger():
    rule = StopRule(StopRuleKind.BREAK_EVEN, trigger_r=1.0, offset=0.2)

    assert moved(rule, close=104.9) == 95.0
    assert moved(rule, close=105.0) == 100.2


def test_a_short_break_even_pays_its_costs_below_the_entry():
    rule = StopRule(StopRuleKind.BREAK_EVEN, trigger_r=1.0, offset=0.2)

    assert moved(rule, direction=-1, stop=105.0, close=94.0) == 99.8


def test_a_trailing_stop_follows_the_close_and_never_goes_back():
    rule = StopRule(StopRuleKind.TRAIL_ATR, trigger_r=0.0, distance=2.0)

    assert moved(rule, close=106.0) == 102.0
    assert moved(rule, close=104.0, stop=102.0) == 102.0


def test_a_stop_behind_the_last_swing_or_block():
    swing = StopRule(StopRuleKind.TRAIL_SWING, trigger_r=0.0)
    block = StopRule(StopRuleKind.TRAIL_ORDER_BLOCK, trigger_r=0.0)

    assert moved(swing, swing=103.04) == 103.0
    assert moved(block, block=101.0) == 101.0
    assert moved(swing, swing=nan) == 95.0


def test_a_stop_beyond_the_close_is_not_set():
    rule = StopRule(StopRuleKind.TRAIL_SWING, trigger_r=0.0)

    assert moved(rule, close=106.0, swing=106.0) == 95.0


def test_costs_of_a_round_trip_become_a_distance_on_the_tick():
    # 2 MGC, 4.12 USD paid in all, 10 USD a point: 0.206 points, 0.3 on the tick.
    assert break_even_offset(4.12, 2.0, 10.0, 0.1) == 0.3
    assert break_even_offset(0.0, 2.0, 10.0, 0.1) == 0.0
