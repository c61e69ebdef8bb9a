"""A position is closed once: its stop, our own exit and its strategy's close may cross."""

from __future__ import annotations

import pytest

from core.events import Outcome, Verb
from core.orders import OrderKind, Role
from tests.brokers.live.desk import KEPT, Desk

SECOND = 10**9


def refused_stop():
    """Return a desk whose stop was refused, so that an exit of ours is on its way."""
    desk = Desk(KEPT)
    entry, stop, _ = desk.bracket(2)
    desk.works(desk.id_of(entry))
    desk.fills(desk.id_of(entry), 2, 1999.0)
    desk.answers(desk.id_of(stop), Outcome.REFUSED, reason="the trigger has passed")
    return desk, desk.venue.submitted[-1]


def test_a_close_is_refused_while_an_exit_of_ours_is_on_its_way():
    desk, exit_of_ours = refused_stop()
    before = len(desk.venue.submitted)

    close = desk.guard.sell(None, desk.feeds[0], 2)

    assert (exit_of_ours.role, exit_of_ours.kind) == (Role.EXIT, OrderKind.MARKET)
    assert desk.states(close)[-1] == "Rejected"
    assert close.info.reason == "being_closed"
    assert len(desk.venue.submitted) == before
    desk.fills(exit_of_ours.order_id, 2, 1989.0)
    assert desk.position == 0


def test_what_an_exit_of_ours_leaves_open_may_be_closed():
    desk, exit_of_ours = refused_stop()
    desk.fills(exit_of_ours.order_id, 2, 1989.0)
    desk.enter(3, price=None)
    desk.fills(desk.venue.submitted[-1].order_id, 3, 1990.0)

    close = desk.guard.sell(None, desk.feeds[0], 3)

    assert desk.states(close)[-1] == "Submitted"


def test_a_turn_is_sent_though_an_exit_of_ours_is_on_its_way():
    desk, _ = refused_stop()

    turn = desk.guard.sell(None, desk.feeds[0], 4)

    assert desk.states(turn)[-1] == "Submitted"


def test_a_close_is_ended_when_the_stop_was_faster():
    desk = Desk(KEPT)
    _, stop, _ = desk.filled_bracket(2)
    close = desk.guard.sell(None, desk.feeds[0], 2)
    desk.works(desk.id_of(close))

    desk.fills(desk.id_of(stop), 2, 1990.0)

    assert desk.id_of(close) in desk.venue.cancelled


def test_what_such_a_close_fills_all_the_same_is_closed_again():
    desk = Desk(KEPT)
    _, stop, _ = desk.filled_bracket(2)
    close = desk.guard.sell(None, desk.feeds[0], 2)
    desk.works(desk.id_of(close))
    desk.fills(desk.id_of(stop), 2, 1990.0)

    desk.fills(desk.id_of(close), 2, 1989.0)

    again = desk.venue.submitted[-1]
    assert desk.position == -2
    assert (int(again.side), again.quantity, again.kind) == (1, 2, OrderKind.MARKET)
    desk.fills(again.order_id, 2, 1989.5)
    assert desk.position == 0


def test_a_reversal_that_fills_before_the_close_it_goes_with_stands():
    desk = Desk(KEPT)
    desk.enter(2, price=None)
    desk.fills(desk.venue.submitted[-1].order_id, 2, 1999.0)
    close, turn = (desk.guard.sell(None, desk.feeds[0], 2) for _ in range(2))

    desk.fills(desk.id_of(turn), 2, 1999.0)
    desk.fills(desk.id_of(close), 2, 1999.0)

    assert desk.position == -2
    assert len(desk.venue.submitted) == 3


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
def test_to_be_flat_a_cancel_that_was_not_done_is_asked_for_again(outcome):
    desk = Desk(KEPT)
    (entry,) = desk.enter(2)
    desk.works(desk.id_of(entry))
    desk.guard.cancel(entry)
    desk.broker.flatten_plan(desk.plan, "session_end")
    once = list(desk.venue.cancelled)
    desk.answers(desk.id_of(entry), outcome, Verb.CANCEL, "no answer came")

    desk.broker.flatten_plan(desk.plan, "session_end")

    assert (once, desk.venue.cancelled) == ([desk.id_of(entry)], [desk.id_of(entry)] * 2)


@pytest.mark.parametrize(
    ("theirs", "sent"), [(-2.0, []), (0.0, []), (1.0, [1.0]), (5.0, [2.0])],
    ids=["turned round", "flat", "half of it", "more than ours"],
)  # fmt: skip
def test_what_the_venue_says_not_to_hold_is_not_closed(theirs, sent):
    desk = Desk(KEPT)
    desk.enter(2, price=None)
    desk.fills(desk.venue.submitted[-1].order_id, 2, 1999.0)
    before = len(desk.venue.submitted)
    desk.snapshot(position=theirs)
    desk.snapshot(position=theirs, after=5.0)

    desk.broker.flatten_plan(desk.plan, "unprotected")

    assert [order.quantity for order in desk.venue.submitted[before:]] == sent


def test_once_the_books_agree_again_all_of_it_is_closed():
    desk = Desk(KEPT)
    desk.enter(2, price=None)
    desk.fills(desk.venue.submitted[-1].order_id, 2, 1999.0)
    desk.snapshot(position=0.0)
    desk.snapshot(position=0.0, after=5.0)
    desk.snapshot(after=5.0)

    desk.broker.flatten_plan(desk.plan, "unprotected")

    assert desk.venue.submitted[-1].quantity == 2.0
