"""Bars the backtest broker plays on its own leave every result as it is."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

import backtrader as bt
import numpy as np
import pytest

from backtests.fills.broker import BacktestBroker
from backtests.loop.cerebro import Cerebro
from core.bars import BAR, Series
from core.calendar import get_calendar
from core.instruments import get_instrument
from core.path_ticks import path_ticks
from core.ticks import Tape
from core.zones import NS_PER_MINUTE
from feeds import BulkData
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard
from risk.settings import RiskSettings

FIRST = 1_704_150_000_000_000_000  # 2024-01-01 23:00 UTC, gold's first open of the year
COUNT = 2400
NEWS = RiskSettings(news="flatten", flat_by="15:10", flat_zone="America/Chicago")
RULES = {
    "none": (),
    "gold_bot": ("gold_bot",),
    "topstep": ("topstep_50k", RiskSettings(trailing_drawdown=1500.0, trailing_mode="intraday")),
    "news": (NEWS, RiskSettings(daily_loss=300.0)),
}


def walk(seed: int, minutes: int, calendar: str = "CMEGlobex_GC") -> Series:
    """Bars of a random walk with gaps on gold's calendar; every second tick price is touched."""
    draw = np.random.default_rng(seed)
    days = get_calendar(calendar)
    end = FIRST + COUNT * 15 * NS_PER_MINUTE * 2
    starts = days.expected_starts(FIRST, end, minutes * NS_PER_MINUTE)
    bars = np.zeros(min(len(starts), COUNT * 15 // minutes), BAR)
    bars["start"] = starts[: len(bars)]
    days.annotate(bars, minutes * NS_PER_MINUTE)
    steps = draw.normal(0.0, 0.4 * np.sqrt(minutes), (len(bars), 4)).cumsum(axis=1)
    gaps = np.where(draw.random(len(bars)) < 0.02, draw.normal(0.0, 4.0, len(bars)), 0.0)
    before = 2000.0 + np.concatenate([[0.0], (steps[:-1, 3] + gaps[:-1]).cumsum()]) + gaps
    paths = np.round((before[:, None] + np.column_stack([np.zeros(len(bars)), steps])) * 5) / 5
    bars["open"], bars["close"] = paths[:, 0], paths[:, 4]
    bars["high"], bars["low"] = paths.max(axis=1), paths.min(axis=1)
    bars["volume"], bars["spread"] = 100.0, 0.2
    return Series("XAUUSD", minutes * NS_PER_MINUTE, bars)


class Sleepy(bt.Strategy):
    """Sends brackets of many kinds on drawn bars, and sleeps else."""

    params = (("seed", 0),)
    idle_in_position = True

    def __init__(self) -> None:
        self.awake = 0
        draw = np.random.default_rng(self.p.seed)
        count = self.data.buflen()
        self._mask = draw.random(count) < 0.02
        self._draw = random.Random(self.p.seed)

    def entry_mask(self) -> Any:
        """Entries are sent on these bars only, and only while flat."""
        return self._mask

    def next(self) -> None:
        self.awake += 1
        data = self.data
        if self.getposition(data).size or not self._mask[len(data) - 1]:
            return
        if any(order.data is data for order in self.broker.get_orders_open()):
            return
        draw, close = self._draw, data.close[0]
        side = draw.choice((1, -1))
        reach = draw.choice((2.0, 5.0, 20.0))
        kind = draw.choice((bt.Order.Market, bt.Order.Limit, bt.Order.Stop))
        away = {bt.Order.Market: 0.0, bt.Order.Limit: -side * 1.0, bt.Order.Stop: side * 1.0}[kind]
        send = self.buy_bracket if side > 0 else self.sell_bracket
        trail = {"trailamount": reach} if draw.random() < 0.3 else {}
        send(
            data=data,
            size=draw.choice((2, 3)),
            exectype=kind,
            price=close + away,
            stopprice=close + away - side * reach,
            limitprice=close + away + side * 2 * reach,
            stopexec=bt.Order.StopTrail if trail else bt.Order.Stop,
            stopargs=trail,
        )


def result(use_masks: bool, seed: int, intrabar: str, rules: Any, plans: int) -> dict[str, Any]:
    """All that a run leaves, order numbers counted from its first."""
    cerebro = Cerebro(stdstats=False)
    cerebro.use_masks = use_masks
    drill = walk(seed, 5) if intrabar == "drill" else None
    tapes = {"XAUUSD": Tape(path_ticks(walk(seed, 15).bars, 0.01), "path")}
    broker = BacktestBroker(
        cash=50_000.0,
        intrabar=intrabar,
        drill=drill,
        tapes=tapes if intrabar == "ticks" else None,
    )
    costs = {"swap_long": 3.0, "swap_short": -1.5, "swap_triple_weekday": 2}
    for number in range(plans):
        data = BulkData(walk(seed + number, 15))
        cerebro.adddata(data, name=f"plan{number}")
        broker.add_instrument(data, get_instrument("XAUUSD", costs), f"plan{number}")
    guard = Guard(broker, *rules)
    cerebro.setbroker(guard)
    for number in range(plans):
        cerebro.addstrategy(_on_feed(number), seed=seed + number)
    cerebro.addanalyzer(DailyLoss, _name="days")
    cerebro.addanalyzer(TradeRisk, _name="trades")
    first = next(bt.Order.refbasis)
    strategies = cerebro.run()
    ends, equity = broker.equity_curve
    return {
        "orders": [_counted(row, first) for row in broker.orders_log],
        "trades": [asdict(trade) for trade in broker.ledger.trades],
        "fills": [_counted(asdict(fill), first) for fill in broker.ledger.fills],
        "costs": dict(broker.ledger.costs),
        "equity": (ends.tolist(), equity.tolist(), broker.getvalue(), broker.getcash()),
        "ambiguous": broker.ambiguous_bars,
        "guard": [_counted(asdict(event), first) for event in guard.events],
        "open": broker.open_positions(),
        "days": [strategy.analyzers.days.get_analysis() for strategy in strategies],
        "risk": [strategy.analyzers.trades.get_analysis() for strategy in strategies],
        "lengths": [len(strategy) for strategy in strategies],
        "awake": [strategy.awake for strategy in strategies],
    }


def _on_feed(number: int) -> Any:
    """Make a strategy with one of the account's feeds alone, as the engine does."""
    return lambda *datas, **params: Sleepy(datas[number], **params)


def _counted(row: dict[str, Any], first: int) -> dict[str, Any]:
    return {
        name: value - first if name in ("order_id", "parent_id") and value else value
        for name, value in row.items()
    }


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("intrabar", ["worst", "best", "nearest", "drill"])
def test_a_run_that_skips_bars_leaves_what_one_leaves_that_plays_them_all(
    intrabar: str, rules: Any
) -> None:
    skipping = result(True, 7, intrabar, rules, 1)
    playing = result(False, 7, intrabar, rules, 1)

    skipped, whole = skipping.pop("awake")[0], playing.pop("awake")[0]
    assert skipping == playing
    assert len(skipping["trades"]) > 1
    assert skipped < (whole if intrabar == "drill" else whole / 2)


def test_over_a_tape_a_strategy_sleeps_but_the_broker_plays_every_bar_in_full() -> None:
    sleeping = result(True, 7, "ticks", RULES["topstep"], 1)
    playing = result(False, 7, "ticks", RULES["topstep"], 1)

    awake, whole = sleeping.pop("awake")[0], playing.pop("awake")[0]
    assert sleeping == playing
    assert len(playing["trades"]) > 1
    assert awake < whole / 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rules", ["none", "news"])
def test_plans_of_one_account_skip_bars_together(seed: int, rules: str) -> None:
    skipping = result(True, seed, "worst", RULES[rules], 2)
    playing = result(False, seed, "worst", RULES[rules], 2)

    skipped, whole = skipping.pop("awake"), playing.pop("awake")
    assert skipping == playing
    assert len(skipping["trades"]) > 1
    assert all(few < many for few, many in zip(skipped, whole, strict=True))
