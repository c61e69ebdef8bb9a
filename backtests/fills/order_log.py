"""The rows of orders.csv, kept as columns while a run lasts and made when they are read."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backtrader.order import Order

from backtests.fills.stock_records import role_of
from risk.moment import symbol_of

_STATES = {
    Order.Submitted: "submitted",
    Order.Accepted: "accepted",
    Order.Partial: "partial",
    Order.Completed: "filled",
    Order.Canceled: "cancelled",
    Order.Expired: "expired",
    Order.Margin: "margin",
    Order.Rejected: "rejected",
}
_FILLED = (Order.Partial, Order.Completed)
_NONE = float("nan")


class OrderLog(Sequence[dict[str, Any]]):
    """One row for each state an order enters (`core.results.ORDER_COLUMNS`), its time in ns."""

    def __init__(self, plan_of: Callable[[Any], str]) -> None:
        self._plan_of = plan_of
        self._orders: list[Any] = []
        self._reasons: dict[int, str] = {}  # by row; most rows have none
        self._states = bytearray()
        self._times = array("q")
        self._numbers = array("d")

    def add(self, order: Any, time: int, reason: str, reduces: bool) -> None:
        """Note the state an order is in now."""
        executed, created, status = order.executed, order.created, order.status
        is_filled = status in _FILLED and len(executed)
        price, limit = created.price, created.pricelimit
        if reason:
            self._reasons[len(self._orders)] = reason
        self._orders.append(order)
        self._states.append(status | reduces << 4)
        self._times.append(time)
        self._numbers.extend(
            (
                created.size,
                _NONE if price is None else price,
                _NONE if limit is None else limit,
                executed.size,
                executed.exbits[-1].price if is_filled else _NONE,
            )
        )

    def __len__(self) -> int:
        return len(self._orders)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        order = self._orders[index]
        size, price, limit, filled, fill_price = self._numbers[5 * index : 5 * index + 5]
        whole = isinstance(order.created.size, int)
        return {
            "order_id": int(order.ref),
            "plan_id": self._plan_of(order.data),
            "symbol": symbol_of(order.data),
            "role": role_of(order, not self._states[index] >> 4).name.lower(),
            "side": "buy" if order.isbuy() else "sell",
            "kind": order.getordername(),
            "quantity": _number(abs(size), whole),
            "price": _given(price),
            "limit_price": _given(limit),
            "state": _STATES[self._states[index] & 15],
            "time": self._times[index],
            "filled": _number(abs(filled), whole),
            "fill_price": _given(fill_price),
            "parent_id": None if order.parent is None else int(order.parent.ref),
            "reason": self._reasons.get(index, ""),
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))


def _given(number: float) -> float | None:
    return None if number != number else number


def _number(value: float, is_whole: bool) -> float:
    return int(value) if is_whole else value
