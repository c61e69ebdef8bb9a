"""Trades as the guard sees them: entry to exit of each plan's position, from fills alone."""

from __future__ import annotations

from dataclasses import dataclass

from core.orders import Fill

_DUST = 1e-9


@dataclass(slots=True)
class _Open:
    size: float = 0.0
    average: float = 0.0
    money: float = 0.0


class TradeTracker:
    """Follow each plan's position per symbol and say what a trade earned when it closes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}

    def book(self, fill: Fill, point_value: float) -> float | None:
        """Book a fill; return the closed trade's profit net of costs, None if it closed none."""
        trade = self._open.setdefault((fill.plan_id, fill.symbol), _Open())
        signed = fill.quantity * int(fill.side)
        before = trade.size
        after = before + signed
        costs = sum(fill.costs.values())
        if before * signed >= 0:
            trade.average += (fill.price - trade.average) * (signed / after)
            trade.size = after
            trade.money -= costs
            return None
        closing = -before if abs(signed) >= abs(before) - _DUST else signed
        share = closing / signed
        trade.money -= closing * (fill.price - trade.average) * point_value + costs * share
        if abs(after) > _DUST and abs(signed) < abs(before):
            trade.size = after
            return None
        pnl = trade.money
        reversed_size = after if abs(after) > _DUST else 0.0
        trade.size, trade.average = reversed_size, fill.price
        trade.money = -costs * (1.0 - share)
        return pnl
