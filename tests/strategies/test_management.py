from __future__ import annotations

import numpy as np
import pytest

from core.bars import BAR
from strategies.management import near_kill_zone, refusal, withdrawal
from strategies.words import (
    BLOCK_DXY,
    BLOCK_TREND,
    CANCEL_TIME,
    CANCELS,
    KEEP,
    REFUSALS,
    TIME,
    WINDOW,
)

EVERYTHING = {
    "is_busy": True,
    "is_locked": True,
    "trades_today": 2,
    "max_trades": 2,
    "losses_in_row": 2,
    "max_losses": 2,
    "time_code": TIME,
    "is_special": True,
    "blocked": BLOCK_TREND | BLOCK_DXY,
}


def why(**changed):
    """The refusal of a setup against which everything speaks but what is changed."""
    return REFUSALS[refusal(*(EVERYTHING | changed).values())]


def test_refusals_come_in_the_settled_order():
    said = [why()]
    clear = {}
    for name, value in (
        ("is_busy", False),
        ("is_locked", False),
        ("trades_today", 1),
        ("losses_in_row", 1),
        ("time_code", 0),
        ("is_special", False),
        ("blocked", BLOCK_DXY),
        ("blocked", 0),
    ):
        clear[name] = value
        said.append(why(**clear))

    assert said == [
        "busy",
        "locked",
        "max_trades",
        "losses",
        "time",
        "special",
        "trend",
        "dxy",
        "",
    ]


def test_a_limit_of_zero_is_no_limit():
    free = {"is_busy": False, "is_locked": False, "max_trades": 0, "max_losses": 0}

    assert why(**free, time_code=WINDOW) == "window"


def bar(high, low, close):
    """A bar of which only the extremes and the close count."""
    made = np.zeros(1, BAR)
    made["high"], made["low"], made["close"] = high, low, close
    return made[0]


@pytest.mark.parametrize(
    ("closed", "bars", "choch", "time", "expected"),
    [
        (bar(108, 98, 99), 10, -1, CANCEL_TIME, "order_bars"),
        (bar(108, 98, 99), 9, -1, CANCEL_TIME, "target_first"),
        (bar(107.9, 98, 99), 9, -1, CANCEL_TIME, "choch"),
        (bar(107.9, 98, 99), 9, 1, CANCEL_TIME, "close_beyond_s"),
        (bar(107.9, 98, 100), 9, 1, CANCEL_TIME, "time"),
        (bar(107.9, 98, 100), 9, 1, KEEP, ""),
    ],
)
def test_a_long_limit_is_withdrawn_in_the_settled_order(closed, bars, choch, time, expected):
    code = withdrawal(closed, 1, 108.0, 100.0, bars, 10, choch, time)

    assert CANCELS[code] == expected


def test_a_short_limit_is_the_mirror():
    assert CANCELS[withdrawal(bar(101, 92, 95), -1, 92.0, 100.0, 1, 10, 0, KEEP)] == "target_first"
    assert CANCELS[withdrawal(bar(101, 93, 95), -1, 92.0, 100.0, 1, 10, 1, KEEP)] == "choch"
    assert CANCELS[withdrawal(bar(102, 93, 101), -1, 92.0, 100.0, 1, 10, 0, KEEP)] == (
        "close_beyond_s"
    )


@pytest.mark.parametrize(
    ("minute", "near"),
    [(119, False), (120, True), (300, True), (360, True), (361, False), (720, True), (721, False)],
)
def test_an_order_lives_an_hour_beyond_its_kill_zone_both_ends_included(minute, near):
    zones = np.array([[120, 300], [420, 660], [-1, -1]])

    assert near_kill_zone(minute, zones, 60) == near


def test_a_kill_zone_over_midnight():
    zones = np.array([[1080, 120]])

    assert near_kill_zone(60, zones, 60)
    assert near_kill_zone(180, zones, 60)
    assert not near_kill_zone(181, zones, 60)
