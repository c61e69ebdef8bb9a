"""Gold, pattern 2: liquidity taken, the last high broken, a retest of the breaker's zone.

A completed pattern waits for its retest; the first retest bar decides. It runs beside pattern 1
and neither looks at the other.
"""

from __future__ import annotations

from typing import Any

from core.compile import kernel, record_dtype
from core.setups import MARKET_SETUP
from strategies.machine import new_setup
from strategies.management import rounded_stop
from strategies.words import BREAKER

PARAMS = record_dtype(
    [
        ("max_retest_bars", "i8"),
        ("stop_buffer", "f8"),
        ("min_risk", "f8"),
        ("max_risk", "f8"),
        ("tick", "f8"),
    ]
)

STATE = record_dtype(
    [
        ("side", "i8"),
        ("completed_at", "i8"),
        ("top", "f8"),
        ("bottom", "f8"),
        ("extreme", "f8"),
        ("level", "f8"),
        ("origin", "i8"),
    ]
)
"""side : of the waiting pattern, 0 none. completed_at : tb. top, bottom : its zone. extreme : the
furthest price against it since tb. level : L1, whose liquidity was taken. origin : its bar."""


@kernel
def _is_valid(blocks: Any, found: Any) -> bool:
    """Tell whether a completed triple may be traded: in a kill zone, and L2's bar was a sweep.

    The last accepted pivot is L2; its bar closed back inside L1, or swept some level by itself.
    """
    if blocks.in_zone == 0:
        return False
    closed_back = found.side * (blocks.pivot_close - found.first_price) > 0.0
    return bool(closed_back or blocks.pivot_swept != 0)


@kernel
def _take_completion(bar: Any, blocks: Any, state: Any, funnel: Any) -> bool:
    """Let a new completion of either side replace what waits; True if there is one."""
    found = blocks.pattern_now
    if found.side == 0 or not _is_valid(blocks, found):
        return False
    funnel.breaker_completions += 1
    state.side = found.side
    state.completed_at = blocks.t
    state.top = found.top
    state.bottom = found.bottom
    state.level = found.first_price
    state.origin = found.first_origin
    state.extreme = bar.low if found.side > 0 else bar.high
    return True


@kernel
def _is_over(bar: Any, blocks: Any, state: Any, params: Any) -> bool:
    """Tell whether the waiting zone died at this bar's close, or is too old."""
    if blocks.t - state.completed_at > params.max_retest_bars:
        return True
    if state.side > 0:
        return bool(bar.close < state.bottom)
    return bool(bar.close > state.top)


@kernel
def _is_retest(bar: Any, state: Any) -> bool:
    """Tell whether this bar reached into the zone and closed away from it in its own direction."""
    if state.side > 0:
        return bool(bar.low <= state.top and bar.close > state.bottom and bar.close > bar.open)
    return bool(bar.high >= state.bottom and bar.close < state.top and bar.close < bar.open)


@kernel
def _emit(bar: Any, blocks: Any, state: Any, params: Any, out: Any, funnel: Any) -> None:
    """Make the setup of a retest bar if its risk is in bounds."""
    side = state.side
    average = blocks.atr_now.atr
    if side > 0:
        far = min(state.bottom, state.extreme)
    else:
        far = max(state.top, state.extreme)
    stop = rounded_stop(far - side * params.stop_buffer * average, side, params.tick)
    risk = side * (bar.close - stop)
    in_bounds = params.min_risk * average <= risk and risk <= params.max_risk * average
    if not (in_bounds and risk > 0.0):
        funnel.breaker_risk += 1
        return
    setup = new_setup(out, MARKET_SETUP, side, BREAKER)
    setup.entry = bar.close
    setup.stop = stop
    setup.risk = risk
    setup.atr = average
    setup.zone_top = state.top
    setup.zone_bottom = state.bottom
    setup.level = state.level
    setup.sweep_extreme = state.extreme
    setup.origin = state.origin
    funnel.emitted_breaker += 1


@kernel
def step(bar: Any, blocks: Any, state: Any, params: Any, out: Any, funnel: Any) -> None:
    """Advance pattern 2 by one bar, after its blocks."""
    if _take_completion(bar, blocks, state, funnel) or state.side == 0:
        return
    if _is_over(bar, blocks, state, params):
        state.side = 0
        return
    if state.side > 0:
        state.extreme = min(state.extreme, bar.low)
    else:
        state.extreme = max(state.extreme, bar.high)
    if _is_retest(bar, state):
        _emit(bar, blocks, state, params, out, funnel)
        state.side = 0
