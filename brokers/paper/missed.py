"""What the market did while nobody was there, played through what waits at the paper exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from brokers.paper.exchange import PaperExchange
from core.bars import NEVER_NS
from core.matching.live_book import LiveBook
from core.path_ticks import path_ticks


class History(Protocol):
    """Where a paper account's past prices come from."""

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Return the completed bars (BAR) with `start` <= START and END <= `end`."""


@dataclass(frozen=True, slots=True)
class PlanBars:
    """Which bars a plan lives by: its own, and the finest of which prices are told."""

    timeframe_ns: int
    finest_ns: int


def play_missed(
    exchange: PaperExchange, history: History, plans: dict[str, PlanBars], now: int
) -> None:
    """Play the bars up to a time, in the order in which a market tells them.

    The finest bars are walked as paths, so orders fill at their own price whatever the account's
    prices are else. What a book has seen before is not played again. No floor is watched: the
    guard was not there either.
    """
    watched = exchange.limits
    exchange.watch(None)
    exchange.walks = True
    try:
        _Missed(exchange, history, plans, now).play()
    finally:
        exchange.walks = False
        exchange.watch(watched)


class _Missed:
    def __init__(
        self, exchange: PaperExchange, history: History, plans: dict[str, PlanBars], now: int
    ) -> None:
        self._exchange = exchange
        self._history = history
        self._plans = plans
        self._now = now
        self._bars: dict[str, Any] = {}
        self._open: dict[str, np.record] = {}

    def play(self) -> None:
        """Play it all; of a symbol in which nothing waits only the last bar."""
        exchange = self._exchange
        waits = exchange.next_due < NEVER_NS
        finest: dict[str, tuple[int, int]] = {}
        for plan_id, step in self._plans.items():
            books = exchange.plan_books(plan_id)
            symbol, start = books[0].symbol, self._start(books)
            bars = self._ask(symbol, step.timeframe_ns, start)
            if not waits and not any(book.is_live for book in exchange.symbol_books(symbol)):
                if len(bars):
                    books[0].pass_over(bars[-1])
                continue
            self._bars[plan_id] = bars
            if books[0].in_bar:
                self._open[plan_id] = books[0].bar[0].copy()
            known = finest.get(symbol, (step.finest_ns, start))
            finest[symbol] = (min(known[0], step.finest_ns), min(known[1], start))
        self._tell(finest)

    def _start(self, books: list[LiveBook]) -> int:
        """Return START of the bar a plan's books were last in."""
        starts = [int(book.bar["start"][0]) for book in books if book.has_seen_bar]
        return min(starts, default=self._exchange.now)

    def _ask(self, symbol: str, timeframe_ns: int, start: int) -> Any:
        return self._history.history(symbol, timeframe_ns, start, self._now)

    def _tell(self, finest: dict[str, tuple[int, int]]) -> None:
        """Tell the finest bars in the order of their ENDs, and after each END what is over."""
        moments = []
        ends = {int(end) for bars in self._bars.values() for end in bars["end"]}
        for rank, (symbol, (step_ns, start)) in enumerate(finest.items()):
            bars = self._ask(symbol, step_ns, start)
            moments += [(int(bar["end"]), rank, symbol, bar) for bar in bars]
            ends.update(int(end) for end in bars["end"])
        moments.sort(key=lambda item: item[:2])
        place = 0
        for end in sorted(ends):
            while place < len(moments) and moments[place][0] <= end:
                self._prices(moments[place][2], moments[place][3])
                place += 1
            self._finish(end)

    def _prices(self, symbol: str, bar: np.record) -> None:
        exchange = self._exchange
        tick = exchange.symbol_books(symbol)[0].tick
        for corner, told in enumerate(path_ticks(np.array([bar]), tick).tolist()):
            ts, _, price, _, _, _, spread, flags = told
            self._begin(symbol, ts)
            volume = 0.0 if corner else float(bar["volume"])
            exchange.price(symbol, ts, price, volume, spread, flags)

    def _begin(self, symbol: str, ts: int) -> None:
        """Let the bars begin that a price lies in."""
        exchange = self._exchange
        for plan_id, bars in self._bars.items():
            held = self._open.get(plan_id)
            is_other = exchange.plan_books(plan_id)[0].symbol != symbol
            if is_other or (held is not None and ts < int(held["end"])):
                continue
            row = int(np.searchsorted(bars["start"], ts, side="right")) - 1
            if row >= 0 and ts < int(bars["end"][row]):
                self._open[plan_id] = bars[row]
                exchange.begin_bar(plan_id, bars[row])

    def _finish(self, now: int) -> None:
        for plan_id, bars in self._bars.items():
            held = self._open.get(plan_id)
            if held is None or int(held["end"]) > now:
                continue
            row = int(np.searchsorted(bars["start"], int(held["start"])))
            is_known = row < len(bars) and int(bars["start"][row]) == int(held["start"])
            self._exchange.finish_bar(plan_id, bars[row] if is_known else held)
            del self._open[plan_id]
