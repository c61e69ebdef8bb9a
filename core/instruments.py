"""Instruments: what one unit is worth, the steps it trades in and what it costs, by date.

Facts that change (lot, tick, freeze quantity, expiry weekday, charges) are dated tables in
`instruments.toml` and `charges.toml`; a user's file is merged over ours, key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """The facts of one instrument on one trading day; all money in quote currency.

    Quantities are in lots (XAUUSD, FX), contracts (MGC, GC, GOLDM) or units (NSE futures).
    """

    symbol: str
    tick: float
    lot: float
    """Quantity step: 0.01 lots, 1 contract, 75 units."""
    multiplier: float
    """Quote money per 1.0 price move of 1.0 quantity."""
    freeze_quantity: float
    """Largest quantity of one order (inf: no limit)."""
    margin_fixed: float
    """Initial margin per 1.0 of quantity, as money."""
    margin_rate: float
    """Initial margin as a share of notional; both kinds add up."""
    slippage_ticks: float
    """Ticks against us on market and stop fills."""
    spread: float
    """Ask minus bid in price units (0: none is modelled)."""
    spread_by_hour: tuple[float, ...]
    """24 spreads by hour of the market's zone; empty: the constant holds."""
    price_side: str
    """What the bars hold: bid, ask, mid or last."""
    expiry_weekday: int
    """Weekday of the monthly expiry (Monday = 0), -1 where there is none."""
    cost: np.ndarray[Any, Any]
    """One-item COST array (pass `facts.cost[0]` to kernels); read-only."""
    unconfirmed: tuple[str, ...] = ()
    """Names of the facts whose value of this day is not confirmed by its source."""

    @property
    def margin_per_lot(self) -> float:
        """Fixed initial margin of one quantity step."""
        return self.margin_fixed * self.lot

    def margin_per_unit(self, price: float) -> float:
        """Return the initial margin per 1.0 of quantity at a price."""
        return self.margin_fixed + self.margin_rate * price * self.multiplier


@dataclass(frozen=True)
class Instrument:
    """One tradable thing in the project's own symbol."""

    symbol: str
    description: str
    calendar: str
    """Name for `core.calendar.get_calendar`."""
    quote_currency: str
    venue: str
    proxy_for: str | None
    """The instrument an index's bars stand in for, whose facts these are."""
    has_volume: bool
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def facts(self, day: int) -> InstrumentFacts:
        """Return the facts of a trading day (days since 1970-01-01); cached."""
        raise NotImplementedError


def get_instrument(
    symbol: str, overrides: Mapping[str, Any] | None = None, user_file: Any = None
) -> Instrument:
    """Return an instrument by project symbol."""
    raise NotImplementedError
