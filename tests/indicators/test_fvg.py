"""Fair value gaps: filters, caps and ends, in a few bars each."""

import numpy as np
import pytest

import indicators
from core.errors import ConfigError
from indicators import fvg
from indicators.block import pieces
from indicators.frame import bars_from_frame
from indicators.zone_tables import gap_table
from tests.indicators.series import frame_of, random_walk

# open, high, low, close: bar 2 leaves a gap of 101..103 above bar 0
UP = [[100, 101, 99, 100.5], [100.5, 103.5, 100, 103], [103.2, 105, 103, 104]]


def sides(rows, **values):
    return indicators.fvg(frame_of(rows), **values).fvg.tolist()


def test_a_gap_is_unknown_until_its_third_bar_closes():
    assert sides(UP[:2]) == [0, 0]
    assert sides(UP) == [0, 0, 1]


def test_an_equal_high_and_low_leave_no_gap():
    rows = [UP[0], UP[1], [103.2, 105, 101, 104]]

    assert sides(rows) == [0, 0, 0]


def test_a_middle_bar_without_direction_leaves_no_gap_unless_allowed():
    rows = [UP[0], [103, 103.5, 100, 103], UP[2]]

    assert sides(rows) == [0, 0, 0]
    assert sides(rows, need_direction=False) == [0, 0, 1]


def test_lux_wants_the_middle_close_beyond_the_first_bar():
    inside = [UP[0], [100.5, 103.5, 100, 101], UP[2]]

    assert sides(inside) == [0, 0, 1]
    assert sides(inside, need_close_beyond=True) == [0, 0, 0]
    assert sides(UP, need_close_beyond=True) == [0, 0, 1]


def test_the_session_filter_wants_all_three_bars_on_one_day():
    overnight = frame_of(UP, start="2024-01-02 23:30")

    assert indicators.fvg(overnight).fvg.tolist() == [0, 0, 1]
    assert indicators.fvg(overnight, session_filter=True).fvg.tolist() == [0, 0, 0]


def test_min_size_is_measured_by_the_atr_of_the_bar_before():
    # True ranges of bars 1.. : 2, then 3.5 (bar 3). ATR(2) at bar 3 = 2.75; the gap at bar 4 is 2.
    rows = [[100, 101, 99, 100], [100, 101, 99, 100], *UP]
    hurdle = (2.0 + 2.0) / 2, (2.0 + 3.5) / 2

    atr = indicators.atr(frame_of(rows), atr_period=2).atr
    passed = 2.0 / hurdle[1]

    assert atr.iloc[3] == hurdle[1]
    assert sides(rows, atr_period=2, min_size=passed - 1e-9)[4] == 1
    assert sides(rows, atr_period=2, min_size=passed + 1e-9)[4] == 0


def test_a_size_that_cannot_be_measured_yet_fails():
    assert sides(UP, min_size=0.001) == [0, 0, 0]


def test_the_auto_filter_wants_twice_the_mean_move_so_far():
    quiet = [[100, 101, 99, 100.1]] * 6
    rows = [*quiet, *UP]
    busy = [[100, 104, 96, 103]] * 6

    assert sides(rows, auto_filter=True)[-1] == 1
    assert sides([*busy, *UP], auto_filter=True)[-1] == 0


def test_the_oldest_of_too_many_zones_is_dropped():
    climb = [[100 + 3 * t, 102 + 3 * t, 99.5 + 3 * t, 102 + 3 * t] for t in range(8)]
    bars = bars_from_frame(frame_of(climb))
    params = fvg.BLOCK.read_params({"max_zones": 2})
    state = fvg.BLOCK.state(params, len(bars))

    known = [
        int((out["fvg"]["side"] == 1).sum()) for _, _, out in pieces(fvg.BLOCK, bars, params, state)
    ]

    side = state["fvg"]["bull"][0]
    kept = [fvg.newest_unfilled(side, 0, origin) for origin in (6, 5, 4)]
    assert known == [6]
    assert (side["births"], side["dropped"], side["chain"]["count"]) == (6, 4, 2)
    assert [int(side["zones"][slot]["origin"]) for slot in kept[:2]] == [6, 5]
    assert kept[2] == -1


@pytest.mark.parametrize("max_zones", [1, 2, 20])
def test_limits_never_leak_slots(max_zones):
    bars = bars_from_frame(random_walk(1500, 4))
    params = fvg.BLOCK.read_params(
        {"max_zones": max_zones, "max_age": 40, "join_consecutive": True}
    )
    state = fvg.BLOCK.state(params, len(bars))

    for _ in pieces(fvg.BLOCK, bars, params, state):
        for name in ("bull", "bear"):
            side = state["fvg"][name][0]
            waiting = sum(int(queue["count"]) for queue in side["queues"])
            assert side["chain"]["count"] <= max_zones
            assert waiting == side["chain"]["count"]
            assert side["slots"]["used"] - side["slots"]["free"] == side["chain"]["count"]

    assert state["fvg"]["bull"]["births"][0] > 50


def test_without_inversion_a_zone_ends_when_it_is_mitigated():
    frame = random_walk(400, 9)
    bars = bars_from_frame(frame)

    full = gap_table(bars, max_age=None)
    for mitigation, event in (("touch", "touched"), ("mid", "half"), ("full", "filled")):
        table = gap_table(bars, max_age=None, mitigation=mitigation, inversion=False)
        np.testing.assert_array_equal(table.ended, full[event])
        assert set(table.reason) == {"", "mitigated"}


def test_price_exactly_at_the_far_side_fills_but_does_not_pass_through():
    at_bottom = [*UP, [104, 104.5, 101, 102]]
    below = [*UP, [104, 104.5, 100.9, 102]]

    def ended(rows, mitigation):
        return gap_table(
            bars_from_frame(frame_of(rows)), mitigation=mitigation, inversion=False
        ).ended.tolist()

    assert ended(at_bottom, "full") == [3]
    assert ended(at_bottom, "through") == [-1]
    assert ended(below, "through") == [3]


def test_all_wrong_parameters_are_told_in_one_message():
    with pytest.raises(ConfigError) as caught:
        fvg.params(max_age=0, mitigaton="full", min_size=-1)

    text = str(caught.value)
    assert "max_age=0: expected 1 to" in text
    assert "min_size=-1: expected 0 to 1000" in text
    assert "unknown parameter 'mitigaton'; did you mean 'mitigation'?" in text
