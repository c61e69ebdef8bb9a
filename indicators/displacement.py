"""Displacement: a bar whose body is large against the range of the bars before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import atr as atr_block
from indicators.block import Block, Records, nested
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator, draw
from indicators.parameters import ParamsArray, Real, Rules, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

RULES: Rules = {
    "disp_k": Real(1.5, 0.0, 1000.0),
    "disp_body": Real(0.6, 0.0, 1.0),
}
PARAMS = params_dtype(RULES)

OUT = record_dtype([("side", "i1")])
"""side : +1 or -1 on a displacement bar, else 0. Known at that bar's close."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `disp_k` (1.5): least body in ATRs of the bar before. `disp_body` (0.6): least share of the
    bar's range that is body.
    """
    return read_params("displacement", RULES, values)


@kernel
def step(bar: Any, atr: Any, params: Any, out: Any) -> None:
    """Judge one bar: body >= disp_k * ATR before it, and body >= disp_body * range.

    Nothing is a displacement before the ATR exists. A bar without a range is none. The block
    has no state of its own; `atr` is the ATR's record of this bar.
    """
    out.side = 0
    body = abs(bar.close - bar.open)
    span = bar.high - bar.low
    if span > 0.0 and body >= params.disp_k * atr.before and body >= params.disp_body * span:
        if bar.close > bar.open:
            out.side = 1
        elif bar.close < bar.open:
            out.side = -1


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step the ATR and this block over every bar; nested records as in PARTS."""
    for i in range(len(bars)):
        atr_block.step(bars[i], state[0].atr, params[0].atr, out[i].atr)
        step(bars[i], out[i].atr, params[0].displacement, out[i].displacement)


PARTS: Mapping[str, Rules] = {"atr": atr_block.RULES, "displacement": RULES}
_STATE = nested({"atr": atr_block.STATE})

BLOCK = Block(
    name="displacement",
    run=run,
    parts=PARTS,
    out=nested({"atr": atr_block.OUT, "displacement": OUT}),
    state=lambda params, count: np.zeros(1, _STATE),
    columns={"displacement": ("displacement", "side")},
)


class Displacement(KernelIndicator):
    """+1 or -1 on a displacement bar, else 0."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotlines = draw(BLOCK, {"displacement": {"_method": "bar", "width": 1.0}})


def displacement(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return column `displacement` (+1, -1, 0); parameters as in `params`, and `atr_period`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
