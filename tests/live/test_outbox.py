"""What leaves a session: written first, what was decided together in one commit, in its order."""

from types import SimpleNamespace

import pytest

from brokers.port import VenueOrder
from core.errors import TolaError
from core.orders import OrderKind, Role, Side
from live import outbox as outbox_module
from live.journal import Intent
from live.outbox import Diverged, LiveOutbox


class Book:
    """A journal that notes each commit; `fails` makes it refuse."""

    def __init__(self, told):
        self.told, self.fails, self.is_behind = told, False, False

    def _commit(self, intents):
        names = [f"{item.verb} {item.order_id}" if item.verb == "dropped" else item.order_id
                 for item in intents]  # fmt: skip
        self.told.append(("written", names))
        self.is_behind = self.fails
        return TolaError("disk full") if self.fails else None

    def intend(self, intent):
        if trouble := self._commit([intent]):
            raise trouble

    def try_intend(self, intent):
        return self._commit([intent])

    def intend_all(self, intents, must_leave):
        trouble = self._commit(intents)
        return [trouble for _ in intents]


@pytest.fixture
def scene():
    told = []
    port = SimpleNamespace(
        submit=lambda number, order: told.append(("sent", number, order.order_id)),
        cancel=lambda number, order_id, venue_id: told.append(("cancelled", number, order_id)),
    )
    book = Book(told)
    outbox = LiveOutbox(book, port)
    outbox.on_refused = lambda order_id, why: told.append(("refused", order_id, why))
    return SimpleNamespace(outbox=outbox, book=book, told=told)


def order(order_id, reduces=False):
    return VenueOrder(order_id, "gold", "MGC", Side.BUY, 1.0, OrderKind.MARKET,
                      Role.EXIT if reduces else Role.ENTRY, reduces=reduces)  # fmt: skip


def test_a_request_outside_of_events_leaves_at_once(scene):
    scene.outbox.submit(order("1"), 0)

    assert scene.told == [("written", ["1"]), ("sent", 1, "1")]


def test_what_is_held_is_written_in_one_commit_before_any_of_it_is_sent(scene):
    scene.outbox.hold()
    scene.outbox.submit(order("1"), 0)
    scene.outbox.cancel("0", "v0", "gold", "MGC")
    scene.outbox.submit(order("2"), 0)
    assert scene.told == []

    scene.outbox.release()

    assert scene.told == [
        ("written", ["1", "0", "2"]), ("sent", 1, "1"), ("cancelled", 2, "0"), ("sent", 3, "2"),
    ]  # fmt: skip


def test_entries_that_are_not_written_are_refused_and_exits_leave(scene):
    scene.book.fails = True
    scene.outbox.hold()
    scene.outbox.submit(order("entry"), 0)
    scene.outbox.submit(order("exit", reduces=True), 0)

    scene.outbox.release()

    assert scene.told == [
        ("written", ["entry", "exit"]),
        ("refused", "entry", "journal: disk full"),
        ("sent", 1, "exit"),
        ("written", ["dropped entry"]),
    ]


def test_an_exit_does_not_wait_for_an_entry_where_the_journal_is_behind(scene):
    scene.book.fails = scene.book.is_behind = True
    scene.outbox.hold()
    scene.outbox.submit(order("exit", reduces=True), 0)
    scene.outbox.submit(order("entry"), 0)

    scene.outbox.release()

    kinds = [what for what, *_ in scene.told]
    assert kinds == ["written", "sent", "written", "refused", "written"]


def test_a_request_waits_for_company_no_longer_than_a_commit_takes(scene, monkeypatch):
    now = [10.0]
    monkeypatch.setattr(outbox_module.time, "monotonic", lambda: now[0])
    scene.outbox._commit_secs = 0.004
    scene.outbox.hold()
    scene.outbox.submit(order("1"), 0)

    now[0] += 0.003
    scene.outbox.send_if_due()
    assert scene.told == []
    now[0] += 0.002
    scene.outbox.send_if_due()

    assert ("sent", 1, "1") in scene.told


def test_of_a_session_that_is_not_in_order_only_what_lessens_risk_leaves(scene):
    scene.outbox.hold()
    scene.outbox.submit(order("entry"), 0)
    scene.outbox.submit(order("exit", reduces=True), 0)

    scene.outbox.drop_entries("strategy_error")
    scene.outbox.release()

    assert scene.told == [
        ("refused", "entry", "strategy_error"), ("written", ["dropped entry"]),
        ("written", ["exit"]), ("sent", 1, "exit"),
    ]  # fmt: skip


# -- a record run through again ----------------------------------------------------------------


def written(verb, order_id):
    return Intent(verb, order_id, "gold", "MGC", {})


def test_a_replay_sends_nothing_and_knows_what_was_not_answered(scene):
    outbox = scene.outbox
    outbox.begin_replay([written("submit", "1"), written("cancel", "1")], lambda: 77)
    outbox.submit(order("1"), 0)
    outbox.cancel("1", "v1", "gold", "MGC")
    outbox.hear_answer("submit", "1")
    outbox.end_replay()

    assert scene.told == []
    (request,) = outbox.unanswered
    assert (request.intent.verb, request.decided_at) == ("cancel", 77)


def test_what_is_sent_again_is_not_written_again(scene):
    outbox = scene.outbox
    outbox.begin_replay([written("submit", "1")], lambda: 0)
    outbox.submit(order("1"), 0)
    outbox.end_replay()

    outbox.send_again(outbox.unanswered[0])

    assert scene.told == [("sent", 1, "1")]


def test_what_was_decided_beyond_the_record_is_written_when_it_leaves(scene):
    outbox = scene.outbox
    outbox.begin_replay([], lambda: 0)
    outbox.submit(order("1"), 0)
    outbox.submit(order("2"), 0)
    outbox.end_replay()
    first, second = outbox.unsent

    outbox.leave(first)
    outbox.drop(second)

    assert scene.told == [("written", ["1"]), ("sent", 1, "1"), ("written", ["dropped 2"])]


def test_a_dropped_order_is_asked_for_again_without_a_trace(scene):
    outbox = scene.outbox
    outbox.begin_replay([written("submit", "2"), written("dropped", "1")], lambda: 0)

    outbox.submit(order("1"), 0)
    outbox.submit(order("2"), 0)
    outbox.end_replay()

    assert [request.intent.order_id for request in outbox.unanswered] == ["2"]
    assert outbox.unsent == []


@pytest.mark.parametrize("asked", [[], ["2"]], ids=["nothing", "another order"])
def test_a_replay_that_asks_for_something_else_has_diverged(scene, asked):
    scene.outbox.begin_replay([written("submit", "1")], lambda: 0)

    with pytest.raises(Diverged, match="asked to submit 1"):
        for order_id in asked:
            scene.outbox.submit(order(order_id), 0)
        scene.outbox.end_replay()
