"""How a paper account keeps positions: the net of a symbol, or each entry by itself."""

from __future__ import annotations

import pytest

from core.orders import Role
from tests.brokers.paper.desk import (
    Desk,
    answers_in,
    bracket,
    fills_in,
    order,
    positions_in,
    states_in,
)

BOTH = {"gold": "MGC", "other": "MGC"}


@pytest.fixture
def hedging():
    desk = Desk(hedging=True)
    desk.price(2000.0)
    return desk


def test_a_netting_account_shows_the_net_of_its_plans():
    desk = Desk(plans=BOTH)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 3))
    desk.submit(order("2", "sell", 1, plan_id="other"))

    told = desk.price(2001.0)

    assert desk.positions == {"MGC": 2.0}
    assert positions_in(told)[-1] == ("MGC", 2.0)


def test_plans_of_a_netting_account_keep_stops_of_their_own():
    desk = Desk(plans=BOTH)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 2, 1990, 2030))
    desk.submit(bracket("2", "sell", 1, 1970, 2010, plan_id="other"))
    desk.price(2000.0)

    told = desk.price(2010.0)

    assert fills_in(told) == [("2.s", "buy", 1.0, 2010.0)]
    assert desk.positions == {"MGC": 2.0}
    assert set(desk.working) == {"1.s", "1.t"}


def test_a_stop_made_smaller_by_another_entry_ends_with_the_price_that_fills_both():
    desk = Desk(discrete=False)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 3, 1990, 2030))
    desk.submit(order("2", "sell", 1, "stop", price=1995.0))

    told = desk.price(1980.0)

    assert fills_in(told)[-2:] == [("2", "sell", 1.0, 1995.0), ("1.s", "sell", 2.0, 1990.0)]
    assert (desk.positions, desk.working) == ({}, {})


def test_the_average_of_a_net_is_that_of_the_side_that_is_left():
    desk = Desk(plans=BOTH)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 3))
    desk.price(2000.0)
    desk.submit(order("2", "buy", 1, plan_id="other"))
    desk.price(2008.0)

    (position,) = desk.snapshot().positions

    assert (position.quantity, position.average_price) == (4.0, 2002.0)


def test_on_a_hedging_account_each_entry_is_a_position_with_an_id(hedging):
    hedging.submit(order("1", "buy", 1))
    hedging.submit(order("2", "sell", 2))

    told = hedging.price(2001.0)

    assert hedging.positions == {"P1": 1.0, "P2": -2.0}
    assert positions_in(told) == [("P1", 1.0), ("P2", -2.0)]
    by_id = {item.position_id: item.quantity for item in hedging.snapshot().executions}
    assert by_id == {"P1": 1.0, "P2": 2.0}


def test_a_hedging_position_is_closed_by_its_id_and_the_other_stays(hedging):
    hedging.submit(bracket("1", "buy", 1, 1990, 2010))
    hedging.submit(bracket("2", "sell", 2, 1980, 2020))
    hedging.price(2001.0)

    told = hedging.close("MGC", "P1") + hedging.price(2002.0)

    assert answers_in(told) == [("CLOSE", "ACCEPTED", "", "")]
    assert fills_in(told) == [("", "sell", 1.0, 2002.0)]
    assert ("P1", 0.0) in positions_in(told)
    assert hedging.positions == {"P4": -2.0}
    assert set(hedging.working) == {"2.s", "2.t"}


def test_an_exit_that_names_its_position_reduces_it(hedging):
    hedging.submit(bracket("1", "buy", 3, 1990, 2010))
    hedging.price(2001.0)

    hedging.submit(order("2", "sell", 2, role=Role.EXIT, reduces=True, position_id="P1"))
    hedging.price(2003.0)

    assert hedging.positions == {"P1": 1.0}
    assert hedging.working["1.s"] == ("WORKING", 1.0, 1990.0)


@pytest.mark.parametrize(
    ("position_id", "why"),
    [("", "it may only reduce, and names no position: give position_id"),
     ("P9", "position P9 is not open")],
)  # fmt: skip
def test_an_exit_without_its_position_is_refused_on_a_hedging_account(hedging, position_id, why):
    hedging.submit(order("1", "buy", 1))
    hedging.price(2001.0)

    told = hedging.submit(order("2", "sell", 1, reduces=True, position_id=position_id))

    assert answers_in(told) == [("SUBMIT", "REFUSED", "2", why)]
    assert hedging.positions == {"P1": 1.0}


def test_the_stop_of_one_hedging_position_leaves_the_other_alone(hedging):
    hedging.submit(bracket("1", "buy", 1, 1990, 2010))
    hedging.submit(bracket("2", "buy", 1, 1980, 2010))
    hedging.price(2000.0)

    told = hedging.price(1989.0)

    assert fills_in(told) == [("1.s", "sell", 1.0, 1989.0)]
    assert hedging.positions == {"P4": 1.0}
    assert set(hedging.working) == {"2.s", "2.t"}


def test_of_two_entries_of_which_one_cancels_the_other_only_one_becomes_a_position(hedging):
    hedging.submit(order("1", "buy", 1, "stop", price=2005.0))
    hedging.submit(order("2", "sell", 1, "stop", price=1995.0, oco="1"))

    told = hedging.prices(1994.0, 2006.0)

    assert fills_in(told) == [("2", "sell", 1.0, 1994.0)]
    assert ("1", "CANCELLED") in states_in(told)
    assert list(hedging.positions.values()) == [-1.0]


def test_money_of_a_hedging_account_is_the_sum_of_its_positions(hedging):
    hedging.submit(order("1", "buy", 1))
    hedging.submit(order("2", "sell", 3))
    hedging.prices(2001.0, 2004.0)
    hedging.close("MGC", "P2")
    hedging.price(2004.0)

    account = hedging.snapshot().account

    assert account.balance == 10_000.0 - 3 * 3.0 * 10
    assert account.equity == account.balance + 3.0 * 10


def test_a_trailing_stop_is_told_where_it_stands_at_the_end_of_the_hour():
    from brokers.port import ProtectionRequest
    from core.orders import OrderKind

    desk = Desk()
    desk.price(2000.0)
    trail = ProtectionRequest(
        "1.s", Role.STOP, None, OrderKind.TRAILING_STOP, quantity=1, trail_amount=10.0
    )
    desk.submit(order("1", "buy", 1, children=(trail,)))
    desk.prices(2000.0, 2015.0)

    told = desk.price(2014.0, after=60 * 60_000_000_000)

    assert ("1.s", "WORKING") in states_in(told)
    assert desk.working["1.s"] == ("WORKING", 1.0, 2005.0)


def test_margin_is_that_of_the_position_from_its_fill_on_for_other_plans_too():
    desk = Desk(plans=BOTH, margin=True)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 9))

    desk.price(2000.0)
    used = desk.snapshot().account.margin_used
    desk.submit(order("2", "buy", 2, plan_id="other"))
    told = desk.price(2000.0)

    assert used == pytest.approx(9 * 0.05 * 2000 * 10)
    assert states_in(told)[-1][:2] == ("2", "REJECTED")
