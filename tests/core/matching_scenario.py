"""Random bars and orders for the matching properties, made from one seed without a library.

Run as a program it prints what happened in a range of seeds, so that the uncompiled engine can be
compared with the compiled one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.matching.book import Book, market_record
from core.orders import OrderRequest
from core.ports import no_limits
from tests.core.matching_case import bars_of, facts, order, stop, target

BARS = 30
KINDS = ("market", "limit", "stop", "stop_limit", "trail")
LIVES = ("GTC", "GTC", "GTC", "DAY", "IOC")


@dataclass
class Scenario:
    """Bars, the orders sent at their closes, and the market they meet."""

    bars: np.ndarray[Any, Any]
    sent: dict[int, list[OrderRequest]]
    market: dict[str, Any]
    terms: dict[str, Any]
    limits: dict[str, float]

    def book(self, **terms: Any) -> Book:
        """Return a fresh book for it; `terms` win."""
        limits = no_limits()
        for name, value in self.limits.items():
            limits[name] = value
        market = market_record(facts(**self.market), **(self.terms | terms))
        return Book(market, balance=1000.0, limits=limits, capacity=4)

    def send(self, book: Book, i: int) -> None:
        """Send what is due at the close of bar i."""
        for request in self.sent.get(i, ()):
            book.add(request, day=int(self.bars[i].day))


def _bars(rng: np.random.Generator, spread: float) -> np.ndarray[Any, Any]:
    """Walk on the tick grid, coarse enough that prices coincide often; some gaps."""
    rows, price = [], 1000
    for _ in range(BARS):
        opening = price + (int(rng.integers(-12, 13)) if rng.random() < 0.2 else 0)
        close = opening + int(rng.integers(-15, 16))
        high = max(opening, close) + int(rng.integers(0, 12))
        low = min(opening, close) - int(rng.integers(0, 12))
        rows.append([value / 10 for value in (opening, high, low, close)])
        price = close
    return bars_of(rows, spread=spread, volume=40.0)


def _children(rng: np.random.Generator, ids: list[int], side: str, at: float, size: int) -> tuple:
    sign = 1 if side == "buy" else -1
    away = int(rng.integers(3, 20)) / 10
    stop_at = round(at - sign * away, 1)
    made = [stop(ids.pop(), stop_at, size)]
    if rng.random() < 0.2:
        made = [stop(ids.pop(), None, size, trail_amount=away)]
    first = round(at + sign * int(rng.integers(3, 20)) / 10, 1)
    if size > 1 and rng.random() < 0.6:
        half = size // 2
        move = at if rng.random() < 0.5 else None
        made.append(target(ids.pop(), first, half, stop_to=move))
        made.append(target(ids.pop(), round(first + sign * away, 1), size - half))
    elif rng.random() < 0.8:
        made.append(target(ids.pop(), first, size))
    return tuple(made)


def _order(rng: np.random.Generator, ids: list[int], at: float) -> OrderRequest:
    side = "buy" if rng.random() < 0.5 else "sell"
    sign = 1 if side == "buy" else -1
    kind = KINDS[int(rng.integers(len(KINDS)))]
    size = int(rng.integers(1, 5))
    away = int(rng.integers(0, 15)) / 10
    given: dict[str, Any] = {"tif": LIVES[int(rng.integers(len(LIVES)))]}
    price = None
    if kind == "limit":
        price = round(at - sign * away, 1)
    elif kind in ("stop", "stop_limit"):
        price = round(at + sign * away, 1)
        given |= {"limit_price": round(price + sign * 0.3, 1)} if kind == "stop_limit" else {}
    elif kind == "trail":
        given["trail_amount"] = away + 0.5
    order_id = ids.pop()
    if rng.random() < 0.7:
        given["children"] = _children(rng, ids, side, price or at, size)
    if rng.random() < 0.2:
        given["reduces"] = "children" not in given
    return order(order_id, side, size, kind, price, **given)


def scenario(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    rng = np.random.default_rng(seed)
    spread = float(rng.choice([0.0, 0.0, 0.1, 0.3]))
    bars = _bars(rng, spread)
    ids = list(range(900, 0, -1))
    sent: dict[int, list[OrderRequest]] = {}
    last: OrderRequest | None = None
    for i in range(0, BARS - 1):
        if rng.random() < 0.35:
            made = _order(rng, ids, float(bars[i].close))
            sent[i] = [made]
            if rng.random() < 0.2:
                other = _order(rng, ids, float(bars[i].close))
                values = {name: getattr(other, name) for name in other.__slots__}
                sent[i].append(OrderRequest(**(values | {"oco": made.order_id})))
            last = made
    assert last is not None
    floors: dict[str, float] = {}
    if rng.random() < 0.3:
        floors = {"day_floor": 1000.0 - float(rng.integers(2, 12))}
    if rng.random() < 0.2:
        floors |= {"trail_floor": 990.0, "trail_amount": 10, "trail_peak": 1000}
        floors |= {"trail_intraday": 1, "trail_lock": 1002.0}
    market = {"slippage_ticks": float(rng.integers(0, 3))}
    if rng.random() < 0.2:
        market["margin_fixed"] = 300.0
    terms: dict[str, Any] = {"intrabar": str(rng.choice(["worst", "best", "nearest"]))}
    if rng.random() < 0.2:
        terms["limit_fill"] = "through"
    if rng.random() < 0.2:
        terms["volume_share"] = 0.05
    return Scenario(bars, sent, market, terms, floors)


def history(seed: int) -> list[tuple[Any, ...]]:
    """Return everything that happened in a scenario, floats in full."""
    made = scenario(seed)
    book = made.book()
    told: list[tuple[Any, ...]] = []
    for i in range(BARS):
        happened = book.walk(made.bars, i)
        told += [(i, *(repr(value) for value in row)) for row in happened.tolist()]
        told.append((i, repr(book.equity), repr(float(book.limits[0].trail_floor))))
        made.send(book, i)
    return told


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        for row in history(number):
            print(number, *row)
