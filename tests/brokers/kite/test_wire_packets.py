"""The binary stream, pinned on packets written out byte by byte after the documented offsets."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite import wire

NIFTY_FUT, NIFTY_50, USDINR, BCD = 13238786, 256265, 412675, 1030
"""Tokens of segments nfo (2), indices (9), cds (3) and bcd (6)."""

SECOND = 1_000_000_000

LTP = bytes.fromhex("00ca02020025665e")
"""13238786 at 24510.38."""

QUOTE = bytes.fromhex(
    "00ca02020025665e"  # token, 24510.38
    "00000041" "0025619c" "00064c4e"  # 65 at last, average 24498.20, volume 412750
    "0001d844" "00017fa7"  # 120900 wanted, 98215 offered
    "00255a80" "00256a20" "00255698" "002550bc"  # 24480.00, 24520.00, 24470.00, 24455.00
)  # fmt: skip

LEVELS = "".join(f"{65 * n:08x}{2451000 - 10 * n:08x}{n:04x}0000" for n in range(1, 6)) + "".join(
    f"{30 * n:08x}{2451050 + 10 * n:08x}{n + 1:04x}0000" for n in range(1, 6)
)
FULL = QUOTE + bytes.fromhex(
    "6a964b69" "00b5a1da" "00b5bb70" "00b4d110" "6a964b6a" + LEVELS
)  # fmt: skip
"""Last trade 2026-09-01 03:50:01 UTC, open interest 11903450 (11910000, 11850000), told a second
later; the first level is 65 wanted at 24509.90 by one order."""

INDEX_QUOTE = bytes.fromhex(
    "0003e909" "0025568f" "00255a80" "00254ae0" "00254ec8" "00254374" "0000131b"
)  # fmt: skip
"""256265 at 24469.91; high 24480, low 24440, open 24450, close 24421, change 48.91."""

INDEX_FULL = INDEX_QUOTE + bytes.fromhex("6a964b6a")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def test_an_ltp_packet_is_a_token_and_a_price():
    assert wire.decode_packet(LTP) == wire.Tick(NIFTY_FUT, 24510.38)


def test_a_quote_packet_holds_the_day():
    assert wire.decode_packet(QUOTE) == wire.Tick(
        NIFTY_FUT, 24510.38, "quote", 65, 24498.20, 412750, 120900, 98215,
        24480.0, 24520.0, 24470.0, 24455.0,
    )  # fmt: skip


def test_a_full_packet_holds_times_open_interest_and_ten_levels():
    tick = wire.decode_packet(FULL)

    assert len(FULL) == 184
    assert (tick.mode, tick.volume, tick.close) == ("full", 412750, 24455.0)
    assert tick.last_trade_time == at("2026-09-01 03:50:01")
    assert tick.exchange_time == at("2026-09-01 03:50:02")
    assert (tick.oi, tick.oi_day_high, tick.oi_day_low) == (11903450, 11910000, 11850000)
    assert tick.buy[0] == wire.DepthLevel(65, 24509.9, 1)
    assert tick.sell[4] == wire.DepthLevel(150, 24511.0, 6)
    assert (len(tick.buy), len(tick.sell)) == (5, 5)


def test_an_index_has_packets_of_its_own():
    quote, full = wire.decode_packet(INDEX_QUOTE), wire.decode_packet(INDEX_FULL)

    assert (len(INDEX_QUOTE), len(INDEX_FULL)) == (28, 32)
    assert quote == wire.Tick(
        NIFTY_50, 24469.91, "quote", open=24450.0, high=24480.0, low=24440.0, close=24421.0
    )
    assert (full.mode, full.exchange_time) == ("full", at("2026-09-01 03:50:02"))


@pytest.mark.parametrize(
    ("token", "price"),
    [(NIFTY_FUT, 1.0), (USDINR, 0.00001), (BCD, 0.01)],
    ids=["nfo", "cds", "bcd"],
)
def test_prices_are_scaled_by_segment(token, price):
    packet = token.to_bytes(4, "big") + (100).to_bytes(4, "big")

    assert wire.decode_packet(packet).last_price == price


@pytest.mark.parametrize(
    "packet", [LTP, QUOTE, FULL, INDEX_QUOTE, INDEX_FULL], ids=lambda item: f"{len(item)} bytes"
)
def test_encoding_gives_the_same_bytes(packet):
    tick = wire.decode_packet(packet)

    assert wire.decode_packet(wire.encode_packet(tick)) == tick
    if len(packet) not in (
        28,
        32,
    ):  # the change of an index is not kept, it is its price less close
        assert wire.encode_packet(tick) == packet


def test_a_frame_is_split_by_its_lengths():
    frame = b"\x00\x02" + b"\x00\x08" + LTP + b"\x00\x2c" + QUOTE

    assert wire.split_frame(frame) == [LTP, QUOTE]
    assert wire.encode_frame([LTP, QUOTE]) == frame
    assert [tick.mode for tick in wire.decode_frame(frame)] == ["ltp", "quote"]


@pytest.mark.parametrize("frame", [b"", b"\x00", wire.HEARTBEAT, b"\x00\x00"])
def test_a_heartbeat_holds_nothing(frame):
    assert wire.decode_frame(frame) == []


def test_a_packet_of_an_unknown_length_is_passed_over():
    frame = wire.encode_frame([b"\x01" * 50, LTP])

    assert wire.decode_frame(frame) == [wire.Tick(NIFTY_FUT, 24510.38)]


@pytest.mark.parametrize("keep", range(2, 4 + 8 + 2 + 44))
def test_a_frame_cut_anywhere_says_so(keep):
    frame = wire.encode_frame([LTP, QUOTE])[:keep]

    with pytest.raises(
        wire.WireError, match=rf"frame of {keep} bytes ends within packet [12] of 2"
    ):
        wire.decode_frame(frame)


def test_a_number_that_does_not_fit_is_an_error():
    with pytest.raises(wire.WireError, match="token 13238786"):
        wire.encode_packet(wire.Tick(NIFTY_FUT, 5e9))


def test_the_decoder_agrees_with_the_sdk_under_two_zones():
    program = (
        "import sys\n"
        "from kiteconnect import KiteTicker\n"
        "from brokers.kite import wire\n"
        "frame = bytes.fromhex(sys.argv[1])\n"
        "theirs = [wire.tick_of_sdk(row) for row in KiteTicker('k', 't')._parse_binary(frame)]\n"
        "assert theirs == wire.decode_frame(frame), theirs\n"
    )
    frame = wire.encode_frame([LTP, QUOTE, FULL, INDEX_QUOTE, INDEX_FULL])
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        done = subprocess.run(
            [sys.executable, "-c", program, frame.hex()],
            env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


tokens = st.integers(0, 2**24 - 1).flatmap(
    lambda number: st.sampled_from([1, 2, 3, 4, 6, 7, 9, 12]).map(lambda part: number * 256 + part)
)
u32 = st.integers(0, 2**32 - 1)


@st.composite
def ticks(draw):
    token = draw(tokens)
    divisor = wire.price_divisor(token)
    mode = draw(st.sampled_from(["ltp", "quote", "full"]))

    def price():
        return draw(u32) / divisor

    def time():
        return draw(u32) * SECOND

    day = {name: price() for name in ("open", "high", "low", "close")}
    if mode == "ltp":
        return wire.Tick(token, price())
    if wire.is_index(token):
        return wire.Tick(token, price(), mode, **day, exchange_time=time() if mode == "full" else 0)
    body = (draw(u32), price(), draw(u32), draw(u32), draw(u32))
    if mode == "quote":
        return wire.Tick(token, price(), mode, *body, **day)
    sides = [
        tuple(wire.DepthLevel(draw(u32), price(), draw(st.integers(0, 65535))) for _ in range(5))
        for _ in range(2)
    ]
    return wire.Tick(
        token, price(), mode, *body, **day, last_trade_time=time(), oi=draw(u32),
        oi_day_high=draw(u32), oi_day_low=draw(u32), exchange_time=time(),
        buy=sides[0], sell=sides[1],
    )  # fmt: skip


@given(st.lists(ticks(), max_size=5))
def test_what_is_encoded_is_decoded(told):
    frame = wire.encode_frame(map(wire.encode_packet, told))

    assert wire.decode_frame(frame) == told


def _decode_or_say(frame):
    try:
        return wire.decode_frame(frame)
    except wire.WireError as fault:
        assert str(fault).startswith("frame of ")
        return None


@given(st.binary(max_size=400))
def test_junk_is_decoded_or_refused_with_one_line(frame):
    _decode_or_say(frame)


@pytest.mark.skipif(
    not os.environ.get("TOLA_FUZZ_FRAMES"), reason="TOLA_FUZZ_FRAMES=1000000 for the long run"
)
def test_fuzz():
    chance = random.Random(7)
    whole = wire.encode_frame([LTP, QUOTE, FULL, INDEX_QUOTE, INDEX_FULL])
    for _ in range(int(os.environ["TOLA_FUZZ_FRAMES"])):
        frame = bytearray(whole[: chance.randrange(len(whole) + 1)])
        for _ in range(chance.randrange(6)):
            if frame:
                frame[chance.randrange(len(frame))] = chance.randrange(256)
        _decode_or_say(bytes(frame) if chance.random() < 0.8 else chance.randbytes(len(frame)))
