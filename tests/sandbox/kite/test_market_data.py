"""What Kite tells of the market over HTTP: list of contracts, quotes, candles."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import requests
from kiteconnect.exceptions import InputException

from tests.sandbox.kite.client import connect
from tests.sandbox.market import CALM, FUTURE, KEY, OPEN, day

RISING = [(25000.0 + i, 25004.0 + i, 24999.0 + i, 25003.0 + i) for i in range(12)]


def test_the_list_holds_the_index_and_three_months(kite):
    rows = kite.instruments()

    assert [(row["exchange"], row["tradingsymbol"]) for row in rows] == [
        ("NSE", "NIFTY 50"), ("NFO", FUTURE), ("NFO", "NIFTY24OCTFUT"), ("NFO", "NIFTY24NOVFUT"),
    ]  # fmt: skip
    index, front = rows[:2]
    assert (index["instrument_token"], index["segment"]) == (256265, "INDICES")
    assert (front["expiry"], front["lot_size"], front["tick_size"]) == (date(2024, 9, 26), 25, 0.05)
    assert front["instrument_token"] % 256 == 2
    assert int(front["exchange_token"]) == front["instrument_token"] // 256


def test_the_list_is_packed_as_kite_packs_it(box, kite):
    headers = {"Authorization": f"token {kite.api_key}:{kite.access_token}"}

    reply = requests.get(f"{box.url}/instruments/NFO", headers=headers, timeout=10)

    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.headers["Content-Type"].startswith("text/csv")
    assert len(reply.text.splitlines()) == 4


def test_a_contract_leaves_the_list_after_its_expiry(start):
    from sandbox.course import generated

    box = start(generated("NIFTY-FUT", date(2024, 9, 25), date(2024, 9, 27), seed=3), start=1)
    names = []
    for _ in range(3):
        names.append(connect(box).instruments("NFO")[0]["tradingsymbol"])
        box.play_until(box.exchange.now + 86_400 * 10**9)

    assert names == ["NIFTY24SEPFUT", "NIFTY24SEPFUT", "NIFTY24OCTFUT"]


def test_quotes_tell_the_day_so_far(box, kite, token):
    box.play(4)

    quote = kite.quote(KEY)[KEY]

    assert quote["instrument_token"] == token
    assert quote["last_price"] == 25005.0
    assert quote["ohlc"] == {"open": 25000.0, "high": 25010.0, "low": 24990.0, "close": 25000.0}
    assert quote["volume"] == 1000
    assert quote["timestamp"] == datetime(2024, 9, 4, 9, 15, 59)
    assert (quote["lower_circuit_limit"], quote["upper_circuit_limit"]) == (22500.0, 27500.0)
    bids = [level["price"] for level in quote["depth"]["buy"]]
    asks = [level["price"] for level in quote["depth"]["sell"]]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < 25005.0 < asks[0]


def test_quotes_are_keyed_as_asked_and_unknown_ones_are_absent(box, kite, token):
    box.play()

    assert set(kite.ltp("NSE:NIFTY 50", str(token), "NSE:NOTHING")) == {"NSE:NIFTY 50", str(token)}
    assert set(kite.ohlc(KEY)[KEY]) == {"instrument_token", "last_price", "ohlc"}
    assert "depth" not in kite.quote("NSE:NIFTY 50")["NSE:NIFTY 50"]


def test_candles_are_the_bars_up_to_now_and_none_of_the_future(start):
    box = start(day(RISING))
    kite = connect(box)
    token = kite.instruments("NFO")[0]["instrument_token"]
    box.play(5 * 7)

    rows = kite.historical_data(token, "2024-09-04 09:15:00", "2024-09-04 15:30:00", "minute")

    assert [row["close"] for row in rows] == [25003.0 + i for i in range(7)]
    assert rows[0]["date"].utcoffset() == timedelta(hours=5, minutes=30)
    assert rows[0]["date"].astimezone(UTC).timestamp() == OPEN / 1e9
    fives = kite.historical_data(token, "2024-09-04 09:15:00", "2024-09-04 15:30:00", "5minute")
    assert [(row["open"], row["high"], row["close"], row["volume"]) for row in fives] == [
        (25000.0, 25008.0, 25007.0, 5000)
    ]  # fmt: skip


def test_candles_with_open_interest_have_a_seventh_number(box, kite, token):
    box.play(5)

    rows = kite.historical_data(
        token, datetime(2024, 9, 4, 9, 15), datetime(2024, 9, 4, 9, 20), "minute", oi=True
    )

    assert rows[0]["oi"] == 0


def test_day_candles_are_stamped_at_midnight(box, kite, token):
    (row,) = kite.historical_data(token, "2024-09-01 00:00:00", "2024-09-04 00:00:00", "day")

    assert (row["date"].hour, row["date"].date(), row["close"]) == (0, date(2024, 9, 3), 25000.0)


def test_the_forming_candle_is_served_where_it_is_said_so(start):
    box = start(day([CALM] * 2), settings={"serves_forming_candle": True})
    kite = connect(box)
    token = kite.instruments("NFO")[0]["instrument_token"]
    box.play(5 + 2)

    rows = kite.historical_data(token, "2024-09-04 09:15:00", "2024-09-04 09:20:00", "minute")

    assert [(row["date"].minute, row["close"]) for row in rows] == [(15, 25005.0), (16, 25010.0)]


@pytest.mark.parametrize(
    ("interval", "days"),
    [("minute", 60), ("3minute", 100), ("15minute", 200), ("60minute", 400), ("day", 2000)],
)
def test_more_days_than_a_request_may_span_are_refused(kite, token, interval, days):
    last = datetime(2024, 9, 4)

    assert kite.historical_data(token, last - timedelta(days=days), last, interval) is not None
    with pytest.raises(InputException, match=f"max limit: {days} days"):
        kite.historical_data(token, last - timedelta(days=days, seconds=1), last, interval)


def test_continuous_minutes_are_refused(kite, token):
    with pytest.raises(InputException, match="Continuous"):
        kite.historical_data(
            token, "2024-09-04 09:15:00", "2024-09-04 09:20:00", "minute", continuous=True
        )


@pytest.mark.parametrize(
    "wrong", [("x", "2024-09-04 09:15:00", "minute"), ("2024-09-04", "2024-09-05", "2minute")]
)
def test_candles_of_nonsense_are_refused(kite, token, wrong):
    with pytest.raises(InputException):
        kite.historical_data(token, *wrong)


def test_an_unknown_token_has_no_candles(kite):
    with pytest.raises(InputException, match="invalid token"):
        kite.historical_data(99, "2024-09-04", "2024-09-05", "minute")


def test_gold_is_listed_at_mcx_in_lots(start):
    from sandbox.course import generated

    box = start(generated("GOLDM", date(2024, 9, 2), date(2024, 9, 3), seed=1))
    front = connect(box).instruments("MCX")[0]

    assert (front["tradingsymbol"], front["lot_size"], front["tick_size"]) == (
        "GOLDM24SEPFUT",
        1,
        1,
    )
    assert front["instrument_token"] % 256 == 7
