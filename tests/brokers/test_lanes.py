"""Lanes: in turn within one, side by side between two, and nothing twice that merely waits."""

import threading

import pytest

from brokers.lanes import Lanes

PATIENCE_SECS = 10.0


@pytest.fixture
def lanes():
    made = Lanes("test", 2)
    yield made
    made.close(PATIENCE_SECS)


def test_a_job_that_hangs_holds_up_its_own_lane_alone(lanes):
    may_end, done = threading.Event(), []
    lanes.put("a", lambda: may_end.wait(PATIENCE_SECS))
    lanes.put("a", lambda: done.append("a"))
    other = threading.Event()
    lanes.put("b", other.set)

    assert other.wait(PATIENCE_SECS)
    assert done == []
    may_end.set()
    drain(lanes, "a")
    assert done == ["a"]


def test_a_job_that_waits_already_is_not_put_again_and_one_that_has_begun_is(lanes):
    has_begun, may_end, looks = threading.Event(), threading.Event(), []

    def look():
        looks.append(len(looks))
        has_begun.set()
        may_end.wait(PATIENCE_SECS)

    lanes.put("poll", look)
    assert has_begun.wait(PATIENCE_SECS)
    for _ in range(50):
        lanes.put("poll", look)
    may_end.set()
    drain(lanes, "poll")

    assert looks == [0, 1]


def test_what_a_lane_was_given_in_between_is_done_in_its_place(lanes):
    may_end, done = threading.Event(), []
    lanes.put("order", lambda: may_end.wait(PATIENCE_SECS))
    place, cancel = (lambda: done.append("place")), (lambda: done.append("cancel"))
    for job in (place, cancel, place):
        lanes.put("order", job)
    may_end.set()
    drain(lanes, "order")

    assert done == ["place", "cancel", "place"]


def test_a_closed_one_takes_no_job():
    lanes = Lanes("test", 1)
    lanes.close(PATIENCE_SECS)

    assert lanes.put("a", lambda: None) is False


def drain(lanes, lane):
    """Wait until all that was put in a lane is done."""
    last = threading.Event()
    lanes.put(lane, last.set)
    assert last.wait(PATIENCE_SECS)
