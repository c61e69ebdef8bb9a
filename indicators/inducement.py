"""Inducement: the minor swing in front of an order block that has to be taken first."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import atr, displacement, order_blocks, structure, swings
from indicators.block import Block, Records
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator
from indicators.parameters import ParamsArray, Rules, Whole, params_dtype, read_params
from indicators.zones import window_for

if TYPE_CHECKING:
    import pandas as pd

TRACKED = record_dtype(
    [
        ("block_near", "f8"),
        ("created", "i8"),
        ("block_origin", "i8"),
        ("level", "f8"),
        ("level_origin", "i8"),
        ("taken_at", "i8"),
    ]
)
"""One order block waiting for its first touch.

block_near : edge of the block nearest to the market (top of a bullish one), price units.
created : bar of the break that made it. level : inducement level, NaN until there is one.
taken_at : bar at which the level was taken, -1 before.
"""


@lru_cache
def side_dtype(capacity: int = 10) -> np.dtype[Any]:
    """Return the record of one side's tracked order blocks, oldest dropped first."""
    return record_dtype([("count", "i8"), ("dropped", "i8"), ("blocks", TRACKED, (capacity,))])


TOUCH = record_dtype(
    [
        ("touched", "i8"),
        ("induced", "i8"),
        ("taken", "i8"),
        ("level", "f8"),
        ("block_origin", "i8"),
    ]
)
"""What happened on one side at one bar.

touched : order blocks first touched. induced : those of them whose inducement was taken first.
taken : inducement levels taken at this bar. level : newest level still waiting, NaN if none.
block_origin : origin of the last block touched with inducement, -1 if none.
"""


@kernel
def _copy(source: Any, target: Any) -> None:
    target.block_near = source.block_near
    target.created = source.created
    target.block_origin = source.block_origin
    target.level = source.level
    target.level_origin = source.level_origin
    target.taken_at = source.taken_at


@kernel
def _remove(side: Any, index: int) -> None:
    for i in range(index, side.count - 1):
        _copy(side.blocks[i + 1], side.blocks[i])
    side.count -= 1


@kernel
def add_block(side: Any, block_near: float, block_origin: int, t: int) -> None:
    """Track the order block that a structure break created at bar t (acts from t + 1).

    A block created again at the same bar starts anew.
    """
    for i in range(side.count):
        if side.blocks[i].block_origin == block_origin:
            _remove(side, i)
            break
    if side.count == side.blocks.shape[0]:
        _remove(side, 0)
        side.dropped += 1
    block = side.blocks[side.count]
    block.block_near = block_near
    block.created = t
    block.block_origin = block_origin
    block.level = np.nan
    block.level_origin = -1
    block.taken_at = -1
    side.count += 1


@kernel
def add_pivot(side: Any, sign: int, price: float, origin: int) -> None:
    """Offer an internal pivot low (bullish side, sign +1) or high (sign -1) to all blocks.

    Each block takes the first pivot with origin after its creation that lies beyond its edge.
    """
    for i in range(side.count):
        block = side.blocks[i]
        if block.level_origin < 0 and origin > block.created:
            beyond = price > block.block_near if sign > 0 else price < block.block_near
            if beyond:
                block.level = price
                block.level_origin = origin


@kernel
def step_side(bar: Any, sign: int, t: int, side: Any, out: Any) -> None:
    """Take levels and first touches of bar t on one side; touched blocks leave the list."""
    out.touched = 0
    out.induced = 0
    out.taken = 0
    out.level = np.nan
    out.block_origin = -1
    i = 0
    while i < side.count:
        block = side.blocks[i]
        reach = bar.low if sign > 0 else bar.high
        if block.level_origin >= 0 and block.taken_at < 0:
            if (reach - block.level) * sign < 0.0:
                block.taken_at = t
                out.taken += 1
            else:
                out.level = block.level
        if (reach - block.block_near) * sign <= 0.0:
            out.touched += 1
            if block.taken_at >= 0:
                out.induced += 1
                out.block_origin = block.block_origin
            _remove(side, i)
        else:
            i += 1


RULES: Rules = {"inner": Whole(2, 1, 30), "max_tracked": Whole(10, 1, 10_000)}
PARAMS = params_dtype(RULES)

OUT = record_dtype([("bull", TOUCH), ("bear", TOUCH)])


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `inner` (2): bars to each side of an internal pivot. `max_tracked` (10): untouched order
    blocks kept a side.
    """
    return read_params("inducement", RULES, values)


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state for the nested parameters of the standalone block."""
    right = int(params["swings"]["right"][0])
    blocks = order_blocks.new_state(params["order_blocks"], count, right)
    side = side_dtype(int(params["inducement"]["max_tracked"][0]))
    window = window_for(swings.window(params["swings"]))
    fields: list[Any] = [
        ("swings", swings.state_dtype(window)),
        ("swing", swings.OUT),
        ("inner", swings.state_dtype()),
        ("inner_swing", swings.OUT),
        ("inner_params", swings.PARAMS),
        ("atr", atr.STATE),
        ("atr_now", atr.OUT),
        ("displacement", displacement.OUT),
        ("structure", structure.STATE),
        ("structure_now", structure.OUT),
        ("blocks", blocks.dtype),
        ("blocks_now", order_blocks.OUT),
        ("bull", side),
        ("bear", side),
    ]
    made = np.zeros(1, record_dtype(fields))
    made["blocks"] = blocks
    inner = int(params["inducement"]["inner"][0])
    made["inner_params"] = swings.params(left=inner, right=inner)
    return made


@kernel
def _step_parts(bar: Any, state: Any, params: Any) -> None:
    """Advance the blocks this one reads."""
    atr.step(bar, state.atr, params.atr, state.atr_now)
    displacement.step(bar, state.atr_now, params.displacement, state.displacement)
    swings.step(bar, state.swings, params.swings, state.swing)
    swings.step(bar, state.inner, state.inner_params, state.inner_swing)
    structure.step(
        bar,
        state.swing,
        state.displacement,
        state.structure,
        params.structure,
        state.structure_now,
    )
    order_blocks.step(
        bar,
        state.atr_now,
        state.displacement,
        state.swing,
        state.structure_now,
        state.blocks,
        params.order_blocks,
        state.blocks_now,
    )


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance the standalone block by one bar."""
    t = state.swings.count
    _step_parts(bar, state, params)
    pivot = state.inner_swing
    if pivot.pivot < 0:
        add_pivot(state.bull, 1, pivot.pl, pivot.origin)
    elif pivot.pivot > 0:
        add_pivot(state.bear, -1, pivot.ph, pivot.origin)
    step_side(bar, 1, t, state.bull, out.bull)
    step_side(bar, -1, t, state.bear, out.bear)
    bull, bear = state.blocks_now.bull, state.blocks_now.bear
    if bull.created:
        add_block(state.bull, bull.created_top, bull.origin, t)
    if bear.created:
        add_block(state.bear, bear.created_bottom, bear.origin, t)


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0], out[i])


BLOCK = Block(
    name="inducement",
    run=run,
    parts={
        "swings": swings.RULES,
        "atr": atr.RULES,
        "displacement": displacement.RULES,
        "structure": structure.RULES,
        "order_blocks": order_blocks.RULES,
        "inducement": RULES,
    },
    out=OUT,
    state=new_state,
    columns={
        f"{side}_{name}": (side, name)
        for side in ("bull", "bear")
        for name in ("level", "taken", "touched", "induced")
    },
)


class Inducement(KernelIndicator):
    """Inducement levels before order blocks, and touches that were induced; see TOUCH."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {  # noqa: RUF012
        name: {"_plotskip": True} for name in BLOCK.columns if not name.endswith("level")
    }


def inducement(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return inducement (TOUCH of each side) for a DataFrame of bars indexed by START.

    Parameters
    ----------
    **values
        Parameters of `inducement.params`, and of the swings, structure and order blocks below.
    """
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
