"""Backtests through recorded ticks: on a path as `nearest` and `drill`, on trades exact."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import feeds
from backtests.fills.broker import BacktestBroker
from core.bars import Series
from core.errors import ConfigError
from core.instruments import get_instrument
from core.path_ticks import path_ticks
from core.ticks import TICK, TRADE, Tape
from risk.settings import RiskSettings
from tests.backtests.broker_run import (
    HOUR,
    QUIET,
    Run,
    bracket,
    buy,
    free,
    one,
    random_rows,
    run,
    series_of,
)
from tests.backtests.plain_feed import ListFeed
from tests.core.matching_case import bars_of

TICK_SIZE = 0.01
COSTS = {"slippage_ticks": 2, "commission_per_unit": 3.5, "swap_long": 7.0, "swap_short": -2.0}
RULES = {
    "no rules": (),
    "daily loss": (RiskSettings(daily_loss=900.0),),
    "trailing drawdown": (RiskSettings(trailing_drawdown=1200.0, trailing_mode="intraday"),),
    "both": (RiskSettings(daily_loss=700.0, trailing_drawdown=1500.0, trailing_mode="intraday"),),
}
seeds = st.integers(0, 10**6)
some = settings(max_examples=25, deadline=None)


class LowEquity(bt.Analyzer):
    """Notes after each bar how low equity has been, as the guard's limits know it."""

    def start(self) -> None:
        self.lows: list[float] = []

    def next(self) -> None:
        self.lows.append(self.strategy.broker.limits["low_equity"].item(0))


def all_sorts(seed: int, bars: int, every: int = 2, most: int = 40) -> dict[int, Any]:
    """A script of every sort of order near the price, of at most so many hundredths of a lot."""
    draw = random.Random(seed)
    script: dict[int, Any] = {}
    for bar in range(1, bars, every):
        sort = draw.choice(("market", "limit", "stop", "bracket", "trail", "oco", "close"))
        terms = {
            "sign": draw.choice((1, -1)),
            "size": draw.randint(1, most) / 100,
            "near": draw.randint(3, 120) / 10,
            "far": draw.randint(10, 90) / 10,
            "valid": draw.choice((None, datetime.timedelta(0), datetime.timedelta(hours=3))),
            "trails": draw.random() < 0.3,
        }
        script[bar] = lambda strategy, sort=sort, terms=terms: send(strategy, sort, **terms)
    return script


def send(
    strategy: Any,
    sort: str,
    sign: int,
    size: float,
    near: float,
    far: float,
    valid: Any,
    trails: bool,
) -> None:
    close = strategy.data.close[0]
    enter = strategy.buy if sign > 0 else strategy.sell
    if isinstance(valid, datetime.timedelta) and valid:
        valid = strategy.data.datetime.datetime() + valid
    if sort == "close":
        strategy.close()
    elif sort == "bracket":
        both = strategy.buy_bracket if sign > 0 else strategy.sell_bracket
        both(
            size=size, exectype=bt.Order.Limit, price=close - sign * near / 4, valid=valid,
            stopprice=close - sign * near, limitprice=close + sign * far,
            stopexec=bt.Order.StopTrail if trails else bt.Order.Stop,
            stopargs={"trailamount": near} if trails else {},
        )  # fmt: skip
    elif sort == "trail":
        enter(size=size, exectype=bt.Order.StopTrail, trailamount=near, valid=valid)
    elif sort == "oco":
        first = enter(size=size, exectype=bt.Order.Limit, price=close - sign * near, valid=valid)
        enter(size=size, exectype=bt.Order.Stop, price=close + sign * near, valid=valid, oco=first)
    else:
        kind = {"market": bt.Order.Market, "limit": bt.Order.Limit, "stop": bt.Order.Stop}[sort]
        price = close + (-sign if sort == "limit" else sign) * near
        enter(size=size, exectype=kind, price=price, valid=valid)


def play(series: Series, script: Mapping[int, Any], rules: Sequence[Any] = (), **terms: Any) -> Run:
    instrument = get_instrument("XAUUSD", COSTS).without_margin()
    return run([(series, instrument, script)], rules=rules, analyzers={"lows": LowEquity}, **terms)


def without(row: Mapping[str, Any], names: Sequence[str], first: int) -> dict[str, Any]:
    """A row without what may differ, order numbers counted from the run's first."""
    return {
        name: value - first if name in ("order_id", "parent_id") and value else value
        for name, value in row.items()
        if name not in names
    }


def all_of(finished: Run) -> dict[str, Any]:
    """All that a run leaves but times and what is only a guess of a path's other way."""
    ledger, first = finished.broker.ledger, finished.started
    unlike = ("entry_time", "exit_time", "time", "ambiguous")
    return {
        "trades": [without(asdict(trade), unlike, first) for trade in ledger.trades],
        "fills": [without(asdict(fill), unlike, first) for fill in ledger.fills],
        "orders": [without(row, unlike, first) for row in finished.broker.orders_log],
        "told": [(row[0], row[1] - first, *row[2:]) for row in finished.strategy.orders],
        "equity": [column.tolist() for column in finished.broker.equity_curve],
        "values": finished.strategy.values,
        "lows": finished.strategy.analyzers.lows.lows,
        "open": [without(row, unlike, first) for row in finished.broker.open_positions()],
        "guard": [without(asdict(event), ("ts_event",), first) for event in finished.guard.events],
        "costs": dict(ledger.costs),
    }


def path_of(series: Series) -> dict[str, Tape]:
    return {series.symbol: Tape(path_ticks(series.bars, TICK_SIZE), "path")}


# -- on a path -----------------------------------------------------------------------------------


def random_series(seed: int, **given: Any) -> Series:
    rows = random_rows(seed)
    spreads = np.random.default_rng(seed).integers(0, 5, len(rows)) / 10
    return series_of(rows, "XAUUSD", spread=spreads, **given)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@some
@given(seed=seeds)
def test_bars_replayed_as_ticks_give_what_nearest_gives(rules: Any, seed: int) -> None:
    series, script = random_series(seed), all_sorts(seed, 60)

    by_bar = play(series, script, rules, intrabar="nearest")
    by_tick = play(series, script, rules, intrabar="ticks", tapes=path_of(series))

    assert all_of(by_tick) == all_of(by_bar)
    assert by_tick.broker.ambiguous_bars == 0
    assert not any(trade.ambiguous for trade in by_tick.broker.ledger.trades)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@some
@given(seed=seeds)
def test_finer_bars_replayed_as_ticks_give_what_drill_gives(rules: Any, seed: int) -> None:
    series, lower = nested(seed)
    script = all_sorts(seed, 60)

    by_bar = play(series, script, rules, intrabar="drill", drill=lower)
    by_tick = play(series, script, rules, intrabar="ticks", tapes=path_of(lower))

    assert all_of(by_tick) == all_of(by_bar)
    assert not any(trade.ambiguous for trade in by_tick.broker.ledger.trades)


def nested(seed: int) -> tuple[Series, Series]:
    """Hours, and the quarters they were built from; a tenth of the quarters is missing."""
    rows = [row for part in range(4) for row in random_rows(4 * seed + part)]
    moved = [tuple(value - row[0] for value in row) for row in rows]
    opens = 2000.0 + np.cumsum([0.0, *(row[3] for row in moved[:-1])])
    rows = [
        tuple(round(float(at + value), 1) for value in row)
        for at, row in zip(opens, moved, strict=True)
    ]
    finer = bars_of(rows, step=HOUR // 4, spread=np.tile([0.2, 0.0, 0.4, 0.1], len(rows) // 4))
    hours = bars_of(
        [
            (part[0][0], max(row[1] for row in part), min(row[2] for row in part), part[-1][3])
            for part in (rows[at : at + 4] for at in range(0, len(rows), 4))
        ],
        spread=0.3,
    )
    kept = np.random.default_rng(seed).random(len(finer)) > 0.1
    kept[40:44] = False
    return (
        Series("XAUUSD", HOUR, hours),
        Series("XAUUSD", HOUR // 4, finer[kept]),
    )


def test_the_random_runs_above_meet_every_rule_and_every_end_of_an_order() -> None:
    reasons: set[str] = set()
    ends: set[tuple[str, str]] = set()
    for seed in range(12):
        series = random_series(seed)
        finished = play(
            series, all_sorts(seed, 60), RULES["both"], intrabar="ticks", tapes=path_of(series)
        )
        reasons |= {fill.reason for fill in finished.broker.ledger.fills}
        ends |= {(row["state"], row["reason"]) for row in finished.broker.orders_log}

    assert reasons >= {"entry", "exit", "stop", "target", "daily_loss", "trailing_drawdown"}
    assert ends >= {
        ("expired", "expired"),
        ("canceled", "oco"),
        ("canceled", "position_closed"),
        ("canceled", "parent_ended"),
        ("canceled", "daily_loss"),
    }


def test_a_fill_at_the_open_has_the_bars_start_one_inside_the_time_of_its_tick() -> None:
    rows = [QUIET, (2000, 2004, 1999.5, 2003), QUIET]
    series = series_of(rows)

    finished = one(
        rows, {1: bracket(1990, 2002)}, intrabar="ticks", tapes={"plan0": path_of(series)["MGC"]}
    )

    (trade,) = finished.broker.ledger.trades
    assert (trade.entry_time, trade.exit_time) == (HOUR, HOUR + 2 * HOUR // 3)
    assert (trade.entry_bar, trade.exit_bar) == (HOUR, HOUR)


# -- on trades -----------------------------------------------------------------------------------


def tape_of(
    prices: Sequence[float],
    model: str = "trades",
    *,
    start: int = 0,
    spread: Any = np.nan,
    **given: Any,
) -> Tape:
    """Ticks every ten minutes."""
    ticks = np.zeros(len(prices), TICK)
    ticks["ts_event"] = start + HOUR // 6 * np.arange(len(prices))
    ticks["price"], ticks["spread"], ticks["flags"] = prices, spread, TRADE
    return Tape(ticks, model)  # type: ignore[arg-type]


def bars_of_tape(tape: Tape) -> list[tuple[float, ...]]:
    """The hourly bars of a tape."""
    hours = tape.ticks["ts_event"] // HOUR
    return [
        (prices[0], prices.max(), prices.min(), prices[-1])
        for prices in (tape.ticks["price"][hours == hour] for hour in np.unique(hours))
    ]


SLOW = [2000.0] * 6
MINUTES_10 = HOUR // 6


def test_an_order_fills_at_the_first_trade_at_or_beyond_it_at_that_trades_time() -> None:
    tape = tape_of([*SLOW, 2000, 2001, 2002.5, 2002, 1990, 1995, *SLOW])
    orders = {"price": 2002.2, "stopprice": 1992.0, "limitprice": 2050.0}

    def enter(strategy: Any) -> None:
        strategy.buy_bracket(size=1, exectype=bt.Order.Stop, **orders)

    finished = one(bars_of_tape(tape), {1: enter}, intrabar="ticks", tapes={"MGC": tape})

    (trade,) = finished.broker.ledger.trades
    assert (trade.entry_price, trade.exit_price, trade.exit_reason) == (2002.5, 1990, "stop")
    assert (trade.entry_time, trade.exit_time) == (HOUR + 2 * MINUTES_10, HOUR + 4 * MINUTES_10)
    assert not trade.ambiguous


def test_a_fill_at_the_first_trade_of_a_bar_has_that_trades_time() -> None:
    tape = tape_of([*SLOW, *SLOW], start=MINUTES_10 // 2)

    finished = one(bars_of_tape(tape), {1: buy()}, intrabar="ticks", tapes={"MGC": tape})

    (fill,) = finished.broker.ledger.fills
    assert (fill.time, fill.bar_start) == (HOUR + MINUTES_10 // 2, HOUR)


def test_a_daily_loss_met_at_one_trade_closes_at_the_next() -> None:
    tape = tape_of([*SLOW, 2000, 1989, 1985, 1984, 1984, 1984, *SLOW])
    rules = (RiskSettings(daily_loss=100.0),)

    finished = one(
        bars_of_tape(tape), {1: buy()}, rules=rules, intrabar="ticks", tapes={"MGC": tape}
    )

    (trade,) = finished.broker.ledger.trades
    assert (trade.exit_price, trade.exit_reason) == (1985, "daily_loss")
    assert finished.guard.locked is True


def test_quotes_fill_nothing() -> None:
    tape = tape_of([*SLOW, 2000, 1980, 2000, 2000, 2000, 2000])
    tape.ticks["flags"][7] = 0
    rows = bars_of_tape(tape.of_trades())

    finished = one(
        rows,
        {1: buy(exectype=bt.Order.Limit, price=1990.0)},
        intrabar="ticks",
        tapes={"MGC": tape},
    )

    assert finished.broker.ledger.fills == []


def test_each_tick_is_met_at_its_own_spread() -> None:
    spreads = [*[0.5] * 6, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1]
    tape = tape_of([*SLOW, 2000, 2000.2, 2000.2, 2000, 2000, 2000], spread=spreads)
    series = series_of(bars_of_tape(tape), "XAUUSD", spread=0.9)
    stop = buy(exectype=bt.Order.Stop, price=2001.0)

    finished = run([(series, free("XAUUSD"), {1: stop})], intrabar="ticks", tapes={"XAUUSD": tape})

    (fill,) = finished.broker.ledger.fills
    assert (fill.price, fill.time) == (2001.1, HOUR + 2 * MINUTES_10)


def test_an_order_sent_while_flat_knows_the_spread_of_the_last_tick() -> None:
    tape = tape_of([*SLOW, 2001.6, *[2001.6] * 5], spread=[*[0.9] * 5, 0.5, *[0.5] * 6])
    series = series_of(bars_of_tape(tape), "XAUUSD", spread=0.9)
    trail = buy(exectype=bt.Order.StopTrail, trailamount=2.0)  # at 2000.5 + 2.0

    finished = run([(series, free("XAUUSD"), {1: trail})], intrabar="ticks", tapes={"XAUUSD": tape})

    assert finished.broker.ledger.fills == []


def test_the_swap_of_a_night_is_charged_as_in_any_backtest() -> None:
    rows = [QUIET] * 24
    series = series_of(rows, "XAUUSD", start=24 * HOUR * 4)

    by_bar = play(series, {1: buy()}, intrabar="nearest")
    by_tick = play(series, {1: buy()}, intrabar="ticks", tapes=path_of(series))

    assert by_bar.broker.ledger.costs["swap"] > 0
    assert by_tick.broker.ledger.costs == by_bar.broker.ledger.costs


# -- bars of history -----------------------------------------------------------------------------

FALL = (2000, 2012, 1988, 2000)
"""Touches stop and target of the bracket below; the path decides."""


def test_a_bar_without_ticks_goes_by_nearest_and_nothing_is_ambiguous() -> None:
    rows = [QUIET, FALL, QUIET]
    script = {1: bracket(1990, 2010)}

    by_bar = one(rows, script, intrabar="nearest")
    by_tick = one(rows, script, intrabar="ticks", tapes={"MGC": tape_of([2000], start=2 * HOUR)})

    assert [trade.ambiguous for trade in by_bar.broker.ledger.trades] == [True]
    assert [trade.ambiguous for trade in by_tick.broker.ledger.trades] == [False]
    assert by_tick.broker.ambiguous_bars == 0
    assert [trade.exit_price for trade in by_tick.broker.ledger.trades] == [2010.0]


def test_a_floor_met_in_a_bar_of_history_closes_there_though_ticks_are_trades() -> None:
    rows = [QUIET, QUIET, (2000, 2001, 1980, 1981), QUIET]
    tape = tape_of([*SLOW, *SLOW])
    rules = (RiskSettings(daily_loss=100.0),)

    finished = one(rows, {1: buy()}, rules=rules, intrabar="ticks", tapes={"MGC": tape})

    (trade,) = finished.broker.ledger.trades
    assert (trade.exit_price, trade.exit_bar) == (1990.0, 2 * HOUR)


# -- what it is given ----------------------------------------------------------------------------


def test_a_plans_own_tape_wins_over_its_symbols() -> None:
    rows = [QUIET, QUIET]
    own, symbols = tape_of([2000] * 12), tape_of([2000.7] * 12)

    finished = one(rows, {1: buy()}, intrabar="ticks", tapes={"MGC": symbols, "plan0": own})

    assert [fill.price for fill in finished.broker.ledger.fills] == [2000.0]


@pytest.mark.parametrize(
    "given", [{"intrabar": "ticks"}, {"tapes": {}}], ids=["no tapes", "no use for tapes"]
)
def test_tapes_and_the_setting_that_plays_them_belong_together(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"intrabar='ticks' and recorded ticks"):
        one([QUIET], {}, **given)


def test_a_feed_without_bar_records_has_no_place_for_ticks() -> None:
    broker = BacktestBroker(intrabar="ticks", tapes={"MGC": tape_of([2000])})

    with pytest.raises(ConfigError, match=r"plan gold: .*ListFeed has none"):
        broker.add_instrument(ListFeed(rows=[QUIET]), free("MGC"), "gold")


# -- real prices ---------------------------------------------------------------------------------

TEN_DAYS = 10 * 1380
"""Minutes of gold's trading days."""


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_ten_days_of_real_minutes_give_what_nearest_gives(real_data: Any, rules: Any) -> None:
    series = feeds.load(real_data / "xauusd_1m.csv.gz", symbol="XAUUSD")
    series = series.with_bars(series.bars[:TEN_DAYS].copy())
    series.bars["spread"] = 0.2
    script = all_sorts(1, TEN_DAYS, every=29, most=5)

    by_bar = play(series, script, rules, intrabar="nearest")
    by_tick = play(series, script, rules, intrabar="ticks", tapes=path_of(series))

    assert all_of(by_tick) == all_of(by_bar)
    assert len(by_tick.broker.ledger.trades) > 30


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_real_minutes_inside_five_minutes_give_what_drill_gives(real_data: Any, rules: Any) -> None:
    series = feeds.load(real_data / "xauusd_1m.csv.gz", symbol="XAUUSD", timeframe="5m")
    assert series.lower is not None
    script = all_sorts(2, len(series), every=13, most=5)

    by_bar = play(series, script, rules, intrabar="drill", drill=series.lower)
    by_tick = play(series, script, rules, intrabar="ticks", tapes=path_of(series.lower))

    assert all_of(by_tick) == all_of(by_bar)
    assert len(by_tick.broker.ledger.trades) > 30
