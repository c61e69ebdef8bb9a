"""Backtrader's commission scheme of one of our instruments, so that its own figures come right."""

from __future__ import annotations

from math import isfinite
from typing import Any

import backtrader as bt

from core.costs import charge
from core.instruments import InstrumentFacts
from core.prices import quantity_to_steps, steps_to_quantity

_RATES = (
    "commission_rate",
    "brokerage_rate",
    "stt_buy_rate",
    "stt_sell_rate",
    "ctt_buy_rate",
    "ctt_sell_rate",
    "exchange_rate",
    "sebi_rate",
    "stamp_buy_rate",
)
"""Charges on the turnover: without them a fill's charges do not depend on its price."""


class InstrumentCommission(bt.CommInfoBase):  # type: ignore[misc]
    """Point value, margin and charges of the day, in account currency.

    The broker books money itself; this serves `Trade`, sizers and `order_target_value`.
    `use` replaces the facts when a day's differ.
    """

    params = (("stocklike", False), ("commtype", bt.CommInfoBase.COMM_FIXED))

    facts: InstrumentFacts
    fx: float
    _paid: dict[float, float]
    _cost: Any
    _is_flat: bool

    def use(self, facts: InstrumentFacts, fx: float) -> None:
        """Take the facts and the exchange rate that hold from now on."""
        self.facts = facts
        self.fx = fx
        self._cost = facts.cost[0]
        self._is_flat = not any(self._cost[rate] for rate in _RATES)
        self._paid = {}  # by size: what fills pay where the price does not matter
        self.p.mult = facts.multiplier * fx
        self.p.margin = facts.margin_fixed * fx

    def get_margin(self, price: float) -> float:
        """Return the money one unit of quantity binds: its margin, else its notional."""
        margin = self.facts.margin_per_unit(price) * self.fx
        return float(margin if margin > 0.0 else price * self.p.mult)

    def getsize(self, price: float, cash: float) -> float:
        """Return the largest quantity, in whole lot steps, that cash can carry."""
        steps = quantity_to_steps(max(0.0, cash) / self.get_margin(price), self.facts.lot)
        return float(steps_to_quantity(steps, self.facts.lot))

    def _getcommission(self, size: float, price: float, pseudoexec: bool) -> float:
        is_flat = self._is_flat and isfinite(price)
        if is_flat and size in self._paid:
            return self._paid[size]
        paid = float(
            charge(self._cost, size > 0, abs(size), price, self.facts.multiplier) * self.fx
        )
        if is_flat:
            self._paid[size] = paid
        return paid
