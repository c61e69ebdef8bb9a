"""Gold, pattern 1: a sweep in a kill zone, a change of character, a retrace into its gap.

IDLE -> SWEPT (a level was swept) -> SHIFTED (the structure turned; its gap is known one bar
later) -> a setup or IDLE. One machine with one side at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from core.setups import LIMIT_SETUP
from indicators import fvg, structure
from strategies.machine import new_setup
from strategies.management import rounded_limit, rounded_stop
from strategies.words import SWEEP_CHOCH

IDLE, SWEPT, SHIFTED = 0, 1, 2

FVG_MID, FVG_TOP, OB_TOP = 0, 1, 2
ENTRY_MODES = ("fvg_mid", "fvg_top", "ob_top")
"""Where the limit is placed; `top` is the zone's near edge (the lower one for shorts)."""

PARAMS = record_dtype(
    [
        ("max_shift_bars", "i8"),
        ("entry_mode", "i8"),
        ("abort_atr", "f8"),
        ("stop_buffer", "f8"),
        ("min_risk", "f8"),
        ("max_risk", "f8"),
        ("tick", "f8"),
        ("allow_bos", "i1"),
    ]
)

ZONE = record_dtype([("entry", "f8"), ("top", "f8"), ("bottom", "f8")])
"""The zone a setup enters at. entry : unrounded."""

STATE = record_dtype(
    [
        ("phase", "i8"),
        ("side", "i8"),
        ("level", "f8"),
        ("extreme", "f8"),
        ("reach", "f8"),
        ("swept_at", "i8"),
        ("shifted_at", "i8"),
        ("block_top", "f8"),
        ("block_bottom", "f8"),
        ("displaced", "i1"),
        ("zone", ZONE),
    ]
)
"""side : +1 after a swept low. level : X. extreme : S, beyond the level. reach : the furthest
price on the other side since the sweep. block_* : the order block the shift created."""


@kernel
def _start(side: int, hit: Any, bar: Any, t: int, state: Any) -> None:
    state.phase = SWEPT
    state.side = side
    state.level = hit.price
    state.extreme = hit.extreme
    state.reach = bar.high if side > 0 else bar.low
    state.swept_at = t
    state.displaced = 0


@kernel
def _take_sweeps(bar: Any, blocks: Any, state: Any, funnel: Any) -> bool:
    """Start, replace or end the idea on this bar's sweeps; True if a fresh start was made."""
    if blocks.in_zone == 0:
        return False
    low, high = blocks.low_hit, blocks.high_hit
    if low.count > 0 and high.count > 0:
        funnel.both_sided += 1
        state.phase = IDLE
        return False
    if low.count > 0:
        _start(1, low, bar, blocks.t, state)
        return True
    if high.count > 0:
        _start(-1, high, bar, blocks.t, state)
        return True
    return False


@kernel
def _extend(bar: Any, state: Any) -> None:
    """Follow the extremes since the sweep."""
    if state.side > 0:
        state.extreme = min(state.extreme, bar.low)
        state.reach = max(state.reach, bar.high)
    else:
        state.extreme = max(state.extreme, bar.high)
        state.reach = min(state.reach, bar.low)


@kernel
def _has_shifted(blocks: Any, state: Any, params: Any) -> bool:
    """Tell whether this bar turns the structure to the idea's side, with a displacement so far."""
    if state.displaced == 0:
        return False
    now = blocks.structure_now
    kind = now.bull if state.side > 0 else now.bear
    if kind == structure.CHOCH:
        return True
    return bool(kind == structure.BOS and params.allow_bos and blocks.bias_before == state.side)


@kernel
def _watch(bar: Any, blocks: Any, state: Any, params: Any, funnel: Any) -> None:
    """Advance a swept idea by a bar after its sweep: abort it, or see the shift."""
    _extend(bar, state)
    if blocks.displacement_now.side == state.side:
        state.displaced = 1
    limit = state.level - state.side * params.abort_atr * blocks.atr_now.atr
    is_lost = state.side * (bar.close - limit) < 0.0
    if is_lost or blocks.t - state.swept_at > params.max_shift_bars:
        state.phase = IDLE
    elif _has_shifted(blocks, state, params):
        funnel.shifts += 1
        state.phase = SHIFTED
        state.shifted_at = blocks.t
        made = blocks.order_blocks_now.bull if state.side > 0 else blocks.order_blocks_now.bear
        state.block_top = made.created_top
        state.block_bottom = made.created_bottom


@kernel
def _is_discounted(entry: float, state: Any) -> bool:
    """Tell whether an entry lies in the better half of the range since the sweep."""
    return bool(state.side * (entry - (state.extreme + state.reach) / 2.0) <= 0.0)


@kernel
def _near_edge(side: int, top: float, bottom: float) -> float:
    return top if side > 0 else bottom


@kernel
def _find_zone(bar: Any, fvgs: Any, state: Any, params: Any, zone: Any) -> bool:
    """Choose the newest open gap of the shift, else its order block; False if neither serves."""
    side = state.side
    if params.entry_mode != OB_TOP:
        gaps = fvgs.bull if side > 0 else fvgs.bear
        slot = fvg.newest_unfilled(gaps, state.swept_at + 1, state.shifted_at)
        if slot >= 0:
            zone.top = gaps.zones[slot].top
            zone.bottom = gaps.zones[slot].bottom
            zone.entry = (zone.top + zone.bottom) / 2.0
            if params.entry_mode == FVG_TOP:
                zone.entry = _near_edge(side, zone.top, zone.bottom)
            if _is_discounted(zone.entry, state):
                return True
    is_broken = bar.low < state.block_bottom if side > 0 else bar.high > state.block_top
    if is_broken or np.isnan(state.block_top):
        return False
    zone.top = state.block_top
    zone.bottom = state.block_bottom
    zone.entry = _near_edge(side, zone.top, zone.bottom)
    return _is_discounted(zone.entry, state)


@kernel
def _emit(bar: Any, blocks: Any, fvgs: Any, state: Any, params: Any, out: Any, funnel: Any) -> None:
    """Try to make the setup, one bar after the shift."""
    _extend(bar, state)
    zone = state.zone
    if not _find_zone(bar, fvgs, state, params, zone):
        funnel.no_zone += 1
        return
    side = state.side
    average = blocks.atr_now.atr
    entry = rounded_limit(zone.entry, side, params.tick)
    stop = rounded_stop(state.extreme - side * params.stop_buffer * average, side, params.tick)
    risk = side * (entry - stop)
    in_bounds = params.min_risk * average <= risk and risk <= params.max_risk * average
    if not (in_bounds and risk > 0.0):
        funnel.risk += 1
        return
    setup = new_setup(out, LIMIT_SETUP, side, SWEEP_CHOCH)
    setup.entry = entry
    setup.stop = stop
    setup.risk = risk
    setup.atr = average
    setup.zone_top = zone.top
    setup.zone_bottom = zone.bottom
    setup.level = state.level
    setup.sweep_extreme = state.extreme
    setup.origin = state.swept_at
    funnel.emitted_sweep_choch += 1


@kernel
def step(bar: Any, blocks: Any, fvgs: Any, state: Any, params: Any, out: Any, funnel: Any) -> None:
    """Advance pattern 1 by one bar, after its blocks (`gold_blocks.STATE`, or its VIEW).

    fvgs : fvg.STATE; looked at one bar after a shift.
    """
    if state.phase == SHIFTED:
        _emit(bar, blocks, fvgs, state, params, out, funnel)
        state.phase = IDLE
        return
    if _take_sweeps(bar, blocks, state, funnel):
        return
    if state.phase == SWEPT:
        _watch(bar, blocks, state, params, funnel)
