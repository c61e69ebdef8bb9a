"""The blocks the gold machine is composed of, stepped in their fixed order.

Order inside a bar: ATR; day and session levels; sweeps against what stood before the bar; pivots
and pools; gaps; structure and displacement; order blocks; the breaker pattern; the dollar filter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import (
    atr,
    breakers,
    displacement,
    dxy,
    fvg,
    liquidity,
    order_blocks,
    sessions,
    structure,
    sweeps,
    swings,
)
from indicators import levels as periods

ZONE_SLOTS = 8
"""Kill zones the parameters have room for; unused rows are -1."""
KILL_ZONES = {
    "london": (120, 300),
    "new_york": (420, 660),
    "london_close": (600, 720),
    "ny_afternoon": (810, 960),
    "asia": (1080, 120),
}
"""Kill zones in minutes of the New York day, [start, end) on a bar's START."""

LEVEL_KINDS = ("day", "session", "swing", "pool")
"""What may be swept: previous day, completed Asia session, last swing, equal highs and lows."""

ASIA_START, ASIA_END = KILL_ZONES["asia"]

LONG_ATR = 200
"""Period of the ATR the pools' tolerance is measured by."""
DAY_LEVEL, SESSION_LEVEL, SWING_LEVEL = 0, 1, 2
SWEPT_LOW, SWEPT_HIGH = 1, 2

PARAMS = record_dtype(
    [
        ("atr", atr.PARAMS),
        ("long_atr", atr.PARAMS),
        ("swings", swings.PARAMS),
        ("structure", structure.PARAMS),
        ("displacement", displacement.PARAMS),
        ("fvg", fvg.PARAMS),
        ("order_blocks", order_blocks.PARAMS),
        ("dxy", dxy.PARAMS),
        ("zones", "i8", (ZONE_SLOTS, 2)),
        ("sweep_reclaim", "i8"),
        ("pool_tolerance", "f8"),
        ("use_zones", "i1"),
        ("use_day", "i1"),
        ("use_session", "i1"),
        ("use_swing", "i1"),
        ("use_pool", "i1"),
    ]
)

STATE = record_dtype(
    [
        ("t", "i8"),
        ("in_zone", "i1"),
        ("atr", atr.STATE),
        ("atr_now", atr.OUT),
        ("long_atr", atr.STATE),
        ("long_atr_now", atr.OUT),
        ("day", periods.PERIOD),
        ("session", sessions.SESSION_STATE),
        ("recent", sweeps.RECENT),
        ("lows", sweeps.LEVEL, (3,)),
        ("highs", sweeps.LEVEL, (3,)),
        ("low_pools", liquidity.side_dtype()),
        ("high_pools", liquidity.side_dtype()),
        ("low_hit", sweeps.HIT),
        ("high_hit", sweeps.HIT),
        ("swept", "i1", (sweeps.RECENT_BARS,)),
        ("pivot_close", "f8"),
        ("pivot_swept", "i1"),
        ("swings", swings.STATE),
        ("swings_now", swings.OUT),
        ("structure", structure.STATE),
        ("structure_now", structure.OUT),
        ("displacement_now", displacement.OUT),
        ("fvg", fvg.STATE),
        ("fvg_now", fvg.OUT),
        ("order_blocks", order_blocks.STATE),
        ("order_blocks_now", order_blocks.OUT),
        ("pattern", breakers.PATTERN_STATE),
        ("pattern_now", breakers.PATTERN_OUT),
        ("dxy", dxy.STATE),
        ("dxy_now", dxy.OUT),
        ("block_low", "f8"),
        ("block_high", "f8"),
        ("bias_before", "i1"),
    ]
)
"""t : index of the bar at hand. in_zone : it starts inside a kill zone. swept : ring of what each
recent bar swept (SWEPT_LOW, SWEPT_HIGH). pivot_close, pivot_swept : close of, and side swept by,
the bar of the last accepted pivot; 0 where it swept nothing on its own side. block_low,
block_high : far edges of the newest bullish and bearish order block. bias_before : structure's
bias as of the bar before."""


@kernel
def reset(state: Any) -> None:
    """Bring a zeroed STATE to the moment before the first bar."""
    state.t = -1
    periods.reset_period(state.day)
    sessions.reset_session(state.session)
    liquidity.reset_side(state.low_pools)
    liquidity.reset_side(state.high_pools)
    state.pivot_close = np.nan
    state.block_low = np.nan
    state.block_high = np.nan
    dxy.reset(state.dxy)


@kernel
def in_kill_zone(minute: int, params: Any) -> bool:
    """Tell whether a bar that starts at this minute lies in a kill zone (all do if none is set)."""
    if not params.use_zones:
        return True
    for i in range(params.zones.shape[0]):
        start = params.zones[i, 0]
        if start >= 0 and sessions.in_window(minute, start, params.zones[i, 1]):
            return True
    return False


@kernel
def _follow_levels(state: Any, params: Any) -> None:
    """Keep the sweepable levels equal to what stands at the START of this bar.

    Day and session levels have just been rolled by this bar's START; the swing levels and their
    crossed flags are those of the bar before.
    """
    day = state.day
    if params.use_day:
        key = day.previous_key
        sweeps.follow_level(state.lows[DAY_LEVEL], day.previous_low, sweeps.PREVIOUS_DAY, key, True)
        sweeps.follow_level(
            state.highs[DAY_LEVEL], day.previous_high, sweeps.PREVIOUS_DAY, key, True
        )
    session = state.session
    if params.use_session:
        key = session.previous_date
        sweeps.follow_level(
            state.lows[SESSION_LEVEL], session.previous_low, sweeps.SESSION, key, True
        )
        sweeps.follow_level(
            state.highs[SESSION_LEVEL], session.previous_high, sweeps.SESSION, key, True
        )
    swing = state.swings_now
    if params.use_swing and state.t > 0:
        sweeps.follow_level(
            state.lows[SWING_LEVEL],
            swing.zz_low,
            sweeps.SWING,
            swing.zz_low_origin,
            state.structure_now.low_crossed == 0,
        )
        sweeps.follow_level(
            state.highs[SWING_LEVEL],
            swing.zz_high,
            sweeps.SWING,
            swing.zz_high_origin,
            state.structure_now.high_crossed == 0,
        )


@kernel
def _sweep(state: Any, params: Any) -> None:
    """Test every level against this bar; swept ones are used up, at any hour."""
    reclaim = params.sweep_reclaim
    sweeps.clear_hit(state.low_hit)
    sweeps.clear_hit(state.high_hit)
    for i in range(state.lows.shape[0]):
        sweeps.sweep_low(state.recent, state.lows[i], reclaim, 0.0, state.low_hit)
        sweeps.sweep_high(state.recent, state.highs[i], reclaim, 0.0, state.high_hit)
    if params.use_pool:
        liquidity.sweep_low_pools(state.low_pools, state.recent, reclaim, 0.0, state.low_hit)
        liquidity.sweep_high_pools(state.high_pools, state.recent, reclaim, 0.0, state.high_hit)
    swept = 0
    if state.low_hit.count > 0:
        swept += SWEPT_LOW
    if state.high_hit.count > 0:
        swept += SWEPT_HIGH
    state.swept[state.t % sweeps.RECENT_BARS] = swept


@kernel
def _pool_tolerance(state: Any, params: Any) -> float:
    """Return how near equal highs must lie: a share of ATR(200), before it of the mean range."""
    spread: float = state.long_atr_now.atr
    if np.isnan(spread) and state.long_atr.count > 1:
        spread = state.long_atr.total / (state.long_atr.count - 1)
    tolerance: float = params.pool_tolerance * spread
    return tolerance


@kernel
def _pivots(bar: Any, state: Any, params: Any) -> None:
    """Confirm this bar's pivot; it and its pools act on sweeps from the next bar on."""
    swings.step(bar, state.swings, params.swings, state.swings_now)
    now = state.swings_now
    if now.pivot == 0:
        return
    tolerance = _pool_tolerance(state, params)
    if now.pivot > 0:
        liquidity.add_pivot(state.high_pools, 1, now.ph, now.origin, state.t, tolerance)
    else:
        liquidity.add_pivot(state.low_pools, -1, now.pl, now.origin, state.t, tolerance)
    if now.event != swings.IGNORED:
        slot = now.origin % sweeps.RECENT_BARS
        state.pivot_close = state.recent.close[slot]
        own_side = SWEPT_HIGH if now.pivot > 0 else SWEPT_LOW
        state.pivot_swept = state.swept[slot] & own_side


@kernel
def step_liquidity(bar: Any, state: Any, params: Any) -> None:
    """Advance what may be swept, and the swings it hangs on, by one bar."""
    state.t += 1
    state.in_zone = 1 if in_kill_zone(bar.minute, params) else 0
    atr.step(bar, state.long_atr, params.long_atr, state.long_atr_now)
    sweeps.remember(bar, state.recent)
    periods.step_period(bar, bar.day, state.day)
    sessions.step_session(bar, ASIA_START, ASIA_END, state.session)
    _follow_levels(state, params)
    _sweep(state, params)
    _pivots(bar, state, params)


@kernel
def step_structure(bar: Any, state: Any, params: Any) -> None:
    """Advance structure, order blocks and the breaker pattern by one bar, after the swings."""
    state.bias_before = state.structure.bias
    structure.step(
        bar,
        state.swings_now,
        state.displacement_now,
        state.structure,
        params.structure,
        state.structure_now,
    )
    order_blocks.step(
        bar,
        state.atr_now,
        state.displacement_now,
        state.swings_now,
        state.structure_now,
        state.order_blocks,
        params.order_blocks,
        state.order_blocks_now,
    )
    made = state.order_blocks_now
    if made.bull.created:
        state.block_low = made.bull.created_bottom
    if made.bear.created:
        state.block_high = made.bear.created_top
    breakers.step_pattern(bar, state.swings_now, state.pattern, state.pattern_now)


@kernel
def step(bar: Any, state: Any, params: Any) -> None:
    """Advance all blocks by one bar."""
    atr.step(bar, state.atr, params.atr, state.atr_now)
    step_liquidity(bar, state, params)
    fvg.step(bar, state.atr_now, state.fvg, params.fvg, state.fvg_now)
    displacement.step(bar, state.atr_now, params.displacement, state.displacement_now)
    step_structure(bar, state, params)
    dxy.step(bar, state.dxy, params.dxy, state.dxy_now)
