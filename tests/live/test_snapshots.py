"""The venue's books: when they are asked for, and what a failed answer means at the start."""

from types import SimpleNamespace

import pytest

from backtests.fills.broker import BacktestBroker
from brokers.live_terms import LiveTerms
from core.events import Snapshot
from live.snapshots import OVERLAP_NS, PATIENCE_SECS, Snapshots
from live.start_up import AGAIN_SECS, StartUp
from risk.guard import Guard

DAY_NS = 86_400 * 10**9


class Venue:
    """A port that notes what it is asked and answers nothing by itself."""

    def __init__(self, tells=True):
        self.asked = []
        self.capabilities = SimpleNamespace(
            tells_executions=tells, tells_orders=True, poll_secs=5.0
        )

    def request_snapshot(self, number, since):
        self.asked.append((number, since))


@pytest.fixture
def clock():
    now = SimpleNamespace(secs=100.0)
    now.read = lambda: now.secs
    return now


@pytest.mark.parametrize(
    ("tells", "doubt", "polls"), [(True, False, 0), (True, True, 2), (False, False, 2)]
)
def test_books_are_polled_where_streams_do_not_tell_or_something_is_in_doubt(
    clock, tells, doubt, polls
):
    venue = Venue(tells)
    snapshots = Snapshots(venue, lambda: doubt, since=7, clock=clock.read)
    snapshots.ask()
    snapshots.hear(Snapshot(1, asked_at=DAY_NS))

    for _ in range(12):
        clock.secs += 1.0
        before = len(venue.asked)
        snapshots.look()
        if len(venue.asked) > before:
            snapshots.hear(Snapshot(2, asked_at=DAY_NS))

    assert venue.asked[0] == (1, 7)
    assert len(venue.asked) - 1 == polls
    assert all(since == DAY_NS - OVERLAP_NS for _, since in venue.asked[1:])


def test_one_question_waits_for_its_answer_before_the_next(clock):
    venue = Venue()
    snapshots = Snapshots(venue, lambda: True, clock=clock.read)

    snapshots.ask()
    clock.secs += PATIENCE_SECS - 1.0
    snapshots.look()
    assert len(venue.asked) == 1
    clock.secs += 6.0
    snapshots.look()

    assert len(venue.asked) == 2


def test_a_failed_answer_says_nothing_of_the_time_it_was_asked_for(clock):
    venue = Venue()
    snapshots = Snapshots(venue, lambda: True, clock=clock.read)
    snapshots.ask()
    snapshots.hear(Snapshot(1, asked_at=DAY_NS, error="timed out"))

    snapshots.ask()

    assert venue.asked[1] == (2, 0)


class Start:
    """A start-up whose venue answers as the test says."""

    def __init__(self, clock):
        self.venue, self.told = Venue(), []
        self.guard = Guard(BacktestBroker())
        settling = SimpleNamespace(unexplained=frozenset())
        broker = SimpleNamespace(plans=[], terms=LiveTerms(), settling=settling)
        self.built = SimpleNamespace(
            guard=self.guard, broker=broker, engine=SimpleNamespace(settle=lambda: None),
            outbox=SimpleNamespace(unanswered=[], unsent=[]),
        )  # fmt: skip
        self.snapshots = Snapshots(self.venue, lambda: False, clock=clock.read)
        self.start_up = StartUp(
            self.built, self.snapshots, self._command, self.told.append, clock=clock.read
        )

    def _command(self, name, given):
        if name == "block":
            self.guard.block(given["rule"], given["detail"])
        else:
            self.guard.unblock(given["rule"])

    def answer(self, **given):
        snapshot = Snapshot(1, asked_at=DAY_NS, **given)
        self.snapshots.hear(snapshot)
        self.start_up.hear(snapshot, [])
        self.start_up.look()


def test_a_question_that_failed_is_unknown_and_asked_again(clock):
    start = Start(clock)
    start.start_up.begin()
    start.snapshots.ask()

    start.answer(error="timed out")
    unknown = dict(start.guard.blocks)
    start.start_up.look()
    asked_at_once = len(start.venue.asked)
    clock.secs += AGAIN_SECS
    start.start_up.look()
    asked_later = len(start.venue.asked)
    start.answer()

    assert unknown == {"starting": "the venue's books are unknown: timed out"}
    assert start.told == ["entries stay off: the venue's books are unknown: timed out"]
    assert (asked_at_once, asked_later) == (1, 2)
    assert start.start_up.is_over and start.guard.blocks == {}
