"""A paper account with a market under it, for tests: prices are shown, all that is told is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from brokers.paper.ledger import PaperLedger
from brokers.paper.venue import PaperVenue
from brokers.port import OrderChangeRequest, ProtectionRequest, VenueOrder
from core.bars import BAR
from core.events import Answer, Event, Execution, OrderUpdate, PositionUpdate, Snapshot
from core.fx import constant_rate
from core.instruments import Instrument, get_instrument
from core.orders import OrderKind, Role, Side
from core.path_ticks import path_ticks
from core.ticks import OPENS_BAR, TICK, TRADE

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
KINDS = {
    "market": OrderKind.MARKET, "limit": OrderKind.LIMIT, "stop": OrderKind.STOP,
    "stop_limit": OrderKind.STOP_LIMIT, "trail": OrderKind.TRAILING_STOP,
}  # fmt: skip
DOLLARS = constant_rate("USD", "USD", 1.0)


def priced(symbol: str) -> Instrument:
    """An instrument without costs, with its margin."""
    return get_instrument(symbol).without_costs()


def free(symbol: str = "MGC") -> Instrument:
    """An instrument without costs and margin."""
    return get_instrument(symbol).without_costs().without_margin()


def order(order_id: str, side: str, quantity: float, kind: str = "market", **given: Any) -> Any:
    """An order of plan gold on MGC in short words."""
    values: dict[str, Any] = {"plan_id": "gold", "symbol": "MGC", "role": Role.ENTRY} | given
    return VenueOrder(
        order_id=order_id, side=Side[side.upper()], quantity=quantity, kind=KINDS[kind], **values
    )


def stop(order_id: str, price: float, quantity: float = 1.0) -> ProtectionRequest:
    """A protecting stop."""
    return ProtectionRequest(order_id, Role.STOP, price, quantity=quantity)


def target(order_id: str, price: float, quantity: float = 1.0, **given: Any) -> ProtectionRequest:
    """A target leg."""
    return ProtectionRequest(
        order_id, Role.TARGET, price, OrderKind.LIMIT, quantity=quantity, **given
    )


def bracket(
    order_id: str, side: str, quantity: float, low: float, high: float, **given: Any
) -> Any:
    """A market entry with a stop and a target at two prices, whichever way round."""
    lose, win = (low, high) if side == "buy" else (high, low)
    children = (stop(f"{order_id}.s", lose, quantity), target(f"{order_id}.t", win, quantity))
    return order(order_id, side, quantity, children=children, **given)


class Market:
    """Hourly bars of a symbol that a venue may be asked for; only what is over is history."""

    def __init__(self) -> None:
        self.bars: dict[str, list[Any]] = {}

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        rows = [
            bar
            for bar in self.bars.get(symbol, ())
            if bar["start"] >= start
            and bar["end"] <= end
            and bar["end"] - bar["start"] == timeframe_ns
        ]
        return np.array(rows, BAR) if rows else np.zeros(0, BAR)


class Desk:
    """A venue, its market, and everything it has told.

    Prices are shown one by one with `price`; the hours begin and end by themselves.
    """

    def __init__(
        self,
        path: Path | None = None,
        plans: dict[str, str] | None = None,
        *,
        margin: bool = False,
        **terms: Any,
    ) -> None:
        self._margin = margin
        self.told: list[Event] = []
        self.market = Market()
        self.path = path
        self.plans = plans or {"gold": "MGC"}
        self.terms = {"discrete": True, **terms}
        self.now = 0
        self.requests = 0
        self._open: dict[str, Any] = {}
        self.venue = self._venue()
        self.venue.connect(0)

    def _venue(self) -> PaperVenue:
        venue = PaperVenue(
            self.told.append, self.market, 10_000.0, ledger=PaperLedger(self.path), **self.terms
        )
        for plan_id, symbol in self.plans.items():
            venue.add_plan(plan_id, (priced if self._margin else free)(symbol), DOLLARS, HOUR)
        return venue

    def restart(self, now: int | None = None) -> None:
        """Die without a word, and open the account again."""
        self.venue.ledger.close()
        self.venue = self._venue()
        self.told.clear()
        self._open.clear()
        self.venue.connect(self.now if now is None else now)

    # -- the market --------------------------------------------------------------------------

    def price(
        self,
        price: float,
        symbol: str = "MGC",
        volume: float = 100.0,
        after: int = MINUTE,
        flags: int = TRADE,
        spread: float = 0.0,
    ) -> list[Event]:
        """Show a price a minute after the last; return what was told of it."""
        first = len(self.told)
        self.now += after
        self._roll(symbol)
        tick = np.zeros(1, TICK)
        tick["ts_event"], tick["price"], tick["volume"] = self.now, price, volume
        tick["spread"], tick["flags"] = spread, flags
        tick["bid"] = tick["ask"] = np.nan
        self.venue.see(symbol, tick)
        return self.told[first:]

    def prices(self, *prices: float, **given: Any) -> list[Event]:
        """Show several."""
        first = len(self.told)
        for price in prices:
            self.price(price, **given)
        return self.told[first:]

    def _roll(self, symbol: str) -> None:
        for plan_id, traded in self.plans.items():
            cell = self._open.get(plan_id)
            if cell is not None and self.now >= int(cell["end"]):
                self.venue.finish_bar(plan_id, cell)
                cell = None
            if cell is None and traded == symbol:
                cell = cell_of(self.now)
                self.venue.begin_bar(plan_id, cell)
            self._open[plan_id] = cell

    def bar(self, row: tuple[float, float, float, float], symbol: str = "MGC") -> list[Event]:
        """Play a whole hour as a replay tells it; it is history then."""
        first = len(self.told)
        bar = self.add_bar(row, symbol)
        mine = [plan_id for plan_id, traded in self.plans.items() if traded == symbol]
        for plan_id in mine:
            self.venue.begin_bar(plan_id, bar)
        for tick in path_ticks(np.array([bar]), 0.1):
            self.venue.see(symbol, np.array([tick]))
        for plan_id in mine:
            self.venue.finish_bar(plan_id, bar)
        return self.told[first:]

    def add_bar(self, row: tuple[float, float, float, float], symbol: str = "MGC") -> Any:
        """Let an hour pass that nobody is told of."""
        bar = cell_of(self.now)
        for name, value in zip(("open", "high", "low", "close"), row, strict=True):
            bar[name] = value
        bar["volume"] = 100.0
        self.market.bars.setdefault(symbol, []).append(bar)
        self.now = int(bar["end"])
        return bar

    # -- requests ----------------------------------------------------------------------------

    def submit(self, wanted: VenueOrder) -> list[Event]:
        return self._ask(self.venue.submit, wanted)

    def modify(self, order_id: str, **terms: Any) -> list[Event]:
        return self._ask(self.venue.modify, OrderChangeRequest(order_id, "", **terms))

    def cancel(self, order_id: str) -> list[Event]:
        return self._ask(self.venue.cancel, order_id, "")

    def close(self, symbol: str = "MGC", position_id: str = "") -> list[Event]:
        return self._ask(self.venue.close_position, symbol, position_id)

    def _ask(self, verb: Any, *wanted: Any) -> list[Event]:
        first = len(self.told)
        self.requests += 1
        verb(self.requests, *wanted)
        return self.told[first:]

    # -- what was told -----------------------------------------------------------------------

    def snapshot(self, since: int = 0) -> Snapshot:
        """What the venue says it holds."""
        self.venue.request_snapshot(0, since)
        found = self.told.pop()
        assert isinstance(found, Snapshot)
        return found

    @property
    def fills(self) -> list[tuple[str, str, float, float]]:
        """(our id or "", side, quantity, price) of every execution told."""
        return fills_in(self.told)

    @property
    def positions(self) -> dict[str, float]:
        """Quantity by position id (hedging) or symbol, by a snapshot; flat ones left out."""
        found = self.snapshot().positions
        return {item.position_id or item.symbol: item.quantity for item in found if item.quantity}

    @property
    def working(self) -> dict[str, tuple[str, float, float | None]]:
        """(status, quantity, price) of orders not ended by our id, or the venue's for others'."""
        return {
            item.order_id or item.venue_order_id: (item.status.name, item.quantity, item.price)
            for item in self.snapshot().orders
            if not item.status.is_end
        }


def cell_of(now: int) -> Any:
    """The hour a time lies in, as the bar that begins; days end at 24:00."""
    bar = np.zeros(1, BAR)[0]
    bar["start"] = now // HOUR * HOUR
    bar["end"] = bar["start"] + HOUR
    bar["day"] = now // (24 * HOUR)
    bar["close_at"] = (int(bar["day"]) + 1) * 24 * HOUR
    return bar


def fills_in(events: list[Event]) -> list[tuple[str, str, float, float]]:
    """(our id or "", side, quantity, price) of the executions among events."""
    return [
        (item.order_id, item.side.name.lower(), item.quantity, item.price)
        for item in events
        if isinstance(item, Execution)
    ]


def answers_in(events: list[Event]) -> list[tuple[str, str, str, str]]:
    """(verb, outcome, our id, reason) of the answers among events."""
    return [
        (item.verb.name, item.outcome.name, item.order_id, item.reason)
        for item in events
        if isinstance(item, Answer)
    ]


def states_in(events: list[Event]) -> list[tuple[str, str]]:
    """(our id or the venue's, status) of the order updates among events."""
    return [
        (item.order_id or item.venue_order_id, item.status.name)
        for item in events
        if isinstance(item, OrderUpdate)
    ]


def positions_in(events: list[Event]) -> list[tuple[str, float]]:
    """(symbol or id, quantity) of the position updates among events."""
    return [
        (item.position_id or item.symbol, item.quantity)
        for item in events
        if isinstance(item, PositionUpdate)
    ]


__all__ = [
    "HOUR", "MINUTE", "OPENS_BAR", "Desk", "Market", "answers_in", "bracket", "cell_of",
    "fills_in", "free", "order", "positions_in", "states_in", "stop", "target",
]  # fmt: skip
