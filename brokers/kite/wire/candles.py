"""Historical candles.

Source: kite.trade/docs/connect/v3/historical; mocks historical_minute.json, historical_oi.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from brokers.kite.wire.errors import WireError, shown
from brokers.kite.wire.fields import number, row_of, rows_of
from brokers.kite.wire.times import candle_text, ist_ns

MAX_DAYS = {
    "minute": 60,
    "3minute": 100,
    "5minute": 100,
    "10minute": 100,
    "15minute": 200,
    "30minute": 200,
    "60minute": 400,
    "day": 2000,
}
"""Most days one request may span, by interval."""

INTERVALS = {
    60: "minute",
    180: "3minute",
    300: "5minute",
    600: "10minute",
    900: "15minute",
    1800: "30minute",
    3600: "60minute",
    86_400: "day",
}
"""Interval by its seconds."""

_FIELDS = ("open", "high", "low", "close", "volume", "oi")


class Candle(NamedTuple):
    """One bar. start : ns UTC. oi : open interest, 0 where it was not asked for."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    oi: float = 0.0


def decode_candles(value: object) -> list[Candle]:
    """Return the candles of a reply's data, or of the rows the SDK made of it, oldest first.

    Raises
    ------
    WireError : a row is not what is documented; names it.
    """
    rows = value if isinstance(value, list) else row_of(value, "candles").get("candles")
    return [_decode(row, place) for place, row in enumerate(rows_of(rows, "candles"))]


def _decode(row: object, place: int) -> Candle:
    what = f"candle {place}"
    if isinstance(row, Mapping):
        named: Mapping[str, Any] = row
        start = named.get("date")
    elif isinstance(row, list) and len(row) in (6, 7):
        start, named = row[0], dict(zip(_FIELDS, row[1:], strict=False))
    else:
        raise WireError(f"{what}={shown(row)}: expected time, open, high, low, close, volume")
    ns = ist_ns(start, f"{what}: time")
    if not ns:
        raise WireError(f"{what}: it has no time")
    try:
        opened, high, low, close = (number(named, name) for name in _FIELDS[:4])
        volume, oi = number(named, "volume", 0.0), number(named, "oi", 0.0)
    except WireError as fault:
        raise WireError(f"{what}: {fault}") from None
    return Candle(ns, opened, high, low, close, volume, oi)


def encode_candles(candles: Iterable[Candle], *, with_oi: bool = False) -> dict[str, Any]:
    """Return candles as the data of GET /instruments/historical."""
    rows = []
    for item in candles:
        row = [
            candle_text(item.start),
            item.open,
            item.high,
            item.low,
            item.close,
            int(item.volume),
        ]
        rows.append([*row, int(item.oi)] if with_oi else row)
    return {"candles": rows}
