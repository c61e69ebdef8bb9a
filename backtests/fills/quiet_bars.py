"""Bars on which stock fills can do nothing but mark positions to the close.

Between two events Backtrader's broker repeats one addition a bar: the open position's move to the
close. `QuietBars` finds the next step at which anything else may happen (an order can fill or
expire, a trading day rolls, a flat time or a rule of the guard is due) and plays the steps before
it by that addition alone, in the same order, so that cash and value stay equal to the last bit.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from backtrader.order import Order

from backtests.fills.lean_broker import Scheme, charges_interest, is_known
from backtests.loop.timeline import Array, Timeline
from core.bars import NEVER_NS
from core.compile import kernel
from risk.moment import ends_of, starts_of, symbol_of, trading_days_of

_INF = float("inf")
_FIRST_WINDOW = 64
_WIDEST_WINDOW = 1 << 14


@kernel
def first_touch(
    open_: Array, high: Array, low: Array, start: int, stop: int, up: float, down: float
) -> int:
    """Return the first row at which prices reach up to `up` or down to `down`, else `stop`."""
    for i in range(start, stop):
        if open_[i] >= up or high[i] >= up or open_[i] <= down or low[i] <= down:
            return i
    return stop


@kernel
def mark_steps(
    closes: Array,
    rows: Array,
    first: int,
    stop: int,
    account: Array,
    terms: Array,
    values: Array,
    cashes: Array,
) -> int:
    """Mark one open position to the close of each step; return the first step not played.

    Parameters
    ----------
    rows : row of the feed at each step; empty where row and step are one.
    account : cash and the last mark; changed in place.
    terms : size, entry price, multiplier, margin, leverage, 1 for stocklike, floor and peak of
        the account's value: the step that meets either is not played.
    values : account value by step. cashes : cash by step from `first` on.
    """
    cash, mark = account[0], account[1]
    size, price, mult, margin = terms[0], terms[1], terms[2], terms[3]
    leverage, stocklike, floor, peak = terms[4], terms[5] != 0.0, terms[6], terms[7]
    step = first
    while step < stop:
        close = closes[rows[step] if len(rows) else step]
        added = 0.0 if stocklike else size * (close - mark) * mult
        held = size * close if stocklike else abs(size) * margin
        after = cash + added
        open_profit = size * (close - price) * mult
        value = held
        if held > 0:
            value = (held - open_profit) / leverage + open_profit
        value = after + value
        if value <= floor or value > peak:
            break
        cash, mark = after, close
        values[step] = value
        cashes[step - first] = cash
        step += 1
    account[0], account[1] = cash, mark
    return step


class _FeedPrices:
    """A feed's columns where they lie."""

    def __init__(self, data: Any, rows: Array | None) -> None:
        lines = data.lines
        count = lines.datetime.buflen()
        self.data = data
        self.rows = np.zeros(0, np.int64) if rows is None else rows
        self.closes = lines.close.array
        self.open, self.high, self.low, self.close = (
            np.frombuffer(getattr(lines, name).array, count=count)
            for name in ("open", "high", "low", "close")
        )
        self.times = np.frombuffer(lines.datetime.array, count=count)
        self.symbol = symbol_of(data)
        self.ends, self.starts = ends_of(data, count), starts_of(data, count)
        self.is_finite = bool(np.isfinite(self.close).all())

    @cached_property
    def expected_ends(self) -> Array:
        """END of the bar expected after each (ns UTC)."""
        expected: Array = self.ends + (self.ends - self.starts)
        return expected

    def low_high(self, first: int, last: int) -> tuple[float, float]:
        """Return the extremes of the rows first .. last."""
        if first == last:
            return self.low.item(first), self.high.item(first)
        rows = slice(first, last + 1)
        return float(self.low[rows].min()), float(self.high[rows].max())


class QuietBars:
    """Plays bars of a `StockBroker` on which nothing but marking happens.

    Attributes
    ----------
    is_stirred : bool
        Orders or cash were touched since the last bar: the next must be played in full.
    values : array of float64
        Account value after each step.
    """

    def __init__(self, broker: Any, timeline: Timeline) -> None:
        self._broker = broker
        self._timeline = timeline
        self.feeds = [
            _FeedPrices(data, rows)
            for data, rows in zip(timeline.datas, timeline.rows, strict=True)
        ]
        self._by_data = {id(feed.data): feed for feed in self.feeds}
        self._is_finite = all(feed.is_finite for feed in self.feeds)
        self.values = array("d", bytes(8 * timeline.count))
        self._value_view = np.frombuffer(self.values)
        self._cashes = np.zeros(0)
        self._rolls = _day_rolls(timeline, broker.is_traded)
        self._next_roll = 0
        self.is_stirred = True
        self._until = -1
        self._window = _FIRST_WINDOW
        self._held: tuple[Any, Any, Any, Scheme] | None = None
        self._watched: list[tuple[Any, Any, Any]] = []
        self._floor, self._peak = -_INF, _INF
        self._account = np.zeros(2)
        self._terms = np.zeros(8)

    # -- one bar at a time -------------------------------------------------------------------

    def try_bar(self, step: int) -> bool:
        """Play a step if it is a quiet one; say whether it was."""
        if self.is_stirred:
            self.is_stirred = False
            self._until = -1
            self._window = _FIRST_WINDOW
            return False
        if step >= self._until:
            self._look(step, self._window)
            if step >= self._until:
                self._until = -1
                return False
            self._window = min(4 * self._window, _WIDEST_WINDOW)
        for order, price, limit in self._watched:
            created = order.created
            if created.price != price or created.pricelimit != limit:
                self._until = -1
                return False
        if self._held is None:
            self.values[step] = self._broker._value
            return True
        return self._mark_bar(step)

    def _mark_bar(self, step: int) -> bool:
        assert self._held is not None
        position, closes, rows, scheme = self._held
        broker = self._broker
        close = closes[step if rows is None else rows[step]]
        size, mult = position.size, scheme.mult
        if scheme.stocklike:
            cash, held = broker.cash + 0.0, size * close
        else:
            cash = broker.cash + size * (close - position.adjbase) * mult
            held = abs(size) * scheme.margin
        open_profit = size * (close - position.price) * mult
        unlevered = held
        if held > 0:
            unlevered = (held - open_profit) / scheme.leverage + open_profit
        value = cash + unlevered
        if value <= self._floor or value > self._peak:
            self._until = -1
            return False
        position.adjbase = close
        self.values[step] = value
        broker.take_figures(cash, held, unlevered, open_profit)
        return True

    # -- many at once ------------------------------------------------------------------------

    def play_until(self, stop: int) -> int:
        """Play quiet steps after the present one, up to `stop` (not included); return the end."""
        first = self._timeline.step + 1
        if self.is_stirred or first >= stop:
            return first
        self._look(first, stop - first)
        self.is_stirred = self._until < stop  # the step that ends the search is played in full
        stop = min(stop, self._until)
        self._until = -1
        if first >= stop:
            return first
        broker = self._broker
        if self._held is None:
            self._value_view[first:stop] = broker._value
            return stop
        position, feed, scheme = self._held_feed()
        self._cashes = np.empty(stop - first)
        self._account[0], self._account[1] = broker.cash, position.adjbase
        terms = self._terms
        terms[0], terms[1], terms[2], terms[3] = (
            position.size,
            position.price,
            scheme.mult,
            scheme.margin,
        )
        terms[4], terms[5] = scheme.leverage, scheme.stocklike
        terms[6], terms[7] = self._floor, self._peak
        end = int(
            mark_steps(
                feed.close,
                feed.rows,
                first,
                stop,
                self._account,
                terms,
                self._value_view,
                self._cashes,
            )
        )
        if end > first:
            self._take_last(position, scheme)
        return end

    def _take_last(self, position: Any, scheme: Scheme) -> None:
        """Give the broker the figures of the last step played."""
        cash, close = self._account.tolist()
        size = position.size
        position.adjbase = close
        held = size * close if scheme.stocklike else abs(size) * scheme.margin
        open_profit = size * (close - position.price) * scheme.mult
        unlevered = held
        if held > 0:
            unlevered = (held - open_profit) / scheme.leverage + open_profit
        self._broker.take_figures(cash, held, unlevered, open_profit)

    def bounds(self, data: Any) -> tuple[int, int]:
        """Return START and END of the bar a feed stands on, ns UTC."""
        feed, row = self._by_data[id(data)], data.lines.datetime._idx
        return feed.starts.item(row), feed.ends.item(row)

    def end_of(self, data: Any) -> int:
        """Return END of the bar a feed stands on, ns UTC."""
        end: int = self._by_data[id(data)].ends.item(data.lines.datetime._idx)
        return end

    def fresh_feeds(self) -> list[Any]:
        """Return the feeds that have a new bar at the present step."""
        step = self._timeline.step
        fresh = []
        for data, rows in zip(self._timeline.datas, self._timeline.rows, strict=True):
            if rows is None or rows[step] > (rows[step - 1] if step else -1):
                fresh.append(data)
        return fresh

    def equity_curve(self, played: int) -> tuple[Array, Array]:
        """Return END (ns UTC) of the newest bar and the account value at each step played."""
        times = np.zeros(played, np.int64)
        for feed in self.feeds:
            if len(feed.rows):
                rows = feed.rows[:played]
                is_fresh = np.diff(rows, prepend=-1) > 0
                times = np.where(is_fresh, np.maximum(times, feed.ends[rows]), times)
            else:
                times = np.maximum(times, feed.ends[:played])
        return times, self._value_view[:played].copy()

    def low_highs(self, first: int, last: int) -> list[tuple[Any, float, float]]:
        """Return each feed that had bars in the steps first .. last, with their extremes."""
        found = []
        for index, feed in enumerate(self.feeds):
            start = self._timeline.row(index, first - 1) + 1 if first else 0
            end = self._timeline.row(index, last)
            if end >= start:
                found.append((feed.data, *feed.low_high(start, end)))
        return found

    def account_between(self, first: int, stop: int) -> tuple[Array, Array]:
        """Return cash and value after the steps just played."""
        if self._held is None:
            cashes = np.full(stop - first, self._broker.cash)
        else:
            cashes = self._cashes[: stop - first]
        return cashes, self._value_view[first:stop]

    def _held_feed(self) -> tuple[Any, _FeedPrices, Scheme]:
        assert self._held is not None
        position, closes, _, scheme = self._held
        return position, next(feed for feed in self.feeds if feed.closes is closes), scheme

    # -- what may happen next ----------------------------------------------------------------

    def note_full_bar(self, value: float) -> None:
        """Forget what was known: a bar was played in full and left this account value."""
        self.is_stirred = False
        self._until = -1
        self.values[self._timeline.step] = value

    def _look(self, step: int, window: int) -> None:
        """Find the first step, from this one on, that must be played in full."""
        broker = self._broker
        self._until = step
        while broker._toactivate:  # the first thing any bar does
            broker._toactivate.popleft().activate()
        busy = broker.submitted or broker._cash_addition
        if busy or broker._userhist or broker._fundhist or not self._is_finite:
            return
        if not self._find_held():
            return
        until = min(step + window, self._timeline.count, self._roll_after(step))
        until = self._before_flat_times(until)
        until = self._before_rules(step, until)
        if until > step and broker.pending:
            until = self._before_orders(step, until)
        else:
            self._watched = []
        self._until = until

    def _find_held(self) -> bool:
        """Note the one open position; say whether its bars can be marked here."""
        broker = self._broker
        self._held = None
        for data, position in broker.positions.items():
            if not position.size:
                continue
            scheme = broker.getcommissioninfo(data)
            if self._held is not None or not is_known(scheme) or charges_interest(scheme):
                return False
            if not broker.p.shortcash:
                return False
            index = self._timeline.index_of(data)
            rows = self._timeline.rows[index]
            self._held = (position, self.feeds[index].closes, rows, Scheme(scheme))
        return True

    def _roll_after(self, step: int) -> int:
        """Return the first step, from this one on, that begins a trading day."""
        rolls = self._rolls
        while rolls[self._next_roll] < step:
            self._next_roll += 1
        return rolls[self._next_roll]

    def _before_flat_times(self, until: int) -> int:
        for (data, _), (flat_at, _) in self._broker._flat_at.items():
            index = self._timeline.index_of(data)
            row = int(np.searchsorted(self.feeds[index].ends, flat_at, "left"))
            until = min(until, self._timeline.step_of(index, row))
        return until

    def _before_rules(self, step: int, until: int) -> int:
        """Return the step before which no rule of the guard has to be asked."""
        self._floor, self._peak = -_INF, _INF
        guard = self._broker._supervisor
        if guard is None or guard.is_empty:
            return until
        limits = guard.limits[0]
        if limits.locked and self._broker.pending:
            return step
        self._floor = max(float(limits.day_floor), float(limits.trail_floor))
        if limits.trail_intraday:
            self._peak = float(limits.trail_peak)
        for index, feed in enumerate(self.feeds):
            quiet = guard.quiet_until(feed.symbol)
            if quiet == NEVER_NS:
                continue
            row = int(np.searchsorted(feed.expected_ends, quiet, "right"))
            until = min(until, self._timeline.step_of(index, row))
        return until

    def _before_orders(self, step: int, until: int) -> int:
        """Return the step before which no resting order can fill or expire."""
        levels: dict[int, list[float]] = {}
        broker = self._broker
        self._watched = []
        for order in broker.pending:
            index = self._timeline.index_of(order.data)
            if order.valid and order.exectype != Order.Market:
                row = int(np.searchsorted(self.feeds[index].times, order.valid, "right"))
                until = min(until, self._timeline.step_of(index, row))
            if not order._active:
                continue
            if broker.is_surplus(order):
                return step
            level = _level_of(order)
            if level is None:
                return step
            rises, price = level
            up_down = levels.setdefault(index, [_INF, -_INF])
            if rises:
                up_down[0] = min(up_down[0], price)
            else:
                up_down[1] = max(up_down[1], price)
            created = order.created
            self._watched.append((order, created.price, created.pricelimit))
        for index, (up, down) in levels.items():
            feed, timeline = self.feeds[index], self._timeline
            first = timeline.row(index, step)
            if first < 0 or until <= step:
                return step
            stop = timeline.row(index, until - 1) + 1
            row = int(first_touch(feed.open, feed.high, feed.low, first, stop, up, down))
            if row < stop:
                until = min(until, max(step, timeline.step_of(index, row)))
        return until


def _level_of(order: Any) -> tuple[bool, float] | None:
    """Return whether an order waits for a rise, and the price; None if any bar may move it."""
    kind, created = order.exectype, order.created
    if kind == Order.Limit:
        return not order.isbuy(), created.price
    if kind == Order.StopLimit and order.triggered:
        return not order.isbuy(), created.pricelimit
    if kind in (Order.Stop, Order.StopLimit):
        return order.isbuy(), created.price
    return None


def _day_rolls(timeline: Timeline, is_traded: Callable[[Any], bool]) -> list[int]:
    """Return the steps that begin a trading day of the account, and the end of the timeline."""
    latest = np.full(timeline.count, -1, np.int64)
    for data, rows in zip(timeline.datas, timeline.rows, strict=True):
        if not is_traded(data):
            continue
        days = trading_days_of(data, data.lines.datetime.buflen())
        if rows is not None:
            days = np.where(rows >= 0, days[rows], -1)
        latest = np.maximum(latest, days)
    latest = np.maximum.accumulate(latest)
    begins = np.flatnonzero(np.diff(latest, prepend=-1) > 0)
    return [*begins.tolist(), timeline.count]
