"""What a process had sent when it died: never sent again under its id, never left unprotected."""

from __future__ import annotations

import pytest

from core.events import OrderStatus as S
from core.events import Outcome, Verb
from core.orders import OrderKind, Role
from tests.brokers.live.desk import KEPT, Desk, able


def dead_with_a_stop_out(table=KEPT):
    """Return a desk whose process died with a stop on its way, and that stop's id."""
    desk = Desk(table)
    entry, stop, target = desk.bracket(2)
    desk.works(desk.id_of(entry))
    desk.fills(desk.id_of(entry), 2, 1999.0)
    desk.works(desk.id_of(target))
    desk.broker.note_restart()
    return desk, desk.id_of(stop), desk.id_of(target)


def test_a_stop_that_the_books_lack_gets_a_successor_at_once():
    desk, stop, target = dead_with_a_stop_out()
    before = len(desk.venue.submitted)

    desk.snapshot(orders=desk.listed(target), after=1)

    (again,) = desk.venue.submitted[before:]
    assert (again.role, again.kind, again.price) == (Role.STOP, OrderKind.STOP, 1990.0)
    assert again.order_id not in (stop, target)


def test_should_the_first_arrive_all_the_same_it_is_ended():
    desk, stop, target = dead_with_a_stop_out()
    desk.snapshot(orders=desk.listed(target), after=1)
    again = desk.venue.submitted[-1].order_id
    desk.works(again)

    desk.works(stop)

    assert desk.venue.cancelled == [stop]
    desk.says(stop, S.CANCELLED)
    assert desk.plan.unprotected_since is None


def test_a_stop_that_the_books_show_needs_none():
    desk, stop, target = dead_with_a_stop_out()
    before = len(desk.venue.submitted)

    desk.snapshot(orders=desk.listed(stop, target), after=1)

    assert desk.venue.submitted[before:] == []
    assert desk.plan.unprotected_since is None


def test_an_entry_that_the_books_lack_is_waited_for_and_then_given_up():
    desk = Desk(KEPT)
    (entry,) = desk.enter(2)
    desk.broker.note_restart()

    desk.snapshot(after=1)
    desk.snapshot(after=1)
    early = desk.states(entry)[-1]
    desk.snapshot(after=11)
    desk.snapshot(after=1)

    assert (early, desk.states(entry)[-1]) == ("Submitted", "Rejected")
    assert len(desk.venue.submitted) == 1


def test_a_cancel_that_finds_no_order_is_no_sign_of_its_life():
    desk = Desk(KEPT)
    (entry,) = desk.enter(2)
    desk.broker.note_restart()
    desk.guard.cancel(entry)

    for _ in range(2):
        desk.snapshot(after=11)
        desk.answers(desk.id_of(entry), Outcome.REFUSED, Verb.CANCEL, "there is no such order")

    assert desk.states(entry)[-1] == "Rejected"


@pytest.mark.parametrize("at_once", [True, False])
def test_where_what_was_sent_is_there_at_once_recovery_sends_it_again_itself(at_once):
    desk, _, target = dead_with_a_stop_out(able(takes_at_once=at_once))
    before = len(desk.venue.submitted)

    desk.snapshot(orders=desk.listed(target), after=1)

    assert len(desk.venue.submitted[before:]) == (0 if at_once else 1)
