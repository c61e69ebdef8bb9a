"""Quotes asked for.

Source: kite.trade/docs/connect/v3/market-quotes; mocks quote.json, ohlc.json, ltp.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brokers.kite.wire.fields import Row, number, row_of, rows_of, whole
from brokers.kite.wire.packets import DepthLevel
from brokers.kite.wire.times import ist_ns, ist_text


@dataclass(frozen=True, slots=True)
class Quote:
    """One instrument now. Fields that `ohlc`, `ltp` or an index do not carry are 0 or empty.

    timestamp, last_trade_time : ns UTC, 0 where none is told.
    """

    instrument_token: int
    last_price: float
    timestamp: int = 0
    last_trade_time: int = 0
    last_quantity: int = 0
    buy_quantity: int = 0
    sell_quantity: int = 0
    volume: int = 0
    average_price: float = 0.0
    oi: float = 0.0
    oi_day_high: float = 0.0
    oi_day_low: float = 0.0
    net_change: float = 0.0
    lower_circuit_limit: float = 0.0
    upper_circuit_limit: float = 0.0
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    buy: tuple[DepthLevel, ...] = ()
    sell: tuple[DepthLevel, ...] = ()


def decode_quote(value: object) -> Quote:
    """Return one instrument's entry of /quote, /quote/ohlc or /quote/ltp.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "quote")
    day, depth = row_of(row.get("ohlc") or {}, "ohlc"), row_of(row.get("depth") or {}, "depth")
    return Quote(
        whole(row, "instrument_token"),
        number(row, "last_price"),
        ist_ns(row.get("timestamp"), "timestamp"),
        ist_ns(row.get("last_trade_time"), "last_trade_time"),
        whole(row, "last_quantity", 0),
        whole(row, "buy_quantity", 0),
        whole(row, "sell_quantity", 0),
        whole(row, "volume", 0),
        number(row, "average_price", 0.0),
        number(row, "oi", 0.0),
        number(row, "oi_day_high", 0.0),
        number(row, "oi_day_low", 0.0),
        number(row, "net_change", 0.0),
        number(row, "lower_circuit_limit", 0.0),
        number(row, "upper_circuit_limit", 0.0),
        number(day, "open", 0.0),
        number(day, "high", 0.0),
        number(day, "low", 0.0),
        number(day, "close", 0.0),
        _decode_side(depth, "buy"),
        _decode_side(depth, "sell"),
    )


def _decode_side(depth: Row, side: str) -> tuple[DepthLevel, ...]:
    levels = [row_of(item, side) for item in rows_of(depth.get(side) or [], side)]
    return tuple(
        DepthLevel(whole(row, "quantity", 0), number(row, "price", 0.0), whole(row, "orders", 0))
        for row in levels
    )


def encode_quote(quote: Quote, *, is_index: bool = False) -> dict[str, Any]:
    """Return an entry of /quote; an index has neither depth nor volume."""
    head = {
        "instrument_token": quote.instrument_token,
        "timestamp": ist_text(quote.timestamp),
        "last_trade_time": ist_text(quote.last_trade_time),
        "last_price": quote.last_price,
        "net_change": quote.net_change,
        "ohlc": {
            "open": quote.open, "high": quote.high, "low": quote.low, "close": quote.close,
        },
    }  # fmt: skip
    if is_index:
        del head["last_trade_time"]
        return head
    return head | {
        "last_quantity": quote.last_quantity,
        "buy_quantity": quote.buy_quantity,
        "sell_quantity": quote.sell_quantity,
        "volume": quote.volume,
        "average_price": quote.average_price,
        "oi": quote.oi,
        "oi_day_high": quote.oi_day_high,
        "oi_day_low": quote.oi_day_low,
        "lower_circuit_limit": quote.lower_circuit_limit,
        "upper_circuit_limit": quote.upper_circuit_limit,
        "depth": {
            "buy": [level._asdict() for level in quote.buy],
            "sell": [level._asdict() for level in quote.sell],
        },
    }
