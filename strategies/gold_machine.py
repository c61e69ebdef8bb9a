"""The gold strategy's machine: two patterns over one set of blocks, one kernel step a bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import dxy, structure
from strategies import gold_blocks, gold_breaker, gold_sweep
from strategies.machine import clear_out, write_range, write_zones
from strategies.words import BLOCK_DXY

PARAMS = record_dtype(
    [
        ("blocks", gold_blocks.PARAMS),
        ("sweep", gold_sweep.PARAMS),
        ("breaker", gold_breaker.PARAMS),
        ("use_sweep_choch", "i1"),
        ("use_breaker", "i1"),
    ]
)

FUNNEL = record_dtype(
    [
        ("bars", "i8"),
        ("in_window", "i8"),
        ("sweeps", "i8"),
        ("sweep_bars", "i8"),
        ("both_sided", "i8"),
        ("shifts", "i8"),
        ("no_zone", "i8"),
        ("risk", "i8"),
        ("emitted_sweep_choch", "i8"),
        ("breaker_completions", "i8"),
        ("breaker_risk", "i8"),
        ("emitted_breaker", "i8"),
    ]
)
"""Counts since the first bar.

in_window : bars that start in a kill zone.
sweeps, sweep_bars : levels swept on those bars, and bars that swept some (once for each side).
both_sided : bars that swept a low and a high, which ends what was at work.
shifts : changes of character an idea saw.
no_zone, risk, breaker_risk : setups given up for want of a zone, or for a risk out of bounds.
"""

STATE = record_dtype(
    [
        ("blocks", gold_blocks.STATE),
        ("sweep", gold_sweep.STATE),
        ("breaker", gold_breaker.STATE),
        ("funnel", FUNNEL),
    ]
)


def new_state() -> np.ndarray[Any, Any]:
    """Return a fresh 1-item STATE."""
    state = np.zeros(1, STATE)
    gold_blocks.reset(state[0].blocks)
    return state


@kernel
def _count_bar(blocks: Any, funnel: Any) -> None:
    funnel.bars += 1
    if blocks.in_zone:
        funnel.in_window += 1
        funnel.sweeps += blocks.low_hit.count + blocks.high_hit.count
        if blocks.low_hit.count > 0:
            funnel.sweep_bars += 1
        if blocks.high_hit.count > 0:
            funnel.sweep_bars += 1


@kernel
def write_facts(blocks: Any, facts: Any) -> None:
    """Write what management must know of a bar into a cleared FACTS record."""
    facts.atr = blocks.atr_now.atr
    facts.swing_low = blocks.swings_now.zz_low
    facts.swing_high = blocks.swings_now.zz_high
    facts.block_low = blocks.block_low
    facts.block_high = blocks.block_high
    if blocks.structure_now.bull == structure.CHOCH:
        facts.choch = 1
    elif blocks.structure_now.bear == structure.CHOCH:
        facts.choch = -1
    if not blocks.dxy_now.long_ok:
        facts.blocked_long = BLOCK_DXY
    if not blocks.dxy_now.short_ok:
        facts.blocked_short = BLOCK_DXY


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar; pattern 1's setup stands before pattern 2's."""
    clear_out(out)
    gold_blocks.step(bar, state.blocks, params.blocks)
    _count_bar(state.blocks, state.funnel)
    if params.use_sweep_choch:
        blocks = state.blocks
        gold_sweep.step(bar, blocks, blocks.fvg, state.sweep, params.sweep, out, state.funnel)
    if params.use_breaker:
        gold_breaker.step(bar, state.blocks, state.breaker, params.breaker, out, state.funnel)
    write_facts(state.blocks, out.facts)
    write_zones(state.blocks.fvg_now, state.blocks.order_blocks_now, out.born)
    session = state.blocks.session
    if session.completed == 1:
        write_range(session.previous_high, session.previous_low, out.born)


@kernel
def step_further(bar: Any, state: Any, params: Any) -> None:
    """Take one completed bar of the dollar index."""
    dxy.step_further(bar, state.blocks.dxy, params.blocks.dxy)


@kernel
def take_further(bars: Any, state: Any, params: Any) -> None:
    """Take completed bars of the dollar index, oldest first."""
    for i in range(bars.shape[0]):
        step_further(bars[i], state[0], params[0])


@kernel
def run(bars: Any, further: Any, state: Any, params: Any, outs: Any) -> int:
    """Step every bar, feeding each dollar bar before the first bar that sees it complete."""
    taken = 0
    for i in range(bars.shape[0]):
        while taken < further.shape[0] and further[taken].end <= bars[i].end:
            step_further(further[taken], state[0], params[0])
            taken += 1
        step(bars[i], state[0], params[0], outs[i])
    return taken
