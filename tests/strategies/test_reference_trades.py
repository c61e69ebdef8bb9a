"""The five reference runs through Cerebro, Guard and BacktestBroker: every field of every row."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.instruments import get_instrument
from tests.strategies import reference
from tests.strategies.reference import NO_COSTS, RUNS, Run
from tests.strategies.running import MODES, Finished, backtest


@lru_cache
def finished(run: Run, data: Path, mode: str = "runonce", bars: int | None = None) -> Finished:
    """Run a reference run, on its first `bars` bars if given."""
    instrument = get_instrument(run.symbol, NO_COSTS | run.overrides)
    series = reference.series_of(run, data)
    if bars is not None:
        series = series.with_bars(series.bars[:bars])
    return backtest(
        run.strategy, series, instrument, run.cash, reference.further_of(run, data), mode
    )


def rows_of(table: Any, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """An answer file's rows in the order of these columns."""
    return [tuple(row) for row in table[list(columns)].itertuples(index=False)]


def test_every_setup_has_the_reference_fate(run, real_data):
    rows = finished(run, real_data).setup_rows()

    columns = ("bar", "side", "entry", "stop", "target", "pattern", "taken", "reason", "cancel")
    assert rows == rows_of(reference.answers(run, real_data, "setups"), columns)


def test_every_trade_is_the_reference_trade(run, real_data):
    rows = finished(run, real_data).trade_rows()

    table = reference.answers(run, real_data, "trades")
    table = table.assign(r_multiple=[f"{float(value):.6f}" for value in table["r_multiple"]])
    columns = (
        "entry_bar",
        "exit_bar",
        "side",
        "quantity",
        "entry_price",
        "exit_price",
        "stop",
        "target",
        "pattern",
        "exit_reason",
        "r_multiple",
        "ambiguous",
    )
    assert rows == rows_of(table, columns)


def test_the_totals_are_those_of_the_specification(run, real_data):
    result = finished(run, real_data)

    r_multiples = [trade.r_multiple for trade in result.trades]
    assert len(r_multiples) == run.trades
    assert sum(trade.pnl > 0 for trade in result.trades) == run.winners
    assert round(float(np.mean(r_multiples)), 4) == run.mean_r
    # The printed equity of the one run that ends in a position is that of its closed trades.
    assert round(result.broker.balance, 2) == run.equity_end
    assert result.strategy.funnel["armed"] == run.taken
    assert not result.guard.refused


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "runonce"])
@pytest.mark.parametrize("run", [RUNS[1], RUNS[2], RUNS[4]], ids=lambda run: run.name)
def test_every_way_to_run_gives_the_same_trades(run, mode, real_data):
    count = 9_000
    stepped = finished(run, real_data, mode, count)
    at_once = finished(run, real_data, "runonce", count)

    assert len(at_once.trades) > 8
    assert stepped.setup_rows() == at_once.setup_rows()
    assert stepped.trade_rows() == at_once.trade_rows()
    assert stepped.broker.getvalue() == at_once.broker.getvalue()
    assert stepped.strategy.funnel == at_once.strategy.funnel


@pytest.mark.parametrize("cut", [3_333, 10_007, 31_415])
def test_a_file_cut_at_any_bar_keeps_every_trade_closed_before_the_cut(run, cut, real_data):
    count = min(cut, run.bars - 1)
    last = reference.series_of(run, real_data).bars["end"][count - 1]
    short = finished(run, real_data, bars=count)
    whole = finished(run, real_data)

    kept = len(short.trades)
    assert short.trade_rows() == whole.trade_rows()[:kept]
    later = whole.trades[kept:]
    assert all(trade.exit_bar >= last for trade in later)
