"""Kite's words and ours, one table a fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brokers.contracts import Contract
from brokers.kite import wire
from brokers.kite.config import KiteConfig
from brokers.port import OrderChangeRequest, VenueOrder
from core.calendar import day_number
from core.events import OrderStatus
from core.orders import OrderKind, Side, TimeInForce
from core.prices import round_down, round_up

STATUSES = {
    "PUT ORDER REQ RECEIVED": OrderStatus.RECEIVED,
    "VALIDATION PENDING": OrderStatus.RECEIVED,
    "OPEN PENDING": OrderStatus.RECEIVED,
    "AMO REQ RECEIVED": OrderStatus.RECEIVED,
    "OPEN": OrderStatus.WORKING,
    "TRIGGER PENDING": OrderStatus.WORKING,
    "MODIFY VALIDATION PENDING": OrderStatus.WORKING,
    "MODIFY PENDING": OrderStatus.WORKING,
    "MODIFIED": OrderStatus.WORKING,
    "CANCEL PENDING": OrderStatus.WORKING,
    "UPDATE": OrderStatus.WORKING,
    "COMPLETE": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
}
"""What is known of an order by its status; a status that is not documented is a sign of life."""

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
SIDE_NAMES = {side: name for name, side in SIDES.items()}
_VALIDITIES = {TimeInForce.DAY: "DAY", TimeInForce.IOC: "IOC"}
_STOPS = ("SL", "SL-M")

_FUTURES = {
    ("NFO", "NIFTY"): "NIFTY-FUT",
    ("NFO", "BANKNIFTY"): "BANKNIFTY-FUT",
    ("MCX", "GOLDM"): "GOLDM",
}
"""Our symbol of a future by exchange and name of what it is of."""
_INDICES = {"NIFTY 50": "NIFTY50"}

GUARD_TAG = "tolagtt"
"""What the tags of orders begin with that leave in place of a trigger: the broker sent none."""

MAPPING_VERSION = "1"
"""Changes when a contract would be read otherwise: kept lists of another version are fetched."""


def symbol_of(row: wire.InstrumentRow) -> str | None:
    """Return our symbol of a contract; None for one that is none of ours."""
    if row.segment == "INDICES":
        return _INDICES.get(row.tradingsymbol)
    if row.instrument_type != "FUT":
        return None
    return _FUTURES.get((row.exchange, row.name))


def contract_of(row: wire.InstrumentRow, units: float = 1.0) -> Contract | None:
    """Return a row of the contract list in our words; None for one that is none of ours.

    The list tells no multiplier. What it calls the lot of an MCX future has meant several things,
    so that is left to our table and to `units`.
    """
    symbol = symbol_of(row)
    if symbol is None:
        return None
    is_future = row.instrument_type == "FUT"
    return Contract(
        symbol,
        row.tradingsymbol,
        str(row.instrument_token),
        row.exchange,
        expiry=None if row.expiry is None else day_number(row.expiry),
        tick=row.tick_size or None,
        lot=float(row.lot_size) if is_future and row.exchange == "NFO" else None,
        currency="INR",
        venue_units=units,
    )


def order_type(order: VenueOrder, config: KiteConfig) -> str:
    """Return Kite's type of an order."""
    if order.kind is OrderKind.STOP:
        return config.stop_order
    return {
        OrderKind.MARKET: "MARKET",
        OrderKind.LIMIT: "LIMIT",
        OrderKind.STOP_LIMIT: "SL",
    }[order.kind]


def place_terms(
    order: VenueOrder, contract: Contract, config: KiteConfig, tick: float
) -> dict[str, Any]:
    """Return the arguments of the SDK's `place_order` for an order.

    Raises
    ------
    ValueError : its quantity is no whole number of lots.
    """
    kind = order_type(order, config)
    terms: dict[str, Any] = {
        "variety": "regular",
        "exchange": contract.exchange,
        "tradingsymbol": contract.venue_symbol,
        "transaction_type": SIDE_NAMES[order.side],
        "quantity": whole_units(contract, order.quantity),
        "product": order.product or config.product,
        "order_type": kind,
        "validity": _VALIDITIES[order.time_in_force],
        "tag": order.order_id,
    }
    return terms | _prices(kind, order.price, order.limit_price, order.side, config, tick)


def _prices(
    kind: str,
    price: float | None,
    limit: float | None,
    side: Side,
    config: KiteConfig,
    tick: float,
) -> dict[str, Any]:
    if kind == "MARKET":
        return {"market_protection": config.market_protection}
    if kind == "LIMIT":
        return {"price": price}
    if kind == "SL-M":
        return {"trigger_price": price, "market_protection": config.market_protection}
    assert price is not None
    return {"trigger_price": price, "price": _sl_limit(price, limit, side, config, tick)}


def _sl_limit(
    price: float, limit: float | None, side: Side, config: KiteConfig, tick: float
) -> float:
    """Return the limit of a stop that must have one: its own, else far beyond the trigger."""
    if limit is not None:
        return limit
    reach = config.stop_limit_ticks * tick
    far = round_up(price + reach, tick) if side is Side.BUY else round_down(price - reach, tick)
    return float(max(far, tick))


@dataclass(frozen=True, slots=True)
class SentTerms:
    """What a change of an order must know of it. kind : Kite's order type. tick : of its price."""

    kind: str
    side: Side
    contract: Contract
    tick: float


def change_terms(change: OrderChangeRequest, sent: SentTerms, config: KiteConfig) -> dict[str, Any]:
    """Return the arguments of the SDK's `modify_order`, the order's id apart.

    Raises
    ------
    ValueError : its quantity is no whole number of lots.
    """
    terms: dict[str, Any] = {"variety": "regular", "order_type": sent.kind, "validity": "DAY"}
    if change.quantity is not None:
        terms["quantity"] = whole_units(sent.contract, change.quantity)
    if sent.kind == "SL-M":
        terms["market_protection"] = config.market_protection
    if sent.kind in _STOPS and change.price is not None:
        terms["trigger_price"] = change.price
        if sent.kind == "SL":
            terms["price"] = _sl_limit(
                change.price, change.limit_price, sent.side, config, sent.tick
            )
    elif sent.kind == "LIMIT" and change.price is not None:
        terms["price"] = change.price
    if sent.kind == "SL" and change.price is None and change.limit_price is not None:
        terms["price"] = change.limit_price
    return terms


def whole_units(contract: Contract, quantity: float) -> int:
    """Return a quantity of ours in the exchange's units.

    Raises
    ------
    ValueError : it is no whole number of lots.
    """
    return round(contract.to_venue(quantity))


@dataclass(frozen=True, slots=True)
class Prices:
    """Where an order stands, in our words; None where the venue does not say."""

    price: float | None
    limit_price: float | None


def prices_of(order: wire.Order) -> Prices:
    """Return where an order stands.

    A stop keeps its trigger whatever the venue has made of it since: protected market orders are
    shown as LIMIT. A price without a trigger is a limit's, unless the order was sent at market.
    """
    if order.trigger_price > 0:
        return Prices(order.trigger_price, order.price if order.order_type == "SL" else None)
    return Prices(order.price if order.order_type == "LIMIT" and order.price else None, None)
