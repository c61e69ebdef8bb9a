"""Order groups: Backtrader orders held until complete, and the request they stand for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backtrader.order import Order

from core.orders import ChildRequest, OrderKind, OrderRequest, Role, Side, TimeInForce
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


@dataclass
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
    parent = group.parent
    info = parent.info
    kind = _kind_of(parent)
    children = tuple(_child(order) for order in group.orders[1:])
    price = None if kind is OrderKind.MARKET else float(parent.created.price)
    stop = next((child.price for child in children if child.role is Role.STOP), None)
    entry = info.get("planned_entry")
    time_in_force, expires = _validity(parent)
    return OrderRequest(
        order_id=int(parent.ref),
        plan_id=plan_id,
        symbol=symbol_of(parent.data),
        side=Side.BUY if parent.isbuy() else Side.SELL,
        quantity=abs(float(parent.created.size)),
        kind=kind,
        price=price,
        limit_price=_limit_price(parent),
        trail_amount=parent.created.trailamount,
        trail_percent=parent.created.trailpercent,
        time_in_force=time_in_force,
        expires=expires,
        day_only=bool(info.get("day_only", False)) or time_in_force is TimeInForce.DAY,
        flat_at=info.get("flat_at"),
        oco=None if parent.p.oco is None else int(parent.p.oco.ref),
        reduces=reduces,
        planned_entry=float(_planned_price(parent, price) if entry is None else entry),
        planned_stop=info.get("planned_stop", stop),
        pattern=str(info.get("pattern", "")),
        reason=str(info.get("reason", "")),
        children=children,
    )


def _kind_of(order: Any) -> OrderKind:
    return _KINDS[order.exectype]


def _planned_price(order: Any, price: float | None) -> float:
    return float(order.created.pclose) if price is None else price


def _limit_price(order: Any) -> float | None:
    if order.exectype in (Order.StopLimit, Order.StopTrailLimit):
        return float(order.created.pricelimit)
    return None


def _validity(order: Any) -> tuple[TimeInForce, int | None]:
    """Return time in force and expiry; `order.valid` is a UTC float day once it is an order."""
    if order.info.get("day_only") or order.info.get("valid_day"):
        return TimeInForce.DAY, None
    if not order.valid:
        return TimeInForce.GTC, None
    return TimeInForce.GTD, float_day_to_ns(float(order.valid))


def _child(order: Any) -> ChildRequest:
    kind = _kind_of(order)
    if kind in _STOPS:
        role = Role.STOP
    else:
        role = Role.TARGET if kind is OrderKind.LIMIT else Role.EXIT
    return ChildRequest(
        order_id=int(order.ref),
        role=role,
        kind=kind,
        quantity=abs(float(order.created.size)),
        price=None if kind is OrderKind.MARKET else float(order.created.price),
        limit_price=_limit_price(order),
        trail_amount=order.created.trailamount,
        trail_percent=order.created.trailpercent,
        stop_to=order.info.get("stop_to"),
    )
