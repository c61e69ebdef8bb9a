"""Task T1 as a compiled rule: the same signals, stops and targets as `t1_strategy.T1`."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import Any, ClassVar

import numpy as np

from backtests.bench.t1_strategy import CASH, COMMISSION, MARGIN, MULTIPLIER
from backtests.sweep.signals import Bracket, Columns, SignalRule, Signals, Terms
from core.compile import kernel
from strategies.settings import Setting

Array = np.ndarray[Any, Any]

PERIOD = 14
TERMS = Terms(CASH, MULTIPLIER, COMMISSION, MARGIN)


class T1Rule(SignalRule):
    """The breakout with a bracket."""

    name = "t1"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("window", 20, "bars of the range", 1, 1_000_000, structural=True),
        Setting("stop_atr", 1.0, "stop, ATRs", 0.0, 1000.0),
        Setting("target_atr", 2.0, "target, ATRs", 0.0, 1000.0),
        Setting("size", 1.0, "contracts", 1.0, 1e9),
    )

    @classmethod
    def signals(cls, columns: Columns, values: Mapping[str, Any]) -> Signals:
        """Return the closes above the highest high of the bars before."""
        count, window = len(columns.close), int(values["window"])
        sides = np.zeros(count, np.int8)
        write_breaks(columns.high, columns.close, window, PERIOD, np.empty(window), sides)
        return Signals(sides, columns.table(("atr", PERIOD), lambda: _atr(columns)))

    @classmethod
    def bracket(cls, values: Mapping[str, Any]) -> Bracket:
        """Return stop and target in ATRs."""
        return Bracket(values["stop_atr"], values["target_atr"], values["size"])


def _atr(columns: Columns) -> Array:
    high, low, close = columns.high, columns.low, columns.close
    out = np.empty(len(close))
    ranges = [
        max(high[i], close[i - 1]) - min(low[i], close[i - 1])
        for i in range(1, min(PERIOD + 1, len(close)))
    ]
    write_atr(high, low, close, PERIOD, fsum(ranges) / PERIOD, 1.0 / PERIOD, out)
    return out


@kernel
def write_atr(
    high: Array, low: Array, close: Array, period: int, seed: float, alpha: float, out: Array
) -> None:
    """Write Backtrader's ATR: its seed (an exact sum's mean), its order of operations."""
    rest = 1.0 - alpha
    for i in range(min(period, len(high))):
        out[i] = np.nan
    if len(high) <= period:
        return
    average = seed
    out[period] = average
    before = close[period]
    for i in range(period + 1, len(high)):
        average = average * rest + (max(high[i], before) - min(low[i], before)) * alpha
        before = close[i]
        out[i] = average


@kernel
def write_breaks(
    high: Array, close: Array, window: int, first: int, falling: Array, out: Array
) -> None:
    """Write 1 where a close is above the highest of the `window` highs before it, from `first` on.

    The bars are cut into blocks as long as the window: any window is the end of one block and the
    beginning of the next, so two running maxima answer for all (van Herk; Gil and Werman).
    `falling`, shape (window,), is room for those of the block before.
    """
    n = len(high)
    start = 0
    while start < n:
        stop = min(start + window, n)
        # `rising` is the highest of this block's bars before i.
        rising = -np.inf
        for i in range(start, stop):
            if start > 0 and i >= first and close[i] > max(falling[i - start], rising):
                out[i] = 1
            rising = max(rising, high[i])
        best = -np.inf
        for back in range(stop - start):
            i = stop - 1 - back
            best = max(best, high[i])
            falling[i - start] = best
        start = stop
