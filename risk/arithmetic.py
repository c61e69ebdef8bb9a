"""The arithmetic of the limits: what the rules' classes and the compiled sweep both compute.

Money is in account currency; a limit that is not set is nan.
"""

from __future__ import annotations

from math import nan

from core.compile import shared

CENT = 1e-6
"""Money (and quantity) by which float dust may pass a limit."""
COLLAR_DUST = 1e-9
MINUTE_NS = 60_000_000_000


def given(limit: float | None) -> float:
    """Return a limit as a number: nan where none is set."""
    return nan if limit is None else float(limit)


@shared
def least_limit(money: float, percent: float, base: float) -> float:
    """Return the stricter of a limit in money and one in percent of a base; nan: neither."""
    limit = money
    if percent == percent:
        share = base * percent / 100.0
        if not limit <= share:
            limit = share
    return limit


@shared
def floor_of_day(base: float, limit: float) -> float:
    """Return the equity at or below which a day's loss limit is met."""
    return base - limit


@shared
def has_lost(base: float, equity: float, limit: float) -> bool:
    """Say whether the day's loss has reached its limit."""
    return base - equity >= limit


@shared
def floor_of_trail(peak: float, amount: float, lock_level: float) -> float:
    """Return the floor that trails a peak; it does not rise beyond the lock level."""
    return min(peak - amount, lock_level)


@shared
def has_fallen(equity: float, floor: float) -> bool:
    """Say whether equity is at a trailing floor."""
    return equity <= floor


@shared
def has_won(start_equity: float, equity: float, largest: float) -> bool:
    """Say whether a day, open profit included, has won enough."""
    return equity - start_equity >= largest


@shared
def stop_risk(entry: float, stop: float, side: int) -> float:
    """Return the price units lost between an entry and its stop; <= 0 for one on the wrong side."""
    return (entry - stop) * side


@shared
def exceeds(value: float, limit: float) -> bool:
    """Say whether money or a quantity is above its limit by more than dust."""
    return value > limit + CENT


@shared
def falls_short(value: float, limit: float) -> bool:
    """Say whether a quantity is below its limit by more than dust."""
    return value < limit - CENT


@shared
def distance_pct(price: float, last: float) -> float:
    """Return how far a price lies from the last close, in percent of that."""
    return abs(price - last) / abs(last) * 100.0


@shared
def is_collared(away: float, percent: float) -> bool:
    """Say whether an order's distance from the last close is too large."""
    return away > percent + COLLAR_DUST
