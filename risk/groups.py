"""Order groups: Backtrader orders held until complete, and the request they stand for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backtrader.order import Order

from core.orders import ChildRequest, OrderKind, OrderRequest, Role, Side, TimeInForce
from risk.lean_orders import noted, notes_of
from risk.moment import float_day_to_ns, symbol_of

_KINDS = {
    Order.Market: OrderKind.MARKET,
    Order.Close: OrderKind.MARKET,
    Order.Limit: OrderKind.LIMIT,
    Order.Stop: OrderKind.STOP,
    Order.StopLimit: OrderKind.STOP_LIMIT,
    Order.StopTrail: OrderKind.TRAILING_STOP,
    Order.StopTrailLimit: OrderKind.TRAILING_STOP,
}
_STOPS = (OrderKind.STOP, OrderKind.STOP_LIMIT, OrderKind.TRAILING_STOP)


@dataclass(slots=True)
class Group:
    """A parent order with its children (or one order alone), and its request once built."""

    orders: list[Any] = field(default_factory=list)
    request: OrderRequest | None = None

    @property
    def parent(self) -> Any:
        """The order that opens, or the only one."""
        return self.orders[0]

    def is_alive(self) -> bool:
        """Whether any order of the group may still fill."""
        return any(order.alive() for order in self.orders)

    def working_entry(self) -> float:
        """Quantity of the parent that may still fill; 0 for groups that only reduce."""
        if self.request is None or self.request.reduces or not self.parent.alive():
            return 0.0
        return abs(float(self.parent.executed.remsize))

    def stop_order(self) -> Any | None:
        """Return the protecting stop that still works, None without one."""
        for order in self.orders[1:]:
            if is_stop(order) and order.alive():
                return order
        return None


def pending_exits(groups: Sequence[Group], data: Any) -> float:
    """Return the quantity market exits of a feed's position will still close for certain."""
    return sum(
        abs(float(group.parent.executed.remsize))
        for group in groups
        if group.request is not None
        and group.request.reduces
        and group.request.kind is OrderKind.MARKET
        and group.parent.data is data
        and group.parent.alive()
    )


def is_stop(order: Any) -> bool:
    """Whether an order waits for the price to go against its owner: stop, stop-limit, trail."""
    return _KINDS.get(order.exectype) in _STOPS


def is_day_order(valid: Any) -> bool:
    """Whether Backtrader's `valid` asks for a day order (a zero timedelta, or 0)."""
    if isinstance(valid, datetime.timedelta):
        return not valid
    return not isinstance(valid, datetime.date) and valid is not None and not valid


def build_request(group: Group, plan_id: str, *, reduces: bool) -> OrderRequest:
    """Return the request a complete group stands for.

    Keywords the strategy gave with an order (`flat_at`, `day_only`, `planned_entry`,
    `planned_stop`, `pattern`, `stop_to`, `reason`) are read from `order.info`.
    """
    parent = group.orders[0]
    info, created = notes_of(parent), parent.created
    kind = _KINDS[parent.exectype]
    side = Side.BUY if parent.isbuy() else Side.SELL
    children = tuple([_child(order) for order in group.orders[1:]])
    entry = info.get("planned_entry")
    if entry is None:
        entry = created.pclose if kind is OrderKind.MARKET else created.price
    time_in_force, expires = _validity(parent)
    return OrderRequest(
        order_id=int(parent.ref),
        plan_id=plan_id,
        symbol=symbol_of(parent.data),
        side=side,
        quantity=abs(float(created.size)),
        kind=kind,
        price=_price(parent, kind),
        limit_price=_limit_price(parent, kind),
        trail_amount=created.trailamount,
        trail_percent=created.trailpercent,
        time_in_force=time_in_force,
        expires=expires,
        day_only=bool(info.get("day_only", False)) or time_in_force is TimeInForce.DAY,
        flat_at=info.get("flat_at"),
        oco=_first_of_group(parent),
        reduces=reduces,
        planned_entry=float(entry),
        planned_stop=info.get("planned_stop", _planned_stop(children, side, float(entry))),
        pattern=str(info.get("pattern", "")),
        reason=str(info.get("reason", "")),
        flat_reason=str(info.get("flat_reason", "flat_time")),
        children=children,
    )


def has_wrong_stop(request: OrderRequest, close: float) -> bool:
    """Whether an entry's stop is not on its losing side; a market entry counts at the close."""
    entry = request.price if request.limit_price is None else request.limit_price
    for child in request.children:
        price = child.price
        if child.role is Role.STOP and price is not None:
            distance = (close if entry is None else entry) - price
            if distance * request.side <= 0.0:
                return True
    return False


def _first_of_group(order: Any) -> int | None:
    """Return the order that a one-cancels-other group began with, None outside of one."""
    first = order.oco
    while first is not None and first.oco is not None:
        first = first.oco
    return None if first is None else int(first.ref)


def _price(order: Any, kind: OrderKind) -> float | None:
    """Return the price an order is held at; None for a trail that begins where it starts to work.

    Backtrader shows such a trail at a distance from the close it was sent at.
    """
    if kind is OrderKind.MARKET or (kind is OrderKind.TRAILING_STOP and not order.price):
        return None
    return float(order.created.price)


def trail_distance(order: OrderRequest | ChildRequest, price: float) -> float:
    """Return how far from a price an order that trails begins; 0 for one that does not."""
    return order.trail_amount or price * (order.trail_percent or 0.0)


def _planned_stop(children: Sequence[ChildRequest], side: int, entry: float) -> float | None:
    """Return where the protecting stop stands once the entry fills at its planned price."""
    for child in children:
        if child.role is Role.STOP:
            if child.price is not None:
                return child.price
            return entry - side * trail_distance(child, entry)
    return None


def _limit_price(order: Any, kind: OrderKind) -> float | None:
    if kind is OrderKind.STOP_LIMIT or order.exectype == Order.StopTrailLimit:
        return float(order.created.pricelimit)
    return None


def _validity(order: Any) -> tuple[TimeInForce, int | None]:
    """Return time in force and expiry; `order.valid` is a UTC float day once it is an order."""
    notes = notes_of(order)
    if notes and (notes.get("day_only") or notes.get("valid_day")):
        return TimeInForce.DAY, None
    if not order.valid:
        return TimeInForce.GTC, None
    return TimeInForce.GTD, float_day_to_ns(float(order.valid))


def _child(order: Any) -> ChildRequest:
    kind, created = _KINDS[order.exectype], order.created
    if kind in _STOPS:
        role = Role.STOP
    else:
        role = Role.TARGET if kind is OrderKind.LIMIT else Role.EXIT
    return ChildRequest(
        order_id=int(order.ref),
        role=role,
        kind=kind,
        quantity=abs(float(created.size)),
        price=_price(order, kind),
        limit_price=_limit_price(order, kind),
        trail_amount=created.trailamount,
        trail_percent=created.trailpercent,
        stop_to=noted(order, "stop_to"),
    )
