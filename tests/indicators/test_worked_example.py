"""EX1 of the definitions, bar by bar: every event of these blocks on the bar it is known."""

from collections import defaultdict

import numpy as np
import pytest

import indicators
from indicators.frame import bars_from_frame
from indicators.zone_tables import breaker_table, gap_table, order_block_table
from tests.indicators.series import worked_example

# smc.md section 12, the table: sweeps left out (another block), else every event of every bar.
EXPECTED = {
    4: ["PL p=2 102.0"],
    6: ["PH p=4 105.0", "BOS- 102.0 p=2", "OB- k=4 [103.2,105.0]"],
    7: ["FVG- m=6 [101.9,103.0]"],
    8: ["FVG m=6 touched"],
    9: ["PL p=7 100.4", "FVG m=6 half"],
    11: ["PH p=9 102.6", "FVG- m=10 [101.3,101.4]"],
    12: ["FVG m=10 touched", "FVG m=10 half", "FVG m=10 filled"],
    13: [
        "PL p=11 99.9",
        "OB k=4 touched",
        "FVG m=6 filled",
        "FVG m=6 inverted",
        "FVG m=10 inverted",
        "CHoCH+ 102.6 p=9",
        "MSS+",
        "OB+ k=11 [99.9,101.3]",
    ],
    14: ["OB k=4 broken", "FVG+ m=13 [101.4,103.5]"],
    15: ["FVG+ m=14 [104.0,104.2]"],
    16: [
        "PH p=14 105.2",
        "OB k=4 ended",
        "FVG m=13 touched",
        "FVG m=14 touched",
        "FVG m=14 half",
        "FVG m=14 filled",
        "FVG m=14 inverted",
    ],
    17: ["OB k=11 touched", "FVG m=13 half", "FVG m=13 filled", "FVG- m=16 [103.7,104.2]"],
    18: [
        "FVG m=14 ended",
        "FVG m=16 touched",
        "FVG m=16 half",
        "FVG m=16 filled",
        "FVG m=16 inverted",
    ],
    19: ["PL p=17 101.0", "FVG+ m=18 [103.7,104.1]", "BOS+ 105.2 p=14", "OB+ k=17 [101.0,103.7]"],
    20: [
        "OB k=17 touched",
        "FVG m=16 ended",
        "FVG m=18 touched",
        "FVG m=18 half",
        "FVG m=18 filled",
        "FVG m=18 inverted",
    ],
    21: [
        "OB k=17 broken",
        "FVG m=6 ended",
        "FVG m=10 ended",
        "FVG m=13 inverted",
        "FVG- m=20 [103.3,104.1]",
        "CHoCH- 101.0 p=17",
        "OB- k=20 [103.0,105.6]",
    ],
    22: [
        "PH p=20 105.6",
        "OB k=17 ended",
        "OB k=20 touched",
        "FVG m=13 ended",
        "FVG m=20 touched",
        "FVG m=20 half",
    ],
    23: ["PL p=21 100.6"],
}
BIAS = {6: -1, 13: 1, 21: -1}
ATR5 = [1.6400, 1.7520, 1.7016, 1.6813, 1.5850, 1.5480, 1.5184, 1.3947, 1.6758, 1.6806]
ATR5 += [1.5245, 1.5196, 1.7557, 1.7845, 1.6876, 1.8701, 2.0361, 2.2489, 1.9991]


@pytest.fixture(scope="module")
def frame():
    return worked_example()


def swing_events(frame, events):
    pivots = indicators.swings(frame, left=2, right=2).reset_index(drop=True)
    for t, row in pivots.iterrows():
        if row.pivot:
            name, price = ("PH", row.ph) if row.pivot > 0 else ("PL", row.pl)
            events[t].append(f"{name} p={row.origin:.0f} {price}")


def structure_events(frame, events):
    breaks = indicators.structure(frame, atr_period=5).reset_index(drop=True)
    for t, row in breaks.iterrows():
        for name, side in (("BOS", row.bos), ("CHoCH", row.choch)):
            if side:
                events[t].append(f"{name}{'+' if side > 0 else '-'} {row.level} p={row.origin:.0f}")
        if row.mss:
            events[t].append(f"MSS{'+' if row.mss > 0 else '-'}")


def zone_events(table, name, letter, stages, events):
    for row in table.itertuples():
        sign = "+" if row.side > 0 else "-"
        events[row.known].append(f"{name}{sign} {letter}={row.origin} [{row.bottom},{row.top}]")
        for stage in stages:
            if getattr(row, stage) >= 0:
                events[getattr(row, stage)].append(f"{name} {letter}={row.origin} {stage}")


def test_every_event_of_the_worked_example_falls_on_its_bar(frame):
    bars = bars_from_frame(frame)
    events = defaultdict(list)

    swing_events(frame, events)
    structure_events(frame, events)
    gaps = gap_table(bars, atr_period=5)
    zone_events(gaps, "FVG", "m", ("touched", "half", "filled", "inverted", "ended"), events)
    blocks = order_block_table(bars, atr_period=5)
    zone_events(blocks, "OB", "k", ("touched", "broken", "ended"), events)

    assert {t: sorted(found) for t, found in events.items()} == {
        t: sorted(wanted) for t, wanted in EXPECTED.items()
    }


def test_bias_and_atr_of_the_worked_example(frame):
    bias = indicators.structure(frame, atr_period=5).bias.to_numpy()
    average = indicators.atr(frame, atr_period=5).atr.to_numpy()

    wanted = np.zeros(24)
    for first, side in BIAS.items():
        wanted[first:] = side
    np.testing.assert_array_equal(bias, wanted)
    assert np.isnan(average[:5]).all()
    np.testing.assert_allclose(average[5:], ATR5, atol=5e-5)


def test_only_bar_13_and_its_like_are_displacements(frame):
    sides = indicators.displacement(frame, atr_period=5).displacement.to_numpy()

    wanted = np.zeros(24)
    # |C-O| against 1.5 * ATR5 of the bar before, by hand: 13: 2.5 >= 2.0921; 22: 2.8 < 3.0542;
    # 21: 2.4 < 2.8052; 20: 2.1 < 2.5314; 6: 1.7 < 2.46; 19: 1.0; 18: 1.5 < 2.6336
    wanted[13] = 1
    np.testing.assert_array_equal(sides, wanted)


def test_order_block_volumes_of_the_worked_example(frame):
    blocks = order_block_table(bars_from_frame(frame), atr_period=5).set_index("origin")

    assert blocks.volume[11] == 320 + 120 + 200
    assert blocks.percentage[11] == pytest.approx(45.4545, abs=5e-5)
    assert blocks.volume[20] == 260 + 210 + 180
    assert blocks.percentage[20] == pytest.approx(38.2979, abs=5e-5)


def test_broken_blocks_act_for_the_other_side_until_run_through(frame):
    lines = indicators.order_blocks(frame, atr_period=5).reset_index(drop=True)

    # block 4 (bearish) is a breaker from bar 14 until bar 16 kills it, block 17 from 21 until 22
    assert list(lines.index[lines.bear_breaker_top.notna()]) == [14, 15]
    assert lines.bear_breaker_top[14] == 105.0
    assert lines.bear_breaker_bottom[15] == 103.2
    assert list(lines.index[lines.bull_breaker_top.notna()]) == [21]


def test_the_breaker_pattern_of_the_worked_example(frame):
    lines = indicators.breakers(frame).reset_index(drop=True)
    table = breaker_table(bars_from_frame(frame))

    assert list(lines.index[lines.breaker != 0]) == [13]
    assert tuple(lines.loc[13, ["breaker", "bottom", "top", "origin"]]) == (1, 101.4, 102.6, 9)
    # dead when C < 101.4: bar 21 closes at 100.8
    assert table.ended[0] == 21


def test_labels_of_the_worked_example(frame):
    pivots = indicators.swings(frame).reset_index(drop=True)
    names = {0: "", 1: "HH", 2: "LH", 3: "HL", 4: "LL"}

    told = {t: names[int(code)] for t, code in pivots.label.items() if code}

    # lows 102.0, 100.4, 99.9, 101.0, 100.6; highs 105.0, 102.6, 105.2, 105.6
    assert told == {9: "LL", 11: "LH", 13: "LL", 16: "HH", 19: "HL", 22: "HH", 23: "LL"}
