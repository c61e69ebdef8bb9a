"""Children a venue keeps as orders of their own (TopstepX, paper)."""

from dataclasses import replace

from brokers.port import Brackets, Distances
from core.events import Outcome, Verb
from core.orders import OrderKind, Role
from tests.brokers.live.desk import CHILDREN, Desk, S, able

FROM_FILL = replace(CHILDREN, bracket_prices=Distances.FROM_FILL)


def test_stop_and_target_go_with_the_entry():
    desk = Desk(CHILDREN)
    _, stop, target = desk.bracket(2)

    (sent,) = desk.venue.submitted
    given = [(child.role, child.kind, child.price, child.quantity) for child in sent.children]
    assert given == [
        (Role.STOP, OrderKind.STOP, 1990.0, 2.0), (Role.TARGET, OrderKind.LIMIT, 2010.0, 2.0),
    ]  # fmt: skip
    assert [child.order_id for child in sent.children] == [desk.id_of(stop), desk.id_of(target)]
    assert sent.planned_entry == 1999.0


def test_children_are_accepted_held_and_protect_once_they_work():
    desk = Desk(CHILDREN)
    entry, stop, target = desk.bracket(2)
    desk.works(desk.id_of(entry))
    for child in (stop, target):
        desk.says(desk.id_of(child), S.HELD)
    assert desk.states(stop) == ["Submitted", "Accepted"] and not stop.active()

    desk.fills(desk.id_of(entry), 2, 1999.0)
    assert desk.plan.unprotected_since is not None
    desk.says(desk.id_of(stop), S.WORKING, quantity=2.0, price=1990.0)

    assert stop.active() and desk.plan.unprotected_since is None
    assert len(desk.venue.submitted) == 1


def test_two_targets_are_kept_by_us_where_the_venue_holds_one():
    desk = Desk(CHILDREN)

    orders = desk.enter(2, stop=1990.0, targets=((1, 2010.0, 2000.0), (1, 2030.0)))
    desk.fills(desk.id_of(orders[0]), 2, 1999.0)

    assert desk.venue.submitted[0].children == ()
    assert [order.role for order in desk.venue.submitted[1:]] == [
        Role.STOP, Role.TARGET, Role.TARGET,
    ]  # fmt: skip


def test_a_target_for_a_part_is_kept_by_us_too():
    desk = Desk(CHILDREN)

    desk.enter(2, stop=1990.0, targets=((1, 2010.0),))

    assert desk.venue.submitted[0].children == ()


def test_children_that_the_venue_leaves_behind_are_cancelled_after_every_flat():
    desk = Desk(CHILDREN)
    _, stop, target = desk.filled_bracket(2)

    desk.broker.close_plan(desk.plan, "flat_time")
    desk.fills(desk.venue.submitted[-1].order_id, 2, 2000.0)

    assert set(desk.venue.cancelled) == {desk.id_of(stop), desk.id_of(target)}


def test_a_venue_that_ends_children_itself_is_not_asked_to():
    desk = Desk(replace(CHILDREN, cancels_children_of_flat=True))
    desk.filled_bracket(2)

    desk.broker.close_plan(desk.plan, "flat_time")
    desk.fills(desk.venue.submitted[-1].order_id, 2, 2000.0)

    assert desk.venue.cancelled == []


def test_the_other_child_ends_when_the_venue_says_so_whatever_it_says_first():
    for fill_first in (True, False):
        desk = Desk(CHILDREN)
        _, stop, target = desk.filled_bracket(2)
        if fill_first:
            desk.fills(desk.id_of(target), 2, 2010.0)
        desk.says(desk.id_of(stop), S.CANCELLED)
        desk.fills(desk.id_of(target), 2, 2010.0)

        assert desk.position == 0
        assert desk.states(stop)[-1] == "Canceled"
        assert desk.states(target)[-1] == "Completed"
        assert len(desk.venue.submitted) == 1, "no stop was put back"


def test_a_childs_fill_that_overtakes_its_parents_waits_for_it():
    desk = Desk(CHILDREN)
    entry, stop, _ = desk.bracket(2)
    desk.works(desk.id_of(entry))

    desk.fills(desk.id_of(stop), 2, 1990.0)
    assert desk.position == 0 and len(desk.venue.submitted) == 1
    assert desk.broker.needs_snapshot

    desk.fills(desk.id_of(entry), 2, 1999.0)
    assert desk.position == 0
    assert desk.states(stop)[-1] == "Completed"
    assert len(desk.venue.submitted) == 1


def test_children_of_an_entry_that_ended_unfilled_end_with_it():
    desk = Desk(CHILDREN)
    entry, stop, target = desk.bracket(2)
    desk.works(desk.id_of(entry))

    desk.says(desk.id_of(entry), S.CANCELLED)

    assert desk.states(stop)[-1] == desk.states(target)[-1] == "Canceled"
    assert stop.info["reason"] == "parent_ended"
    assert desk.broker.tickets() == []


def test_a_stop_larger_than_what_a_cut_off_entry_filled_is_resized():
    desk = Desk(CHILDREN)
    entry, stop, target = desk.bracket(3)
    desk.works(desk.id_of(entry))
    desk.fills(desk.id_of(entry), 1, 1999.0)
    for child in (stop, target):
        desk.says(desk.id_of(child), S.WORKING, quantity=3.0)
    assert desk.venue.modified == [], "the rest may still fill"

    desk.says(desk.id_of(entry), S.CANCELLED, filled=1.0)

    assert [(item.order_id, item.quantity) for item in desk.venue.modified] == [
        (desk.id_of(stop), 1.0), (desk.id_of(target), 1.0),
    ]  # fmt: skip


def test_children_counted_from_the_fill_are_brought_to_their_planned_prices():
    desk = Desk(FROM_FILL)
    entry, stop, _ = desk.bracket(2)
    desk.works(desk.id_of(entry))
    desk.fills(desk.id_of(entry), 2, 1999.5)

    desk.says(desk.id_of(stop), S.WORKING, quantity=2.0, price=1990.5)

    assert [(item.order_id, item.price) for item in desk.venue.modified] == [
        (desk.id_of(stop), 1990.0)
    ]
    assert not desk.heard_hands, "the venue's own doing is no other hand"
    desk.answers(desk.id_of(stop), verb=Verb.MODIFY)
    desk.says(desk.id_of(stop), S.WORKING, quantity=2.0, price=1990.0)
    assert stop.created.price == 1990.0
    assert len(desk.venue.modified) == 1


def test_children_that_stand_where_they_were_planned_are_left_alone():
    desk = Desk(FROM_FILL)

    _, stop, target = desk.filled_bracket(2)
    for child, price in ((stop, 1990.0), (target, 2010.0)):
        desk.says(desk.id_of(child), S.WORKING, quantity=2.0, price=price)

    assert desk.venue.modified == []


def test_a_refused_move_leaves_the_stop_where_the_venue_has_it():
    desk = Desk(CHILDREN)
    _, stop, _ = desk.filled_bracket(2)
    name = desk.id_of(stop)
    desk.says(name, S.WORKING, quantity=2.0, price=1990.0)
    desk.guard.modify(stop, price=1995.0)
    assert desk.venue.modified[-1].price == 1995.0

    desk.answers(name, Outcome.REFUSED, Verb.MODIFY)
    assert stop.created.price == 1990.0
    desk.says(name, S.WORKING, quantity=2.0, price=1990.0)
    assert not desk.heard_hands

    desk.guard.modify(stop, price=1996.0)
    desk.says(name, S.WORKING, quantity=2.0, price=1996.0)
    assert stop.created.price == 1996.0
    assert not desk.heard_hands


def test_a_bracket_without_a_stop_or_target_role_of_the_venue_is_kept_by_us():
    desk = Desk(able(brackets=Brackets.CHILD_ORDERS, bracket_roles=frozenset({Role.STOP})))

    desk.bracket(2)

    assert desk.venue.submitted[0].children == ()
