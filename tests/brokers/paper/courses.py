"""A market's whole course and a random engine on it, as one numbered list of steps.

The same list is played to a paper account that never stops and to one that is stopped somewhere;
it can be run in a process of its own, which is killed.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brokers.paper.ledger import PaperLedger
from brokers.paper.venue import PaperVenue
from brokers.port import OrderChangeRequest, ProtectionRequest, VenueOrder
from core.bars import BAR
from core.calendar import get_calendar
from core.events import PositionUpdate
from core.fx import constant_rate
from core.instruments import get_instrument
from core.orders import OrderKind, Role, Side, TimeInForce
from core.path_ticks import path_ticks
from core.zones import NS_PER_MINUTE

FIRST = 1_704_150_000_000_000_000  # 2024-01-01 23:00 UTC, gold's first open of the year
DOLLARS = constant_rate("USD", "USD", 1.0)
PLANS = {"gold": ("XAUUSD", 15), "slow": ("XAUUSD", 60), "mini": ("MGC", 15)}
"""Plan -> symbol and minutes of its bars; prices are told by bars of five minutes."""
FINEST = 5 * NS_PER_MINUTE


def instrument(symbol: str) -> Any:
    swaps = {"swap_long": 3.0, "swap_short": -1.5, "swap_triple_weekday": 2}
    return get_instrument(symbol, swaps if symbol == "XAUUSD" else {})


class Course:
    """Random prices of two instruments over some days, and what an engine would be told.

    Attributes
    ----------
    moments : ENDs at which all that was told before is over.
    """

    def __init__(self, seed: int, days: int = 3) -> None:
        self._calendar = get_calendar("CMEGlobex_GC")
        self.now = 0
        self._series: dict[tuple[str, int], Any] = {}
        for place, symbol in enumerate(("XAUUSD", "MGC")):
            fine = self._walk(100 * seed + place, days, symbol)
            self._series[symbol, FINEST] = fine
        for symbol, minutes in PLANS.values():
            step = minutes * NS_PER_MINUTE
            self._series[symbol, step] = self._built(self._series[symbol, FINEST], step)
        ends = [series["end"] for series in self._series.values()]
        self.moments = [int(end) for end in np.unique(np.concatenate(ends))]

    def _walk(self, seed: int, days: int, symbol: str) -> Any:
        draw = np.random.default_rng(seed)
        starts = self._calendar.expected_starts(FIRST, FIRST + days * 86_400 * 10**9, FINEST)
        bars = np.zeros(len(starts), BAR)
        bars["start"] = starts
        self._calendar.annotate(bars, FINEST)
        steps = draw.normal(0.0, 1.2, (len(bars), 4)).cumsum(axis=1)
        gaps = np.where(draw.random(len(bars)) < 0.02, draw.normal(0.0, 5.0, len(bars)), 0.0)
        before = 2000.0 + np.concatenate([[0.0], (steps[:-1, 3] + gaps[:-1]).cumsum()]) + gaps
        paths = np.round((before[:, None] + np.column_stack([np.zeros(len(bars)), steps])) * 5) / 5
        bars["open"], bars["close"] = paths[:, 0], paths[:, 4]
        bars["high"], bars["low"] = paths.max(axis=1), paths.min(axis=1)
        bars["volume"], bars["spread"] = 100.0, 0.2
        kept: Any = bars[draw.random(len(bars)) > 0.02]
        return kept

    def _built(self, fine: Any, step: int) -> Any:
        """Bars of a longer step, as a feed builds them of what was told."""
        rows = []
        for start in np.unique(self._calendar.grid_starts(fine["start"], step)):
            cell = np.zeros(1, BAR)
            cell["start"] = start
            self._calendar.annotate(cell, step)
            inside = fine[(fine["start"] >= start) & (fine["start"] < int(cell["end"][0]))]
            cell["open"], cell["close"] = inside["open"][0], inside["close"][-1]
            cell["high"], cell["low"] = inside["high"].max(), inside["low"].min()
            cell["volume"], cell["spread"] = inside["volume"].sum(), 0.2
            rows.append(cell)
        return np.concatenate(rows)

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        bars = self._series[symbol, timeframe_ns]
        low = int(np.searchsorted(bars["start"], start))
        high = int(np.searchsorted(bars["end"], min(end, self.now), side="right"))
        return bars[low : max(low, high)].copy()

    def told_until(self, before: int, end: int) -> Iterator[tuple[str, Any]]:
        """Yield (symbol, bar) of the finest bars that end in (before, end], as they are told."""
        for symbol in ("XAUUSD", "MGC"):
            bars = self._series[symbol, FINEST]
            for bar in bars[(bars["end"] > before) & (bars["end"] <= end)]:
                yield symbol, bar

    def bar_at(self, plan_id: str, ts: int) -> Any:
        symbol, minutes = PLANS[plan_id]
        bars = self._series[symbol, minutes * NS_PER_MINUTE]
        return bars[int(np.searchsorted(bars["start"], ts, side="right")) - 1]


class Driver:
    """Tells a venue the course as an engine does, one call a step; remembers what has begun."""

    def __init__(self, course: Course, venue: PaperVenue) -> None:
        self.course = course
        self.venue = venue
        self._open: dict[str, Any] = {}

    def play(self, before: int, end: int) -> Iterator[None]:
        """Tell all of one moment; yield after each call of the venue."""
        for symbol, bar in self.course.told_until(before, end):
            for tick in path_ticks(np.array([bar]), 0.1):
                ts = int(tick["ts_event"])
                yield from self._finish(ts)
                for plan_id, (traded, _) in PLANS.items():
                    if traded == symbol and plan_id not in self._open:
                        self._open[plan_id] = self.course.bar_at(plan_id, ts)
                        self.venue.begin_bar(plan_id, self._open[plan_id])
                        yield
                self.venue.see(symbol, np.array([tick]))
                yield
        yield from self._finish(end)
        self.course.now = end

    def _finish(self, now: int) -> Iterator[None]:
        for plan_id in PLANS:
            bar = self._open.get(plan_id)
            if bar is not None and int(bar["end"]) <= now:
                del self._open[plan_id]
                self.venue.finish_bar(plan_id, bar)
                yield


def venue_on(course: Course, path: Path | None, emit: Any, **terms: Any) -> PaperVenue:
    venue = PaperVenue(emit, course, 100_000.0, ledger=PaperLedger(path, synced=False), **terms)
    for plan_id, (symbol, minutes) in PLANS.items():
        venue.add_plan(plan_id, instrument(symbol), DOLLARS, minutes * NS_PER_MINUTE, FINEST)
    return venue


class Orders:
    """Random requests with ids of their own, drawn at the end of a moment."""

    def __init__(self, seed: int, course: Course) -> None:
        self._draw = random.Random(seed)
        self._course = course
        self._count = 0
        self._sent: list[str] = []
        self._held: dict[str, str] = {}

    def hear(self, event: Any) -> None:
        """Note which positions there are on a hedging account."""
        if isinstance(event, PositionUpdate) and event.position_id:
            self._held[event.position_id] = event.symbol
            if not event.quantity:
                del self._held[event.position_id]

    def send(self, venue: PaperVenue) -> None:
        """Send one request."""
        draw = self._draw
        self._count += 1
        if len(self._held) > 3:
            held = draw.choice(list(self._held))
            venue.close_position(self._count, self._held[held], held)
            return
        what = draw.choice(("order", "order", "order", "cancel", "move"))
        if what == "order" or not self._sent:
            order = self._order(f"o{self._count}")
            self._sent.append(order.order_id)
            venue.submit(self._count, order)
            return
        order_id = draw.choice(self._sent[-6:]) + draw.choice(("", ".s", ".t"))
        if what == "cancel":
            venue.cancel(self._count, order_id, "")
        else:
            away = draw.randint(-20, 20) / 5
            price = float(self._course.bar_at("gold", self._course.now - 1)["close"]) + away
            venue.modify(self._count, OrderChangeRequest(order_id, "", price=price))

    def _order(self, order_id: str) -> VenueOrder:
        draw = self._draw
        plan_id = draw.choice(list(PLANS))
        symbol = PLANS[plan_id][0]
        close = float(self._course.bar_at(plan_id, self._course.now - 1)["close"])
        side = draw.choice((Side.BUY, Side.SELL))
        quantity = draw.choice((1.0, 2.0, 4.0)) * (0.01 if symbol == "XAUUSD" else 1.0)
        kind = draw.choice((OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP))
        reach = draw.randint(5, 60) / 5
        away = {OrderKind.MARKET: 0.0, OrderKind.LIMIT: -2.0, OrderKind.STOP: 2.0}[kind]
        price = close + side * away
        children: tuple[ProtectionRequest, ...] = ()
        if draw.random() < 0.7:
            trail = draw.random() < 0.3
            stop = ProtectionRequest(
                f"{order_id}.s", Role.STOP, None if trail else price - side * reach,
                OrderKind.TRAILING_STOP if trail else OrderKind.STOP, quantity,
                trail_amount=reach if trail else None,
            )  # fmt: skip
            target = ProtectionRequest(
                f"{order_id}.t", Role.TARGET, price + side * reach, OrderKind.LIMIT, quantity
            )
            children = (stop, target)
        tif = draw.choice((TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD))
        expires = self._course.now + draw.randint(1, 40) * 15 * NS_PER_MINUTE
        return VenueOrder(
            order_id, plan_id, symbol, side, quantity, kind, Role.ENTRY,
            price=None if kind is OrderKind.MARKET else price, time_in_force=tif,
            expires=expires if tif is TimeInForce.GTD else None, children=children,
        )  # fmt: skip


def books_of(path: Path) -> Mapping[str, Any]:
    """All that an account's file says of orders, fills and money."""
    ledger = PaperLedger(path, read_only=True)
    found = {
        "orders": ledger.orders(), "fills": ledger.fills(), "cash": ledger.cash(),
        "balance": (ledger.load() or {})["balance"],
    }  # fmt: skip
    ledger.close()
    return found


def run(task: Mapping[str, Any], tell: Any) -> None:
    """Play a course with random requests; tell (step, event) of everything the venue told."""
    course = Course(task["seed"], task["days"])
    step = [0]
    orders = Orders(task["seed"], course)

    def hear(event: Any) -> None:
        orders.hear(event)
        tell(step[0], event)

    venue = venue_on(course, Path(task["path"]), hear, **task["terms"])
    venue.connect(FIRST)
    driver = Driver(course, venue)
    before = FIRST
    chance = random.Random(task["seed"])
    for end in course.moments:
        for _ in driver.play(before, end):
            step[0] += 1
        before = end
        if chance.random() < task["rate"]:
            orders.send(venue)
            step[0] += 1
    venue.disconnect()


def _child() -> None:
    """Run a course and write each event told as a line; the parent kills this process."""
    out = sys.stdout

    def tell(step: int, event: Any) -> None:
        out.write(json.dumps([step, type(event).__name__, *_told(event)]) + "\n")
        out.flush()

    run(json.loads(sys.argv[1]), tell)
    out.write('["done"]\n')


def _told(event: Any) -> list[Any]:
    name = type(event).__name__
    if name == "Execution":
        return [event.fill_id, event.venue_order_id, event.quantity, event.price]
    if name == "OrderUpdate":
        return [event.venue_order_id, event.status.name, event.version, event.order_id]
    if name == "Answer":
        return [event.order_id, event.outcome.name, event.venue_order_id]
    return []


if __name__ == "__main__":
    _child()
