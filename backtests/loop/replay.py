"""Skipped bars for those who look at every bar: analyzers and observers fed by arrays.

Ours have a method `skipped(span)` (`backtests.loop.skipping.Span`). Backtrader's commonest are fed
here, with the figures they would have computed bar by bar, by the same operations. Whoever looks
at every bar and is not known forbids skipping.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np

from backtests.loop.skipping import Span

_NAN = float("nan")
_EACH_BAR = ("next", "prenext", "nextstart", "_next", "_prenext", "_nextstart")
_ACCOUNT = ("notify_cashvalue", "notify_fund", "_notify_cashvalue", "_notify_fund")

Feed = Callable[[Span], None]


def is_own(item: Any, name: str, base: type[Any]) -> bool:
    """Whether an object defines a method otherwise than its Backtrader base."""
    return name in vars(item) or getattr(type(item), name) is not getattr(base, name)


def acts_each_bar(analyzer: Any) -> bool:
    """Whether an analyzer does anything on a bar without news."""
    if analyzer._children:
        return True
    return any(is_own(analyzer, name, bt.Analyzer) for name in _EACH_BAR)


def listens(analyzer: Any, hook: str) -> bool:
    """Whether an analyzer does anything in `notify_order` or `notify_trade`."""
    own = any(is_own(analyzer, name, bt.Analyzer) for name in (hook, f"_{hook}"))
    return own or bool(analyzer._children)


def wants_account(analyzer: Any) -> bool:
    """Whether an analyzer wants to be told of cash and value on every bar."""
    if any(is_own(analyzer, name, bt.Analyzer) for name in _ACCOUNT):
        return True
    return any(wants_account(child) for child in analyzer._children)


def feeds_of(strategy: Any) -> list[Feed] | str:
    """Return what to call with each span of skipped bars; a text if somebody must see each bar."""
    feeds: list[Feed] = []
    if any(is_own(strategy, name, bt.Strategy) for name in ("notify_cashvalue", "notify_fund")):
        return f"{type(strategy).__name__} wants cash and value on every bar"
    slaves = {id(item) for item in strategy._slave_analyzers}
    for analyzer in [*strategy.analyzers, *strategy._slave_analyzers]:
        if acts_each_bar(analyzer) or wants_account(analyzer):
            feed = _analyzer_feed(analyzer)
            if feed is None:
                return f"the analyzer {type(analyzer).__name__} looks at every bar"
            if id(analyzer) not in slaves:
                feeds.append(feed)
    for observer in strategy._lineiterators[bt.LineIterator.ObsType]:
        feed = _observer_feed(observer)
        if feed is None:
            return f"the observer {type(observer).__name__} looks at every bar"
        feeds.append(feed)
    return feeds


def _analyzer_feed(analyzer: Any) -> Feed | None:
    own = getattr(analyzer, "skipped", None)
    if own is not None:
        return own  # type: ignore[no-any-return]
    if type(analyzer) is bt.analyzers.DrawDown and not analyzer._fundmode:
        return lambda span: _feed_draw_down(analyzer, span)
    return None


def _feed_draw_down(analyzer: Any, span: Span) -> None:
    _draw_down(analyzer, span)


def _draw_down(analyzer: Any, span: Span) -> tuple[Any, Any]:
    """Feed `DrawDown`; return drawdown and its maximum after each step, for its observer."""
    value = span.value
    peak = np.maximum.accumulate(np.maximum(value, analyzer._maxvalue))
    money = peak - value
    down = 100.0 * money / peak
    rets = analyzer.rets
    most = np.maximum.accumulate(np.maximum(down, rets.max.drawdown))
    analyzer._value, analyzer._maxvalue = float(value[-1]), float(peak[-1])
    rets.moneydown, rets.drawdown = float(money[-1]), float(down[-1])
    rets.max.moneydown = max(rets.max.moneydown, float(money.max()))
    rets.max.drawdown = float(most[-1])
    steps = np.arange(1, len(value) + 1)
    flat_at = np.maximum.accumulate(np.where(down == 0.0, steps, 0))
    lengths = np.where(flat_at > 0, steps - flat_at, rets.len + steps)
    rets.len = int(lengths[-1])
    rets.max.len = max(rets.max.len, int(lengths.max()))
    return down, most


def _observer_feed(observer: Any) -> Feed | None:
    own = getattr(type(observer), "skipped", None)
    if own is not None:
        return lambda span: own(observer, span)
    kind = type(observer)
    observers = bt.observers
    if kind in (observers.Trades, observers.DataTrades, observers.BuySell):
        return lambda span: _append(observer, span, {})
    if kind is observers.Broker and not observer._fundmode:
        return lambda span: _append(observer, span, {"cash": span.cash, "value": span.value})
    if kind is observers.Value and not observer._fundmode:
        return lambda span: _append(observer, span, {"value": span.value})
    if kind is observers.Cash:
        return lambda span: _append(observer, span, {"cash": span.cash})
    if kind is observers.DrawDown and not observer._dd._fundmode:
        return lambda span: _observe_draw_down(observer, span)
    return None


def _observe_draw_down(observer: Any, span: Span) -> None:
    down, most = _draw_down(observer._dd, span)
    _append(observer, span, {"drawdown": down, "maxdrawdown": most})


def _append(observer: Any, span: Span, columns: dict[str, Any]) -> None:
    """Move an observer over skipped steps; lines without a column stay empty there."""
    count = span.stop - span.first
    for line, name in zip(observer.lines, observer.lines.getlinealiases(), strict=False):
        column = columns.get(name)
        first = line._idx + 1
        line._idx += count
        line.lencount += count
        line.array.extend(array("d", [_NAN]) * count)
        if column is not None:
            values = array("d", np.ascontiguousarray(column, np.float64).tobytes())
            line.array[first : first + count] = values
