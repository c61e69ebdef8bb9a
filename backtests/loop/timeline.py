"""The joint timeline of preloaded feeds: which bar each feed stands on at every step of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Timeline:
    """Steps of a run over preloaded feeds, as Backtrader's own run-once loop makes them.

    A step is one distinct bar time; every feed with a bar of that time moves on to it.

    Attributes
    ----------
    datas : list
        The feeds, in the order they were added to Cerebro.
    count : int
        Number of steps.
    times : ndarray of float64, shape (count,)
        Backtrader's float day of each step.
    rows : list of ndarray of int64, shape (count,), or None
        For each feed the row it stands on at each step, -1 before its first bar; None for a feed
        that moves at every step, whose row is the step.
    step : int
        The step being played, written by the loop; -1 before the first.
    """

    def __init__(self, datas: Sequence[Any], times: Array, rows: list[Array | None]) -> None:
        self.datas = list(datas)
        self.times = times
        self.rows = rows
        self.count = len(times)
        self.step = -1
        self._index = {id(data): index for index, data in enumerate(self.datas)}

    def index_of(self, data: Any) -> int:
        """Return the number of a feed among `datas`."""
        return self._index[id(data)]

    def row(self, index: int, step: int) -> int:
        """Return the row feed `index` stands on at a step, -1 before its first bar."""
        rows = self.rows[index]
        return step if rows is None else int(rows[step])

    def step_of(self, index: int, row: int) -> int:
        """Return the step at which feed `index` moves on to a row; `count` past its last."""
        rows = self.rows[index]
        if rows is None:
            return min(row, self.count)
        return int(np.searchsorted(rows, row, "left"))


def read_timeline(datas: Sequence[Any]) -> Timeline | None:
    """Return the steps of preloaded feeds; None where their bars do not follow in time.

    One feed alone may hold any times. Several merge as Backtrader merges them only if each one's
    bars follow strictly.
    """
    stamps = [stamps_of(data) for data in datas]
    if not all(np.isfinite(stamp).all() for stamp in stamps):
        return None
    if len(stamps) == 1:
        return Timeline(datas, stamps[0], [None])
    if any((np.diff(stamp) <= 0.0).any() for stamp in stamps):
        return None
    times = np.unique(np.concatenate(stamps))
    rows: list[Array | None] = []
    for stamp in stamps:
        is_whole = len(stamp) == len(times)
        rows.append(None if is_whole else np.searchsorted(stamp, times, "right") - 1)
    return Timeline(datas, times, rows)


def stamps_of(data: Any) -> Array:
    """Return the float days of a preloaded feed's bars, a copy."""
    line = data.lines.datetime
    return np.array(line.array[: line.buflen()], np.float64)
