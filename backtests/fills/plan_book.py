"""One plan inside the backtest broker: its feed, its instrument's facts, its book of orders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import backtrader as bt
import numpy as np

from backtests.fills.bar_columns import BarColumns
from backtests.fills.comminfo import InstrumentCommission
from core.bars import BAR, Series
from core.costs import charges_of
from core.fx import FxRate
from core.instruments import Instrument, InstrumentFacts
from core.ledger import Planned
from core.matching.book import NO_NIGHTS, Array, Book, LimitFill, market_record
from core.matching.prices_at import side_price
from core.matching.records import Event
from core.orders import ChildRequest, OrderKind, OrderRequest, Role, TimeInForce
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


class PlanBook:
    """A plan's feed, facts, orders and position.

    Attributes
    ----------
    book : the compiled engine's arrays. tickets : Backtrader orders by order id.
    position : Backtrader's view of the position, free of float dust. position_shown : a copy of
        it as it stands, for those who ask.
    seen : bars played. live : there is a position or an order to play bars against.
    trails : order ids of trailing stops.
    facts, fx : in force on the current bar's day.
    step : quantity of one step of the book: the lot, but after the lot has changed while the book
        was at work, what both lots are made of.
    balance, open_pnl, margin, steps, ambiguous, count, events : fields of the book, item 0 is
        in force.
    """

    def __init__(
        self,
        data: Any,
        instrument: Instrument,
        plan_id: str,
        fx: FxRate,
        terms: FillTerms,
        lower: Series | None,
    ) -> None:
        self.data = data
        self.instrument = instrument
        self.plan_id = plan_id
        self.symbol = instrument.symbol
        self.fx_rate = fx
        self.terms = terms
        self.lower = None if lower is None else lower.bars
        self.commission = InstrumentCommission()
        self.reset(0.0, None)

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
        self.trails: set[int] = set()
        self.seen = 0
        self.live = False
        self.owner: Any = None
        self.flat_text = "flatten"
        self.flat_reason = "flat_time"
        self._sizes: dict[int, tuple[int, float]] = {}
        self._columns: BarColumns | None = None
        self._line = self.data.lines[0]
        state = self.book.books
        self.balance, self.open_pnl, self.margin = (
            state["balance"],
            state["open_pnl"],
            state["margin"],
        )
        self.steps, self.ambiguous, self.count, self.events = (
            state["steps"],
            state["ambiguous"],
            state["count"],
            state["events"],
        )

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

    # -- bars --------------------------------------------------------------------------------

    def has_new_bar(self) -> bool:
        """Whether the feed delivered a bar that was not played yet."""
        return bool(self._line.lencount > self.seen)

    @property
    def columns(self) -> BarColumns:
        """The feed's bars, read when they are first asked for."""
        if self._columns is None:
            self._columns = BarColumns(self.data, self.lower)
        return self._columns

    def take_bar(self) -> None:
        """Move to the new bar."""
        columns = self.columns
        if columns.is_plain:
            columns.read_line(self.data, self.facts.spread)
        self.seen += 1

    @property
    def row(self) -> int:
        """Index of the current bar in `bars` (a plain feed has one row, overwritten)."""
        return 0 if self._columns is None or self._columns.is_plain else self.seen - 1

    @property
    def bar(self) -> Any:
        """The current BAR record, None before the first."""
        return None if self._columns is None else self._columns.bars[self.row]

    @property
    def start(self) -> int:
        """START of the current bar."""
        return 0 if self._columns is None else self._columns.start.item(self.row)

    @property
    def end(self) -> int:
        """END of the current bar."""
        return 0 if self._columns is None else self._columns.end.item(self.row)

    @property
    def day(self) -> int:
        """Trading day of the current bar, -1 before the first."""
        return -1 if self._columns is None else self._columns.day.item(self.row)

    def play(self, balance: float) -> int:
        """Play the current bar with this account balance; return how many events that gave."""
        row = self.row
        self._walk(balance, row, row + 1, until_event=False)
        return int(self.events.item(0))

    def play_ahead(self, balance: float, stop: int) -> int:
        """Play the bars after the current one, at most up to a row, while nothing happens.

        Return the first row not played.
        """
        return self._walk(balance, self.seen, stop, until_event=True)

    def _walk(self, balance: float, first: int, stop: int, *, until_event: bool) -> int:
        columns = self.columns
        self.balance[0] = balance
        nights = NO_NIGHTS
        if self._has_swap:
            nights = columns.nights(int(self.facts.cost[0].swap_triple_weekday))
        return self.book.play(
            columns.bars,
            first,
            stop,
            until_event=until_event,
            lower=columns.lower,
            spans=columns.spans,
            nights=nights,
            marks=columns.marks,
        )

    # -- orders ------------------------------------------------------------------------------

    def add(self, request: OrderRequest, orders: list[Any]) -> None:
        """Put an approved group into the book; it works from the next price on."""
        columns, row = self._columns, self.row
        if not self.live:
            spread = 0.0 if columns is None else columns.spread.item(row)
            self.book.set_price(self.data.close[0], spread)
        after = (
            request.time_in_force is TimeInForce.DAY
            and columns is not None
            and columns.is_last_of_session(row)
        )
        steps = self.book.add(request, day=self.day, after_session=after)
        children: list[ChildRequest | None] = [None, *request.children]
        for order, child, remaining in zip(orders, children, steps, strict=True):
            ref = int(order.ref)
            self.tickets[ref] = Ticket(order, request, child, remaining)
            if (request if child is None else child).kind is OrderKind.TRAILING_STOP:
                self.trails.add(ref)
        self.owner = orders[0].owner
        self.live = True

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

    def show_trails(self) -> None:
        """Show where the trailing stops stand on their Backtrader orders."""
        for order_id in sorted(self.trails):
            slot, ticket = self.book.slot(order_id), self.tickets.get(order_id)
            if slot is None or ticket is None:
                self.trails.discard(order_id)
            elif not math.isnan(slot.price):
                ticket.order.created.price = float(slot.price)

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
            self.data.datetime[0],
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
        position.datetime = self.data.datetime.datetime(0)
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
