"""Task T1 with what a strategy may tell the engine: when it does nothing, and faster indicators.

The same rules and the same figures to the last bit; `t1_strategy.T1` is the untouched file.
"""

from __future__ import annotations

from math import fsum
from typing import Any

import numpy as np

from backtests.bench.t1_strategy import T1
from core.compile import kernel

_Array = np.ndarray[Any, Any]
_PERIOD = 14


class MaskedT1(T1):
    """T1 that names its entry bars, and says that it does nothing while a position is open."""

    idle_in_position = True

    def prepare(self) -> None:
        """Leave the indicators to `entry_mask`, once all bars are there."""
        self._reach: _Array | None = None

    def entry_mask(self) -> _Array:
        """Return the bars whose close is above the highest high of the bars before."""
        high, low, close = (
            np.frombuffer(line.array)[: self.data.buflen()]
            for line in (self.data.lines.high, self.data.lines.low, self.data.lines.close)
        )
        self._reach = backtrader_atr(high, low, close, _PERIOD)
        mask: _Array = close > highest_before(high, self.p.window)
        self._mask = mask
        return mask

    def next(self) -> None:
        """Enter on a breakout."""
        if self._reach is None:
            self.entry_mask()
        row = len(self.data) - 1
        if not self.position and self._mask[row]:
            self.enter(self.data.close[0], float(self._reach[row]))  # type: ignore[index]


def highest_before(high: _Array, window: int) -> _Array:
    """Return the highest of the `window` highs before each bar, NaN where there are fewer."""
    out = np.full(len(high), np.nan)
    _highest_before(high, window, np.zeros(window + 1, np.int64), out)
    return out


@kernel
def _highest_before(high: _Array, window: int, ring: _Array, out: _Array) -> None:
    """Keep the bars that may still become the highest, falling, in a ring."""
    first, count, room = 0, 0, window + 1
    for i in range(len(high)):
        if i >= window:
            out[i] = high[ring[first]]
        while count > 0 and high[ring[(first + count - 1) % room]] <= high[i]:
            count -= 1
        ring[(first + count) % room] = i
        count += 1
        if ring[first] <= i - window:
            first = (first + 1) % room
            count -= 1


def backtrader_atr(high: _Array, low: _Array, close: _Array, period: int) -> _Array:
    """Return Backtrader's ATR to the last bit: its seed, its order of operations."""
    out = np.full(len(high), np.nan)
    if len(high) <= period:
        return out
    reach = np.empty(len(high))
    _true_ranges(high, low, close, reach)
    out[period] = fsum(reach[1 : period + 1].tolist()) / period
    _smooth(reach, period, 1.0 / period, out)
    return out


@kernel
def _true_ranges(high: _Array, low: _Array, close: _Array, out: _Array) -> None:
    out[0] = np.nan
    for i in range(1, len(high)):
        out[i] = max(high[i], close[i - 1]) - min(low[i], close[i - 1])


@kernel
def _smooth(values: _Array, period: int, alpha: float, out: _Array) -> None:
    rest = 1.0 - alpha
    for i in range(period + 1, len(values)):
        out[i] = out[i - 1] * rest + values[i] * alpha
