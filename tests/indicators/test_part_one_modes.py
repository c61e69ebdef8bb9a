"""Swings, structure, gaps, blocks, averages: the same values in every way of running them."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import backtrader as bt
import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError
from indicators.frame import bars_from_frame
from indicators.fvg import FVG
from tests.indicators.part_one import CASES, columns_of
from tests.indicators.series import random_walk

ROOT = Path(__file__).resolve().parents[2]


class BarFeed(bt.feeds.PandasData):
    """A plain feed stamped with END that also carries the bars' records, as ours do."""

    def __init__(self):
        super().__init__()
        self.bars = self.p.dataname.attrs["bars"]


def feed_of(frame):
    bars = bars_from_frame(frame)
    shown = frame.set_axis(pd.to_datetime(bars["end"]), axis=0)
    shown.attrs["bars"] = bars
    return BarFeed(dataname=shown)


class Recording(bt.Strategy):
    params = (("name", None),)

    def __init__(self):
        line, values = CASES[self.p.name]
        self.reading = line(self.data, **values)
        self.rows = []

    def next(self):
        self.rows.append([line[0] for line in self.reading.lines])


def rows_of(name, feed, **modes):
    cerebro = bt.Cerebro(stdstats=False, **modes)
    cerebro.adddata(feed)
    cerebro.addstrategy(Recording, name=name)
    return np.array(cerebro.run()[0].rows)


@pytest.mark.parametrize("name", CASES)
def test_run_once_next_exactbars_and_frame_give_the_same_values(name):
    frame = random_walk(900 if name == "volatility" else 400, 5)
    wanted = np.column_stack(list(columns_of(name, frame).values()))

    assert np.isfinite(wanted).any()
    np.testing.assert_array_equal(rows_of(name, feed_of(frame)), wanted)
    np.testing.assert_array_equal(rows_of(name, feed_of(frame), runonce=False), wanted)
    np.testing.assert_array_equal(rows_of(name, feed_of(frame), exactbars=1), wanted)


@pytest.mark.parametrize("name", ["swings_session", "fvg_full", "order_blocks"])
def test_a_stock_feed_gives_the_same_values(name):
    frame = random_walk(300, 8)
    wanted = np.column_stack(list(columns_of(name, frame).values()))

    for modes in ({}, {"runonce": False}, {"preload": False}):
        feed = bt.feeds.PandasData(dataname=frame)
        np.testing.assert_array_equal(rows_of(name, feed, **modes), wanted)


def test_uncompiled_kernels_give_the_same_values(tmp_path):
    written = tmp_path / "uncompiled.npz"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    program = ["-m", "tests.indicators.part_one", str(written), "800", "23"]
    subprocess.run([sys.executable, *program], check=True, env=environment, cwd=ROOT)
    frame = random_walk(800, 23)

    uncompiled = np.load(written)

    for name in CASES:
        for column, values in columns_of(name, frame).items():
            np.testing.assert_array_equal(
                uncompiled[f"{name}/{column}"], values, f"{name} {column}"
            )


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.floats(0.02, 0.99))
def test_a_prefix_gives_the_first_values_of_the_whole(name, seed, cut):
    frame = random_walk(600 if name == "volatility" else 300, seed)
    first = frame.iloc[: max(2, int(len(frame) * cut))]

    part = columns_of(name, first)
    whole = columns_of(name, frame)

    for column, values in part.items():
        np.testing.assert_array_equal(values, whole[column][: len(values)], column)


def test_a_second_run_starts_from_a_fresh_state():
    frame = random_walk(200, 3)

    class Twice(bt.Strategy):
        def __init__(self):
            self.first, self.second = FVG(self.data), FVG(self.data)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed_of(frame))
    cerebro.addstrategy(Twice)
    strategy = cerebro.run()[0]

    wanted = columns_of("fvg", frame)["fvg"]
    for reading in (strategy.first, strategy.second):
        np.testing.assert_array_equal(np.array(reading.lines[0].array), wanted)


def test_a_wrong_parameter_of_a_line_is_named_with_what_is_allowed():
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed_of(random_walk(50, 3)))
    cerebro.addindicator(FVG, mitigation="ful")

    with pytest.raises(ConfigError, match=r"fvg: mitigation='ful': expected touch .* 'full'"):
        cerebro.run()


@pytest.mark.parametrize(
    "name", ["atr", "rsi", "swings", "structure", "fvg", "order_blocks", "breakers"]
)
def test_lines_plot_without_a_display(name, tmp_path):
    importlib.import_module("backtrader.plot")  # it chooses a window toolkit when imported
    matplotlib.use("Agg")
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed_of(random_walk(150, 3)))
    cerebro.addstrategy(Recording, name=name)
    cerebro.run()

    figures = cerebro.plot(style="candle", iplot=False)

    picture = tmp_path / f"{name}.png"
    figures[0][0].savefig(picture)
    assert picture.stat().st_size > 10_000
