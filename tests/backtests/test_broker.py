"""The backtest broker as Backtrader sees it."""

from __future__ import annotations

import random
from typing import Any

import backtrader as bt
import numpy as np
import pytest

from backtests.broker import BacktestBroker
from core.errors import BrokerError, ConfigError
from core.fx import FxRate
from core.instruments import get_instrument
from feeds import BulkData
from risk.guard import Guard
from risk.settings import RiskSettings
from tests.backtests.broker_run import HOUR, MODES, Scripted, free, one, run, series_of
from tests.backtests.plain_feed import ListFeed

QUIET = (2000, 2001, 1999, 2000)
LEGS = [
    QUIET,
    (2001, 2004, 1999, 2003),  # entry limit 2000
    (2003, 2012, 2002, 2011),  # 1R at 2010
    (2011, 2020, 2001, 2015),  # stays above break-even
    (2015, 2031, 2014, 2030),  # 3R at 2030
    (2030, 2031, 2029, 2030),
]


def two_lots(strategy: Any) -> None:
    """Buy 2 at 2000, stop 1990, half off at 1R with the stop to break-even, the rest at 3R."""
    parent = strategy.buy(
        size=2, price=2000.0, exectype=bt.Order.Limit, transmit=False, planned_entry=2000.0
    )
    legs = {"parent": parent, "exectype": bt.Order.Limit}
    strategy.kept["stop"] = strategy.sell(
        size=2, price=1990.0, exectype=bt.Order.Stop, parent=parent, transmit=False
    )
    strategy.sell(size=1, price=2010.0, stop_to=2000.0, transmit=False, **legs)
    strategy.sell(size=1, price=2030.0, transmit=True, **legs)


def buy(size: float = 1, **given: Any) -> Any:
    return lambda strategy: strategy.buy(size=size, **given)


def bracket(stop: float, limit: float, size: float = 1, **given: Any) -> Any:
    return lambda strategy: strategy.buy_bracket(
        size=size, exectype=bt.Order.Market, stopprice=stop, limitprice=limit, **given
    )


# -- the two-lot trade ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_two_lots_half_off_at_1r_stop_to_break_even_rest_at_3r(mode: str) -> None:
    finished = one(LEGS, {1: two_lots}, mode=mode)

    (trade,) = finished.broker.ledger.trades
    assert (trade.pnl, trade.r_multiple, trade.legs) == (400.0, 2.0, 2)
    assert (trade.entry_price, trade.exit_price, trade.exit_reason) == (2000.0, 2020.0, "target")
    assert (trade.stop, trade.target, trade.side) == (1990.0, 2030.0, "long")
    assert (trade.mae_r, trade.mfe_r) == (pytest.approx(-0.1), 3.0)
    assert (trade.entry_bar, trade.exit_bar) == (HOUR, 4 * HOUR)
    assert finished.strategy.trades == [(2, 2, 0.0, 0.0, False), (5, 0, 400.0, 400.0, True)]
    stop = finished.strategy.kept["stop"]
    assert (stop.created.price, stop.size, stop.info.reason) == (2000.0, -1, "position_closed")
    assert finished.broker.getvalue() == 100_400.0
    assert finished.guard.getposition(finished.strategy.data).size == 0


def test_two_lots_come_back_to_break_even_on_the_half_that_is_left() -> None:
    rows = [*LEGS[:3], (2011, 2012, 1995, 1996), QUIET]

    finished = one(rows, {1: two_lots})

    (trade,) = finished.broker.ledger.trades
    assert (trade.pnl, trade.r_multiple, trade.exit_reason) == (100.0, 0.5, "stop")


def test_orders_are_told_as_a_stock_broker_tells_them() -> None:
    finished = one(LEGS, {1: two_lots})

    first = finished.started
    told = [(bar, ref - first, *rest) for bar, ref, *rest in finished.strategy.orders]
    assert [row[1:3] for row in told[:8]] == [
        *((number, "Submitted") for number in range(4)),
        *((number, "Accepted") for number in range(4)),
    ]
    assert told[8:] == [
        (2, 0, "Completed", 2.0, 2000.0, "entry"),
        (3, 2, "Completed", -1.0, 2010.0, "target"),
        (5, 3, "Completed", -1.0, 2030.0, "target"),
        (5, 1, "Canceled", 0, 0.0, "position_closed"),
    ]


# -- sizes and money -----------------------------------------------------------------------------


def test_positions_and_trades_end_at_exactly_zero_with_fractional_lots() -> None:
    def enter(strategy: Any) -> None:
        parent = strategy.buy(size=1.87, transmit=False)
        strategy.sell(
            size=1.87, price=1990.0, exectype=bt.Order.Stop, parent=parent, transmit=False
        )
        legs = {"exectype": bt.Order.Limit, "parent": parent}
        strategy.sell(size=0.62, price=2003.0, transmit=False, **legs)
        strategy.sell(size=0.62, price=2004.0, transmit=False, **legs)
        strategy.sell(size=0.63, price=2005.0, transmit=True, **legs)

    rows = [QUIET, QUIET, (2000, 2003, 2000, 2003), (2003, 2004, 2003, 2004)]
    rows.append((2004, 2006, 2004, 2005))
    series = series_of(rows, "XAUUSD")

    finished = run([(series, free("XAUUSD"), {1: enter})])

    assert [row[4] for row in finished.strategy.trades] == [False, True]
    assert finished.strategy.trades[-1][1] == 0
    assert finished.strategy.trades[-1][2] == pytest.approx(100 * (0.62 * 3 + 0.62 * 4 + 0.63 * 5))
    completed = [row for row in finished.strategy.orders if row[2] == "Completed"]
    assert len(completed) == 4
    assert not [row for row in finished.strategy.orders if row[2] == "Partial"]


def test_value_and_cash_are_equity_and_equity_less_margin_after_every_bar() -> None:
    instrument = get_instrument("MGC", {"margin_fixed": 1000, "margin_rate": 0}).without_costs()
    rows = [QUIET, (2000, 2010, 1999, 2008), (2008, 2009, 1990, 1995), (1995, 2000, 1990, 1998)]

    finished = run([(series_of(rows), instrument, {1: buy(2), 3: lambda s: s.close()})])

    values = finished.strategy.values
    assert values[:3] == [(100_000, 100_000), (100_160, 98_160), (99_900, 97_900)]
    assert values[3] == (99_900, 99_900)
    ends, equity = finished.broker.equity_curve
    assert equity.tolist() == [100_000.0, 100_160.0, 99_900.0, 99_900.0]
    assert ends.tolist() == [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]


def test_a_foreign_currency_is_folded_into_the_point_value() -> None:
    rows = [QUIET, QUIET, (2000, 2011, 2000, 2010), (2010, 2010, 2010, 2010)]

    finished = run([(series_of(rows), free("MGC"), {1: buy(), 3: lambda s: s.close()})], fx=83.0)

    (trade,) = finished.broker.ledger.trades
    assert trade.pnl == pytest.approx(10 * 10 * 83.0)
    assert finished.broker.getvalue() == pytest.approx(100_000 + 8300.0)
    assert finished.strategy.trades[-1][2] == pytest.approx(8300.0)


def test_a_rate_that_changes_revalues_the_trade_too() -> None:
    """10 contracts-points at 83 on day one, at 90 when the position is left."""
    rows = [QUIET, QUIET, (2010, 2010, 2010, 2010), (2010, 2010, 2010, 2010)]
    starts = [0, HOUR, 24 * HOUR, 25 * HOUR]
    times = np.array([0, 24 * HOUR], np.int64)
    rate = FxRate("USD", "INR", times, np.array([83.0, 90.0]))
    series = series_of(rows, starts=starts)

    finished = run([(series, free("MGC"), {1: buy(), 3: lambda s: s.close()})], fx=rate)

    (trade,) = finished.broker.ledger.trades
    assert trade.pnl == pytest.approx(10 * 10 * 90.0)
    assert finished.broker.getvalue() == pytest.approx(100_000 + trade.pnl)


LOT_DAYS = [int(np.datetime64(day, "ns").astype("i8")) for day in ("2021-06-24", "2021-06-25")]
"""The Nifty future's lot goes from 75 to 50 units between these two days."""


def over_the_lot_change(rows: list[Any], script: Any) -> Any:
    starts = [day + hour * HOUR for day in LOT_DAYS for hour in (5, 6, 7)]
    series = series_of(rows, "NIFTY-FUT", starts=starts)
    return run([(series, free("NIFTY-FUT"), script)], cash=2e6)


def test_a_position_keeps_its_units_when_the_lot_changes() -> None:
    flat, higher = (15000, 15000, 15000, 15000), (15100, 15100, 15100, 15100)

    finished = over_the_lot_change(
        [flat] * 3 + [higher] * 3, {1: buy(75), 4: lambda strategy: strategy.close()}
    )

    (trade,) = finished.broker.ledger.trades
    assert (trade.quantity, trade.pnl) == (75.0, 7500.0)
    assert finished.strategy.trades[-1] == (5, 0.0, 7500.0, 7500.0, True)
    assert finished.broker.getvalue() == 2e6 + 7500.0


def test_working_orders_keep_their_units_when_the_lot_changes() -> None:
    flat, higher, lower = ((price,) * 4 for price in (15000, 15100, 14990))
    rows = [flat] * 3 + [higher, higher, lower]
    script = {
        1: lambda strategy: strategy.buy_bracket(
            size=150, exectype=bt.Order.Market, stopprice=14990.0, limitprice=16000.0
        ),
        2: buy(75, exectype=bt.Order.Stop, price=15050.0),
        4: buy(50),
    }

    finished = over_the_lot_change(rows, script)

    fills = [(fill.side, fill.quantity, fill.price) for fill in finished.broker.ledger.fills]
    assert fills == [
        ("buy", 150.0, 15000.0),
        ("buy", 75.0, 15100.0),
        ("buy", 50.0, 15100.0),
        ("sell", 150.0, 14990.0),
    ]
    assert finished.strategy.position.size == 125.0
    assert finished.broker.getvalue() == pytest.approx(2e6 - 150 * 10 - 125 * 110)


def test_an_odd_rest_of_an_old_lot_can_be_closed() -> None:
    first = int(np.datetime64("2025-01-30T06", "ns").astype("i8"))
    starts = [first + hours * HOUR for hours in (0, 1, 24, 25)]
    series = series_of([(23000,) * 4] * 4, "NIFTY-FUT", starts=starts)  # 25 to 75 units

    script = {1: buy(25), 3: lambda strategy: strategy.close()}
    finished = run([(series, free("NIFTY-FUT"), script)], cash=2e6)

    assert [trade.quantity for trade in finished.broker.ledger.trades] == [25.0]


def test_a_short_position_left_open_is_marked_at_the_ask() -> None:
    series = series_of([QUIET] * 3, "XAUUSD", spread=0.5)

    finished = run([(series, free("XAUUSD"), {1: lambda s: s.sell(size=1)})])

    (row,) = finished.broker.open_positions()
    assert (row["price"], row["open_pnl"]) == (2000.5, -50.0)
    assert finished.broker.getvalue() == 100_000.0 - 50.0


def test_orders_that_name_one_another_in_a_chain_are_one_group() -> None:
    def chain(strategy: Any) -> None:
        first = strategy.buy(exectype=bt.Order.Limit, price=1995.0)
        second = strategy.buy(exectype=bt.Order.Limit, price=1990.0, oco=first)
        strategy.buy(exectype=bt.Order.Limit, price=1985.0, oco=second)

    finished = one([QUIET, QUIET, (2000, 2000, 1994, 1994), (1994, 1994, 1980, 1980)], {1: chain})

    assert [fill.price for fill in finished.broker.ledger.fills] == [1995.0]
    assert finished.broker.get_orders_open() == []


def test_a_trailing_child_begins_where_its_parent_fills() -> None:
    def trailed(strategy: Any) -> None:
        parent = strategy.buy(exectype=bt.Order.Limit, price=1990.0, transmit=False)
        strategy.sell(exectype=bt.Order.StopTrail, trailamount=5.0, parent=parent)

    rows = [QUIET, QUIET, (1995, 1996, 1989, 1994), (1994, 1994, 1980, 1980)]
    finished = one(rows, {1: trailed})

    (trade,) = finished.broker.ledger.trades
    assert (trade.entry_price, trade.exit_price, trade.stop) == (1990.0, 1989.0, 1985.0)


def test_a_trailing_entry_sent_while_flat_knows_the_spread() -> None:
    series = series_of([QUIET, (2000, 2002.2, 2000, 2002.2), QUIET], "XAUUSD", spread=0.5)
    trail = buy(exectype=bt.Order.StopTrail, trailamount=2.0)

    finished = run([(series, free("XAUUSD"), {1: trail})])

    assert [fill.price for fill in finished.broker.ledger.fills] == [2002.5]


def random_orders(seed: int) -> dict[int, Any]:
    """Return a script of all sorts of orders at random prices near 2000."""
    generator = random.Random(seed)
    script = {}
    for bar in range(1, 60, 2):
        size = generator.randint(1, 40) / 100
        away = generator.randint(5, 60) / 10
        side = generator.choice(["buy", "sell"])
        choice = generator.choice(["market", "limit", "stop", "bracket", "close"])

        def act(strategy: Any, size=size, away=away, side=side, choice=choice) -> None:
            sign = 1 if side == "buy" else -1
            close = strategy.data.close[0]
            if choice == "close":
                strategy.close()
            elif choice == "bracket":
                send = strategy.buy_bracket if sign > 0 else strategy.sell_bracket
                stop, limit = close - sign * away, close + sign * away
                send(size=size, exectype=bt.Order.Market, stopprice=stop, limitprice=limit)
            else:
                kind = {"market": bt.Order.Market, "limit": bt.Order.Limit, "stop": bt.Order.Stop}
                price = close + (-sign if choice == "limit" else sign) * away
                getattr(strategy, side)(size=size, price=price, exectype=kind[choice])

        script[bar] = act
    return script


def random_rows(seed: int) -> list[tuple[float, ...]]:
    generator = random.Random(seed)
    rows, price = [], 2000.0
    for _ in range(70):
        close = price + generator.randint(-60, 60) / 10
        high = max(price, close) + generator.randint(0, 40) / 10
        low = min(price, close) - generator.randint(0, 40) / 10
        rows.append((price, high, low, close))
        price = close
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_backtraders_trades_the_ledger_and_the_account_agree(seed: int) -> None:
    instrument = get_instrument("XAUUSD", {"commission_per_unit": 3.5}).without_margin()
    series = series_of(random_rows(seed), "XAUUSD", spread=0.3)

    finished = run([(series, instrument, random_orders(seed))], cash=1e6)

    closed = [row for row in finished.strategy.trades if row[4]]
    ledger = finished.broker.ledger
    assert len(closed) == len(ledger.trades) > 3
    for told, trade in zip(closed, ledger.trades, strict=True):
        assert told[1] == 0
        swap = trade.costs + told[3] - told[2]  # Backtrader's trades know no swap
        assert told[3] == pytest.approx(trade.pnl + swap, abs=1e-6)
    opened = sum(
        row["open_pnl"] + row["realised"] - row["costs"] for row in finished.broker.open_positions()
    )
    earned = sum(trade.pnl for trade in ledger.trades)
    assert finished.broker.getvalue() == pytest.approx(1e6 + earned + opened, abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_cerebro_gives_the_same_trades(mode: str) -> None:
    series = series_of(random_rows(5), "XAUUSD")

    finished = run([(series, free("XAUUSD"), random_orders(5))], cash=1e6, mode=mode)
    plain = run([(series, free("XAUUSD"), random_orders(5))], cash=1e6)

    assert finished.broker.ledger.trades == plain.broker.ledger.trades
    assert finished.broker.equity_curve[1].tolist() == plain.broker.equity_curve[1].tolist()
    assert finished.strategy.values == plain.strategy.values


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


# -- Backtrader's own things ---------------------------------------------------------------------


def test_stock_analyzers_observers_and_plots_work(tmp_path) -> None:
    kinds = {
        "trades": bt.analyzers.TradeAnalyzer,
        "drawdown": bt.analyzers.DrawDown,
        "pyfolio": bt.analyzers.PyFolio,
        "transactions": bt.analyzers.Transactions,
        "leverage": bt.analyzers.GrossLeverage,
        "returns": bt.analyzers.Returns,
    }
    series = series_of(random_rows(3), "XAUUSD")

    finished = run(
        [(series, free("XAUUSD"), random_orders(3))], cash=1e6, stdstats=True, analyzers=kinds
    )

    analysis = finished.strategy.analyzers
    assert analysis.trades.get_analysis().total.closed == len(finished.broker.ledger.trades)
    pnl = analysis.trades.get_analysis().pnl.net.total
    assert pnl == pytest.approx(sum(trade.pnl for trade in finished.broker.ledger.trades))
    lows = np.minimum.accumulate(finished.broker.equity_curve[1][::-1])[::-1]
    deepest = np.max(np.maximum.accumulate(finished.broker.equity_curve[1]) - lows)
    assert analysis.drawdown.get_analysis().max.moneydown == pytest.approx(deepest)
    import backtrader.plot  # noqa: F401  (it picks a window system; ours must come after)
    import matplotlib

    matplotlib.use("Agg")
    ((figure,),) = finished.cerebro.plot(iplot=False)
    figure.savefig(tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 10_000


def test_sizers_see_point_value_margin_and_lot() -> None:
    instrument = get_instrument("XAUUSD", {"margin_fixed": 2000}).without_costs()
    broker = BacktestBroker(cash=5_000.0)
    data = BulkData(series_of([QUIET], "XAUUSD"))

    broker.add_instrument(data, instrument, "gold")

    scheme = broker.getcommissioninfo(data)
    assert scheme.profitandloss(0.5, 2000.0, 2001.0) == 50.0
    assert scheme.getoperationcost(0.5, 2000.0) == pytest.approx(
        0.5 * instrument.facts(0).margin_per_unit(2000.0)
    )
    assert scheme.getsize(2000.0, 100.0) == pytest.approx(
        int(100.0 / scheme.get_margin(2000.0) * 100) / 100
    )
    assert broker.tick_size(data) == 0.01


def test_a_trailing_stops_order_shows_where_it_stands() -> None:
    def enter(strategy: Any) -> None:
        parent = strategy.buy(size=1, transmit=False)
        strategy.kept["stop"] = strategy.sell(
            size=1, exectype=bt.Order.StopTrail, trailamount=5.0, price=2000.0, parent=parent
        )

    rows = [QUIET, QUIET, (2000, 2008, 2000, 2008), (2008, 2008, 2004, 2005), QUIET]
    seen: list[float] = []
    script = {1: enter, 3: lambda s: seen.append(s.kept["stop"].created.price)}

    finished = one(rows, script, intrabar="nearest")

    assert seen == [2003.0]
    assert finished.broker.ledger.trades[0].exit_price == 2000.0


def test_a_stop_moved_through_the_guard_works_at_its_new_price() -> None:
    def enter(strategy: Any) -> None:
        strategy.kept["orders"] = strategy.buy_bracket(
            size=1, exectype=bt.Order.Market, stopprice=1990.0, limitprice=2020.0
        )

    def tighten(strategy: Any) -> None:
        stop = strategy.kept["orders"][1]
        strategy.kept["moved"] = strategy.broker.modify(stop, price=1997.0)
        strategy.kept["shown"] = stop.created.price

    rows = [QUIET, QUIET, (2000, 2001, 1996, 1998), QUIET]

    finished = one(rows, {1: enter, 2: tighten})

    assert finished.strategy.kept["moved"] is True
    assert finished.strategy.kept["shown"] == 1997.0
    assert finished.broker.ledger.trades[0].exit_price == 1997.0


def test_a_cancelled_bracket_is_told_once_for_each_order() -> None:
    def enter(strategy: Any) -> None:
        strategy.kept["orders"] = strategy.buy_bracket(
            size=1, price=1950.0, stopprice=1940.0, limitprice=1970.0
        )

    def cancel(strategy: Any) -> None:
        strategy.cancel(strategy.kept["orders"][0])

    finished = one([QUIET] * 4, {1: enter, 2: cancel})

    ended = [row for row in finished.strategy.orders if row[2] == "Canceled"]
    assert [row[5] for row in ended] == ["cancelled", "parent_ended", "parent_ended"]
    assert not finished.broker.get_orders_open()


def test_a_plain_feed_without_bar_records_can_be_traded() -> None:
    cerebro = bt.Cerebro(stdstats=False)
    data = ListFeed(rows=[QUIET, (2001, 2003, 2000, 2002), (2002, 2020, 2001, 2011)])
    cerebro.adddata(data, name="MGC")
    broker = BacktestBroker()
    broker.add_instrument(data, free("MGC"), "plain")
    cerebro.setbroker(Guard(broker))
    cerebro.addstrategy(Scripted, script={1: bracket(1990.0, 2010.0)})
    cerebro.run()

    (trade,) = broker.ledger.trades
    assert (trade.entry_price, trade.exit_price) == (2001.0, 2010.0)


def test_what_is_open_at_the_end_of_data_stays_open_and_is_listed() -> None:
    finished = one([QUIET, QUIET, (2000, 2006, 1999, 2005)], {1: bracket(1990.0, 2020.0)})

    assert finished.broker.ledger.trades == []
    (row,) = finished.broker.open_positions()
    assert (row["side"], row["quantity"], row["open_pnl"]) == ("long", 1.0, 50.0)
    assert finished.broker.getvalue() == 100_050.0


def test_a_second_run_of_the_same_broker_begins_afresh() -> None:
    data_rows = [QUIET, QUIET, QUIET]
    finished = one(data_rows, {1: buy()})

    finished.cerebro.run()

    assert len(finished.broker.ledger.fills) == 1
    assert len(finished.broker.equity_curve[0]) == 3


class BuysOnce(bt.Strategy):
    """Buys at the close of bar `at`."""

    params = (("at", 1),)

    def next(self) -> None:
        if len(self) == self.p.at:
            self.buy()

    def stop(self) -> None:
        self.value_at_end = self.broker.getvalue()


def test_optimisation_in_worker_processes_gives_what_one_process_gives() -> None:
    ends = []
    for processes in (1, 2):
        cerebro = bt.Cerebro(stdstats=False, maxcpus=processes, optreturn=False)
        data = BulkData(series_of(LEGS))
        cerebro.adddata(data, name="MGC")
        broker = BacktestBroker()
        broker.add_instrument(data, free("MGC"), "gold")
        cerebro.setbroker(Guard(broker))
        cerebro.optstrategy(BuysOnce, at=[1, 2, 3, 4])
        ends.append([runs[0].value_at_end for runs in cerebro.run()])

    assert ends[0] == ends[1] == [100_290.0, 100_270.0, 100_190.0, 100_150.0]
