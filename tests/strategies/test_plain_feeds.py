"""Our strategies on Backtrader's own feeds and broker, and on what is missing."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from core.errors import ConfigError
from feeds import BulkData
from strategies.gold_smc import GoldSmc
from tests.strategies import samples

COUNT = 5_000


def pandas_feed(bars: np.ndarray, name: str, minutes: int) -> bt.feeds.PandasData:
    """A stock feed: naive UTC stamps of the bars' END, no calendar facts."""
    columns = ("open", "high", "low", "close", "volume")
    index = pd.DatetimeIndex(bars["end"].astype("datetime64[ns]"))
    frame = pd.DataFrame({column: bars[column] for column in columns}, index=index)
    return bt.feeds.PandasData(
        dataname=frame, name=name, timeframe=bt.TimeFrame.Minutes, compression=minutes
    )


def emitted(*datas, **how):
    cerebro = bt.Cerebro(stdstats=False, **how)
    for data in datas:
        cerebro.adddata(data)
    cerebro.broker.setcash(1e6)
    cerebro.addstrategy(GoldSmc)
    rows = cerebro.run()[0].setups_log
    return [(row.bar, row.side, row.entry, row.stop, row.pattern) for row in rows]


@pytest.mark.parametrize("how", [{}, {"runonce": False}], ids=["runonce", "next"])
def test_a_stock_feed_gives_the_same_setups_as_ours(how):
    series, dollar = samples.series("gold_smc"), samples.dollar()
    bars = series.bars[:COUNT]

    stock = emitted(pandas_feed(bars, "XAUUSD", 15), pandas_feed(dollar.bars, "DXY", 60), **how)
    ours = emitted(BulkData(series.with_bars(bars)), BulkData(dollar), **how)

    assert len(ours) > 5
    assert stock == ours


def test_the_dollar_index_may_be_absent():
    series = samples.series("gold_smc")

    assert len(emitted(BulkData(series.with_bars(series.bars[:COUNT])))) > 5


def test_a_feed_without_a_symbol_is_told_what_to_do():
    bars = samples.series("gold_smc").bars[:50]

    with pytest.raises(ConfigError, match=r"gold_smc.*symbol"):
        emitted(pandas_feed(bars, "", 15))


def test_warm_up_refuses_but_logs_setups():
    series = samples.series("gold_smc")
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(BulkData(series.with_bars(series.bars[:COUNT])))
    cerebro.addstrategy(GoldSmc, warmup=COUNT)

    rows = cerebro.run()[0].setups_log

    assert {row.reason for row in rows} == {"warmup"}
    assert not any(row.taken for row in rows)


def test_the_funnel_narrows_and_accounts_for_every_setup():
    series = samples.series("gold_smc")
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(BulkData(series))
    cerebro.addstrategy(GoldSmc)

    funnel = cerebro.run()[0].funnel

    order = ("bars", "in_window", "sweeps", "shifts", "zones", "setups", "armed", "filled")
    counts = [funnel[name] for name in order]
    assert counts == sorted(counts, reverse=True)
    dropped = funnel["dropped"]
    assert funnel["zones"] - funnel["setups"] == dropped.get("risk_bounds", 0)
    assert funnel["shifts"] - funnel["zones"] == dropped["no_zone"] + dropped["no_retest"]
