"""Good-till-triggered orders, single and of two legs."""

from __future__ import annotations

import pytest
from kiteconnect.exceptions import DataException, InputException

from tests.sandbox.market import FUTURE, LOT

SELL = {"transaction_type": "SELL", "quantity": LOT, "order_type": "LIMIT", "product": "NRML"}


def place(kite, kind, values, orders, last=25000.0):
    return kite.place_gtt(kind, FUTURE, "NFO", values, last, orders)["trigger_id"]


def test_one_price_reached_places_its_order(box, kite):
    box.play()
    number = place(kite, "single", [24995.0], [SELL | {"price": 24950.0}])
    assert kite.get_gtt(number)["status"] == "active"

    box.play(2)

    gtt = kite.get_gtt(number)
    result = gtt["orders"][0]["result"]["order_result"]
    assert (gtt["status"], result["status"]) == ("triggered", "success")
    (order,) = kite.orders()
    assert (order["order_id"], order["status"]) == (result["order_id"], "COMPLETE")
    assert order["average_price"] == 24990.0


def test_of_two_prices_the_first_reached_ends_the_other(box, kite):
    box.play()
    number = place(
        kite, "two-leg", [24980.0, 25010.0], [SELL | {"price": 24970.0}, SELL | {"price": 25010.0}]
    )

    box.play(4)

    gtt = kite.get_gtt(number)
    assert gtt["status"] == "triggered"
    assert gtt["orders"][0]["result"] is None
    assert gtt["orders"][1]["result"]["order_result"]["status"] == "success"
    assert len(kite.orders()) == 1


def test_an_order_that_is_refused_is_told_in_the_trigger(box, kite):
    box.play()
    number = place(kite, "single", [24995.0], [SELL | {"price": 24950.0, "quantity": 7}])

    box.play(2)

    result = kite.get_gtt(number)["orders"][0]["result"]["order_result"]
    assert (result["status"], result["order_id"]) == ("failed", "")
    assert "multiples" in result["rejection_reason"]


def test_triggers_can_be_listed_changed_and_deleted(box, kite):
    box.play()
    number = place(kite, "single", [24000.0], [SELL | {"price": 24000.0}])

    kite.modify_gtt(
        number, "single", FUTURE, "NFO", [24100.0], 25000.0, [SELL | {"price": 24100.0}]
    )

    (gtt,) = kite.get_gtts()
    assert (gtt["id"], gtt["condition"]["trigger_values"]) == (number, [24100.0])
    assert kite.delete_gtt(number) == {"trigger_id": number}
    assert kite.get_gtts() == []
    box.play(4)
    assert kite.orders() == []


def test_a_trigger_that_is_not_there_is_not_found(kite):
    with pytest.raises(DataException):
        kite.get_gtt(1)


@pytest.mark.parametrize(
    ("kind", "values", "orders"),
    [
        ("single", [25000.0], [SELL | {"price": 1.0}]),
        ("two-leg", [25010.0, 25020.0], [SELL | {"price": 1.0}] * 2),
        ("two-leg", [24900.0, 25100.0], [SELL | {"price": 1.0}]),
        ("single", [24900.0], [SELL | {"price": 1.0, "order_type": "MARKET"}]),
    ],
)
def test_kite_turns_down(box, kite, kind, values, orders):
    with pytest.raises(InputException):
        place(kite, kind, values, orders)

    assert kite.get_gtts() == []
