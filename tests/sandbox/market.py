"""Small markets for the sandbox: minutes written out, on one morning of NSE."""

from __future__ import annotations

import time

import numpy as np

from core.bars import BAR, Series
from core.calendar import get_calendar
from core.instruments import get_instrument
from core.zones import NS_PER_MINUTE
from sandbox.course import replayed

MINUTE = NS_PER_MINUTE
OPEN = int(np.datetime64("2024-09-04T03:45", "ns").astype(np.int64))
"""09:15 IST of a Wednesday. A lot of Nifty was 25 units, its tick 0.05."""
DAY_BEFORE = OPEN - 24 * 60 * MINUTE
FUTURE = "NIFTY24SEPFUT"
KEY = f"NFO:{FUTURE}"
LOT = 25
CALM = (25000.0, 25010.0, 24990.0, 25005.0)


def minutes(rows, start=OPEN, volume=1000):
    """Return BARs of one minute each from (open, high, low, close)."""
    bars = np.zeros(len(rows), BAR)
    bars["start"] = start + np.arange(len(rows)) * MINUTE
    for name, column in zip(("open", "high", "low", "close"), zip(*rows, strict=True), strict=True):
        bars[name] = column
    bars["volume"] = volume
    get_calendar("NSE").annotate(bars, MINUTE)
    return bars


def day(rows, *, before=((25000.0, 25000.0, 25000.0, 25000.0),), symbol="NIFTY-FUT", **given):
    """Return prices of a day's first minutes after one of the day before (its close 25000)."""
    bars = np.concatenate([minutes(before, DAY_BEFORE), minutes(rows, **given)])
    instrument = get_instrument(symbol, {"slippage_ticks": 0})
    return replayed(Series(symbol, MINUTE, bars), instrument=instrument)


def eventually(condition, seconds=20.0):
    """Wait until a condition holds and return its value."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.005)
    return value
