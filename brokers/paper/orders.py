"""An order as the paper exchange keeps it, and the ways in and out: requests, updates, rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum, IntEnum
from typing import Any

from brokers.port import ProtectionRequest, VenueOrder
from core.events import OrderStatus, OrderUpdate
from core.orders import ChildRequest, OrderKind, OrderRequest, Role, Side, TimeInForce


class Author(Enum):
    """Who made an order: the engine on this account, another hand on it, or the exchange."""

    OURS = "ours"
    HAND = "hand"
    EXCHANGE = "exchange"


@dataclass(slots=True)
class PaperOrder:
    """One order; the fields are the ledger's `ORDER_COLUMNS`.

    number : the exchange's. order_id : the client's, "" for none. book : where it is matched.
    version : grows with each change of its terms. made, changed : market time, ns UTC.
    """

    number: int
    order_id: str
    author: Author
    book: str
    plan_id: str
    symbol: str
    side: Side
    quantity: float
    kind: OrderKind
    role: Role
    price: float | None
    limit_price: float | None
    parent: int
    status: OrderStatus
    filled: float
    reason: str
    version: int
    made: int
    changed: int

    @property
    def venue_id(self) -> str:
        """The exchange's id of it, as it is told."""
        return venue_id(self.number)

    def row(self) -> tuple[Any, ...]:
        """Return it as the ledger keeps it."""
        return (
            self.number, self.order_id or None, self.author.value, self.book, self.plan_id,
            self.symbol, int(self.side), self.quantity, self.kind.name, self.role.name,
            self.price, self.limit_price, self.parent, self.status.name, self.filled,
            self.reason, self.version, self.made, self.changed,
        )  # fmt: skip

    def update(self, now: int) -> OrderUpdate:
        """Return what is told of it."""
        return OrderUpdate(
            self.status,
            self.venue_id,
            self.order_id,
            self.order_id,
            venue_id(self.parent) if self.parent else "",
            self.symbol,
            self.side,
            self.filled,
            quantity=self.quantity,
            price=self.price,
            limit_price=self.limit_price,
            version=self.version,
            reason=self.reason,
            ts_event=now,
        )


def flow_id(ts: int, number: int) -> str:
    """Return the exchange's id of money that belongs to no fill: its time and place among such."""
    return f"{ts}-{number}"


def venue_id(number: int) -> str:
    """Return the id of an order as the exchange tells it, "" for none."""
    return f"P{number}" if number else ""


def number_in(text: str) -> int:
    """Return the number in an id of the exchange's, 0 where there is none."""
    return int(text[1:]) if text[:1] == "P" and text[1:].isdigit() else 0


def order_of(row: Mapping[str, Any]) -> PaperOrder:
    """Return an order as the ledger kept it."""
    names = {
        "author": Author(row["author"]), "side": Side(row["side"]),
        "kind": OrderKind[row["kind"]], "role": Role[row["role"]],
        "status": OrderStatus[row["status"]], "order_id": row["order_id"] or "",
    }  # fmt: skip
    return PaperOrder(**{**row, **names})


def request_of(order: VenueOrder, numbers: list[int], oco: int | None) -> OrderRequest:
    """Return an order in the engine's words, its ids as this exchange's numbers."""
    children = tuple(
        ChildRequest(
            number,
            child.role,
            child.kind,
            child.quantity or order.quantity,
            child.price,
            child.limit_price,
            child.trail_amount,
            child.trail_percent,
            child.stop_to,
        )
        for number, child in zip(numbers[1:], order.children, strict=True)
    )
    return OrderRequest(
        numbers[0],
        order.plan_id,
        order.symbol,
        order.side,
        order.quantity,
        order.kind,
        order.price,
        order.limit_price,
        order.trail_amount,
        order.trail_percent,
        order.time_in_force,
        order.expires,
        oco=oco,
        reduces=order.reduces,
        children=children,
    )


# -- on their way, as plain data -------------------------------------------------------------

_ENUMS: dict[str, type[IntEnum]] = {
    "side": Side, "kind": OrderKind, "role": Role, "time_in_force": TimeInForce,
}  # fmt: skip


def order_to_dict(order: VenueOrder) -> dict[str, Any]:
    """Return an order as plain data, fit for JSON."""
    return asdict(order)


def order_from_dict(values: dict[str, Any]) -> VenueOrder:
    """Return the order that `order_to_dict` was given."""
    children = tuple(ProtectionRequest(**_named(child)) for child in values["children"])
    return VenueOrder(**{**_named(values), "children": children})


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _ENUMS[name](value) if name in _ENUMS else value for name, value in values.items()
    }
