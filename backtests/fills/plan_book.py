"""One plan inside the backtest broker: its feed, its instrument's facts, its book of orders."""

from __future__ import annotations

import math
from typing import Any

from backtests.fills.bar_columns import BarColumns
from brokers.plan import FillTerms, Ticket, TradedPlan
from core.bars import Series
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.book import NO_NIGHTS, Array
from core.orders import ChildRequest, OrderKind, OrderRequest, TimeInForce
from core.ticks import Tape


class PlanBook(TradedPlan):
    """A plan whose orders are walked through its feed's bars.

    Attributes
    ----------
    seen : bars played. trails : order ids of trailing stops.
    tape : the ticks its bars are played through, None where they are played by their prices.
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
        tape: Tape | None = None,
    ) -> None:
        super().__init__(data, instrument, plan_id, fx, terms)
        self.lower = None if lower is None else lower.bars
        self.tape = tape
        self.reset(0.0, None)

    def reset(self, balance: float, limits: Array | None) -> None:
        """Begin a run, flat."""
        super().reset(balance, limits)
        self.trails: set[int] = set()
        self.seen = 0
        self.flat_text = "flatten"
        self.flat_reason = "flat_time"
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

    # -- bars --------------------------------------------------------------------------------

    def has_new_bar(self) -> bool:
        """Whether the feed delivered a bar that was not played yet."""
        return bool(self._line.lencount > self.seen)

    @property
    def columns(self) -> BarColumns:
        """The feed's bars, read when they are first asked for."""
        if self._columns is None:
            self._columns = BarColumns(self.data, self.lower, self.tape)
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
    def last_price(self) -> float:
        """Close of the current bar, nan before the first."""
        return float("nan") if self._columns is None else float(self.bar.close)

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
        if self.tape is None:
            self._walk(balance, row, row + 1, until_event=False)
        else:
            self._play_tape(balance, row, self.tape)
        return int(self.events.item(0))

    def play_ahead(self, balance: float, stop: int) -> int:
        """Play the bars after the current one, at most up to a row, while nothing happens.

        Return the first row not played.
        """
        return self._walk(balance, self.seen, stop, until_event=True)

    def _play_tape(self, balance: float, row: int, tape: Tape) -> None:
        """Play a bar through its ticks; one without any came from history and goes by nearest.

        What history leaves open is not called ambiguous: a session knows one course of things.
        """
        columns, book = self.columns, self.book
        first, stop = columns.ticks_of(row)
        if first < stop:
            self.balance[0] = balance
            book.books["discrete"][0] = tape.is_discrete
            book.walk_ticks(columns.bars, row, columns.prices, first, stop, nights=self._nights())
            book.books["discrete"][0] = False
        else:
            self._walk(balance, row, row + 1, until_event=False)
            self.ambiguous[0] = 0
            book.events["ambiguous"][0] = 0

    def _walk(self, balance: float, first: int, stop: int, *, until_event: bool) -> int:
        columns = self.columns
        self.balance[0] = balance
        return self.book.play(
            columns.bars,
            first,
            stop,
            until_event=until_event,
            lower=columns.lower,
            spans=columns.spans,
            nights=self._nights(),
            marks=columns.marks,
        )

    def _nights(self) -> Array:
        """Return the swap nights of every bar, none where there is no swap."""
        if not self._has_swap:
            return NO_NIGHTS
        return self.columns.nights(int(self.facts.cost[0].swap_triple_weekday))

    # -- orders ------------------------------------------------------------------------------

    def add(self, request: OrderRequest, orders: list[Any]) -> None:
        """Put an approved group into the book; it works from the next price on."""
        columns, row = self._columns, self.row
        if not self.live:
            spread = 0.0 if columns is None else columns.last_spread(row)
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

    # -- what Backtrader sees ----------------------------------------------------------------

    def show_trails(self) -> None:
        """Show where the trailing stops stand on their Backtrader orders."""
        for order_id in sorted(self.trails):
            slot, ticket = self.book.slot(order_id), self.tickets.get(order_id)
            if slot is None or ticket is None:
                self.trails.discard(order_id)
            elif not math.isnan(slot.price):
                ticket.order.created.price = float(slot.price)
