"""A live feed: the venue's bars in order, none twice, none missing, however things come."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from core.bars import BAR, FIRST_OF_DAY, NEVER_NS, REGULAR
from core.calendar import get_calendar
from core.path_ticks import path_ticks
from feeds.live import FeedState, FeedTerms, LiveFeed
from tests.feeds.markets import (
    DAY,
    HOUR,
    MINUTE,
    NO_BARS,
    SECOND,
    at,
    bars_at,
    clock,
    market,
    same,
    session,
    tick_at,
)

MORNING = ("2025-09-15T03:45", "2025-09-15T06:00")


def morning(**given):
    """Monday's first bars of NSE (5m from 03:45 UTC), and a session over them."""
    bars = market(*MORNING, given.get("timeframe", 5 * MINUTE))
    return bars, session(bars, **given)


def clock_of(ts):
    return str(np.datetime64(ts, "ns"))


def starts(bars):
    return [clock(bar["start"])[6:11] for bar in bars]


# -- joining -------------------------------------------------------------------------------------


def test_the_bar_in_which_the_feed_joins_comes_from_history_once_it_is_over():
    bars, run = morning(history_bars=2)

    run.at("2025-09-15T04:02", "connected").trade(bars, first=at("2025-09-15T04:02"))
    run.run("2025-09-15T04:04:59")
    before = run.feed.state, starts(run.bars)
    run.run("2025-09-15T04:14")

    assert before == (FeedState.BEHIND, ["03:55"])
    assert run.feed.state is FeedState.LIVE
    assert run.asked == [("09-15 03:55:00", "09-15 04:02:00"), ("09-15 04:00:00", "09-15 04:05:00")]
    assert same(run.bars, bars[2:5])


def test_a_feed_that_joins_exactly_on_a_grid_line_builds_that_bar():
    bars, run = morning(history_bars=2)

    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))
    run.run("2025-09-15T04:01")
    state = run.feed.state
    run.run("2025-09-15T04:10")

    assert state is FeedState.LIVE
    assert len(run.asked) == 1
    assert same(run.bars, bars[1:5])


def test_without_history_the_first_bar_is_the_first_whole_one():
    bars, run = morning()

    run.at("2025-09-15T04:02", "connected").trade(bars, first=at("2025-09-15T04:02"))
    run.run("2025-09-15T04:15")

    assert run.asked == []
    assert same(run.bars, bars[4:6])


def test_ticks_that_come_before_the_connection_is_told_do_not_make_their_bar_whole():
    bars, run = morning(history_bars=1)
    line = at("2025-09-15T04:00")

    run.at(line, "ticks", tick_at(line)).at(line, "connected")
    run.trade(bars, first=line + 1).run("2025-09-15T04:10")

    assert run.asked[-1] == ("09-15 04:00:00", "09-15 04:05:00")
    assert same(run.bars, bars[3:5])


def test_a_clock_that_may_be_behind_the_venues_joins_a_line_later():
    bars, run = morning(history_bars=1, clock_error_ns=3 * SECOND)

    run.at("2025-09-15T04:04:58", "connected").trade(bars, first=at("2025-09-15T04:05:01"))
    run.run("2025-09-15T04:20")

    assert same(run.bars, bars[4:7])


@pytest.mark.parametrize(
    "calendar, timeframe, joined, first_built",
    [
        # New York's clocks went back that day: gold opens at 23:00 UTC again
        ("CMEGlobex_GC", 4 * HOUR, "2025-11-02T22:30", "2025-11-02T23:00"),
        ("CMEGlobex_GC", DAY, "2025-11-02T22:30", "2025-11-02T23:00"),
        ("NSE", 5 * MINUTE, "2025-09-15T03:30", "2025-09-15T03:45"),
        ("NSE", HOUR, "2025-09-12T14:20", "2025-09-15T03:45"),
        ("NSE", DAY, "2025-09-15T03:30", "2025-09-15T03:45"),
        ("NSE", DAY, "2025-09-15T12:00", "2025-09-16T03:45"),
        ("NSE", DAY, "2025-09-13T05:00", "2025-09-15T03:45"),
        ("CMEGlobex_GC", 15 * MINUTE, "2025-09-14T12:00", "2025-09-14T22:00"),
        ("CMEGlobex_GC", 4 * HOUR, "2025-09-15T21:30", "2025-09-15T22:00"),
        ("CMEGlobex_GC", DAY, "2025-09-14T12:00", "2025-09-14T22:00"),
        ("24/7", HOUR, "2025-09-14T12:00", "2025-09-14T12:00"),
    ],
)
def test_a_feed_that_joins_a_shut_market_is_live_when_it_opens(
    calendar, timeframe, joined, first_built
):
    first, last = (clock_of(at(joined) + days * DAY) for days in (-12, 4))
    bars = market(first, last, timeframe, calendar)
    run = session(bars, timeframe, calendar, history_bars=3)

    run.at(joined, "connected").trade(bars, first=at(joined)).run(at(first_built) + 1)
    state, before = run.feed.state, run.bars
    run.run(int(bars["end"][bars["start"] == at(first_built)][0]) + SECOND)

    place = int(np.searchsorted(bars["start"], at(first_built)))
    assert state is FeedState.LIVE
    assert same(before, bars[place - 3 : place])
    assert same(run.bars, bars[place - 3 : place + 1])


def test_a_day_bar_joined_in_the_middle_comes_from_history():
    bars = market("2025-09-01T00:00", "2025-09-17T00:00", DAY)
    run = session(bars, DAY, history_bars=4)

    run.at("2025-09-15T06:00", "connected").trade(bars, first=at("2025-09-15T06:00"))
    run.run("2025-09-16T12:00")

    place = int(np.searchsorted(bars["start"], at("2025-09-15T03:45")))
    assert same(run.bars, bars[place - 3 : place + 2])


# -- warm-up -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 80, 400])
def test_the_warm_up_has_as_many_bars_as_wanted_over_weekends_and_holidays(count):
    # 2025-08-27 was a holiday of NSE
    bars = market("2025-08-20T00:00", "2025-09-01T09:59", 5 * MINUTE)
    joined = at("2025-09-01T04:00")
    run = session(bars, history_bars=count, pages=50)

    run.at(joined, "connected").run(joined)

    before = bars[bars["start"] < joined]
    assert len(run.venue.asked) == 1
    assert same(run.bars, before[-count:])


def test_bars_without_trades_do_not_count_and_the_feed_reaches_further_back():
    quiet = ["2025-09-15T03:50", "2025-09-15T03:55", "2025-09-12T09:55"]
    bars = market("2025-09-12T00:00", "2025-09-15T06:00", 5 * MINUTE, quiet=quiet)
    run = session(bars, history_bars=4)

    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00")

    assert len(run.venue.asked) == 2
    assert starts(run.bars) == ["09:40", "09:45", "09:50", "03:45"]


def test_where_the_venue_has_fewer_bars_the_warm_up_is_shorter():
    bars, run = morning(history_bars=50)

    run.at("2025-09-15T04:30", "connected").run("2025-09-15T04:30")

    assert same(run.bars, bars[:9])
    assert run.feed.state is FeedState.LIVE
    assert run.feed.hole_count == 0
    assert len(run.asked) == 2


def test_a_venue_that_refuses_to_reach_further_back_has_fewer_bars():
    bars, run = morning(history_bars=50, tries=2)
    whole = run.venue.answer
    run.venue.answer = lambda need, now: (
        whole(need, now) if need.number == 1 else [(NO_BARS, True, "400 beyond depth")]
    )

    run.at("2025-09-15T04:30", "connected").run("2025-09-15T04:32")

    assert same(run.bars, bars[:9])
    assert (run.feed.state, run.feed.hole_count) == (FeedState.LIVE, 0)


def test_the_first_bar_of_each_day_says_so():
    bars = market("2025-09-12T09:00", "2025-09-15T06:00", 5 * MINUTE)
    run = session(bars, history_bars=14)

    run.at("2025-09-15T03:55", "connected").run("2025-09-15T04:00")

    days = [bool(flags & FIRST_OF_DAY) for flags in run.bars["flags"]]
    assert days == [True, *[False] * 11, True, False]


def test_bars_are_dressed_before_they_are_told():
    bars = market(*MORNING, 5 * MINUTE)
    run = session(bars, history_bars=2)

    def dress(told):
        told["spread"] = 0.25

    run.feed = LiveFeed("X", 5 * MINUTE, get_calendar("NSE"), FeedTerms(2, stale_ns=0), dress)
    run.at("2025-09-15T04:00", "connected").trade(bars[3:5]).run("2025-09-15T04:12")

    assert len(run.bars) == 4 and set(run.bars["spread"]) == {0.25}
    assert set(bars["spread"]) == {0.0}


# -- what history answers ------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [False, True])
def test_an_answer_may_come_in_pages_in_either_order(newest_first):
    bars, run = morning(history_bars=7, pages=2, newest_first=newest_first)

    run.at("2025-09-15T04:25", "connected").run("2025-09-15T04:25")

    assert same(run.bars, bars[1:8])


def test_a_forming_bar_in_an_answer_is_not_taken():
    bars, run = morning(history_bars=2, shows_forming=True, delay=SECOND)

    run.at("2025-09-15T04:02", "connected").run("2025-09-15T04:03")
    early = starts(run.bars)
    run.run("2025-09-15T04:06")

    assert early == ["03:55"]
    assert same(run.bars, bars[2:4])


def test_a_bar_that_ended_while_its_answer_was_on_the_way_is_not_taken_from_it():
    bars, run = morning(history_bars=1, shows_forming=True, delay=40 * SECOND)
    run.at("2025-09-15T04:04:50", "connected").run("2025-09-15T04:05:30")
    half = bars[3:4].copy()
    half["close"] = 1.0

    run.feed.hear_history(run.venue.asked[0], half, at("2025-09-15T04:05:30"), is_last=False)
    run.run("2025-09-15T04:07")

    assert same(run.bars, bars[3:4])


def test_a_bar_is_asked_for_when_it_has_settled():
    bars, run = morning(history_bars=2, shows_forming=True, late=2 * SECOND, settle_ns=2 * SECOND)

    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))
    run.run("2025-09-15T04:00:01.9")
    before = list(run.asked)
    run.run("2025-09-15T04:10")

    assert before == []
    assert same(run.bars, bars[1:5])


def test_an_answer_that_lacks_the_bar_just_over_is_asked_again_while_the_venue_may_be_late():
    bars, run = morning(history_bars=3, late=3 * SECOND, patience_ns=10 * SECOND)

    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))
    run.run("2025-09-15T04:00:02.5")
    state = run.feed.state
    run.run("2025-09-15T04:06")

    assert state is FeedState.BEHIND
    assert len(run.venue.asked) == 4
    assert same(run.bars, bars[:4])


def test_a_bar_that_never_comes_had_no_trades_when_patience_is_over():
    bars, run = morning(history_bars=2, patience_ns=3 * SECOND, lacks=(at("2025-09-15T03:55"),))

    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00:02")
    state = run.feed.state
    run.run("2025-09-15T04:00:03")

    assert (state, run.feed.state) == (FeedState.BEHIND, FeedState.LIVE)
    assert same(run.bars, bars[:2])
    assert run.feed.hole_count == 0


def test_a_bar_of_a_session_the_calendar_lacks_is_waited_for_if_part_of_it_was_seen():
    bars = bars_at([at("2025-09-13T05:00")], 5 * MINUTE, get_calendar("24/7"))
    run = session(
        bars, calendar="CMEGlobex_GC", history_bars=1, late=5 * SECOND, patience_ns=9 * SECOND
    )

    run.at("2025-09-13T05:01", "connected").trade(bars, first=at("2025-09-13T05:01"))
    run.run("2025-09-13T05:05:03")
    state = run.feed.state
    run.run("2025-09-13T05:06")

    assert state is FeedState.BEHIND
    assert same(run.bars, bars)


def test_a_bar_of_a_session_the_calendar_lacks_is_no_hole_if_it_never_comes():
    bars = bars_at([at("2025-09-13T05:00")], 5 * MINUTE, get_calendar("24/7"))
    run = session(
        bars, calendar="CMEGlobex_GC", history_bars=1, patience_ns=9 * SECOND, lacks=bars["start"]
    )

    run.at("2025-09-13T05:01", "connected").trade(bars, first=at("2025-09-13T05:01"))
    run.run("2025-09-13T05:06")

    assert (run.feed.state, run.feed.hole_count, len(run.bars)) == (FeedState.LIVE, 0, 0)


def test_terms_that_would_ask_without_end_are_refused_all_at_once():
    with pytest.raises(ValueError) as refused:
        FeedTerms(history_bars=-1, retry_ns=0, tries=0)

    assert str(refused.value) == (
        "history_bars=-1: expected 0 or more; retry_ns=0: expected 1 or more; "
        "tries=0: expected 1 or more"
    )


def test_an_error_is_asked_again_after_a_pause():
    bars, run = morning(history_bars=2, fails=2, tries=3, retry_ns=4 * SECOND)

    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00:07.9")
    asked = len(run.asked)
    run.run("2025-09-15T04:00:08")

    assert (asked, len(run.asked)) == (2, 3)
    assert same(run.bars, bars[1:3])
    assert run.feed.state is FeedState.LIVE


def test_silence_is_a_failed_answer_and_a_later_answer_still_counts():
    bars, run = morning(
        history_bars=2,
        answer_ns=10 * SECOND,
        delay=lambda number: 15 * SECOND if number == 1 else None,
    )

    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00:12")
    asked = len(run.asked)
    run.run("2025-09-15T04:00:15")

    assert asked == 2
    assert run.feed.state is FeedState.LIVE
    assert same(run.bars, bars[1:3])


def test_pages_that_keep_coming_are_no_silence():
    bars, run = morning(history_bars=3, answer_ns=10 * SECOND, delay=None)
    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00")
    (need,) = run.venue.asked

    for place in range(3):
        page = need, bars[place : place + 1], place == 2, ""
        run.at(at("2025-09-15T04:00") + (place + 1) * 9 * SECOND, "history", *page)
    run.run("2025-09-15T04:01")

    assert len(run.venue.asked) == 1
    assert same(run.bars, bars[:3])


def test_an_answer_to_an_older_request_is_used_and_nothing_is_told_twice():
    bars, run = morning(history_bars=3, delay=None, answer_ns=HOUR)
    run.at("2025-09-15T04:00", "connected").at("2025-09-15T04:01", "lost")
    run.at("2025-09-15T04:11", "connected").at("2025-09-15T04:12", "lost")
    run.at("2025-09-15T04:20", "connected").run("2025-09-15T04:20")
    oldest, _, newest = run.venue.asked

    run.at("2025-09-15T04:20", "history", newest, bars[:7], True, "")
    run.at("2025-09-15T04:20", "history", oldest, bars[:3], True, "").run("2025-09-15T04:20")

    assert len(run.venue.asked) == 3
    assert same(run.bars, bars[4:7])
    assert run.feed.state is FeedState.LIVE


# -- holes ---------------------------------------------------------------------------------------


def test_a_stretch_that_cannot_be_had_is_a_hole_and_the_feed_goes_live():
    bars, run = morning(history_bars=2, fails=99, tries=3, retry_ns=SECOND)

    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))
    run.run("2025-09-15T04:05:01")

    (hole,) = run.feed.holes
    assert (clock(hole.start), clock(hole.end)) == ("09-15 03:50:00", "09-15 04:00:00")
    assert hole.why == "503 service unavailable"
    assert len(run.asked) == 3
    assert run.feed.state is FeedState.LIVE
    assert same(run.bars, bars[3:4])


def test_entries_wait_after_a_hole_until_the_warm_up_is_there_again():
    bars, run = morning(history_bars=3, fails=99, tries=1)
    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))

    whole = []
    for place in range(3, 8):
        run.run(int(bars["end"][place]))
        whole.append(run.feed.is_whole)

    assert whole == [False, False, True, True, True]


def test_after_a_hole_entries_may_wait_for_another_number_of_bars():
    _, run = morning(history_bars=3, fails=99, tries=1, hole_bars=0)

    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00")

    assert run.feed.hole_count == 1
    assert run.feed.is_whole


def test_a_bar_seen_in_part_that_history_never_has_is_a_hole():
    bars, run = morning(history_bars=2, tries=2, lacks=(at("2025-09-15T04:00"),))

    run.at("2025-09-15T04:02", "connected").trade(bars, first=at("2025-09-15T04:02"))
    run.run("2025-09-15T04:16")

    (hole,) = run.feed.holes
    assert (clock(hole.start), clock(hole.end)) == ("09-15 04:00:00", "09-15 04:05:00")
    assert starts(run.bars) == ["03:55", "04:05", "04:10"]


def test_holes_one_after_the_other_are_one():
    bars, run = morning(history_bars=2, fails=99, tries=1)

    run.at("2025-09-15T04:02", "connected").trade(bars, first=at("2025-09-15T04:02"))
    run.run("2025-09-15T04:12")

    (hole,) = run.feed.holes
    assert (clock(hole.start), clock(hole.end)) == ("09-15 03:55:00", "09-15 04:05:00")
    assert run.feed.hole_count == 1
    assert starts(run.bars) == ["04:05"]


def test_an_answer_that_comes_after_the_stretch_was_given_up_is_too_late():
    bars, run = morning(history_bars=2, tries=1, answer_ns=5 * SECOND, delay=20 * SECOND)

    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))
    run.run("2025-09-15T04:06")

    assert run.feed.hole_count == 1
    assert same(run.bars, bars[3:4])


# -- gaps ----------------------------------------------------------------------------------------


def test_what_was_missed_comes_from_history_and_the_feed_goes_on():
    bars, run = morning(history_bars=1)
    run.at("2025-09-15T03:50", "connected").at("2025-09-15T04:01", "lost")
    run.at("2025-09-15T04:12", "connected")
    run.trade(bars, first=at("2025-09-15T03:50"), last=at("2025-09-15T04:01"))
    run.trade(bars, first=at("2025-09-15T04:12"))

    run.run("2025-09-15T04:13")
    between = run.feed.state, len(run.bars), run.feed.gaps
    run.run("2025-09-15T04:25")

    assert between == (FeedState.BEHIND, 5, 0)
    assert run.feed.state is FeedState.LIVE
    assert run.feed.gaps == 1
    assert same(run.bars, bars[:8])


def test_bars_built_while_older_ones_are_asked_for_wait_for_them():
    bars, run = morning(history_bars=2, delay=12 * MINUTE, answer_ns=HOUR)

    run.at("2025-09-15T04:00", "connected").trade(bars, first=at("2025-09-15T04:00"))
    run.run("2025-09-15T04:11")
    early = len(run.bars)
    run.run("2025-09-15T04:16")

    assert early == 0
    assert same(run.bars, bars[1:6])


def test_a_connection_lost_and_back_within_a_bar_leaves_no_gap_in_it():
    bars, run = morning(history_bars=1)
    run.at("2025-09-15T03:50", "connected")
    run.at("2025-09-15T04:01", "lost").at("2025-09-15T04:02", "connected")
    run.trade(bars, first=at("2025-09-15T03:50"), last=at("2025-09-15T04:01"))
    run.trade(bars, first=at("2025-09-15T04:02"))

    run.run("2025-09-15T04:12")

    assert same(run.bars, bars[:5])


def test_a_connection_lost_after_the_last_price_of_a_bar_brings_it_from_history():
    bars, run = morning(history_bars=1, close_delay=SECOND // 3)
    run.at("2025-09-15T03:50", "connected").at("2025-09-15T04:00:00.1", "lost")
    run.at("2025-09-15T04:01", "connected")
    run.trade(bars, first=at("2025-09-15T03:50"), last=at("2025-09-15T04:00"))
    run.trade(bars, first=at("2025-09-15T04:01"))

    run.run("2025-09-15T04:07")

    assert ("09-15 04:00:00", "09-15 04:05:00") in run.asked
    assert same(run.bars, bars[:4])


def test_history_that_comes_while_the_connection_is_lost_is_told():
    bars, run = morning(history_bars=1, delay=MINUTE)
    run.at("2025-09-15T03:50", "connected").at("2025-09-15T04:01", "lost")
    run.trade(bars, first=at("2025-09-15T03:50"), last=at("2025-09-15T04:01"))
    run.at("2025-09-15T04:12", "connected").at("2025-09-15T04:12:30", "lost")

    run.run("2025-09-15T04:14")

    assert run.feed.state is FeedState.WAITING
    assert same(run.bars, bars[:5])


def test_a_late_answer_that_lacks_a_bar_does_not_lose_it_while_the_connection_is_lost():
    bars, run = morning(late=40 * SECOND, patience_ns=MINUTE, delay=SECOND)
    run.at("2025-09-15T03:45", "connected").at("2025-09-15T03:51", "lost")
    run.at("2025-09-15T03:51:30", "connected").at("2025-09-15T03:55:00.5", "lost")
    run.at("2025-09-15T03:57", "connected")
    run.trade(bars, last=at("2025-09-15T03:51")).trade(bars, first=at("2025-09-15T03:57"))

    run.run("2025-09-15T04:06")

    assert same(run.bars, bars[:4])


def test_a_connection_told_twice_changes_nothing():
    bars, run = morning(history_bars=2)
    run.at("2025-09-15T04:00", "connected").at("2025-09-15T04:06", "connected")

    run.trade(bars, first=at("2025-09-15T04:00")).run("2025-09-15T04:10")

    assert len(run.asked) == 1
    assert same(run.bars, bars[1:5])


def test_a_night_is_no_gap():
    bars = market("2025-09-12T09:30", "2025-09-15T04:30", 15 * MINUTE)
    run = session(bars, 15 * MINUTE, stale_ns=30 * SECOND)
    run.at("2025-09-12T09:30", "connected")
    for ts in range(at("2025-09-12T09:30"), at("2025-09-12T10:00"), 20 * SECOND):
        run.at(ts, "ticks", tick_at(ts))
    for ts in range(at("2025-09-15T03:45"), at("2025-09-15T04:16"), 20 * SECOND):
        run.at(ts, "ticks", tick_at(ts))

    run.run("2025-09-15T04:16")

    assert run.feed.state is FeedState.LIVE
    assert run.feed.gaps == 0 and run.asked == []
    assert starts(run.bars) == ["09:30", "09:45", "03:45", "04:00"]


# -- silence -------------------------------------------------------------------------------------


def steady(first, last, step=10 * SECOND):
    """Prices that come every ten seconds."""
    return [
        tick_at(ts, 100.0 + place % 7) for place, ts in enumerate(range(at(first), at(last), step))
    ]


def test_a_silent_feed_has_a_gap_when_prices_come_again():
    ticks = steady("2025-09-15T03:45", "2025-09-15T04:30")
    true = bars_of(ticks)
    run = session(true, MINUTE, history_bars=1, stale_ns=30 * SECOND)
    run.at("2025-09-15T03:45", "connected")
    quiet = at("2025-09-15T03:50:20"), at("2025-09-15T04:10:30")
    for tick in ticks:
        if not quiet[0] < tick["ts_event"][0] < quiet[1]:
            run.at(int(tick["ts_event"][0]), "ticks", tick)

    run.run("2025-09-15T04:05")
    silent = run.feed.state, len(run.bars), run.feed.is_stale(at("2025-09-15T04:05"))
    run.run("2025-09-15T04:29:59")

    assert silent == (FeedState.SILENT, 5, True)
    assert run.feed.gaps == 1
    assert same(run.bars, true[:44])


def bars_of(ticks, timeframe=MINUTE, calendar="NSE"):
    """Return the true bars of ticks."""
    from feeds.bar_builder import BarBuilder

    build = BarBuilder(get_calendar(calendar), timeframe)
    return np.concatenate([build.take(np.concatenate(ticks)), build.close(NEVER_NS)])


def test_a_bar_that_ends_in_silence_is_not_told_as_it_was_built():
    ticks = steady("2025-09-15T03:45", "2025-09-15T03:50:10")
    run = session(bars_of(ticks), MINUTE, history_bars=1, stale_ns=30 * SECOND)
    run.at("2025-09-15T03:45", "connected")
    for tick in ticks:
        run.at(int(tick["ts_event"][0]), "ticks", tick)

    run.run("2025-09-15T04:00")

    assert starts(run.bars) == ["03:45", "03:46", "03:47", "03:48", "03:49"]
    assert run.feed.state is FeedState.SILENT


@pytest.mark.parametrize(
    "calendar, heard, now, is_stale",
    [
        ("NSE", "2025-09-15T05:00", "2025-09-15T05:00:30", True),
        ("NSE", "2025-09-15T05:00", "2025-09-15T05:00:29", False),
        ("NSE", "2025-09-12T09:59:50", "2025-09-12T20:00", False),
        ("NSE", "2025-09-12T09:59:50", "2025-09-15T03:45:19", False),
        ("NSE", "2025-09-12T09:59:50", "2025-09-15T03:45:20", True),
        ("NSE", "2025-10-01T09:59:59", "2025-10-03T03:45:10", False),
        ("CMEGlobex_GC", "2025-09-15T20:59:45", "2025-09-15T22:00:10", False),
        ("CMEGlobex_GC", "2025-09-15T20:59:45", "2025-09-15T22:00:15", True),
        ("24/7", "2025-09-13T12:00", "2025-09-13T12:00:30", True),
    ],
)
def test_silence_counts_while_the_market_is_open_only(calendar, heard, now, is_stale):
    feed = LiveFeed("X", MINUTE, get_calendar(calendar), FeedTerms(stale_ns=30 * SECOND))
    feed.connected(at(heard))
    feed.take(tick_at(at(heard)))

    feed.advance(at(now))

    assert feed.is_stale(at(now)) is is_stale
    assert (feed.state is FeedState.SILENT) is is_stale


def test_silence_within_one_batch_of_ticks_is_a_gap_too():
    ticks = steady("2025-09-15T03:45", "2025-09-15T03:47")
    ticks += steady("2025-09-15T03:47:45", "2025-09-15T03:49")
    feeds = [
        LiveFeed("X", HOUR, get_calendar("NSE"), FeedTerms(stale_ns=30 * SECOND)) for _ in "ab"
    ]
    for feed in feeds:
        feed.connected(at("2025-09-15T03:45"))

    feeds[0].take(np.concatenate(ticks))
    for tick in ticks:
        feeds[1].take(tick)

    assert [feed.state for feed in feeds] == [FeedState.BEHIND] * 2
    assert [feed.due for feed in feeds] == [at("2025-09-15T03:49:25")] * 2


# -- prices --------------------------------------------------------------------------------------


def test_prices_before_the_open_and_after_the_close_make_no_bar_on_nse():
    bars = market("2025-09-15T03:45", "2025-09-15T09:59", 5 * MINUTE)
    run = session(bars, history_bars=1)
    run.at("2025-09-15T03:00", "connected")
    for text in ("2025-09-15T03:37", "2025-09-15T10:12"):
        run.at(text, "ticks", tick_at(at(text)))

    run.trade(bars).run("2025-09-15T11:00")

    assert same(run.bars, bars)
    assert run.feed.left_out == 2
    assert run.feed.hole_count == 0


def test_history_outside_the_hours_that_loading_a_file_keeps_is_left_out():
    bars = market("2025-09-15T03:45", "2025-09-15T09:59", 5 * MINUTE)
    early = bars_at(
        [at("2025-09-15T03:35"), at("2025-09-15T03:40")], 5 * MINUTE, get_calendar("NSE")
    )
    run = session(np.concatenate([early, bars]), history_bars=5)

    run.at("2025-09-15T03:55", "connected").run("2025-09-15T03:55")

    assert same(run.bars, bars[:2])


def test_late_and_doubled_prices_do_not_disturb_the_last_price():
    feed = LiveFeed("X", MINUTE, get_calendar("NSE"), FeedTerms(stale_ns=0))
    feed.connected(at("2025-09-15T03:45"))

    for second, price in ((10, 101.0), (5, 99.0), (10, 101.0)):
        feed.take(tick_at(at("2025-09-15T03:45") + second * SECOND, price))

    assert (feed.last_price, clock(feed.last_tick)) == (101.0, "09-15 03:45:10")
    assert feed.forming["low"][0] == 99.0


def test_a_price_that_comes_when_its_bar_is_over_is_left_out_and_counted():
    bars, run = morning()
    run.at("2025-09-15T03:45", "connected").trade(bars[:1])
    run.run("2025-09-15T03:50")
    run.at("2025-09-15T03:50:01", "ticks", tick_at(at("2025-09-15T03:49:59"), 500.0))

    run.run("2025-09-15T03:51")

    assert same(run.bars, bars[:1])
    assert run.feed.left_out == 1


# -- the venue's own bars ------------------------------------------------------------------------


def test_a_built_bar_is_compared_with_the_venues_once():
    bars, run = morning()
    run.at("2025-09-15T03:45", "connected").trade(bars[:3]).run("2025-09-15T04:00")
    wrong = bars[1:2].copy()
    wrong["high"] += 1.0

    texts = [run.feed.compare(bar) for bar in (bars[0], wrong, wrong[0], bars[2])]

    assert [bool(text) for text in texts] == [False, True, True, False]
    assert (run.feed.compared, run.feed.differing) == (3, 1)
    (difference,) = run.feed.differences
    assert difference.start == bars["start"][1]
    assert difference.text.startswith("high ")


def test_a_bar_of_the_venue_that_comes_before_ours_is_over_is_compared_then():
    bars, run = morning(close_delay=SECOND)
    run.at("2025-09-15T03:45", "connected").trade(bars[:1]).run("2025-09-15T03:50")
    wrong = bars[:1].copy()
    wrong["close"] += 1.0

    assert run.feed.compare(wrong) == ""
    run.run("2025-09-15T03:52")

    assert run.feed.differing == 1


def test_every_few_bars_the_venues_history_is_compared():
    bars, run = morning(check_every_bars=4, settle_ns=2 * SECOND)
    true = bars.copy()
    run.venue.bars["close"][2] += 0.5
    run.at("2025-09-15T03:45", "connected").trade(true[:10])

    run.run("2025-09-15T04:40")

    assert run.asked == [("09-15 03:45:00", "09-15 04:05:00"), ("09-15 04:05:00", "09-15 04:25:00")]
    assert (run.feed.compared, run.feed.differing) == (8, 1)
    assert len(run.bars) == 10


def test_a_bar_the_venue_has_and_we_do_not_differs():
    bars, run = morning(check_every_bars=3)
    run.at("2025-09-15T03:45", "connected").trade(bars[[0, 1, 3]])

    run.run("2025-09-15T04:06")

    assert run.feed.differing == 1
    assert run.feed.differences[0].text == "no bar here, one at the venue"


def test_a_check_that_fails_or_is_never_answered_changes_nothing():
    bars, run = morning(check_every_bars=2, answer_ns=6 * MINUTE, delay=None)
    run.at("2025-09-15T03:45", "connected").trade(bars[:9])

    run.run("2025-09-15T04:31")

    assert run.feed.state is FeedState.LIVE
    assert same(run.bars, bars[:9])
    assert len(run.venue.asked) == 4


# -- what may still come -------------------------------------------------------------------------


def test_a_feed_says_whether_a_bar_may_still_come_from_history():
    _, run = morning(history_bars=3, delay=2 * SECOND)
    run.at("2025-09-15T04:02", "connected").run("2025-09-15T04:02:01")
    unanswered = [run.feed.may_tell(at(f"2025-09-15T04:{minute}")) for minute in ("00", "05")]
    run.run("2025-09-15T04:03")
    answered = [run.feed.may_tell(at(f"2025-09-15T04:{minute}")) for minute in ("00", "04", "05")]
    run.run("2025-09-15T04:06")

    assert unanswered == [True, True]
    assert answered == [False, False, True]
    assert not run.feed.may_tell(at("2025-09-15T04:05"))


def test_a_feed_without_connection_and_without_question_holds_nobody_up():
    _, run = morning(history_bars=3, delay=None, answer_ns=30 * SECOND)
    fresh = run.feed.may_tell(NEVER_NS)
    run.at("2025-09-15T04:02", "connected").at("2025-09-15T04:02:10", "lost")
    run.run("2025-09-15T04:02:20")
    asked = run.feed.may_tell(at("2025-09-15T04:00"))
    run.run("2025-09-15T04:03")

    assert (fresh, asked, run.feed.may_tell(at("2025-09-15T04:00"))) == (False, True, False)


# -- any order of things -------------------------------------------------------------------------

SPANS = [
    ("NSE", "2025-09-12T03:45", "2025-09-15T10:00"),
    ("CMEGlobex_GC", "2025-09-12T18:00", "2025-09-15T04:00"),
    ("CMEGlobex_GC", "2025-10-31T15:00", "2025-11-03T16:00"),  # the clocks go back
    ("24/7", "2025-09-12T18:00", "2025-09-13T18:00"),
]
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


class Truth:
    """The true bars of a scenario; prints as few words."""

    def __init__(self, calendar, timeframe, cells, quiet):
        self.bars = bars_at(np.delete(cells, sorted(quiet)), timeframe, get_calendar(calendar))
        self.words = f"{len(cells)} cells from {clock(cells[0])}, quiet {sorted(quiet)}"

    def __repr__(self):
        return self.words


@st.composite
def scenarios(draw):
    """A market with quiet bars, times at which the connection stands, a venue with its habits."""
    calendar, *span = draw(st.sampled_from(SPANS))
    timeframe = draw(st.sampled_from([MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY]))
    first, last = (at(text) for text in span)
    first -= 20 * DAY if timeframe == DAY else 0
    cells = get_calendar(calendar).expected_starts(first, last, timeframe)
    begin = draw(st.integers(0, max(len(cells) - 60, 0)))
    cells = cells[begin : begin + 60]
    quiet = draw(st.sets(st.integers(0, len(cells) - 1), max_size=len(cells) // 2))
    truth = Truth(calendar, timeframe, cells, quiet)
    moments = st.one_of(
        st.integers(int(cells[0]) - timeframe, int(cells[-1])), st.sampled_from(cells.tolist())
    )
    count = 1 + 2 * draw(st.integers(0, 3))
    times = sorted(draw(st.lists(moments, min_size=count, max_size=count, unique=True)))
    shows_forming = draw(st.booleans())
    late = draw(st.sampled_from([0, 2 * SECOND, 40 * SECOND]))
    return {
        "truth": truth,
        "ups": list(zip(times[::2], [*times[1::2], NEVER_NS], strict=True)),
        "told_after": draw(st.sampled_from([0, SECOND // 2, 3 * SECOND])),
        "tick_delay": draw(st.sampled_from([0, SECOND // 4])),
        "delays": draw(st.lists(st.integers(0, 100), min_size=8, max_size=8)),
        "venue": {
            "timeframe": timeframe,
            "calendar": calendar,
            "close_delay": SECOND // 3,
            "history_bars": draw(st.integers(0, 25)),
            "settle_ns": late if shows_forming else draw(st.sampled_from([0, SECOND, late])),
            "patience_ns": late + 2 * SECOND,
            "tries": 3,
            "answer_ns": MINUTE,
            "late": late,
            "shows_forming": shows_forming,
            "pages": draw(st.integers(1, 10)),
            "newest_first": draw(st.booleans()),
            "fails": draw(st.integers(0, 3)),
            "check_every_bars": draw(st.sampled_from([0, 0, 7])),
        },
    }  # fmt: skip


def play(scenario):
    """Play a scenario to a quiet end; return its session."""
    bars = scenario["truth"].bars
    run = session(
        bars, delay=lambda number: scenario["delays"][number % 8] * SECOND, **scenario["venue"]
    )
    for up, down in scenario["ups"]:
        if up + scenario["told_after"] < down:
            run.at(up + scenario["told_after"], "connected")
        if down < NEVER_NS:
            run.at(down, "lost")
        run.trade(bars, scenario["tick_delay"], up, down)
    last = max(int(bars["end"][-1]), scenario["ups"][-1][0]) if len(bars) else 0
    return run.run(last + 20 * MINUTE + 2 * run.feed.timeframe_ns)


@MANY
@given(scenarios())
def test_told_are_the_true_bars_in_order_and_once_but_for_holes_that_were_said(scenario):
    true = scenario["truth"].bars

    run = play(scenario)

    told, feed = run.bars, run.feed
    event(f"holes: {feed.hole_count}")
    assert feed.state is FeedState.LIVE
    assert np.all(np.diff(told["start"]) > 0)
    assert same(told, true[np.isin(true["start"], told["start"])])
    first = int(told["start"][0]) if len(told) else NEVER_NS
    if not feed.terms.history_bars:
        first = min(first, run.joint)
    missing = true[(true["start"] >= first) & ~np.isin(true["start"], told["start"])]
    for bar in missing:
        assert any(hole.start <= bar["start"] and bar["end"] <= hole.end for hole in feed.holes)


@MANY
@given(scenarios())
def test_before_the_joint_are_as_many_bars_as_wanted_where_the_venue_has_them(scenario):
    scenario["ups"] = scenario["ups"][:1]
    scenario["ups"][0] = scenario["ups"][0][0], NEVER_NS
    scenario["venue"]["fails"] = 0
    scenario["delays"] = [delay // 2 for delay in scenario["delays"]]
    true, wanted = scenario["truth"].bars, scenario["venue"]["history_bars"]

    run = play(scenario)

    before = true[true["start"] < run.joint]
    told = run.bars[run.bars["start"] < run.joint]
    joined_within = len(before) and before["end"][-1] < run.joint
    fewest = min(wanted, len(before)) - (0 if not joined_within else 1)
    assert max(fewest, 0) <= len(told) <= min(wanted, len(before))


@MANY
@given(scenarios())
def test_there_is_nothing_due_that_has_been_done(scenario):
    run = play(scenario)

    feed = LiveFeed(
        "X", run.feed.timeframe_ns, run.feed.calendar, FeedTerms(**terms_of(scenario["venue"]))
    )
    for now, kind, content in run.log:
        _apply(feed, now, kind, content)
        feed.advance(now)
        assert feed.due > now


@MANY
@given(scenarios(), st.data())
def test_a_prefix_of_what_happens_gives_a_prefix_of_the_bars(scenario, data):
    run = play(scenario)
    cut = data.draw(st.integers(0, len(run.log)))
    feed = LiveFeed(
        "X", run.feed.timeframe_ns, run.feed.calendar, FeedTerms(**terms_of(scenario["venue"]))
    )

    told = [NO_BARS]
    for now, kind, content in run.log[:cut]:
        told += _apply(feed, now, kind, content, run.close_delay)

    told = np.concatenate(told)
    assert np.array_equal(told, run.bars[: len(told)])


def terms_of(given):
    return {
        name: value for name, value in given.items() if name in FeedTerms.__dataclass_fields__
    } | {"stale_ns": 0}


def _apply(feed, now, kind, content, close_delay=0):
    if kind == "ticks":
        return [feed.advance(int(content[0]["ts_event"][0])), feed.take(content[0])]
    if kind == "clock":
        return [feed.advance(now - close_delay)]
    if kind == "connected":
        return [feed.advance(now), feed.connected(now)]
    if kind == "lost":
        feed.lost()
        return [feed.advance(now)]
    need, bars, is_last, error = content
    return [feed.hear_history(need, bars, now, is_last, error)]


@MANY
@given(st.data())
def test_told_bars_do_not_depend_on_how_ticks_were_batched(data):
    steps = data.draw(st.lists(st.integers(-5, 70), min_size=1, max_size=60))
    times = at("2025-09-15T03:46") + np.cumsum(steps) * SECOND
    ticks = np.concatenate([tick_at(ts, 100.0 + i % 5, i) for i, ts in enumerate(times.tolist())])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ticks)), max_size=8)))
    stale = data.draw(st.sampled_from([0, 40 * SECOND]))
    terms = FeedTerms(history_bars=1, stale_ns=stale)
    one, other = (LiveFeed("X", 5 * MINUTE, get_calendar("NSE"), terms) for _ in range(2))
    for feed in (one, other):
        feed.connected(at("2025-09-15T03:46"))

    at_once = [one.take(ticks[i : i + 1]) for i in range(len(ticks))]
    in_parts = [other.take(part) for part in np.split(ticks, cuts)]

    end = at("2025-09-15T09:00")
    first, second = (
        np.concatenate([*parts, feed.advance(end)])
        for parts, feed in ((at_once, one), (in_parts, other))
    )
    assert np.array_equal(first, second)
    assert (one.state, one.left_out, one.last_tick) == (
        other.state,
        other.left_out,
        other.last_tick,
    )


# -- a long life ---------------------------------------------------------------------------------


def test_a_hundred_thousand_bars_leave_nothing_behind():
    bars = market("2025-01-01T00:00", "2025-03-11T10:39", MINUTE, "24/7")[:100_000]
    feed = LiveFeed("X", MINUTE, get_calendar("24/7"), FeedTerms(stale_ns=0))
    feed.connected(int(bars["start"][0]))
    ticks = path_ticks(bars, 0.01)

    told = sum(len(feed.take(part)) for part in np.split(ticks, 500))

    assert told == 99_999
    assert sizes_of(feed) < 200


def sizes_of(feed):
    """Return how many items a feed keeps in all its collections."""
    parts = [feed, feed._past, feed._check]
    kept = itertools.chain.from_iterable(vars(part).values() for part in parts)
    return sum(len(item) for item in kept if hasattr(item, "__len__"))


def test_the_bars_of_a_known_session_are_regular():
    bars, run = morning(history_bars=1)

    run.at("2025-09-15T04:00", "connected").run("2025-09-15T04:00")

    assert run.bars["flags"][0] & REGULAR
    assert run.bars.dtype == BAR and bars.dtype == BAR
