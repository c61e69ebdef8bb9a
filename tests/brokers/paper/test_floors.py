"""The guard's floors at a paper exchange that keeps brackets: met, told once, closed everywhere."""

from __future__ import annotations

import pytest

from core.events import FloorMet
from core.ports import BREACH_NONE, no_limits
from tests.brokers.paper.desk import Desk, bracket, fills_in, order

FLOOR = 9_900.0


def watched(desk):
    limits = no_limits()
    limits["day_floor"] = FLOOR
    desk.venue.watch(limits)
    return limits


def met_in(events):
    return [event for event in events if isinstance(event, FloorMet)]


def test_a_floor_met_at_a_price_closes_at_the_next_trade_and_is_told_once():
    desk = Desk()
    watched(desk)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 1, 1900, 2100))
    desk.price(2000.0)

    told = desk.prices(1989.0, 1988.0, 1987.0)

    assert len(met_in(told)) == 1
    assert fills_in(told) == [("", "sell", 1.0, 1988.0)]
    assert desk.positions == {} and desk.working == {}


def test_a_floor_met_by_an_order_that_fills_at_once_is_told_with_its_fill():
    desk = Desk(discrete=False)
    limits = watched(desk)
    limits["day_floor"] = 9_999.0
    desk.prices(2000.0, 2001.0, spread=1.0)

    told = desk.submit(order("1", "buy", 1))

    assert len(met_in(told)) == 1
    assert desk.positions == {}


def test_a_floor_that_the_guard_has_heard_of_may_be_met_again():
    desk = Desk()
    limits = watched(desk)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1))
    desk.prices(2000.0, 1989.0, 1988.0)
    limits["breach"], limits["locked"] = BREACH_NONE, 0
    limits["day_floor"] = 9_800.0

    desk.submit(order("2", "buy", 1))
    told = desk.prices(1988.0, 1977.0, 1976.0)

    assert len(met_in(told)) == 1
    assert desk.positions == {}


@pytest.mark.parametrize("hedging", [False, True])
def test_one_book_at_the_floor_closes_the_others(hedging):
    desk = Desk(plans={"gold": "MGC", "other": "MGC"}, hedging=hedging)
    watched(desk)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1))
    desk.submit(bracket("2", "buy", 1, 1900, 2100, plan_id="other"))
    desk.price(2000.0)

    told = desk.prices(1994.0, 1993.0, 1993.0)

    assert len(met_in(told)) == 1
    assert desk.positions == {} and desk.working == {}


def test_where_our_broker_keeps_the_brackets_it_watches_the_floors_too():
    desk = Desk(native=False)
    watched(desk)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1))

    told = desk.prices(2000.0, 1980.0, 1980.0)

    assert met_in(told) == [] and desk.positions == {"MGC": 1.0}
