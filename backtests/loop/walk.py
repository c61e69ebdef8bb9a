"""The accelerated run-once loop: one pass over a timeline, every line moved by direct writes."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np

from backtests.loop.entry_mask import Sleeper, must_be_awake
from backtests.loop.replay import acts_each_bar, feeds_of, is_own, listens, wants_account
from backtests.loop.skipping import Span, can_skip
from backtests.loop.timeline import Timeline
from backtests.loop.trade_news import add_news
from risk.lean_orders import OrderHistory, is_lean

_COLLECT_EVERY = 1 << 16
"""Steps between collections of young cycles: a user's own garbage must not pile up."""

_NAN = float("nan")

Watch = Callable[[Any, int], None]


class Walk:
    """One run over the steps of a timeline, as Backtrader's `Cerebro._runonce` makes it.

    Parameters
    ----------
    cerebro : backtrader.Cerebro
    strategies : list
        The running strategies, `_once` done and reset.
    timeline : Timeline
    use_masks : bool
        Whether what strategies declare is believed.
    watch : callable(strategy, step), optional
        Calls `next` of a strategy that should sleep, to see whether it does anything; with it
        every bar is played.

    Attributes
    ----------
    no_skipping : str
        Why every bar is played; empty where bars may be skipped.
    """

    def __init__(
        self,
        cerebro: Any,
        strategies: list[Any],
        timeline: Timeline,
        *,
        use_masks: bool,
        watch: Watch | None = None,
    ) -> None:
        self._cerebro = cerebro
        self._timeline = timeline
        self._times = array("d", timeline.times.tobytes())
        self._feeds = [
            _Feed(list(data.lines), None if rows is None else rows.tolist())
            for data, rows in zip(timeline.datas, timeline.rows, strict=True)
        ]
        self._steppers = [_Stepper(strategy, timeline, self._times) for strategy in strategies]
        wanted = use_masks or watch is not None
        self._can_sleep = wanted and any(item.may_sleep for item in self._steppers)
        self.no_skipping = self._why_every_bar(use_masks)
        for stepper in self._steppers:
            stepper.watch = watch
        for data in timeline.datas:
            _show_no_ticks(data)

    def run(self) -> None:
        """Play every step, or those up to the one at which a stop was asked for."""
        timeline, times, feeds = self._timeline, self._times, self._feeds
        play = self._player()
        may_jump = not self.no_skipping
        step, next_collection = 0, _COLLECT_EVERY
        while step < timeline.count:
            timeline.step = step
            for feed in feeds:
                feed.move(step)
            if not play(step, times[step]):
                return
            step += 1
            if may_jump:
                step = self._jump(step)
            if step >= next_collection:
                gc.collect(0)
                next_collection = step + _COLLECT_EVERY
        if timeline.step >= 0:
            for feed in feeds:
                feed.move(timeline.step)

    def leave(self) -> None:
        """Leave the feeds as Backtrader's loop does."""
        for data in self._timeline.datas:
            data._tick_nullify()
            if 0 < len(data) < data.buflen():  # stopped early
                data._tick_fill()

    def _jump(self, first: int) -> int:
        """Let the broker play on while every strategy sleeps; return the next step to play."""
        stop = min([stepper.wake for stepper in self._steppers])
        if stop <= first:
            return first
        broker = self._cerebro._broker
        end = int(broker.play_until(stop))
        if end > first:
            self._timeline.step = end - 1
            span = Span(broker, self._timeline, first, end)
            for stepper in self._steppers:
                stepper.skip(span)
        return end

    def _why_every_bar(self, use_masks: bool) -> str:
        """Return why no bar may be skipped, empty if some may."""
        cerebro = self._cerebro
        if not use_masks:
            return "entry masks are not used"
        for stepper in self._steppers:
            if not stepper.may_sleep:
                return f"{type(stepper.strategy).__name__} declares no entry mask"
            if isinstance(stepper.feeds, str):
                return stepper.feeds
        if cerebro._timers or cerebro._timerscheat:
            return "timers look at every bar"
        if cerebro.p.cheat_on_open or cerebro.runwriters:
            return "cheat-on-open and writers look at every bar"
        if not can_skip(cerebro._broker):
            return f"{type(cerebro._broker).__name__} plays bar by bar"
        return ""

    def _player(self) -> Callable[[int, float], bool]:
        """Return the function that plays a step after the feeds have moved on to it."""
        cerebro, steppers = self._cerebro, self._steppers
        broker, quick = cerebro._broker, cerebro.p.quicknotify
        strategies = cerebro.runningstrats
        has_timers = bool(cerebro._timers or cerebro._timerscheat)
        cheats, writes = cerebro.p.cheat_on_open, bool(cerebro.runwriters)
        standing = broker.standing if self._can_sleep and can_skip(broker) else None
        next_order = broker.get_notification
        plain = {id(item.strategy) for item in steppers if item.is_plain and not quick}

        def play(step: int, time: float) -> bool:
            if has_timers:
                cerebro._check_timers(strategies, time, cheat=True)
            if cheats:
                for strategy in strategies:
                    strategy._oncepost_open()
                    if cerebro._event_stop:
                        return False
            broker.next()
            while (order := next_order()) is not None:
                owner = strategies[0] if order.owner is None else order.owner
                if id(owner) in plain and is_lean(order):
                    add_news(owner, order)
                else:
                    owner._addnotification(order, quicknotify=quick)
            if cerebro._event_stop:
                return False
            if has_timers:
                cerebro._check_timers(strategies, time, cheat=False)
            for stepper in steppers:
                stepper.step(step, time)
                if cerebro._event_stop:
                    return False
                if writes:
                    cerebro._next_writers(strategies)
            if standing is not None:
                for stepper in steppers:
                    stepper.fall_asleep(standing, step)
            return True

        return play


class _Feed:
    """The lines that move with one feed."""

    def __init__(self, lines: list[Any], rows: list[int] | None) -> None:
        self._lines = lines
        self._rows = rows

    def move(self, step: int) -> None:
        """Put every line on the feed's row of a step."""
        row = step if self._rows is None else self._rows[step]
        length = row + 1
        for line in self._lines:
            line._idx = row
            line.lencount = length


class _Stepper:
    """Calls one strategy on each step as `Strategy._oncepost` does.

    Attributes
    ----------
    may_sleep : bool
        Whether it declares when it does nothing.
    wake : int
        The step up to which it sleeps unless it hears from the broker.
    feeds : list or str
        What to call with skipped bars, or why none may be skipped.
    is_plain : bool
        Whether its inner methods are Backtrader's own.
    """

    def __init__(self, strategy: Any, timeline: Timeline, times: array[float]) -> None:
        self.strategy = strategy
        self.may_sleep = False
        self.wake = 0
        self.watch: Watch | None = None
        self.feeds: list[Any] | str = f"{type(strategy).__name__} has inner methods of its own"
        self.is_plain = _is_plain(strategy)
        groups = _lines_by_feed(strategy, timeline)
        if groups is None or not self.is_plain:
            self.step: Callable[[int, float], None] = self._step_as_it_is
            return
        self.step = self._step
        self._groups = [
            _Feed(lines, None if rows is None else rows.tolist())
            for lines, rows in zip(groups, timeline.rows, strict=True)
            if lines
        ]
        self._lines = list(strategy.lines)
        self._datetime = strategy.lines.datetime
        self._times = times
        self._status = _periods_missing(strategy, timeline)
        analyzers = [*strategy.analyzers, *strategy._slave_analyzers]
        self._is_notified_each_bar = (
            is_own(strategy, "notify_cashvalue", bt.Strategy)
            or is_own(strategy, "notify_fund", bt.Strategy)
            or is_own(strategy, "_notify", bt.Strategy)
            or any(wants_account(item) for item in analyzers)
        )
        self._on_order = [item._notify_order for item in analyzers if listens(item, "notify_order")]
        self._on_trade = [item._notify_trade for item in analyzers if listens(item, "notify_trade")]
        busy = [item for item in strategy.analyzers if acts_each_bar(item)]
        self._ready = [item._next for item in busy]
        self._first = [item._nextstart for item in busy]
        self._early = [item._prenext for item in busy]
        self._has_observers = bool(strategy._lineiterators[bt.LineIterator.ObsType])
        self.feeds = feeds_of(strategy)
        self._sleeper = Sleeper(strategy, timeline, must_be_awake(strategy, self._status))
        self.may_sleep = self._sleeper.is_declared
        strategy._orders = OrderHistory(strategy._orders)

    def fall_asleep(self, standing: Callable[[Any], int], step: int) -> None:
        """Read how long the strategy may sleep."""
        if self.may_sleep:
            self.wake = self._sleeper.until(standing(self.strategy), step)
        else:
            self.wake = step + 1

    def skip(self, span: Span) -> None:
        """Pass over skipped steps."""
        count = span.stop - span.first
        for line in self._lines:
            line._idx += count
            line.lencount += count
            if line is not self._datetime:
                line.array.extend(array("d", [_NAN]) * count)
        self._datetime.array.extend(self._times[span.first : span.stop])
        last = span.stop - 1
        for group in self._groups:
            group.move(last)
        self.strategy._minperstatus = self._status[last]
        for feed in self.feeds:
            feed(span)  # type: ignore[operator]

    def _tell(self) -> None:
        """Call the hooks for orders and trades, `Strategy._notify` without cash and value."""
        strategy = self.strategy
        if strategy.cerebro.p.quicknotify:
            return
        for order in strategy._orderspending:
            if order.exectype != bt.Order.Historical or order.histnotify:
                strategy.notify_order(order)
            for call in self._on_order:
                call(order)
        for trade in strategy._tradespending:
            strategy.notify_trade(trade)
            for call in self._on_trade:
                call(trade)

    def _step_as_it_is(self, step: int, time: float) -> None:
        self.strategy._oncepost(time)

    def _step(self, step: int, time: float) -> None:
        strategy = self.strategy
        for group in self._groups:
            group.move(step)
        for line in self._lines:
            line._idx = step
            line.lencount = step + 1
            line.array.append(_NAN)
        self._datetime[0] = time
        has_news = strategy._orderspending or strategy._tradespending
        if self._is_notified_each_bar:
            strategy._notify()
        elif has_news:
            self._tell()
        strategy._minperstatus = status = self._status[step]
        is_awake = has_news or step >= self.wake
        if self.watch is not None and not is_awake:
            self.watch(strategy, step)
        if status < 0:
            if is_awake:
                strategy.next()
            calls = self._ready
        elif status == 0:
            if is_awake:
                strategy.nextstart()
            calls = self._first
        else:
            if is_awake:
                strategy.prenext()
            calls = self._early
        for call in calls:
            call()
        if self._has_observers:
            strategy._next_observers(status, once=True)
        if strategy._orderspending or strategy._tradespending:
            strategy.clear()


def _is_plain(strategy: Any) -> bool:
    """Whether a strategy's inner methods are Backtrader's own, which we know."""
    kind = type(strategy)
    names = (
        "_oncepost",
        "_getminperstatus",
        "_next_analyzers",
        "_next_observers",
        "_addnotification",
        "forward",
    )
    return not strategy._oldsync and all(
        getattr(kind, name) is getattr(bt.Strategy, name) for name in names
    )


def _periods_missing(strategy: Any, timeline: Timeline) -> array[int]:
    """Return Backtrader's `_minperstatus` at every step: <0 next, 0 nextstart, >0 prenext."""
    missing = None
    for period, data in zip(strategy._minperiods, strategy.datas, strict=True):
        rows = timeline.rows[timeline.index_of(data)]
        steps = np.arange(timeline.count) if rows is None else rows
        left = period - (steps + 1)
        missing = left if missing is None else np.maximum(missing, left)
    assert missing is not None
    return array("q", missing.astype(np.int64).tobytes())


def _lines_by_feed(strategy: Any, timeline: Timeline) -> list[list[Any]] | None:
    """Return the lines of a strategy's indicators by the feed that drives them.

    None where an indicator follows no feed: then Backtrader's own bookkeeping must run.
    """
    drivers: dict[int, int] = {}
    for index, data in enumerate(timeline.datas):
        drivers[id(data)] = index
        drivers.update((id(line), index) for line in data.lines)
    groups: list[list[Any]] = [[] for _ in timeline.datas]
    for indicator in strategy._lineiterators[bt.LineIterator.IndType]:
        driver = _driver_of(indicator._clock, drivers)
        if driver is None or is_own(indicator, "advance", _advancing_base(indicator)):
            return None
        lines = list(indicator.lines)
        groups[driver].extend(lines)
        drivers[id(indicator)] = driver
        drivers.update((id(line), driver) for line in lines)
    return groups


def _driver_of(clock: Any, drivers: dict[int, int]) -> int | None:
    if id(clock) in drivers:
        return drivers[id(clock)]
    if isinstance(clock, bt.lineseries.LineSeriesStub):  # a wrapped line
        return drivers.get(id(clock.lines[0]))
    return None


def _advancing_base(indicator: Any) -> type[Any]:
    base: type[Any] = bt.linebuffer.LineBuffer
    return base if isinstance(indicator, base) else bt.Indicator


def _show_no_ticks(data: Any) -> None:
    """Let `tick_close` and its like be read from the bar: no tick moves inside a finished one."""
    lines = type(data.lines)
    for name in data.getlinealiases():
        if name != "datetime":
            data.__dict__.pop(f"tick_{name}", None)
            setattr(lines, f"tick_{name}", property(_tick_reader(name)))
    data.__dict__.pop("tick_last", None)
    setattr(lines, "tick_last", property(_tick_reader(data._getlinealias(0))))  # noqa: B010


def _tick_reader(name: str) -> Callable[[Any], float]:
    def read(lines: Any) -> float:
        return float(getattr(lines, name)[0])

    return read
