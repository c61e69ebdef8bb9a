"""A first strategy: buy a fair value gap that opens with a rising market structure.

Copy this file, change it, run it: `python run.py backtest --strategy my_file.py:Tutorial`.
It is a plain Backtrader strategy. `next` is called once a bar, at its close; an order made there
works from the next bar on. It never names a broker, so it runs the same on paper or an account.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt

from indicators.atr import ATR
from indicators.fvg import FVG
from indicators.structure import Structure


class Tutorial(bt.Strategy):  # type: ignore[misc]
    """Long only: a limit at the top of the newest bullish gap, stop under it, target at `rr` R."""

    name = "tutorial"
    params = (("rr", 2.0), ("size", 1.0), ("wait", 10))

    def __init__(self) -> None:
        self.atr = ATR(self.data)
        self.gaps = FVG(self.data)
        self.structure = Structure(self.data)
        self.entry: Any = None
        self.sent_at = 0

    def next(self) -> None:
        """Act at the close of a bar."""
        if self.entry is not None and self.entry.alive():
            if len(self) - self.sent_at >= self.p.wait:
                self.cancel(self.entry)
            return
        if self.position or self.structure.bias[0] <= 0 or self.gaps.fvg[0] <= 0:
            return
        entry = self.gaps.top[0]
        stop = self.gaps.bottom[0] - 0.5 * self.atr.atr[0]
        if not stop < entry < self.data.close[0]:
            return
        # The stop travels with the entry, so the guard can judge the risk before it is sent.
        self.sent_at = len(self)
        self.entry = self.buy_bracket(
            size=self.p.size,
            exectype=bt.Order.Limit,
            price=entry,
            stopprice=stop,
            limitprice=entry + self.p.rr * (entry - stop),
            oargs={"planned_entry": entry, "planned_stop": stop, "pattern": "gap"},
        )[0]
