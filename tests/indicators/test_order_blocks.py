"""Order blocks and structure: filters, caps and readings the worked example does not show."""

import pytest

import indicators
from indicators import order_blocks
from indicators.block import pieces
from indicators.frame import bars_from_frame
from indicators.zone_tables import order_block_table
from tests.indicators.series import frame_of, random_walk, worked_example


@pytest.mark.parametrize("max_blocks", [1, 3])
def test_unbroken_and_broken_blocks_are_capped_each_and_no_slot_leaks(max_blocks):
    bars = bars_from_frame(random_walk(3000, 4))
    block = order_blocks.BLOCK
    params = block.read_params({"max_blocks": max_blocks})
    state = block.state(params, len(bars))
    fullest = 0

    for i in range(len(bars)):
        for _ in pieces(block, bars[i : i + 1], params, state):
            pass
        for name in ("bull", "bear"):
            side = state["order_blocks"][name][0]
            unbroken, broken = int(side["active"]["count"]), int(side["breakers"]["count"])
            assert unbroken <= max_blocks
            assert broken <= max_blocks
            assert side["slots"]["used"] - side["slots"]["free"] == unbroken + broken
            fullest = max(fullest, unbroken)

    assert fullest == max_blocks
    assert state["order_blocks"]["bull"]["births"][0] > 50


def test_a_block_made_again_at_the_same_bar_stays_one_and_is_fresh_again():
    # High 103 (bar 1) is broken at bar 7; the higher high 106 (bar 5), confirmed at bar 8, takes
    # its place and is broken at bar 9. Bar 6 is the lowest after either. Touched at 8, again at 10.
    rows = [
        [99, 100, 98, 99],
        [100, 103, 99, 100],
        [100, 101, 98, 100],
        [100, 102, 97, 100],
        [100, 102.5, 98, 100],
        [100, 106, 98, 102.9],
        [102, 103, 95, 100],
        [100, 105, 99, 104],
        [104, 105.5, 99, 105],
        [105, 108, 104, 107],
        [107, 108, 102, 107],
    ]
    table = order_block_table(bars_from_frame(frame_of(rows)), left=1, right=3)
    breaks = indicators.structure(frame_of(rows), left=1, right=3).bull_level

    assert breaks.dropna().tolist() == [103.0, 106.0]
    bulls = table[table.side > 0][["origin", "known", "touched", "broken"]]
    assert bulls.to_numpy().tolist() == [[6, 9, 10, -1]]


def test_a_displacement_between_block_and_break_can_be_required():
    bars = bars_from_frame(worked_example())

    free = order_block_table(bars, atr_period=5)
    bound = order_block_table(bars, atr_period=5, need_displacement=True)

    # only the break at bar 13 has a displacement (bar 13 itself) after its block's bar
    assert free.known.tolist() == [6, 13, 19, 21]
    assert bound.known.tolist() == [13]


def test_blocks_taller_than_max_height_are_skipped():
    bars = bars_from_frame(worked_example())

    # heights over ATR5 at the break: 1.8/1.7520, 1.4/1.6758, 2.7/1.6876, 2.6/2.0361
    table = order_block_table(bars, atr_period=5, max_height=1.2)

    assert table.known.tolist() == [6, 13]


def test_with_require_mss_a_break_against_the_bias_without_displacement_is_silent():
    frame = worked_example()

    free = indicators.structure(frame, atr_period=5)
    strict = indicators.structure(frame, atr_period=5, require_mss=True)

    # CHoCH+ at 13 is a displacement; CHoCH- at 21 is not, so the bias stays bullish
    assert free.choch[free.choch != 0].tolist() == [1, -1]
    assert strict.choch[strict.choch != 0].tolist() == [1]
    assert strict.bias.iloc[-1] == 1


def test_a_close_on_the_level_is_no_break():
    rows = [
        [100, 102, 99, 101],
        [101, 105, 100, 102],
        [102, 103, 100, 101],
        [101, 105, 100, 105],
        [105, 106, 104, 105.1],
    ]

    breaks = indicators.structure(frame_of(rows), left=1, right=1)

    assert breaks.bos.tolist() == [0, 0, 0, 0, 1]
    assert breaks.level.dropna().tolist() == [105.0]
