"""Exit plans at work: legs, break-even, trailing, in hand-made markets through the whole chain."""

from __future__ import annotations

import numpy as np
import pytest

from core.bars import BAR, NEVER_NS, Series
from core.instruments import get_instrument
from strategies.breakout import Breakout
from tests.strategies.example import STEP_NS
from tests.strategies.reference import NO_COSTS
from tests.strategies.running import backtest

SETTINGS = {"lookback": 3, "atr": 3, "min_confidence": 0.0, "cooldown": 50, "stop_mult": 2.5}
"""Flat bars of range 2 have an ATR of 2; the break's own range moves it to 2.6667 at bar 6."""
FLAT = [(2400.0, 2401.0, 2399.0, 2400.0, 100.0)] * 6
BREAK = [(2400.0, 2404.0, 2400.0, 2403.0, 400.0)]


def market(*rows: tuple[float, float, float, float, float]) -> Series:
    """Six flat bars, the break upward at 2403 (bar 6), then the rows."""
    table = np.array([*FLAT, *BREAK, *rows])
    bars = np.zeros(len(table), BAR)
    for column, name in enumerate(("open", "high", "low", "close", "volume")):
        bars[name] = table[:, column]
    bars["start"] = STEP_NS * np.arange(len(table)) + STEP_NS * 100_000
    bars["end"] = bars["start"] + STEP_NS
    bars["flat_at"] = bars["close_at"] = NEVER_NS
    bars["flags"] = 1
    return Series("MGC", STEP_NS, bars)


def run(rows, **changed):
    """Trade two MGC contracts: risk 8 % of a small account, cut by max_quantity."""
    settings = SETTINGS | {"risk_pct": 5.0, "max_quantity": 2.0} | changed
    return backtest(
        Breakout, market(*rows), get_instrument("MGC", NO_COSTS), 100_000.0, rules={}, **settings
    )


def fills(result):
    return [(fill.reason, fill.quantity, fill.price) for fill in result.broker.ledger.fills]


UP = (2403.0, 2404.0, 2402.0, 2403.0, 100.0)


def test_the_plan_of_the_break_is_known_by_hand():
    row = run([UP]).strategy.setups_log[0]

    # ATR(3) at bar 6: (2 + 2 + ... Wilder) = (2 * 2 + 4) / 3 = 2.6667; stop 2.5 of it below.
    assert (row.entry, row.stop) == (2403.0, 2396.3)


def test_half_leaves_at_one_r_then_break_even_then_three_r():
    # R = 6.7: one R at 2409.7, three R at 2423.1.
    result = run(
        [
            UP,
            (2404.0, 2410.0, 2403.5, 2409.0, 100.0),
            (2409.0, 2424.0, 2404.0, 2423.0, 100.0),
        ],
        legs="0.5@1>0,0.5@3",
    )

    assert fills(result) == [
        ("entry", 2.0, 2403.0),
        ("target", 1.0, 2409.7),
        ("target", 1.0, 2423.1),
    ]
    trade = result.trades[0]
    assert trade.legs == 2
    assert trade.pnl == pytest.approx(10 * (6.7 + 20.1))
    assert trade.r_multiple == pytest.approx(2.0)


def test_after_the_first_leg_the_rest_is_stopped_at_the_entry():
    result = run(
        [
            UP,
            (2403.0, 2410.0, 2402.5, 2409.0, 100.0),
            (2409.0, 2409.5, 2400.0, 2401.0, 100.0),
        ],
        legs="0.5@1>0,0.5@3",
    )

    assert fills(result)[1:] == [("target", 1.0, 2409.7), ("stop", 1.0, 2403.0)]
    assert result.trades[0].r_multiple == pytest.approx(0.5)


def test_before_the_first_leg_the_stop_holds_the_whole():
    result = run([UP, (2403.0, 2405.0, 2390.0, 2391.0, 100.0)], legs="0.5@1>0,0.5@3")

    assert fills(result)[1:] == [("stop", 2.0, 2396.3)]


def test_a_position_too_small_for_its_first_leg_leaves_by_the_last():
    result = run(
        [UP, (2403.0, 2410.0, 2402.5, 2409.0, 100.0), (2409.0, 2424.0, 2404.0, 2423.0, 100.0)],
        legs="0.5@1>0,0.5@3",
        max_quantity=1.0,
    )

    assert fills(result)[1:] == [("target", 1.0, 2423.1)]


def test_break_even_acts_on_a_close_at_one_r_not_on_a_touch():
    touched = run(
        [
            UP,
            (2403.0, 2410.0, 2402.0, 2409.0, 100.0),
            (2409.0, 2409.5, 2398.0, 2399.0, 100.0),
        ],
        be_at_1r=True,
        rr=5.0,
    )
    closed = run(
        [
            UP,
            (2403.0, 2410.0, 2402.0, 2410.0, 100.0),
            (2410.0, 2410.5, 2398.0, 2399.0, 100.0),
        ],
        be_at_1r=True,
        rr=5.0,
    )

    assert not touched.trades
    assert fills(closed)[1:] == [("stop", 2.0, 2403.0)]


def test_a_trailing_stop_follows_closes():
    result = run(
        [
            UP,
            (2403.0, 2413.0, 2402.0, 2412.0, 100.0),
            (2412.0, 2421.0, 2411.0, 2420.0, 100.0),
            (2420.0, 2420.5, 2380.0, 2381.0, 100.0),
        ],
        stop_rule="trail_atr",
        stop_distance=1.0,
        stop_trigger_r=0.5,
        rr=9.0,
    )

    stop = fills(result)[1]
    # ATR(3) by hand after bar 9: see the true ranges 4, 2, 11, 10.
    atr = (2 * (2 * (2 * (2 * 2 + 4) / 3 + 2) / 3 + 11) / 3 + 10) / 3
    assert stop[0] == "stop"
    assert stop[2] == pytest.approx(np.floor((2420.0 - atr) * 10) / 10)


def test_no_target_at_all_leaves_by_the_stop():
    result = run(
        [UP, (2403.0, 2500.0, 2402.0, 2490.0, 100.0), (2490.0, 2491.0, 2390.0, 2391.0, 100.0)],
        legs="0.5@1",
    )

    assert fills(result)[1:] == [("target", 1.0, 2409.7), ("stop", 1.0, 2396.3)]


def test_a_break_even_stop_pays_the_costs():
    instrument = get_instrument("MGC", NO_COSTS | {"commission_per_unit": 1.0})
    result = backtest(
        Breakout,
        market(
            UP, (2403.0, 2412.0, 2402.0, 2411.0, 100.0), (2411.0, 2411.5, 2398.0, 2399.0, 100.0)
        ),
        instrument,
        100_000.0,
        rules={},
        **SETTINGS,
        risk_pct=5.0,
        max_quantity=2.0,
        stop_rule="break_even",
        rr=5.0,
    )

    # 2 USD a contract and round trip on 10 oz are 0.2 points.
    assert fills(result)[1] == ("stop", 2.0, 2403.2)
    assert result.trades[0].pnl == pytest.approx(0.0, abs=1e-6)
