"""What a process had sent when it died: never sent again under its id, never left unprotected."""

from __future__ import annotations

import pytest

from brokers.reconcile import PositionDiffers
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


def test_what_never_arrived_holds_up_no_end():
    desk, stop, target = dead_with_a_stop_out()
    desk.snapshot(orders=desk.listed(target), after=1)
    again = desk.venue.submitted[-1].order_id
    desk.works(again)
    for _ in range(2):
        desk.snapshot(orders=desk.listed(target, again), after=11)

    desk.fills(target, 2, 2010.0)
    desk.says(again, S.CANCELLED)

    assert desk.broker.tickets() == []
    assert stop not in desk.venue.cancelled


def test_a_stop_that_the_books_show_needs_none():
    desk, stop, target = dead_with_a_stop_out()
    before = len(desk.venue.submitted)

    desk.snapshot(orders=desk.listed(stop, target), after=1)

    assert desk.venue.submitted[before:] == []
    assert desk.plan.unprotected_since is None


def dead_with_an_exit_out():
    """Return a desk whose process died when all was to be flat, and the exit on its way."""
    desk = Desk(KEPT)
    _, stop, target = desk.filled_bracket(2)
    desk.broker.flatten_plan(desk.plan, "session_end")
    for child in (stop, target):
        desk.says(desk.id_of(child), S.CANCELLED)
    desk.broker.note_restart()
    return desk, desk.venue.submitted[-1]


def test_an_exit_of_ours_that_the_books_lack_gets_a_successor_at_once():
    desk, first = dead_with_an_exit_out()

    desk.snapshot(after=1)

    again = desk.venue.submitted[-1]
    assert (again.role, again.kind, again.quantity) == (Role.EXIT, OrderKind.MARKET, 2.0)
    assert again.order_id != first.order_id
    desk.fills(again.order_id, 2, 1998.0)
    assert desk.position == 0


def test_should_both_fill_what_that_opens_is_closed():
    desk, first = dead_with_an_exit_out()
    desk.snapshot(after=1)
    desk.fills(desk.venue.submitted[-1].order_id, 2, 1998.0)

    desk.fills(first.order_id, 2, 1998.0)

    again = desk.venue.submitted[-1]
    assert desk.position == -2
    assert (int(again.side), again.quantity) == (1, 2.0)
    desk.fills(again.order_id, 2, 1998.5)
    assert desk.position == 0


def test_an_exit_that_the_books_show_needs_none():
    desk, first = dead_with_an_exit_out()
    before = len(desk.venue.submitted)

    desk.snapshot(orders=desk.listed(first.order_id), after=1)

    assert len(desk.venue.submitted) == before


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


def test_the_books_are_asked_for_until_the_fate_of_what_a_dead_process_sent_is_known():
    desk = Desk(KEPT)
    desk.enter(2)
    alive = desk.broker.needs_snapshot
    desk.broker.note_restart()
    desk.snapshot(after=1)
    dead = desk.broker.needs_snapshot

    for _ in range(2):
        desk.snapshot(after=11)

    assert (alive, dead, desk.broker.needs_snapshot) == (False, True, False)


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


@pytest.mark.parametrize("theirs", [0.0, -2.0], ids=["flat", "turned round"])
def test_what_the_venue_does_not_hold_after_a_restart_is_neither_closed_nor_covered(theirs):
    desk = Desk(KEPT)
    desk.filled_bracket(2)
    desk.broker.note_restart()
    before = len(desk.venue.submitted)

    desk.snapshot(position=theirs, after=3600)
    close = desk.guard.sell(None, desk.feeds[0], 2)
    found = desk.snapshot(position=theirs, after=1)
    desk.price(2000.0, after=60)

    assert PositionDiffers(2.0, theirs, symbol="MGC") in found
    assert (close.getstatusname(), close.info.reason) == ("Rejected", "not_at_venue")
    assert desk.venue.submitted[before:] == []


def test_that_something_sent_before_may_explain_it_closes_nothing_either():
    desk, _, target = dead_with_a_stop_out()
    before = len(desk.venue.submitted)

    found = desk.snapshot(orders=desk.listed(target), position=0.0, after=1)
    close = desk.guard.sell(None, desk.feeds[0], 2)

    assert not [item for item in found if isinstance(item, PositionDiffers)]
    assert desk.broker.settling.unexplained == {"MGC"}
    assert (close.info.reason, desk.venue.submitted[before:]) == ("not_at_venue", [])

    for _ in range(2):
        found = desk.snapshot(orders=desk.listed(target), position=0.0, after=11)
    found = desk.snapshot(orders=desk.listed(target), position=0.0, after=1)

    assert PositionDiffers(2.0, 0.0, symbol="MGC") in found
    assert not desk.broker.settling.unexplained
    assert desk.venue.submitted[before:] == []
