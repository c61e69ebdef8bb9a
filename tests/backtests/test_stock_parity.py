"""`fills="backtrader"`: the guard with no rules over `StockBroker` is stock Backtrader.

1,000 seeded runs of random orders; every order notification and trade must be equal.
"""

from __future__ import annotations

import datetime
import random
from collections import Counter

import backtrader as bt
import pytest

from backtests.fills.stock import StockBroker
from risk import Guard
from tests.backtests.plain_feed import ListFeed

RUNS = 1000
BARS = 24


class RandomOrders(bt.Strategy):
    """Orders drawn from a seed and the state it leads to, so that a first difference spreads."""

    params = (("seed", 0), ("tick", 0.5))

    def __init__(self):
        self.random = random.Random(self.p.seed)
        self.seen = []
        self.kinds = Counter()
        self.working = []
        self.first_ref = None

    def notify_order(self, order):
        if self.first_ref is None:
            self.first_ref = order.ref
        executed = order.executed
        self.seen.append(
            (
                len(self.data), order.ref - self.first_ref, order.getstatusname(), executed.dt,
                executed.size, executed.price, executed.comm, executed.pnl, order.created.price,
                self.broker.getcash(), self.broker.getvalue(), self.position.size,
            )
        )  # fmt: skip
        self.kinds[f"{order.getordername()} {order.getstatusname()}"] += 1
        if order.getstatusname() == "Completed" and order.parent is not None:
            self.kinds["bracket child Completed"] += 1

    def notify_trade(self, trade):
        self.seen.append(
            ("trade", trade.ref and len(self.data), trade.size, trade.price, trade.pnl,
             trade.pnlcomm, trade.isclosed, trade.barlen)
        )  # fmt: skip
        self.kinds["trades closed"] += trade.isclosed

    def level(self, ticks):
        return round(self.data.close[0] / self.p.tick) * self.p.tick + ticks * self.p.tick

    def next(self):
        for _ in range(self.random.choice((0, 1, 1, 2))):
            self.act()

    def act(self):
        draw = self.random
        name = draw.choice(
            ("plain", "plain", "plain", "bracket", "bracket", "oco", "cancel", "cancel", "close",
             "family")
        )  # fmt: skip
        self.kinds[name] += 1
        getattr(self, f"act_{name}")(draw.choice((self.buy, self.sell)), draw)

    def terms(self, draw):
        kind = draw.choice(
            ("Market", "Limit", "Stop", "StopLimit", "StopTrail", "StopTrailLimit", "Close")
        )
        terms = {"exectype": getattr(bt.Order, kind), "size": draw.choice((1, 2, 3, 7))}
        if kind not in ("Market", "Close", "StopTrail"):
            terms["price"] = self.level(draw.randint(-4, 4))
        if kind in ("StopLimit", "StopTrailLimit"):
            terms["plimit"] = terms["price"] + draw.randint(-2, 2) * self.p.tick
        if kind in ("StopTrail", "StopTrailLimit"):
            if draw.random() < 0.5:
                terms["trailamount"] = draw.randint(1, 4) * self.p.tick
            else:
                terms["trailpercent"] = draw.choice((0.005, 0.01, 0.02))
        valid = draw.choice(
            (None, None, None, datetime.timedelta(minutes=3), datetime.timedelta(0), 0, 2.0,
             datetime.datetime(2024, 1, 2, 9, draw.randint(20, 39)), datetime.date(2024, 1, 3))
        )  # fmt: skip
        self.kinds["with expiry"] += valid is not None
        return terms | {"valid": valid, "tradeid": draw.choice((0, 0, 0, 1))}

    def act_plain(self, send, draw):
        self.working.append(send(**self.terms(draw)))

    def act_bracket(self, send, draw):
        side = 1 if send == self.buy else -1
        entry = self.level(draw.randint(-2, 2))
        kind = draw.choice((bt.Order.Market, bt.Order.Limit, bt.Order.Stop))
        make = self.buy_bracket if side > 0 else self.sell_bracket
        terms = {
            "size": draw.choice((1, 2, 5)),
            "exectype": kind,
            "stopprice": entry - side * draw.randint(1, 4) * self.p.tick,
            "limitprice": entry + side * draw.randint(1, 4) * self.p.tick,
        }
        if kind != bt.Order.Market:
            terms["price"] = entry
        if draw.random() < 0.3:
            terms |= {"stopexec": bt.Order.StopTrail,
                      "stopargs": {"trailamount": draw.randint(1, 3) * self.p.tick}}  # fmt: skip
        leg = draw.random()
        if leg < 0.15:
            terms["limitexec"] = None
        elif leg < 0.3:
            terms["stopexec"] = None
        self.working.extend(order for order in make(**terms) if order is not None)

    def act_family(self, send, draw):
        """A parent and children by hand, with another order between them."""
        side = 1 if send == self.buy else -1
        opposite = self.sell if side > 0 else self.buy
        parent = send(size=2, transmit=False)
        self.act_plain(send, draw)
        stop = opposite(
            size=1, exectype=bt.Order.Stop, price=self.level(-3 * side), parent=parent,
            transmit=False,
        )  # fmt: skip
        target = opposite(
            size=2, exectype=bt.Order.Limit, price=self.level(3 * side), parent=parent
        )
        self.working.extend((parent, stop, target))

    def act_oco(self, send, draw):
        first = send(**self.terms(draw))
        self.working.append(first)
        for _ in range(draw.randint(1, 2)):
            self.working.append(send(**self.terms(draw), oco=first))

    def act_cancel(self, send, draw):
        if self.working:
            self.cancel(draw.choice(self.working))

    def act_close(self, send, draw):
        self.close()


def random_rows(draw, tick):
    """Return bars on a coarse tick, so that levels are touched and gaps happen."""
    price = 200
    rows = []
    for _ in range(BARS):
        open_ = price + draw.choice((0, 0, 0, 0, 1, -1, 3, -3))
        close = open_ + draw.randint(-4, 4)
        high = max(open_, close) + draw.randint(0, 3)
        low = min(open_, close) - draw.randint(0, 3)
        rows.append(tuple(value * tick for value in (open_, high, low, close)))
        price = close
    return rows


def run(seed, broker_of):
    """Run the seed's orders on a broker; return what was seen and what is left."""
    draw = random.Random(seed)
    tick = draw.choice((0.25, 0.5, 1.0, 0.1))
    cerebro = bt.Cerebro(stdstats=False, quicknotify=draw.random() < 0.2)
    for _ in range(draw.choice((1, 1, 1, 2))):
        cerebro.adddata(ListFeed(rows=random_rows(draw, tick), sessionend=datetime.time(9, 30)))
    inner, front = broker_of(draw.choice((100_000.0, 100_000.0, 400.0)))
    cerebro.setbroker(front)
    terms = draw.choice(
        ({}, {"commission": 0.001}, {"commission": 1.5, "margin": 20.0, "mult": 10.0},
         {"commission": 0.5, "margin": 50.0, "mult": 2.0})
    )  # fmt: skip
    cerebro.broker.setcommission(**terms)
    if draw.random() < 0.2:
        cerebro.broker.set_slippage_fixed(tick)
    if draw.random() < 0.1:
        cerebro.broker.set_filler(bt.broker.fillers.FixedSize(size=2))
    cerebro.addstrategy(RandomOrders, seed=seed, tick=tick)
    strategy = cerebro.run()[0]
    end = (inner.getvalue(), inner.getcash(), strategy.position.size, len(inner.pending))
    return strategy, end


def stock(cash):
    broker = bt.brokers.BackBroker(cash=cash)
    return broker, broker


def guarded(cash):
    broker = StockBroker(cash=cash)
    return broker, Guard(broker)


def test_a_guard_without_rules_gives_the_trades_of_stock_backtrader(capsys):
    counts = Counter()
    for seed in range(RUNS):
        expected, expected_end = run(seed, stock)
        found, found_end = run(seed, guarded)

        assert found.seen == expected.seen, f"seed {seed}"
        assert found_end == expected_end, f"seed {seed}"
        counts.update(expected.kinds)

    with capsys.disabled():
        text = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
        print(f"\nstock parity: {RUNS} runs equal; {text}")
    for kind in ("Market", "Limit", "Stop", "StopLimit", "StopTrail", "StopTrailLimit", "Close"):
        assert counts[f"{kind} Completed"] > 100, kind
    assert counts["bracket child Completed"] > 100
    assert min(counts["Limit Expired"], counts["Limit Canceled"], counts["Market Margin"]) > 100


def test_a_stock_broker_refuses_orders_that_pass_the_guard_by():
    from core.errors import ConfigError

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ListFeed(rows=[(100, 101, 99, 100)] * 3))
    inner = StockBroker()
    cerebro.setbroker(Guard(inner))
    cerebro.addstrategy(bt.Strategy)
    strategy = cerebro.run()[0]

    with pytest.raises(ConfigError, match="guard only"):
        inner.buy(strategy, strategy.data, 1)


def test_a_guard_asks_for_a_broker_that_takes_approved_orders():
    from core.errors import ConfigError

    with pytest.raises(ConfigError, match="StockBroker"):
        Guard(bt.brokers.BackBroker())
