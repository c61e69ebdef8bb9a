"""Orders, trades and triggers (GTT) as JSON rows.

Source: kite.trade/docs/connect/v3/orders, /gtt, /postbacks; mocks orders.json, trades.json,
order_info.json, postback.json, gtt_get_orders.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brokers.kite.wire.errors import WireError, shown
from brokers.kite.wire.fields import (
    Row,
    flag,
    number,
    row_of,
    rows_of,
    text,
    text_or_none,
    whole,
)
from brokers.kite.wire.times import ist_ns, ist_text


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the day's book, or of a postback. Times are ns UTC, 0 for none.

    exchange_order_id : None before the exchange took it.
    pending_quantity, cancelled_quantity : both may be the remainder of a cancelled order; what was
        not filled is `quantity - filled_quantity`.
    order_type, market_protection : a protected MARKET order may be shown as LIMIT with 0.
    """

    order_id: str
    status: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    transaction_type: str
    order_type: str
    product: str
    quantity: int
    variety: str = "regular"
    validity: str = "DAY"
    price: float = 0.0
    trigger_price: float = 0.0
    average_price: float = 0.0
    filled_quantity: int = 0
    pending_quantity: int = 0
    cancelled_quantity: int = 0
    disclosed_quantity: int = 0
    market_protection: float = 0.0
    exchange_order_id: str | None = None
    parent_order_id: str | None = None
    status_message: str | None = None
    status_message_raw: str | None = None
    order_timestamp: int = 0
    exchange_update_timestamp: int = 0
    exchange_timestamp: int = 0
    modified: bool = False
    tag: str | None = None
    tags: tuple[str, ...] = ()
    guid: str | None = None
    placed_by: str = ""
    validity_ttl: int = 0
    auction_number: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def remaining(self) -> int:
        """What of it is not filled."""
        return self.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill. average_price : of this fill. fill_timestamp, exchange_timestamp : ns UTC.

    order_timestamp : time of the day alone, `HH:MM:SS` IST, as Kite gives it.
    """

    trade_id: str
    order_id: str
    exchange: str
    tradingsymbol: str
    instrument_token: int
    transaction_type: str
    product: str
    quantity: int
    average_price: float
    fill_timestamp: int
    exchange_order_id: str | None = None
    exchange_timestamp: int = 0
    order_timestamp: str = ""


@dataclass(frozen=True, slots=True)
class Gtt:
    """A good-till-triggered order: `single`, or `two-leg` of which one cancels the other.

    orders : the LIMIT orders its triggers place, as Kite's rows; `result` in one is null before.
    """

    id: int
    type: str
    status: str
    exchange: str
    tradingsymbol: str
    trigger_values: tuple[float, ...]
    last_price: float
    orders: tuple[Row, ...]
    user_id: str = ""
    instrument_token: int = 0
    created_at: int = 0
    updated_at: int = 0
    expires_at: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)


def decode_order(value: object) -> Order:
    """Return an order of a JSON row, or of one whose times the SDK has read.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "order")
    quantity, filled = whole(row, "quantity"), whole(row, "filled_quantity", 0)
    return Order(
        text(row, "order_id"),
        text(row, "status"),
        text(row, "exchange", ""),
        text(row, "tradingsymbol"),
        whole(row, "instrument_token", 0),
        text(row, "transaction_type"),
        text(row, "order_type"),
        text(row, "product", ""),
        quantity,
        text(row, "variety", "regular"),
        text(row, "validity", "DAY"),
        number(row, "price", 0.0),
        number(row, "trigger_price", 0.0),
        number(row, "average_price", 0.0),
        filled,
        whole(row, "pending_quantity", quantity - filled),
        whole(row, "cancelled_quantity", 0),
        whole(row, "disclosed_quantity", 0),
        number(row, "market_protection", 0.0),
        text_or_none(row, "exchange_order_id"),
        text_or_none(row, "parent_order_id"),
        text_or_none(row, "status_message"),
        text_or_none(row, "status_message_raw"),
        ist_ns(row.get("order_timestamp"), "order_timestamp"),
        ist_ns(row.get("exchange_update_timestamp"), "exchange_update_timestamp"),
        ist_ns(row.get("exchange_timestamp"), "exchange_timestamp"),
        flag(row, "modified"),
        text_or_none(row, "tag"),
        tuple(map(str, rows_of(row.get("tags") or [], "tags"))),
        text_or_none(row, "guid"),
        text(row, "placed_by", ""),
        whole(row, "validity_ttl", 0),
        text_or_none(row, "auction_number"),
        dict(row_of(row.get("meta") or {}, "meta")),
    )


def encode_order(order: Order) -> dict[str, Any]:
    """Return an order as a row of GET /orders."""
    return {
        "placed_by": order.placed_by,
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        "parent_order_id": order.parent_order_id,
        "status": order.status,
        "status_message": order.status_message,
        "status_message_raw": order.status_message_raw,
        "order_timestamp": ist_text(order.order_timestamp),
        "exchange_update_timestamp": ist_text(order.exchange_update_timestamp),
        "exchange_timestamp": ist_text(order.exchange_timestamp),
        "variety": order.variety,
        "modified": order.modified,
        "exchange": order.exchange,
        "tradingsymbol": order.tradingsymbol,
        "instrument_token": order.instrument_token,
        "order_type": order.order_type,
        "transaction_type": order.transaction_type,
        "validity": order.validity,
        "validity_ttl": order.validity_ttl,
        "product": order.product,
        "quantity": order.quantity,
        "disclosed_quantity": order.disclosed_quantity,
        "price": order.price,
        "trigger_price": order.trigger_price,
        "auction_number": order.auction_number,
        "average_price": order.average_price,
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "cancelled_quantity": order.cancelled_quantity,
        "market_protection": order.market_protection,
        "meta": dict(order.meta),
        "tag": order.tag,
        **({"tags": list(order.tags)} if order.tags else {}),
        "guid": order.guid,
    }


def checksum_of(order_id: str, order_timestamp: str | None, api_secret: str) -> str:
    """Return what a postback proves its origin by: sha256 of id, time as written, and secret."""
    return hashlib.sha256(f"{order_id}{order_timestamp or ''}{api_secret}".encode()).hexdigest()


def encode_postback(order: Order, user_id: str, app_id: int, api_secret: str) -> dict[str, Any]:
    """Return an order as postbacks and the stream carry it."""
    row = encode_order(order)
    return {
        **row,
        "user_id": user_id,
        "app_id": app_id,
        "unfilled_quantity": order.remaining,
        "checksum": checksum_of(order.order_id, row["order_timestamp"], api_secret),
    }


def decode_trade(value: object) -> Trade:
    """Return a fill of a JSON row, or of one whose times the SDK has read.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "trade")
    filled = ist_ns(row.get("fill_timestamp"), "fill_timestamp")
    exchange = ist_ns(row.get("exchange_timestamp"), "exchange_timestamp")
    quantity = whole(row, "quantity")
    if quantity <= 0:
        raise WireError(f"quantity={shown(quantity)}: expected a fill above 0")
    return Trade(
        text(row, "trade_id"),
        text(row, "order_id"),
        text(row, "exchange", ""),
        text(row, "tradingsymbol"),
        whole(row, "instrument_token", 0),
        text(row, "transaction_type"),
        text(row, "product", ""),
        quantity,
        number(row, "average_price"),
        filled or exchange,
        text_or_none(row, "exchange_order_id"),
        exchange,
        str(row.get("order_timestamp") or ""),
    )


def encode_trade(trade: Trade) -> dict[str, Any]:
    """Return a fill as a row of GET /trades."""
    return {
        "trade_id": trade.trade_id,
        "order_id": trade.order_id,
        "exchange": trade.exchange,
        "tradingsymbol": trade.tradingsymbol,
        "instrument_token": trade.instrument_token,
        "product": trade.product,
        "average_price": trade.average_price,
        "quantity": trade.quantity,
        "exchange_order_id": trade.exchange_order_id,
        "transaction_type": trade.transaction_type,
        "fill_timestamp": ist_text(trade.fill_timestamp),
        "order_timestamp": trade.order_timestamp,
        "exchange_timestamp": ist_text(trade.exchange_timestamp or trade.fill_timestamp),
    }


def decode_gtt(value: object) -> Gtt:
    """Return a trigger of a JSON row.

    Raises
    ------
    WireError : a field is missing or not what is documented.
    """
    row = row_of(value, "gtt")
    condition = row_of(row.get("condition"), "condition")
    values = rows_of(condition.get("trigger_values"), "trigger_values")
    orders = rows_of(row.get("orders"), "orders")
    return Gtt(
        whole(row, "id"),
        text(row, "type"),
        text(row, "status", ""),
        text(condition, "exchange", ""),
        text(condition, "tradingsymbol"),
        tuple(number({"trigger_values": item}, "trigger_values") for item in values),
        number(condition, "last_price", 0.0),
        tuple(dict(row_of(item, "orders")) for item in orders),
        text(row, "user_id", ""),
        whole(condition, "instrument_token", 0),
        ist_ns(row.get("created_at"), "created_at"),
        ist_ns(row.get("updated_at"), "updated_at"),
        ist_ns(row.get("expires_at"), "expires_at"),
        dict(row_of(row.get("meta") or {}, "meta")),
    )


def encode_gtt(gtt: Gtt) -> dict[str, Any]:
    """Return a trigger as a row of GET /gtt/triggers."""
    return {
        "id": gtt.id,
        "user_id": gtt.user_id,
        "parent_trigger": None,
        "type": gtt.type,
        "created_at": ist_text(gtt.created_at),
        "updated_at": ist_text(gtt.updated_at),
        "expires_at": ist_text(gtt.expires_at),
        "status": gtt.status,
        "condition": {
            "exchange": gtt.exchange,
            "last_price": gtt.last_price,
            "tradingsymbol": gtt.tradingsymbol,
            "trigger_values": list(gtt.trigger_values),
            "instrument_token": gtt.instrument_token,
        },
        "orders": [dict(order) for order in gtt.orders],
        "meta": dict(gtt.meta),
    }
