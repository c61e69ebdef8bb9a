"""The rows of orders.csv of the backtest broker: columns while a run lasts, rows when read."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

_NONE = float("nan")


class StateLog(Sequence[dict[str, Any]]):
    """One row for each state an order enters (`core.results.ORDER_COLUMNS`), its time in ns.

    What is the same for all states of an order is kept once.
    """

    def __init__(self) -> None:
        self._facts: dict[int, tuple[str, str, str, str, str, int | None]] = {}
        self._words: dict[tuple[str, str], int] = {}
        self._whole = array("q")
        self._numbers = array("d")

    def begin(self, order: Any, plan_id: str, symbol: str, role: str) -> None:
        """Take an order that is about to enter its first state."""
        self._facts[order.ref] = (
            plan_id,
            symbol,
            role,
            "buy" if order.isbuy() else "sell",
            order.getordername(),
            None if order.parent is None else int(order.parent.ref),
        )

    def add(
        self, order: Any, state: str, time: int, reason: str = "", fill_price: float | None = None
    ) -> None:
        """Note the state an order is in now."""
        created = order.created
        price, limit = created.price, created.pricelimit
        words = (state, reason)
        code = self._words.get(words)
        if code is None:
            code = self._words[words] = len(self._words)
        self._whole.extend((order.ref, time, code))
        self._numbers.extend(
            (
                abs(created.size),
                _NONE if price is None else price,
                _NONE if limit is None else limit,
                abs(order.executed.size),
                _NONE if fill_price is None else fill_price,
            )
        )

    def __len__(self) -> int:
        return len(self._whole) // 3

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        order_id, time, code = self._whole[3 * index : 3 * index + 3]
        return self._row(list(self._words), order_id, time, code, 5 * index)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        words = list(self._words)
        whole = iter(self._whole)
        for at, (order_id, time, code) in enumerate(zip(whole, whole, whole, strict=True)):
            yield self._row(words, order_id, time, code, 5 * at)

    def _row(
        self, words: list[tuple[str, str]], order_id: int, time: int, code: int, at: int
    ) -> dict[str, Any]:
        plan_id, symbol, role, side, kind, parent_id = self._facts[order_id]
        quantity, price, limit, filled, fill_price = self._numbers[at : at + 5]
        state, reason = words[code]
        return {
            "order_id": order_id,
            "plan_id": plan_id,
            "symbol": symbol,
            "role": role,
            "side": side,
            "kind": kind,
            "quantity": _plain(quantity),
            "price": _given(price),
            "limit_price": _given(limit),
            "state": state,
            "time": time,
            "filled": _plain(filled),
            "fill_price": _given(fill_price),
            "parent_id": parent_id,
            "reason": reason,
        }


def _given(number: float) -> float | None:
    return None if number != number else number


def _plain(quantity: float) -> float:
    """Return a quantity as a whole number where it is one: how it was asked for is not kept."""
    return int(quantity) if quantity.is_integer() else quantity
