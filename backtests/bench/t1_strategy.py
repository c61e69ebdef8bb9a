"""Task T1 as anyone would write it for Backtrader: the file both engines run untouched.

Buy at the market when a close is above the highest high of the bars before it; a stop one ATR
below that close and a target two above it, as a bracket.
"""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from backtests.bench.peers.job import Answer

CASH, SIZE, MULTIPLIER, COMMISSION, MARGIN = 1_000_000.0, 1, 10.0, 0.5, 1000.0
"""The account and the contract; commission is per side and unit."""

DENSE = {"window": 20, "stop_atr": 1.0, "target_atr": 2.0}
SPARSE = {"window": 1000, "stop_atr": 5.0, "target_atr": 10.0}


class T1(bt.Strategy):  # type: ignore[misc]
    """The breakout; what it notes of its fills and trades is what runs are compared by."""

    params = (("window", 20), ("stop_atr", 1.0), ("target_atr", 2.0), ("size", SIZE))

    def __init__(self) -> None:
        self.fills: list[tuple[int, float]] = []
        self.closed: list[tuple[int, int, float, float]] = []
        self.prepare()

    def prepare(self) -> None:
        """Make the indicators."""
        self.highest = bt.ind.Highest(self.data.high, period=self.p.window)
        self.atr = bt.ind.ATR(self.data, period=14)

    def notify_order(self, order: Any) -> None:
        """Note a fill."""
        if order.status == order.Completed:
            self.fills.append((len(self.data), order.executed.price))

    def notify_trade(self, trade: Any) -> None:
        """Note a closed trade."""
        if trade.isclosed:
            self.closed.append((trade.baropen, trade.barclose, trade.pnl, trade.pnlcomm))

    def next(self) -> None:
        """Enter on a breakout."""
        if not self.position and self.data.close[0] > self.highest[-1]:
            self.enter(self.data.close[0], self.atr[0])

    def enter(self, close: float, reach: float) -> None:
        """Buy with a stop and a target."""
        self.buy_bracket(
            size=self.p.size,
            exectype=bt.Order.Market,
            stopprice=close - self.p.stop_atr * reach,
            limitprice=close + self.p.target_atr * reach,
        )


def answer_of(strategy: Any, final: float, note: str = "") -> Answer:
    """Return what a finished run of the strategy came to.

    Raises
    ------
    ValueError : fills and trades disagree (a bar noted at the fill is not the trade's own).
    """
    fills = np.array(strategy.fills, float).reshape(-1, 2)
    closed = np.array(strategy.closed, float).reshape(-1, 4)
    count = len(closed)
    entries, exits = fills[0 : 2 * count : 2], fills[1 : 2 * count : 2]
    if not (np.array_equal(entries[:, 0], closed[:, 0]) and len(exits) == count):
        raise ValueError("T1: the fills do not pair into the trades")
    trades = {
        "entry_bar": entries[:, 0] - 1,
        "entry_price": entries[:, 1],
        "exit_bar": exits[:, 0] - 1,
        "exit_price": exits[:, 1],
        "pnl": closed[:, 2],
        "pnlcomm": closed[:, 3],
    }
    return Answer(count, float(closed[:, 3].sum()), final, trades, note)
