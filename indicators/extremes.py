"""Which bar lies lowest, or highest, since the active swing level: an order block's bar.

The search runs along with the bars, so a structure break finds its answer ready. When a swing
level becomes active its extreme lies a few bars back; those bars are kept in a ring.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators import atr, swings
from indicators.atr import LUX_ATR_PERIOD, LUX_VOLATILE

EXTREME, LAST_OPPOSITE, BODY, LUX = 0, 1, 2, 3
"""Which bar makes the block, in the order of the `block` names. EXTREME and BODY: the most
extreme bar after the level's origin, of equals the last. LAST_OPPOSITE: the last bar that closed
against the break. LUX: the most extreme from the origin on, of equals the first, with high and
low swapped on volatile bars."""

CANDLE = record_dtype([("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8")])

FOUND = record_dtype([("bar", "i8"), ("key", "f8"), ("candle", CANDLE)])
"""A bar found by a search, -1 none. key : what the search minimises there."""

RUN = record_dtype([("extreme", FOUND), ("opposite", FOUND)])
"""One side's search since its level's origin: the extreme bar, and the last opposite one."""


@lru_cache
def search_dtype(window: int = 64) -> np.dtype[Any]:
    """Return the state of both searches; `window` (a power of two) must exceed swings' `right`.

    bull : lowest bar since the active high. bear : highest bar since the active low.
    dips, peaks : what they minimise at each bar of the ring.
    """
    return record_dtype(
        [
            ("count", "i8"),
            ("candles", CANDLE, (window,)),
            ("dips", "f8", (window,)),
            ("peaks", "f8", (window,)),
            ("lux_atr", atr.STATE),
            ("bull", RUN),
            ("bear", RUN),
        ]
    )


@inlined
def _note(found: Any, bar: int, key: float, candle: Any) -> None:
    found.bar = bar
    found.key = key
    found.candle.open = candle.open
    found.candle.high = candle.high
    found.candle.low = candle.low
    found.candle.close = candle.close


@inlined
def _include(run: Any, bar: int, key: float, candle: Any, sign: int, mode: int) -> None:
    """Take one bar into a side's search."""
    best = run.extreme.key
    if run.extreme.bar < 0 or key < best or (key == best and mode != LUX):
        _note(run.extreme, bar, key, candle)
    if mode == LAST_OPPOSITE and sign * candle.close < sign * candle.open:
        _note(run.opposite, bar, key, candle)


@kernel
def _restart(search: Any, run: Any, keys: Any, sign: int, origin: int, mode: int) -> None:
    """Begin a side's search anew for a level whose extreme lies at `origin`."""
    t = search.count
    mask = len(keys) - 1
    first = origin if mode == LUX else origin + 1
    best = np.inf
    found = -1
    for nth in range(t - first):
        # Walking toward the bar that wins a tie keeps the loop free of jumps.
        j = t - 1 - nth if mode == LUX else first + nth
        key = keys[j & mask]
        if key <= best:
            best = key
            found = j
    run.extreme.bar = -1
    if found >= 0:
        _note(run.extreme, found, best, search.candles[found & mask])
    run.opposite.bar = -1
    if mode == LAST_OPPOSITE:
        for j in range(first, t):
            candle = search.candles[j & mask]
            if sign * candle.close < sign * candle.open:
                _note(run.opposite, j, keys[j & mask], candle)


@inlined
def follow_swing(swing: Any, search: Any, mode: int) -> None:
    """Restart the search whose level this bar's swings (swings.OUT) have replaced."""
    if swing.event == swings.APPENDED or swing.event == swings.REPLACED:
        if swing.pivot > 0:
            _restart(search, search.bull, search.dips, 1, swing.origin, mode)
        else:
            _restart(search, search.bear, search.peaks, -1, swing.origin, mode)


@inlined
def answer(run: Any, search: Any, mode: int) -> Any:
    """Return the bar that makes the block of a break now (FOUND)."""
    found = run.extreme
    if mode == LAST_OPPOSITE and run.opposite.bar >= 0:
        found = run.opposite
    if found.bar < 0:
        before = search.count - 1
        _note(found, before, 0.0, search.candles[before & (len(search.candles) - 1)])
    return found


@inlined
def take(bar: Any, search: Any, mode: int) -> None:
    """Take this bar into the ring and both searches, after it was judged."""
    t = search.count
    place = t & (len(search.candles) - 1)
    candle = search.candles[place]
    candle.open = bar.open
    candle.high = bar.high
    candle.low = bar.low
    candle.close = bar.close
    dip = bar.low
    peak = -bar.high
    if mode == LUX:
        atr.advance(bar, LUX_ATR_PERIOD, search.lux_atr)
        is_ready = atr.is_ready(LUX_ATR_PERIOD, search.lux_atr)
        if is_ready and bar.high - bar.low >= LUX_VOLATILE * search.lux_atr.atr:
            dip = bar.high
            peak = -bar.low
    search.dips[place] = dip
    search.peaks[place] = peak
    _include(search.bull, t, dip, candle, 1, mode)
    _include(search.bear, t, peak, candle, -1, mode)
    search.count += 1
