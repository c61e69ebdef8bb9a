"""Average true range (Wilder) and the volatility filters built on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator, draw
from indicators.parameters import ParamsArray, Rules, Whole, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

RULES: Rules = {
    "atr_period": Whole(14, 1, 100_000),
}
PARAMS = params_dtype(RULES)

LUX_ATR_PERIOD = 200
LUX_VOLATILE = 2.0
"""Lux calls a bar volatile whose range is at least this many ATR(200) at its close."""

STATE = record_dtype(
    [("count", "i8"), ("close", "f8"), ("total", "f8"), ("tr", "f8"), ("atr", "f8")]
)
"""Zeros are a fresh state. total : of the true ranges until the first average."""

OUT = record_dtype([("tr", "f8"), ("atr", "f8"), ("before", "f8")])
"""tr : true range of this bar, NaN on bar 0. atr : ATR at this bar's close, NaN before bar
`atr_period`. before : ATR at the close of the bar before; filters that judge a bar use it, so
that a large bar can't raise its own hurdle."""


def params(**values: Any) -> ParamsArray:
    """Return checked ATR parameters: `atr_period` (default 14)."""
    return read_params("atr", RULES, values)


@inlined
def true_range(high: float, low: float, close_before: float) -> float:
    """Return max(high - low, |high - close before|, |low - close before|) in price units."""
    return max(high - low, max(abs(high - close_before), abs(low - close_before)))


@inlined
def advance(bar: Any, period: int, state: Any) -> None:
    """Take one bar into an ATR; `state.atr` is valid once `is_ready`."""
    if state.count > 0:
        reach = true_range(bar.high, bar.low, state.close)
        state.tr = reach
        if state.count < period:
            state.total += reach
        elif state.count == period:
            state.atr = (state.total + reach) / period
        else:
            state.atr = (state.atr * (period - 1) + reach) / period
    state.close = bar.close
    state.count += 1


@inlined
def is_ready(period: int, state: Any) -> bool:
    """Say whether enough bars were taken for a first ATR."""
    return bool(state.count > period)


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance the ATR by one bar.

    Notes
    -----
    At bar n = atr_period the mean of the true ranges of bars 1..n, then
    (ATR before * (n - 1) + TR) / n. Bar 0 has no true range.
    """
    period = params.atr_period
    out.before = state.atr if is_ready(period, state) else np.nan
    advance(bar, period, state)
    out.tr = state.tr if state.count > 1 else np.nan
    out.atr = state.atr if is_ready(period, state) else np.nan


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step every bar; `state` and `params` are 1-item arrays, `out` one record per bar."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].atr, out[i])


BLOCK = Block(
    name="atr",
    run=run,
    parts={"atr": RULES},
    out=OUT,
    state=lambda params, count: np.zeros(1, STATE),
    columns={"atr": ("atr",), "tr": ("tr",)},
)


class ATR(KernelIndicator):
    """Average true range after Wilder; NaN before bar `atr_period`. Price units."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotlines = draw(BLOCK, {"atr": {}})


def atr(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return columns `atr` and `tr` of a DataFrame of bars; parameters as in `params`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
