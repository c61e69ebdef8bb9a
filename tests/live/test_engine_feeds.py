"""Feeds in the engine: groups of bars in order, and no feed that holds up the others for ever."""

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from core.bars import NEVER_NS
from core.calendar import get_calendar
from core.events import Bars, Link, LinkState
from feeds.live import FeedState
from live.engine import RESTART, Engine
from tests.feeds.markets import HOUR, MINUTE, SECOND, at, bars_at, market, same
from tests.live.stages import Broker, Stage

SPAN = ("2025-09-15T03:45", "2025-09-15T09:59")
FIVE = market(*SPAN, 5 * MINUTE)
HOURS = market("2025-09-12T03:45", "2025-09-15T09:59", HOUR)


def stage(**given):
    """A plan on 5m bars with an hourly series beside it."""
    own = {"history_bars": 2}
    beside = {"history_bars": 2, **given}
    made = Stage().feed("X", FIVE, 5 * MINUTE, **own)
    return made.feed("DXY", HOURS, HOUR, is_clock=False, **beside).start()


def test_bars_that_end_together_are_one_group_the_further_series_first():
    run = stage().link("2025-09-15T03:45")

    run.trade("X", FIVE[:13]).trade("DXY", HOURS[-7:-6]).run("2025-09-15T04:51")

    assert run.groups[-2:] == [("04:45", ("a/DXY", "a")), ("04:50", ("a",))]


def test_a_further_series_joined_in_the_middle_of_its_bar_holds_nobody_up():
    run = stage().link("2025-09-15T04:00").trade("X", FIVE, first=at("2025-09-15T04:00"))

    run.run("2025-09-15T04:20:01")

    ends = ["10:00", "03:55", "04:00", "04:05", "04:10", "04:15", "04:20"]
    assert [end for end, _ in run.groups] == ends
    assert run.slots[1].feed.state is FeedState.BEHIND
    assert not any(run.late("a")[2:])


def test_the_bar_that_ends_with_the_further_series_waits_for_it():
    run = stage(delay=2 * SECOND).link("2025-09-15T04:00")
    run.trade("X", FIVE, first=at("2025-09-15T04:00"))

    run.run("2025-09-15T04:45:01.9")
    before = run.groups[-1]
    run.run("2025-09-15T04:46")

    assert before == ("04:40", ("a",))
    assert run.groups[-1] == ("04:45", ("a/DXY", "a"))
    assert run.late("a")[-1] is False


def test_a_further_series_that_cannot_be_had_counts_as_absent():
    run = stage(fails=99, tries=3).link("2025-09-15T04:00")
    run.trade("X", FIVE, first=at("2025-09-15T04:00"))

    run.run("2025-09-15T04:00:02")
    before = len(run.groups)
    run.run("2025-09-15T04:56")

    assert before == 0
    assert same(run.bars("a"), FIVE[1:14])
    assert not any(run.late("a")[3:])
    assert run.slots[1].feed.hole_count == 1


def test_a_further_series_that_is_never_answered_counts_as_absent():
    run = stage(delay=None, tries=2, answer_ns=5 * SECOND).link("2025-09-15T04:00")
    run.trade("X", FIVE, first=at("2025-09-15T04:00"))

    run.run("2025-09-15T04:16")

    assert same(run.bars("a"), FIVE[1:6])


def test_after_a_hole_of_the_plans_own_bars_no_entry_is_taken_for_a_while():
    run = Stage().feed("X", FIVE, 5 * MINUTE, history_bars=3, fails=99, tries=1).start()
    run.link("2025-09-15T04:00").trade("X", FIVE, first=at("2025-09-15T04:00"))

    run.run("2025-09-15T04:21")

    assert run.late("a") == [True, True, False, False]


def test_one_plans_questions_do_not_mix_with_another_plans():
    run = Stage().feed("X", FIVE, 5 * MINUTE, history_bars=2, delay=3 * SECOND)
    run.feed("Y", FIVE, 5 * MINUTE, plan="b", history_bars=2).start()
    run.link("2025-09-15T04:00").trade("X", FIVE, first=at("2025-09-15T04:00"))
    run.trade("Y", FIVE, first=at("2025-09-15T04:00")).run("2025-09-15T04:11")

    assert same(run.bars("a"), FIVE[1:5])
    assert same(run.bars("b"), FIVE[1:5])


def test_a_plan_whose_history_comes_later_than_another_plans_is_stepped_from_its_first_bar_on():
    run = Stage().feed("X", FIVE, 5 * MINUTE, history_bars=2)
    run.feed("Y", FIVE, 5 * MINUTE, plan="b", history_bars=2, delay=3 * SECOND).start()

    run.link("2025-09-15T04:00").run("2025-09-15T04:00:01")
    before = {plan for plan, _ in run.lengths}
    run.run("2025-09-15T04:00:04")

    assert before == {"a"}
    assert [length for plan, length in run.lengths if plan == "b"] == [1, 2]


def test_after_a_restart_bars_wait_for_the_venues_books_and_no_longer_than_an_entry_may():
    run = Stage().feed("X", FIVE, 5 * MINUTE, history_bars=2).start()
    run.at(at("2025-09-15T03:59:59"), Link(LinkState.LOST, reason=RESTART)).link("2025-09-15T04:00")
    run.engine.broker.awaits_books = True

    run.run("2025-09-15T04:00:09")
    waiting = len(run.bars("a"))
    run.trade("X", FIVE, first=at("2025-09-15T04:00")).run("2025-09-15T04:00:30")

    assert (waiting, len(run.bars("a"))) == (0, 2)


def test_the_bars_go_out_as_soon_as_the_books_are_known():
    run = Stage().feed("X", FIVE, 5 * MINUTE, history_bars=2).start()
    run.at(at("2025-09-15T03:59:59"), Link(LinkState.LOST, reason=RESTART)).link("2025-09-15T04:00")
    run.engine.broker.awaits_books = True

    run.run("2025-09-15T04:00:02")
    run.engine.broker.awaits_books = False
    run.run("2025-09-15T04:00:03")

    assert len(run.bars("a")) == 2


def test_a_lost_connection_for_orders_does_not_touch_the_prices():
    run = Stage().feed("X", FIVE, 5 * MINUTE).start().link("2025-09-15T03:45")
    run.link("2025-09-15T03:46", LinkState.LOST, "orders").link("2025-09-15T03:47", name="orders")

    run.trade("X", FIVE[:2]).run("2025-09-15T03:56")

    assert same(run.bars("a"), FIVE[:2])
    assert run.engine.counts.reconnects == 1


def test_a_link_without_the_venues_time_is_taken_by_ours():
    run = Stage().feed("X", FIVE, 5 * MINUTE, history_bars=1).start()
    run.link("2025-09-15T03:45").link("2025-09-15T03:52", LinkState.LOST)
    back = at("2025-09-15T04:07")
    run.at(back, Link(LinkState.CONNECTED, ts_init=back))
    run.trade("X", FIVE, last=at("2025-09-15T03:52")).trade("X", FIVE, first=back)

    run.run("2025-09-15T04:16")

    assert same(run.bars("a"), FIVE[:6])


def test_a_bar_that_was_told_and_not_delivered_when_the_process_died_is_delivered_after():
    run = stage(delay=2 * SECOND).link("2025-09-15T04:00")
    run.trade("X", FIVE, first=at("2025-09-15T04:00")).run("2025-09-15T04:45:01.9")
    whole = run.groups
    assert whole[-1] == ("04:40", ("a",))

    again = stage(delay=2 * SECOND)
    again.engine.replaying = True
    for seq, record in enumerate(run.log, 1):
        again.engine.replay(seq, record)
    again.engine.replaying = False
    again.wall = run.wall
    again.link("2025-09-15T04:45:03", LinkState.LOST).link("2025-09-15T04:45:04")
    again.run("2025-09-15T04:51")

    assert again.groups[0] == ("04:45", ("a/DXY", "a"))
    assert same(again.bars("a"), FIVE[1:13])


# -- any order of things -------------------------------------------------------------------------


@st.composite
def courses(draw):
    """When the connection stands, and how the venue answers for both series."""
    count = 1 + 2 * draw(st.integers(0, 2))
    moment = st.integers(0, 75 * 5 * 60).map(lambda second: second * SECOND + at(SPAN[0]))
    times = sorted(draw(st.lists(moment, min_size=count, max_size=count, unique=True)))
    answers = st.fixed_dictionaries(
        {
            "history_bars": st.integers(0, 8),
            "fails": st.integers(0, 9),
            "tries": st.integers(1, 3),
            "late": st.sampled_from([0, 20 * SECOND]),
            "patience_ns": st.just(30 * SECOND),
            "answer_ns": st.just(20 * SECOND),
            "pages": st.integers(1, 4),
            "settle_ns": st.sampled_from([0, SECOND]),
        }
    )
    delays = st.lists(st.one_of(st.none(), st.integers(0, 40)), min_size=5, max_size=5)
    return {
        "ups": list(zip(times[::2], [*times[1::2], NEVER_NS], strict=True)),
        "quiet": draw(st.sets(st.integers(0, 74), max_size=40)),
        "own": draw(answers),
        "beside": draw(answers),
        "delays": (draw(delays), draw(delays)),
    }  # fmt: skip


def play(course):
    """Play a course to a quiet end."""
    own = bars_at(
        np.delete(FIVE["start"], sorted(course["quiet"])), 5 * MINUTE, get_calendar("NSE")
    )

    def delay(seconds):
        return lambda number: None if seconds[number % 5] is None else seconds[number % 5] * SECOND

    run = Stage().feed("X", own, 5 * MINUTE, delay=delay(course["delays"][0]), **course["own"])
    run.feed(
        "DXY", HOURS, HOUR, is_clock=False, delay=delay(course["delays"][1]), **course["beside"]
    )
    run.start()
    for up, down in course["ups"]:
        run.link(up)
        if down < NEVER_NS:
            run.link(down, LinkState.LOST)
        run.trade("X", own, 0, up, down).trade("DXY", HOURS, 0, up, down)
    return own, run.run("2025-09-15T12:00")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(courses())
def test_nothing_is_held_up_for_ever_and_each_feed_is_in_order(course):
    true, run = play(course)
    feed = run.slots[0].feed
    event(f"holes: {feed.hole_count}")

    told = run.bars("a")
    assert not run.engine._ready
    assert all(slot.feed.state is FeedState.LIVE for slot in run.slots)
    assert len(run.log) < 1500
    if not len(told):
        return
    assert np.all(np.diff(told["start"]) > 0)
    assert same(told, true[np.isin(true["start"], told["start"])])
    missing = true[(true["start"] > told["start"][0]) & ~np.isin(true["start"], told["start"])]
    for bar in missing:
        assert any(hole.start <= bar["start"] and bar["end"] <= hole.end for hole in feed.holes)
    beside = run.bars("a/DXY")
    assert len(beside) < 2 or np.all(np.diff(beside["start"]) > 0)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(courses(), st.data())
def test_the_record_run_again_up_to_anywhere_stands_where_the_session_stood(course, data):
    _, run = play(course)
    cut = data.draw(st.integers(0, len(run.log)))
    slots = fresh_slots(course)
    again = Engine(Broker(slots), run, slots, run.inbox, run, None, 10 * SECOND)
    again.begin(None, [])
    again.replaying = True

    for seq, record in enumerate(run.log[:cut], 1):
        again.replay(seq, record)

    groups = [record for record in run.log[:cut] if isinstance(record, Bars)]
    assert sum(len(slot.data.bars) for slot in again.slots) == sum(
        len(item.names) for item in groups
    )
    told = {name: [] for name in ("a", "a/DXY")}
    for record in run.log:
        for name, bar in (
            zip(record.names, record.bars, strict=True) if isinstance(record, Bars) else ()
        ):
            told[name].append(int(bar["start"]))
    for slot in again.slots:
        waiting = sorted(int(item.bar["start"]) for item in again._ready if item.slot is slot)
        seen = [int(bar["start"]) for bar in slot.data.bars]
        assert (seen + waiting) == told[slot.name][: len(seen) + len(waiting)]


def fresh_slots(course):
    """Return fresh feeds of the same terms."""
    fresh = Stage().feed("X", FIVE, 5 * MINUTE, **course["own"])
    fresh.feed("DXY", HOURS, HOUR, is_clock=False, **course["beside"])
    return fresh.slots
