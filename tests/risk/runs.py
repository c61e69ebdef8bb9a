"""Short runs for tests of the guard: hand-written bars, a script of orders, either broker.

Instruments are free of costs, spread and slippage, so every figure can be worked out by hand:
one MGC is worth 10 money a point, one NIFTY-FUT unit 1.
"""

from __future__ import annotations

from types import SimpleNamespace

import backtrader as bt
import numpy as np

from backtests.fills.broker import BacktestBroker
from backtests.fills.stock import StockBroker
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.instruments import get_instrument
from feeds import BulkData
from risk import Guard

NEW_YORK_10 = "2024-01-09T15:00"
"""10:00 New York on a Tuesday."""


def series(rows, start=NEW_YORK_10, symbol="MGC", minutes=15):
    """Return bars from (open, high, low, close) rows, one after the other, with calendar facts.

    A row may be one number (a bar that stands still there) and may end with a START of its own.
    """
    step = minutes * 60 * 10**9
    bars = np.zeros(len(rows), BAR)
    at = np.datetime64(start, "ns").astype("i8")
    for bar, row in zip(bars, rows, strict=True):
        prices = (row,) * 4 if isinstance(row, int | float) else row
        if len(prices) > 4:
            at = np.datetime64(prices[4], "ns").astype("i8")
        bar["start"] = at
        bar["open"], bar["high"], bar["low"], bar["close"] = prices[:4]
        at += step
    get_calendar(get_instrument(symbol).calendar).annotate(bars, step)
    return Series(symbol, step, bars)


class Script(bt.Strategy):
    """Do what `script[bar number]` says at the close of that bar (1-based)."""

    params = (("script", None),)

    def __init__(self):
        self.orders = []
        self.log = []
        self.sizes = []

    def notify_order(self, order):
        self.log.append((len(self.data), order.ref, order.getstatusname(), order.executed.price))

    def next(self):
        self.sizes.append(self.position.size)
        action = (self.p.script or {}).get(len(self.data))
        if action is not None:
            made = action(self)
            self.orders.extend(made if isinstance(made, list) else [made] if made else [])

    def statuses(self):
        return [order.getstatusname() for order in self.orders]


def bracket(size=10, stop=95.0, target=120.0, side=1, **terms):
    """Return an action that sends a market bracket."""

    def act(strategy):
        make = strategy.buy_bracket if side > 0 else strategy.sell_bracket
        given = {"exectype": bt.Order.Market, "stopprice": stop, "limitprice": target, **terms}
        return make(size=size, **given)

    return act


def run(script, rows, *limits, broker="tola", cash=100_000.0, analyzers=(), late=(), **feed):
    """Run a script on one feed; return strategy, guard, broker and the feed."""
    result = run_plans({"plan": (script, series(rows, **feed))}, *limits, broker=broker, cash=cash,
                       analyzers=analyzers, late=late)  # fmt: skip
    return SimpleNamespace(strategy=result.strategies["plan"], **vars(result))


def run_plans(plans, *limits, broker="tola", cash=100_000.0, analyzers=(), late=()):
    """Run a script for each plan, {name: (script, series)}, on one account.

    `late` are the numbers (1-based) of the bars that come from history.
    """
    cerebro = bt.Cerebro(stdstats=False)
    inner = BacktestBroker(cash=cash) if broker == "tola" else StockBroker(cash=cash)
    guard = Guard(inner, *limits)
    feeds = {}
    for name, (_, bars) in plans.items():
        is_late = np.isin(np.arange(1, len(bars) + 1), late)
        feeds[name] = data = BulkData(bars, late=is_late)
        cerebro.adddata(data, name=name)
        inner.add_instrument(data, get_instrument(bars.symbol).without_costs(), name)
    cerebro.setbroker(guard)
    strategies = {}

    def factory(name, script):
        def make(*datas, **params):
            strategies[name] = Script(feeds[name], script=script)
            return strategies[name]

        return make

    for name, (script, _) in plans.items():
        cerebro.addstrategy(factory(name, script))
    for analyzer, params in analyzers:
        cerebro.addanalyzer(analyzer, **params)
    cerebro.run()
    return SimpleNamespace(strategies=strategies, guard=guard, inner=inner, feeds=feeds)


def actions(guard):
    """Return what the guard did, as (rule, action) pairs."""
    return [(event.rule, event.action) for event in guard.events]
