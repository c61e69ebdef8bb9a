"""The backtest broker's forced closes, locks, plans on one account, and what it refuses."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest

from backtests.fills.broker import BacktestBroker
from core.errors import BrokerError, ConfigError
from core.instruments import get_instrument
from feeds import BulkData
from risk.guard import Guard
from risk.settings import RiskSettings
from tests.backtests.broker_run import (
    HOUR,
    QUIET,
    Scripted,
    bracket,
    buy,
    free,
    one,
    run,
    series_of,
)

# -- forced closes, floors, locks ----------------------------------------------------------------


def test_a_flat_time_close_is_a_real_order_with_its_reason() -> None:
    script = {1: bracket(1990.0, 2020.0, flat_at=3 * HOUR, flat_reason="square_off")}

    finished = one([QUIET, QUIET, QUIET, (2001, 2002, 2000, 2001), QUIET], script)

    (trade,) = finished.broker.ledger.trades
    assert (trade.exit_reason, trade.exit_price, trade.exit_bar) == ("square_off", 2001.0, 3 * HOUR)
    last = [row for row in finished.strategy.orders if row[5] == "square_off"]
    assert [row[2] for row in last] == ["Submitted", "Accepted", "Completed"]
    rows = [row for row in finished.broker.orders_log if row["reason"] == "square_off"]
    assert [row["state"] for row in rows] == ["submitted", "filled"]
    assert rows[0]["role"] == "exit"


def test_a_daily_loss_closes_inside_the_bar_locks_and_lifts_with_the_day() -> None:
    rules = [RiskSettings(daily_loss=150.0)]
    rows = [QUIET, QUIET, (2000, 2001, 1980, 1999), QUIET, QUIET, QUIET, QUIET]
    script = {1: buy(2), 3: buy(2), 5: buy(2)}

    finished = one(rows, script, rules=rules, bars={"start": 20 * HOUR})

    first, *_ = finished.broker.ledger.trades
    assert (first.exit_reason, first.exit_price, first.pnl) == ("daily_loss", 1992.5, -150.0)
    assert finished.guard.refused == {"daily_loss": 1}
    assert finished.guard.getposition(finished.strategy.data).size == 2


def test_the_guard_hears_of_days_bars_fills_and_breaches_in_order() -> None:
    heard: list[tuple[Any, ...]] = []

    class Listening(Guard):
        def on_day(self, day: int, equity: float, balance: float) -> None:
            heard.append(("day", day, equity, balance))
            super().on_day(day, equity, balance)

        def on_bar_start(self, symbol: str, bar: np.record) -> None:
            heard.append(("bar", symbol, int(bar.start) // HOUR))
            super().on_bar_start(symbol, bar)

        def on_fill(self, fill: Any, equity: float) -> None:
            heard.append(("fill", fill.reason, equity))
            super().on_fill(fill, equity)

        def on_breach(self, ts_event: int) -> None:
            heard.append(("breach", ts_event // HOUR))
            super().on_breach(ts_event)

    cerebro = bt.Cerebro(stdstats=False)
    data = BulkData(series_of([QUIET, QUIET, (2000, 2000, 1980, 1990)], start=22 * HOUR))
    cerebro.adddata(data)
    broker = BacktestBroker(cash=10_000.0)
    broker.add_instrument(data, free("MGC"), "gold")
    cerebro.setbroker(Listening(broker, RiskSettings(daily_loss=100.0)))
    cerebro.addstrategy(Scripted, script={1: buy()})
    cerebro.run()

    assert heard == [
        ("day", 0, 10_000.0, 10_000.0),
        ("bar", "MGC", 22),
        ("bar", "MGC", 23),
        ("fill", "entry", 10_000.0),
        ("day", 1, 10_000.0, 10_000.0),
        ("bar", "MGC", 24),
        ("fill", "daily_loss", 9_900.0),
        ("breach", 25),
    ]


# -- several plans on one account ----------------------------------------------------------------


def test_plans_on_one_instrument_hold_virtual_positions_and_share_the_cash() -> None:
    rows = [QUIET, QUIET, (2000, 2010, 2000, 2010), (2010, 2010, 2010, 2010)]
    plans = [
        (series_of(rows), free("MGC"), {1: lambda s: s.buy(data=s.datas[0], size=2)}),
        (series_of(rows), free("MGC"), {1: lambda s: s.sell(data=s.datas[1], size=1)}),
    ]

    finished = run(plans)

    first, second = finished.strategy.datas
    sizes = [finished.guard.getposition(data).size for data in (first, second)]
    assert sizes == [2, -1]
    assert finished.broker.getvalue() == 100_000 + 200 - 100
    rows_open = finished.broker.open_positions()
    assert [(row["plan_id"], row["side"]) for row in rows_open] == [
        ("plan0", "long"),
        ("plan1", "short"),
    ]


def test_a_floor_met_by_plans_on_one_instrument_closes_both_at_the_same_price() -> None:
    rows = [QUIET, QUIET, (2000, 2001, 1970, 1975), (1975, 1976, 1974, 1975)]
    plans = [
        (series_of(rows), free("MGC"), {1: lambda s: s.buy(data=s.datas[0], size=2)}),
        (series_of(rows), free("MGC"), {1: lambda s: s.buy(data=s.datas[1], size=3)}),
    ]

    finished = run(plans, rules=[RiskSettings(daily_loss=500.0)])

    trades = finished.broker.ledger.trades
    assert [(t.plan_id, t.exit_price, t.exit_reason) for t in trades] == [
        ("plan0", 1990.0, "daily_loss"),
        ("plan1", 1990.0, "daily_loss"),
    ]
    assert finished.broker.getvalue() == 100_000 - 500


def test_plans_on_two_instruments_are_tested_at_the_sum_of_their_adverse_extremes() -> None:
    # Gold could lose 2 x 10 x 20 = 400, silver 1 x 5000 x 0.04 = 200: together beyond 500.
    gold = [QUIET, QUIET, (2000, 2001, 1980, 1999), QUIET]
    still = (20, 20.01, 19.99, 20)
    silver = [still, still, (20, 20.1, 19.96, 20.05), still]
    xag = get_instrument("XAGUSD").without_costs().without_margin()
    lots = 200 / 0.04 / xag.facts(0).multiplier
    plans = [
        (series_of(gold), free("MGC"), {1: lambda s: s.buy(data=s.datas[0], size=2)}),
        (series_of(silver, "XAGUSD"), xag, {1: lambda s: s.buy(data=s.datas[1], size=lots)}),
    ]

    finished = run(plans, rules=[RiskSettings(daily_loss=500.0)])

    trades = finished.broker.ledger.trades
    assert [(t.plan_id, t.exit_reason, t.ambiguous) for t in trades] == [
        ("plan0", "daily_loss", True),
        ("plan1", "daily_loss", True),
    ]
    assert trades[0].exit_price == pytest.approx(1985.0)  # 300 of loss left for gold
    assert trades[1].exit_price == pytest.approx(19.96)


# -- what is refused -----------------------------------------------------------------------------


def test_a_plain_buy_without_the_guard_is_refused_with_the_remedy() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    data = BulkData(series_of([QUIET, QUIET]))
    cerebro.adddata(data)
    broker = BacktestBroker()
    broker.add_instrument(data, free("MGC"), "gold")
    cerebro.setbroker(broker)
    cerebro.addstrategy(Scripted, script={1: buy()})

    with pytest.raises(BrokerError, match="Guard"):
        cerebro.run()


def test_a_feed_without_instrument_cannot_be_traded() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(BulkData(series_of([QUIET, QUIET])), name="further")
    cerebro.setbroker(Guard(BacktestBroker()))
    cerebro.addstrategy(Scripted, script={1: buy()})

    with pytest.raises(ConfigError, match=r"further.*add_instrument"):
        cerebro.run()


def test_all_faulty_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        BacktestBroker(cash=0, intrabar="wurst", limit_fill="tuch", volume_share=2.0)  # type: ignore[arg-type]

    text = str(told.value)
    assert "cash=0" in text
    assert "did you mean 'worst'" in text
    assert "limit_fill='tuch'" in text
    assert "volume_share=2" in text


def test_a_size_below_the_lot_is_rejected_with_its_reason() -> None:
    instrument = get_instrument("MGC").without_costs()

    finished = run([(series_of([QUIET] * 3), instrument, {1: bracket(1990, 2010, 0.4)})])

    rejected = [row for row in finished.strategy.orders if row[2] == "Rejected"]
    assert [row[5] for row in rejected] == ["size_zero"] * 3
    assert not finished.broker.ledger.fills


@pytest.mark.parametrize(
    "order",
    [
        buy(exectype=bt.Order.Close),
        buy(exectype=bt.Order.StopTrailLimit, price=2003, plimit=2004, trailamount=3),
    ],
    ids=["close", "stop-trail-limit"],
)
def test_an_order_type_the_fill_rules_lack_is_rejected_not_approximated(order: Any) -> None:
    finished = one([QUIET] * 4, {1: order})

    rejected = [row for row in finished.strategy.orders if row[2] == "Rejected"]
    assert [row[5] for row in rejected] == ["unsupported_order_type"]
    assert not finished.broker.ledger.fills
