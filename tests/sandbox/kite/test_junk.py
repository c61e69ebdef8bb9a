"""Whatever arrives is answered as Kite answers, and what is sent the SDK reads back."""

from __future__ import annotations

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from brokers.kite.wire import DepthLevel, Tick, encode_frame, encode_packet
from sandbox.box import Sandbox
from sandbox.kite import KiteSettings
from tests.sandbox.kite.conftest import UNLIMITED
from tests.sandbox.market import CALM, FUTURE, day

SDK = KiteTicker("key", "token")
LARGEST = 2**32 - 1


@pytest.fixture(scope="module")
def server():
    with Sandbox("kite", day([CALM] * 3), settings=KiteSettings(windows=UNLIMITED)) as box:
        box.play(2)
        session = requests.Session()
        token = box.login()
        session.headers["Authorization"] = f"token sandboxkey:{token}"
        yield box, session


texts = st.text(max_size=8)
words = st.one_of(
    texts, st.sampled_from(["NFO", FUTURE, "BUY", "SELL", "LIMIT", "SL", "SL-M", "MARKET", "NRML",
                            "DAY", "IOC", "nan", "inf", "-1", "25", "1e400", "25000.0"]),
)  # fmt: skip
fields = st.sampled_from(
    ["exchange", "tradingsymbol", "transaction_type", "order_type", "quantity", "product", "price",
     "trigger_price", "validity", "tag", "market_protection", "autoslice", "condition", "orders",
     "type", "api_key", "request_token", "checksum"]
)  # fmt: skip
paths = st.sampled_from(
    [("POST", "/orders/regular"), ("POST", "/orders/amo"), ("PUT", "/orders/regular/1"),
     ("DELETE", "/orders/regular/x"), ("GET", "/orders/99999999999999999999"),
     ("POST", "/gtt/triggers"), ("POST", "/session/token"), ("GET", "/quote"),
     ("GET", "/quote?i=%00&i=NFO:"), ("GET", "/instruments/historical/1/minute"),
     ("POST", "/margins/orders"),
     ("POST", "/charges/orders"), ("GET", "/user/margins/x"), ("PATCH", "/orders")]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(paths, st.dictionaries(fields, words, max_size=9))
def test_no_form_breaks_the_server(server, where, form):
    box, session = server
    method, path = where

    reply = session.request(method, box.url + path, data=form, timeout=10)

    body = reply.json()
    assert reply.status_code < 500
    assert body["status"] == ("success" if reply.status_code == 200 else "error")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60))
def test_no_body_breaks_the_server(server, body):
    box, session = server

    reply = session.post(f"{box.url}/margins/orders", data=body, timeout=10)

    assert reply.json()["error_type"] == "InputException"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(st.one_of(st.none(), st.booleans(), st.floats(), texts),
                    lambda inner: st.lists(inner) | st.dictionaries(fields, inner)))  # fmt: skip
def test_no_json_breaks_the_server(server, rows):
    box, session = server

    reply = session.post(f"{box.url}/charges/orders", json=[{"exchange": rows, "quantity": rows}],
                         timeout=10) if _is_json(rows) else None  # fmt: skip

    assert reply is None or reply.json()["error_type"] == "InputException"


def _is_json(value):
    import json

    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


whole = st.integers(0, LARGEST)
cents = st.integers(0, LARGEST).map(lambda value: value / 100)
seconds = st.integers(0, 2**31 - 1)
levels = st.tuples(whole, cents, st.integers(0, 2**16 - 1)).map(lambda row: DepthLevel(*row))
fives = st.lists(levels, min_size=5, max_size=5).map(tuple)


@given(st.integers(0, 2**24 - 1), st.sampled_from(["ltp", "quote", "full"]), cents,
       st.tuples(whole, cents, whole, whole, whole), st.tuples(cents, cents, cents, cents),
       seconds, fives, fives)  # fmt: skip
def test_the_sdk_reads_what_is_encoded(exchange_token, mode, last, counts, ohlc, at, buy, sell):
    token = exchange_token * 256 + 2
    tick = Tick(token, last, mode, *counts, *ohlc, at * 10**9, *counts[2:], at * 10**9, buy, sell)

    (read,) = SDK._parse_binary(encode_frame([encode_packet(tick)]))

    assert (read["instrument_token"], read["last_price"], read["mode"]) == (token, last, mode)
    if mode != "ltp":
        assert read["volume_traded"] == counts[2]
        assert tuple(read["ohlc"].values()) == ohlc
    if mode == "full":
        assert int(read["exchange_timestamp"].timestamp()) == at
        assert [tuple(row.values()) for row in read["depth"]["sell"]] == list(sell)
