"""Requests counted as Kite counts them, by class of endpoints."""

from __future__ import annotations

import pytest
import requests
from kiteconnect.exceptions import NetworkException

from tests.sandbox.kite.client import connect
from tests.sandbox.kite.test_orders import place
from tests.sandbox.market import KEY


@pytest.fixture
def kite(start):
    box = start(limited=True)
    clock = [1000.0]
    box.server.counts.clock = lambda: clock[0]
    found = connect(box)
    found.box, found.clock = box, clock
    box.play()
    return found


def burst(call, count):
    """Return how many of some calls passed, and the code of the first that did not."""
    for passed in range(count):
        try:
            call()
        except NetworkException as error:
            return passed, error.code
    return count, None


@pytest.mark.parametrize(
    ("call", "most"),
    [
        (lambda kite: kite.ltp(KEY), 1),
        (lambda kite: kite.quote(KEY), 1),
        (lambda kite: kite.historical_data(256265, "2024-09-04", "2024-09-05", "minute"), 3),
        (lambda kite: place(kite, price=24900.0), 10),
        (lambda kite: kite.orders(), 10),
    ],
    ids=["ltp", "quote", "historical", "place", "orders"],
)
def test_a_class_of_endpoints_has_its_own_count_a_second(kite, call, most):
    assert burst(lambda: call(kite), most + 3) == (most, 429)

    kite.clock[0] += 1.0
    assert burst(lambda: call(kite), 1) == (1, None)


def test_quotes_share_a_count_and_orders_have_their_own(kite):
    kite.ltp(KEY)

    with pytest.raises(NetworkException, match="Too many requests"):
        kite.ohlc(KEY)
    assert place(kite, price=24900.0)


def test_no_more_than_400_orders_a_minute(kite):
    for _ in range(40):
        assert burst(lambda: place(kite, price=24900.0), 10) == (10, None)
        kite.clock[0] += 1.0

    assert burst(lambda: place(kite, price=24900.0), 1) == (0, 429)
    counts = kite.box.server.counts
    assert counts.highest["XX0000", "orders 400/min"] == 401
    assert counts.refused == 1
    state = requests.get(f"{kite.box.url}/_box/state", timeout=10).json()
    assert state["requests_highest"]["XX0000 orders 400/min"] == 401


def test_what_is_refused_is_in_the_ledger(kite):
    burst(lambda: kite.ltp(KEY), 2)

    codes = [row["status"] for row in kite.box.ledger.rows("requests")]
    assert codes == [200, 429]
