"""Liquidity sweeps: a bar that trades through a level and closes back on its near side.

The primitives here are pure functions on three small records, so that a strategy can nest them:
RECENT (the last bars), LEVEL (one price that may be swept once) and HIT (what one bar swept on
one side). A sweep needs no history of the level: it is judged from the last bars alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype

RECENT_BARS = 16
"""Bars RECENT remembers; `reclaim` may be at most RECENT_BARS - 1."""

NO_LEVEL, SWING, PREVIOUS_DAY, PREVIOUS_WEEK, SESSION, OPENING_RANGE, POOL = 0, 1, 2, 3, 4, 5, 6
"""What kind of level a LEVEL or HIT stands for."""

RECENT = record_dtype(
    [
        ("count", "i8"),
        ("low", "f8", (RECENT_BARS,)),
        ("high", "f8", (RECENT_BARS,)),
        ("close", "f8", (RECENT_BARS,)),
    ]
)
"""The last RECENT_BARS bars as rings; slot = bar index % RECENT_BARS; count = bars seen."""

LEVEL = record_dtype([("price", "f8"), ("origin", "i8"), ("kind", "i2"), ("active", "i1")])
"""One level. active: 1 until swept or withdrawn. origin: what it was made from (bar, day ...)."""

HIT = record_dtype(
    [
        ("count", "i8"),
        ("price", "f8"),
        ("extreme", "f8"),
        ("age", "i8"),
        ("origin", "i8"),
        ("kind", "i2"),
    ]
)
"""Levels one bar swept on one side.

count : how many (0: none, and nothing else is meant).
price, kind, origin : the reference level, the swept one nearest to the close.
age : t - t0 of the reference level, t0 the bar that first went through it.
extreme : lowest low (highest high) of t0..t.
"""


@kernel
def remember(bar: Any, recent: Any) -> None:
    """Put bar t into RECENT. Call it first, before any sweep test of bar t."""
    slot = recent.count % RECENT_BARS
    recent.low[slot] = bar.low
    recent.high[slot] = bar.high
    recent.close[slot] = bar.close
    recent.count += 1


@kernel
def low_sweep_age(recent: Any, price: float, max_age: int, penetration: float) -> int:
    """Return t - t0 if the last remembered bar sweeps a low at `price`, else -1.

    t0 is the earliest bar of the last `max_age` + 1 whose low is below `price` - `penetration`
    with no close above `price` from t0 to t - 1. The close of t must be above `price`.
    """
    newest = recent.count - 1
    if not recent.close[newest % RECENT_BARS] > price:
        return -1
    limit = min(max_age, newest)
    found = -1
    for age in range(limit + 1):
        slot = (newest - age) % RECENT_BARS
        if age > 0 and recent.close[slot] > price:
            break
        if recent.low[slot] < price - penetration:
            found = age
    return found


@kernel
def high_sweep_age(recent: Any, price: float, max_age: int, penetration: float) -> int:
    """Return t - t0 if the last remembered bar sweeps a high at `price`, else -1.

    The mirror of `low_sweep_age`.
    """
    newest = recent.count - 1
    if not recent.close[newest % RECENT_BARS] < price:
        return -1
    limit = min(max_age, newest)
    found = -1
    for age in range(limit + 1):
        slot = (newest - age) % RECENT_BARS
        if age > 0 and recent.close[slot] < price:
            break
        if recent.high[slot] > price + penetration:
            found = age
    return found


@kernel
def lowest_low(recent: Any, age: int) -> float:
    """Return the lowest low of the last `age` + 1 remembered bars."""
    newest = recent.count - 1
    value: float = recent.low[newest % RECENT_BARS]
    for back in range(1, age + 1):
        value = min(value, recent.low[(newest - back) % RECENT_BARS])
    return value


@kernel
def highest_high(recent: Any, age: int) -> float:
    """Return the highest high of the last `age` + 1 remembered bars."""
    newest = recent.count - 1
    value: float = recent.high[newest % RECENT_BARS]
    for back in range(1, age + 1):
        value = max(value, recent.high[(newest - back) % RECENT_BARS])
    return value


@kernel
def clear_hit(hit: Any) -> None:
    """Empty a HIT at the start of a bar."""
    hit.count = 0
    hit.price = np.nan
    hit.extreme = np.nan
    hit.age = -1
    hit.origin = -1
    hit.kind = 0


@kernel
def note_low(recent: Any, price: float, kind: int, origin: int, age: int, hit: Any) -> None:
    """Enter a swept low into HIT; of several the highest, nearest to the close, is kept."""
    if hit.count == 0 or price > hit.price:
        hit.price = price
        hit.kind = kind
        hit.origin = origin
        hit.age = age
        hit.extreme = lowest_low(recent, age)
    hit.count += 1


@kernel
def note_high(recent: Any, price: float, kind: int, origin: int, age: int, hit: Any) -> None:
    """Enter a swept high into HIT; of several the lowest, nearest to the close, is kept."""
    if hit.count == 0 or price < hit.price:
        hit.price = price
        hit.kind = kind
        hit.origin = origin
        hit.age = age
        hit.extreme = highest_high(recent, age)
    hit.count += 1


@kernel
def sweep_low(recent: Any, level: Any, max_age: int, penetration: float, hit: Any) -> bool:
    """Test one LEVEL below the market; a swept one is used up and entered into `hit`."""
    if level.active == 0:
        return False
    age = low_sweep_age(recent, level.price, max_age, penetration)
    if age < 0:
        return False
    level.active = 0
    note_low(recent, level.price, level.kind, level.origin, age, hit)
    return True


@kernel
def sweep_high(recent: Any, level: Any, max_age: int, penetration: float, hit: Any) -> bool:
    """Test one LEVEL above the market; a swept one is used up and entered into `hit`."""
    if level.active == 0:
        return False
    age = high_sweep_age(recent, level.price, max_age, penetration)
    if age < 0:
        return False
    level.active = 0
    note_high(recent, level.price, level.kind, level.origin, age, hit)
    return True


@kernel
def set_level(level: Any, price: float, kind: int, origin: int) -> None:
    """Make `level` a fresh unswept level; a NaN price makes it inactive."""
    level.price = price
    level.kind = kind
    level.origin = origin
    level.active = 0 if np.isnan(price) else 1


@kernel
def follow_level(level: Any, price: float, kind: int, origin: int, is_open: bool) -> None:
    """Keep `level` equal to a fact that changes now and then, such as the last swing.

    Another origin makes it fresh; the same origin keeps it used up once swept. With `is_open`
    false (a crossed swing) it is withdrawn until another origin comes.
    """
    if level.origin != origin or level.kind != kind:
        set_level(level, price, kind, origin)
    if not is_open:
        level.active = 0
