"""Trades as the guard sees them: entry to exit of each plan's position, from fills alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from core.compile import shared
from core.orders import Fill

_DUST = 1e-9


@dataclass(slots=True)
class _Open:
    size: float = 0.0
    average: float = 0.0
    money: float = 0.0


@shared
def book_fill(trade: Any, signed: float, price: float, costs: float, point_value: float) -> float:
    """Book a fill on a position (`_Open`, or a record of the same fields).

    Returns
    -------
    float
        The closed trade's profit net of costs, nan if the fill closed none.
    """
    before = trade.size
    after = before + signed
    if before * signed >= 0.0:
        trade.average += (price - trade.average) * (signed / after)
        trade.size = after
        trade.money -= costs
        return math.nan
    closing = -before if abs(signed) >= abs(before) - _DUST else signed
    share = closing / signed
    trade.money -= closing * (price - trade.average) * point_value + costs * share
    if abs(after) > _DUST and abs(signed) < abs(before):
        trade.size = after
        return math.nan
    pnl = float(trade.money)
    trade.size = after if abs(after) > _DUST else 0.0
    trade.average = price
    trade.money = -costs * (1.0 - share)
    return pnl


class TradeTracker:
    """Follow each plan's position per symbol and say what a trade earned when it closes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}

    def book(self, fill: Fill, point_value: float) -> float | None:
        """Book a fill; return the closed trade's profit net of costs, None if it closed none."""
        trade = self._open.setdefault((fill.plan_id, fill.symbol), _Open())
        signed = fill.quantity * int(fill.side)
        pnl = book_fill(trade, signed, fill.price, sum(fill.costs.values()), point_value)
        return None if math.isnan(pnl) else pnl
