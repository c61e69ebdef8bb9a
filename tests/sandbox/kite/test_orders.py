"""Kite's orders: rules, states, changes, and what each fills at."""

from __future__ import annotations

import pytest
from kiteconnect.exceptions import GeneralException, InputException, OrderException

from sandbox.account import AccountTerms
from sandbox.kite import KiteSettings
from sandbox.kite.face import served_settings
from tests.sandbox.kite.client import USER, connect
from tests.sandbox.market import CALM, FUTURE, LOT, day


def place(kite, side="BUY", kind="LIMIT", quantity=LOT, product="NRML", symbol=FUTURE, **given):
    if kind in ("MARKET", "SL-M"):
        given.setdefault("market_protection", -1)
    variety = given.pop("variety", "regular")
    return kite.place_order(variety, "NFO", symbol, side, quantity, product, kind, **given)


def states(kite, order_id):
    return [row["status"] for row in kite.order_history(order_id)]


def last(kite, order_id):
    return kite.order_history(order_id)[-1]


def test_a_limit_fills_at_its_price_when_the_path_reaches_it(box, kite):
    box.play()
    order_id = place(kite, price=24995.0)
    assert last(kite, order_id)["status"] == "OPEN"

    box.play(2)

    assert last(kite, order_id)["status"] == "COMPLETE"
    assert last(kite, order_id)["average_price"] == 24995.0


def test_a_stop_waits_for_its_trigger_and_fills_there(box, kite):
    box.play()
    order_id = place(kite, "SELL", "SL-M", trigger_price=24995.0)
    assert last(kite, order_id)["status"] == "TRIGGER PENDING"

    box.play(2)

    assert states(kite, order_id)[-3:] == ["TRIGGER PENDING", "OPEN", "COMPLETE"]
    assert last(kite, order_id)["average_price"] == 24995.0


def test_a_stop_limit_rests_at_its_limit_once_triggered(box, kite):
    box.play()
    order_id = place(kite, "SELL", "SL", trigger_price=24995.0, price=24994.0)

    box.play(2)

    assert last(kite, order_id)["average_price"] >= 24994.0
    assert last(kite, order_id)["status"] == "COMPLETE"


def test_an_order_can_be_changed_and_says_so(box, kite, ticker):
    box.play()
    stream = ticker(box, kite)
    order_id = place(kite, price=24900.0)

    kite.modify_order("regular", order_id, price=24950.0, quantity=2 * LOT)

    stream.settled(box)
    assert states(kite, order_id)[-4:] == [
        "MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN",
    ]  # fmt: skip
    assert (last(kite, order_id)["price"], last(kite, order_id)["quantity"]) == (24950.0, 2 * LOT)
    assert [row["status"] for row in stream.orders] == ["UPDATE"]


def test_a_limit_becomes_a_market_order_only_with_protection(box, kite):
    box.play()
    order_id = place(kite, price=24900.0)

    with pytest.raises(InputException, match="market protection"):
        kite.modify_order("regular", order_id, order_type="MARKET")
    kite.modify_order("regular", order_id, order_type="MARKET", market_protection=-1)

    assert last(kite, order_id)["status"] == "COMPLETE"
    assert last(kite, order_id)["average_price"] == 25000.0


def test_a_cancelled_order_shows_its_remainder_twice(box, kite, ticker):
    box.play()
    stream = ticker(box, kite)
    order_id = place(kite, price=24900.0)

    kite.cancel_order("regular", order_id)

    stream.settled(box)
    row = last(kite, order_id)
    assert states(kite, order_id)[-2:] == ["CANCEL PENDING", "CANCELLED"]
    assert (row["pending_quantity"], row["cancelled_quantity"]) == (LOT, LOT)
    assert [update["status"] for update in stream.orders] == ["CANCELLED"]


def test_an_order_that_has_ended_can_be_neither_changed_nor_cancelled(box, kite):
    box.play()
    order_id = place(kite, kind="MARKET")

    with pytest.raises(OrderException):
        kite.cancel_order("regular", order_id)
    with pytest.raises(OrderException):
        kite.modify_order("regular", order_id, price=24950.0, order_type="LIMIT")
    with pytest.raises(OrderException, match="Couldn't find"):
        kite.order_history("123")


def test_placing_alone_is_not_told(box, kite, ticker):
    box.play()
    stream = ticker(box, kite)

    place(kite, price=24900.0)

    stream.settled(box)
    assert stream.orders == []


def test_what_is_left_of_an_immediate_order_is_cancelled(box, kite):
    box.play()

    order_id = place(kite, price=24900.0, validity="IOC")

    assert last(kite, order_id)["status"] == "CANCELLED"


def test_day_orders_end_with_the_session(start):
    rows = [CALM] * 3
    box = start(day(rows, start=int(day([CALM]).series.bars["close_at"][-1]) - 3 * 60 * 10**9))
    kite = connect(box)
    box.play()
    order_id = place(kite, price=24900.0)

    box.play(14)

    assert last(kite, order_id)["status"] == "CANCELLED"
    with pytest.raises(InputException, match="closed"):
        place(kite, price=24900.0)


def test_an_after_market_order_comes_with_the_next_open(box, kite):
    order_id = place(kite, price=25020.0, variety="amo")
    assert states(kite, order_id) == ["AMO REQ RECEIVED"]

    box.play()

    assert states(kite, order_id)[-1] == "COMPLETE"
    assert last(kite, order_id)["average_price"] == 25000.0
    with pytest.raises(InputException, match="market is open"):
        place(kite, price=25000.0, variety="amo")


WRONG = {
    "no protection": ({"kind": "MARKET", "market_protection": 0}, "market protection"),
    "off the tick": ({"price": 25000.03}, "Tick size"),
    "not a lot": ({"price": 25000.0, "quantity": LOT + 1}, "multiples of 25"),
    "nothing": ({"price": 25000.0, "quantity": 0}, "multiples"),
    "above freeze": ({"price": 25000.0, "quantity": 1825}, "freeze"),
    "outside the band": ({"price": 22000.0}, "circuit"),
    "no price": ({}, "price"),
    "no trigger": ({"kind": "SL-M"}, "trigger_price"),
    "passed trigger": ({"kind": "SL-M", "trigger_price": 24990.0}, "cannot be below"),
    "wrong side": ({"kind": "SL", "trigger_price": 25020.0, "price": 25010.0}, "wrong side"),
    "unknown": ({"price": 25000.0, "symbol": "NIFTY24JANFUT"}, "expired or does not exist"),
    "index": ({"price": 25000.0, "symbol": "NIFTY 50"}, "expired or does not exist"),
    "product": ({"price": 25000.0, "product": "XYZ"}, "product"),
    "delivery": ({"price": 25000.0, "product": "CNC"}, "CNC"),
    "tag": ({"price": 25000.0, "tag": "x" * 21}, "20 characters"),
    "variety": ({"price": 25000.0, "variety": "iceberg"}, "iceberg"),
    "validity": ({"price": 25000.0, "validity": "GTC"}, "validity"),
    "type": ({"kind": "BO", "price": 25000.0}, "order_type"),
    "protection": ({"kind": "MARKET", "market_protection": 101}, "market_protection"),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
def test_kite_turns_down(box, kite, given, words):
    box.play()

    with pytest.raises(InputException, match=words) as caught:
        place(kite, **given)

    assert caught.value.code == 400
    assert kite.orders() == []


def test_an_order_above_the_freeze_quantity_is_sliced(box, kite):
    box.play()

    reply = kite.place_autoslice_order(
        "regular", "NFO", FUTURE, "BUY", 4000, "NRML", "LIMIT", price=24950.0
    )

    assert [row["quantity"] for row in kite.orders()] == [1800, 1800, 400]
    assert len(reply["children"]) == 2


def test_an_order_without_money_is_rejected_with_an_id(start):
    box = start(accounts={USER: AccountTerms(cash=1000.0)})
    kite = connect(box)
    box.play()

    order_id = place(kite, kind="MARKET")

    assert last(kite, order_id)["status"] == "REJECTED"
    assert "Insufficient funds" in last(kite, order_id)["status_message"]


def test_or_the_request_is_refused_where_that_is_set(start):
    box = start(accounts={USER: AccountTerms(cash=1000.0)}, settings={"margin_refusal": "error"})
    kite = connect(box)
    box.play()

    with pytest.raises(GeneralException, match="Insufficient funds") as caught:
        place(kite, kind="MARKET")

    assert (caught.value.code, kite.orders()) == (400, [])


def test_leaving_a_position_needs_no_money(start):
    box = start(accounts={USER: AccountTerms(cash=80_000.0)})
    kite = connect(box)
    box.play()
    place(kite, kind="MARKET")

    order_id = place(kite, "SELL", "MARKET")

    assert last(kite, order_id)["status"] == "COMPLETE"


def test_a_market_order_rests_where_its_protection_ends(start):
    jump = (25200.0, 25210.0, 25190.0, 25200.0)
    box = start(day([CALM, jump, (25190.0, 25190.0, 25100.0, 25100.0)]))
    kite = connect(box)
    box.play(5)

    order_id = place(kite, kind="MARKET", market_protection=0.5)

    box.play()
    assert last(kite, order_id)["status"] == "OPEN"
    box.play(8)
    assert last(kite, order_id)["average_price"] == 25130.0


def test_the_other_way_it_fills_at_the_next_price(start):
    box = start(day([CALM, (25020.0, 25030.0, 25010.0, 25020.0)]))
    kite = connect(box)
    box.play(5)

    order_id = place(kite, kind="MARKET", market_protection=0.5)

    box.play()
    assert last(kite, order_id)["average_price"] == 25020.0


def test_a_stop_that_jumps_beyond_its_protection_rests_there(start):
    box = start(day([CALM, (24700.0, 24950.0, 24700.0, 24950.0)]))
    kite = connect(box)
    box.play()
    order_id = place(kite, "SELL", "SL-M", trigger_price=24980.0, market_protection=0.4)

    box.play(5)
    assert last(kite, order_id)["status"] == "OPEN"
    box.play(3)

    assert last(kite, order_id)["average_price"] == 24880.1


def test_no_more_than_25_changes_are_taken(box, kite):
    box.play()
    order_id = place(kite, price=24900.0)
    for step in range(25):
        kite.modify_order("regular", order_id, price=24900.0 + step + 1)

    with pytest.raises(OrderException, match="modifications"):
        kite.modify_order("regular", order_id, price=24800.0)


def test_a_protected_market_order_shows_as_limit_where_that_is_set(start):
    box = start(settings={"shows_protected_as_limit": True})
    kite = connect(box)
    box.play()

    row = last(kite, place(kite, kind="MARKET"))

    assert (row["order_type"], row["market_protection"]) == ("LIMIT", 0)


def test_a_request_takes_the_market_time_it_is_told_to(start):
    box = start(latency_ms=1000)
    kite = connect(box)
    box.play()

    order_id = place(kite, kind="MARKET")

    assert states(kite, order_id) == ["PUT ORDER REQ RECEIVED"]
    box.play()
    assert states(kite, order_id)[-1] == "COMPLETE"


def test_a_server_that_is_started_again_gives_no_number_twice(start):
    one, other = (served_settings(None).first_number for _ in range(2))
    box = start(day([CALM]), settings={"first_number": 5_000_001})
    kite = connect(box)
    box.play()

    order_id = place(kite, kind="MARKET")

    assert one != other
    assert served_settings(7) == KiteSettings()
    assert order_id.endswith("5000001")
    assert [row["trade_id"] for row in kite.order_trades(order_id)] == ["15000001"]
