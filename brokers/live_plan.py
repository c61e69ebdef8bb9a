"""One plan on a live account: what was heard of its orders, and its position by our own books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brokers.fill_tape import FillTape, TapeRow
from brokers.plan import FillTerms, Ticket, TradedPlan
from core.bars import BAR, NEVER_NS
from core.costs import charge
from core.events import Execution
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.mirror import mirror_fill, mirror_mark
from core.matching.prices_at import side_price
from core.matching.records import FILL_EVENT, Event
from core.orders import OrderKind, OrderRequest, Role, Side
from core.prices import quantity_to_steps
from feeds.bulk import float_day

_LONG_TAPE = 64
"""Rows after which a tape begins anew at the next flat position."""


@dataclass(slots=True)
class Part:
    """One order at the venue that carries an order of ours, or a slice of it.

    order_id : its own, as the venue's client tag. position_id : the position it closes, on a
        hedging account.
    opens : it may open a position. sent_at, heard_at : market time of its sending, and of the last
        sign of life.
    version, price, limit_price : terms the venue told last; None before it told any.
    changes : how often it was changed. misses : snapshots in a row that lack it.
    cancel_asked : its end was asked for, and the venue has not said no since.
    is_retired : another part carries what is left of it.
    is_orphan : the process that sent it has died before anything was heard of it.
    """

    order_id: str
    position_id: str = ""
    opens: bool = False
    sent_at: int = 0
    heard_at: int = 0
    venue_order_id: str = ""
    version: int = -1
    price: float | None = None
    limit_price: float | None = None
    changes: int = 0
    misses: int = 0
    cancel_asked: bool = False
    is_retired: bool = False
    is_orphan: bool = False


@dataclass(slots=True, eq=False)
class LiveTicket(Ticket):
    """An order of ours on its way: what the venue was asked, and what Backtrader was told so far.

    order_id : ours, of its first part at the venue. parts : the orders at the venue that carry it.
    plan : whose. family : the ids of its parent and brothers, itself too; the parent first.
    told : costs by kind of the fills Backtrader knows, by fill id.
    is_native : (children) the venue keeps it, given with its parent.
    is_held : it waits for its parent and is not at the venue as a working order.
    sent_day : trading day it was sent on.
    end_reason : why we ended it, where we did. end_state : the end Backtrader was told.
    cancel_wanted : it is to end; asked again where the venue said no.
    welcome : how much of it may fill, as a quantity; what fills beyond is closed at once.
    unwanted : why that is less than what was asked for, "" where it is not.
    flattened : how much of its fills was closed at once, as a quantity.
    wanted_price, wanted_limit : where it is to stand at the venue.
    asked : quantity asked for that the venue has not told yet. changing : changes asked for and not
        answered. refused_at : market time at which one was refused.
    replacing : lot steps it is to have filled in all, where a new order is placed once the old one
        has ended. retiring : parts that end once the new one works.
    held_back, waits_to_end : a fill, the end of it is known that what is known of its parent does
        not explain yet.
    position_ids : of the venue's positions that its fills were of, where the venue gives them.
    open_steps : (parents of a bracket) what it opened that is still open.
    lost_at : (stops) market time at which it ended unasked, its position still open.
    mended : how often it was put back.
    is_forced : it closes a position by our own decision, not the strategy's.
    only_closes : at market, and when it was sent it would have done no more than close.
    """

    order_id: str = ""
    plan: Any = None
    family: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    told: dict[str, Mapping[str, float]] = field(default_factory=dict)
    is_native: bool = False
    is_sent: bool = False
    is_accepted: bool = False
    is_held: bool = False
    is_over: bool = False
    sent_day: int = -1
    end_reason: str = ""
    end_state: str = ""
    cancel_wanted: bool = False
    welcome: float = 0.0
    unwanted: str = ""
    flattened: float = 0.0
    wanted_price: float | None = None
    wanted_limit: float | None = None
    asked: float | None = None
    changing: int = 0
    refused_at: int = -NEVER_NS
    replacing: int | None = None
    held_back: bool = False
    waits_to_end: bool = False
    position_ids: tuple[str, ...] = ()
    retiring: tuple[str, ...] = ()
    open_steps: int = 0
    lost_at: int | None = None
    mended: int = 0
    is_forced: bool = False
    only_closes: bool = False

    def note_position(self, position_id: str) -> None:
        """Know a position that a fill was of."""
        if position_id and position_id not in self.position_ids:
            self.position_ids += (position_id,)

    @property
    def is_entry(self) -> bool:
        """Whether it may open a position."""
        return self.child is None and not self.request.reduces

    @property
    def is_stop(self) -> bool:
        """Whether it is a protecting stop of a bracket."""
        return self.child is not None and self.child.role is Role.STOP

    @property
    def brings_stop(self) -> bool:
        """Whether a protecting stop came with it."""
        return any(child.role is Role.STOP for child in self.request.children)

    @property
    def side(self) -> Side:
        """What it does."""
        return Side.BUY if self.order.isbuy() else Side.SELL

    @property
    def kind(self) -> OrderKind:
        """How it reaches the market."""
        return self.request.kind if self.child is None else self.child.kind

    @property
    def venue_order_id(self) -> str:
        """The venue's id of its (first) order, "" before it is known."""
        return self.parts[0].venue_order_id if self.parts else ""

    @property
    def executed_steps(self) -> int:
        """Lot steps of it that Backtrader was told are filled."""
        return int(self.plan.steps_of(abs(float(self.order.executed.size))))

    @property
    def current(self) -> list[Part]:
        """The parts that carry it now: none that another has taken the place of."""
        return [part for part in self.parts if not part.is_retired]

    def part(self, order_id: str) -> Part | None:
        """Return the part with an id, None where it was not sent."""
        return next((part for part in self.parts if part.order_id == order_id), None)


class LivePlan(TradedPlan):
    """A plan whose executions are heard of.

    Attributes
    ----------
    cell : the bar that is being traded: START, END and day hold, prices do not.
    flat_at, flat_reason : when the open position is to be left, and what that is called.
    unprotected_since : market time since when the position has no working stop; None: it has one,
        or needs none.
    brackets : parents of brackets with something open, oldest first.
    positions : signed lot steps by the venue's id of a position, where it gives one.
    told_end : END of the bar that holds the fill that is being told, 0 for the one being traded.
    leaving, left_at : why the position is being closed by our own decision, "" where it is not,
        and when that was last asked for.
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
        self.last_price = float("nan")
        self.marked_at = 0
        self.brackets: list[LiveTicket] = []
        self.positions: dict[str, int] = {}
        self.leaving = ""
        self.left_at = 0
        self.told_end = 0
        self._tape = FillTape()

    @property
    def now_day(self) -> float:
        """END of the bar that is being traded (of a fill told late: that holds it), a float day."""
        return float(float_day(self.told_end or int(self.cell["end"][0])))

    def bar_of(self, ts: int) -> tuple[int, int]:
        """Return START and END of the bar that holds a time, ns UTC.

        Fills may be told long after they happened, or before a price has begun their bar; 0 stands
        for the bar that is being traded.
        """
        start, end = int(self.cell["start"][0]), int(self.cell["end"][0])
        if not ts or start <= ts < end:
            return start, end
        bars = getattr(self.data, "bars", np.zeros(0, BAR))
        row = int(np.searchsorted(bars["start"], ts, side="right")) - 1
        if row >= 0 and ts < int(bars["end"][row]):
            return int(bars["start"][row]), int(bars["end"][row])
        return self._cell_of(ts) or (start, end)

    def _cell_of(self, ts: int) -> tuple[int, int] | None:
        """Return START and END of the calendar's bar that holds a time, None without a calendar."""
        calendar = getattr(self.data, "tola_calendar", None)
        if calendar is None:
            return None
        step = int(self.data.timeframe_ns)
        bar = np.zeros(1, BAR)
        bar["start"] = calendar.grid_starts(np.array([ts], np.int64), step)
        calendar.annotate(bar, step)
        return int(bar["start"][0]), int(bar["end"][0])

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

    @property
    def average(self) -> float:
        """Average price of the open position, 0 where it is flat."""
        return float(self.book.books["average"][0])

    def steps_of(self, quantity: float) -> int:
        """Return a quantity in lot steps."""
        return int(quantity_to_steps(quantity, self.step))

    def _take_step(self, step: float) -> None:
        parts = round(self.step / step)
        super()._take_step(step)
        if parts > 1:
            self.positions = {key: steps * parts for key, steps in self.positions.items()}
            for parent in self.brackets:
                parent.open_steps *= parts
        self._tape.begin(self.position_steps, self.average)

    def mark(self, price: float, spread: float, ts: int = 0) -> None:
        """Take a price as the present one. ts : its time, ns UTC; 0: unknown."""
        self.last_price, self.marked_at = price, ts
        mirror_mark(price, spread, self.book.market, self.book.books)

    def has_passed(self, stop: float, side: int) -> bool:
        """Whether the last price would trigger a stop of a side."""
        meets = float(side_price(self.last_price, side, self.book.market[0], self.book.state))
        return side * (meets - stop) >= 0

    # -- executions --------------------------------------------------------------------------

    def charge(self, execution: Execution) -> float:
        """Return what an execution costs: as told, else by our own tables."""
        if execution.costs is not None:
            return sum(execution.costs.values())
        quantity, multiplier = execution.quantity, self.facts.multiplier
        paid = charge(self._cost, execution.side > 0, quantity, execution.price, multiplier)
        return float(paid * self.fx)

    def charges(self, execution: Execution) -> Mapping[str, float]:
        """Return what an execution costs by kind: as told, else by our own tables."""
        if execution.costs is not None:
            return dict(execution.costs)
        return self.costs_by_kind(execution.side is Side.BUY, execution.quantity, execution.price)

    def take_execution(self, execution: Execution, costs: float) -> Event:
        """Book an execution in its place in time; return it as the engine's event.

        `pnl` is what it adds to the realised money: told late, it may change what fills after it
        have earned.
        """
        books = self.book.books
        adverse, favourable = execution.adverse, execution.favourable
        adverse = books["adverse"].item(0) if adverse is None else adverse
        favourable = books["favourable"].item(0) if favourable is None else favourable
        steps, side = self.steps_of(execution.quantity), int(execution.side)
        row = TapeRow.of(execution, steps, float(self.book.market["step_value"][0]))
        if self._tape.add(row):
            pnl = mirror_fill(side, steps, row.price, costs, self.book.market, books)
            self._tape.realised += pnl
        else:
            pnl = self._book_again()
        self._note_position_id(execution.position_id, side * steps)
        now, average = books["steps"].item(0), books["average"].item(0)
        if now == 0 and len(self._tape) > _LONG_TAPE:
            self._tape.begin(0, 0.0)
        return Event(
            0, steps, now, average, row.price, costs, pnl, 0.0, adverse, favourable, FILL_EVENT,
            side, 0, 0, 0,
        )  # fmt: skip

    def correct_execution(self, execution: Execution) -> float:
        """Book another telling of a known execution; return what that adds to realised money.

        Its time and price may be told better; a quantity that differs is not believed.
        """
        held = self._tape.row(execution.fill_id)
        if held is None:
            return 0.0
        row = TapeRow.of(execution, held.steps, held.step_value)
        if row == held:
            return 0.0
        self._tape.change(row)
        earned = self._book_again()
        self.position.price = self.average if self.position_steps else 0.0
        self.position_shown = self.position.clone()
        return earned

    def _book_again(self) -> float:
        """Book the whole tape again; return the change of what it has realised."""
        books, market, tape = self.book.books, self.book.market, self._tape
        names = ("adverse", "favourable", "balance")
        kept = [float(books[name][0]) for name in names]
        value = float(market["step_value"][0])
        books["steps"][0], books["average"][0] = tape.steps, tape.average
        realised = 0.0
        for row in tape.rows:
            market["step_value"][0] = row.step_value
            realised += mirror_fill(row.side, row.steps, row.price, 0.0, market, books)
        market["step_value"][0] = value
        for name, money in zip(names, kept, strict=True):
            books[name][0] = money
        changed, tape.realised = realised - tape.realised, realised
        return changed

    def _note_position_id(self, position_id: str, signed_steps: int) -> None:
        if not position_id:
            return
        left = self.positions.get(position_id, 0) + signed_steps
        self.positions[position_id] = left
        if not left:
            del self.positions[position_id]

    @property
    def paired_steps(self) -> int:
        """How much positions of a hedging account stand against each other, in lot steps.

        A resting entry may fill against the position of another. The net is right all the same,
        and what closes or turns it takes the oldest first; only a whole close must see to both.
        """
        long = sum(steps for steps in self.positions.values() if steps > 0)
        return min(long, long - sum(self.positions.values()))

    @property
    def realises_by_convention(self) -> bool:
        """Whether what the open position has realised so far depends on how one counts."""
        return self._tape.is_mixed

    # -- what follows from a position --------------------------------------------------------

    def note_opened(self, request: OrderRequest, was_flat: bool) -> None:
        """Take the terms of time and protection of an order that opened or added."""
        if request.flat_at is not None:
            self.flat_at = request.flat_at if was_flat else min(self.flat_at, request.flat_at)
        self.flat_reason = request.flat_reason

    def note_flat(self) -> None:
        """Forget the terms of the position that was left."""
        if not self.paired_steps:
            self.flat_at = NEVER_NS
        self.unprotected_since = None
        self.leaving = ""

    @property
    def stopped_steps(self) -> int:
        """How much of the position was opened by orders that brought a stop, in lot steps."""
        return sum(parent.open_steps for parent in self.brackets if parent.brings_stop)

    @property
    def needs_stop(self) -> bool:
        """Whether (a part of) the position was opened by an order that brought a stop."""
        return self.stopped_steps > 0

    def trim_brackets(self) -> None:
        """Shrink what brackets hold open to the position, oldest first, as the engine does."""
        direction = 1 if self.position_steps > 0 else -1
        for parent in self.brackets:
            if int(parent.side) != direction or not self.position_steps:
                parent.open_steps = 0
        excess = sum(parent.open_steps for parent in self.brackets) - abs(self.position_steps)
        for parent in self.brackets:
            cut = max(0, min(excess, parent.open_steps))
            parent.open_steps -= cut
            excess -= cut
        self.brackets = [parent for parent in self.brackets if parent.open_steps]
