"""A series inside Backtrader: every line array filled at once, never a Python step a bar."""

from __future__ import annotations

import array
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from core.bars import Series
from core.compile import kernel

_Array = np.ndarray[Any, Any]

EPOCH_DAY = 719163.0
"""Backtrader's float day of 1970-01-01: its proleptic ordinal."""

_DAY_US = 86_400e6
_MINUTE_NS = 60_000_000_000
_DAY_NS = 1440 * _MINUTE_NS


@kernel
def float_day(time_ns: int) -> float:
    """Return Backtrader's float day of a UTC time; the one formula of all our feeds.

    Exact to about 10 us; the exact time comes back by rounding to the millisecond.
    """
    return 719163.0 + (time_ns // 1000) / 86_400e6


def exact_ns(day: float) -> int:
    """Return the UTC time in ns (whole ms) that a float day stands for."""
    return round((day - EPOCH_DAY) * 86_400e3) * 1_000_000


@kernel
def _fill(
    bars: _Array,
    datetime: _Array,
    start: _Array,
    open_: _Array,
    high: _Array,
    low: _Array,
    close: _Array,
    volume: _Array,
) -> None:
    for i in range(len(bars)):
        datetime[i] = float_day(bars[i].end)
        start[i] = bars[i].start / 1_000_000
        open_[i] = bars[i].open
        high[i] = bars[i].high
        low[i] = bars[i].low
        close[i] = bars[i].close
        volume[i] = bars[i].volume


class BulkData(bt.feed.DataBase):  # type: ignore[misc]
    """Backtrader data made from a `Series`.

    Works preloaded (with runonce or next), bar by bar (`preload=False`) and with `exactbars`.
    `fromdate`, `todate`, filters, clones and Backtrader's resampling behave as with any feed.

    Parameters
    ----------
    series : Series
        Bars, oldest first. Also accepted as `dataname`.
    late : ndarray of bool, optional
        For each bar whether it is told as one of history, on which no entry is taken; None: none.
    **kwargs
        Backtrader's own feed parameters; `name` defaults to the symbol.

    Notes
    -----
    `datetime` is the END of a bar, naive UTC; the line `start` is its START, ms since 1970.
    `bars[len(data) - 1]` is the BAR record of the current bar.
    """

    lines: Any = ("start",)
    params = (("timeframe", bt.TimeFrame.Minutes),)
    plotlines: ClassVar[dict[str, Any]] = {"start": {"_plotskip": True}}

    def __init__(self, series: Series | None = None, late: _Array | None = None, **_: Any) -> None:
        self.series: Series = self.p.dataname if series is None else series
        self.p.dataname = self._dataname = self.series
        self.p.timeframe, self.p.compression = backtrader_timeframe(self.series.timeframe_ns)
        self._name = self.p.name or self.series.symbol
        if late is not None and len(late) != len(self.series):
            raise ValueError(f"late has {len(late)} items, the series {len(self.series)} bars")
        self._all_late = self._late = late
        self._bars = self.series.bars
        self._rows: list[tuple[Any, list[float]]] | None = None
        self._next_row = 0

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return self.series.symbol

    @property
    def bars(self) -> _Array:
        """The BAR records Backtrader sees; those between fromdate and todate once started."""
        return self._bars

    @property
    def catching_up(self) -> bool:
        """Whether the current bar is told as one of history: no entry is taken on it."""
        return self._late is not None and bool(self._late[len(self) - 1])

    def _start(self) -> None:
        super()._start()
        self._bars, self._late = self.series.bars, self._all_late
        if self.p.fromdate is not None or self.p.todate is not None:
            ends = EPOCH_DAY + (self._bars["end"] // 1000) / _DAY_US
            low = int(np.searchsorted(ends, self.fromdate, "left"))
            high = int(np.searchsorted(ends, self.todate, "right"))
            self._bars = self._bars[low:high]
            self._late = None if self._late is None else self._late[low:high]
        self._rows = None
        self._next_row = 0

    def preload(self) -> None:
        """Fill the lines; by rows where a filter wants to see each bar."""
        bounded = self.lines.datetime.mode == bt.linebuffer.LineBuffer.QBuffer
        if self._filters or bounded:
            super().preload()
            return
        for name, column in _columns(self._bars).items():
            line = getattr(self.lines, name)
            # Cerebro has extended the lines for its lookahead: those items stay at the end.
            if line.extension:
                column.extend(line.array[len(line.array) - line.extension :])
            line.array = column
        self._next_row = len(self._bars)
        self.home()

    def qbuffer(self, savemem: int = 0, replaying: bool = False) -> None:
        """Bound the lines' memory (`exactbars`), keeping one bar more than asked.

        Backtrader takes a bar back that is not due yet, and the blank one it tries at the end of
        a feed while another goes on: the bar before must still be there.
        """
        super().qbuffer(savemem, replaying=True)

    def rewind(self, size: int = 1) -> None:
        """Take back bars that are not due yet.

        In lines of bounded memory Backtrader only counts back and would lose the bar: there it is
        loaded again.
        """
        if self.lines.datetime.mode != bt.linebuffer.LineBuffer.QBuffer:
            super().rewind(size)
            return
        self.backwards(size, force=True)
        self._next_row -= size

    def _load(self) -> bool:
        """Set the next bar, False past the end however often it is asked."""
        row = self._next_row
        if row >= len(self._bars):
            return False
        if self._rows is None:
            self._rows = self._line_values()
        for line, values in self._rows:
            line[0] = values[row]
        self._next_row = row + 1
        return True

    def _line_values(self) -> list[tuple[Any, list[float]]]:
        columns = _columns(self._bars)
        return [(getattr(self.lines, name), columns[name].tolist()) for name in columns]


def _columns(bars: _Array) -> dict[str, array.array[float]]:
    """Return the values of every line, by name, as Backtrader stores them."""
    names = ("datetime", "start", "open", "high", "low", "close", "volume", "openinterest")
    columns = {name: array.array("d", [0.0]) * len(bars) for name in names}
    _fill(bars, *(np.frombuffer(columns[name]) for name in names[:-1]))
    return columns


def backtrader_timeframe(timeframe_ns: int) -> tuple[int, int]:
    """Return Backtrader's (timeframe, compression)."""
    if timeframe_ns % (7 * _DAY_NS) == 0:
        return bt.TimeFrame.Weeks, timeframe_ns // (7 * _DAY_NS)
    if timeframe_ns % _DAY_NS == 0:
        return bt.TimeFrame.Days, timeframe_ns // _DAY_NS
    if timeframe_ns % _MINUTE_NS == 0:
        return bt.TimeFrame.Minutes, timeframe_ns // _MINUTE_NS
    return bt.TimeFrame.Seconds, timeframe_ns // 1_000_000_000
