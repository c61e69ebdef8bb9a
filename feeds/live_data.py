"""A live feed inside Backtrader: bars are handed to it, it never waits for one."""

from __future__ import annotations

from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from core.bars import BAR
from feeds.bulk import backtrader_timeframe, float_day

_FIRST_CAPACITY = 4096


class LiveData(bt.feed.DataBase):  # type: ignore[misc]
    """Backtrader data whose bars arrive one at a time.

    The session hands it a completed bar (`push`) and steps it (`next`); Backtrader's own live loop,
    its queues and its clock are not used.

    Parameters
    ----------
    symbol : str
    timeframe_ns : int
    name : str
        As in Cerebro; the symbol by default.

    Attributes
    ----------
    catching_up : bool
        The bar it stands on came from history, or too late for an entry.
    """

    lines: Any = ("start",)
    params = (("timeframe", bt.TimeFrame.Minutes),)
    plotlines: ClassVar[dict[str, Any]] = {"start": {"_plotskip": True}}

    def __init__(self, symbol: str = "", timeframe_ns: int = 0, **_: Any) -> None:
        self.symbol = symbol
        self.timeframe_ns = timeframe_ns
        self.p.timeframe, self.p.compression = backtrader_timeframe(timeframe_ns)
        self._name = self.p.name or symbol
        self._held = np.zeros(_FIRST_CAPACITY, BAR)
        self._count = 0
        self._late = bytearray()
        self.catching_up = False

    @property
    def bars(self) -> np.ndarray[Any, Any]:
        """The BAR records delivered so far."""
        return self._held[: self._count]

    def islive(self) -> bool:
        """Say that bars cannot be loaded ahead."""
        return True

    def push(self, bar: Any, late: bool) -> None:
        """Lay a bar ready; each call of `next` delivers the oldest that was not."""
        if self._count == len(self._held):
            longer = np.zeros(2 * self._count, BAR)  # memory is taken where it is written to
            longer[: self._count] = self._held
            self._held = longer
        self._held[self._count] = bar
        self._count += 1
        self._late.append(late)

    def _load(self) -> bool | None:
        """Set the bar laid ready; None without one."""
        delivered = len(self) - 1  # Backtrader has moved forward already
        if delivered >= self._count:
            return None
        start, end, *prices = self._held[delivered].tolist()
        lines = self.lines
        lines.datetime[0] = float_day(end)
        lines.start[0] = start / 1_000_000
        lines.open[0], lines.high[0], lines.low[0], lines.close[0], lines.volume[0] = prices[:5]
        lines.openinterest[0] = 0.0
        self.catching_up = bool(self._late[delivered])
        return True
