"""One strategy of random orders, run as a backtest and as a session on paper over the same bars."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import backtrader as bt
import numpy as np

from backtests.fills.broker import BacktestBroker
from backtests.loading import LoadedPlan
from backtests.request import AccountRequest, PlanRequest
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.config import Plan
from core.fx import constant_rate
from core.instruments import Instrument, get_instrument
from core.path_ticks import path_ticks
from core.schedule import FlatSchedule
from core.ticks import Tape
from core.zones import NS_PER_MINUTE
from feeds import BulkData
from live.build import BuiltSession, SessionTerms, build_paper
from risk.guard import Guard

FIRST = 1_704_150_000_000_000_000  # 2024-01-01 23:00 UTC, gold's first open of the year
COSTS = {"swap_long": 3.0, "swap_short": -1.5, "swap_triple_weekday": 2}


def walk(seed: int, minutes: int = 15, count: int = 600, symbol: str = "XAUUSD") -> Series:
    """Bars of a random walk with gaps on gold's calendar; every second tick price is touched."""
    draw = np.random.default_rng(seed)
    calendar = get_calendar("CMEGlobex_GC")
    step = minutes * NS_PER_MINUTE
    starts = calendar.expected_starts(FIRST, FIRST + 3 * count * step, step)[:count]
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    calendar.annotate(bars, step)
    steps = draw.normal(0.0, 0.4 * np.sqrt(minutes), (len(bars), 4)).cumsum(axis=1)
    gaps = np.where(draw.random(len(bars)) < 0.02, draw.normal(0.0, 4.0, len(bars)), 0.0)
    before = 2000.0 + np.concatenate([[0.0], (steps[:-1, 3] + gaps[:-1]).cumsum()]) + gaps
    paths = np.round((before[:, None] + np.column_stack([np.zeros(len(bars)), steps])) * 5) / 5
    bars["open"], bars["close"] = paths[:, 0], paths[:, 4]
    bars["high"], bars["low"] = paths.max(axis=1), paths.min(axis=1)
    bars["volume"], bars["spread"] = 100.0, 0.2
    return Series(symbol, step, bars)


def gold(**overrides: float) -> Instrument:
    """Spot gold with swap, so that every kind of money moves."""
    return get_instrument("XAUUSD", {**COSTS, **overrides})


class RandomOrders(bt.Strategy):
    """Sends orders of all kinds at drawn bars, changes and cancels some, and notes all it hears."""

    params = (("seed", 0), ("kinds", ("market", "limit", "stop", "bracket", "legs", "trail")))

    def __init__(self) -> None:
        self.draw = random.Random(self.p.seed)
        self.heard: list[tuple[Any, ...]] = []
        self.working: list[Any] = []

    def notify_order(self, order: Any) -> None:
        done = order.executed
        self.heard.append(
            (len(self), order.getstatusname(), done.size, done.price, order.info.get("reason"))
        )
        if not order.alive():
            self.working = [item for item in self.working if item.ref != order.ref]

    def next(self) -> None:
        draw = self.draw
        if draw.random() < 0.55:
            return
        act = draw.choice(("open", "open", "close", "cancel", "move"))
        if act == "open" and len(self.working) < 12:
            self.working += [order for order in self._open() if order is not None]
        elif act == "close":
            self.close()
        elif self.working:
            order = draw.choice(self.working)
            if act == "cancel":
                self.cancel(order)
            else:
                away = draw.choice((-1.0, 1.0)) * draw.randint(1, 30) / 10
                if order.created.price:
                    self.broker.modify(order, price=order.created.price + away)

    def _open(self) -> Sequence[Any]:
        draw, close = self.draw, self.data.close[0]
        side = draw.choice((1, -1))
        reach = draw.randint(8, 80) / 10
        send = self.buy if side > 0 else self.sell
        kind = draw.choice(self.p.kinds)
        size = draw.choice((0.02, 0.05, 0.1))
        valid = draw.choice((None, None, self.data.datetime.date(0), bt.Order.DAY))
        valid = None if valid != bt.Order.DAY else bt.Order.DAY
        if kind in ("market", "limit", "stop"):
            price = {"market": None, "limit": close - side * reach / 3, "stop": close + side * 2}
            exectype = {"market": bt.Order.Market, "limit": bt.Order.Limit, "stop": bt.Order.Stop}
            return [send(size=size, price=price[kind], exectype=exectype[kind], valid=valid)]
        back = self.sell if side > 0 else self.buy
        parent = send(size=size, exectype=bt.Order.Market, transmit=False)
        if kind == "trail":
            stop = back(
                size=size, exectype=bt.Order.StopTrail, trailamount=reach, parent=parent,
                transmit=False,
            )  # fmt: skip
        else:
            stop = back(
                size=size, exectype=bt.Order.Stop, price=close - side * reach, parent=parent,
                transmit=False,
            )  # fmt: skip
        legs = {"exectype": bt.Order.Limit, "parent": parent}
        if kind == "legs":
            half = size / 2
            first = back(
                size=half, price=close + side * reach, transmit=False, stop_to=close, **legs
            )
            last = back(size=half, price=close + side * 2 * reach, **legs)
            return [parent, stop, first, last]
        return [parent, stop, back(size=size, price=close + side * reach, **legs)]


def paper(
    plans: Sequence[tuple[Series, Instrument, dict[str, Any]]],
    *,
    rules: Sequence[Any] = (),
    cash: float = 50_000.0,
    **terms: Any,
) -> BuiltSession:
    """A session on paper over the plans' bars, built and not yet run."""
    calendar = get_calendar("CMEGlobex_GC")
    none = np.zeros(0, np.int64)
    loaded = [
        LoadedPlan(
            PlanRequest(
                Plan("plan", "random", instrument.symbol, "15m"), f"plan{number}",
                RandomOrders, params, instrument, constant_rate("USD", "USD", 1.0),
            ),
            series, {}, calendar, FlatSchedule(none, none, ()),
        )
        for number, (series, instrument, params) in enumerate(plans)
    ]  # fmt: skip
    request = AccountRequest("paper", "USD", cash, tuple(p.request for p in loaded), tuple(rules))
    recorder = _NoRecord()
    more = {name: terms.pop(name) for name in ("ledger", "ready") if name in terms}
    return build_paper(
        request, loaded, [()] * len(loaded), SessionTerms(**terms), recorder=recorder, **more
    )


class _NoRecord:
    def __init__(self) -> None:
        self.count = 0

    def append(self, event: Any) -> int:
        self.count += 1
        return self.count


def backtest(
    plans: Sequence[tuple[Series, Instrument, dict[str, Any]]],
    *,
    rules: Sequence[Any] = (),
    cash: float = 50_000.0,
) -> tuple[Any, list[Any]]:
    """The same plans as a backtest: the broker and the strategies after the run."""
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    tapes = {
        series.symbol: Tape(path_ticks(series.bars, instrument.facts(0).tick), "path")
        for series, instrument, _ in plans
    }
    broker = BacktestBroker(cash=cash, intrabar="ticks", tapes=tapes)
    feeds = []
    for number, (series, instrument, _) in enumerate(plans):
        data = BulkData(series)
        data.tola_plan = f"plan{number}"
        cerebro.adddata(data, name=f"plan{number}")
        broker.add_instrument(data, instrument, f"plan{number}")
        feeds.append(data)
    guard = Guard(broker, *rules)
    cerebro.setbroker(guard)
    for number, (_, _, params) in enumerate(plans):
        cerebro.addstrategy(_on_feed(number), **params)
    return broker, cerebro.run()


def _on_feed(number: int) -> Any:
    return lambda *datas, **params: RandomOrders(datas[number], **params)


def trades_of(broker: Any) -> list[dict[str, Any]]:
    """Trades in every field."""
    return [asdict(trade) for trade in broker.ledger.trades]
