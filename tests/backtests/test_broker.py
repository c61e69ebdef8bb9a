"""The backtest broker as Backtrader sees it: trades, sizes and money."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest

from core.fx import FxRate
from core.instruments import get_instrument
from tests.backtests.broker_run import (
    HOUR,
    LEGS,
    MODES,
    QUIET,
    buy,
    free,
    one,
    random_orders,
    random_rows,
    run,
    series_of,
    two_lots,
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
