"""Bars built of what the binary stream told equal the file they were replayed from."""

from __future__ import annotations

import threading
from datetime import date

import numpy as np
import pytest

import feeds
from brokers.kite.wire import decode_frame
from core.calendar import get_calendar
from core.lockstep import LockStepClient
from core.ticks import TICK, TRADE
from feeds.bar_builder import BarBuilder
from sandbox.course import generated, replayed
from sandbox.faults import Fault, Kind
from tests.sandbox.kite.client import Ticker, connect
from tests.sandbox.market import MINUTE

PRICES = ("open", "high", "low", "close")


def built(frames, token):
    """Return the bars of one instrument's packets: a packet is a trade if the volume has grown."""
    found = [tick for frame in frames if len(frame) > 1 for tick in decode_frame(frame)
             if tick.instrument_token == token]  # fmt: skip
    ticks = np.zeros(len(found), TICK)
    before = 0
    for row, tick in zip(ticks, found, strict=True):
        row["ts_event"], row["price"] = tick.exchange_time, tick.last_price
        row["volume"] = max(tick.volume - before, 0) if tick.volume >= before else tick.volume
        row["flags"] = TRADE if row["volume"] else 0
        before = tick.volume
    ticks["spread"] = np.nan
    return BarBuilder(get_calendar("NSE"), MINUTE).take(ticks)


def told(start, prices, **given):
    """Play prices in lock-step to one SDK; return the frames it got, and the future's token."""
    box = start(prices, lock_step=True, **given)
    kite = connect(box)
    token = kite.instruments("NFO")[0]["instrument_token"]
    stream = Ticker(box, kite.access_token, [token], "full").ready(box)
    over = threading.Event()

    class Rests:
        is_quiet = True

    LockStepClient(box.url, Rests(), on_end=over.set).start()
    assert over.wait(120)
    stream.close()
    return stream.frames, token


def a_day(series, when):
    bars = series.bars
    found = [get_calendar("NSE").session_of(int(day)) for day in np.unique(bars["day"])]
    days = [session.day for session in found if session is not None]
    return bars[bars["day"] == days[when]]


def test_a_day_of_real_prices_is_the_same_day_again(start, real_data):
    series = feeds.load(real_data / "nifty50_1m.csv.gz", symbol="NIFTY50")
    day = a_day(series, 200)

    frames, token = told(start, replayed(series.with_bars(day)))

    bars = built(frames, token)
    assert len(bars) == len(day) > 370
    for name in ("start", "end", *PRICES):
        assert bars[name].tolist() == day[name].tolist(), name


def test_volumes_are_the_same_too_where_there_are_any(start):
    prices = generated("NIFTY-FUT", date(2024, 9, 2), date(2024, 9, 2), seed=4)

    frames, token = told(start, prices)

    bars = built(frames, token)
    assert bars["volume"].tolist() == prices.series.bars["volume"].tolist()
    assert bars["close"].tolist() == prices.series.bars["close"].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_packets_that_come_twice_change_no_bar(start, seed):
    prices = generated("NIFTY-FUT", date(2024, 9, 2), date(2024, 9, 2), seed=4)
    short = replayed(prices.series.with_bars(prices.series.bars[:60]))

    frames, token = told(start, short, seed=seed,
                         faults=[Fault(Kind.DUPLICATE, on="price", chance=0.3)])  # fmt: skip

    assert built(frames, token)["close"].tolist() == short.series.bars["close"].tolist()
    assert len(frames) > 330
