"""Another hand on a paper account: its orders and fills are told as anybody's, without our ids."""

from __future__ import annotations

import pytest

from core.errors import BrokerError
from core.events import CashFlow, Execution, OrderUpdate
from core.orders import OrderKind, Side
from tests.brokers.paper.desk import (
    Desk,
    bracket,
    fills_in,
    free,
    order,
    positions_in,
    states_in,
)


@pytest.fixture(params=["netting", "hedging"])
def desk(request):
    """An account that is long 4 with a stop and a target."""
    desk = Desk(hedging=request.param == "hedging")
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 4, 1990, 2010))
    desk.price(2000.0)
    desk.told.clear()
    return desk


def hand_of(desk):
    return desk.venue.other_hand


def test_a_position_closed_by_hand_takes_its_children_along(desk):
    (made,) = hand_of(desk).close("MGC")
    desk.price(2001.0)

    assert fills_in(desk.told) == [("", "sell", 4.0, 2001.0)]
    assert (made, "FILLED") in states_in(desk.told)
    assert {("1.s", "CANCELLED"), ("1.t", "CANCELLED")} <= set(states_in(desk.told))
    assert desk.positions == {} and desk.working == {}


def test_a_position_half_closed_by_hand_keeps_a_stop_for_the_other_half(desk):
    hand_of(desk).close("MGC", 2)
    desk.price(2001.0)

    assert fills_in(desk.told) == [("", "sell", 2.0, 2001.0)]
    assert list(desk.positions.values()) == [2.0]
    assert desk.working["1.s"] == ("WORKING", 2.0, 1990.0)


def test_a_stop_deleted_by_hand_is_told_under_our_id_and_the_position_stays(desk):
    hand_of(desk).cancel("P2")

    assert states_in(desk.told) == [("1.s", "CANCELLED")]
    assert list(desk.positions.values()) == [4.0]
    assert set(desk.working) == {"1.t"}


def test_a_stop_moved_by_hand_is_told_with_a_newer_version(desk):
    hand_of(desk).modify("P2", price=1995.0)

    (told,) = [event for event in desk.told if isinstance(event, OrderUpdate)]
    assert (told.order_id, told.price) == ("1.s", 1995.0)
    assert fills_in(desk.price(1994.0)) == [("1.s", "sell", 4.0, 1994.0)]


def test_an_order_of_another_hand_has_no_id_of_ours(desk):
    (made,) = hand_of(desk).place("MGC", Side.BUY, 1, OrderKind.LIMIT, 1999.0)
    desk.price(1998.0)

    updates = [event for event in desk.told if isinstance(event, OrderUpdate)]
    assert {event.order_id + event.tag for event in updates} == {""}
    (fill,) = [event for event in desk.told if isinstance(event, Execution)]
    assert (fill.order_id, fill.tag, fill.venue_order_id) == ("", "", made)
    assert sum(desk.positions.values()) == 5.0


def test_a_position_on_a_symbol_that_no_plan_trades_shows_in_snapshots(desk):
    hand = hand_of(desk)
    hand.place("XAUUSD", Side.SELL, 0.5, instrument=free("XAUUSD"))
    hand.show_price("XAUUSD", 2400.0)

    assert fills_in(desk.told) == [("", "sell", 0.5, 2400.0)]
    held = {item.symbol: item.quantity for item in desk.snapshot().positions}
    assert held == {"MGC": 4.0, "XAUUSD": -0.5}

    hand.show_price("XAUUSD", 2401.0)
    assert desk.snapshot().account.equity == 10_000.0 - 1.0 * 0.5 * 100


def test_a_foreign_position_outlives_the_process(tmp_path):
    desk = Desk(tmp_path / "paper.db")
    desk.price(2000.0)
    hand_of(desk).place("XAUUSD", Side.SELL, 0.5)
    hand_of(desk).show_price("XAUUSD", 2400.0)

    desk.restart()

    assert desk.positions == {"XAUUSD": -0.5}


def test_what_stands_against_the_hand_on_a_netting_account_is_closed_first():
    desk = Desk()
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1))
    desk.price(2000.0)

    hand_of(desk).place("MGC", Side.SELL, 3)
    desk.price(2001.0)

    assert desk.positions == {"MGC": -2.0}


def test_on_a_hedging_account_the_hand_opens_another_position():
    desk = Desk(hedging=True)
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1))
    desk.price(2000.0)

    (made,) = hand_of(desk).place("MGC", Side.SELL, 3)
    told = desk.price(2001.0)

    assert desk.positions == {"P1": 1.0, made: -3.0}
    assert positions_in(told) == [(made, -3.0)]


def test_money_paid_in_is_told_and_counts():
    desk = Desk()
    desk.price(2000.0)

    hand_of(desk).pay_in(-500.0)

    (told,) = [event for event in desk.told if isinstance(event, CashFlow)]
    assert (told.kind, told.paid) == ("withdrawal", 500.0)
    assert desk.snapshot().account.balance == 9_500.0
    desk.submit(order("1", "buy", 1))
    desk.prices(2000.0, 2001.0)
    desk.close()
    desk.price(2001.0)
    assert desk.snapshot().account.balance == 9_510.0


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda hand: hand.close("XAUUSD"), "no position in XAUUSD to close"),
        (lambda hand: hand.cancel("P99"), "no order P99 works on this paper account"),
        (lambda hand: hand.modify("x", price=1.0), "no order x works on this paper account"),
        (lambda hand: hand.place("MGC", Side.BUY, 0.1), "quantity 0.1 is below the lot of 1"),
        (lambda hand: hand.show_price("MGC", 1.0), "MGC is traded by a plan"),
    ],
)
def test_what_a_hand_cannot_do_is_said(desk, act, why):
    with pytest.raises(BrokerError, match=why):
        act(hand_of(desk))
