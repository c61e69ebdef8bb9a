"""Exponential moving average of the close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module, columns_frame
from indicators.line import ON_PRICES, KernelIndicator
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
"""What the average starts from, in the order of the `ema_seed` names."""

RULES: Rules = {
    "ema_period": Whole(20, 1, 100_000),
    "ema_seed": Choice("mean", ("mean", "first")),
}
PARAMS = params_dtype(RULES)

STATE = record_dtype([("count", "i8"), ("value", "f8")])
"""Zeros are a fresh state. value : the sum of the first closes, then the average."""

OUT = record_dtype([("ema", "f8")])
"""ema : NaN until `ema_period` values were taken."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `ema_period` (20): alpha = 2 / (period + 1). `ema_seed` ("mean"): start from the mean of the
    first period values, or from the "first" value as pandas and `ta` do; either way nothing is
    shown before bar period - 1.
    """
    return read_params("ema", RULES, values)


@inlined
def advance(value: float, state: Any, params: Any) -> float:
    """Take one value; return the average, NaN while fewer than `ema_period` were taken."""
    period = params.ema_period
    state.count += 1
    if params.ema_seed == BY_MEAN and state.count <= period:
        state.value += value
        if state.count == period:
            state.value = state.value / period
    elif state.count == 1:
        state.value = value
    else:
        alpha = 2.0 / (period + 1.0)
        state.value = alpha * value + (1.0 - alpha) * state.value
    return float(state.value) if state.count >= period else np.nan


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance the average of closes by one bar."""
    out.ema = advance(bar.close, state, params)


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step every bar; `state` and `params` are 1-item arrays, `out` one record per bar."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].ema, out[i])


BLOCK = Block(
    name="ema",
    run=run,
    parts={"ema": RULES},
    out=OUT,
    state=lambda params, count: np.zeros(1, STATE),
    columns={"ema": ("ema",)},
)


class EMA(KernelIndicator):
    """Exponential moving average of the close; NaN before bar ema_period - 1."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = ON_PRICES


def ema(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return column `ema` of a DataFrame of bars; parameters as in `params`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
