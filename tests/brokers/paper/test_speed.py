"""What a price costs at the paper exchange; limits hold on a slow machine, too."""

from __future__ import annotations

import time

import numpy as np
import pytest

from core.ticks import TICK, TRADE
from tests.brokers.paper.desk import Desk, bracket


def microseconds(desk, count=2_000, rounds=7):
    """The best of some rounds: what one price costs when nobody else is at work."""
    tick = np.zeros(1, TICK)
    tick["spread"], tick["flags"], tick["volume"] = 0.1, TRADE, 1.0
    best = float("inf")
    see = desk.venue.see
    for _ in range(rounds):
        began = time.perf_counter()
        for number in range(count):
            tick["price"] = 2000.0 + (number & 1) / 10
            see("MGC", tick)
        best = min(best, (time.perf_counter() - began) / count)
    return best * 1e6


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "paper.db")
    desk.price(2000.0)
    return desk


def test_a_price_costs_less_than_5_microseconds_while_nothing_is_at_work(desk):
    assert microseconds(desk) < 5.0


def test_a_price_costs_less_than_60_microseconds_beside_a_bracket_and_writes_nothing(desk):
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.price(2000.0)
    written = []
    desk.venue.ledger.write = written.append

    assert microseconds(desk) < 60.0
    assert written == []


if __name__ == "__main__":
    for title, orders in (("idle", 0), ("bracket", 1), ("bracket of a hedging account", 1)):
        shown = Desk(hedging="hedging" in title)
        shown.price(2000.0)
        for number in range(orders):
            shown.submit(bracket(str(number), "buy", 1, 1990, 2010))
        shown.price(2000.0)
        print(f"{title}: {microseconds(shown):.2f} us a price")
