"""Orders at the paper exchange: taken, refused, changed, cancelled, filled in part."""

from __future__ import annotations

import pytest

from core.errors import BrokerError
from core.events import Answer, Execution, OrderUpdate
from tests.brokers.paper.desk import (
    Desk,
    answers_in,
    bracket,
    fills_in,
    order,
    states_in,
    stop,
    target,
)


@pytest.fixture
def desk():
    desk = Desk()
    desk.price(2000.0)
    return desk


def test_an_order_is_answered_then_shown_then_filled_at_the_next_price(desk):
    taken = desk.submit(bracket("1", "buy", 2, 1990, 2010))
    filled = desk.price(2001.0)

    assert [type(event) for event in taken] == [Answer, *[OrderUpdate] * 3]
    assert states_in(taken) == [("1", "WORKING"), ("1.s", "HELD"), ("1.t", "HELD")]
    assert fills_in(filled) == [("1", "buy", 2.0, 2001.0)]
    assert ("1.s", "WORKING") in states_in(filled) and ("1.t", "WORKING") in states_in(filled)


def test_a_stop_that_trades_through_fills_at_the_first_price_beyond_it_and_ends_the_target(desk):
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.price(2001.0)

    events = desk.price(1987.5)

    assert fills_in(events) == [("1.s", "sell", 1.0, 1987.5)]
    assert ("1.t", "CANCELLED") in states_in(events)
    assert desk.working == {} and desk.positions == {}


def test_of_two_targets_the_first_moves_the_stop_and_shrinks_it(desk):
    children = (stop("1.s", 1990, 2), target("1.a", 2010, 1, stop_to=2001.0), target("1.b", 2030))
    desk.submit(order("1", "buy", 2, children=children))
    desk.prices(2001.0, 2010.0)

    assert desk.working == {"1.s": ("WORKING", 1.0, 2001.0), "1.b": ("WORKING", 1.0, 2030.0)}


@pytest.mark.parametrize("again", ["1", "1.s"])
def test_an_id_is_used_once_and_never_again(desk, again):
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.prices(2001.0, 2011.0)

    told = desk.submit(order(again, "buy", 5))
    desk.price(2012.0)

    assert answers_in(told) == [("SUBMIT", "REFUSED", again, "this id was used")]
    assert desk.positions == {} and len(desk.venue.ledger.orders()) == 3


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (order("1", "buy", 1, plan_id="golt"), "plan 'golt' has no book here; did you mean 'gold'"),
        (order("1", "buy", 1, symbol="GC"), "plan gold trades MGC here, not GC"),
        (order("1", "buy", 0.5), "quantity 0.5 is below the lot of 1"),
        (order("1", "buy", 1, "stop_limit"), "a stop-limit order needs a price"),
        (order("", "buy", 1), "each order of a group needs an id of its own"),
        (order("1", "buy", 1, children=(stop("1", 1990),)), "each order of a group needs an id"),
    ],
)
def test_what_cannot_be_an_order_is_refused_with_the_reason(desk, wanted, why):
    ((_, outcome, _, reason),) = answers_in(desk.submit(wanted))

    assert outcome == "REFUSED" and why in reason
    assert desk.venue.ledger.orders() == []


def test_a_change_is_told_with_a_version_that_grows(desk):
    first = desk.submit(order("1", "buy", 2, "limit", price=1995.0))
    second = desk.modify("1", price=1996.0, quantity=3.0)

    (before,) = [event for event in first if isinstance(event, OrderUpdate)]
    (after,) = [event for event in second if isinstance(event, OrderUpdate)]
    assert (after.price, after.quantity) == (1996.0, 3.0)
    assert after.version > before.version
    assert fills_in(desk.price(1995.5)) == [("1", "buy", 3.0, 1995.5)]


def test_a_snapshot_tells_the_same_version_as_the_stream(desk):
    desk.submit(order("1", "buy", 2, "limit", price=1995.0))
    told = desk.modify("1", price=1996.0)[-1]

    (one,), (other,) = desk.snapshot().orders, desk.snapshot().orders

    assert one.version == other.version == told.version


@pytest.mark.parametrize("ask", ["cancel", "modify"])
def test_an_order_that_has_ended_is_neither_cancelled_nor_changed(desk, ask):
    desk.submit(order("1", "buy", 1))
    desk.price(2001.0)

    told = desk.cancel("1") if ask == "cancel" else desk.modify("1", price=1.0)

    assert answers_in(told) == [(ask.upper(), "REFUSED", "1", "this order works no more")]


def test_a_quantity_that_is_filled_already_cannot_be_asked_for():
    desk = Desk(volume_share=0.5)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 5, "limit", price=2000.0))
    desk.price(2000.0, volume=4.0)

    ((_, outcome, _, reason),) = answers_in(desk.modify("1", quantity=2.0))

    assert outcome == "REFUSED"
    assert reason == "quantity 2 is not above the 2 that are filled"


def test_a_cancelled_entry_takes_its_children_along(desk):
    held = (stop("1.s", 1980), target("1.t", 2010))
    desk.submit(order("1", "buy", 1, "limit", price=1990.0, children=held))

    told = desk.cancel("1")

    assert answers_in(told) == [("CANCEL", "ACCEPTED", "1", "")]
    assert states_in(told) == [("1", "CANCELLED"), ("1.s", "CANCELLED"), ("1.t", "CANCELLED")]
    assert desk.working == {}


def test_an_order_is_filled_by_its_share_of_each_trade():
    desk = Desk(volume_share=0.5)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 5, 1990, 2010))

    told = [desk.price(2000.0, volume=volume) for volume in (4.0, 1.0, 2.0, 50.0)]

    assert [fills_in(events) for events in told] == [
        [("1", "buy", 2.0, 2000.0)], [], [("1", "buy", 1.0, 2000.0)], [("1", "buy", 2.0, 2000.0)],
    ]  # fmt: skip
    filled = [e.filled for events in told for e in events
              if isinstance(e, OrderUpdate) and e.order_id == "1"]  # fmt: skip
    assert filled == [2.0, 3.0, 5.0]
    assert desk.working["1.s"] == ("WORKING", 5.0, 1990.0)


def test_the_stop_of_an_entry_filled_in_part_covers_what_is_open():
    desk = Desk(volume_share=0.5)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 5, 1990, 2010))
    desk.price(2000.0, volume=4.0)

    assert desk.working["1"] == ("WORKING", 5.0, None)
    assert desk.working["1.s"] == ("WORKING", 2.0, 1990.0)


@pytest.mark.parametrize("terms", [{"volume_share": 0.1, "discrete": False}, {"volume_share": 2}])
def test_shares_of_volume_need_prices_that_tell_a_volume(terms):
    with pytest.raises(BrokerError, match=r"volume_share=.* on paper: expected 0 < volume_share"):
        Desk(**terms)


def test_on_a_path_what_can_trade_at_the_present_price_does_so_at_once():
    desk = Desk(discrete=False)
    desk.prices(2000.0, 2002.0)

    told = desk.submit(bracket("1", "buy", 1, 1990, 2010))

    assert fills_in(told) == [("1", "buy", 1.0, 2002.0)]


def test_a_day_order_ends_with_its_day():
    from core.orders import TimeInForce

    desk = Desk()
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1, "limit", price=1900.0, time_in_force=TimeInForce.DAY))

    told = desk.price(2000.0, after=25 * 60 * 60_000_000_000)

    assert ("1", "EXPIRED") in states_in(told)


def test_closing_a_position_leaves_entries_at_work(desk):
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.price(2000.0)
    desk.submit(order("2", "buy", 1, "limit", price=1980.0))

    told = desk.close() + desk.price(2001.0)

    assert answers_in(told) == [("CLOSE", "ACCEPTED", "", "")]
    (fill,) = [event for event in told if isinstance(event, Execution)]
    assert (fill.order_id, fill.quantity, fill.price, fill.reason) == ("", 1.0, 2001.0, "flatten")
    assert list(desk.working) == ["2"]


def test_there_is_nothing_to_close_where_nothing_is_held(desk):
    assert answers_in(desk.close()) == [("CLOSE", "REFUSED", "", "no position in MGC")]
