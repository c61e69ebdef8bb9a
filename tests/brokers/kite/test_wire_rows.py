"""JSON and CSV of Kite: documented envelopes read and written back, all else refused."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite import wire

PAYLOADS = Path(__file__).parent / "payloads"
SECOND = 1_000_000_000


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def data(name):
    return payload(name)["data"]


def utc(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


# -- times -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-09-01 09:15:00",
        "2026-09-01T09:15:00+0530",
        "2026-09-01T03:45:00+00:00",
        datetime(2026, 9, 1, 9, 15),
        datetime(2026, 9, 1, 3, 45, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_naive_time_is_mumbais(stamp):
    assert wire.ist_ns(stamp) == utc("2026-09-01 03:45:00")


def test_times_are_read_alike_whatever_the_zone_of_the_host():
    program = (
        "from datetime import datetime, UTC\n"
        "from brokers.kite import wire\n"
        "print(wire.ist_ns('2026-09-01 09:15:00'), wire.ist_text(1788234300 * 10**9),\n"
        "      wire.host_local_ns(datetime.fromtimestamp(1788234300)))\n"
    )
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        done = subprocess.run(
            [sys.executable, "-c", program], env={"TZ": zone}, cwd=PAYLOADS.parents[3],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split() == [
            "1788234300000000000", "2026-09-01", "09:15:00", "1788234300000000000",
        ]  # fmt: skip


@pytest.mark.parametrize("stamp", ["soon", "2026-13-01 00:00:00", "0001-01-01 00:00:00", 5, []])
def test_what_is_no_time_is_named(stamp):
    with pytest.raises(wire.WireError, match=r"order_timestamp=.*expected a time"):
        wire.ist_ns(stamp, "order_timestamp")


@pytest.mark.parametrize(
    ("login", "dies"),
    [
        ("2026-09-01 03:01:07", "2026-09-02 00:30:00"),  # 08:31 in Mumbai
        ("2026-08-31 23:59:00", "2026-09-01 00:30:00"),  # 05:29: half an hour is left
        ("2026-09-01 00:30:00", "2026-09-02 00:30:00"),
    ],
)
def test_a_token_dies_at_the_next_six_o_clock(login, dies):
    assert wire.next_expiry(utc(login)) == utc(dies)


# -- orders and trades -----------------------------------------------------------------------


def test_the_order_book_is_read_in_every_state():
    done, partly, waits, cancelled, rejected, protected = map(wire.decode_order, data("orders"))

    assert (done.status, done.filled_quantity, done.tag) == ("COMPLETE", 130, "t1a2b3-7")
    assert done.order_timestamp == utc("2026-09-01 03:50:01")
    assert (partly.filled_quantity, partly.remaining) == (65, 65)
    assert (waits.trigger_price, waits.order_type) == (24450.5, "SL-M")
    assert (cancelled.pending_quantity, cancelled.remaining, cancelled.tag) == (130, 130, None)
    assert rejected.status_message.startswith("Insufficient funds")
    assert (rejected.exchange_order_id, rejected.exchange_timestamp) == (None, 0)
    assert (protected.order_type, protected.market_protection) == ("LIMIT", 0.0)


@pytest.mark.parametrize("row", data("orders"), ids=lambda row: row["status"])
def test_an_order_written_back_is_the_row_it_was_read_from(row):
    expected = {name: value for name, value in row.items() if name != "tags" or value}

    assert wire.encode_order(wire.decode_order(row)) == expected


def test_an_order_whose_times_the_sdk_has_read_is_the_same():
    row = data("orders")[0]
    read = {**row, "order_timestamp": datetime(2026, 9, 1, 9, 20, 1)}

    assert wire.decode_order(read) == wire.decode_order(row)


def test_a_postback_is_an_order_with_a_proof_of_its_origin():
    order = wire.decode_order(payload("postback"))
    row = wire.encode_postback(order, "AB1234", 1234, "secret")

    assert (row["unfilled_quantity"], row["user_id"], row["app_id"]) == (0, "AB1234", 1234)
    assert row["checksum"] == (  # sha256("240901000000001" "2026-09-01 09:20:01" "secret")
        wire.checksum_of("240901000000001", "2026-09-01 09:20:01", "secret")
    )
    assert wire.decode_order(row) == order


def test_trades_tell_price_and_time_of_each_fill():
    first, second = map(wire.decode_trade, data("trades"))

    assert (first.trade_id, first.quantity, first.average_price) == ("50001", 65, 24510.0)
    assert second.fill_timestamp == utc("2026-09-01 03:50:03")
    assert [wire.encode_trade(item) for item in (first, second)] == data("trades")


def test_a_two_leg_trigger_holds_both_prices():
    gtt = wire.decode_gtt(data("gtts")[0])

    assert (gtt.type, gtt.trigger_values) == ("two-leg", (24450.5, 24630.0))
    assert [row["price"] for row in gtt.orders] == [24440.0, 24630.0]
    assert wire.encode_gtt(gtt) == data("gtts")[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"order_id": None}, "order_id=None: expected a text"),
        ({"quantity": "many"}, "quantity='many': expected a number"),
        ({"quantity": 1.5}, "quantity=1.5: expected a whole number"),
        ({"price": float("nan")}, "price=nan: expected a number"),
        ({"tags": "one"}, "tags: expected a list"),
        ({"order_timestamp": "today"}, "order_timestamp='today': expected a time"),
    ],
    ids=lambda item: str(item)[:30],
)
def test_a_field_that_is_not_as_documented_is_named(change, said):
    with pytest.raises(wire.WireError) as caught:
        wire.decode_order({**data("orders")[0], **change})

    assert said in str(caught.value)


# -- money -----------------------------------------------------------------------------------


def test_positions_are_signed_and_tell_their_multiplier():
    books = wire.decode_positions(data("positions"))
    nifty, gold, flat = books.net

    assert (nifty.quantity, nifty.average_price) == (65, 24510.35)
    assert (gold.quantity, gold.multiplier) == (-2, 10)
    assert (flat.quantity, flat.pnl) == (0, -640.5)
    assert wire.encode_positions(books) == data("positions")


def test_funds_are_told_by_segment():
    funds = wire.decode_margins(data("margins"))

    assert funds["equity"].net == 245181.5
    assert funds["equity"].utilised["span"] == 194178.0
    assert not funds["commodity"].enabled
    assert wire.encode_margins(funds) == data("margins")


def test_an_orders_margin_is_told_with_its_charges():
    (margin,) = wire.decode_order_margins(data("order_margins"))

    assert (margin.total, margin.charges["total"], margin.charges["gst"]) == (
        226036.0,
        408.54,
        8.85,
    )
    assert wire.encode_order_margins([margin]) == data("order_margins")


# -- prices ----------------------------------------------------------------------------------


def test_candles_carry_the_start_of_their_bar():
    first, second = wire.decode_candles(data("historical_minute"))
    (with_oi,) = wire.decode_candles(data("historical_oi"))

    assert first == (utc("2026-09-01 03:45:00"), 24480.0, 24488.5, 24471.0, 24482.0, 18525, 0)
    assert second.start - first.start == 60 * SECOND
    assert with_oi.oi == 11903450
    assert wire.encode_candles([first, second]) == data("historical_minute")
    assert wire.encode_candles([with_oi], with_oi=True) == data("historical_oi")


def test_candles_of_the_sdk_are_the_same():
    rows = [
        {"date": datetime(2026, 9, 1, 3, 45, tzinfo=UTC), "open": 24480.0, "high": 24488.5,
         "low": 24471.0, "close": 24482.0, "volume": 18525},
    ]  # fmt: skip

    assert wire.decode_candles(rows) == wire.decode_candles(data("historical_minute"))[:1]


def test_a_candle_that_cannot_be_read_is_counted():
    rows = [*data("historical_minute")["candles"], ["2026-09-01T09:17:00+0530", 1, 2]]

    with pytest.raises(wire.WireError, match="candle 2="):
        wire.decode_candles(rows)


def test_quotes_of_futures_and_of_an_index():
    future = wire.decode_quote(data("quote")["NFO:NIFTY26SEPFUT"])
    index = wire.decode_quote(data("quote")["NSE:NIFTY 50"])
    last = wire.decode_quote(data("ltp")["NSE:NIFTY 50"])

    assert (future.volume, future.upper_circuit_limit, future.sell[0].price) == (
        412750, 26928.0, 24510.5,
    )  # fmt: skip
    assert (index.last_price, index.volume, index.buy) == (24470.55, 0, ())
    assert last.last_price == index.last_price
    assert wire.encode_quote(future) == data("quote")["NFO:NIFTY26SEPFUT"]
    assert wire.encode_quote(index, is_index=True) == data("quote")["NSE:NIFTY 50"]


def test_the_list_of_contracts_is_read_and_written():
    content = (PAYLOADS / "instruments.csv").read_text(encoding="utf-8")
    rows = {row.tradingsymbol: row for row in wire.decode_instruments(content)}
    nifty, index = rows["NIFTY26SEPFUT"], rows["NIFTY 50"]

    assert (nifty.expiry, nifty.lot_size, nifty.tick_size) == (date(2026, 9, 29), 65, 0.1)
    assert (nifty.name, nifty.segment, nifty.exchange) == ("NIFTY", "NFO-FUT", "NFO")
    assert (index.expiry, index.segment, index.lot_size) == (None, "INDICES", 0)
    assert wire.decode_instruments(wire.encode_instruments(rows.values())) == list(rows.values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html>", "no column instrument_token"),
        (b"\xff\xfe", "instrument list: "),
        (
            (PAYLOADS / "instruments.csv")
            .read_text(encoding="utf-8")
            .replace("2026-10-05", "soon"),
            "line 10: expiry='soon': expected a date",
        ),
    ],
    ids=["a page", "bytes", "a date"],
)
def test_a_list_that_cannot_be_read_says_where(content, said):
    with pytest.raises(wire.WireError, match=said):
        wire.decode_instruments(content)


# -- logins, messages, envelopes -------------------------------------------------------------


def test_a_login_leaves_a_token_that_its_repr_hides():
    reply = wire.decode_login(data("session_token"))

    assert (reply.user_id, reply.access_token) == ("AB1234", "madeupaccesstoken")
    assert reply.login_time == utc("2026-09-01 03:01:07")
    assert "madeupaccesstoken" not in repr(reply)
    assert wire.decode_login(wire.encode_login(reply)) == reply


def test_the_login_checksum_is_the_documented_one():
    # printf 'keytokensecret' | sha256sum
    assert wire.login_checksum("key", "token", "secret") == (
        "08a03d928417ea4085557933d3b187ff2a3515b039d6054dbd230c95d978a17a"
    )


def test_text_messages_are_orders_complaints_or_words():
    order = wire.decode_order(payload("postback"))

    assert wire.decode_message(wire.encode_message("order", payload("postback"))) == (
        wire.OrderMessage(order)
    )
    assert wire.decode_message(b'{"type": "error", "data": "Limit"}') == wire.ErrorMessage("Limit")
    assert wire.decode_message('{"type": "message", "data": "Hi"}') == wire.InfoMessage("Hi")
    assert wire.decode_message('{"type": "instruments_meta", "data": {}}') is None


@pytest.mark.parametrize(
    "request_",
    [wire.Subscribe((408065,)), wire.Unsubscribe((1, 2)), wire.SetMode("full", (408065,))],
    ids=lambda item: type(item).__name__,
)
def test_requests_of_the_stream_go_both_ways(request_):
    assert wire.decode_request(wire.encode_request(request_)) == request_


def test_requests_are_as_documented():
    assert json.loads(wire.encode_request(wire.Subscribe((408065, 884737)))) == {
        "a": "subscribe", "v": [408065, 884737],
    }  # fmt: skip
    assert json.loads(wire.encode_request(wire.SetMode("full", (408065,)))) == {
        "a": "mode", "v": ["full", [408065]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind", "message", "verdict"),
    [
        (403, "TokenException", "Incorrect `api_key` or `access_token`.", wire.Verdict.LOGIN),
        (403, "PermissionException", "Insufficient permission", wire.Verdict.REFUSED),
        (400, "InputException", "Invalid `quantity`", wire.Verdict.REFUSED),
        (400, "OrderException", "Market is closed", wire.Verdict.REFUSED),
        (400, "MarginException", "Insufficient funds", wire.Verdict.MARGIN),
        (400, "GeneralException", "Insufficient funds. Required margin", wire.Verdict.MARGIN),
        (404, "GeneralException", "Couldn't find that order", wire.Verdict.REFUSED),
        (429, "NetworkException", "Too many requests", wire.Verdict.LIMITED),
        (500, "OrderException", "Internal error", wire.Verdict.UNKNOWN),
        (500, "GeneralException", "Something went wrong", wire.Verdict.UNKNOWN),
        (502, "DataException", "Bad gateway", wire.Verdict.UNKNOWN),
        (503, "NetworkException", "OMS is not responding", wire.Verdict.UNKNOWN),
        (504, "NetworkException", "Gateway timed out", wire.Verdict.UNKNOWN),
        (200, "GeneralException", "?", wire.Verdict.UNKNOWN),
    ],
)
def test_an_order_is_refused_only_where_the_venue_said_so(status, kind, message, verdict):
    body = wire.encode_error(message, kind)

    assert wire.decode_body(status, body) == (None, verdict, message)


def test_a_success_is_its_data():
    assert wire.decode_body(200, wire.encode_success({"order_id": "1"})) == (
        {"order_id": "1"}, None, "",
    )  # fmt: skip


# -- junk ------------------------------------------------------------------------------------

ROW_READERS = [
    wire.decode_order, wire.decode_trade, wire.decode_gtt, wire.decode_positions,
    wire.decode_margins, wire.decode_order_margins, wire.decode_candles, wire.decode_quote,
    wire.decode_login, wire.decode_instrument,
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize("read", ROW_READERS, ids=lambda item: item.__name__)
@given(value=json_values)
def test_any_json_is_read_or_refused(read, value):
    try:
        read(value)
    except wire.WireError as fault:
        assert "\n" not in str(fault)


@given(st.data())
def test_an_order_with_any_field_spoilt_is_read_or_refused(draw):
    row = dict(data("orders")[0])
    row[draw.draw(st.sampled_from(sorted(row)))] = draw.draw(json_values)
    with contextlib.suppress(wire.WireError):
        wire.decode_order(row)


@pytest.mark.parametrize("read", [wire.decode_message, wire.decode_request], ids=["from", "to"])
@given(payload=st.binary(max_size=80) | st.text(max_size=80))
def test_any_text_is_read_or_refused(read, payload):
    try:
        read(payload)
    except wire.WireError as fault:
        assert "\n" not in str(fault)


@given(st.binary(max_size=80))
def test_any_body_is_read_or_refused(body):
    with contextlib.suppress(wire.WireError):
        wire.decode_body(200, body)


orders = st.builds(
    replace,
    st.just(wire.decode_order(data("orders")[0])),
    quantity=st.integers(1, 10**6),
    filled_quantity=st.integers(0, 10**6),
    price=st.floats(0, 1e7),
    order_timestamp=st.integers(1, 4 * 10**9).map(lambda secs: secs * SECOND),
    tag=st.none() | st.text("abc123-", min_size=1, max_size=20),
    status=st.sampled_from(["OPEN", "COMPLETE", "CANCELLED", "UPDATE"]),
)


@given(orders)
def test_an_order_survives_the_wire(order):
    text = wire.encode_success([wire.encode_order(order)])

    assert wire.decode_order(wire.decode_body(200, text)[0][0]) == order
