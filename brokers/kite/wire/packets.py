"""The binary stream: frames of packets, big-endian, told apart by their length alone.

A frame: uint16 number of packets, then for each uint16 length and that many bytes. A frame of one
byte is a heartbeat. A packet of what can be traded (8 bytes: ltp, 44: quote, 184: full) holds, at:
token 0, last price 4, last quantity 8, average price 12, volume of the day 16, quantities wanted
and offered 20 and 24, open high low close of the day 28-44, time of the last trade 44, open
interest with its high and low 48-60, exchange time 60, then ten levels of 12 bytes (uint32
quantity, uint32 price, uint16 orders, 2 bytes nothing), five wanted and five offered; and for an
index (8, 28, 32): token, last price, high 8, low 12, open 16, close 20, change 24, exchange time
28. Times are epoch seconds; prices are whole numbers of a hundredth, in some segments of less.

Source: kite.trade/docs/connect/v3/websocket, "Message structure"; kiteconnect 5.2.2 ticker.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from brokers.kite.wire.errors import WireError
from brokers.kite.wire.times import host_local_ns

LTP, QUOTE, FULL = "ltp", "quote", "full"
HEARTBEAT = b"\x00"

_SECOND_NS = 1_000_000_000
_INDICES = 9
_DIVISORS = {3: 10_000_000.0, 6: 10_000.0, 12: 10_000.0}
_LARGEST = 2**32 - 1

_LTP = struct.Struct(">2I")
_QUOTE = struct.Struct(">11I")
_FULL = struct.Struct(">16I" + "IIHxx" * 10)
_INDEX_QUOTE = struct.Struct(">7I")
_INDEX_FULL = struct.Struct(">8I")
_COUNT = struct.Struct(">H")


class DepthLevel(NamedTuple):
    """One level of the book."""

    quantity: int
    price: float
    orders: int


@dataclass(frozen=True, slots=True)
class Tick:
    """One packet: what the venue last knew of an instrument, a snapshot rather than a trade.

    mode : ltp, quote or full; fields a mode does not carry are 0 or empty.
    open, high, low, close : of the day; close is the day before's.
    last_trade_time, exchange_time : ns UTC, 0 where none is told.
    """

    instrument_token: int
    last_price: float
    mode: str = LTP
    last_quantity: int = 0
    average_price: float = 0.0
    volume: int = 0
    buy_quantity: int = 0
    sell_quantity: int = 0
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    last_trade_time: int = 0
    oi: int = 0
    oi_day_high: int = 0
    oi_day_low: int = 0
    exchange_time: int = 0
    buy: tuple[DepthLevel, ...] = field(default=())
    sell: tuple[DepthLevel, ...] = field(default=())


def is_index(token: int) -> bool:
    """Whether a token is an index's: its packets are shorter, and it cannot be traded."""
    return token & 0xFF == _INDICES


def price_divisor(token: int) -> float:
    """Return how many of a packet's whole numbers are 1.0 of price in the token's segment."""
    return _DIVISORS.get(token & 0xFF, 100.0)


def split_frame(frame: bytes) -> list[bytes]:
    """Return the packets of a frame, none for a heartbeat.

    Raises
    ------
    WireError : it ends before the packets it announces.
    """
    if len(frame) < _COUNT.size:
        return []
    (count,) = _COUNT.unpack_from(frame)
    at, packets = _COUNT.size, []
    for number in range(count):
        if at + _COUNT.size > len(frame):
            raise WireError(_cut(number, count, len(frame)))
        (length,) = _COUNT.unpack_from(frame, at)
        at += _COUNT.size
        if at + length > len(frame):
            raise WireError(_cut(number, count, len(frame)))
        packets.append(frame[at : at + length])
        at += length
    return packets


def decode_packet(packet: bytes) -> Tick | None:
    """Return what a packet says; None for a length that is not documented, as the SDK skips it."""
    reader = _READERS.get(len(packet))
    return None if reader is None else reader(packet)


def decode_frame(frame: bytes) -> list[Tick]:
    """Return what the packets of a frame say, in their order.

    Raises
    ------
    WireError : it ends before the packets it announces.
    """
    return [tick for tick in map(decode_packet, split_frame(frame)) if tick is not None]


def encode_packet(tick: Tick) -> bytes:
    """Return a tick as the packet of its mode.

    Raises
    ------
    WireError : a number does not fit its field.
    """
    token, divisor = tick.instrument_token, price_divisor(tick.instrument_token)

    def price(value: float) -> int:
        return round(value * divisor)

    head = [token, price(tick.last_price)]
    if tick.mode == LTP:
        return _packed(_LTP, head, tick)
    if is_index(token):
        day = [price(value) for value in (tick.high, tick.low, tick.open, tick.close)]
        change = (head[1] - day[3]) & _LARGEST
        if tick.mode == QUOTE:
            return _packed(_INDEX_QUOTE, [*head, *day, change], tick)
        return _packed(_INDEX_FULL, [*head, *day, change, tick.exchange_time // _SECOND_NS], tick)
    body = [
        *head, tick.last_quantity, price(tick.average_price), tick.volume, tick.buy_quantity,
        tick.sell_quantity, *(price(v) for v in (tick.open, tick.high, tick.low, tick.close)),
    ]  # fmt: skip
    if tick.mode == QUOTE:
        return _packed(_QUOTE, body, tick)
    body += [
        tick.last_trade_time // _SECOND_NS, tick.oi, tick.oi_day_high, tick.oi_day_low,
        tick.exchange_time // _SECOND_NS,
    ]  # fmt: skip
    for side in (tick.buy, tick.sell):
        levels = (*side, *(DepthLevel(0, 0.0, 0),) * 5)[:5]
        for level in levels:
            body += [level.quantity, price(level.price), level.orders]
    return _packed(_FULL, body, tick)


def encode_frame(packets: Iterable[bytes]) -> bytes:
    """Return packets as one frame."""
    known = list(packets)
    parts = [_COUNT.pack(len(known))]
    for packet in known:
        parts += (_COUNT.pack(len(packet)), packet)
    return b"".join(parts)


def tick_of_sdk(row: Mapping[str, Any]) -> Tick:
    """Return a tick as the SDK's `on_ticks` tells it, whose times are naive in the host's zone."""
    ohlc, depth = row.get("ohlc", {}), row.get("depth", {})
    return Tick(
        row["instrument_token"],
        row["last_price"],
        row["mode"],
        row.get("last_traded_quantity", 0),
        row.get("average_traded_price", 0.0),
        row.get("volume_traded", 0),
        row.get("total_buy_quantity", 0),
        row.get("total_sell_quantity", 0),
        ohlc.get("open", 0.0),
        ohlc.get("high", 0.0),
        ohlc.get("low", 0.0),
        ohlc.get("close", 0.0),
        host_local_ns(row.get("last_trade_time")),
        row.get("oi", 0),
        row.get("oi_day_high", 0),
        row.get("oi_day_low", 0),
        host_local_ns(row.get("exchange_timestamp")),
        tuple(DepthLevel(**level) for level in depth.get("buy", ())),
        tuple(DepthLevel(**level) for level in depth.get("sell", ())),
    )


def _decode_ltp(packet: bytes) -> Tick:
    token, price = _LTP.unpack(packet)
    return Tick(token, price / price_divisor(token))


def _decode_index(packet: bytes) -> Tick:
    is_full = len(packet) == _INDEX_FULL.size
    token, *rest = (_INDEX_FULL if is_full else _INDEX_QUOTE).unpack(packet)
    divisor = price_divisor(token)
    last, high, low, opened, close = (value / divisor for value in rest[:5])
    time = rest[6] * _SECOND_NS if is_full else 0
    return Tick(
        token, last, FULL if is_full else QUOTE,
        open=opened, high=high, low=low, close=close, exchange_time=time,
    )  # fmt: skip


def _decode_quote(packet: bytes) -> Tick:
    token, last, quantity, average, volume, wanted, offered, *day = _QUOTE.unpack(packet)
    divisor = price_divisor(token)
    return Tick(
        token, last / divisor, QUOTE, quantity, average / divisor, volume, wanted, offered,
        *(value / divisor for value in day),
    )  # fmt: skip


def _decode_full(packet: bytes) -> Tick:
    values = _FULL.unpack(packet)
    token, last, quantity, average, volume, wanted, offered, opened, high, low, close = values[:11]
    traded, oi, oi_high, oi_low, time = values[11:16]
    divisor = price_divisor(token)
    levels = tuple(
        DepthLevel(values[at], values[at + 1] / divisor, values[at + 2]) for at in range(16, 46, 3)
    )
    return Tick(
        token, last / divisor, FULL, quantity, average / divisor, volume, wanted, offered,
        opened / divisor, high / divisor, low / divisor, close / divisor,
        traded * _SECOND_NS, oi, oi_high, oi_low, time * _SECOND_NS, levels[:5], levels[5:],
    )  # fmt: skip


_READERS = {
    _LTP.size: _decode_ltp,
    _INDEX_QUOTE.size: _decode_index,
    _INDEX_FULL.size: _decode_index,
    _QUOTE.size: _decode_quote,
    _FULL.size: _decode_full,
}


def _packed(form: struct.Struct, values: list[int], tick: Tick) -> bytes:
    try:
        return form.pack(*values)
    except struct.error as fault:
        raise WireError(f"tick of token {tick.instrument_token}: {fault}") from None


def _cut(number: int, count: int, size: int) -> str:
    return f"frame of {size} bytes ends within packet {number + 1} of {count}"
