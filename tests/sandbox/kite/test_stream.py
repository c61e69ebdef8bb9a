"""Kite's stream: modes and sizes, clock packets, heartbeats, who may connect, what is refused."""

from __future__ import annotations

import json

import pytest

from brokers.kite.wire import decode_frame, encode_frame, encode_packet, split_frame
from tests.sandbox.kite.client import Ticker, connect
from tests.sandbox.kite.test_orders import place
from tests.sandbox.market import OPEN, eventually

INDEX = 256265
SECOND = 10**9


def sizes(stream):
    """Return the sizes of the packets of the last frame that is no heartbeat."""
    frames = [frame for frame in stream.frames if len(frame) > 1]
    return [len(packet) for packet in split_frame(frames[-1])]


@pytest.mark.parametrize(
    ("mode", "future", "index"), [("ltp", 8, 8), ("quote", 44, 28), ("full", 184, 32)]
)
def test_packets_have_the_size_of_their_mode(box, kite, token, ticker, mode, future, index):
    stream = ticker(box, kite, [token, INDEX], mode)

    box.play()
    stream.settled(box)

    assert sizes(stream) == [future, index]
    assert [tick["mode"] for tick in stream.ticks[-2:]] == [mode, mode]
    assert [tick["tradable"] for tick in stream.ticks[-2:]] == [True, False]


def test_every_price_is_a_packet_whose_volume_has_grown_and_the_end_is_the_clock(
    box, kite, token, ticker
):
    stream = ticker(box, kite, [token])
    before = len(stream.frames)

    box.play(5)

    stream.settled(box)
    ticks = [tick for frame in stream.frames[before:] if len(frame) > 1
             for tick in decode_frame(frame)][-5:]  # fmt: skip
    assert [tick.last_price for tick in ticks] == [25000.0, 25010.0, 24990.0, 25005.0, 25005.0]
    assert [tick.volume for tick in ticks] == [250, 500, 750, 1000, 1000]
    assert [(tick.exchange_time - OPEN) // SECOND for tick in ticks] == [0, 20, 40, 59, 60]
    assert ticks[-1].last_trade_time == ticks[-2].last_trade_time


def test_a_subscription_is_answered_with_the_last_packet(box, kite, token, ticker):
    box.play(3)

    stream = ticker(box, kite, [token])
    stream.settled(box)

    assert stream.ticks[-1]["last_price"] == 24990.0


def test_what_is_no_longer_wanted_is_no_longer_sent(box, kite, token, ticker):
    stream = ticker(box, kite, [token, INDEX])
    stream.call("unsubscribe", [token])
    eventually(lambda: token not in box.face.stream.connections[0].modes)

    box.play()
    stream.settled(box)

    assert sizes(stream) == [32]


def test_a_heartbeat_is_one_byte(start):
    box = start(settings={"heartbeat_secs": 0.01})
    kite = connect(box)
    stream = Ticker(box, kite.access_token)

    eventually(lambda: len(stream.frames) > 3)

    assert set(stream.frames) == {b"\x00"}
    assert stream.ticks == []
    stream.close()


def test_a_wrong_token_is_refused_at_the_door(box, kite):
    stream = Ticker(box, "wrong")

    eventually(lambda: stream.errors or stream.closes)

    assert "403" in str(stream.errors + stream.closes)
    stream.close()


def test_a_fourth_connection_is_refused(box, kite, ticker):
    for _ in range(3):
        ticker(box, kite)
    eventually(lambda: len(box.face.stream.connections) == 3)

    fourth = Ticker(box, kite.access_token)

    eventually(lambda: fourth.errors or fourth.closes)
    assert "429" in str(fourth.errors + fourth.closes)
    fourth.close()


def test_more_instruments_than_a_connection_takes_are_an_error_text(start):
    box = start(settings={"max_tokens": 1})
    kite = connect(box)
    token = kite.instruments("NFO")[0]["instrument_token"]
    stream = Ticker(box, kite.access_token, [token, INDEX])

    eventually(lambda: stream.texts)

    assert json.loads(stream.texts[0])["type"] == "error"
    stream.close()


def test_nonsense_is_answered_with_an_error_text(box, kite, ticker):
    stream = ticker(box, kite)
    ws = eventually(lambda: stream.sdk.is_connected() and stream.sdk.ws)
    from twisted.internet import reactor

    reactor.callFromThread(ws.sendMessage, b'{"a": "explode"}')

    eventually(lambda: stream.errors)
    assert "explode" in stream.errors[0][1]


def test_an_order_update_is_what_a_postback_is(box, kite, ticker):
    from brokers.kite.wire import checksum_of

    box.play()
    stream = ticker(box, kite)

    order_id = place(kite, kind="MARKET")

    stream.settled(box)
    (update,) = stream.orders
    assert (update["user_id"], update["unfilled_quantity"]) == ("XX0000", 0)
    assert update["checksum"] == checksum_of(order_id, update["order_timestamp"], "sandboxsecret")


def test_orders_of_another_hand_are_told_too(box, kite, ticker):
    from core.orders import Side
    from tests.sandbox.market import KEY, LOT

    box.play()
    stream = ticker(box, kite)

    box.place(KEY, Side.SELL, LOT, product="NRML")

    stream.settled(box)
    assert [row["status"] for row in stream.orders] == ["COMPLETE"]
    assert kite.positions()["net"][0]["quantity"] == -LOT
    assert box.ledger.rows("orders")[0]["author"] == "hand"


def test_the_stream_ends_with_the_token(box, kite, ticker):
    stream = ticker(box, kite)

    box.call(box.face.expire_tokens)

    eventually(lambda: stream.closes)


def test_a_crowd_ticks_beside_what_trades(start):
    box = start(settings={"crowd": 300})
    kite = connect(box)
    tokens = [row["instrument_token"] for row in kite.instruments("NSE")][1:]
    stream = Ticker(box, kite.access_token, tokens, "full").ready(box)
    stream.settled(box)
    stream.ticks.clear()

    box.play(2)

    stream.settled(box)
    assert len(stream.ticks) == 600
    assert {tick["volume_traded"] for tick in stream.ticks[-300:]} == {2}
    assert {tick["instrument_token"] for tick in stream.ticks} == set(tokens)
    stream.close()


def test_a_crowd_sends_full_packets_as_each_alone_would_be(start):
    box = start(settings={"crowd": 5})
    crowd, now = box.face.crowd, box.now
    crowd.move()

    frame = crowd.full_frame(crowd.tokens[1:4], now)

    alone = [encode_packet(crowd.tick(token, "full", now)) for token in crowd.tokens[1:4]]
    assert frame == encode_frame(alone)
