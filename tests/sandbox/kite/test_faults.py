"""Each fault of a plan, as the genuine SDK meets it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests
from kiteconnect.exceptions import (
    DataException,
    GeneralException,
    NetworkException,
    OrderException,
    TokenException,
)

from brokers.kite.wire import WireError, decode_frame
from sandbox.faults import Fault, Kind
from tests.sandbox.kite.client import Ticker, connect
from tests.sandbox.kite.test_orders import last, place
from tests.sandbox.market import KEY, LOT, eventually

TWO = 2 * LOT


def fault(box, kind, on="*", **given):
    box.add_fault(kind, on=on, **given)


def prices(stream):
    """Return the last prices of the packets that came, oldest first."""
    return [tick["last_price"] for tick in stream.ticks]


# -- messages of the stream ------------------------------------------------------------------


@pytest.fixture
def stream(box, kite, token, ticker):
    found = ticker(box, kite, [token], "ltp")
    found.settled(box)
    found.ticks.clear()
    return found


def test_a_dropped_packet_never_comes(box, stream):
    fault(box, "drop", "price", skip=1, count=1)

    box.play(4)

    stream.settled(box)
    assert prices(stream) == [25000.0, 24990.0, 25005.0]


def test_a_duplicated_packet_comes_twice(box, stream):
    fault(box, "duplicate", "price", count=1)

    box.play(2)

    stream.settled(box)
    assert prices(stream) == [25000.0, 25000.0, 25010.0]


def test_packets_change_their_order(box, stream):
    fault(box, "reorder", "price", count=1)

    box.play(3)

    stream.settled(box)
    assert prices(stream) == [25010.0, 25000.0, 24990.0]


def test_a_packet_is_held_back_for_others(box, stream):
    fault(box, "delay", "price", count=1, messages=2)

    box.play(4)

    stream.settled(box)
    assert prices(stream) == [25010.0, 24990.0, 25000.0, 25005.0]


def test_a_packet_is_held_back_for_a_time(box, stream):
    fault(box, "delay", "price", count=1, secs=0.05)

    box.play(2)

    eventually(lambda: len(stream.ticks) == 2)
    assert sorted(prices(stream)) == [25000.0, 25010.0]


def test_a_packet_is_cut_short(box, stream):
    stream.sdk.on_ticks = None  # the SDK's own parser raises on it, into the reactor
    fault(box, "truncate", "price", count=1, size=7)

    box.play()

    eventually(lambda: len(stream.frames[-1]) == 7)
    with pytest.raises(WireError):
        decode_frame(stream.frames[-1])


def test_a_half_open_stream_falls_silent_and_stands(start):
    box = start(settings={"heartbeat_secs": 0.01})
    kite = connect(box)
    token = kite.instruments("NFO")[0]["instrument_token"]
    stream = Ticker(box, kite.access_token, [token], "ltp").ready(box)
    stream.settled(box)
    stream.ticks.clear()
    fault(box, "half_open", "price")

    box.play(3)

    box.run(box.face.delivered())
    link = box.face.stream.connections[0]
    assert link.outlet.is_mute
    assert (stream.ticks, stream.closes) == ([], [])
    stream.close()


def test_a_cut_stream_comes_back(box, kite, stream):
    fault(box, "cut", "price")

    box.play()

    eventually(lambda: stream.closes)
    eventually(lambda: stream.opened == 2)
    stream.ready(box)
    box.play()
    stream.settled(box)
    assert prices(stream)[-1] == 25010.0


def test_a_stream_is_refused_while_the_plan_says_so(start):
    box = start(faults=[Fault(Kind.REFUSE, status=503, count=1)])
    kite = connect(box)
    stream = Ticker(box, kite.access_token)

    eventually(lambda: stream.errors)
    eventually(lambda: stream.opened)

    assert "503" in stream.errors[0][1]
    stream.close()


def test_a_fill_is_missing_in_the_stream_and_there_in_the_book(box, kite, stream):
    box.play()
    fault(box, "drop", "order", count=1)

    order_id = place(kite, kind="MARKET")

    stream.settled(box)
    assert stream.orders == []
    assert last(kite, order_id)["status"] == "COMPLETE"


# -- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "code"),
    [
        ({"status": 401}, TokenException, 401),
        ({"status": 403}, TokenException, 403),
        ({"status": 429}, NetworkException, 429),
        ({"status": 500}, GeneralException, 500),
        ({"status": 502}, NetworkException, 502),
        ({"status": 503}, NetworkException, 503),
        ({"status": 504}, NetworkException, 504),
        ({"status": 400, "error": "OrderException", "text": "no"}, OrderException, 400),
    ],
)
def test_a_request_is_answered_with_an_error_and_nothing_is_done(box, kite, given, error, code):
    box.play()
    fault(box, "status", "orders.place", count=1, **given)

    with pytest.raises(error) as caught:
        place(kite, kind="MARKET")

    assert caught.value.code == code
    assert kite.orders() == []
    assert place(kite, kind="MARKET")


def test_an_error_may_come_though_the_order_was_taken(box, kite):
    box.play()
    fault(box, "status", "orders.place", status=502, handled=True, count=1)

    with pytest.raises(NetworkException):
        place(kite, kind="MARKET", tag="mine")

    assert [(row["tag"], row["status"]) for row in kite.orders()] == [("mine", "COMPLETE")]


def test_a_gateway_answers_with_a_page(box, kite):
    fault(box, "status", "orders", error="html", count=1)

    with pytest.raises(DataException, match="Content-Type"):
        kite.orders()


def test_a_request_that_is_lost_was_never_there(box):
    box.play()
    kite = connect(box, timeout=0.3)
    fault(box, "lose", "orders.place", count=1)

    with pytest.raises(requests.exceptions.ReadTimeout):
        place(kite, kind="MARKET")

    assert kite.orders() == []


@pytest.mark.parametrize(
    ("on", "struck"),
    [("orders.place.stop", ["SL-M"]), ("orders.place.*", ["MARKET"]), ("orders.place", ["MARKET"])],
)
def test_a_request_is_struck_by_the_kind_of_order_it_places(box, kite, on, struck):
    box.play()
    fault(box, "status", on, count=1, status=503)

    refused = []
    for kind, given in (("MARKET", {}), ("SL-M", {"trigger_price": 24_900.0})):
        try:
            place(kite, "SELL", kind, **given)
        except NetworkException:
            refused.append(kind)

    assert refused == struck


def test_an_order_is_taken_though_no_answer_comes(box):
    box.play()
    kite = connect(box, timeout=0.3)
    fault(box, "no_answer", "orders.place", count=1)

    with pytest.raises(requests.exceptions.ReadTimeout):
        place(kite, kind="MARKET", tag="mine")

    assert [(row["tag"], row["status"]) for row in kite.orders()] == [("mine", "COMPLETE")]
    eventually(lambda: any(row["fault"] == "no_answer" and row["status"] == 0
                           for row in box.ledger.rows("requests")))  # fmt: skip


def test_an_answer_comes_too_late(box):
    box.play()
    kite = connect(box, timeout=0.3)
    fault(box, "slow", "orders.place", secs=0.6, count=1)

    with pytest.raises(requests.exceptions.ReadTimeout):
        place(kite, kind="MARKET")

    assert len(kite.orders()) == 1


def test_an_answer_breaks_off(box, kite):
    box.play()
    fault(box, "cut_answer", "orders.place", size=10, count=1)

    with pytest.raises(requests.exceptions.RequestException):
        place(kite, kind="MARKET")

    assert len(kite.orders()) == 1


# -- orders ----------------------------------------------------------------------------------


def test_an_order_is_rejected_by_the_exchange(box, kite, ticker):
    box.play()
    updates = ticker(box, kite)
    fault(box, "reject", "market", count=1, text="RMS:Rule: blocked for this scrip")

    order_id = place(kite, kind="MARKET")

    updates.settled(box)
    assert last(kite, order_id)["status"] == "REJECTED"
    assert updates.orders[0]["status_message"] == "RMS:Rule: blocked for this scrip"


def test_an_order_fills_in_parts(box, kite, ticker):
    box.play()
    updates = ticker(box, kite)
    fault(box, "partial", "market", count=1, share=0.5)

    order_id = place(kite, kind="MARKET", quantity=2 * TWO)

    updates.settled(box)
    assert [(row["status"], row["filled_quantity"]) for row in updates.orders] == [("UPDATE", TWO)]
    assert last(kite, order_id)["status"] == "OPEN"
    box.play()
    updates.settled(box)
    assert updates.orders[-1]["status"] == "COMPLETE"
    assert [row["quantity"] for row in kite.order_trades(order_id)] == [TWO, TWO]


def test_a_part_that_waits_can_be_cancelled(box, kite):
    box.play()
    fault(box, "partial", "market", count=1)
    order_id = place(kite, kind="MARKET", quantity=2 * TWO)

    kite.cancel_order("regular", order_id)
    box.play()

    row = last(kite, order_id)
    assert (row["status"], row["filled_quantity"], row["cancelled_quantity"]) == (
        "CANCELLED", TWO, TWO,
    )  # fmt: skip
    assert kite.positions()["net"][0]["quantity"] == TWO


# -- account, clock, other hands --------------------------------------------------------------


def test_tokens_end_in_the_middle_of_a_day(start):
    box = start(faults=[Fault(Kind.EXPIRE_TOKEN, skip=2)])
    kite = connect(box)
    box.play(2)
    assert kite.orders() == []

    box.play()

    with pytest.raises(TokenException):
        kite.orders()


def test_the_venues_clock_goes_wrong(box, kite, token, ticker):
    stream = ticker(box, kite, [token])
    fault(box, "skew", secs=90.0)

    box.play()

    stream.settled(box)
    assert kite.quote(KEY)[KEY]["timestamp"].strftime("%H:%M:%S") == "09:16:30"
    tick = decode_frame(stream.frames[-1])[0]
    assert tick.exchange_time - box.exchange.now == 90 * 10**9
    told = parsedate_to_datetime(requests.get(f"{box.url}/nothing", timeout=10).headers["Date"])
    assert 60 < told.timestamp() - time.time() < 120


def test_another_hand_acts_at_its_time(start):
    plan = [
        Fault(Kind.HAND, action="buy", quantity=TWO),
        Fault(Kind.HAND, action="close", at="2024-09-04 09:15:30+05:30"),
    ]
    box = start(faults=plan)
    kite = connect(box)
    box.play()
    box.play()
    (row,) = kite.positions()["net"]
    assert (row["quantity"], row["product"]) == (TWO, "NRML")

    box.play(2)

    assert kite.positions()["net"][0]["quantity"] == 0
    assert {row["author"] for row in box.ledger.rows("orders")} == {"hand"}


def test_another_hand_cancels_and_moves_orders(box, kite):
    box.play()
    order_id = place(kite, price=24900.0)
    fault(box, "hand", action="modify", price=24950.0)
    box.play()
    assert last(kite, order_id)["price"] == 24950.0
    fault(box, "hand", action="cancel")

    box.play()

    assert last(kite, order_id)["status"] == "CANCELLED"


def test_all_that_struck_is_written_down(box, kite, stream):
    fault(box, "drop", "price", count=1)
    fault(box, "status", "orders", count=1)

    box.play()
    with pytest.raises(NetworkException):
        kite.orders()

    assert [(row["kind"], row["struck"]) for row in box.ledger.rows("faults")] == [
        ("drop", "price"), ("status", "orders"),
    ]  # fmt: skip


def test_every_kind_of_fault_is_tried_here():
    text = Path(__file__).read_text(encoding="utf-8")

    missing = [
        kind for kind in Kind if f'"{kind.value}"' not in text and f"Kind.{kind.name}" not in text
    ]

    assert missing == []
