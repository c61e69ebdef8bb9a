"""Volatility filters: the ATR's regime, its percentile, and Lux's volatile bar."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators import atr as atr_block
from indicators.atr import LUX_ATR_PERIOD, LUX_VOLATILE
from indicators.block import Block, Records, nested
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator
from indicators.parameters import ParamsArray, Real, Rules, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

WINDOW = 500
"""ATR values the percentile is taken of."""

RULES: Rules = {
    "atr_min": Real(0.0, 0.0),
    "atr_max": Real(inf, 0.0),
    "atr_percentile": Real(0.0, 0.0, 100.0),
}
PARAMS = params_dtype(RULES)

STATE = record_dtype(
    [
        ("count", "i8"),
        ("ring", "f8", (WINDOW,)),
        ("sorted", "f8", (WINDOW,)),
        ("lux_atr", atr_block.STATE),
    ]
)
"""Zeros are a fresh state. count : ATR values taken; the last WINDOW are kept, once in order of
time and once sorted."""

OUT = record_dtype([("ratio", "f8"), ("percentile", "f8"), ("passes", "i1"), ("is_volatile", "i1")])
"""ratio : ATR / close, NaN before the ATR exists. percentile : ATR value at `atr_percentile` of
the last 500, NaN while fewer exist or the filter is off. passes : 1 if trading is allowed.
is_volatile : 1 if the range is at least twice ATR(200) at this bar's close."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `atr_min`, `atr_max` (0, inf): bounds of ATR / close. `atr_percentile` (0, off): the ATR must
    reach this percentile of its last 500 values, interpolated between neighbours. Before the
    ATR, or 500 of its values where they are asked for, exist, the filter does not pass.
    """
    return read_params("volatility", RULES, values)


@inlined
def _forget(value: float, count: int, ranks: Any) -> None:
    """Take one value out of the sorted ones."""
    place = 0
    while ranks[place] < value:
        place += 1
    for follower in range(place + 1, count):
        ranks[follower - 1] = ranks[follower]


@inlined
def _insert(value: float, count: int, ranks: Any) -> None:
    """Put one value among `count` sorted ones."""
    place = count
    while place > 0 and ranks[place - 1] > value:
        ranks[place] = ranks[place - 1]
        place -= 1
    ranks[place] = value


@inlined
def _percentile(ranks: Any, percent: float) -> float:
    """Return the percentile of a full window, linear between the two nearest ranks."""
    place = percent / 100.0 * (WINDOW - 1)
    below = int(place)
    if below >= WINDOW - 1:
        return float(ranks[WINDOW - 1])
    share = place - below
    return float(ranks[below] + share * (ranks[below + 1] - ranks[below]))


@inlined
def _take(value: float, state: Any) -> None:
    """Take one ATR value into the window."""
    kept = min(state.count, WINDOW)
    place = state.count % WINDOW
    if kept == WINDOW:
        _forget(state.ring[place], WINDOW, state.sorted)
        kept = WINDOW - 1
    _insert(value, kept, state.sorted)
    state.ring[place] = value
    state.count += 1


@kernel
def step(bar: Any, atr: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar, after its ATR (`atr`: atr.OUT)."""
    out.ratio = np.nan
    out.percentile = np.nan
    if atr.atr >= 0.0:
        out.ratio = atr.atr / bar.close
        if params.atr_percentile > 0.0:
            _take(atr.atr, state)
            if state.count >= WINDOW:
                out.percentile = _percentile(state.sorted, params.atr_percentile)
    in_bounds = params.atr_min <= out.ratio and out.ratio <= params.atr_max
    is_high = params.atr_percentile == 0.0 or atr.atr >= out.percentile
    out.passes = 1 if in_bounds and is_high else 0
    atr_block.advance(bar, LUX_ATR_PERIOD, state.lux_atr)
    is_ready = atr_block.is_ready(LUX_ATR_PERIOD, state.lux_atr)
    wide = bar.high - bar.low >= LUX_VOLATILE * state.lux_atr.atr
    out.is_volatile = 1 if is_ready and wide else 0


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step the ATR and its filters over every bar; nested records as in PARTS."""
    for i in range(len(bars)):
        atr_block.step(bars[i], state[0].atr, params[0].atr, out[i].atr)
        step(bars[i], out[i].atr, state[0].volatility, params[0].volatility, out[i].volatility)


PARTS = {"atr": atr_block.RULES, "volatility": RULES}
_STATE = nested({"atr": atr_block.STATE, "volatility": STATE})

BLOCK = Block(
    name="volatility",
    run=run,
    parts=PARTS,
    out=nested({"atr": atr_block.OUT, "volatility": OUT}),
    state=lambda params, count: np.zeros(1, _STATE),
    columns={
        name: ("volatility", name) for name in ("passes", "ratio", "percentile", "is_volatile")
    },
)


class Volatility(KernelIndicator):
    """`passes` (1 or 0): whether the ATR allows trading; `is_volatile`: Lux's volatile bar."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()


def volatility(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the filters' columns; parameters as in `params`, and `atr_period`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
