"""What a strategy declares so that its sleep can be skipped, read and checked.

A strategy of any author may define

- `entry_mask(self)`: an array of bool, one item a bar of its first data. It promises: on a bar
  where the mask is false, the strategy is flat and none of its orders is at work, `next` (and
  `prenext`) does nothing at all. It is asked once, when all indicators are computed, so it can be
  made from their arrays.
- `idle_in_position = True`: it promises that while a position is open, `next` does nothing on a
  bar that brought none of its orders a notification. May be a property: it is read on each bar
  the strategy was awake on.
- `position_mask(self)`: an array as above; bars on which `next` must run although a position is
  open and `idle_in_position` holds. Without it there are none.

A subclass that overrides `next` must declare its own mask: an inherited one is not believed.

`next` runs on every bar that brings a notification, on every bar while orders are at work but no
position is open, and wherever a mask is true. `python run.py backtest --check-mask` tests the
promise.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import backtrader as bt
import numpy as np

from backtests.loop.skipping import FLAT, OPEN
from backtests.loop.timeline import Timeline
from core.errors import ConfigError


class Sleeper:
    """Says up to which step a strategy may sleep.

    Parameters
    ----------
    strategy : backtrader.Strategy
        With its indicators computed.
    timeline : Timeline
    awake : ndarray of int64
        Steps at which it must be awake whatever it declares.
    """

    def __init__(self, strategy: Any, timeline: Timeline, awake: Any = ()) -> None:
        self._strategy = strategy
        self._end = timeline.count
        mask = read_mask(strategy, "entry_mask")
        self.is_declared = mask is not None
        self._entries = _steps(mask, strategy, timeline, awake)
        wanted = read_mask(strategy, "position_mask")
        self._in_position = _steps(wanted, strategy, timeline, awake)

    def until(self, standing: int, step: int) -> int:
        """Return the next step at which `next` must run if nothing is heard from the broker."""
        if not self.is_declared:
            return step + 1
        if standing == FLAT:
            return self._after(self._entries, step)
        if standing == OPEN and getattr(self._strategy, "idle_in_position", False):
            return self._after(self._in_position, step)
        return step + 1

    def _after(self, steps: list[int], step: int) -> int:
        place = bisect_right(steps, step)
        return steps[place] if place < len(steps) else self._end


def read_mask(strategy: Any, name: str) -> Any | None:
    """Return a mask a strategy declares, None where it declares none.

    Raises
    ------
    ConfigError : it is not one bool a bar of the first data.
    """
    declared = getattr(type(strategy), name, None)
    if declared is None or _is_outdated(type(strategy), name):
        return None
    given = declared(strategy)
    if given is None:
        return None
    mask = np.asarray(given)
    count = strategy.data0.lines.datetime.buflen()
    if mask.dtype != np.bool_ or mask.shape != (count,):
        raise ConfigError(
            f"{type(strategy).__name__}.{name} returned {mask.dtype} of shape {mask.shape}: "
            f"expected bool, one item for each of the {count} bars of its first data"
        )
    return mask


def _is_outdated(kind: type[Any], name: str) -> bool:
    """Whether a subclass has another `next` than the one its inherited mask speaks of."""
    for base in kind.__mro__:
        own = vars(base)
        if name in own:
            return False
        if "only_forwards" not in own and ("next" in own or "prenext" in own):
            return True
    return False


def must_be_awake(strategy: Any, status: Any) -> Any:
    """Return the steps at which a strategy is called whatever it declares: an own `nextstart`."""
    if type(strategy).nextstart is bt.Strategy.nextstart:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.asarray(status) == 0)


def _steps(mask: Any | None, strategy: Any, timeline: Timeline, awake: Any) -> list[int]:
    """Return the steps at which the first data moves on to a bar where a mask is true."""
    marked = np.zeros(0, np.int64) if mask is None else np.flatnonzero(mask)
    rows = timeline.rows[timeline.index_of(strategy.data0)]
    if rows is not None:
        marked = np.searchsorted(rows, marked, "left")
    steps: list[int] = np.union1d(marked, np.asarray(awake, np.int64)).tolist()
    return steps
