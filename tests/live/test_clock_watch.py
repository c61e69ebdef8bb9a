"""Sleep, jumps and skew of the computer's clock, seen from outside of the engine."""

import numpy as np
import pytest

from core.events import LinkState, Ticks
from core.ticks import TICK
from feeds.live import FeedState
from live.clock_watch import CLOCK, ClockWatch, count_as_gap
from tests.feeds.markets import MINUTE, SECOND, market
from tests.live.stages import Stage


class Clocks:
    """A wall clock and a steady one that a test sets."""

    def __init__(self):
        self.wall, self.steady = 1_757_946_902 * SECOND, 500.0
        self.watch = ClockWatch(2.0, lambda: self.wall, lambda: self.steady)

    def pass_time(self, wall, steady):
        self.wall += round(wall * SECOND)
        self.steady += steady
        return self.watch.look()


@pytest.fixture
def clocks():
    return Clocks()


def test_time_that_both_clocks_agree_on_is_no_gap(clocks):
    assert [clocks.pass_time(1.0, 1.0) for _ in range(100)] == [""] * 100
    assert clocks.pass_time(4.0, 0.0) == ""


@pytest.mark.parametrize(
    ("wall", "steady", "why"),
    [
        (3600.0, 0.4, "the computer slept, or its clock was set: it jumped by +3600 s"),
        (-60.0, 1.0, "the computer slept, or its clock was set: it jumped by -60 s"),
        (120.0, 120.0, "the process stood still for 120 s"),
    ],
    ids=["sleep", "set back", "sleep that the steady clock counts"],
)
def test_time_that_nobody_saw_is_named_once(clocks, wall, steady, why):
    assert clocks.pass_time(wall, steady) == why
    assert clocks.pass_time(1.0, 1.0) == ""


@pytest.mark.parametrize(("delay", "way"), [(4.0, "4.0 s ahead of"), (-3.0, "3.0 s behind")])
def test_a_clock_off_the_venues_is_told_once(clocks, delay, way):
    told = []
    for _ in range(3):
        for late in (0.0, 2.5):
            now = clocks.wall
            event = now - round((delay + late) * SECOND)
            clocks.watch.hear(Ticks("MGC", np.zeros(1, TICK), ts_event=event, ts_init=now))
        clocks.pass_time(61.0, 61.0)
        told.append(clocks.watch.skew())

    assert f"clock is {way} the venue's" in told[0]
    assert told[1:] == ["", ""]


def test_prices_that_are_slow_at_times_are_no_skew(clocks):
    for delay in (0.2, 9.0, 30.0):
        now = clocks.wall
        event = now - round(delay * SECOND)
        clocks.watch.hear(Ticks("MGC", np.zeros(1, TICK), ts_event=event, ts_init=now))
    clocks.pass_time(61.0, 61.0)

    assert clocks.watch.skew() == ""


def test_a_sleep_is_a_gap_that_is_filled_from_history():
    bars = market("2025-09-15T03:45", "2025-09-15T04:15", MINUTE)
    stage = Stage().feed("NIFTY", bars, MINUTE).start()
    (slot,) = stage.slots
    stage.link(int(bars["start"][0]) - SECOND)
    stage.trade("NIFTY", bars[:5])
    stage.run(int(bars["start"][5]) + 2 * SECOND)
    before = slot.feed.state

    woken = int(bars["start"][9]) + 20 * SECOND
    stage.wall = woken
    count_as_gap(stage.engine, "the computer slept", woken)
    during = slot.feed.state
    stage.trade("NIFTY", bars[9:], first=woken + SECOND)
    stage.run(int(bars["start"][14]))

    assert (before, during is FeedState.LIVE) == (FeedState.LIVE, False)
    assert slot.feed.state is FeedState.LIVE
    assert list(stage.bars("a")["start"]) == list(bars["start"][: len(stage.bars("a"))])
    assert len(stage.bars("a")) >= 13
    links = [event for event in stage.log if getattr(event, "name", "") == CLOCK]
    assert [event.state for event in links] == [LinkState.LOST, LinkState.CONNECTED]
