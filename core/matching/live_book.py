"""One position with its orders at an exchange that runs: the matching engine, fed price by price.

Paper and the sandbox keep their accounts in such books.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from core.bars import BAR
from core.costs import no_costs
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.book import Array, Book, LimitFill, market_record
from core.matching.nights import swap_nights
from core.matching.prices_at import margin_of, open_pnl, side_price
from core.matching.records import (
    BOOK,
    ORDER,
    REQUESTED_FLAT,
    TRAILING_STOP_ORDER,
    Event,
    read_events,
)
from core.matching.tick import tick_begin, tick_finish, walk_tick
from core.orders import OrderChange, OrderRequest
from core.prices import common_step, quantity_to_steps, steps_to_quantity
from core.ticks import OPENS_BAR

NAN = float("nan")


class LiveBook:
    """A matching book that is told when its plan's bars begin and end.

    Parameters
    ----------
    key : its name within the account: the plan's id, or the position's.
    plan_id : whose bars it lives by; "" for another hand's, which has none.
    discrete : ticks are trades that jump from one price to the next; else they are the path of
        replayed bars.
    limits : the guard's LIMITS, whose floors are tested on every price; None: none are.
    day : trading day whose terms hold until the first bar begins.

    Attributes
    ----------
    is_live : it has a position or an order to match prices against.
    price, spread : the last; nan before the first.
    in_bar : a bar of its plan has begun and is not over. seen_in_bar : prices seen in it.
    last_ts, seen_at_last : time of the last price seen, and how many of that time.
    changed : something happened to it that is not on disk yet.
    """

    def __init__(
        self,
        key: str,
        plan_id: str,
        instrument: Instrument,
        fx: FxRate,
        *,
        discrete: bool,
        limits: Array | None = None,
        limit_fill: LimitFill = "touch",
        volume_share: float | None = None,
        day: int = 0,
    ) -> None:
        self.key = key
        self.plan_id = plan_id
        self.instrument = instrument
        self.symbol = instrument.symbol
        self._fx = fx
        self._discrete = discrete
        self._terms: dict[str, Any] = {"limit_fill": limit_fill, "volume_share": volume_share}
        self._facts = instrument.facts(day)
        self._rate = fx.at(0)
        self.step = self._facts.lot
        self.bar = np.zeros(1, BAR)
        self._before: Any = None
        self.in_bar = False
        self.price = self.spread = NAN
        self.seen_in_bar = 0
        self.last_ts = self.seen_at_last = 0
        self._resume: tuple[int, int] | None = None
        self.changed = True
        self._use(Book(self._market(), limits=limits, discrete=discrete))

    def _use(self, book: Book) -> None:
        self.book = book
        self._balance = book.books["balance"]
        self.note_live()

    def _market(self) -> Array:
        return market_record(self._facts, fx=self._rate, step=self.step, **self._terms)

    def fork(self, key: str, plan_id: str, limits: Array | None) -> LiveBook:
        """Return an empty book that stands where this one stands in the market."""
        other = LiveBook(
            key, plan_id, self.instrument, self._fx,
            discrete=self._discrete, limits=limits, **self._terms,
        )  # fmt: skip
        other.bar, other._before = self.bar.copy(), self._before
        other._facts, other._rate, other.step = self._facts, self._rate, self._facts.lot
        other.in_bar, other.seen_in_bar = self.in_bar and bool(plan_id), self.seen_in_bar
        other.price, other.spread = self.price, self.spread
        other.last_ts, other.seen_at_last = self.last_ts, self.seen_at_last
        other._resume = self._resume
        other.book.market[:] = other._market()
        return other

    # -- what it holds -----------------------------------------------------------------------

    @property
    def is_discrete(self) -> bool:
        """Whether its prices are trades that jump."""
        return self._discrete

    def note_live(self) -> None:
        """Note whether there is anything to match against."""
        books = self.book.books
        self.is_live = bool(books["count"].item(0) or books["steps"].item(0))

    @property
    def steps(self) -> int:
        """Signed position in lot steps."""
        return self.book.steps

    @property
    def quantity(self) -> float:
        """Signed position in lots, contracts or units."""
        steps = self.book.steps
        return self.size(steps) if steps >= 0 else -self.size(steps)

    @property
    def average(self) -> float:
        """Average price of the position."""
        return float(self.book.state.average)

    def size(self, steps: int) -> float:
        """Return lot steps as a quantity, never signed."""
        return float(steps_to_quantity(abs(steps), self.step))

    def steps_of(self, quantity: float) -> int:
        """Return a quantity in lot steps."""
        return int(quantity_to_steps(quantity, self.step))

    @property
    def balance(self) -> float:
        """The account's realised money, as this book left it."""
        return self._balance.item(0)  # type: ignore[no-any-return]

    @property
    def open_pnl(self) -> float:
        """Open P&L at the last price, account currency."""
        return float(open_pnl(self.book.state.price, self.book.market[0], self.book.state))

    @property
    def tick(self) -> float:
        """Price step."""
        return float(self.book.market["tick"].item(0))

    @property
    def step_value(self) -> float:
        """Account money per 1.0 price move of one lot step."""
        return float(self.book.market["step_value"].item(0))

    @property
    def margin(self) -> float:
        """Margin the position holds at the last price, account currency."""
        state = self.book.state
        return float(margin_of(self.book.steps, state.price, self.book.market[0]))

    def bid_ask(self) -> tuple[float, float]:
        """Return what a sell gets and what a buy pays at the last price."""
        book = self.book
        if not self.is_live:
            book.set_price(self.price, 0.0 if self.spread != self.spread else self.spread)
        bid, ask = (side_price(self.price, side, book.market[0], book.state) for side in (-1, 1))
        return float(bid), float(ask)

    def take_account(self, balance: float, opened: float, slope: float, margin: float) -> None:
        """Take the account's money, and what its other books are worth (see BOOK)."""
        books = self.book.books
        self._balance[0] = balance
        books["other_open"][0], books["other_slope"][0] = opened, slope
        books["other_margin"][0] = margin

    # -- the market's course -----------------------------------------------------------------

    def begin_bar(self, bar: np.record) -> list[Event]:
        """A bar begins; its facts hold from now on. One that has begun before goes on."""
        if self.has_seen_bar and int(bar.start) <= int(self.bar["start"][0]):
            return []
        # Nobody may have said that the bar before is over.
        events = self.finish_bar(self.bar[0].copy()) if self.in_bar else []
        if int(bar.day) != int(self.bar["day"][0]) or not self.has_seen_bar:
            self._take_day(int(bar.day), int(bar.start))
        self._before = self.bar.copy() if self.has_seen_bar else None
        self.bar[0] = bar
        self.in_bar = True
        self.spread = float(bar.spread)
        self.seen_in_bar = 0
        return events + self._begin() if self.is_live else events

    @property
    def has_seen_bar(self) -> bool:
        """Whether a bar has ever begun here."""
        return bool(self.bar["end"].item(0))

    def _begin(self) -> list[Event]:
        book = self.book
        self._count_nights()
        tick_begin(self.bar, 0, book.market, book.books, book.orders, book.limits, book.events)
        return self._happened()

    def _count_nights(self) -> None:
        """Note how many nights lie before and inside the bar that has begun."""
        market, cost = self.book.market, self._facts.cost[0]
        market["nights_before"] = market["nights_inside"] = 0
        if cost["swap_long"] or cost["swap_short"]:
            bars = self.bar if self._before is None else np.concatenate([self._before, self.bar])
            before, inside = swap_nights(bars, int(cost["swap_triple_weekday"]))
            market["nights_before"], market["nights_inside"] = before[-1], inside[-1]

    def _happened(self) -> list[Event]:
        count = self.book.books["events"].item(0)
        if not count:
            return []
        self.note_live()
        self.changed = True
        return read_events(self.book.events[0, :count])

    def is_new(self, ts: int) -> bool:
        """Whether a price of this time was not seen yet; only after a restart may it have been."""
        if self._resume is None:
            return True
        seen_until, count = self._resume
        if ts > seen_until:
            self._resume = None
            return True
        if ts == seen_until:
            self._resume = (seen_until, count - 1)
            return count <= 0
        return False

    def see(
        self, ts: int, price: float, volume: float, spread: float, flags: int, walks: bool = False
    ) -> list[Event]:
        """Match one price; return what happened.

        walks : the price was not told when it came: orders passed on the way to it fill at theirs.
        """
        if self._resume is not None and not self.is_new(ts):
            return []
        if spread == spread:
            self.spread = spread
        self.price = price
        at_open = self.seen_in_bar == 0
        self.seen_in_bar += 1
        self.seen_at_last = self.seen_at_last + 1 if ts == self.last_ts else 1
        self.last_ts = ts
        if not self.is_live:
            return []
        jumps = bool(flags & OPENS_BAR) or (self._discrete and not walks)
        # No bar begins in another hand's book: no price before this one to walk from is sure.
        jumps = jumps or not (self.in_bar or walks)
        # One type of number: another would be compiled anew while the market waits.
        return self._walk(price, float(volume), jumps, at_open)

    def _walk(self, price: float, volume: float, jumps: bool, at_open: bool) -> list[Event]:
        book = self.book
        walk_tick(
            price, self.spread, volume, jumps, at_open,
            book.market, book.books, book.orders, book.limits, book.events,
        )  # fmt: skip
        return self._happened()

    def finish_bar(self, bar: np.record) -> list[Event]:
        """The bar is over."""
        if not self.in_bar or int(bar.start) != int(self.bar["start"][0]):
            return []
        self.in_bar = False
        if not self.is_live:
            return []
        book = self.book
        self.bar[0] = bar
        tick_finish(self.bar, 0, book.market, book.books, book.orders, book.limits, book.events)
        return self._happened()

    def settle(self) -> list[Event]:
        """Close what `flatten` has asked for at the last price, without slippage or costs."""
        market = self.book.market.copy()
        self.book.market["slippage"], self.book.market["cost"] = 0.0, no_costs()
        events = self._walk(self.price, 0.0, True, False)
        self.book.market[:] = market
        return events

    def pass_over(self, bar: np.record) -> None:
        """Stand after a bar that was missed with nothing at work."""
        self.begin_bar(bar)
        self.price = float(bar.close)
        self.seen_in_bar += 1
        self.finish_bar(bar)
        # A later start plays from here on: orders taken by then must not meet this bar's prices.
        self.last_ts, self.seen_at_last = int(bar.end) - 1, 0
        self._resume = (self.last_ts, 0)
        self.changed = True

    def _take_day(self, day: int, ts: int) -> None:
        """Take the facts and the exchange rate of a trading day."""
        facts, rate = self.instrument.facts(day), self._fx.at(ts)
        if facts is self._facts and rate == self._rate and self.step == facts.lot:
            return
        self._facts, self._rate = facts, rate
        step = common_step(self.step, facts.lot) if self.is_live else facts.lot
        parts = round(self.step / step)
        self.step = step
        if parts > 1:
            self.book.split_steps(parts)
        self.book.market[:] = self._market()

    def take_day(self, day: int, ts: int) -> None:
        """Take the facts of a day that shows no bars here: another hand trades on none."""
        self._take_day(day, ts)
        self.spread = self._facts.spread

    # -- orders ------------------------------------------------------------------------------

    def add(self, request: OrderRequest) -> tuple[list[int], list[Event]]:
        """Take an order; it works from the next price on, a market order inside a bar at once.

        Return the lot steps of the order and its children, and what happened.
        """
        book, bar = self.book, self.bar[0]
        was_live = self.is_live
        if not was_live and self.price == self.price:
            book.set_price(self.price, 0.0 if self.spread != self.spread else self.spread)
        after = self.has_seen_bar and not self.in_bar and int(bar.end) >= int(bar.close_at)
        steps = book.add(
            request, day=int(bar.day) if self.has_seen_bar else -1, after_session=after
        )
        self.is_live = self.changed = True
        if not self.in_bar:
            return steps, []
        events = [] if was_live else self._begin()
        if not self._discrete and self.seen_in_bar:
            # On a path the present price is still there: what can trade at it does so now.
            events += self._walk(self.price, 0.0, True, False)
        return steps, events

    def cancel(self, number: int) -> list[Event]:
        """End a working or waiting order."""
        return self._done(self.book.cancel(number))

    def flatten(self, reason: int = REQUESTED_FLAT) -> list[Event]:
        """End every order; the position closes at the next price."""
        return self._done(self.book.flatten(reason))

    def change(self, change: OrderChange) -> bool:
        """Change a working or waiting order; False if it has ended."""
        self.changed = True
        return self.book.change(change)

    def _done(self, happened: Array) -> list[Event]:
        self.changed = True
        events = read_events(happened)
        self.note_live()
        return events

    def trailing(self) -> list[tuple[int, float]]:
        """Return number and price of each working trailing stop."""
        slots = self.book.orders[0, : self.book.books["count"].item(0)]
        rows = slots[slots["kind"] == TRAILING_STOP_ORDER] if len(slots) else slots
        return [(int(row["order_id"]), float(row["price"])) for row in rows]

    # -- going on later ----------------------------------------------------------------------

    def kept(self) -> KeptBook:
        """Return all that a later process needs to go on."""
        book = self.book
        marks = {
            "step": self.step,
            "price": None if self.price != self.price else self.price,
            "spread": None if self.spread != self.spread else self.spread,
            "rate": self._rate,
            "in_bar": self.in_bar,
            "seen_in_bar": self.seen_in_bar,
            "seen": [self.last_ts, self.seen_at_last],
        }
        bars = self.bar if self._before is None else np.concatenate([self._before, self.bar])
        count = book.books["count"].item(0)
        return KeptBook(
            self.key, self.plan_id, self.symbol, json.dumps(marks),
            book.books[:1].tobytes(), book.orders[0, :count].tobytes(), bars.tobytes(),
        )  # fmt: skip

    def restore(self, kept: KeptBook) -> None:
        """Go on from what `kept` returned."""
        marks = json.loads(kept.marks)
        both = np.frombuffer(kept.bars, BAR)
        self.bar = both[-1:].copy()
        self._before = both[:1].copy() if len(both) > 1 else None
        self._facts = self.instrument.facts(int(self.bar["day"][0]))
        self._rate = marks["rate"]
        self.step = marks["step"]
        orders = np.frombuffer(kept.slots, ORDER)
        book = Book(
            self._market(), limits=self.book.limits, discrete=self._discrete,
            capacity=max(16, 2 * len(orders)),
        )  # fmt: skip
        book.books[0] = np.frombuffer(kept.state, BOOK)[0]
        book.orders[0, : len(orders)] = orders
        self.price = NAN if marks["price"] is None else marks["price"]
        self.spread = NAN if marks["spread"] is None else marks["spread"]
        self.in_bar, self.seen_in_bar = marks["in_bar"], marks["seen_in_bar"]
        self.last_ts, self.seen_at_last = marks["seen"]
        self._resume = (self.last_ts, self.seen_at_last)
        self.changed = False
        self._use(book)
        if self.in_bar:
            self._count_nights()


class KeptBook(NamedTuple):
    """A book as the ledger's `books` holds it."""

    key: str
    plan_id: str
    symbol: str
    marks: str
    state: bytes
    slots: bytes
    bars: bytes

    @property
    def is_open(self) -> bool:
        """Whether it has a position or orders."""
        return bool(self.slots) or bool(np.frombuffer(self.state, BOOK)["steps"][0])

    @property
    def rate(self) -> float:
        """The exchange rate it last counted with."""
        return float(json.loads(self.marks)["rate"])
