"""Inducement: the minor swing in front of an order block that has to be taken first."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype

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
    """Track the order block that a structure break created at bar t (acts from t + 1)."""
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
