"""Our Cerebro against Backtrader's own: the same run, step by step and to the last bit."""

from __future__ import annotations

import datetime
import gc
import random

import backtrader as bt
import numpy as np
import pytest

from backtests.fills.stock import StockBroker
from backtests.loop.cerebro import Cerebro
from core.errors import ConfigError
from risk import Guard, RiskSettings
from risk.analyzers import DailyLoss
from tests.backtests.plain_feed import MINUTE, ListFeed
from tests.backtests.test_stock_parity import RandomOrders

BARS = 90


class Values(bt.Analyzer):
    """Cash and value of every bar, skipped or not."""

    def start(self):
        self.rows = []

    def next(self):
        broker = self.strategy.broker
        self.rows.append((broker.getcash(), broker.getvalue()))

    def prenext(self):
        self.next()

    def skipped(self, span):
        self.rows.extend(zip(span.cash.tolist(), span.value.tolist(), strict=True))


class SleepyOrders(RandomOrders):
    """Random orders on random bars; asleep where its mask and its promise say so."""

    idle_in_position = True

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.has_news = False

    def mask(self, count):
        draw = random.Random(f"mask {self.p.seed}")
        return [draw.random() < 0.15 for _ in range(count)]

    def start(self):
        self.allowed = self.mask(self.data.buflen())

    def entry_mask(self):
        return np.array(self.mask(self.data.buflen()))

    def notify_order(self, order):
        super().notify_order(order)
        self.has_news = True

    def next(self):
        self.calls += 1
        news, self.has_news = self.has_news, False
        bar = len(self.data) - 1
        if not news:
            if self.position.size:
                return
            if not any(order.alive() for order in self.working) and not self.allowed[bar]:
                return
        self.random = random.Random(f"{self.p.seed} {bar}")
        if self.random.random() < 0.5:
            self.act()

    def act_close(self, send, draw):
        self.working.extend(order for order in [self.close()] if order is not None)


class MovesTheStop(RandomOrders):
    """Changes a resting order behind the broker's back, as some users do."""

    def next(self):
        super().next()
        for order in self.working:
            if order.alive() and order.exectype == bt.Order.Stop and self.random.random() < 0.2:
                order.created.price = self.level(self.random.randint(-2, 2))


def feeds(seed):
    """Return one to three feeds: prices on a coarse tick, some bars of the later ones missing."""
    draw = random.Random(seed)
    tick = draw.choice((0.25, 0.5, 1.0, 0.1))
    made = []
    for number in range(draw.choice((1, 1, 2, 3))):
        price, rows = 200, []
        for bar in range(BARS):
            open_ = price + draw.choice((0, 0, 0, 0, 1, -1, 3, -3))
            close = open_ + draw.randint(-4, 4)
            high = max(open_, close) + draw.randint(0, 3)
            low = min(open_, close) - draw.randint(0, 3)
            time = bt.date2num(datetime.datetime(2024, 1, 2, 22, 40)) + bar * MINUTE
            if number == 0 or draw.random() < 0.6:
                rows.append((*(value * tick for value in (open_, high, low, close)), time))
            price = close
        made.append(ListFeed(rows=rows, sessionend=datetime.time(9, 30)))
    return made, tick, draw


def run(seed, kind, cerebro, broker):
    """Run a seed's strategy; return it with its bars' cash and value and what is left."""
    datas, tick, draw = feeds(seed)
    cerebro.p.quicknotify = draw.random() < 0.2
    for data in datas:
        cerebro.adddata(data)
    cerebro.setbroker(Guard(broker) if isinstance(broker, StockBroker) else broker)
    broker.setcash(draw.choice((100_000.0, 100_000.0, 400.0)))
    broker.setcommission(
        **draw.choice(
            ({}, {"commission": 0.001}, {"commission": 1.5, "margin": 20.0, "mult": 10.0},
             {"commission": 0.5, "margin": 50.0, "mult": 2.0, "leverage": 3.0},
             {"interest": 0.3}, {"margin": 20.0, "automargin": 0.5, "mult": 2.0})
        )
    )  # fmt: skip
    if draw.random() < 0.2:
        broker.set_slippage_fixed(tick)
    if draw.random() < 0.1:
        broker.set_filler(bt.broker.fillers.FixedSize(size=2))
    if draw.random() < 0.1:
        broker.set_shortcash(False)
    cerebro.addanalyzer(Values, _name="values")
    cerebro.addstrategy(kind, seed=seed, tick=tick)
    strategy = cerebro.run()[0]
    history = [
        (o.ref - strategy.first_ref, o.status, o.executed.size, o.executed.dt, o.triggered,
         len(list(o.executed.iterpending())))
        for o in strategy._orders
    ]  # fmt: skip
    left = (broker.getvalue(), broker.getcash(), broker.get_leverage(), broker.fundvalue,
            len(broker.pending), strategy.position.size)  # fmt: skip
    return strategy, (strategy.seen, strategy.analyzers.values.rows, history, left)


@pytest.mark.parametrize(
    ("kind", "seeds"), [(RandomOrders, 25), (SleepyOrders, 50), (MovesTheStop, 15)]
)
def test_orders_trades_cash_and_value_are_those_of_stock_backtrader(kind, seeds):
    saved = 0
    for seed in range(seeds):
        expected_strategy, expected = run(
            seed, kind, bt.Cerebro(stdstats=False), bt.brokers.BackBroker()
        )
        cerebro = Cerebro(stdstats=False)
        strategy, found = run(seed, kind, cerebro, StockBroker())

        assert cerebro.fallback == "", f"seed {seed}"
        for name, one, other in zip(
            ("orders and trades", "cash and value", "history", "end"), expected, found, strict=True
        ):
            assert other == one, f"seed {seed}: {name}"
        if kind is SleepyOrders:
            saved += expected_strategy.calls - strategy.calls

    assert saved > seeds * BARS / 4 or kind is not SleepyOrders


def test_a_stock_broker_in_our_loop_gives_the_same_run():
    for seed in range(8):
        _, expected = run(seed, RandomOrders, bt.Cerebro(stdstats=False), bt.brokers.BackBroker())
        _, found = run(seed, RandomOrders, Cerebro(stdstats=False), bt.brokers.BackBroker())

        assert found == expected, f"seed {seed}"


def test_under_rules_a_run_that_skips_is_the_one_that_does_not():
    """Floors, locks and flat times act on the same bars; equity, trades and days are equal."""
    breaches = 0
    for seed in range(25):
        results = []
        for cerebro in (bt.Cerebro(stdstats=False), Cerebro(stdstats=False)):
            datas, tick, _ = feeds(seed)
            for data in datas:
                cerebro.adddata(data)
            broker = StockBroker(cash=10_000.0)
            broker.setcommission(commission=0.5, margin=20.0, mult=5.0)
            limits = RiskSettings(daily_loss=100.0, flat_by="23:30", flat_zone="UTC")
            guard = Guard(broker, limits)
            cerebro.setbroker(guard)
            cerebro.addanalyzer(DailyLoss)
            cerebro.addstrategy(SleepyOrders, seed=seed, tick=tick)
            strategy = cerebro.run()[0]
            times, values = broker.equity_curve
            events = [(event.ts, event.rule, event.action, event.value) for event in guard.events]
            breaches += any(event.action == "breach" for event in guard.events)
            results.append(
                (strategy.seen, times.tolist(), values.tolist(), events, dict(guard.refused),
                 [trade.row() for trade in broker.ledger.trades], len(broker.orders_log),
                 strategy.analyzers[0].get_analysis())
            )  # fmt: skip

        assert results[0] == results[1], f"seed {seed}"
    assert breaches


def observed(cerebro, broker, kind, *analyzers):
    """Run seed 4 with Backtrader's observers; return every line and analysis as text."""
    datas, tick, _ = feeds(4)
    for data in datas[:1]:
        cerebro.adddata(data)
    cerebro.setbroker(Guard(broker) if isinstance(broker, StockBroker) else broker)
    cerebro.addobserver(bt.observers.DrawDown)
    for analyzer in analyzers:
        cerebro.addanalyzer(analyzer)
    cerebro.addstrategy(kind, seed=4, tick=tick)
    strategy = cerebro.run()[0]
    lines = [
        [repr(value) for line in observer.lines for value in line.plot()]
        for observer in strategy.getobservers()
    ]
    analyses = [repr(item.get_analysis()) for item in strategy.analyzers]
    return lines, analyses, cerebro


def test_observers_and_analyzers_see_the_skipped_bars():
    known = (bt.analyzers.DrawDown, bt.analyzers.TradeAnalyzer, DailyLoss)

    expected = observed(bt.Cerebro(), bt.brokers.BackBroker(), SleepyOrders, *known[:2])
    found = observed(Cerebro(), StockBroker(), SleepyOrders, *known[:2])
    watched = observed(Cerebro(), StockBroker(), SleepyOrders, *known)

    assert found[:2] == expected[:2]
    assert watched[2].no_skipping == ""
    unskipped = Cerebro()
    unskipped.use_masks = False
    assert observed(unskipped, StockBroker(), SleepyOrders, DailyLoss)[1] == watched[1][2:]


def test_an_analyzer_that_looks_at_every_bar_has_every_bar_played():
    class Lows(bt.Analyzer):
        def start(self):
            self.lows = []

        def next(self):
            self.lows.append(self.data.low[0])

        def get_analysis(self):
            return self.lows

    expected = observed(bt.Cerebro(), bt.brokers.BackBroker(), SleepyOrders, Lows)
    *found, cerebro = observed(Cerebro(), StockBroker(), SleepyOrders, Lows)

    assert tuple(found) == expected[:2]
    assert "Lows looks at every bar" in cerebro.no_skipping


class Everything(bt.Strategy):
    """Indicators of two timeframes, lines of its own, a timer, a stop of the run."""

    lines = ("own",)
    params = (("stop_at", 0),)

    def __init__(self):
        self.seen = []
        self.fast = bt.ind.SMA(self.data, period=3)
        self.cross = bt.ind.CrossOver(self.data.close, self.fast)
        self.slow = bt.ind.EMA(self.data1.close, period=4)
        self.above = self.data.close > self.fast
        self.add_timer(when=datetime.time(23, 0), repeat=datetime.timedelta(minutes=7))

    def notify_timer(self, timer, when):
        self.seen.append(("timer", when, len(self)))

    def notify_cashvalue(self, cash, value):
        self.seen.append((cash, value))

    def prenext(self):
        self.seen.append(("early", len(self), len(self.data1)))

    def nextstart(self):
        self.seen.append(("start", len(self)))
        self.next()

    def next_open(self):
        self.seen.append(("open", self.data.open[0]))

    def next(self):
        self.lines.own[0] = self.fast[0]
        self.seen.append(
            (len(self), self.datetime[0], self.fast[0], self.cross[0], self.slow[0],
             self.above[0], self.lines.own[-1], self.data.tick_close or self.data.close[0],
             len(self.data1), self.data1.close[0], self.position.size)
        )  # fmt: skip
        if self.cross[0]:
            self.order_target_size(target=self.cross[0])
        if len(self) == self.p.stop_at:
            self.cerebro.runstop()


@pytest.mark.parametrize("cheat", [False, True])
@pytest.mark.parametrize("stop_at", [0, 50])
def test_indicators_timers_clones_and_stops_are_as_ever(cheat, stop_at):
    def result(cerebro, broker):
        data = feeds(11)[0][0]
        cerebro.adddata(data)
        other = data.clone()
        other.resample(timeframe=bt.TimeFrame.Minutes, compression=5)
        cerebro.adddata(other)
        cerebro.setbroker(Guard(broker) if isinstance(broker, StockBroker) else broker)
        cerebro.addstrategy(Everything, stop_at=stop_at)
        strategy = cerebro.run()[0]
        return repr(strategy.seen), len(strategy), strategy.data.tick_close, broker.getvalue()

    expected = result(bt.Cerebro(cheat_on_open=cheat), bt.brokers.BackBroker())
    cerebro = Cerebro(cheat_on_open=cheat)

    assert result(cerebro, StockBroker()) == expected
    assert cerebro.fallback == ""


def test_next_mode_is_backtraders_own_loop():
    _, expected = run(7, RandomOrders, bt.Cerebro(runonce=False), bt.brokers.BackBroker())
    cerebro = Cerebro(runonce=False)

    assert run(7, RandomOrders, cerebro, StockBroker())[1] == expected
    assert "next mode" in cerebro.fallback


def test_the_collector_runs_again_after_a_strategy_raised():
    class Raises(bt.Strategy):
        def next(self):
            assert not gc.isenabled()
            raise LookupError("mine")

    cerebro = Cerebro()
    cerebro.adddata(feeds(1)[0][0])
    cerebro.addstrategy(Raises)

    with pytest.raises(LookupError, match="mine"):
        cerebro.run()
    assert gc.isenabled()


@pytest.mark.parametrize("wrong", [[True], np.zeros(BARS), "all"])
def test_a_mask_of_the_wrong_shape_is_refused(wrong):
    class Wrong(bt.Strategy):
        def entry_mask(self):
            return wrong

    cerebro = Cerebro(stdstats=False)
    cerebro.adddata(feeds(1)[0][0])
    cerebro.addstrategy(Wrong)

    with pytest.raises(ConfigError, match=r"Wrong\.entry_mask .* expected bool, one item"):
        cerebro.run()


def test_a_subclass_with_another_next_does_not_inherit_the_mask():
    class Base(bt.Strategy):
        def entry_mask(self):
            return np.zeros(self.data.buflen(), bool)

    class Counts(Base):
        calls = 0

        def next(self):
            self.calls += 1

    cerebro = Cerebro(stdstats=False)
    cerebro.adddata(feeds(1)[0][0])
    cerebro.setbroker(Guard(StockBroker()))
    cerebro.addstrategy(Counts)

    assert cerebro.run()[0].calls == BARS
