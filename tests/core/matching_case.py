"""How the matching cases are written down: bars as four numbers, orders, and what must happen.

Every rule of the fill model is a five-bar case worked out by hand. Paths: a bar (O, H, L, C) is
walked O-H-L-C or O-L-H-C. Tick 0.1, one unit of money a point and lot, cash 1000, unless a case
says otherwise. An order sent at bar n works from bar n+1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from core.bars import BAR, NEVER_NS
from core.costs import no_costs
from core.instruments import InstrumentFacts
from core.matching.book import Book, market_record
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    FILL_EVENT,
    REASONS,
    SWAP_EVENT,
)
from core.orders import ChildRequest, OrderChange, OrderKind, OrderRequest, Role, Side, TimeInForce
from core.ports import no_limits

HOUR = 3_600_000_000_000
DAY_NS = 24 * HOUR
KINDS = {
    "market": OrderKind.MARKET,
    "limit": OrderKind.LIMIT,
    "stop": OrderKind.STOP,
    "stop_limit": OrderKind.STOP_LIMIT,
    "trail": OrderKind.TRAILING_STOP,
}


def facts(**given: Any) -> InstrumentFacts:
    """Return the facts of an instrument with tick 0.1, lot 1, one unit of money a point."""
    values: dict[str, Any] = {
        "symbol": "X",
        "tick": 0.1,
        "lot": 1.0,
        "multiplier": 1.0,
        "freeze_quantity": float("inf"),
        "margin_fixed": 0.0,
        "margin_rate": 0.0,
        "slippage_ticks": 0.0,
        "spread": 0.0,
        "spread_by_hour": (),
        "price_side": "bid",
        "expiry_weekday": -1,
        "expiry_month_day": 0,
        "cost": no_costs(),
    }
    return InstrumentFacts(**(values | given))


def bars_of(
    rows: Sequence[Sequence[float]],
    *,
    start: int = 0,
    step: int = HOUR,
    starts: Sequence[int] | None = None,
    spread: float | Sequence[float] = 0.0,
    volume: float = 100.0,
) -> np.ndarray[Any, Any]:
    """Return BARs of consecutive hours from (open, high, low, close) rows; days end at 24:00."""
    bars = np.zeros(len(rows), BAR)
    every = start + step * np.arange(len(rows), dtype=np.int64)
    starts = every if starts is None else np.array(starts, np.int64)
    bars["start"], bars["end"] = starts, starts + step
    for i, name in enumerate(("open", "high", "low", "close")):
        bars[name] = [row[i] for row in rows]
    bars["volume"], bars["spread"] = volume, spread
    bars["day"] = starts // DAY_NS
    bars["close_at"] = (starts // DAY_NS + 1) * DAY_NS
    bars["flat_at"] = NEVER_NS
    return bars


def order(
    order_id: int, side: str, quantity: float, kind: str, price: float | None = None, **given: Any
) -> OrderRequest:
    """Return an order in short words; `tif` and `children` ride along."""
    tif = TimeInForce[given.pop("tif", "GTC")]
    return OrderRequest(
        order_id,
        "plan",
        "X",
        Side[side.upper()],
        quantity,
        KINDS[kind],
        price=price,
        time_in_force=tif,
        **given,
    )


def stop(order_id: int, price: float | None, quantity: float = 1, **given: Any) -> ChildRequest:
    """Return a protecting stop; with trail_amount or trail_percent it trails."""
    trails = "trail_amount" in given or "trail_percent" in given
    kind = OrderKind.TRAILING_STOP if trails else OrderKind.STOP
    return ChildRequest(order_id, Role.STOP, kind, quantity, price, **given)


def target(order_id: int, price: float, quantity: float = 1, **given: Any) -> ChildRequest:
    """Return a target leg."""
    return ChildRequest(order_id, Role.TARGET, OrderKind.LIMIT, quantity, price, **given)


QUIET = (100, 100.5, 99.5, 100)
LONG = order(1, "buy", 1, "market", children=(stop(2, 98), target(3, 102)))
SHORT = order(1, "sell", 1, "market", children=(stop(2, 102), target(3, 98)))
TWO = order(
    1, "buy", 2, "market", children=(stop(2, 98, 2), target(3, 102, stop_to=100), target(4, 106))
)


@dataclass(frozen=True)
class Case:
    """One hand-written case.

    sent : (bar at whose close it is sent, request, change, order id to cancel, or "flatten").
    expect : "bar #order what", in order; #0 is a close by the engine itself.
    limits : fields of LIMITS. market : facts that differ; terms : intrabar, limit_fill, ...
    """

    name: str
    rows: Sequence[Sequence[float]]
    sent: Sequence[tuple[int, Any]]
    expect: Sequence[str]
    equity: float | None = None
    balance: float = 1000.0
    market: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    bars: dict[str, Any] = field(default_factory=dict)


def open_book(case: Case) -> Book:
    """Return the book of a case before its first bar."""
    limits = no_limits()
    for name, value in case.limits.items():
        limits[name] = value
    market = market_record(facts(**case.market), **case.terms)
    return Book(market, balance=case.balance, limits=limits)


def said(i: int, event: Any) -> str:
    """Return one event in the words of the cases."""
    head = f"{i} #{event.order_id}"
    reason = REASONS[event.reason]
    if event.kind == FILL_EVENT:
        side = "buy" if event.side > 0 else "sell"
        flag = " ?" if event.ambiguous else ""
        return f"{head} {side} {event.quantity} at {event.price:.10g} {reason}".rstrip() + flag
    if event.kind == CHANGE_EVENT:
        return f"{head} now {event.quantity} at {event.price:.10g}"
    if event.kind == SWAP_EVENT:
        return f"{head} swap {event.costs:g}"
    return f"{head} ends {reason}"


def send(book: Book, what: Any, bar: Any) -> np.ndarray[Any, Any] | None:
    """Send one instruction of a case at the close of a bar."""
    if isinstance(what, OrderRequest):
        book.add(what, day=int(bar.day), after_session=bool(bar.end >= bar.close_at))
        return None
    if isinstance(what, OrderChange):
        assert book.change(what)
        return None
    return book.flatten() if what == "flatten" else book.cancel(int(what))


def play(case: Case, book: Book | None = None) -> tuple[list[str], Book]:
    """Play a case bar by bar; return what was said and the book at the end."""
    book = book or open_book(case)
    bars = bars_of(case.rows, **case.bars)
    told: list[str] = []
    for i in range(len(bars)):
        happened = book.walk(bars, i)
        told += [said(i, event) for event in happened if event.kind != ACTIVE_EVENT]
        for at, what in case.sent:
            if at == i:
                ended = send(book, what, bars[i])
                told += [said(i, event) for event in ([] if ended is None else ended)]
    return told, book


def check(case: Case) -> None:
    """Play a case and compare what was told and the money at its end."""
    told, book = play(case)

    assert told == list(case.expect)
    if case.equity is not None:
        assert book.equity == pytest.approx(case.equity, abs=1e-9)
