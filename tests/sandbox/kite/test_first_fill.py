"""The thinnest path: login, instruments, a packet, a market order, its fill, its update."""

from __future__ import annotations

from tests.sandbox.kite.client import connect
from tests.sandbox.market import FUTURE, LOT


def test_a_market_order_fills_and_all_of_kite_tells_it(box, kite, token, ticker):
    stream = ticker(box, kite, [token])
    box.play()
    stream.settled(box)

    order_id = kite.place_order(
        "regular", "NFO", FUTURE, "BUY", LOT, "NRML", "MARKET", market_protection=-1, tag="mine"
    )

    stream.settled(box)
    (tick,) = stream.ticks[-1:]
    assert (tick["mode"], tick["last_price"]) == ("full", 25000.0)
    (update,) = stream.orders
    assert (update["status"], update["order_id"], update["tag"]) == ("COMPLETE", order_id, "mine")
    (trade,) = kite.order_trades(order_id)
    assert (trade["quantity"], trade["average_price"]) == (LOT, 25000.0)
    (position,) = kite.positions()["net"]
    assert (position["tradingsymbol"], position["quantity"]) == (FUTURE, LOT)
    (fill,) = box.ledger.rows("fills")
    assert (fill["order_id"], fill["quantity"], fill["price"]) == (order_id, LOT, 25000.0)


def test_the_states_of_an_order_are_told_in_their_order(box, kite):
    box.play()

    order_id = kite.place_order(
        "regular", "NFO", FUTURE, "BUY", LOT, "NRML", "MARKET", market_protection=-1
    )

    states = [row["status"] for row in kite.order_history(order_id)]
    assert states == [
        "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN", "COMPLETE",
    ]  # fmt: skip
    assert connect(box).orders()[-1]["status"] == "COMPLETE"
