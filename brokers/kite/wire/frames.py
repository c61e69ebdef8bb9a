"""A whole frame of packets at once, as arrays: what a stream of thousands of instruments needs.

The layout is that of `wire.packets`; a packet's numbers are read by one structured type for each
length. Of the ten levels the first wanted and the first offered are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from brokers.kite.wire.errors import WireError
from brokers.kite.wire.packets import price_divisor, split_frame

_Array = np.ndarray[Any, Any]

SNAPSHOT = np.dtype(
    [
        ("token", "i8"),
        ("last_price", "f8"),
        ("volume", "i8"),
        ("last_trade_time", "i8"),
        ("exchange_time", "i8"),
        ("bid", "f8"),
        ("ask", "f8"),
    ]
)
"""What ticks are made of in one packet.

volume : of the day. last_trade_time, exchange_time : ns UTC. What a mode does not carry is 0.
bid, ask : of the first levels; nan where nobody stands there, or the mode carries no levels.
"""

_LEVEL = np.dtype([("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("nothing", "V2")])
_HEAD = [("token", ">u4"), ("last_price", ">u4")]
_QUOTE = [
    *_HEAD,
    ("last_quantity", ">u4"),
    ("average_price", ">u4"),
    ("volume", ">u4"),
    ("buy_quantity", ">u4"),
    ("sell_quantity", ">u4"),
    *((name, ">u4") for name in ("open", "high", "low", "close")),
]
FULL_PACKET = np.dtype(
    [
        *_QUOTE,
        ("last_trade_time", ">u4"),
        ("oi", ">u4"),
        ("oi_day_high", ">u4"),
        ("oi_day_low", ">u4"),
        ("exchange_time", ">u4"),
        ("buy", _LEVEL, 5),
        ("sell", _LEVEL, 5),
    ]
)
"""A packet of 184 bytes as it is on the wire: prices in the segment's units, times in seconds."""
_INDEX = [*_HEAD, *((name, ">u4") for name in ("high", "low", "open", "close", "change"))]
_PACKETS = {
    form.itemsize: form
    for form in (
        np.dtype(_HEAD),
        np.dtype(_QUOTE),
        FULL_PACKET,
        np.dtype(_INDEX),
        np.dtype([*_INDEX, ("exchange_time", ">u4")]),
    )
}
_WHOLE = {size: np.dtype([("length", ">u2"), ("packet", form)]) for size, form in _PACKETS.items()}
"""Packets with their lengths before them, as a frame holds them."""

_COUNT_BYTES = 2
_SECOND_NS = 1_000_000_000
_TIMES = ("last_trade_time", "exchange_time")
_DIVISORS = np.array([price_divisor(segment) for segment in range(256)])


def read_frame(frame: bytes) -> _Array:
    """Return what the packets of a frame say, in their order, as an array of SNAPSHOT.

    Packets of a length that is not documented are passed over; a heartbeat has none.

    Raises
    ------
    WireError : it ends before the packets it announces.
    """
    even = _even_packets(frame)
    if even is not None:
        return _read(even)
    packets = split_frame(frame)
    found = np.zeros(len(packets), SNAPSHOT)
    is_known = np.zeros(len(packets), bool)
    lengths = np.array([len(packet) for packet in packets], np.int64)
    for size, form in _PACKETS.items():
        places = np.flatnonzero(lengths == size)
        if len(places):
            found[places] = _read(np.frombuffer(b"".join(packets[at] for at in places), form))
            is_known[places] = True
    return found[is_known]


def _even_packets(frame: bytes) -> _Array | None:
    """Return the packets of a frame whose packets are all of one documented length, else None."""
    count, length = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
    form = _WHOLE.get(length)
    if form is None or not count or len(frame) != _COUNT_BYTES + count * form.itemsize:
        return None
    rows: _Array = np.frombuffer(frame, form, count, _COUNT_BYTES)
    return rows["packet"] if (rows["length"] == length).all() else None


def _read(packets: _Array) -> _Array:
    """Return packets of one length as SNAPSHOTs."""
    names = packets.dtype.names or ()
    found = np.zeros(len(packets), SNAPSHOT)
    token = found["token"]
    token[:] = packets["token"]
    divisors = _DIVISORS[token & 0xFF]
    found["last_price"] = packets["last_price"] / divisors
    if "volume" in names:
        found["volume"] = packets["volume"]
    for name in _TIMES:
        if name in names:
            found[name] = packets[name].astype(np.int64) * _SECOND_NS
    for name, side in (("bid", "buy"), ("ask", "sell")):
        found[name] = np.nan
        if side in names:
            first = packets[side][:, 0]
            np.divide(first["price"], divisors, out=found[name], where=first["quantity"] > 0)
    return found


def frame_of(packets: _Array) -> bytes:
    """Return packets, an array of FULL_PACKET, as one frame.

    Raises
    ------
    WireError : there are more of them than a frame can count.
    """
    size = packets.dtype.itemsize
    rows = np.empty(len(packets), _WHOLE[size])
    rows["length"], rows["packet"] = size, packets
    try:
        return len(packets).to_bytes(_COUNT_BYTES, "big") + rows.tobytes()
    except OverflowError:
        raise WireError(f"{len(packets)} packets: a frame counts 65535 at most") from None
