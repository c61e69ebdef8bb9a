"""Liquidity pools: equal highs and equal lows, and their sweeps.

A SIDE is nested by a strategy once for highs (sign +1) and once for lows (sign -1). Pivots come
from the swings block; a pool made or moved at t acts on sweeps from t + 1, so call the sweep
first, then add the bar's pivot.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import atr, swings
from indicators.block import Block, Records
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator
from indicators.parameters import ParamsArray, Real, Rules, Whole, params_dtype, read_params
from indicators.sweeps import (
    HIT,
    RECENT,
    RECENT_BARS,
    clear_hit,
    high_sweep_age,
    low_sweep_age,
    note_high,
    note_low,
    remember,
)
from indicators.sweeps import POOL as POOL_KIND
from indicators.zones import window_for

if TYPE_CHECKING:
    import pandas as pd

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


@lru_cache
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


@kernel
def pool_tolerance(atr_state: Any, atr_now: Any, share: float) -> float:
    """Return `share` of the ATR of this bar, of the mean true range until there is an ATR.

    atr_state, atr_now : `atr.STATE` and `atr.OUT` after this bar's `atr.step`. NaN on bar 0.
    """
    spread: float = atr_now.atr
    if np.isnan(spread) and atr_state.count > 1:
        spread = atr_state.total / (atr_state.count - 1)
    return share * spread


RULES: Rules = {
    "tolerance": Real(0.1, 0.0, 1000.0),
    "reclaim": Whole(0, 0, RECENT_BARS - 1),
    "penetration": Real(0.0),
    "max_pools": Whole(50, 1, 100_000),
}
PARAMS = params_dtype(RULES)
SWING_RULES: Rules = {**swings.RULES, "left": Whole(3, 1, 10_000), "right": Whole(3, 1, 10_000)}
ATR_RULES: Rules = {"atr_period": Whole(200, 1, 100_000)}

OUT = record_dtype(
    [
        ("eqh", "f8"),
        ("eql", "f8"),
        ("high_level", "f8"),
        ("low_level", "f8"),
        ("high_pools", "f8"),
        ("low_pools", "f8"),
        ("swept_high", "f8"),
        ("swept_low", "f8"),
    ]
)
"""Facts known at one bar.

eqh, eql : level of the pool of equal highs (lows) opened or joined now, else NaN.
high_level : lowest unswept pool of equal highs, low_level the highest of equal lows, NaN if none.
high_pools, low_pools : unswept pools. swept_high, swept_low : level swept now, nearest to the
close, else NaN."""


@lru_cache
def state_dtype(window: int = 64, capacity: int = 50) -> np.dtype[Any]:
    """Return the state of the standalone block."""
    return record_dtype(
        [
            ("swings", swings.state_dtype(window)),
            ("swing", swings.OUT),
            ("atr", atr.STATE),
            ("atr_now", atr.OUT),
            ("recent", RECENT),
            ("highs", side_dtype(capacity)),
            ("lows", side_dtype(capacity)),
            ("high_hit", HIT),
            ("low_hit", HIT),
        ]
    )


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `tolerance` (0.1): distance within which highs are equal, in ATRs. `reclaim` (0),
    `penetration` (0): of sweeps, see `sweeps.params`. `max_pools` (50): kept a side.
    """
    return read_params("liquidity", RULES, values)


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state for the nested parameters of the standalone block."""
    window = window_for(swings.window(params["swings"]))
    made = np.zeros(1, state_dtype(window, int(params["liquidity"]["max_pools"][0])))
    reset_side(made[0].highs)
    reset_side(made[0].lows)
    return made


@kernel
def nearest_level(side: Any, sign: int) -> float:
    """Return the unswept level nearest to the market: lowest high or highest low; NaN if none."""
    level = np.nan
    for i in range(side.count):
        if not sign * level <= sign * side.pools[i].level:
            level = side.pools[i].level
    return level


@kernel
def _pool_level(side: Any, origin: int) -> float:
    """Return the level of the pool whose newest member stands at `origin`."""
    level = np.nan
    for i in range(side.count):
        if side.pools[i].last_origin == origin:
            level = side.pools[i].level
    return level


@kernel
def _take_pivot(swing: Any, t: int, tolerance: float, state: Any, out: Any) -> None:
    """Let the pivot confirmed now join or open a pool; it acts on sweeps from the next bar."""
    if swing.pivot > 0:
        if add_pivot(state.highs, 1, swing.ph, swing.origin, t, tolerance) != 0:
            out.eqh = _pool_level(state.highs, swing.origin)
    elif swing.pivot < 0 and add_pivot(state.lows, -1, swing.pl, swing.origin, t, tolerance) != 0:
        out.eql = _pool_level(state.lows, swing.origin)


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance the standalone block by one bar; `params` holds swings, atr and liquidity."""
    own = params.liquidity
    t = state.recent.count
    remember(bar, state.recent)
    atr.step(bar, state.atr, params.atr, state.atr_now)
    clear_hit(state.high_hit)
    clear_hit(state.low_hit)
    sweep_high_pools(state.highs, state.recent, own.reclaim, own.penetration, state.high_hit)
    sweep_low_pools(state.lows, state.recent, own.reclaim, own.penetration, state.low_hit)
    swings.step(bar, state.swings, params.swings, state.swing)
    out.eqh = np.nan
    out.eql = np.nan
    _take_pivot(state.swing, t, pool_tolerance(state.atr, state.atr_now, own.tolerance), state, out)
    out.high_level = nearest_level(state.highs, 1)
    out.low_level = nearest_level(state.lows, -1)
    out.high_pools = state.highs.count
    out.low_pools = state.lows.count
    out.swept_high = state.high_hit.price
    out.swept_low = state.low_hit.price


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0], out[i])


BLOCK = Block(
    name="liquidity",
    run=run,
    parts={"swings": SWING_RULES, "atr": ATR_RULES, "liquidity": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class Liquidity(KernelIndicator):
    """Pools of equal highs and lows; see `liquidity.OUT` for its lines."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {  # noqa: RUF012
        "eqh": {"marker": "_", "color": "red", "ls": ""},
        "eql": {"marker": "_", "color": "green", "ls": ""},
        "swept_high": {"marker": "v", "color": "red", "ls": ""},
        "swept_low": {"marker": "^", "color": "green", "ls": ""},
        "high_pools": {"_plotskip": True},
        "low_pools": {"_plotskip": True},
    }


def liquidity(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return liquidity pools (see `OUT`) for a DataFrame of bars indexed by START.

    Parameters
    ----------
    **values
        Parameters of `swings.params` (left and right default to 3), `atr.params` (period 200)
        and `liquidity.params`.
    """
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
