"""How a strategy handles its setups: what management asks besides the common settings.

It is data, made of the settings by `SetupStrategy.handling`, so that a Backtrader run and a
compiled sweep read the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from strategies.words import BLOCK_DXY, BLOCK_TREND, KEEP, TAKEN

Codes = np.ndarray[Any, np.dtype[np.int8]]


class Hours:
    """When the clock lets no entry be made or work. This one always lets them.

    A strategy's own overrides `refusal` and `cancel`; `refusals` and `cancels` too where judging
    a whole series at once is cheaper. It holds plain values only: it travels to other processes.
    """

    def refusal(self, bar: Any, pattern: int) -> int:
        """Return TIME or WINDOW if no entry may be made at this bar's close, else TAKEN."""
        return TAKEN

    def cancel(self, bar: Any, pattern: int) -> int:
        """Return the cancel code if no entry may work beyond this bar's close, else KEEP."""
        return KEEP

    def refusals(self, bars: Any, pattern: int) -> Codes:
        """Return `refusal` of every bar, shape (n,)."""
        if type(self).refusal is Hours.refusal:
            return np.zeros(len(bars), np.int8)
        return np.array([self.refusal(bar, pattern) for bar in bars], np.int8)

    def cancels(self, bars: Any, pattern: int) -> Codes:
        """Return `cancel` of every bar, shape (n,)."""
        if type(self).cancel is Hours.cancel:
            return np.zeros(len(bars), np.int8)
        return np.array([self.cancel(bar, pattern) for bar in bars], np.int8)


@dataclass(frozen=True)
class Handling:
    """What is done with a setup, besides the common settings.

    order_bars : bars a limit or stop entry may work; 0 without end.
    watches_choch : a change of character against it withdraws a working entry.
    filters : bits of the filters that are switched on.
    day_orders : entries never fill on a bar of another trading day, nor from the flat time on.
    closes_opposite : a setup against the position closes it at the next open.
    hours : when the clock lets no entry be made or work.
    """

    order_bars: int = 0
    watches_choch: bool = False
    filters: int = BLOCK_TREND | BLOCK_DXY
    day_orders: bool = True
    closes_opposite: bool = False
    hours: Hours = field(default_factory=Hours)
