"""The backtest's broker, stopped at the very price where a hand acted in the session.

Bars on which nobody acted are played whole, by the broker's own rules. A bar in which a command
came is played price by price, every plan in the order of the record, and the command is carried out
in its place. So are bars with several plans at work, hands among them, as one price may end all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import backtrader as bt
import numpy as np

from backtests.fills.broker import BacktestBroker
from backtests.fills.plan_book import PlanBook
from brokers.plan import Ticket
from core.bars import BAR
from core.events import Command
from core.matching.floors import breach_reason
from core.matching.mirror import mirror_open_pnl
from core.matching.prices_at import margin_of
from core.matching.tick import tick_begin, tick_finish, walk_tick
from core.orders import Approved, ChildRequest, OrderKind, OrderRequest, Side
from core.ports import BREACH_NONE
from core.ticks import OPENS_BAR, TRADE

Array = np.ndarray[Any, Any]
END_OF_RECORD = 2**62
NAN = float("nan")


class Course:
    """In what order a session met prices, bars and commands, each by its number in the record.

    Parameters
    ----------
    ticks : prices by symbol (TICK). seqs : the number of each.
    groups : (number, END) of each delivery of bars.
    commands : (number, command), oldest first.
    """

    def __init__(
        self,
        ticks: Mapping[str, Array],
        seqs: Mapping[str, Array],
        groups: Sequence[tuple[int, int]],
        commands: Sequence[tuple[int, Command]],
    ) -> None:
        self.ticks: dict[str, Array] = {}
        self.seqs: dict[str, Array] = {}
        for symbol, told in ticks.items():
            # As a tape has them: by time, without those that only tell time and quote.
            order = np.argsort(told["ts_event"], kind="stable")
            order = order[(told["flags"][order] & TRADE) != 0]
            self.ticks[symbol] = told[order]
            self.seqs[symbol] = np.maximum.accumulate(seqs[symbol][order])
        by_end = sorted((end, number) for number, end in groups)
        self._ends = np.array([end for end, _ in by_end], np.int64)
        numbers = np.array([number for _, number in by_end], np.int64)
        self._numbers = np.maximum.accumulate(numbers) if len(numbers) else numbers
        self.commands = list(commands)

    def delivered(self, end: int) -> int:
        """Return the number in the record at which bars that END by then had been delivered."""
        place = int(np.searchsorted(self._ends, end, side="right"))
        if place == 0:
            return 0
        is_unfinished = end > int(self._ends[-1])
        return END_OF_RECORD if is_unfinished else int(self._numbers[place - 1])

    def commands_between(self, after: int, upto: int) -> list[tuple[int, Command]]:
        """Return the commands with `after` < number <= `upto`."""
        return [item for item in self.commands if after < item[0] <= upto]

    def count(self, symbol: str, upto: int) -> int:
        """Return how many prices of a symbol had come up to a number."""
        seqs = self.seqs.get(symbol)
        return 0 if seqs is None else int(np.searchsorted(seqs, upto, side="right"))

    def prices_between(self, after: int, upto: int) -> Iterator[tuple[int, str, int]]:
        """Yield (number, symbol, place) of all prices with `after` < number <= `upto`, in order."""
        parts = []
        for symbol, seqs in self.seqs.items():
            places = range(self.count(symbol, after), self.count(symbol, upto))
            parts.append([(int(seqs[place]), symbol, place) for place in places])
        return heapq.merge(*parts)


@dataclass
class _Standing:
    """Where a plan stands inside its bars.

    delivered : bars its strategy has seen. place : its next price. in_bar : the bar of its row has
    begun and is not over. seen : prices in it. price, spread : the last.
    """

    delivered: int = 0
    place: int = 0
    in_bar: bool = False
    seen: int = 0
    price: float = NAN
    spread: float = NAN


@dataclass(frozen=True)
class SteppedTicket:
    """An order at work, as commands know it."""

    plan: PlanBook
    ticket: Ticket
    order_id: str
    venue_order_id: str = ""

    @property
    def order(self) -> Any:
        """Backtrader's order."""
        return self.ticket.order

    @property
    def request(self) -> OrderRequest:
        """The request of its group."""
        return self.ticket.request

    @property
    def child(self) -> ChildRequest | None:
        """What it is in its bracket, None for the parent."""
        return self.ticket.child

    @property
    def is_entry(self) -> bool:
        """Whether it may open a position."""
        return self.child is None and not self.request.reduces


class PlanView:
    """A plan as a hand's feed reads it: the last price, and the bar that is being traded."""

    def __init__(self, broker: SteppedBroker, plan: PlanBook) -> None:
        self._broker = broker
        self._plan = plan
        self._none = np.zeros(1, BAR)

    @property
    def last_price(self) -> float:
        """The last price of the symbol, nan before the first."""
        return self._broker.price_of(self._plan)

    @property
    def cell(self) -> Array:
        """The bar that is being traded, or the last one, as a one-item array."""
        row = self._plan.seen - 1
        return self._none if row < 0 else self._plan.columns.bars[row : row + 1]


def closes(held: float, request: OrderRequest) -> bool:
    """Whether a request does no more than close (a part of) a signed position."""
    return held * int(request.side) < 0 and request.quantity <= abs(held) + 1e-9


class SteppedBroker(BacktestBroker):
    """A backtest broker that carries out a session's commands in their place.

    Parameters
    ----------
    course : what the session met, in order.
    order_ids : by plan, our ids of the entries the session sent, oldest first: commands name orders
        by them.
    withheld : by id, why an entry never reached the venue: it is refused here, too.
    closes_apart : what closes a position is none of the entries, whoever asked for it: on a hedging
        account the session's orders say themselves what they close.
    given : as for `BacktestBroker`.

    Attributes
    ----------
    on_command : carries out a command. now : market time of the command at hand.
    """

    def __init__(
        self,
        course: Course,
        order_ids: Mapping[str, Sequence[str]],
        withheld: Mapping[str, str],
        closes_apart: bool,
        **given: Any,
    ) -> None:
        self._course = course
        self._closes_apart = closes_apart
        self._withheld = withheld
        self._expected = {plan_id: list(ids) for plan_id, ids in order_ids.items()}
        self.on_command: Callable[[Command], None] = lambda command: None
        self.now = 0
        super().__init__(**given)

    def init(self) -> None:
        """Begin a run. Called by Backtrader."""
        super().init()
        self._at = 0
        self._acting = False
        self._joining: dict[int, bool] = {}
        self._ids: dict[int, str] = {}
        self._standings = {id(plan): _Standing() for plan in self._plans}

    def begin_walk(self, timeline: Any) -> None:
        """Play no bars ahead: strategies are stepped on each."""

    def end_walk(self) -> None:
        """Do nothing."""

    # -- what commands act on ----------------------------------------------------------------

    @property
    def plans(self) -> Sequence[PlanBook]:
        """The plans of this account."""
        return self._plans

    def tickets(self) -> list[SteppedTicket]:
        """Return the orders at work, oldest first."""
        return [
            SteppedTicket(plan, ticket, self._ids.get(ref, f"?{ref}"))
            for plan in self._plans
            for ref, ticket in plan.tickets.items()
        ]

    def price_of(self, plan: PlanBook) -> float:
        """Return the last price a plan has seen."""
        standing = self._standings[id(plan)]
        if standing.in_bar and standing.seen:
            return standing.price
        row = plan.seen - 1 - standing.in_bar
        return float(plan.columns.bars["close"][row]) if row >= 0 else NAN

    def bar_start(self, data: Any) -> int:
        """Return START of the bar on which an order of a feed is sent now."""
        plan = self._plan(data)
        bars = plan.columns.bars["start"]
        return int(bars[plan.seen - 1]) if self._acting else int(bars[len(data) - 1])

    def flatten_plan(self, plan: PlanBook, reason: str) -> None:
        """Cancel a plan's orders and close its position at the next price."""
        for ticket in list(plan.tickets.values()):
            closes = ticket.request.reduces and ticket.request.kind is OrderKind.MARKET
            if not closes and int(ticket.order.ref) in plan.tickets:
                self.cancel(ticket.order)
        self.close_plan(plan, reason)

    def clear(self, symbol: str, venue_order_id: str = "", position_id: str = "") -> None:
        """Do nothing: other hands have no orders and positions here."""

    def close_plan(self, plan: PlanBook, reason: str, share: float = 1.0) -> None:
        """Close (a share of) a plan's position by a market order, unless one is on its way."""
        held = abs(plan.position_steps)
        closing = sum(
            ticket.remaining
            for ticket in plan.tickets.values()
            if ticket.request.reduces and ticket.request.kind is OrderKind.MARKET
        )
        steps = min(held - closing, max(1, round(held * share)))
        if steps <= 0:
            return
        is_buy = plan.position_steps < 0
        quantity = plan.size(steps)
        kind = bt.BuyOrder if is_buy else bt.SellOrder
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=Side.BUY if is_buy else Side.SELL,
            quantity=quantity,
            kind=OrderKind.MARKET,
            reduces=True,
            reason=reason,
        )
        self._joining.setdefault(id(plan), plan.live)
        self._take(request, [order])

    def submit_approved(self, approved: Approved[OrderRequest], orders: Sequence[Any]) -> None:
        """Work an approved group; one that a hand sends meets the present price at once."""
        plan, request = self._plan(orders[0].data), approved.request
        is_close = self._closes_apart and closes(plan.size(plan.position_steps), request)
        if not request.reduces and not is_close:
            self._name(plan, orders)
        if self._acting:
            self._joining.setdefault(id(plan), plan.live)
        super().submit_approved(approved, orders)

    def _refusal(self, plan: PlanBook, request: OrderRequest, orders: Sequence[Any]) -> str:
        withheld = self._withheld.get(self._ids.get(int(orders[0].ref), ""), "")
        return withheld or super()._refusal(plan, request, orders)

    def _name(self, plan: PlanBook, orders: Sequence[Any]) -> None:
        """Give orders the ids they had in the session."""
        expected = self._expected.get(plan.plan_id)
        if not expected:
            return
        first = expected.pop(0)
        head = first.rstrip("0123456789")
        digits = first[len(head) :]
        for k, order in enumerate(orders):
            self._ids[int(order.ref)] = f"{head}{int(digits or 0) + k:0{len(digits)}d}"

    # -- steps -------------------------------------------------------------------------------

    def next(self) -> None:
        """Play the bars that arrived, whole, or price by price where somebody acted."""
        now = [plan for plan in self._plans if len(plan.data) > self._of(plan).delivered]
        if not now:
            return
        end = max(int(plan.columns.end[self._of(plan).delivered]) for plan in now)
        upto = self._course.delivered(end)
        if self._is_plain(upto):
            super().next()
            for plan in now:
                self._skip_to(plan)
        else:
            self._step(now, upto)
        for plan in now:
            self._of(plan).delivered += 1
        self._at = upto

    def play_rest(self) -> None:
        """Carry out what came after the last bar: nothing more is matched."""
        for _, command in self._course.commands_between(self._at, END_OF_RECORD):
            self._act(command, ())
        self._at = END_OF_RECORD

    def _of(self, plan: PlanBook) -> _Standing:
        return self._standings[id(plan)]

    def _is_plain(self, upto: int) -> bool:
        """Whether bars may be played whole: nobody acts, and one plan at most is at work."""
        if any(plan.seen > self._of(plan).delivered for plan in self._plans):
            return False
        if sum(plan.live for plan in self._plans) > 1:
            return False
        return not self._course.commands_between(self._at, upto)

    def _skip_to(self, plan: PlanBook) -> None:
        """Stand after a bar that was played whole."""
        standing = self._of(plan)
        standing.place = max(standing.place, plan.columns.ticks_of(plan.row)[1])
        standing.in_bar, standing.seen = False, 0

    def _step(self, now: Sequence[PlanBook], upto: int) -> None:
        for plan in self._plans:
            self._catch_up(plan)
        commands = [(seq, "", k) for k, (seq, _) in enumerate(self._course.commands)
                    if self._at < seq <= upto]  # fmt: skip
        for _, symbol, place in heapq.merge(self._course.prices_between(self._at, upto), commands):
            if symbol:
                self._see(symbol, place)
            else:
                self._act(self._course.commands[place][1], now)
        for plan in now:
            self._complete(plan, now)
        self._mark_all()
        self._ends.append(max(int(plan.columns.end[self._of(plan).delivered]) for plan in now))
        self._equities.append(self._value)

    def _catch_up(self, plan: PlanBook) -> None:
        """Take a plan to where the others stand: its bar has begun before and is not over."""
        standing = self._of(plan)
        for place in range(standing.place, self._course.count(plan.symbol, self._at)):
            self._take_price(plan, place)

    # -- prices ------------------------------------------------------------------------------

    def _see(self, symbol: str, place: int) -> None:
        ts = int(self._course.ticks[symbol]["ts_event"][place])
        self._pass_time(ts)
        for plan in self._plans:
            if plan.symbol == symbol:
                self._take_price(plan, place)

    def _pass_time(self, ts: int) -> None:
        """Finish the bars that are over by a time."""
        for plan in self._plans:
            if self._of(plan).in_bar and plan.end <= ts:
                self._finish(plan)

    def _take_price(self, plan: PlanBook, place: int) -> None:
        """Match a price of the record, in its bar; one that lies in none is left out."""
        standing = self._of(plan)
        standing.place = place + 1
        tick = self._course.ticks[plan.symbol][place]
        ts = int(tick["ts_event"])
        if standing.in_bar and plan.end <= ts:
            self._finish(plan)
        columns = plan.columns
        while not standing.in_bar:
            row = plan.seen
            if row >= len(columns.bars) or ts < int(columns.start[row]):
                return
            if ts < int(columns.end[row]):
                self._begin(plan)
            else:
                self._play_without_prices(plan)
        is_first = standing.seen == 0
        standing.seen += 1
        standing.price = float(tick["price"])
        if float(tick["spread"]) == float(tick["spread"]):
            standing.spread = float(tick["spread"])
        if plan.live:
            jumps = self._is_discrete(plan) or bool(tick["flags"] & OPENS_BAR)
            at = int(plan.start) if is_first and not self._is_discrete(plan) else ts
            self._walk(plan, jumps, is_first, float(tick["volume"]), at)

    @staticmethod
    def _is_discrete(plan: PlanBook) -> bool:
        return plan.tape is not None and plan.tape.is_discrete

    def _walk(self, plan: PlanBook, jumps: bool, at_open: bool, volume: float, at: int) -> None:
        """Let a book meet its present price."""
        standing, book = self._of(plan), plan.book
        self._join(plan)
        book.books["discrete"][0] = self._is_discrete(plan)
        count = walk_tick(
            standing.price, standing.spread, volume, jumps, at_open,
            book.market, book.books, book.orders, book.limits, book.events,
        )  # fmt: skip
        book.books["discrete"][0] = False
        self._happened(plan, count, at)
        if self._breach.item(0) != BREACH_NONE:
            self._close_others(plan, at)

    def _close_others(self, plan: PlanBook, at: int) -> None:
        """Let a met floor close the other plans at their next price, and tell the guard."""
        reason = int(breach_reason(self._limits[0]))
        for other in self._plans:
            if other is not plan and other.live:
                self._join(other)
                self._tell(other, other.book.flatten(reason))
                other.live = other.book.steps != 0
        self._mark_all()
        if self._supervisor is not None:
            self._supervisor.on_breach(at)

    # -- bars --------------------------------------------------------------------------------

    def _begin(self, plan: PlanBook) -> None:
        """A plan's next bar begins; its prices come one by one."""
        self._enter(plan)
        standing = self._of(plan)
        standing.in_bar, standing.seen, standing.spread = True, 0, float(plan.bar.spread)
        if plan.live:
            self._begin_book(plan)

    def _enter(self, plan: PlanBook) -> None:
        """Move a plan to its next bar: the day rolls, rules of time act."""
        plan.seen += 1
        bar = plan.bar
        if int(bar.day) > self._day:
            self._mark_all()
            self._roll_day(int(bar.day))
        if self._bar_listener is not None:
            self._bar_listener.on_bar_start(plan.symbol, bar)

    def _begin_book(self, plan: PlanBook) -> None:
        book, row = plan.book, plan.row
        nights = plan._nights()
        if len(nights):
            book.market["nights_before"][0], book.market["nights_inside"][0] = nights[row]
        self._join(plan)
        bars = plan.columns.bars
        count = tick_begin(
            bars, row, book.market, book.books, book.orders, book.limits, book.events
        )
        self._happened(plan, count, int(plan.start))

    def _finish(self, plan: PlanBook) -> None:
        """A plan's bar is over."""
        standing, book = self._of(plan), plan.book
        standing.in_bar = False
        if not plan.live:
            return
        self._join(plan)
        bars = plan.columns.bars
        count = tick_finish(
            bars, plan.row, book.market, book.books, book.orders, book.limits, book.events
        )
        self._happened(plan, count, 0)
        if plan.trails:
            plan.show_trails()

    def _complete(self, plan: PlanBook, now: Sequence[PlanBook]) -> None:
        """End the bar that was delivered, if it is not over yet."""
        standing = self._of(plan)
        while plan.seen <= standing.delivered:
            self._play_without_prices(plan)
        if standing.in_bar and plan.seen == standing.delivered + 1:
            self._finish(plan)

    def _play_without_prices(self, plan: PlanBook) -> None:
        """Play a bar of history: no prices of it are known but its own."""
        self._enter(plan)
        if plan.live:
            self._play(plan, [plan])

    # -- commands ----------------------------------------------------------------------------

    def _act(self, command: Command, now: Sequence[PlanBook]) -> None:
        """Carry a command out: strategies have not seen the bars of this step yet."""
        self._pass_time(command.ts_event)
        self._mark_all()
        self.now = command.ts_event
        self._joining.clear()
        self._acting = True
        with self._before_this_step(now):
            self.on_command(command)
        self._acting = False
        for plan in self._plans:
            if id(plan) in self._joining:
                self._join_market(plan, self._joining[id(plan)])

    def _join_market(self, plan: PlanBook, was_live: bool) -> None:
        """Let new orders meet the bar in which they were sent, and its present price."""
        standing = self._of(plan)
        price = self.price_of(plan)
        if not was_live and price == price:
            spread = standing.spread if standing.in_bar else plan.columns.last_spread(plan.row)
            plan.book.set_price(price, spread)
        if not standing.in_bar:
            return
        if not was_live:
            self._begin_book(plan)
        if standing.seen and not self._is_discrete(plan) and plan.live:
            ts = int(self._course.ticks[plan.symbol]["ts_event"][standing.place - 1])
            self._walk(plan, True, False, 0.0, ts)

    @contextmanager
    def _before_this_step(self, now: Sequence[PlanBook]) -> Iterator[None]:
        """Let feeds stand on the bars before those of this step."""
        feeds = {id(plan._line): plan.data for plan in now}
        for feed in feeds.values():
            feed.lines.rewind()
        try:
            yield
        finally:
            for feed in feeds.values():
                feed.lines.advance()

    # -- telling -----------------------------------------------------------------------------

    def _join(self, plan: PlanBook) -> None:
        """Tell a book the account's balance and what its other books are worth."""
        opened = slope = margin = 0.0
        for other in self._plans:
            if other is plan or other.book.steps == 0:
                continue
            book = other.book
            price = book.books["price"].item(0)
            margin += margin_of(book.steps, price, book.market[0])
            worth = float(mirror_open_pnl(price, book.market, book.books))
            if other.symbol == plan.symbol:
                each = book.steps * book.market["step_value"].item(0)
                slope += each
                worth -= each * price
            opened += worth
        state = plan.book.state
        state.balance = self._balance
        state.other_open, state.other_slope, state.other_margin = opened, slope, margin

    def _happened(self, plan: PlanBook, count: int, at: int) -> None:
        self._balance = plan.balance.item(0)
        if count:
            happened = plan.book.events[0, :count]
            happened["ts_event"] = at
            self._tell(plan, happened)
        plan.live = plan.count.item(0) > 0 or plan.steps.item(0) != 0

    def _tell(self, plan: PlanBook, happened: Array) -> None:
        """Tell what happened while the plan's feed stands on the bar it happened in."""
        ahead = plan.seen - len(plan.data) if plan.seen else 0
        if ahead:
            plan.data.lines.advance(ahead)
        try:
            super()._tell(plan, happened)
        finally:
            if ahead:
                plan.data.lines.rewind(ahead)

    def _mark_all(self) -> None:
        """Value the account at the last prices."""
        for plan in self._plans:
            if plan.live:
                book = plan.book
                price = book.books["price"].item(0)
                plan.open_pnl[0] = mirror_open_pnl(price, book.market, book.books)
        self._value_account()
