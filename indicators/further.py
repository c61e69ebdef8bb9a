"""The Backtrader side of a block that reads a further series beside the instrument's own.

The first data is the clock. A bar of the second reaches the kernel once, before the first bar of
the instrument whose END is not before its own, and none is skipped.
"""

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Any, ClassVar

import backtrader as bt
import numpy as np

from core.bars import BAR
from indicators.block import Block, Records
from indicators.frame import bars_from_frame
from indicators.line import LIVE_CAPACITY, bar_of, bars_of, stamp

if TYPE_CHECKING:
    import pandas as pd

_NS_PER_MINUTE = 60_000_000_000


class FurtherIndicator(bt.Indicator):  # type: ignore[misc]
    """Base of a line over two datas: the instrument and the further series, in this order.

    `block.run` is a kernel(bars, further, state, params, out). Feeds of ours give their BAR
    records; the START of a plain feed's bar is its stamp (END) minus its timeframe.
    """

    block: ClassVar[Block]

    def __init__(self) -> None:
        values = {name: getattr(self.p, name) for name in dict(self.block.line_params())}
        self._block_params = self.block.read_params(values)
        self._stepped = 0
        self._seen = 0
        super().__init__()

    def preonce(self, start: int, end: int) -> None:
        """Do nothing: a kernel has no bars before its first."""

    def oncestart(self, start: int, end: int) -> None:
        """Do nothing: Backtrader calls this besides `once` when the minimum period is 1."""

    def once(self, start: int, end: int) -> None:
        """Run the compiled loop over both series, from a fresh state."""
        bars = _with_starts(self.data0, bars_of(self.data0, end))
        further = _with_starts(self.data1, bars_of(self.data1, self.data1.buflen()))
        columns = run_two(self.block, bars, further, self._block_params)
        for line, column in zip(self.lines, columns.values(), strict=True):
            line.array[:end] = array.array("d", column.tobytes())

    def next(self) -> None:
        """Run the compiled loop over the newest bar and the further bars completed since."""
        count = len(self)
        if count == self._stepped:
            return
        if self._stepped == 0:
            self._state = self.block.state(self._block_params, LIVE_CAPACITY)
            self._out = np.zeros(1, self.block.out)
        self._stepped = count
        bar = _with_starts(self.data0, bar_of(self.data0, np.zeros(1, BAR)))
        further = self._new_further(int(bar["end"][0]))
        self.block.run(bar, further, self._state, self._block_params, self._out)
        for line, view in zip(self.lines, self.block.views(self._out), strict=True):
            line[0] = float(view[0])

    def _new_further(self, end: int) -> Records:
        """Return the further bars not seen yet whose END is not after `end`."""
        bars: Records | None = getattr(self.data1, "bars", None)
        first = self._seen
        if bars is None:
            waiting = _last_bars(self.data1, len(self.data1) - first)
        else:
            waiting = bars[first : max(first, len(self.data1))]
        known = int(np.searchsorted(waiting["end"], end, side="right"))
        self._seen += known
        return waiting[:known]


def run_two(
    block: Block, bars: Records, further: Records, params: Records
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Run a two-series block over both arrays from a fresh state and return its columns."""
    out = np.zeros(len(bars), block.out)
    block.run(bars, further, block.state(params, len(bars)), params, out)
    views = block.views(out)
    return {
        name: np.array(view, np.float64) for name, view in zip(block.columns, views, strict=True)
    }


def two_frames(
    block: Block, frame: pd.DataFrame, further: pd.DataFrame, values: dict[str, Any]
) -> pd.DataFrame:
    """Run a two-series block over two DataFrames of bars indexed by START."""
    import pandas as pd

    bars, other = bars_from_frame(frame), bars_from_frame(further)
    return pd.DataFrame(run_two(block, bars, other, block.read_params(values)), index=frame.index)


def _with_starts(data: Any, bars: Records) -> Records:
    """Give bars built from lines, which know only their END, the START their timeframe implies."""
    if getattr(data, "bars", None) is not None or data._timeframe != bt.TimeFrame.Minutes:
        return bars
    bars["start"] = bars["end"] - data._compression * _NS_PER_MINUTE
    return bars


def _last_bars(data: Any, count: int) -> Records:
    """Return the newest `count` bars of a plain feed."""
    built = np.zeros(count, BAR)
    for row in range(count):
        ago = row - count + 1
        for name in ("open", "high", "low", "close", "volume"):
            built[name][row] = getattr(data, name)[ago]
    if count:
        stamp(built, np.array([data.datetime[row - count + 1] for row in range(count)]))
    return _with_starts(data, built)
