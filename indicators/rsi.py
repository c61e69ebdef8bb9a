"""Relative strength index of the close (Wilder)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator
from indicators.parameters import (
    Choice,
    ParamsArray,
    Rules,
    Whole,
    params_dtype,
    read_params,
)

if TYPE_CHECKING:
    import pandas as pd

BY_MEAN, BY_FIRST = 0, 1
"""What the averages start from, in the order of the `rsi_seed` names."""

RULES: Rules = {
    "rsi_period": Whole(14, 1, 100_000),
    "rsi_seed": Choice("mean", ("mean", "first")),
}
PARAMS = params_dtype(RULES)

STATE = record_dtype([("count", "i8"), ("close", "f8"), ("up", "f8"), ("down", "f8")])
"""Zeros are a fresh state. up, down : mean gain and mean loss (sums until they are seeded)."""

OUT = record_dtype([("rsi", "f8")])
"""rsi : 0..100; NaN before it is known."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `rsi_period` (14). `rsi_seed` ("mean"): Wilder's start from the mean of the first period
    changes, first value at bar period; or "first": averages started at zero change on bar 0, as
    `ta` does, first value at bar period - 1.
    """
    return read_params("rsi", RULES, values)


@kernel
def _smooth(gain: float, loss: float, state: Any, params: Any) -> None:
    """Take one change into the averages."""
    period = params.rsi_period
    if params.rsi_seed == BY_MEAN and state.count <= period:
        state.up += gain
        state.down += loss
        if state.count == period:
            state.up = state.up / period
            state.down = state.down / period
    else:
        alpha = 1.0 / period
        state.up = alpha * gain + (1.0 - alpha) * state.up
        state.down = alpha * loss + (1.0 - alpha) * state.down


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar.

    Notes
    -----
    100 - 100 / (1 + mean gain / mean loss); 100 where there was no loss.
    """
    if state.count > 0:
        change = bar.close - state.close
        _smooth(max(change, 0.0), max(-change, 0.0), state, params)
    first = params.rsi_period if params.rsi_seed == BY_MEAN else params.rsi_period - 1
    out.rsi = np.nan
    if state.count >= first:
        out.rsi = 100.0
        if state.down > 0.0:
            out.rsi = 100.0 - 100.0 / (1.0 + state.up / state.down)
    state.close = bar.close
    state.count += 1


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step every bar; `state` and `params` are 1-item arrays, `out` one record per bar."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].rsi, out[i])


BLOCK = Block(
    name="rsi",
    run=run,
    parts={"rsi": RULES},
    out=OUT,
    state=lambda params, count: np.zeros(1, STATE),
    columns={"rsi": ("rsi",)},
)


class RSI(KernelIndicator):
    """Relative strength index of the close, 0..100; NaN before bar rsi_period."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()


def rsi(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return column `rsi` of a DataFrame of bars; parameters as in `params`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
