"""The price blocks, with parameters that make much happen.

Run as a program it writes every case's columns on one random walk to a file: with the compiler
switched off in the environment these are the uncompiled results.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from indicators import (
    atr,
    breakers,
    displacement,
    ema,
    fvg,
    order_blocks,
    rsi,
    structure,
    swings,
    volatility,
)
from indicators.block import Block, run_columns
from indicators.frame import bars_from_frame
from tests.indicators.series import random_walk

FULL_FVG = {
    "min_size": 0.1,
    "auto_filter": True,
    "session_filter": True,
    "join_consecutive": True,
    "max_age": 15,
    "max_zones": 3,
}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "atr": (atr.ATR, {"atr_period": 7}),
    "ema": (ema.EMA, {"ema_period": 9}),
    "ema_first": (ema.EMA, {"ema_period": 9, "ema_seed": "first"}),
    "rsi": (rsi.RSI, {"rsi_period": 9}),
    "rsi_first": (rsi.RSI, {"rsi_period": 9, "rsi_seed": "first"}),
    "volatility": (
        volatility.Volatility,
        {"atr_period": 5, "atr_min": 0.003, "atr_max": 0.02, "atr_percentile": 40.0},
    ),
    "displacement": (displacement.Displacement, {"disp_k": 0.8}),
    "swings": (swings.Swings, {"left": 3, "right": 2}),
    "swings_session": (swings.Swings, {"left": 2, "right": 2, "session_reset": True}),
    "swings_peer": (swings.Swings, {"right": 3, "mode": "peer"}),
    "swings_lux": (swings.Swings, {"right": 4, "mode": "lux"}),
    "structure": (structure.Structure, {"left": 2, "right": 1, "disp_k": 0.5}),
    "structure_wick": (structure.Structure, {"break_by": "wick", "require_mss": True}),
    "fvg": (fvg.FVG, {"atr_period": 5}),
    "fvg_full": (fvg.FVG, FULL_FVG),
    "fvg_through": (
        fvg.FVG,
        {"mitigation": "through", "need_direction": False, "need_close_beyond": True},
    ),
    "fvg_touch": (fvg.FVG, {"mitigation": "touch", "inversion": False}),
    "order_blocks": (order_blocks.OrderBlocks, {"left": 2, "right": 2, "max_blocks": 2}),
    "order_blocks_close": (
        order_blocks.OrderBlocks,
        {"block": "last_opposite", "close_mitigation": True, "max_height": 2.5},
    ),
    "order_blocks_body": (
        order_blocks.OrderBlocks,
        {"block": "body", "need_displacement": True, "disp_k": 0.3},
    ),
    "order_blocks_lux": (order_blocks.OrderBlocks, {"block": "lux", "mode": "lux", "right": 3}),
    "breakers": (breakers.Breakers, {"left": 2, "right": 2, "max_breakers": 2}),
}


def columns_of(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Return a case's columns over a whole series."""
    line, values = CASES[name]
    block: Block = line.block
    bars, params = bars_from_frame(frame), block.read_params(values)
    return run_columns(block, bars, params, block.state(params, len(bars)))


if __name__ == "__main__":
    frame = random_walk(int(sys.argv[2]), int(sys.argv[3]))
    np.savez(
        sys.argv[1],
        **{
            f"{name}/{column}": values
            for name in CASES
            for column, values in columns_of(name, frame).items()
        },
    )
