"""Market structure: break of structure (BOS), change of character (CHoCH), shift (MSS)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators import atr as atr_block
from indicators import displacement as displacement_block
from indicators import swings
from indicators.block import Block, Records, nested
from indicators.frame import callable_module, columns_frame
from indicators.line import ON_PRICES, KernelIndicator, draw
from indicators.parameters import (
    Choice,
    Flag,
    ParamsArray,
    Rules,
    params_dtype,
    read_params,
)

if TYPE_CHECKING:
    import pandas as pd

BY_CLOSE, BY_WICK = 0, 1
"""What must pass the level, in the order of the `break_by` names."""

RULES: Rules = {
    "break_by": Choice("close", ("close", "wick")),
    "require_mss": Flag(False),
}
PARAMS = params_dtype(RULES)

BOS, CHOCH = 1, 2
"""Kinds of break: with the bias (or the first), and against it."""

STATE = record_dtype(
    [("count", "i8"), ("bias", "i1"), ("high_crossed", "i1"), ("low_crossed", "i1")]
)
"""Zeros are a fresh state."""

OUT = record_dtype(
    [
        ("bull", "i1"),
        ("bear", "i1"),
        ("bull_mss", "i1"),
        ("bear_mss", "i1"),
        ("bias", "i1"),
        ("high_crossed", "i1"),
        ("low_crossed", "i1"),
        ("bos", "i1"),
        ("choch", "i1"),
        ("mss", "i1"),
        ("level", "f8"),
        ("origin", "i8"),
        ("bull_level", "f8"),
        ("bear_level", "f8"),
        ("bull_origin", "i8"),
        ("bear_origin", "i8"),
    ]
)
"""Facts known at one bar.

bull, bear : BOS or CHOCH where this bar broke the active high or low, else 0. Both may happen
    on one bar (by wick); the bullish break is counted first.
bull_mss, bear_mss : 1 if that break is a CHoCH and this bar a displacement in its direction.
bias : +1, -1, or 0 before the first break.
high_crossed, low_crossed : 1 once the active level has been broken.
bull_level, bear_level, bull_origin, bear_origin : level broken now and the bar of its extreme
    (NaN and -1 without a break).
bos, choch, mss : side of that kind of break, else 0; level, origin : the level broken. Where two
    levels break on one bar these tell the bearish, the later one.
"""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `break_by` ("close" or "wick"): what must pass the level. `require_mss` (False): a break
    against the bias counts only on a displacement bar; without one it uses the level up but
    neither turns the bias nor is reported.
    """
    return read_params("structure", RULES, values)


@inlined
def _kind(side: int, shifted: bool, state: Any, params: Any) -> int:
    """Return the kind of a break of this side and turn the bias, 0 if it does not count."""
    kind = CHOCH if state.bias == -side else BOS
    if kind == CHOCH and params.require_mss and not shifted:
        return 0
    state.bias = side
    return kind


@inlined
def _clear(out: Any) -> None:
    out.bull = 0
    out.bear = 0
    out.bull_mss = 0
    out.bear_mss = 0
    out.bull_level = np.nan
    out.bear_level = np.nan
    out.bull_origin = -1
    out.bear_origin = -1
    out.bos = 0
    out.choch = 0
    out.mss = 0
    out.level = np.nan
    out.origin = -1


@inlined
def _tell(side: int, kind: int, shift: int, level: float, origin: int, out: Any) -> None:
    """Write the signed short form of a break."""
    out.bos = side if kind == BOS else 0
    out.choch = side if kind == CHOCH else 0
    out.mss = side * shift
    out.level = level
    out.origin = origin


@kernel
def step(bar: Any, swing: Any, displacement: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar, after the swings of this bar.

    Parameters
    ----------
    swing : record of swings.OUT
        Active levels as known at this bar; a level that is new now starts uncrossed.
    displacement : record of displacement.OUT

    Notes
    -----
    A break needs the price strictly beyond the level. Each level breaks at most once. The first
    break of all is a BOS.
    """
    if swing.event == swings.APPENDED or swing.event == swings.REPLACED:
        if swing.pivot > 0:
            state.high_crossed = 0
        else:
            state.low_crossed = 0
    _clear(out)
    up = bar.high if params.break_by == BY_WICK else bar.close
    down = bar.low if params.break_by == BY_WICK else bar.close
    if not state.high_crossed and up > swing.zz_high:
        state.high_crossed = 1
        shifted = displacement.side > 0
        out.bull = _kind(1, shifted, state, params)
        if out.bull:
            out.bull_level = swing.zz_high
            out.bull_origin = swing.zz_high_origin
            out.bull_mss = 1 if out.bull == CHOCH and shifted else 0
            _tell(1, out.bull, out.bull_mss, out.bull_level, out.bull_origin, out)
    if not state.low_crossed and down < swing.zz_low:
        state.low_crossed = 1
        shifted = displacement.side < 0
        out.bear = _kind(-1, shifted, state, params)
        if out.bear:
            out.bear_level = swing.zz_low
            out.bear_origin = swing.zz_low_origin
            out.bear_mss = 1 if out.bear == CHOCH and shifted else 0
            _tell(-1, out.bear, out.bear_mss, out.bear_level, out.bear_origin, out)
    out.bias = state.bias
    out.high_crossed = state.high_crossed
    out.low_crossed = state.low_crossed
    state.count += 1


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step the blocks this one reads, then this one, over every bar; nested as in PARTS."""
    for i in range(len(bars)):
        bar = bars[i]
        was = state[0]
        how = params[0]
        now = out[i]
        atr_block.step(bar, was.atr, how.atr, now.atr)
        displacement_block.step(bar, now.atr, how.displacement, now.displacement)
        swings.step(bar, was.swings, how.swings, now.swings)
        step(bar, now.swings, now.displacement, was.structure, how.structure, now.structure)


PARTS: Mapping[str, Rules] = {
    "atr": atr_block.RULES,
    "displacement": displacement_block.RULES,
    "swings": swings.RULES,
    "structure": RULES,
}
CHAIN_OUT = {
    "atr": atr_block.OUT,
    "displacement": displacement_block.OUT,
    "swings": swings.OUT,
    "structure": OUT,
}


def chain_state(params: ParamsArray) -> dict[str, np.dtype[Any]]:
    """Return the states of this block's chain for parameters nested as in PARTS."""
    swing_state = swings.new_state(params["swings"]).dtype
    return {"atr": atr_block.STATE, "swings": swing_state, "structure": STATE}


BLOCK = Block(
    name="structure",
    run=run,
    parts=PARTS,
    out=nested(CHAIN_OUT),
    state=lambda params, count: np.zeros(1, nested(chain_state(params))),
    columns={
        name: ("structure", name)
        for name in ("bos", "choch", "mss", "level", "origin", "bias", "bull_level", "bear_level")
    },
)


class Structure(KernelIndicator):
    """Breaks of structure: `bos`, `choch`, `mss` (+1, -1, 0), the `level` broken, the `bias`.

    Internal structure is a second instance with smaller `left` and `right`.
    """

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = ON_PRICES
    plotlines = draw(
        BLOCK,
        {
            "bull_level": {"marker": "_", "markersize": 22, "mew": 2, "ls": "", "color": "blue"},
            "bear_level": {
                "marker": "_",
                "markersize": 22,
                "mew": 2,
                "ls": "",
                "color": "darkorange",
            },
        },
    )


def structure(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return breaks per bar; columns as in OUT, parameters of all blocks in PARTS by name."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
