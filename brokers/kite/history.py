"""Past bars: any span in pieces of what one request may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from brokers.kite import wire
from core.bars import BAR, format_timeframe
from core.errors import ConfigError

SECOND_NS = 1_000_000_000
_DAY_SECS = 86_400

Ask = Callable[[str, datetime, datetime], list[wire.Candle]]
"""Asks for candles of an interval with first <= START <= last."""


def interval_of(timeframe_ns: int) -> str:
    """Return Kite's name of a timeframe.

    Raises
    ------
    ConfigError : it has none; says which there are.
    """
    found = wire.INTERVALS.get(timeframe_ns // SECOND_NS)
    if found is None:
        names = ", ".join(format_timeframe(secs * SECOND_NS) for secs in wire.INTERVALS)
        raise ConfigError(
            f"kite has no bars of {format_timeframe(timeframe_ns)}; it has {names}: "
            "ask for finer ones, they are built from those"
        )
    return found


def pieces(start: int, end: int, interval: str) -> Iterator[tuple[int, int]]:
    """Yield spans [first, last) of at most what one request may hold, oldest first (ns UTC)."""
    step = wire.MAX_DAYS[interval] * _DAY_SECS * SECOND_NS
    while start < end:
        last = min(start + step, end)
        yield start, last
        start = last


def bars_of(candles: list[wire.Candle]) -> np.ndarray[Any, Any]:
    """Return candles as BAR records; only START, prices and volume are filled."""
    bars = np.zeros(len(candles), BAR)
    for row, candle in enumerate(candles):
        for name in ("start", "open", "high", "low", "close", "volume"):
            bars[name][row] = getattr(candle, name)
    return bars


def fetch_pages(
    ask: Ask, timeframe_ns: int, start: int, end: int
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the bars with `start` <= START < `end` a request at a time, the forming one too."""
    interval = interval_of(timeframe_ns)
    for first, last in pieces(start, end, interval):
        candles = ask(interval, _stamp(first), _stamp(last - 1))
        bars = bars_of(candles)
        keep = (bars["start"] >= first) & (bars["start"] < last)
        yield bars[keep]


def _stamp(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
