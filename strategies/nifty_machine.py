"""The Nifty strategy's machine: a sweep of a day level, a break, a retest of what it left.

IDLE -> SWEPT -> a setup at the break's order block, or AWAITS_GAP for one bar where that block is
older than the sweep. Everything is forgotten at the first bar of a day but ATR, pivots and gaps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import SPECIAL
from core.compile import kernel, record_dtype
from core.setups import LIMIT_SETUP
from indicators import (
    atr,
    displacement,
    fvg,
    opening_range,
    order_blocks,
    structure,
    sweeps,
    swings,
    vwap,
)
from indicators import levels as periods
from strategies.machine import clear_out, new_setup, write_range, write_zones
from strategies.management import rounded_limit, rounded_stop
from strategies.words import BLOCK_TREND, SWEEP_BOS_FVG, SWEEP_BOS_OB

IDLE, SWEPT, AWAITS_GAP = 0, 1, 2
OPENING_LEVEL, DAY_LEVEL = 0, 1
SATURDAY = 5

PARAMS = record_dtype(
    [
        ("atr", atr.PARAMS),
        ("swings", swings.PARAMS),
        ("structure", structure.PARAMS),
        ("displacement", displacement.PARAMS),
        ("fvg", fvg.PARAMS),
        ("order_blocks", order_blocks.PARAMS),
        ("session_start", "i8"),
        ("opening_end", "i8"),
        ("entry_end", "i8"),
        ("latest_first_bar", "i8"),
        ("sweep_reclaim", "i8"),
        ("max_bos_bars", "i8"),
        ("stop_buffer", "f8"),
        ("stop_ticks", "f8"),
        ("min_risk", "f8"),
        ("max_risk", "f8"),
        ("tick", "f8"),
        ("use_opening", "i1"),
        ("use_day", "i1"),
    ]
)
"""Times are minutes of the local day. entry_end : sweeps are looked for on bars that start before
it. latest_first_bar : a day whose first bar starts later is special."""

FUNNEL = record_dtype(
    [
        ("bars", "i8"),
        ("in_window", "i8"),
        ("sweeps", "i8"),
        ("sweep_bars", "i8"),
        ("both_sided", "i8"),
        ("breaks", "i8"),
        ("no_zone", "i8"),
        ("risk", "i8"),
        ("emitted_sweep_bos_ob", "i8"),
        ("emitted_sweep_bos_fvg", "i8"),
    ]
)

IDEA = record_dtype(
    [
        ("phase", "i8"),
        ("side", "i8"),
        ("level", "f8"),
        ("extreme", "f8"),
        ("swept_at", "i8"),
        ("first_at", "i8"),
        ("broke_at", "i8"),
    ]
)
"""side : +1 after a swept low. level : X. extreme : S. first_at : t0, the bar that first went
through X. swept_at : t1, the bar that closed back. broke_at : t2."""

STATE = record_dtype(
    [
        ("t", "i8"),
        ("day", "i8"),
        ("day_first", "i8"),
        ("window_first", "i8"),
        ("special", "i1"),
        ("atr", atr.STATE),
        ("atr_now", atr.OUT),
        ("period", periods.PERIOD),
        ("opening", opening_range.OPENING),
        ("recent", sweeps.RECENT),
        ("lows", sweeps.LEVEL, (2,)),
        ("highs", sweeps.LEVEL, (2,)),
        ("low_hit", sweeps.HIT),
        ("high_hit", sweeps.HIT),
        ("swings", swings.STATE),
        ("swings_now", swings.OUT),
        ("displacement_now", displacement.OUT),
        ("structure", structure.STATE),
        ("structure_now", structure.OUT),
        ("fvg", fvg.STATE),
        ("fvg_now", fvg.OUT),
        ("order_blocks", order_blocks.STATE),
        ("order_blocks_now", order_blocks.OUT),
        ("average", vwap.VWAP_STATE),
        ("idea", IDEA),
        ("block_low", "f8"),
        ("block_high", "f8"),
        ("funnel", FUNNEL),
    ]
)
"""t : index of the bar at hand. day_first : index of the first bar of its day. window_first :
index of the first bar of the day that starts at or after the opening range's end, -1 before."""


def new_state() -> np.ndarray[Any, Any]:
    """Return a fresh 1-item STATE."""
    state = np.zeros(1, STATE)
    state["t"] = state["day"] = state["window_first"] = -1
    state["block_low"] = state["block_high"] = np.nan
    periods.reset_period(state[0].period)
    opening_range.reset_opening(state[0].opening)
    vwap.reset_vwap(state[0].average)
    return state


@kernel
def _begin_bar(bar: Any, state: Any, params: Any) -> None:
    """Roll the day and keep the sweepable levels equal to what stands at this bar's START."""
    state.t += 1
    if bar.day != state.day:
        state.day = bar.day
        state.day_first = state.t
        state.window_first = -1
        late = bar.minute > params.latest_first_bar
        # Uncompiled, a record's attribute `flags` is numpy's own: the field is named as an item.
        is_special = late or bar.weekday >= SATURDAY or bar["flags"] & SPECIAL != 0
        state.special = 1 if is_special else 0
        state.idea.phase = IDLE
    if state.window_first < 0 and bar.minute >= params.opening_end:
        state.window_first = state.t
    periods.step_period(bar, bar.day, state.period)
    opening_range.step_opening(bar, params.session_start, params.opening_end, state.opening)
    if params.use_day:
        low, high = state.period.previous_low, state.period.previous_high
        sweeps.follow_level(state.lows[DAY_LEVEL], low, sweeps.PREVIOUS_DAY, bar.day, True)
        sweeps.follow_level(state.highs[DAY_LEVEL], high, sweeps.PREVIOUS_DAY, bar.day, True)
    if params.use_opening:
        is_ready = state.opening.complete == 1
        low = state.opening.low if is_ready else np.nan
        high = state.opening.high if is_ready else np.nan
        key = bar.day * 2 + state.opening.complete
        sweeps.follow_level(state.lows[OPENING_LEVEL], low, sweeps.OPENING_RANGE, key, True)
        sweeps.follow_level(state.highs[OPENING_LEVEL], high, sweeps.OPENING_RANGE, key, True)


@kernel
def _sweep(bar: Any, state: Any, params: Any) -> None:
    """Test the day's levels; a sweep lies wholly inside the window of one day."""
    sweeps.clear_hit(state.low_hit)
    sweeps.clear_hit(state.high_hit)
    if state.window_first < 0 or bar.minute >= params.entry_end:
        return
    state.funnel.in_window += 1
    reclaim = min(params.sweep_reclaim, state.t - state.window_first)
    for i in range(state.lows.shape[0]):
        sweeps.sweep_low(state.recent, state.lows[i], reclaim, 0.0, state.low_hit)
        sweeps.sweep_high(state.recent, state.highs[i], reclaim, 0.0, state.high_hit)
    swept = state.low_hit.count + state.high_hit.count
    state.funnel.sweeps += swept
    if swept > 0:
        state.funnel.sweep_bars += 1
    if state.low_hit.count > 0 and state.high_hit.count > 0:
        state.funnel.both_sided += 1


@kernel
def _step_blocks(bar: Any, state: Any, params: Any) -> None:
    """Advance all blocks by one bar, in their fixed order."""
    _begin_bar(bar, state, params)
    atr.step(bar, state.atr, params.atr, state.atr_now)
    sweeps.remember(bar, state.recent)
    _sweep(bar, state, params)
    swings.step(bar, state.swings, params.swings, state.swings_now)
    fvg.step(bar, state.atr_now, state.fvg, params.fvg, state.fvg_now)
    displacement.step(bar, state.atr_now, params.displacement, state.displacement_now)
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
    vwap.step_vwap(bar, state.average)


@kernel
def _start(side: int, hit: Any, t: int, idea: Any) -> None:
    idea.phase = SWEPT
    idea.side = side
    idea.level = hit.price
    idea.extreme = hit.extreme
    idea.swept_at = t
    idea.first_at = t - hit.age


@kernel
def _take_sweeps(state: Any) -> bool:
    """Start, replace or end the idea on this bar's sweeps; True if there were any."""
    low, high = state.low_hit, state.high_hit
    if low.count > 0 and high.count > 0:
        state.idea.phase = IDLE
        return True
    if low.count > 0:
        _start(1, low, state.t, state.idea)
        return True
    if high.count > 0:
        _start(-1, high, state.t, state.idea)
        return True
    return False


@kernel
def _extend(bar: Any, idea: Any) -> None:
    if idea.side > 0:
        idea.extreme = min(idea.extreme, bar.low)
    else:
        idea.extreme = max(idea.extreme, bar.high)


@kernel
def _emit(
    pattern: int, entry: float, top: float, bottom: float, state: Any, params: Any, out: Any
) -> bool:
    """Make a setup at a zone; False if its risk is out of bounds."""
    idea = state.idea
    side = idea.side
    average = state.atr_now.atr
    far = min(idea.extreme, bottom) if side > 0 else max(idea.extreme, top)
    buffer = max(params.stop_buffer * average, params.stop_ticks * params.tick)
    limit = rounded_limit(entry, side, params.tick)
    stop = rounded_stop(far - side * buffer, side, params.tick)
    risk = side * (limit - stop)
    in_bounds = params.min_risk * average <= risk and risk <= params.max_risk * average
    if not (in_bounds and risk > 0.0):
        state.funnel.risk += 1
        return False
    setup = new_setup(out, LIMIT_SETUP, side, pattern)
    setup.entry = limit
    setup.stop = stop
    setup.risk = risk
    setup.atr = average
    setup.zone_top = top
    setup.zone_bottom = bottom
    setup.level = idea.level
    setup.sweep_extreme = idea.extreme
    setup.origin = idea.first_at
    return True


@kernel
def _watch(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance a swept idea by a bar after its sweep: too old, or the structure breaks."""
    idea = state.idea
    _extend(bar, idea)
    if state.t - idea.swept_at > params.max_bos_bars:
        idea.phase = IDLE
        return
    now = state.structure_now
    side = idea.side
    kind = now.bull if side > 0 else now.bear
    origin = now.bull_origin if side > 0 else now.bear_origin
    if kind == 0 or origin < state.day_first:
        return
    state.funnel.breaks += 1
    idea.broke_at = state.t
    made = state.order_blocks_now.bull if side > 0 else state.order_blocks_now.bear
    if made.created == 0 or made.origin < idea.first_at - 1:
        idea.phase = AWAITS_GAP
        return
    idea.phase = IDLE
    top, bottom = made.created_top, made.created_bottom
    edge = top if side > 0 else bottom
    if _emit(SWEEP_BOS_OB, edge, top, bottom, state, params, out):
        state.funnel.emitted_sweep_bos_ob += 1


@kernel
def _take_gap(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Enter at the middle of the gap the break left, known one bar after it."""
    idea = state.idea
    _extend(bar, idea)
    idea.phase = IDLE
    gap = state.fvg_now
    if gap.side != idea.side:
        state.funnel.no_zone += 1
        return
    middle = (gap.top + gap.bottom) / 2.0
    if _emit(SWEEP_BOS_FVG, middle, gap.top, gap.bottom, state, params, out):
        state.funnel.emitted_sweep_bos_fvg += 1


@kernel
def _write_facts(bar: Any, state: Any, facts: Any) -> None:
    facts.atr = state.atr_now.atr
    facts.swing_low = state.swings_now.zz_low
    facts.swing_high = state.swings_now.zz_high
    facts.block_low = state.block_low
    facts.block_high = state.block_high
    facts.special = state.special
    if not bar.close >= state.average.value:
        facts.blocked_long = BLOCK_TREND
    if not bar.close <= state.average.value:
        facts.blocked_short = BLOCK_TREND


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar."""
    clear_out(out)
    state.funnel.bars += 1
    _step_blocks(bar, state, params)
    _write_facts(bar, state, out.facts)
    write_zones(state.fvg_now, state.order_blocks_now, out.born)
    if state.opening.completed == 1:
        write_range(state.opening.high, state.opening.low, out.born)
    if state.idea.phase == AWAITS_GAP:
        _take_gap(bar, state, params, out)
    elif not _take_sweeps(state) and state.idea.phase == SWEPT:
        _watch(bar, state, params, out)


@kernel
def run(bars: Any, further: Any, state: Any, params: Any, outs: Any) -> int:
    """Step every bar; the strategy has no further series."""
    for i in range(bars.shape[0]):
        step(bars[i], state[0], params[0], outs[i])
    return 0
