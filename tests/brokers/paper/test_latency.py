"""Requests on their way to the paper exchange: the market goes on meanwhile."""

from __future__ import annotations

from core.orders import Role
from tests.brokers.paper.desk import (
    HOUR,
    Desk,
    answers_in,
    bracket,
    fills_in,
    order,
    states_in,
)

NINETY_SECONDS = {"latency_ms": 90_000.0}


def desk_with(**terms):
    desk = Desk(**(NINETY_SECONDS | terms))
    desk.price(2000.0)
    return desk


def test_an_order_meets_the_first_price_after_it_has_arrived():
    desk = desk_with()

    sent = desk.submit(bracket("1", "buy", 1, 1990, 2010))
    early, late = desk.price(2001.0), desk.price(2002.0)

    assert answers_in(sent) == [("SUBMIT", "ACCEPTED", "1", "")]
    assert states_in(sent) == [("1", "RECEIVED"), ("1.s", "HELD"), ("1.t", "HELD")]
    assert early == []
    assert states_in(late)[0] == ("1", "WORKING")
    assert fills_in(late) == [("1", "buy", 1.0, 2002.0)]


def test_without_an_answer_at_once_nothing_is_heard_until_it_has_arrived():
    desk = desk_with(answers_at_once=False)

    sent = desk.submit(order("1", "buy", 1))
    early, late = desk.price(2001.0), desk.price(2002.0)

    assert sent == [] and early == []
    assert answers_in(late) == [("SUBMIT", "ACCEPTED", "1", "")]
    assert fills_in(late) == [("1", "buy", 1.0, 2002.0)]


def test_a_refusal_takes_as_long_as_any_answer():
    desk = desk_with(answers_at_once=False)

    sent = desk.submit(order("1", "buy", 1, plan_id="none"))
    late = desk.prices(2001.0, 2002.0)

    assert sent == []
    assert [row[:3] for row in answers_in(late)] == [("SUBMIT", "REFUSED", "1")]


def test_a_fill_overtakes_a_cancel_that_is_on_its_way():
    desk = desk_with(answers_at_once=False)
    desk.submit(order("1", "buy", 1, "limit", price=1990.0))
    desk.prices(2001.0, 2002.0)

    sent = desk.cancel("1")
    filled = desk.price(1989.0)
    late = desk.price(1991.0)

    assert sent == []
    assert fills_in(filled) == [("1", "buy", 1.0, 1989.0)]
    assert answers_in(late) == [("CANCEL", "REFUSED", "1", "this order works no more")]


def test_a_stop_that_is_moved_stands_where_it_stood_until_the_change_arrives():
    desk = desk_with(latency_ms=0.0)
    desk.submit(bracket("1", "buy", 1, 1990, 2030))
    desk.price(2010.0)
    late = Desk(**NINETY_SECONDS)
    late.price(2000.0)
    late.submit(bracket("1", "buy", 1, 1990, 2030))
    late.prices(2001.0, 2010.0)

    late.modify("1.s", price=2005.0)
    early = late.price(2004.0)
    then = late.price(2004.0)

    assert fills_in(early) == []
    assert fills_in(then) == [("1.s", "sell", 1.0, 2004.0)]


def test_requests_arrive_in_the_order_they_were_sent():
    desk = desk_with()
    desk.submit(order("1", "buy", 1, "limit", price=1990.0))
    desk.modify("1", price=1980.0)
    desk.cancel("1")

    told = desk.prices(2001.0, 2002.0)

    assert states_in(told) == [("1", "WORKING"), ("1", "WORKING"), ("1", "CANCELLED")]
    assert fills_in(told + desk.price(1970.0)) == []


def test_a_snapshot_shows_an_order_that_is_on_its_way():
    desk = desk_with()
    desk.submit(order("1", "buy", 1))

    assert desk.working == {"1": ("RECEIVED", 1.0, None)}
    assert not desk.venue.is_idle


def test_what_is_on_its_way_arrives_though_its_sender_has_died(tmp_path):
    desk = Desk(tmp_path / "paper.db", **NINETY_SECONDS)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.cancel("none")

    desk.restart()
    told = desk.prices(2001.0, 2002.0)

    assert answers_in(told) == []
    assert fills_in(told) == [("1", "buy", 1.0, 2002.0)]
    assert set(desk.working) == {"1.s", "1.t"}


def test_an_exit_that_arrives_after_its_position_was_closed_is_rejected():
    desk = Desk(hedging=True, **NINETY_SECONDS)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.prices(2001.0, 2002.0)

    desk.submit(order("2", "sell", 1, role=Role.EXIT, reduces=True, position_id="P1"))
    told = desk.price(1985.0) + desk.price(1985.0)

    assert fills_in(told) == [("1.s", "sell", 1.0, 1985.0)]
    assert states_in(told)[-1] == ("2", "REJECTED")
    assert desk.positions == {} and desk.working == {}


def test_an_order_that_arrives_inside_a_replayed_bar_fills_at_the_price_that_stands_there():
    desk = Desk(discrete=False, latency_ms=1.0)
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    desk.submit(order("1", "buy", 1))

    told = desk.bar((2003.0, 2004.0, 2001.0, 2002.0))

    assert fills_in(told) == [("1", "buy", 1.0, 2003.0)]


def test_an_order_that_has_arrived_before_a_bar_begins_fills_at_its_open():
    desk = Desk(discrete=False, latency_ms=1.0)
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    desk.submit(order("1", "buy", 1, "stop", price=2004.0))
    desk.now += HOUR

    told = desk.bar((2009.0, 2010.0, 2001.0, 2002.0))

    assert fills_in(told) == [("1", "buy", 1.0, 2009.0)]
