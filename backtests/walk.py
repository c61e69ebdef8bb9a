"""The accelerated run-once loop: one pass over a timeline, every line moved by direct writes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np

from backtests.timeline import Timeline

_COLLECT_EVERY = 1 << 16
"""Steps between collections of young cycles: a user's own garbage must not pile up."""

_NAN = float("nan")


class Walk:
    """One run over the steps of a timeline, as Backtrader's `Cerebro._runonce` makes it.

    Parameters
    ----------
    cerebro : backtrader.Cerebro
    strategies : list
        The running strategies, `_once` done and reset.
    timeline : Timeline
    """

    def __init__(self, cerebro: Any, strategies: list[Any], timeline: Timeline) -> None:
        self._cerebro = cerebro
        self._timeline = timeline
        self._times: list[float] = timeline.times.tolist()
        self._feeds = [
            _Feed(list(data.lines), None if rows is None else rows.tolist())
            for data, rows in zip(timeline.datas, timeline.rows, strict=True)
        ]
        self._steppers = [_Stepper(strategy, timeline) for strategy in strategies]
        self.no_skipping = "not built yet"
        for data in timeline.datas:
            _show_no_ticks(data)

    def run(self) -> None:
        """Play every step, or those up to the one at which a stop was asked for."""
        timeline = self._timeline
        play = self._player()
        for step, time in enumerate(self._times):
            timeline.step = step
            for feed in self._feeds:
                feed.move(step)
            if not play(step, time):
                return
            if step % _COLLECT_EVERY == 0:
                gc.collect(0)

    def leave(self) -> None:
        """Leave the feeds as Backtrader's loop does."""
        for data in self._timeline.datas:
            data._tick_nullify()

    def _player(self) -> Callable[[int, float], bool]:
        """Return the function that plays a step after the feeds have moved on to it."""
        cerebro, steppers = self._cerebro, self._steppers
        broker, quick = cerebro._broker, cerebro.p.quicknotify
        strategies = cerebro.runningstrats
        has_timers = bool(cerebro._timers or cerebro._timerscheat)
        cheats, writes = cerebro.p.cheat_on_open, bool(cerebro.runwriters)

        def play(step: int, time: float) -> bool:
            if has_timers:
                cerebro._check_timers(strategies, time, cheat=True)
            if cheats:
                for strategy in strategies:
                    strategy._oncepost_open()
                    if cerebro._event_stop:
                        return False
            broker.next()
            while (order := broker.get_notification()) is not None:
                owner = strategies[0] if order.owner is None else order.owner
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
    """Calls one strategy on each step as `Strategy._oncepost` does."""

    def __init__(self, strategy: Any, timeline: Timeline) -> None:
        self.strategy = strategy
        groups = _lines_by_feed(strategy, timeline)
        self.is_plain = groups is not None and _is_plain(strategy)
        if not self.is_plain or groups is None:
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
        self._status: list[int] = _periods_missing(strategy, timeline)
        self._is_notified_each_bar = _wants_account(strategy)
        analyzers = [item for item in strategy.analyzers if _acts_each_bar(item)]
        self._ready = [item._next for item in analyzers]
        self._first = [item._nextstart for item in analyzers]
        self._early = [item._prenext for item in analyzers]
        self._has_observers = bool(strategy._lineiterators[bt.LineIterator.ObsType])

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
        if self._is_notified_each_bar or strategy._orderspending or strategy._tradespending:
            strategy._notify()
        strategy._minperstatus = status = self._status[step]
        if status < 0:
            strategy.next()
            calls = self._ready
        elif status == 0:
            strategy.nextstart()
            calls = self._first
        else:
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
    names = ("_oncepost", "_getminperstatus", "_next_analyzers", "_next_observers", "forward")
    return not strategy._oldsync and all(
        getattr(kind, name) is getattr(bt.Strategy, name) for name in names
    )


def _wants_account(strategy: Any) -> bool:
    """Whether cash and value must be told on every bar."""
    analyzers = [*strategy.analyzers, *strategy._slave_analyzers]
    return (
        any(
            _is_own(item, name, base)
            for item, base in [
                (strategy, bt.Strategy),
                *((item, bt.Analyzer) for item in analyzers),
            ]
            for name in ("notify_cashvalue", "notify_fund")
        )
        or _is_own(strategy, "_notify", bt.Strategy)
        or any(
            _is_own(item, name, bt.Analyzer)
            for item in analyzers
            for name in ("_notify_cashvalue", "_notify_fund")
        )
        or any(item._children for item in analyzers)
    )


def _is_own(item: Any, name: str, base: type[Any]) -> bool:
    """Whether an object defines a method otherwise than its Backtrader base."""
    return name in vars(item) or getattr(type(item), name) is not getattr(base, name)


def _acts_each_bar(analyzer: Any) -> bool:
    names = ("next", "prenext", "nextstart", "_next", "_prenext", "_nextstart")
    return bool(analyzer._children) or any(_is_own(analyzer, name, bt.Analyzer) for name in names)


def _periods_missing(strategy: Any, timeline: Timeline) -> list[int]:
    """Return Backtrader's `_minperstatus` at every step: <0 next, 0 nextstart, >0 prenext."""
    missing = None
    for period, data in zip(strategy._minperiods, strategy.datas, strict=True):
        rows = timeline.rows[timeline.index_of(data)]
        steps = np.arange(timeline.count) if rows is None else rows
        left = period - (steps + 1)
        missing = left if missing is None else np.maximum(missing, left)
    assert missing is not None
    status: list[int] = missing.tolist()
    return status


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
        if driver is None or _is_own(indicator, "advance", _advancing_base(indicator)):
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
