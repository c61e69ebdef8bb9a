"""One plan on one instrument as Backtrader sees it: facts of the day, position, sizes, executions.

Shared by every broker of ours. It books nothing by itself: the backtest broker walks its orders
through bars, the live broker hears executions; both write what happened onto Backtrader's objects
here, in the same words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import backtrader as bt
import numpy as np

from brokers.commission import InstrumentCommission
from core.bars import BAR
from core.costs import charges_of
from core.fx import FxRate
from core.instruments import Instrument, InstrumentFacts
from core.ledger import Planned
from core.matching.book import Array, Book, LimitFill, market_record
from core.matching.prices_at import side_price
from core.matching.records import Event
from core.orders import ChildRequest, OrderRequest, Role
from core.prices import common_step, steps_to_quantity


@dataclass(frozen=True, slots=True)
class FillTerms:
    """How fills are modelled, for all plans of a broker."""

    intrabar: str = "worst"
    limit_fill: LimitFill = "touch"
    volume_share: float | None = None


@dataclass(slots=True)
class Ticket:
    """A Backtrader order and what it is in the book. `remaining` is in lot steps."""

    order: Any
    request: OrderRequest
    child: ChildRequest | None
    remaining: int

    @property
    def reason(self) -> str:
        """The reason the strategy gave for its fill, empty for none (children have none)."""
        return self.request.reason if self.child is None else ""

    @property
    def role(self) -> Role:
        """What the order is for."""
        if self.child is not None:
            return self.child.role
        return Role.EXIT if self.request.reduces else Role.ENTRY


class TradedPlan:
    """A plan's feed, facts and position.

    Attributes
    ----------
    book : the compiled engine's arrays. tickets : Backtrader orders by order id.
    position : Backtrader's view of the position, free of float dust. position_shown : a copy of
        it as it stands, for those who ask.
    live : there is a position or an order at work.
    facts, fx : in force on the current bar's day.
    step : quantity of one step of the book: the lot, but after the lot has changed while the book
        was at work, what both lots are made of.
    """

    def __init__(
        self, data: Any, instrument: Instrument, plan_id: str, fx: FxRate, terms: FillTerms
    ) -> None:
        self.data = data
        self.instrument = instrument
        self.plan_id = plan_id
        self.symbol = instrument.symbol
        self.fx_rate = fx
        self.terms = terms
        self.commission = InstrumentCommission()

    def reset(self, balance: float, limits: Array | None) -> None:
        """Begin a run, flat."""
        bars = getattr(self.data, "bars", None)
        first = bars[0] if bars is not None and len(bars) else np.zeros(1, BAR)[0]
        self._use(self.instrument.facts(int(first.day)), self.fx_rate.at(int(first.start)))
        self.step = self.facts.lot
        self.book = Book(self._market(), balance=balance, limits=limits)
        self.tickets: dict[int, Ticket] = {}
        self.position = bt.Position()
        self.position_shown = self.position.clone()
        self.position_steps = 0
        self.live = False
        self.owner: Any = None
        self._sizes: dict[int, tuple[int, float]] = {}

    # -- facts -------------------------------------------------------------------------------

    def _use(self, facts: InstrumentFacts, fx: float) -> None:
        self.facts = facts
        self.fx = fx
        self.point_value = facts.multiplier * fx
        self.commission.use(facts, fx)
        self._cost = facts.cost[0]
        self._has_swap = bool(facts.cost["swap_long"][0] or facts.cost["swap_short"][0])

    def _market(self) -> Array:
        return market_record(
            self.facts,
            fx=self.fx,
            intrabar=self.terms.intrabar,
            limit_fill=self.terms.limit_fill,
            volume_share=self.terms.volume_share,
            step=self.step,
        )

    def begin_day(self, day: int, ts: int) -> None:
        """Take the facts and the exchange rate of a trading day."""
        facts, fx = self.instrument.facts(day), self.fx_rate.at(ts)
        if facts is self.facts and fx == self.fx and self.step == facts.lot:
            return
        self._use(facts, fx)
        is_idle = not self.live and not any(steps for steps, _ in self._sizes.values())
        self._take_step(facts.lot if is_idle else common_step(self.step, facts.lot))
        self.book.market[:] = self._market()

    def _take_step(self, step: float) -> None:
        """Count in other steps from now on: what is held and working keeps its quantity."""
        parts = round(self.step / step)
        self.step = step
        if parts <= 1:
            return
        self.book.split_steps(parts)
        self.position_steps *= parts
        for ticket in self.tickets.values():
            ticket.remaining *= parts
        self._sizes = {key: (steps * parts, held) for key, (steps, held) in self._sizes.items()}

    @property
    def now_day(self) -> float:
        """END of the bar that is being traded, as Backtrader's float day."""
        return float(self.data.datetime[0])

    # -- money -------------------------------------------------------------------------------

    def leaves_at(self, base: float) -> float:
        """Return what the position would be left at if the price of the file were `base`."""
        state = self.book.state
        side = -1 if self.position_steps > 0 else 1
        return float(side_price(base, side, self.book.market[0], state))

    def planned(self, request: OrderRequest) -> Planned:
        """Return what an entry was planned as, for the trade table."""
        stops = [child.price for child in request.children if child.role is Role.STOP]
        targets = [child.price for child in request.children if child.role is Role.TARGET]
        stop = request.planned_stop
        return Planned(
            entry=request.planned_entry if request.planned_entry is not None else request.price,
            stop=stop if stop is not None else next(iter(stops), None),
            target=targets[-1] if targets else None,
            pattern=request.pattern,
        )

    def costs_by_kind(self, is_buy: bool, quantity: float, price: float) -> dict[str, float]:
        """Return one fill's charges in account currency, the kinds that are not zero."""
        charges = charges_of(self._cost, is_buy, quantity, price, self.facts.multiplier)
        return {kind: money * self.fx for kind, money in charges.items()}

    # -- what Backtrader sees ----------------------------------------------------------------

    def show(self, ticket: Ticket, remaining: int, price: float, limit: float = math.nan) -> None:
        """Show on a Backtrader order what is left of it in the book and where it stands."""
        order = ticket.order
        ticket.remaining = remaining
        left = self.size(remaining if order.isbuy() else -remaining)
        order.size = order.created.size = order.executed.size + left
        order.executed.remsize = left
        if not math.isnan(price):
            order.created.price = price
        if not math.isnan(limit):
            order.created.pricelimit = limit

    def execute(self, ticket: Ticket, event: Event, before: int) -> None:
        """Execute a fill on its Backtrader order and move Backtrader's position."""
        order, price, costs = ticket.order, event.price, event.costs
        signed = event.side * event.quantity
        closed, opened = self.executed_sizes(before, signed, order.tradeid)
        ticket.remaining -= event.quantity
        size = closed + opened
        if ticket.remaining:
            left = self.size(ticket.remaining if order.isbuy() else -ticket.remaining)
            order.executed.remsize = size + left
        else:
            order.executed.remsize = size
        average = self.position.price
        self._move_position(event.steps, event.average, closed, opened)
        scheme, position = self.commission, self.position
        share = closed / size
        order.execute(
            self.now_day,
            size,
            price,
            closed,
            scheme.getvaluesize(-closed, average),
            costs * share,
            opened,
            scheme.getvaluesize(opened, price),
            costs - costs * share,
            scheme.margin,
            event.pnl,
            position.size,
            position.price,
        )

    def _move_position(self, steps: int, average: float, closed: float, opened: float) -> None:
        position = self.position
        position.price_orig = position.price
        position.size = self.size(steps)
        position.price = average
        position.upclosed, position.upopened = closed, opened
        position.datetime = bt.num2date(self.now_day)
        self.position_shown = position.clone()

    # -- sizes as Backtrader adds them up ----------------------------------------------------

    def size(self, steps: int) -> float:
        """Return signed lot steps as a quantity free of float dust."""
        quantity = float(steps_to_quantity(abs(steps), self.step))
        return quantity if steps >= 0 else -quantity

    def executed_sizes(self, before: int, fill: int, tradeid: int) -> tuple[float, float]:
        """Return the closed and opened sizes of a fill, signed, as floats that add up.

        A Backtrader trade sums its sizes and ends when the sum is exactly 0; with steps such as
        0.01 a sum of rounded sizes is not. So the fill that ends it carries what is left.
        """
        closing = max(-abs(before), min(abs(before), fill)) if before * fill < 0 else 0
        opening = fill - closing
        steps, held = self._sizes.get(tradeid, (0, 0.0))
        closed, opened = self.size(closing), self.size(opening)
        if closing and steps + closing == 0:
            closed = -held
        held += closed
        steps += closing
        if opening and not closing and steps + opening == 0:
            opened = -held
        self._sizes[tradeid] = (steps + opening, held + opened)
        return closed, opened
