"""Frames read as arrays hold what their packets say one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite import wire
from tests.brokers.kite.test_wire_packets import (
    FULL,
    INDEX_FULL,
    INDEX_QUOTE,
    LTP,
    NIFTY_FUT,
    QUOTE,
    at,
    ticks,
)


def told(row):
    """Return a row as a tuple, nan as None."""
    return tuple(None if value != value else value for value in row.tolist())


def expected(tick):
    """Return what a packet says, of what ticks are made of."""
    best = [side[0].price if side and side[0].quantity else None for side in (tick.buy, tick.sell)]
    return (
        tick.instrument_token, tick.last_price, tick.volume, tick.last_trade_time,
        tick.exchange_time, *best,
    )  # fmt: skip


def test_a_full_packet_is_a_row():
    (row,) = wire.read_frame(wire.encode_frame([FULL]))

    assert told(row) == (
        NIFTY_FUT, 24510.38, 412750, at("2026-09-01 03:50:01"), at("2026-09-01 03:50:02"),
        24509.90, 24510.60,
    )  # fmt: skip


def test_packets_of_several_lengths_keep_their_order():
    frame = wire.encode_frame([LTP, FULL, INDEX_QUOTE, b"\x01" * 50, QUOTE, FULL, INDEX_FULL])

    rows = wire.read_frame(frame)

    assert [told(row) for row in rows] == [expected(tick) for tick in wire.decode_frame(frame)]
    assert len(rows) == 6


@given(st.lists(ticks(), max_size=6))
def test_a_frame_says_what_its_packets_say(some):
    frame = wire.encode_frame(map(wire.encode_packet, some))

    assert [told(row) for row in wire.read_frame(frame)] == [expected(tick) for tick in some]


@pytest.mark.parametrize("frame", [b"", b"\x00", wire.HEARTBEAT, b"\x00\x00"])
def test_a_heartbeat_holds_nothing(frame):
    assert len(wire.read_frame(frame)) == 0


def outcome(read, row, frame):
    try:
        return [row(item) for item in read(frame)]
    except wire.WireError as fault:
        return str(fault)


@given(st.binary(max_size=400), st.integers(0, 400))
def test_junk_is_read_as_packet_by_packet_or_refused_with_the_same_words(junk, keep):
    whole = wire.encode_frame([FULL, FULL])[:keep] + junk

    for frame in (junk, whole):
        assert outcome(wire.read_frame, told, frame) == outcome(wire.decode_frame, expected, frame)


def test_many_packets_make_the_frame_that_each_alone_would():
    read = np.frombuffer(FULL * 3, wire.FULL_PACKET)

    assert wire.frame_of(read) == wire.encode_frame([FULL] * 3)


def test_a_frame_counts_no_more_than_its_field_holds():
    with pytest.raises(wire.WireError, match="65535 at most"):
        wire.frame_of(np.zeros(65_536, wire.FULL_PACKET))
