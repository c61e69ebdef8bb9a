"""Bars become ticks: the corners of the path each bar is replayed on (ticks=path).

A live session that replays bars consumes these ticks; bars built of them are the bars again, and
orders matched on them fill as `nearest` fills them (docs/decisions/fills.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel
from core.matching.bar import chosen_path
from core.matching.records import NEAREST
from core.ticks import OPENS_BAR, TICK, TRADE

CORNERS = 4
"""Ticks of a bar."""

_BEFORE_END_NS = 1_000_000


def path_ticks(bars: np.ndarray[Any, Any], tick_size: float) -> np.ndarray[Any, Any]:
    """Return four ticks a bar: its open, the extreme nearer to it, the other, its close.

    Parameters
    ----------
    bars : BAR array, oldest first.
    tick_size : price step; of two distances equal within a millionth of it the high's is nearer.

    Returns
    -------
    TICK array of four items a bar, corners that coincide included
        The open comes at START with OPENS_BAR and the bar's whole volume (which bounds what may
        fill in it), the extremes at a third and two thirds of the bar, the close 1 ms before END.
        Each tells the bar's spread.
    """
    ticks = np.zeros(CORNERS * len(bars), TICK)
    ticks["bid"] = ticks["ask"] = np.nan
    _draw(bars, tick_size, ticks)
    return ticks


@kernel
def _draw(bars: Any, tick_size: float, ticks: Any) -> None:
    for i in range(len(bars)):
        bar = bars[i]
        high_first = chosen_path(NEAREST, 0.0, 0.0, bar, tick_size) == 1
        length = bar.end - bar.start
        for corner in range(CORNERS):
            tick = ticks[CORNERS * i + corner]
            tick.ts_event = bar.start + corner * length // 3
            tick.spread = bar.spread
            tick["flags"] = TRADE
            if corner == 0:
                tick.price = bar.open
                tick.volume = bar.volume
                tick["flags"] = TRADE | OPENS_BAR
            elif corner == 3:
                tick.ts_event = max(
                    bar.end - _BEFORE_END_NS, ticks[CORNERS * i + corner - 1].ts_event
                )
                tick.price = bar.close
            else:
                tick.price = bar.high if (corner == 1) == high_first else bar.low
            tick.ts_init = tick.ts_event
