"""Prices on the tick and quantities on the lot, in exact integer steps.

A tick below 1 is treated as an integer ratio: `inverse` = 1 / tick is whole, a price is
n / inverse. So 0.1 steps never accumulate error: never n * tick below 1, never floor(p / tick).
"""

from __future__ import annotations

from math import ceil, floor, gcd

from core.compile import kernel, shared

TICK_TOLERANCE = 1e-6
"""A price within this share of a step of a tick is on the tick."""
LOT_TOLERANCE = 1e-9


@kernel
def price_to_steps_down(price: float, tick: float) -> int:
    """Return the largest whole number of ticks not above the price (1e-6 of a tick tolerated)."""
    scaled = price * round(1.0 / tick) if tick < 1.0 else price / tick
    nearest = floor(scaled + 0.5)
    if abs(scaled - nearest) <= TICK_TOLERANCE:
        return int(nearest)
    return int(floor(scaled))


@kernel
def price_to_steps_up(price: float, tick: float) -> int:
    """Return the smallest whole number of ticks not below the price (1e-6 of a tick tolerated)."""
    scaled = price * round(1.0 / tick) if tick < 1.0 else price / tick
    nearest = floor(scaled + 0.5)
    if abs(scaled - nearest) <= TICK_TOLERANCE:
        return int(nearest)
    return int(ceil(scaled))


@kernel
def steps_to_price(steps: int, tick: float) -> float:
    """Return a whole number of ticks as a price in quote currency."""
    if tick < 1.0:
        return steps / round(1.0 / tick)
    return steps * tick


@kernel
def round_down(price: float, tick: float) -> float:
    """Round a price down to the tick (buy limits, stops below, targets above the entry)."""
    return steps_to_price(price_to_steps_down(price, tick), tick)


@kernel
def round_up(price: float, tick: float) -> float:
    """Round a price up to the tick (sell limits, stops above, targets below the entry)."""
    return steps_to_price(price_to_steps_up(price, tick), tick)


@kernel
def quantity_to_steps(quantity: float, lot: float) -> int:
    """Return how many whole lot steps fit into a quantity: floor(quantity / lot + 1e-9)."""
    return int(floor(quantity / lot + LOT_TOLERANCE))


@kernel
def steps_to_quantity(steps: int, lot: float) -> float:
    """Return lot steps as a quantity in lots, contracts or units, free of float dust."""
    if lot < 1.0:
        return steps / round(1.0 / lot)
    return steps * lot


@shared
def common_step(one: float, other: float) -> float:
    """Return the largest quantity step that both are whole multiples of."""
    scale = 10**9
    return gcd(round(one * scale), round(other * scale)) / scale
