"""Time that passes without a price: bars end, questions are repeated, silence is noticed."""

import pytest

from brokers.inbox import Inbox
from core.events import Clock, LinkState
from feeds.live import FeedState
from live.timer import MarketTimer
from tests.feeds.markets import HOUR, MINUTE, SECOND, at, clock, market
from tests.live.stages import Stage

MORNING = ("2025-09-15T03:45", "2025-09-15T06:00")


def timer(due, wall, **given):
    return MarketTimer(lambda: due, wall=lambda: wall, **given)


def test_a_bar_ends_when_its_last_prices_have_had_time_to_come():
    inbox = Inbox()
    early = timer(100 * SECOND, 100 * SECOND + 200_000_000)
    late = timer(100 * SECOND, 100 * SECOND + 300_000_000)

    assert early.pump(inbox) == pytest.approx(0.1)
    assert len(inbox) == 0
    assert late.pump(inbox) == 0.0
    assert inbox.take() == Clock(ts_event=100 * SECOND, ts_init=late.market_time() + 300_000_000)


def test_the_venues_clock_is_ours_and_its_measured_skew():
    inbox = Inbox()
    fast = timer(100 * SECOND, 95 * SECOND, skew_ns=5 * SECOND, close_delay_ns=0)

    assert fast.pump(inbox) == 0.0
    assert inbox.take().ts_event == 100 * SECOND
    fast.skew_ns = 4 * SECOND
    assert fast.pump(inbox) == pytest.approx(1.0)


def test_a_bar_is_not_over_before_something_was_heard_after_its_end():
    inbox = Inbox()
    silence = [4.0]
    at_hand = timer(100 * SECOND, 103 * SECOND, silence=lambda: silence[0])

    assert at_hand.pump(inbox) == pytest.approx(1.0)  # the stream may have died at 99 s
    assert len(inbox) == 0
    silence[0] = 0.1
    assert at_hand.pump(inbox) == 0.0
    assert inbox.take().ts_event == 103 * SECOND - 300_000_000


def test_with_nothing_due_it_waits_and_says_nothing():
    inbox = Inbox()

    assert timer(None, 0).pump(inbox) == 1.0
    assert timer(10**6 * SECOND, 0).pump(inbox) == 1.0
    assert len(inbox) == 0


def test_what_is_due_next_is_the_earliest_of_all_feeds():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage().feed("X", bars, 5 * MINUTE).feed("Y", bars, HOUR, is_clock=False).start()
    assert stage.engine.next_due() is None

    stage.link("2025-09-15T03:45").trade("Y", bars[:1]).run("2025-09-15T03:46")
    hour = stage.engine.next_due()
    stage.trade("X", bars[:1], first=at("2025-09-15T03:46")).run("2025-09-15T03:47")

    assert clock(hour) == "09-15 04:45:00"
    assert clock(stage.engine.next_due()) == "09-15 03:50:00"


def test_what_is_due_next_lies_always_ahead_of_the_market():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage().feed("X", bars, 5 * MINUTE, history_bars=2, delay=None).start()

    stage.link("2025-09-15T03:52").run("2025-09-15T03:52")

    assert stage.engine.next_due() > stage.engine.now


def test_a_bar_ends_by_the_clock_when_no_price_comes():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage().feed("X", bars, 5 * MINUTE).start()

    stage.link("2025-09-15T03:45").trade("X", bars[:1]).run("2025-09-15T03:50:00.2")
    before = stage.groups
    stage.run("2025-09-15T03:50:00.3")

    assert (before, stage.groups) == ([], [("03:50", ("a",))])
    assert stage.steps == [at("2025-09-15T03:50")]


def test_a_price_that_comes_within_the_delay_is_in_its_bar():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage().feed("X", bars, 5 * MINUTE).start()

    stage.link("2025-09-15T03:45").trade("X", bars[:1], delay=290_000_000)
    stage.run("2025-09-15T03:52")

    assert stage.bars("a")["close"] == bars["close"][:1]


def test_with_a_clock_behind_the_venues_bars_end_by_the_venues():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage(skew=7 * SECOND).feed("X", bars, 5 * MINUTE).start()

    stage.link("2025-09-15T03:45").trade("X", bars[:3]).run("2025-09-15T04:00:00.3")

    assert [end for end, _ in stage.groups] == ["03:50", "03:55", "04:00"]
    assert clock(stage.wall) == "09-15 03:59:53"


def test_silence_is_noticed_without_an_event():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage().feed("X", bars, 5 * MINUTE, stale_ns=30 * SECOND).start()
    (slot,) = stage.slots

    stage.link("2025-09-15T03:45").trade("X", bars[:1], last=at("2025-09-15T03:45:01"))
    stage.run("2025-09-15T03:45:31")

    assert slot.feed.state is FeedState.SILENT


def test_a_lost_connection_with_nothing_asked_is_not_woken():
    bars = market(*MORNING, 5 * MINUTE)
    stage = Stage().feed("X", bars, 5 * MINUTE).start()

    stage.link("2025-09-15T03:45").link("2025-09-15T03:46", LinkState.LOST)
    stage.run("2025-09-15T03:47")

    assert stage.engine.next_due() is None
