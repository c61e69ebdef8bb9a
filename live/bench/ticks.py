"""Ticks into one-minute bars; beside it, Backtrader's resampler on the same ticks.

python -m live.bench.ticks '{"ours": 5000000, "stock": 50000}'
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import backtrader as bt
import numpy as np
from backtrader.utils.date import date2num

from core.calendar import get_calendar
from core.ticks import TICK, TRADE
from core.zones import NS_PER_MINUTE
from feeds.bar_builder import BarBuilder
from live.bench.job import serve
from live.bench.scene import OPENED

_EPOCH = datetime(1970, 1, 1)
_FIELDS = ("open", "high", "low", "close", "volume")
_Ticks = np.ndarray[Any, Any]


def measure(ours: int = 5_000_000, stock: int = 50_000, repeats: int = 5) -> dict[str, Any]:
    """Measure both in ticks a second of CPU; refuse figures if the bars differ."""
    ticks = _made_up(ours)
    bars, taken = _build(ticks[: max(stock, 1000)]), []
    for _ in range(repeats):
        began = time.process_time()
        _build(ticks)
        taken.append(time.process_time() - began)
    single = min(100_000, ours)
    began = time.process_time()
    _one_by_one(ticks[:single])
    one = time.process_time() - began
    began = time.process_time()
    theirs = _resample(ticks[:stock])
    peer = time.process_time() - began
    _require_equal(bars, theirs)
    return {
        "ours": ours / median(taken),
        "one_by_one": single / one,
        "stock": stock / peer,
        "ticks": ours,
        "stock_ticks": stock,
        "bars_compared": len(theirs),
        "version": bt.__version__,
    }


def _made_up(count: int) -> _Ticks:
    """Return trades at random moments, four a second on average, none on a minute's line."""
    draw = np.random.default_rng(11)
    ticks = np.zeros(count, TICK)
    steps = draw.integers(1, 500, count) * 1_000_000
    ticks["ts_event"] = OPENED + np.cumsum(steps)
    # Backtrader's stamps are exact to 10 us: a tick nearer to a minute's line is on it there.
    ticks["ts_event"] += 1_000_000 * (ticks["ts_event"] % NS_PER_MINUTE == 0)
    ticks["ts_init"] = ticks["ts_event"]
    ticks["price"] = np.round(2400.0 + np.cumsum(draw.normal(0.0, 0.05, count)), 1)
    ticks["volume"] = draw.integers(1, 9, count)
    ticks["bid"] = ticks["ask"] = ticks["spread"] = np.nan
    ticks["flags"] = TRADE
    return ticks


def _build(ticks: _Ticks) -> _Ticks:
    builder = BarBuilder(get_calendar("24/7"), NS_PER_MINUTE)
    return builder.take(ticks)


def _one_by_one(ticks: _Ticks) -> None:
    builder = BarBuilder(get_calendar("24/7"), NS_PER_MINUTE)
    for place in range(len(ticks)):
        builder.take(ticks[place : place + 1])


class _Feed(bt.feed.DataBase):  # type: ignore[misc]
    """Ticks as Backtrader takes them, one at a time."""

    params = (("ticks", None), ("timeframe", bt.TimeFrame.Ticks))

    def start(self) -> None:
        super().start()
        rows = self.p.ticks
        microseconds = (rows["ts_event"] // 1000).tolist()
        stamps = [date2num(_EPOCH + timedelta(microseconds=at)) for at in microseconds]
        self._rows = iter(zip(stamps, rows["price"].tolist(), rows["volume"].tolist(), strict=True))

    def _load(self) -> bool:
        row = next(self._rows, None)
        if row is None:
            return False
        lines = self.lines
        lines.datetime[0], price, lines.volume[0] = row
        lines.open[0] = lines.high[0] = lines.low[0] = lines.close[0] = price
        lines.openinterest[0] = 0.0
        return True


class _Bars(bt.Strategy):  # type: ignore[misc]
    def __init__(self) -> None:
        self.bars: list[tuple[float, ...]] = []

    def next(self) -> None:
        self.bars.append(tuple(getattr(self.data, name)[0] for name in _FIELDS))


def _resample(ticks: _Ticks) -> list[tuple[float, ...]]:
    """Return the minutes Backtrader makes of ticks."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(_Feed(ticks=ticks), timeframe=bt.TimeFrame.Minutes, compression=1)
    cerebro.addstrategy(_Bars)
    (strategy,) = cerebro.run()
    bars: list[tuple[float, ...]] = strategy.bars
    return bars


def _require_equal(ours: _Ticks, theirs: list[tuple[float, ...]]) -> None:
    """Refuse to compare speeds of builders that make other bars; the last may be unfinished."""
    count = min(len(ours), len(theirs))
    if count < len(theirs) - 1 or not count:
        raise ValueError(f"{len(ours)} bars here, {len(theirs)} of Backtrader's resampler")
    for place in range(count):
        mine = tuple(float(ours[place][name]) for name in _FIELDS)
        if mine != theirs[place]:
            raise ValueError(f"bar {place}: {mine} here, {theirs[place]} of Backtrader's resampler")


if __name__ == "__main__":
    serve(measure)
