"""A position is never long without a stop: how long it was, and how one comes back."""

import pytest

from core.events import Outcome, Verb
from core.orders import OrderKind, Role
from tests.brokers.live.desk import CHILDREN, KEPT, SELL, Desk, S

SECOND = 10**9


@pytest.mark.parametrize("table", [KEPT, CHILDREN], ids=["kept", "native"])
def test_a_stop_that_ends_unasked_is_put_back_after_a_moment(table):
    desk = Desk(table)
    _, stop, _ = desk.filled_bracket(2)
    name = desk.id_of(stop)
    desk.works(name)
    before = len(desk.venue.submitted)

    desk.says(name, S.CANCELLED)
    gone_at = desk.now
    assert desk.plan.unprotected_since == gone_at
    desk.price(2000.0, after=1)
    assert len(desk.venue.submitted) == before, "a fill that explains it may be on its way"
    desk.price(2000.0, after=1.5)

    (again,) = desk.venue.submitted[before:]
    assert (again.role, again.kind, again.side, again.quantity, again.price) == (
        Role.STOP, OrderKind.STOP, SELL, 2.0, 1990.0,
    )  # fmt: skip
    desk.works(again.order_id)
    assert desk.plan.unprotected_since is None
    assert stop.alive(), "to its strategy it is the same order"
    assert desk.states(stop)[-1] == "Accepted"


def test_a_strategy_can_go_on_moving_a_stop_that_was_put_back():
    desk = Desk()
    _, stop, _ = desk.filled_bracket(2)
    desk.says(desk.id_of(stop), S.CANCELLED)
    desk.price(2000.0, after=3)
    new = desk.venue.submitted[-1].order_id
    desk.works(new)

    desk.guard.modify(stop, price=1995.0)

    assert (desk.venue.modified[-1].order_id, desk.venue.modified[-1].price) == (new, 1995.0)


def test_a_stop_whose_end_was_told_before_the_fill_that_caused_it_is_not_put_back():
    desk = Desk(CHILDREN)
    _, stop, target = desk.filled_bracket(2)

    desk.says(desk.id_of(stop), S.CANCELLED)
    desk.price(2009.0, after=1)
    desk.fills(desk.id_of(target), 2, 2010.0)
    desk.price(2010.0, after=5)

    assert len(desk.venue.submitted) == 1
    assert desk.states(stop)[-1] == "Canceled"
    assert desk.plan.unprotected_since is None


def test_a_stop_that_cannot_be_put_back_leaves_no_position():
    desk = Desk()
    _, stop, _ = desk.filled_bracket(2)
    desk.says(desk.id_of(stop), S.CANCELLED)
    desk.price(2000.0, after=3)

    desk.answers(desk.venue.submitted[-1].order_id, Outcome.REFUSED, reason="beyond the price")

    closing = desk.venue.submitted[-1]
    assert (closing.kind, closing.quantity) == (OrderKind.MARKET, 2.0)
    desk.fills(closing.order_id, 2, 1989.0)
    assert desk.broker.ledger.trades[-1].exit_reason == "stop_refused"
    assert desk.states(stop)[-1] == "Rejected"


def test_a_stop_that_vanishes_over_and_over_is_given_up_and_the_position_closed():
    desk = Desk()
    _, stop, _ = desk.filled_bracket(2)
    for _ in range(3):
        name = desk.plan_of(stop).parts[-1].order_id
        desk.works(name)
        desk.says(name, S.CANCELLED)
        desk.price(2000.0, after=3)

    closing = desk.venue.submitted[-1]
    assert (closing.kind, closing.quantity) == (OrderKind.MARKET, 2.0)
    assert desk.states(stop)[-1] == "Canceled"


def test_a_stop_its_own_strategy_ends_is_not_put_back():
    desk = Desk()
    _, stop, _ = desk.filled_bracket(2)
    desk.guard.cancel(stop)
    desk.says(desk.id_of(stop), S.CANCELLED)
    before = len(desk.venue.submitted)

    desk.price(2000.0, after=10)

    assert desk.states(stop)[-1] == "Canceled"
    assert len(desk.venue.submitted) == before
    assert desk.broker.check_protection(desk.now, 5 * SECOND) == [desk.plan]


def test_a_position_that_needs_no_stop_is_never_unprotected():
    desk = Desk()
    (order,) = desk.enter(2)

    desk.fills(desk.id_of(order), 2, 1999.0)
    desk.price(2000.0, after=60)

    assert not desk.plan.needs_stop
    assert desk.broker.check_protection(desk.now, 0) == []


def test_what_was_added_without_a_stop_does_not_ask_for_one():
    desk = Desk()
    desk.filled_bracket(2)
    (more,) = desk.enter(1)

    desk.fills(desk.id_of(more), 1, 2001.0)

    assert desk.position == 3
    assert desk.plan.unprotected_since is None


def test_a_stop_made_too_small_by_hand_is_made_whole_again():
    desk = Desk()
    _, stop, _ = desk.filled_bracket(2)
    name = desk.id_of(stop)

    desk.says(name, S.WORKING, quantity=1.0, price=1990.0)

    assert desk.plan.unprotected_since is not None
    assert (desk.venue.modified[-1].order_id, desk.venue.modified[-1].quantity) == (name, 2.0)
    desk.answers(name, verb=Verb.MODIFY)
    desk.says(name, S.WORKING, quantity=2.0, price=1990.0)
    assert desk.plan.unprotected_since is None


def test_how_long_each_position_waited_for_its_stop_is_kept():
    desk = Desk()
    for wait in (1, 2):
        entry, stop, _ = desk.bracket(1)
        desk.fills(desk.id_of(entry), 1, 1999.0)
        desk.price(1999.0, after=wait)
        desk.works(desk.id_of(stop))
        desk.fills(desk.id_of(stop), 1, 1990.0)

    assert list(desk.broker.protected_after) == [("plan0", SECOND), ("plan0", 2 * SECOND)]
