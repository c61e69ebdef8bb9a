"""How windows are cut: what trades a window lies after all it was chosen on."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.walkforward.windows import Cut, Window, make_windows
from core.errors import ConfigError

COUNT = st.one_of(st.none(), st.integers(1, 20))


@given(
    st.builds(Cut, COUNT, st.one_of(st.none(), st.integers(1, 80)), COUNT, st.booleans(),
              st.booleans()),
    st.integers(1, 400),
    st.lists(st.integers(0, 399), max_size=200),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_windows_follow_each_other_and_none_is_chosen_on_what_it_trades(cut, days, exits):
    exits = sorted(place for place in exits if place < days)
    try:
        windows = make_windows(cut, days, exits)
    except ConfigError:
        return

    assert cut.windows in (None, len(windows))
    for window in windows:
        assert 0 <= window.first < window.middle < window.last <= days
        if cut.anchored:
            assert window.first == 0
    for before, after in pairwise(windows):
        assert before.last == after.middle
    if not cut.by_trades:
        assert windows[-1].last == days
        lengths = {window.last - window.middle for window in windows}
        assert len(lengths) == 1 and cut.test in (None, *lengths)
        if cut.train and not cut.anchored:
            assert {window.middle - window.first for window in windows} == {cut.train}


def test_windows_by_hand():
    assert make_windows(Cut(windows=3, train=4, test=2), 10, []) == [
        Window(0, 4, 6), Window(2, 6, 8), Window(4, 8, 10)
    ]  # fmt: skip
    assert make_windows(Cut(windows=2, train=4, test=2, anchored=True), 9, []) == [
        Window(0, 5, 7), Window(0, 7, 9)
    ]  # fmt: skip
    exits = [0, 3, 3, 5, 8, 8]
    assert make_windows(Cut(train=2, test=2, by_trades=True), 12, exits) == [
        Window(0, 4, 6), Window(3, 6, 9)
    ]  # fmt: skip


def test_windows_by_trades_that_end_on_the_same_day_are_one():
    exits = [0, 1, 4, 4, 4, 6]

    assert make_windows(Cut(train=1, test=1, by_trades=True), 8, exits) == [
        Window(0, 1, 2), Window(1, 2, 5), Window(4, 5, 7)
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="2 of 5 windows by trades would have no day of their"):
        make_windows(Cut(windows=5, train=1, test=1, by_trades=True), 8, exits)
    with pytest.raises(ConfigError, match="2 of 2 windows"):
        make_windows(Cut(train=1, test=1, by_trades=True), 8, [4, 4, 4])


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (Cut(windows=0), "--windows 0: expected 1 or more"),
        (Cut(test=-3), "--test -3"),
        (Cut(windows=40), "too little for 40 windows: the prices hold 30 trading days"),
        (Cut(train=29, test=2), "the prices hold 30 trading days"),
        (Cut(by_trades=True), "the prices hold 0 trades of the plan as it is"),
    ],
)
def test_windows_that_do_not_fit_are_refused_with_what_there_is(cut, says):
    with pytest.raises(ConfigError, match=says):
        make_windows(cut, 30, [])
