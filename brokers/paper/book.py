"""One plan's orders and position at the paper exchange: the matching engine, fed tick by tick."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.bars import BAR
from core.fx import FxRate
from core.instruments import Instrument
from core.matching.book import Array, Book, LimitFill, market_record
from core.matching.nights import swap_nights
from core.matching.prices_at import open_pnl
from core.matching.records import BOOK, ORDER, Event, read_events
from core.matching.tick import tick_begin, tick_finish, walk_tick
from core.orders import OrderRequest
from core.prices import common_step, steps_to_quantity
from core.ticks import OPENS_BAR, TRADE


class PaperBook:
    """A matching book that is told when its plan's bars begin and end.

    Parameters
    ----------
    discrete : ticks are trades that jump from one price to the next; else they are the path of
        replayed bars.
    limits : the guard's LIMITS, whose floors are tested on every price; None: none are.
    """

    def __init__(
        self,
        plan_id: str,
        instrument: Instrument,
        fx: FxRate,
        *,
        discrete: bool,
        limits: Array | None,
        limit_fill: LimitFill = "touch",
        volume_share: float | None = None,
    ) -> None:
        self.plan_id = plan_id
        self.instrument = instrument
        self._fx = fx
        self._discrete = discrete
        self._terms: dict[str, Any] = {"limit_fill": limit_fill, "volume_share": volume_share}
        self._facts = instrument.facts(0)
        self._rate = 1.0
        self.step = self._facts.lot
        self.book = Book(self._market(), limits=limits, discrete=discrete)
        self.bar = np.zeros(1, BAR)
        self._before: Any = None
        self.in_bar = False
        self.price = float("nan")
        self.spread = 0.0
        self.seen_in_bar = 0

    def _market(self) -> Array:
        return market_record(self._facts, fx=self._rate, step=self.step, **self._terms)

    @property
    def is_live(self) -> bool:
        """Whether it has a position or an order to match prices against."""
        return self.book.steps != 0 or int(self.book.books["count"][0]) > 0

    def size(self, steps: int) -> float:
        """Return lot steps as a quantity, never signed."""
        return float(steps_to_quantity(abs(steps), self.step))

    # -- the market's course -----------------------------------------------------------------

    def begin_bar(self, bar: np.record, balance: float) -> list[Event]:
        """A bar begins; its facts hold from now on. One that has already begun goes on."""
        if self.in_bar and int(bar.start) == int(self.bar["start"][0]):
            return []
        if int(bar.day) != int(self.bar["day"][0]) or not self._seen_any:
            self._take_day(int(bar.day), int(bar.start))
        self._before = self.bar.copy() if self._seen_any else None
        self.bar[0] = bar
        self.in_bar = True
        self.spread = float(bar.spread)
        self.seen_in_bar = 0
        return self._begin(balance) if self.is_live else []

    @property
    def _seen_any(self) -> bool:
        return bool(self.bar["end"][0])

    def _begin(self, balance: float) -> list[Event]:
        book = self.book
        book.books["balance"][0] = balance
        before, inside = self._nights()
        book.market["nights_before"][0], book.market["nights_inside"][0] = before, inside
        tick_begin(self.bar, 0, book.market, book.books, book.orders, book.limits, book.events)
        return read_events(book.events[0, : int(book.books["events"][0])])

    def _nights(self) -> tuple[int, int]:
        cost = self._facts.cost[0]
        if not (cost["swap_long"] or cost["swap_short"]):
            return 0, 0
        bars = self.bar if self._before is None else np.concatenate([self._before, self.bar])
        before, inside = swap_nights(bars, int(cost["swap_triple_weekday"]))
        return int(before[-1]), int(inside[-1])

    def see(self, tick: np.record, balance: float) -> list[Event]:
        """Match one price; return what happened."""
        flags = int(tick["flags"])
        if not flags & TRADE:
            return []
        spread = float(tick.spread)
        self.spread = self.spread if spread != spread else spread
        self.price = float(tick.price)
        at_open = self.seen_in_bar == 0
        self.seen_in_bar += 1
        if not self.is_live:
            self.book.set_price(self.price, self.spread)
            return []
        jumps = self._discrete or bool(flags & OPENS_BAR)
        return self._walk(self.price, float(tick.volume), jumps, at_open, balance)

    def _walk(
        self, price: float, volume: float, jumps: bool, at_open: bool, balance: float
    ) -> list[Event]:
        book = self.book
        book.books["balance"][0] = balance
        count = walk_tick(
            price, self.spread, volume, jumps, at_open,
            book.market, book.books, book.orders, book.limits, book.events,
        )  # fmt: skip
        return read_events(book.events[0, :count])

    def finish_bar(self, bar: np.record, balance: float) -> list[Event]:
        """The bar is over."""
        self.in_bar = False
        if not self.is_live:
            return []
        book = self.book
        self.bar[0] = bar
        book.books["balance"][0] = balance
        count = tick_finish(
            self.bar, 0, book.market, book.books, book.orders, book.limits, book.events
        )
        return read_events(book.events[0, :count])

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

    # -- orders ------------------------------------------------------------------------------

    def add(self, request: OrderRequest, balance: float) -> list[Event]:
        """Take an order; it works from the next price on, a market order inside a bar at once."""
        book, bar = self.book, self.bar[0]
        was_live = self.is_live
        if not was_live and self.price == self.price:
            book.set_price(self.price, self.spread)
        after = self._seen_any and not self.in_bar and int(bar.end) >= int(bar.close_at)
        book.add(request, day=int(bar.day) if self._seen_any else -1, after_session=after)
        if not self.in_bar or self.seen_in_bar == 0:
            return []
        events = [] if was_live else self._begin(balance)
        if not self._discrete:
            # On a path the present price is still there: what can trade at it does so now.
            events += self._walk(self.price, 0.0, True, False, balance)
        return events

    @property
    def open_pnl(self) -> float:
        """Open P&L at the last price, account currency."""
        return float(open_pnl(self.book.state.price, self.book.market[0], self.book.state))

    # -- going on later ----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return all that a later process needs to go on, fit for JSON."""
        book = self.book
        count = int(book.books["count"][0])
        return {
            "books": _text(book.books[:1]),
            "orders": _text(book.orders[0, :count]),
            "bar": _text(self.bar),
            "step": self.step,
            "price": None if self.price != self.price else self.price,
            "spread": self.spread,
            "in_bar": self.in_bar,
            "seen_in_bar": self.seen_in_bar,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.bar = _array(kept["bar"], BAR)
        self._facts = self.instrument.facts(int(self.bar["day"][0]))
        self._rate = self._fx.at(int(self.bar["start"][0]))
        self.step = kept["step"]
        orders = _array(kept["orders"], ORDER)
        capacity = max(16, 2 * len(orders))
        book = Book(
            self._market(), limits=self.book.limits, discrete=self._discrete, capacity=capacity
        )
        book.books[0] = _array(kept["books"], BOOK)[0]
        book.orders[0, : len(orders)] = orders
        self.book = book
        self.price = float("nan") if kept["price"] is None else kept["price"]
        self.spread, self.in_bar = kept["spread"], kept["in_bar"]
        self.seen_in_bar = kept["seen_in_bar"]


def _text(records: Array) -> str:
    return base64.b64encode(records.tobytes()).decode()


def _array(text: str, dtype: Any) -> Array:
    return np.frombuffer(base64.b64decode(text), dtype).copy()
