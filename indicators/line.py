"""The Backtrader side of a block: a plottable indicator that runs the block's compiled loop."""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from core.bars import BAR
from indicators.block import Block, Records, run_columns

LIVE_CAPACITY = 4096
"""Bars' worth of kept things in a line that runs without knowing how many bars will come."""

ON_PRICES = {"subplot": False}
"""`plotinfo` of a line that is drawn over the bars."""


def draw(block: Block, shown: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return `plotlines` that draw these columns with these styles and hide the others."""
    return {name: dict(shown.get(name, {"_plotskip": True})) for name in block.columns}


def draw_zones(block: Block, bull: str, bear: str, style: str = "-") -> dict[str, dict[str, Any]]:
    """Return `plotlines` that draw both sides' zone edges in these colours and hide the rest."""
    edges = {"bull_top": bull, "bull_bottom": bull, "bear_top": bear, "bear_bottom": bear}
    look = {"ls": style, "drawstyle": "steps-post"}
    return draw(block, {name: {"color": color, **look} for name, color in edges.items()})


UNIX_EPOCH_DAY = 719163.0
"""Backtrader's day number of 1970-01-01."""
_MS_PER_DAY = 86_400_000
_NS_PER_MS = 1_000_000
_NS_PER_DAY = _MS_PER_DAY * _NS_PER_MS


class KernelIndicator(bt.Indicator):  # type: ignore[misc]
    """Base of every block's line: minimum period 1, NaN before a value is known.

    A subclass sets `block`, `lines` (the names of `block.columns`) and `params`
    (`block.line_params()`). In run-once mode the compiled loop runs over all bars; in `next` it
    runs over one. The bars come from the feed's `bars` array of BAR records where it has one
    (our feeds), else they are built from the lines, with trading days cut at midnight of the
    feed's own clock.
    """

    block: ClassVar[Block]

    def __init__(self, *_: Any, **__: Any) -> None:
        values = {name: getattr(self.p, name) for name in dict(self.block.line_params())}
        self._block_params = self.block.read_params(values)
        self._stepped = 0
        super().__init__()

    def preonce(self, start: int, end: int) -> None:
        """Do nothing: a kernel has no bars before its first."""

    def oncestart(self, start: int, end: int) -> None:
        """Do nothing: Backtrader calls this besides `once` when the minimum period is 1."""

    def once(self, start: int, end: int) -> None:
        """Run the compiled loop over every bar, from a fresh state."""
        bars = bars_of(self.data, end)
        state = self.block.state(self._block_params, len(bars))
        columns = run_columns(self.block, bars, self._block_params, state)
        for line, column in zip(self.lines, columns.values(), strict=True):
            line.array[:end] = array.array("d", column.tobytes())

    def next(self) -> None:
        """Run the compiled loop over the newest bar, once however often it is asked."""
        count = len(self)
        if count == self._stepped:
            return
        if self._stepped == 0:
            self._start()
        self._stepped = count
        self.block.run(bar_of(self.data, self._bar), self._state, self._block_params, self._out)
        for line, cell in self._cells:
            line[0] = float(cell[0])

    def _start(self) -> None:
        self._state = self.block.state(self._block_params, LIVE_CAPACITY)
        self._out = np.zeros(1, self.block.out)
        self._bar = np.zeros(1, BAR)
        self._cells = list(zip(self.lines, self.block.views(self._out), strict=True))


def bars_of(data: Any, count: int) -> Records:
    """Return the feed's own bar records if they match its lines, else records built from them."""
    bars: Records | None = getattr(data, "bars", None)
    if bars is not None and len(bars) == count:
        return bars
    built = np.zeros(count, BAR)
    for name in ("open", "high", "low", "close", "volume"):
        built[name] = np.frombuffer(getattr(data.lines, name).array, count=count)
    stamp(built, np.frombuffer(data.lines.datetime.array, count=count))
    return built


def bar_of(data: Any, scratch: Records) -> Records:
    """Return the newest bar as a 1-item array, from the feed's records or from its lines."""
    bars: Records | None = getattr(data, "bars", None)
    index = len(data) - 1
    if bars is not None and index < len(bars):
        return bars[index : index + 1]
    for name in ("open", "high", "low", "close", "volume"):
        scratch[name][0] = getattr(data, name)[0]
    stamp(scratch, np.array([data.datetime[0]]))
    return scratch


def stamp(bars: Records, days: np.ndarray[Any, Any]) -> None:
    """Fill the times of bars from Backtrader day numbers, exact to the millisecond."""
    stamps = np.round((days - UNIX_EPOCH_DAY) * _MS_PER_DAY).astype(np.int64) * _NS_PER_MS
    bars["start"] = stamps
    bars["end"] = stamps
    bars["day"] = stamps // _NS_PER_DAY
    minutes = stamps // (60_000 * _NS_PER_MS) % 1440
    bars["minute"] = minutes
    bars["end_minute"] = minutes
    weekday = (bars["day"].astype(np.int64) + 3) % 7
    bars["weekday"] = weekday
    bars["end_weekday"] = weekday
