"""Positions, funds and the margin of an order as JSON.

Source: kite.trade/docs/connect/v3/portfolio, /user, /margins; mocks positions.json, margins.json,
order_margins.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brokers.kite.wire.fields import Row, flag, number, numbers, row_of, rows_of, text, whole

_PARTS = ("quantity", "price", "value", "m2m")
_FLOWS = (
    *(f"{side}_{part}" for side in ("buy", "sell") for part in _PARTS),
    *(f"day_{side}_{part}" for side in ("buy", "sell") for part in _PARTS[:3]),
)
_AVAILABLE = ("adhoc_margin", "cash", "opening_balance", "live_balance", "collateral",
              "intraday_payin")  # fmt: skip
_UTILISED = ("debits", "exposure", "m2m_realised", "m2m_unrealised", "option_premium", "payout",
             "span", "holding_sales", "turnover", "liquid_collateral", "stock_collateral",
             "delivery")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Position:
    """One row of a position book. quantity : signed, in the exchange's units.

    multiplier : money a unit of price and quantity. flows : buy_quantity, buy_price, ... by name.
    """

    tradingsymbol: str
    exchange: str
    instrument_token: int
    product: str
    quantity: int
    average_price: float
    multiplier: float = 1.0
    overnight_quantity: int = 0
    close_price: float = 0.0
    last_price: float = 0.0
    value: float = 0.0
    pnl: float = 0.0
    m2m: float = 0.0
    unrealised: float = 0.0
    realised: float = 0.0
    flows: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Positions:
    """net : what is held. day : what was done today."""

    net: tuple[Position, ...] = ()
    day: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class MarginSegment:
    """Funds of the equity or the commodity segment, rupees. net : what is free."""

    net: float
    enabled: bool = True
    available: Mapping[str, float] = field(default_factory=dict)
    utilised: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderMargin:
    """What an order would block and cost, rupees.

    charges : transaction_tax, brokerage, ... without the `gst` object, whose total is `gst`.
    """

    tradingsymbol: str
    exchange: str
    total: float
    span: float = 0.0
    exposure: float = 0.0
    leverage: float = 1.0
    charges: Mapping[str, float] = field(default_factory=dict)


def decode_positions(value: object) -> Positions:
    """Return both position books of GET /portfolio/positions.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "positions")
    return Positions(
        tuple(map(_decode_position, rows_of(row.get("net"), "net"))),
        tuple(map(_decode_position, rows_of(row.get("day"), "day"))),
    )


def _decode_position(value: object) -> Position:
    row = row_of(value, "position")
    return Position(
        text(row, "tradingsymbol"),
        text(row, "exchange", ""),
        whole(row, "instrument_token", 0),
        text(row, "product", ""),
        whole(row, "quantity"),
        number(row, "average_price"),
        number(row, "multiplier", 1.0),
        whole(row, "overnight_quantity", 0),
        number(row, "close_price", 0.0),
        number(row, "last_price", 0.0),
        number(row, "value", 0.0),
        number(row, "pnl", 0.0),
        number(row, "m2m", 0.0),
        number(row, "unrealised", 0.0),
        number(row, "realised", 0.0),
        {name: number(row, name, 0.0) for name in _FLOWS if name in row},
    )


def encode_positions(positions: Positions) -> dict[str, Any]:
    """Return both books as the data of GET /portfolio/positions."""
    return {
        "net": [_encode_position(item) for item in positions.net],
        "day": [_encode_position(item) for item in positions.day],
    }


def _encode_position(position: Position) -> dict[str, Any]:
    return {
        "tradingsymbol": position.tradingsymbol,
        "exchange": position.exchange,
        "instrument_token": position.instrument_token,
        "product": position.product,
        "quantity": position.quantity,
        "overnight_quantity": position.overnight_quantity,
        "multiplier": position.multiplier,
        "average_price": position.average_price,
        "close_price": position.close_price,
        "last_price": position.last_price,
        "value": position.value,
        "pnl": position.pnl,
        "m2m": position.m2m,
        "unrealised": position.unrealised,
        "realised": position.realised,
        **{name: position.flows.get(name, 0.0) for name in _FLOWS},
    }


def decode_margins(value: object) -> dict[str, MarginSegment]:
    """Return the funds of GET /user/margins by segment (equity, commodity).

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "margins")
    return {str(name): _decode_segment(row[name]) for name in row}


def _decode_segment(value: object) -> MarginSegment:
    row = row_of(value, "margins")
    return MarginSegment(
        number(row, "net"),
        flag(row, "enabled"),
        numbers(row, "available"),
        numbers(row, "utilised"),
    )


def encode_margins(segments: Mapping[str, MarginSegment]) -> dict[str, Any]:
    """Return funds as the data of GET /user/margins."""
    return {
        name: {
            "enabled": segment.enabled,
            "net": segment.net,
            "available": {key: segment.available.get(key, 0.0) for key in _AVAILABLE},
            "utilised": {key: segment.utilised.get(key, 0.0) for key in _UTILISED},
        }
        for name, segment in segments.items()
    }


def decode_order_margins(value: object) -> list[OrderMargin]:
    """Return what each order of POST /margins/orders would block and cost.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    return [_decode_order_margin(item) for item in rows_of(value, "order margins")]


def _decode_order_margin(value: object) -> OrderMargin:
    row = row_of(value, "order margin")
    return OrderMargin(
        text(row, "tradingsymbol"),
        text(row, "exchange", ""),
        number(row, "total"),
        number(row, "span", 0.0),
        number(row, "exposure", 0.0),
        number(row, "leverage", 1.0),
        _charges(row_of(row.get("charges") or {}, "charges")),
    )


def _charges(row: Row) -> dict[str, float]:
    gst = row_of(row.get("gst") or {}, "gst")
    plain = {
        name: number(row, name)
        for name in row
        if isinstance(row[name], int | float) and not isinstance(row[name], bool)
    }
    return {**plain, "gst": number(gst, "total", 0.0)} if gst else plain


def encode_order_margins(margins: Sequence[OrderMargin]) -> list[dict[str, Any]]:
    """Return margins as the data of POST /margins/orders."""
    return [
        {
            "type": "equity",
            "tradingsymbol": item.tradingsymbol,
            "exchange": item.exchange,
            "span": item.span,
            "exposure": item.exposure,
            "option_premium": 0.0,
            "additional": 0.0,
            "bo": 0.0,
            "cash": 0.0,
            "var": 0.0,
            "pnl": {"realised": 0.0, "unrealised": 0.0},
            "leverage": item.leverage,
            "charges": {
                **{name: value for name, value in item.charges.items() if name != "gst"},
                "transaction_tax_type": "stt",
                "gst": {"igst": item.charges.get("gst", 0.0), "cgst": 0.0, "sgst": 0.0,
                        "total": item.charges.get("gst", 0.0)},
            },
            "total": item.total,
        }
        for item in margins
    ]  # fmt: skip
