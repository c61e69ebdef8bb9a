"""From packets to ticks: what is a trade, whose time it has, what only tells the quote."""

from __future__ import annotations

import math

import numpy as np
import pytest

from brokers.kite import wire
from brokers.kite.prices import TickMaker
from core.ticks import TRADE

FUTURE, SHARE, INDEX = 13238786, 408065, 256265
SECOND = 1_000_000_000


def packets(*rows):
    """Return SNAPSHOTs of (token, price, volume, last trade's second, exchange's second)."""
    told = np.zeros(len(rows), wire.SNAPSHOT)
    for place, (token, price, volume, traded, exchange) in enumerate(rows):
        told[place] = (token, price, volume, traded * SECOND, exchange * SECOND, price - 1, np.nan)
    return told


def short(made):
    """Return ticks as (second, price, volume, is a trade)."""
    _, ticks = made
    return [
        (ts // SECOND, price, volume, bool(flags & TRADE))
        for ts, _, price, volume, _, _, _, flags in ticks.tolist()
    ]


@pytest.fixture
def maker():
    made = TickMaker()
    made.make(packets((FUTURE, 100.0, 50, 9, 10), (INDEX, 200.0, 0, 0, 10)))
    return made


def test_the_first_packet_of_an_instrument_is_no_tick():
    assert short(TickMaker().make(packets((FUTURE, 100.0, 50, 9, 10)))) == []


def test_grown_volume_is_a_trade_at_its_time(maker):
    assert short(maker.make(packets((FUTURE, 101.0, 53, 11, 12)))) == [(11, 101.0, 3.0, True)]


def test_the_same_volume_only_tells_time_and_quote(maker):
    tokens, ticks = made = maker.make(packets((FUTURE, 100.0, 50, 9, 12)))

    assert short(made) == [(12, 100.0, 0.0, False)]
    assert (tokens, ticks["bid"].item(0)) == ([FUTURE], 99.0)
    assert math.isnan(ticks["ask"].item(0)) and math.isnan(ticks["spread"].item(0))


def test_time_never_goes_back(maker):
    maker.make(packets((FUTURE, 100.0, 50, 9, 12)))

    assert short(maker.make(packets((FUTURE, 101.0, 51, 11, 13)))) == [(12, 101.0, 1.0, True)]


def test_a_trade_whose_time_is_not_told_has_the_exchange_s(maker):
    assert short(maker.make(packets((FUTURE, 101.0, 51, 0, 12)))) == [(12, 101.0, 1.0, True)]


def test_volume_that_fell_is_another_day_s(maker):
    assert short(maker.make(packets((FUTURE, 99.0, 7, 20, 21)))) == [(20, 99.0, 7.0, True)]
    assert short(maker.make(packets((FUTURE, 99.0, 0, 20, 30)))) == [(30, 99.0, 0.0, False)]


def test_an_index_trades_when_its_price_moves(maker):
    assert short(maker.make(packets((INDEX, 200.0, 0, 0, 11)))) == [(11, 200.0, 0.0, False)]
    assert short(maker.make(packets((INDEX, 201.0, 0, 0, 12)))) == [(12, 201.0, 0.0, True)]


def test_a_packet_without_a_time_is_no_tick(maker):
    assert short(maker.make(packets((FUTURE, 101.0, 60, 0, 0)))) == []
    assert short(maker.make(packets((FUTURE, 101.0, 60, 11, 12)))) == [(11, 101.0, 10.0, True)]


def test_instruments_of_one_frame_keep_their_order_and_new_ones_begin(maker):
    tokens, ticks = maker.make(
        packets((INDEX, 201.0, 0, 0, 11), (SHARE, 5.0, 1, 1, 11), (FUTURE, 101.0, 51, 11, 11))
    )

    assert (tokens, ticks["price"].tolist()) == ([INDEX, FUTURE], [201.0, 101.0])


def test_an_instrument_told_of_twice_in_a_frame_sees_itself(maker):
    made = maker.make(packets((FUTURE, 101.0, 51, 11, 11), (FUTURE, 102.0, 54, 12, 12)))

    assert short(made) == [(11, 101.0, 1.0, True), (12, 102.0, 3.0, True)]


def test_after_a_break_everything_begins_anew(maker):
    maker.forget()

    assert short(maker.make(packets((FUTURE, 101.0, 60, 11, 12)))) == []


def test_thousands_of_instruments_are_known_each_by_its_own():
    maker = TickMaker()
    first = packets(*((SHARE + 256 * n, 100.0 + n, n, 1, 1) for n in range(3000)))
    later = packets(*((SHARE + 256 * n, 101.0 + n, 2 * n, 2, 2) for n in range(3000)))

    maker.make(first)
    tokens, ticks = maker.make(later[::-1])

    assert tokens == later["token"].tolist()[::-1]
    assert ticks["volume"].tolist() == list(range(3000))[::-1]
