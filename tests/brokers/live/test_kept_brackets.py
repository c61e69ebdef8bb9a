"""Stops and targets that are orders of ours: the venue keeps none for an entry (Kite, mStock)."""

import pytest

from core.events import Outcome, Verb
from core.orders import OrderKind, Role, TimeInForce
from tests.brokers.live.desk import BUY, SELL, Desk, S, able

TWO_LEGS = ((1, 2010.0, 2000.0), (1, 2030.0))
"""Half off at 2010 with the stop to 2000, the rest at 2030."""


def sent(desk):
    return [(order.role.name, order.quantity, order.price) for order in desk.venue.submitted]


def test_the_stop_is_placed_the_instant_the_entry_fills():
    desk = Desk()
    entry, stop, target = desk.bracket(2)
    desk.works(desk.id_of(entry))
    assert [order.role for order in desk.venue.submitted] == [Role.ENTRY]

    desk.fills(desk.id_of(entry), 2, 1999.0)

    _, stopping, taking = desk.venue.submitted
    assert (stopping.kind, stopping.side, stopping.quantity, stopping.price) == (
        OrderKind.STOP, SELL, 2.0, 1990.0,
    )  # fmt: skip
    assert (taking.kind, taking.quantity, taking.price) == (OrderKind.LIMIT, 2.0, 2010.0)
    assert stopping.reduces and taking.reduces
    assert desk.states(stop) == desk.states(target) == ["Submitted"]

    desk.works(desk.id_of(stop))
    assert desk.states(stop) == ["Submitted", "Accepted"]


def test_a_position_counts_as_unprotected_until_the_venue_has_its_stop():
    desk = Desk()
    entry, stop, _ = desk.bracket(2)
    desk.fills(desk.id_of(entry), 2, 1999.0)
    filled_at = desk.now
    assert desk.plan.unprotected_since == filled_at

    desk.price(1999.0, after=3)
    assert desk.broker.check_protection(desk.now, 5 * 10**9) == []
    desk.price(1999.0, after=3)
    assert desk.broker.check_protection(desk.now, 5 * 10**9) == [desk.plan]

    desk.works(desk.id_of(stop))
    assert desk.broker.check_protection(desk.now, 0) == []
    assert list(desk.broker.protected_after) == [("plan0", 6 * 10**9)]


def test_the_stop_grows_with_each_partial_fill_of_the_entry():
    desk = Desk()
    entry, stop, target = desk.bracket(3)
    name = desk.id_of(entry)
    desk.works(name)
    desk.fills(name, 1, 1999.0)
    assert sent(desk)[1:] == [("STOP", 1.0, 1990.0), ("TARGET", 1.0, 2010.0)]
    desk.works(desk.id_of(stop))
    desk.works(desk.id_of(target))

    desk.fills(name, 2, 1998.9)

    assert [(item.order_id, item.quantity) for item in desk.venue.modified] == [
        (desk.id_of(stop), 3.0), (desk.id_of(target), 3.0),
    ]  # fmt: skip
    assert desk.plan.unprotected_since is not None, "until the venue has resized it"
    desk.says(desk.id_of(stop), S.WORKING, quantity=3.0, price=1990.0)
    assert desk.plan.unprotected_since is None


def test_a_resize_the_venue_refused_is_asked_for_again():
    desk = Desk()
    entry, stop, target = desk.bracket(2)
    name = desk.id_of(entry)
    desk.fills(name, 1, 1999.0)
    desk.works(desk.id_of(stop))
    desk.works(desk.id_of(target))
    desk.fills(name, 1, 1998.9)
    asked = len(desk.venue.modified)

    desk.answers(desk.id_of(stop), Outcome.REFUSED, Verb.MODIFY, "pending")
    desk.price(1999.0, after=4)
    assert len(desk.venue.modified) == asked, "not at once, over and over"
    desk.price(1999.0, after=2)

    again = [item for item in desk.venue.modified[asked:] if item.order_id == desk.id_of(stop)]
    assert [item.quantity for item in again] == [2.0]


def test_a_filled_target_makes_the_stop_smaller_and_moves_it():
    desk = Desk()
    _, stop, first, second = legs(desk)

    desk.fills(desk.id_of(first), 1, 2010.0)

    (change,) = desk.venue.modified
    assert (change.order_id, change.price, change.quantity) == (desk.id_of(stop), 2000.0, 1.0)
    assert desk.position == 1
    assert not second.executed.size


def legs(desk):
    orders = desk.enter(2, stop=1990.0, targets=TWO_LEGS)
    desk.fills(desk.id_of(orders[0]), 2, 1999.0)
    for child in orders[1:]:
        desk.works(desk.id_of(child))
    return orders


def test_the_last_target_ends_the_stop():
    desk = Desk()
    _, stop, first, second = legs(desk)
    desk.fills(desk.id_of(first), 1, 2010.0)
    desk.says(desk.id_of(stop), S.WORKING, quantity=1.0, price=2000.0)

    desk.fills(desk.id_of(second), 1, 2030.0)

    assert desk.position == 0
    assert desk.venue.cancelled == [desk.id_of(stop)]
    desk.says(desk.id_of(stop), S.CANCELLED)
    assert desk.states(stop)[-1] == "Canceled"
    assert stop.info["reason"] == "position_closed"
    assert desk.broker.tickets() == []


def test_a_stop_never_moves_back_where_a_target_would_take_it():
    desk = Desk()
    _, stop, first, _ = legs(desk)
    desk.guard.modify(stop, price=2005.0)
    desk.answers(desk.id_of(stop), verb=Verb.MODIFY)
    desk.says(desk.id_of(stop), S.WORKING, quantity=2.0, price=2005.0)

    desk.fills(desk.id_of(first), 1, 2010.0)

    assert [item.price for item in desk.venue.modified] == [2005.0, None]


def test_stop_and_target_both_filled_leave_what_is_flattened():
    desk = Desk()
    _, stop, target = desk.filled_bracket(2)
    desk.fills(desk.id_of(stop), 2, 1990.0)
    assert desk.position == 0 and desk.venue.cancelled == [desk.id_of(target)]

    desk.fills(desk.id_of(target), 2, 2010.0)

    assert desk.position == -2
    closing = desk.venue.submitted[-1]
    assert (closing.side, closing.quantity, closing.reduces) == (BUY, 2.0, True)
    desk.fills(closing.order_id, 2, 2009.0)
    assert desk.position == 0
    assert desk.broker.ledger.trades[-1].exit_reason == "overfill"


def test_a_stop_the_venue_refuses_leaves_no_position():
    desk = Desk()
    entry, stop, _ = desk.bracket(2)
    desk.fills(desk.id_of(entry), 2, 1999.0)

    desk.answers(desk.id_of(stop), Outcome.REFUSED, reason="trigger beyond the price")

    assert desk.states(stop)[-1] == "Rejected"
    closing = desk.venue.submitted[-1]
    assert (closing.kind, closing.side, closing.quantity) == (OrderKind.MARKET, SELL, 2.0)
    desk.fills(closing.order_id, 2, 1989.0)
    assert desk.broker.ledger.trades[-1].exit_reason == "stop_refused"


def test_an_entry_cut_off_keeps_a_stop_for_what_it_filled():
    desk = Desk()
    entry, stop, target = desk.bracket(3)
    name = desk.id_of(entry)
    desk.works(name)
    desk.fills(name, 1, 1999.0)

    desk.says(name, S.CANCELLED, filled=1.0)

    assert desk.states(entry)[-1] == "Canceled"
    assert sent(desk)[1:] == [("STOP", 1.0, 1990.0), ("TARGET", 1.0, 2010.0)]
    assert stop.alive() and target.alive()


def test_an_entry_whose_part_was_stopped_out_does_not_go_on_filling():
    desk = Desk()
    entry, stop, _ = desk.bracket(3)
    name = desk.id_of(entry)
    desk.works(name)
    desk.fills(name, 1, 1999.0)
    desk.works(desk.id_of(stop))

    desk.fills(desk.id_of(stop), 1, 1990.0)

    assert name in desk.venue.cancelled


def test_the_oldest_bracket_shrinks_first_when_a_part_is_closed():
    desk = Desk()
    _, first_stop, _ = desk.filled_bracket(2)
    _, second_stop, _ = desk.filled_bracket(2)

    desk.broker.close_plan(desk.plan, "by_hand", share=0.75)
    closing = desk.venue.submitted[-1]
    desk.fills(closing.order_id, 3, 2000.0)

    assert closing.quantity == 3.0
    assert desk.id_of(first_stop) in desk.venue.cancelled
    resized = [(item.order_id, item.quantity) for item in desk.venue.modified]
    assert (desk.id_of(second_stop), 1.0) in resized


@pytest.mark.parametrize(
    ("asked", "takes", "is_sent"),
    [
        (TimeInForce.GTC, {TimeInForce.DAY, TimeInForce.IOC}, TimeInForce.DAY),
        (TimeInForce.GTC, {TimeInForce.GTC}, TimeInForce.GTC),
        (TimeInForce.DAY, {TimeInForce.GTC}, TimeInForce.GTC),
    ],
)
def test_a_time_in_force_the_venue_lacks_has_a_stand_in(asked, takes, is_sent):
    desk = Desk(able(times_in_force=frozenset(takes)))

    desk.enter(1, day_only=asked is TimeInForce.DAY)

    assert desk.venue.submitted[0].time_in_force is is_sent


def test_a_day_order_cancelled_at_the_close_unasked_has_expired():
    """Kite, Upstox and mStock have no word for expired."""
    desk = Desk(able(times_in_force=frozenset({TimeInForce.DAY})))
    (order,) = desk.enter(1)
    name = desk.id_of(order)
    desk.works(name)
    desk.price(2000.0, after=6 * 3600)

    desk.says(name, S.CANCELLED)

    assert desk.states(order)[-1] == "Expired"


def test_a_kind_the_venue_lacks_is_refused_never_approximated():
    desk = Desk(able(order_kinds=frozenset({OrderKind.MARKET, OrderKind.LIMIT})))

    orders = desk.bracket(1)

    assert [desk.states(order)[-1] for order in orders] == ["Rejected"] * 3
    assert orders[0].info["reason"] == "unsupported_order_type"
    assert desk.venue.submitted == []
