"""The level, session and further-series blocks, with parameters that make much happen.

Run as a program it writes every block's columns on one random walk to a file: with the compiler
switched off in the environment these are the uncompiled results.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from indicators import (
    dealing_range,
    dxy,
    inducement,
    levels,
    liquidity,
    opening_range,
    sessions,
    smt,
    sweeps,
    vwap,
)
from indicators.block import Block, run_columns
from indicators.frame import bars_from_frame
from indicators.further import run_two
from tests.indicators.series import random_walk

ONE_SERIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "sweeps": (sweeps.Sweeps, {"reclaim": 2, "week_levels": True}),
    "liquidity": (liquidity.Liquidity, {"left": 2, "right": 2, "tolerance": 0.5, "max_pools": 6}),
    "dealing_range": (dealing_range.DealingRange, {"left": 3, "right": 2}),
    "inducement": (inducement.Inducement, {"max_tracked": 3}),
    "levels": (levels.Levels, {"day_shift_minutes": 360}),
    "sessions": (sessions.Session, {"start_minute": 1080, "end_minute": 120}),
    "opening_range": (opening_range.OpeningRange, {"day_shift_minutes": 360}),
    "vwap": (vwap.VWAP, {}),
}
TWO_SERIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "dxy": (dxy.DXYFilter, {"threshold": -0.2}),
    "smt": (smt.SMT, {"inverse": False, "max_distance": 200}),
}


def walks(bars: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 15-minute bars and hourly bars of a related series over the same time."""
    own = random_walk(bars, seed)
    other = random_walk(bars // 4 + 1, seed + 1, step="1h")
    return own, other


def columns_of(name: str, own: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    """Return a block's columns over whole series."""
    line, values = {**ONE_SERIES, **TWO_SERIES}[name]
    block: Block = line.block
    bars, params = bars_from_frame(own), block.read_params(values)
    if name in TWO_SERIES:
        return run_two(block, bars, bars_from_frame(other), params)
    return run_columns(block, bars, params, block.state(params, len(bars)))


if __name__ == "__main__":
    own, other = walks(int(sys.argv[2]), int(sys.argv[3]))
    np.savez(
        sys.argv[1],
        **{
            f"{name}/{column}": values
            for name in (*ONE_SERIES, *TWO_SERIES)
            for column, values in columns_of(name, own, other).items()
        },
    )
