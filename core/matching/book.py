"""A book for Python callers: the engine's arrays, and orders in the project's own words."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from core.bars import NEVER_NS
from core.compile import shared
from core.instruments import InstrumentFacts
from core.matching.bar import drop_ended, start_events, walk_bars
from core.matching.brackets import end_tree, slot_of
from core.matching.floors import cancel_all, trail_stop
from core.matching.prices_at import equity_at
from core.matching.records import (
    ASKED,
    CANCEL_EVENT,
    EVENT,
    INTRABAR,
    LIMIT_ORDER,
    MARKET,
    PRICE_SIDES,
    REQUESTED_FLAT,
    TARGET,
    WAITING,
    WORKING,
    Slot,
    new_book,
    new_events,
    new_orders,
)
from core.matching.tick import NO_ROOM, play_ticks
from core.orders import (
    ChildRequest,
    OrderChange,
    OrderKind,
    OrderRequest,
    Role,
    Side,
    TimeInForce,
)
from core.ports import LIMITS, no_limits
from core.prices import quantity_to_steps, round_down, round_up, steps_to_quantity

Array = np.ndarray[Any, Any]
LimitFill = Literal["touch", "through"]

NO_SPANS = np.zeros((0, 2), np.int64)
NO_NIGHTS = np.zeros((0, 2), np.int32)
NO_MARKS = np.zeros((2, 0))
"""What `walk_bars` takes where there is no finer file, no swap, nothing to mark."""


@shared
def count_in(market: Any, step: float, margin_fixed: float) -> None:
    """Let a MARKET record count in steps of this quantity.

    margin_fixed : quote money per 1.0 of quantity.
    """
    market.lot = step
    market.step_value = step * market.multiplier * market.fx
    market.margin_fixed = margin_fixed * step * market.fx


def market_record(
    facts: InstrumentFacts,
    *,
    fx: float = 1.0,
    intrabar: str = "worst",
    limit_fill: LimitFill = "touch",
    volume_share: float | None = None,
    step: float | None = None,
) -> Array:
    """Return a one-item MARKET array of an instrument's facts on one day.

    Parameters
    ----------
    facts : the instrument's facts that day.
    fx : account currency per unit of quote currency.
    intrabar : worst, best, nearest, drill or ticks.
    limit_fill : touch fills a limit at its price, through only beyond it.
    volume_share : share of each bar's volume that may be traded (0..1]; None: no limit.
    step : quantity that orders and positions are counted in; None: the lot.
    """
    step = facts.lot if step is None else step
    market = np.zeros(1, MARKET)
    record = market[0]
    buy_share, sell_share = PRICE_SIDES[facts.price_side]
    record.tick, record.multiplier, record.fx = facts.tick, facts.multiplier, fx
    count_in(record, step, facts.margin_fixed)
    record.slippage = facts.slippage_ticks * facts.tick
    record.margin_rate = facts.margin_rate
    record.volume_share = volume_share or 0.0
    record.buy_share, record.sell_share = buy_share, sell_share
    record.through = limit_fill == "through"
    record.intrabar = INTRABAR[intrabar]
    market["cost"] = facts.cost
    return market


@shared
def price_on_tick(price: float, kind: int, role: int, side: int, tick: float) -> float:
    """Return an order's price on the tick (see `order_price`); nan stays nan."""
    if price != price:
        return price
    down = side > 0
    if kind != LIMIT_ORDER or role == TARGET:
        down = not down
    return round_down(price, tick) if down else round_up(price, tick)


def order_price(price: float | None, kind: OrderKind, role: Role, side: Side, tick: float) -> float:
    """Return a price as it is sent, on the tick: entry limits never worse than asked, targets
    toward the entry, stops away from the market; nan for None."""
    return math.nan if price is None else price_on_tick(price, kind, role, side, tick)


class Book:
    """One plan's working orders and position on one instrument.

    Parameters
    ----------
    market : one-item MARKET array (`market_record`); replace it when a day's facts change.
    balance : realised money of the account at the start, account currency.
    limits : the guard's one-item LIMITS array; its floors are tested inside bars.
    discrete : ticks are trades (a floor met at one tick closes at the next).

    Notes
    -----
    Every method that can change orders returns the events it caused (a view that the next call
    overwrites). Equity and balance belong to the account; with several books the owner copies
    the balance in before a walk and out after it.
    """

    def __init__(
        self,
        market: Array,
        *,
        balance: float = 0.0,
        limits: Array | None = None,
        discrete: bool = False,
        capacity: int = 16,
    ) -> None:
        self.market = market
        self.limits = no_limits() if limits is None else limits
        self.books = new_book(balance)
        self.books["discrete"] = discrete
        self.orders = new_orders(capacity)
        self.events = new_events(capacity)
        self.trials = np.zeros(3, LIMITS)

    @property
    def state(self) -> Any:
        """The BOOK record in force."""
        return self.books[0]

    @property
    def steps(self) -> int:
        """Signed position in lot steps."""
        return int(self.books["steps"][0])

    @property
    def quantity(self) -> float:
        """Signed position in lots, contracts or units, free of float dust."""
        steps = self.steps
        size = float(steps_to_quantity(abs(steps), float(self.market["lot"][0])))
        return size if steps >= 0 else -size

    @property
    def balance(self) -> float:
        """Realised money, account currency."""
        return float(self.books["balance"][0])

    @property
    def equity(self) -> float:
        """Balance and open P&L at the last price, account currency."""
        return float(equity_at(self.books["price"][0], self.market[0], self.books[0]))

    def working(self) -> Array:
        """Return the order slots that work or wait, oldest first (a copy)."""
        slots: Array = self.orders[0, : self.state.count]
        alive: Array = slots[(slots["status"] == WORKING) | (slots["status"] == WAITING)]
        return alive.copy()

    def slot(self, order_id: int) -> Any:
        """Return the live slot of a working or waiting order, None if it has ended."""
        k = slot_of(order_id, self.books[0], self.orders[0])
        if k < 0 or self.orders[0, k].status not in (WORKING, WAITING):
            return None
        return self.orders[0, k]

    def set_price(self, base: float, spread: float) -> None:
        """Take a base price and a spread as the present ones, where no bar is walked."""
        self.books["price"][0] = base
        self.books["buy_add"][0] = spread * self.market["buy_share"].item(0)
        self.books["sell_sub"][0] = spread * self.market["sell_share"].item(0)

    def add(self, request: OrderRequest, *, day: int, after_session: bool = False) -> list[int]:
        """Take an order with its children; it works from the next price on.

        Parameters
        ----------
        request : quantities below one lot step are the caller's to refuse.
        day : trading day of the bar at whose close it is sent.
        after_session : that bar was the session's last: a DAY order belongs to the next day.

        Returns
        -------
        list of int
            Lot steps of the order and of each child.
        """
        waits_a_day = request.time_in_force is TimeInForce.DAY and not request.day_only
        oco = 0 if request.oco is None else self._join_group(request.oco)
        role = Role.EXIT if request.reduces else Role.ENTRY
        order = self._slot(request, request.side, role, WORKING)._replace(
            oco=oco,
            tif=request.time_in_force,
            expires=NEVER_NS if request.expires is None else request.expires,
            flat_at=NEVER_NS if request.flat_at is None else request.flat_at,
            day_only=request.day_only,
            day=-1 if waits_a_day and after_session else day,
            reduces=request.reduces,
            has_children=len(request.children) > 0,
        )
        k = self._put(order)
        if request.kind is OrderKind.TRAILING_STOP and request.price is None:
            trail_stop(self.orders[0, k], self.market[0], self.books[0])
        steps = [order.quantity]
        side = Side.SELL if request.side is Side.BUY else Side.BUY
        for child in request.children:
            slot = self._slot(child, side, child.role, WAITING, request.order_id)
            self._put(slot)
            steps.append(slot.quantity)
        return steps

    @property
    def _tick(self) -> float:
        return self.market["tick"].item(0)  # type: ignore[no-any-return]

    def _join_group(self, first_id: int) -> int:
        """Return the key of an order's group, 0 if no other order of it is left."""
        first = self.slot(first_id)
        if first is not None:
            first.oco = first_id
        elif first_id not in self.working()["oco"]:
            return 0
        return first_id

    def _slot(
        self,
        wanted: OrderRequest | ChildRequest,
        side: Side,
        role: Role,
        status: int,
        parent: int = 0,
    ) -> Slot:
        """Return an order slot with what every order has; the rest as it is for a child."""
        tick, kind = self._tick, wanted.kind
        stop_to = wanted.stop_to if isinstance(wanted, ChildRequest) else None
        return Slot(
            order_id=wanted.order_id,
            parent=parent,
            oco=0,
            expires=NEVER_NS,
            flat_at=NEVER_NS,
            quantity=quantity_to_steps(wanted.quantity, self.market["lot"].item(0)),
            filled=0,
            open_steps=0,
            price=order_price(wanted.price, kind, role, side, tick),
            limit=order_price(wanted.limit_price, OrderKind.LIMIT, role, side, tick),
            trail_amount=wanted.trail_amount or 0.0,
            trail_percent=wanted.trail_percent or 0.0,
            stop_to=order_price(stop_to, OrderKind.STOP, Role.STOP, side, tick),
            day=-1,
            status=status,
            side=side,
            kind=kind,
            role=role,
            tif=TimeInForce.GTC,
            day_only=0,
            triggered=0,
            reduces=0,
            has_children=0,
        )

    def _put(self, slot: Slot) -> int:
        """Write a slot after the last and return its number."""
        k: int = self.books["count"].item(0)
        if k == self.orders.shape[1]:
            self._grow()
        self.books["count"][0] = k + 1
        self.orders[0, k] = slot
        return k

    def _grow(self) -> None:
        capacity = 2 * self.orders.shape[1]
        orders = new_orders(capacity)
        orders[:, : self.orders.shape[1]] = self.orders
        self.orders = orders
        self.events = new_events(capacity)

    def split_steps(self, parts: int) -> None:
        """Count everything in steps of a smaller size, `parts` to one of before."""
        self.books["steps"] *= parts
        for name in ("quantity", "filled", "open_steps"):
            self.orders[name] *= parts

    def _happened(self) -> Array:
        happened = self.events[0, : self.state.events]
        drop_ended(self.books[0], self.orders[0])
        return happened

    def cancel(self, order_id: int) -> Array:
        """End a working or waiting order; children of a parent not yet filled end with it."""
        start_events(self.books)
        if self.slot(order_id) is not None:
            k = slot_of(order_id, self.books[0], self.orders[0])
            end_tree(k, CANCEL_EVENT, ASKED, self.books[0], self.orders[0], self.events[0])
        return self._happened()

    def flatten(self, reason: int = REQUESTED_FLAT) -> Array:
        """End every order; the position closes at the next price with this reason code."""
        start_events(self.books)
        cancel_all(reason, self.books[0], self.orders[0], self.events[0])
        if self.steps != 0:
            self.state.closing = reason
        return self._happened()

    def change(self, change: OrderChange) -> bool:
        """Change a working or waiting order; False if it has ended.

        A stop inside a bracket keeps following the open quantity whatever is asked.
        """
        order = self.slot(change.order_id)
        if order is None:
            return False
        kind, role, side = OrderKind(order.kind), Role(order.role), Side(order.side)
        if change.price is not None:
            order.price = order_price(change.price, kind, role, side, self._tick)
        if change.limit_price is not None:
            order.limit = order_price(change.limit_price, OrderKind.LIMIT, role, side, self._tick)
        if change.quantity is not None and not (role is Role.STOP and order.parent):
            steps = quantity_to_steps(change.quantity, float(self.market["lot"][0]))
            order.quantity = max(0, steps - order.filled)
        return True

    def walk(self, bars: Array, i: int) -> Array:
        """Play bar i of a BAR array and return what happened."""
        self.play(bars, i, i + 1, until_event=False)
        return self.events[0, : self.state.events]

    def drill(self, bars: Array, i: int, lower: Array, first: int, last: int) -> Array:
        """Play bar i through the bars lower[first:last] of a finer file."""
        spans = np.full((len(bars), 2), (first, last), np.int64)
        self.play(bars, i, i + 1, until_event=False, lower=lower, spans=spans)
        return self.events[0, : self.state.events]

    def play(
        self,
        bars: Array,
        first: int,
        stop: int,
        *,
        until_event: bool,
        lower: Array | None = None,
        spans: Array = NO_SPANS,
        nights: Array = NO_NIGHTS,
        marks: Array = NO_MARKS,
    ) -> int:
        """Play bars first .. stop-1 (see `walk_bars`); return the first one not played."""
        return walk_bars(
            bars, first, stop, until_event, bars if lower is None else lower, spans, nights,
            self.market, self.books, self.orders, self.limits, self.trials, self.events, marks,
        )  # fmt: skip

    def walk_ticks(
        self,
        bars: Array,
        i: int,
        ticks: Array,
        first: int,
        stop: int,
        *,
        nights: Array = NO_NIGHTS,
    ) -> Array:
        """Play bar i through the prices first .. stop-1 of a TICK array; return what happened.

        The event list grows with what the bar brings.
        """
        while True:
            count = play_ticks(
                bars, i, ticks, first, stop, nights,
                self.market, self.books, self.orders, self.limits, self.trials, self.events,
            )  # fmt: skip
            if count != NO_ROOM:
                return self.events[0, :count]
            self.events = np.zeros((3, 2 * self.events.shape[1]), EVENT)
