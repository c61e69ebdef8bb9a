"""What leaves a session: written first, what was decided together in one commit, in its order."""

from types import SimpleNamespace

import pytest

from brokers.port import VenueOrder
from core.errors import TolaError
from core.orders import OrderKind, Role, Side
from live import outbox as outbox_module
from live.outbox import LiveOutbox


class Book:
    """A journal that notes each commit; `fails` makes it refuse."""

    def __init__(self, told):
        self.told, self.fails, self.is_behind = told, False, False

    def _commit(self, intents):
        self.told.append(("written", [item.order_id for item in intents]))
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
    ]


def test_an_exit_does_not_wait_for_an_entry_where_the_journal_is_behind(scene):
    scene.book.fails = scene.book.is_behind = True
    scene.outbox.hold()
    scene.outbox.submit(order("exit", reduces=True), 0)
    scene.outbox.submit(order("entry"), 0)

    scene.outbox.release()

    assert [what for what, *_ in scene.told] == ["written", "sent", "written", "refused"]


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
        ("refused", "entry", "strategy_error"), ("written", ["exit"]), ("sent", 1, "exit"),
    ]  # fmt: skip
