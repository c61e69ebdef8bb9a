"""One plan on a live account: what was heard of its orders, and its position by our own books."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brokers.plan import FillTerms, Ticket, TradedPlan
from core.bars import BAR, NEVER_NS
from core.costs import charge
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.mirror import mirror_fill, mirror_mark
from core.matching.records import FILL_EVENT, Event
from core.orders import OrderRequest, Role, Side
from core.prices import quantity_to_steps
from feeds.bulk import float_day


@dataclass(slots=True)
class LiveTicket(Ticket):
    """An order of ours on its way: what Backtrader was told of it so far.

    order_id : ours, as the venue's client tag. venue_order_id : theirs, "" before it is known.
    plan : whose. family : the ids of its parent and brothers, itself too; the parent first.
    told : fills Backtrader knows. version : of the terms it knows.
    is_held : it waits for its parent and is not at the venue as a working order.
    sent_day, flat_at : terms of time we keep ourselves (`OrderRequest`).
    end_reason : why we ended it, where we did.
    """

    order_id: str = ""
    plan: Any = None
    family: tuple[str, ...] = ()
    venue_order_id: str = ""
    told: set[str] = field(default_factory=set)
    version: int = -1
    is_sent: bool = False
    is_accepted: bool = False
    is_held: bool = False
    is_over: bool = False
    sent_day: int = -1
    end_reason: str = ""
    cancel_asked: bool = False

    @property
    def is_entry(self) -> bool:
        """Whether it may open a position."""
        return self.child is None and not self.request.reduces

    @property
    def is_stop(self) -> bool:
        """Whether it is a protecting stop of a bracket."""
        return self.child is not None and self.child.role is Role.STOP


class LivePlan(TradedPlan):
    """A plan whose executions are heard of.

    Attributes
    ----------
    cell : the bar that is being traded: START, END and day hold, prices do not.
    flat_at, flat_reason : when the open position is to be left, and what that is called.
    unprotected_since : market time since when the position has no working stop; None: it has one,
        or needs none.
    needs_stop : the position was opened by an order that brought a stop.
    """

    def __init__(self, data: Any, instrument: Instrument, plan_id: str, fx: FxRate) -> None:
        super().__init__(data, instrument, plan_id, fx, FillTerms())
        self.cell = np.zeros(1, BAR)
        self.reset(0.0, None)

    def reset(self, balance: float, limits: Any) -> None:
        """Begin a session, flat."""
        super().reset(balance, limits)
        self.cell[:] = 0
        self.cell["day"] = -1
        self.flat_at = NEVER_NS
        self.flat_reason = "flat_time"
        self.unprotected_since: int | None = None
        self.needs_stop = False
        self.last_price = float("nan")

    @property
    def now_day(self) -> float:
        """END of the bar that is being traded, as Backtrader's float day."""
        return float(float_day(int(self.cell["end"][0])))

    @property
    def start(self) -> int:
        """START of the bar that is being traded, ns UTC."""
        return int(self.cell["start"][0])

    @property
    def day(self) -> int:
        """Trading day of the bar that is being traded, -1 before the first."""
        return int(self.cell["day"][0])

    @property
    def open_pnl(self) -> float:
        """Open P&L at the last price, account currency."""
        return float(self.book.books["open_pnl"][0])

    @property
    def margin(self) -> float:
        """Margin its position holds, account currency."""
        return float(self.book.books["margin"][0])

    def steps_of(self, quantity: float) -> int:
        """Return a quantity in lot steps."""
        return int(quantity_to_steps(quantity, self.step))

    def mark(self, price: float, spread: float) -> None:
        """Take a price as the present one."""
        self.last_price = price
        mirror_mark(price, spread, self.book.market, self.book.books)

    def take_execution(
        self, side: Side, quantity: float, price: float, told: tuple[float | None, float | None]
    ) -> tuple[Event, float]:
        """Book an execution; return it as the engine's event, and its costs by our tables.

        told : adverse and favourable excursion where the venue follows the path.
        """
        state = self.book.state
        adverse = float(state.adverse) if told[0] is None else told[0]
        favourable = float(state.favourable) if told[1] is None else told[1]
        steps = self.steps_of(quantity)
        costs = float(
            charge(self._cost, side > 0, quantity, price, self.facts.multiplier) * self.fx
        )
        pnl = mirror_fill(int(side), steps, price, costs, self.book.market, self.book.books)
        now = int(state.steps)
        event = Event(
            0, steps, now, float(state.average), price, costs, pnl, 0.0, adverse, favourable,
            FILL_EVENT, int(side), 0, 0, 0,
        )  # fmt: skip
        return event, costs

    def note_opened(self, request: OrderRequest, was_flat: bool) -> None:
        """Take the terms of time and protection of an order that opened or added."""
        if request.flat_at is not None:
            self.flat_at = request.flat_at if was_flat else min(self.flat_at, request.flat_at)
        self.flat_reason = request.flat_reason
        self.needs_stop = any(child.role is Role.STOP for child in request.children)

    def note_flat(self) -> None:
        """Forget the terms of the position that was left."""
        self.flat_at = NEVER_NS
        self.unprotected_since = None
        self.needs_stop = False
