"""Premium, discount and optimal trade entry of the dealing range between the last swings."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import swings
from indicators.block import Block, Records
from indicators.frame import callable_module, columns_frame
from indicators.line import KernelIndicator
from indicators.parameters import ParamsArray
from indicators.zones import window_for

if TYPE_CHECKING:
    import pandas as pd

OTE_NEAR, OTE_SWEET, OTE_FAR = 0.62, 0.705, 0.79
"""Retracements of the leg that bound and mark the optimal trade entry."""
LUX_EDGE, LUX_MIDDLE = 0.05, 0.025
"""Lux zones: outer 5 % of the trailing range each, and 2.5 % to each side of its middle."""

RANGE = record_dtype(
    [
        ("high", "f8"),
        ("low", "f8"),
        ("equilibrium", "f8"),
        ("position", "f8"),
        ("zone", "i1"),
        ("ote_side", "i1"),
        ("ote_top", "f8"),
        ("ote_bottom", "f8"),
        ("ote_sweet", "f8"),
        ("ote_entered", "i1"),
    ]
)
"""The dealing range at a bar's close.

high, low : last accepted swing high and low, price units. equilibrium : their mean.
position : (close - low) / (high - low), may leave 0..1; NaN unless high > low.
zone : +1 premium, -1 discount, 0 at the equilibrium or without a range.
ote_side : +1 for a leg low -> high (longs), -1 for high -> low (shorts), 0 without a range.
ote_top, ote_bottom, ote_sweet : edges of the entry zone and its 0.705 level.
ote_entered : 1 if this bar reached the zone and closed inside the leg.
"""

TRAIL = record_dtype(
    [
        ("high", "f8"),
        ("low", "f8"),
        ("high_origin", "i8"),
        ("low_origin", "i8"),
        ("premium", "f8"),
        ("discount", "f8"),
        ("middle_top", "f8"),
        ("middle_bottom", "f8"),
    ]
)
"""Lux's trailing extremes since the last swing pivots, and its zones.

premium : lower edge of the top 5 %. discount : upper edge of the bottom 5 %.
middle_top, middle_bottom : edges of the equilibrium band, 47.5 % to 52.5 %.
"""


@kernel
def _clear(out: Any, high: float, low: float) -> None:
    out.high = high
    out.low = low
    out.equilibrium = np.nan
    out.position = np.nan
    out.zone = 0
    out.ote_side = 0
    out.ote_top = np.nan
    out.ote_bottom = np.nan
    out.ote_sweet = np.nan
    out.ote_entered = 0


@kernel
def measure(bar: Any, high: float, high_origin: int, low: float, low_origin: int, out: Any) -> None:
    """Write the dealing range of this bar from the last accepted swings into a RANGE.

    A missing swing, or a high not above the low, gives no range.
    """
    _clear(out, high, low)
    if not high > low:
        return
    span = high - low
    out.equilibrium = (high + low) / 2.0
    out.position = (bar.close - low) / span
    if bar.close > out.equilibrium:
        out.zone = 1
    elif bar.close < out.equilibrium:
        out.zone = -1
    if low_origin < high_origin:
        out.ote_side = 1
        out.ote_top = high - OTE_NEAR * span
        out.ote_bottom = high - OTE_FAR * span
        out.ote_sweet = high - OTE_SWEET * span
        out.ote_entered = 1 if bar.low <= out.ote_top and bar.close >= low else 0
    else:
        out.ote_side = -1
        out.ote_top = low + OTE_FAR * span
        out.ote_bottom = low + OTE_NEAR * span
        out.ote_sweet = low + OTE_SWEET * span
        out.ote_entered = 1 if bar.high >= out.ote_bottom and bar.close <= high else 0


@kernel
def reset_trail(trail: Any) -> None:
    """Bring a TRAIL to the state before the first swing."""
    trail.high = np.nan
    trail.low = np.nan
    trail.high_origin = -1
    trail.low_origin = -1
    trail.premium = np.nan
    trail.discount = np.nan
    trail.middle_top = np.nan
    trail.middle_bottom = np.nan


@kernel
def step_trail(
    bar: Any, high: float, high_origin: int, low: float, low_origin: int, trail: Any
) -> None:
    """Advance Lux's trailing extremes by one bar; a new swing pivot restarts its side."""
    if high_origin >= 0:
        if high_origin != trail.high_origin:
            trail.high_origin = high_origin
            trail.high = high
        trail.high = max(trail.high, bar.high)
    if low_origin >= 0:
        if low_origin != trail.low_origin:
            trail.low_origin = low_origin
            trail.low = low
        trail.low = min(trail.low, bar.low)
    if trail.high_origin >= 0 and trail.low_origin >= 0:
        span = trail.high - trail.low
        middle = (trail.high + trail.low) / 2.0
        trail.premium = trail.high - LUX_EDGE * span
        trail.discount = trail.low + LUX_EDGE * span
        trail.middle_top = middle + LUX_MIDDLE * span
        trail.middle_bottom = middle - LUX_MIDDLE * span


OUT = record_dtype([("range", RANGE), ("trail", TRAIL)])


@lru_cache
def state_dtype(window: int = 64) -> np.dtype[Any]:
    """Return the state of the standalone block; `window` as for `swings.state_dtype`."""
    return record_dtype(
        [("swings", swings.state_dtype(window)), ("swing", swings.OUT), ("trail", TRAIL)]
    )


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state for the nested parameters of the standalone block."""
    made = np.zeros(1, state_dtype(window_for(swings.window(params["swings"]))))
    reset_trail(made[0].trail)
    return made


@kernel
def _copy_trail(source: Any, target: Any) -> None:
    target.high = source.high
    target.low = source.low
    target.high_origin = source.high_origin
    target.low_origin = source.low_origin
    target.premium = source.premium
    target.discount = source.discount
    target.middle_top = source.middle_top
    target.middle_bottom = source.middle_bottom


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance the standalone block by one bar; `params` are those of the swings."""
    swings.step(bar, state.swings, params, state.swing)
    now = state.swing
    high, high_at = now.zz_high, now.zz_high_origin
    low, low_at = now.zz_low, now.zz_low_origin
    measure(bar, high, high_at, low, low_at, out.range)
    step_trail(bar, high, high_at, low, low_at, state.trail)
    _copy_trail(state.trail, out.trail)


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].swings, out[i])


BLOCK = Block(
    name="dealing_range",
    run=run,
    parts={"swings": swings.RULES},
    out=OUT,
    state=new_state,
    columns={
        **{name: ("range", name) for name in RANGE.names or ()},
        **{
            f"trail_{name}": ("trail", name)
            for name in TRAIL.names or ()
            if not name.endswith("origin")
        },
    },
)


class DealingRange(KernelIndicator):
    """Premium, discount and optimal trade entry; see RANGE and TRAIL for its lines."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {  # noqa: RUF012
        name: {"_plotskip": True}
        for name in BLOCK.columns
        if name in ("position", "zone", "ote_side", "ote_entered") or name.startswith("trail")
    }


def dealing_range(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the dealing range (RANGE, and TRAIL as `trail_*`) for a DataFrame of bars.

    Parameters
    ----------
    frame : DataFrame
        Bars indexed by START.
    **values
        Parameters of `swings.params`.
    """
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
