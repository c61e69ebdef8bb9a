"""Liquidity pools: equal highs and equal lows, and their sweeps.

A SIDE is nested by a strategy once for highs (sign +1) and once for lows (sign -1). Pivots come
from the swings block; a pool made or moved at t acts on sweeps from t + 1, so call the sweep
first, then add the bar's pivot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.sweeps import POOL as POOL_KIND
from indicators.sweeps import high_sweep_age, low_sweep_age, note_high, note_low

OPENED, JOINED = 1, 2
"""What a pivot did: opened a pool together with the one before it, or joined a standing one."""

POOL = record_dtype(
    [
        ("first", "f8"),
        ("level", "f8"),
        ("total", "f8"),
        ("members", "i8"),
        ("origin", "i8"),
        ("last_origin", "i8"),
        ("known", "i8"),
    ]
)
"""One unswept pool.

first : price of its first member, that later ones are compared with.
level : most extreme member, the price to sweep. total / members : mean price.
origin, last_origin : bar of the first and the newest member. known : bar it was opened at.
"""


def side_dtype(capacity: int = 50) -> np.dtype[Any]:
    """Return the record of one side's pools; `capacity` pools are kept, oldest dropped first."""
    return record_dtype(
        [
            ("count", "i8"),
            ("dropped", "i8"),
            ("previous", "f8"),
            ("previous_origin", "i8"),
            ("pools", POOL, (capacity,)),
        ]
    )


@kernel
def reset_side(side: Any) -> None:
    """Bring a SIDE to the state before the first pivot."""
    side.count = 0
    side.dropped = 0
    side.previous = np.nan
    side.previous_origin = -1


@kernel
def _copy_pool(source: Any, target: Any) -> None:
    target.first = source.first
    target.level = source.level
    target.total = source.total
    target.members = source.members
    target.origin = source.origin
    target.last_origin = source.last_origin
    target.known = source.known


@kernel
def remove_pool(side: Any, index: int) -> None:
    """Take a pool out of the list, keeping the others in order of birth."""
    for i in range(index, side.count - 1):
        _copy_pool(side.pools[i + 1], side.pools[i])
    side.count -= 1


@kernel
def _join(pool: Any, sign: int, price: float, origin: int) -> None:
    pool.level = max(pool.level, price) if sign > 0 else min(pool.level, price)
    pool.total += price
    pool.members += 1
    pool.last_origin = origin


@kernel
def add_pivot(side: Any, sign: int, price: float, origin: int, t: int, tolerance: float) -> int:
    """Take a raw pivot that became known at bar t; return 0, OPENED or JOINED.

    It joins the youngest pool whose first member lies within `tolerance` (inclusive); only if it
    joins none is it compared with the previous raw pivot of its type, and a match opens a pool.

    Notes
    -----
    The pool concerned is the one whose `last_origin` equals `origin`.
    """
    event = 0
    for i in range(side.count - 1, -1, -1):
        if abs(price - side.pools[i].first) <= tolerance:
            _join(side.pools[i], sign, price, origin)
            event = JOINED
            break
    if event == 0 and abs(price - side.previous) <= tolerance:
        if side.count == side.pools.shape[0]:
            remove_pool(side, 0)
            side.dropped += 1
        pool = side.pools[side.count]
        pool.first = side.previous
        pool.level = side.previous
        pool.total = side.previous
        pool.members = 1
        pool.origin = side.previous_origin
        pool.known = t
        _join(pool, sign, price, origin)
        side.count += 1
        event = OPENED
    side.previous = price
    side.previous_origin = origin
    return event


@kernel
def sweep_low_pools(side: Any, recent: Any, max_age: int, penetration: float, hit: Any) -> int:
    """Sweep every pool of equal lows the last bar swept; return how many. They are consumed."""
    swept = 0
    i = 0
    while i < side.count:
        age = low_sweep_age(recent, side.pools[i].level, max_age, penetration)
        if age >= 0:
            note_low(recent, side.pools[i].level, POOL_KIND, side.pools[i].origin, age, hit)
            remove_pool(side, i)
            swept += 1
        else:
            i += 1
    return swept


@kernel
def sweep_high_pools(side: Any, recent: Any, max_age: int, penetration: float, hit: Any) -> int:
    """Sweep every pool of equal highs the last bar swept; return how many. They are consumed."""
    swept = 0
    i = 0
    while i < side.count:
        age = high_sweep_age(recent, side.pools[i].level, max_age, penetration)
        if age >= 0:
            note_high(recent, side.pools[i].level, POOL_KIND, side.pools[i].origin, age, hit)
            remove_pool(side, i)
            swept += 1
        else:
            i += 1
    return swept
