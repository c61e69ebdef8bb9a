"""The backtest broker under Backtrader's own analyzers, observers, sizers and optimisation."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pytest

from backtests.fills.broker import BacktestBroker
from core.instruments import get_instrument
from feeds import BulkData
from risk.guard import Guard
from tests.backtests.broker_run import (
    LEGS,
    QUIET,
    Scripted,
    bracket,
    buy,
    free,
    one,
    random_orders,
    random_rows,
    run,
    series_of,
)
from tests.backtests.plain_feed import ListFeed

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
