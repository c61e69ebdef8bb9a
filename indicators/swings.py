"""Swing highs and lows, and the zigzag of accepted pivots.

A pivot at bar p is written on the bar at which it is known, p + right; no line ever changes
later. A replaced pivot stays in the past lines and is told as a revision event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators.block import Block, Records, nested
from indicators.frame import callable_module, columns_frame
from indicators.line import ON_PRICES, KernelIndicator, draw
from indicators.parameters import (
    Choice,
    Flag,
    ParamsArray,
    Rules,
    Whole,
    params_dtype,
    read_params,
)
from indicators.zones import window_for

if TYPE_CHECKING:
    import pandas as pd

FRACTAL, PEER, LUX = 0, 1, 2
"""Ways of finding a pivot, in the order of the `mode` names."""

RULES: Rules = {
    "left": Whole(2, 1, 10_000),
    "right": Whole(2, 1, 10_000),
    "mode": Choice("fractal", ("fractal", "peer", "lux")),
    "session_reset": Flag(False),
}
PARAMS = params_dtype(RULES)

APPENDED, REPLACED, IGNORED = 1, 2, 3
"""What the zigzag did with a newly confirmed pivot."""

HIGHER_HIGH, LOWER_HIGH, HIGHER_LOW, LOWER_LOW = 1, 2, 3, 4
"""Labels of accepted pivots against the previous accepted one of that type (0: the first).
Equal prices are neither higher nor lower: an equal high is a LOWER_HIGH, an equal low a
HIGHER_LOW."""

KEPT_PIVOTS = 64
"""Accepted pivots the state remembers."""

PIVOT = record_dtype(
    [("price", "f8"), ("origin", "i8"), ("known", "i8"), ("side", "i1"), ("label", "i1")]
)
"""side : +1 a high, -1 a low. origin : bar of the extreme. known : bar of its confirmation."""

OUT = record_dtype(
    [
        ("ph", "f8"),
        ("pl", "f8"),
        ("zz_high", "f8"),
        ("zz_low", "f8"),
        ("zz_high_origin", "i8"),
        ("zz_low_origin", "i8"),
        ("origin", "i8"),
        ("pivot", "i1"),
        ("event", "i1"),
        ("label", "i1"),
    ]
)
"""Facts known at one bar.

ph, pl : price of the raw pivot confirmed at this bar, else NaN.
pivot, origin : its side (+1 high, -1 low, 0 none) and the bar of its extreme (-1 none).
event : APPENDED, REPLACED or IGNORED by the zigzag, 0 without a pivot.
label : HIGHER_HIGH ... of a pivot that was appended or replaced the last, else 0.
zz_high, zz_low, zz_high_origin, zz_low_origin : active levels (NaN and -1 before the first).
"""


def state_dtype(capacity: int = 64) -> np.dtype[Any]:
    """Return the state record; `capacity` bars (a power of two) must exceed left + right."""
    return record_dtype(
        [
            ("count", "i8"),
            ("accepted", "i8"),
            ("leg", "i8"),
            ("highs", "f8", (capacity,)),
            ("lows", "f8", (capacity,)),
            ("days", "i8", (capacity,)),
            ("pivots", PIVOT, (KEPT_PIVOTS,)),
        ]
    )


STATE = state_dtype()
"""Zeros are a fresh state. accepted : pivots accepted so far; the last KEPT_PIVOTS are kept."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `left`, `right` (2, 2): bars that must lie lower on each side of a high. `mode`: "fractal";
    "peer" (window of `right` bars each side, ties allowed); "lux" (leg of `right` bars).
    `session_reset` (False): the window may not cross a trading day.
    """
    return read_params("swings", RULES, values)


def window(params: ParamsArray) -> int:
    """Return how many bars the state must hold for these parameters (a 1-item PARAMS array)."""
    return int(params["left"][0] + params["right"][0] + 1)


def new_state(params: ParamsArray) -> np.ndarray[Any, Any]:
    """Return a fresh 1-item state large enough for the parameters."""
    return np.zeros(1, state_dtype(window_for(window(params))))


@inlined
def is_extreme(ring: Any, sign: int, p: int, left: int, right: int, allow_ties: bool) -> bool:
    """Say whether bar p is extreme among its neighbours.

    Right side: none beyond p. Left side: none beyond nor, unless ties are allowed, equal to p.
    sign +1 looks for the highest, -1 for the lowest.
    """
    mask = len(ring) - 1
    value = sign * ring[p & mask]
    # Four neighbours without a jump first: most bars fail here, and jumps that can't be
    # foreseen cost more than comparisons.
    is_candidate = (
        (value >= sign * ring[(p + right) & mask])
        & (value >= sign * ring[(p + 1) & mask])
        & (value >= sign * ring[(p - min(left, 1)) & mask])
        & (value >= sign * ring[(p - left) & mask])
    )
    if not is_candidate:
        return False
    for j in range(p + 1, p + right + 1):
        if sign * ring[j & mask] > value:
            return False
    for j in range(p - 1, p - left - 1, -1):
        other = sign * ring[j & mask]
        if other > value or (other == value and not allow_ties):
            return False
    return True


@inlined
def _leg_pivot(state: Any, p: int, size: int) -> int:
    """Return the side of the pivot at p where a Lux leg turns at bar p + size, else 0."""
    mask = len(state.highs) - 1
    is_top = True
    is_bottom = True
    for j in range(p + 1, p + size + 1):
        is_top = is_top and state.highs[j & mask] < state.highs[p & mask]
        is_bottom = is_bottom and state.lows[j & mask] > state.lows[p & mask]
        if not (is_top or is_bottom):
            return 0
    leg = -1 if is_top else 1
    if leg == state.leg:
        return 0
    state.leg = leg
    return -leg


@inlined
def confirmed(t: int, state: Any, params: Any) -> int:
    """Return the side of the pivot confirmed at bar t (+1 high, -1 low), 0 without one.

    If a bar is both, the high wins and the low is dropped.
    """
    right = params.right
    left = params.left
    first = left
    if params.mode == PEER:
        left = right - 1
        first = 2 * right - 1
    elif params.mode == LUX:
        left = 0
        first = 0
    p = t - right
    if p < first:
        return 0
    if (
        params.session_reset
        and state.days[(p - left) & (len(state.days) - 1)]
        != (state.days[t & (len(state.days) - 1)])
    ):
        return 0
    if params.mode == LUX:
        return _leg_pivot(state, p, right)
    allow_ties = params.mode == PEER
    if is_extreme(state.highs, 1, p, left, right, allow_ties):
        return 1
    if is_extreme(state.lows, -1, p, left, right, allow_ties):
        return -1
    return 0


@inlined
def pivot_back(state: Any, back: int) -> Any:
    """Return the accepted pivot `back` places before the last (0 the last).

    The caller makes sure that more than `back` were accepted.
    """
    return state.pivots[(state.accepted - 1 - back) & (KEPT_PIVOTS - 1)]


@inlined
def _label(side: int, price: float, state: Any) -> int:
    """Return the label of the last accepted pivot; its rival of the same type is two back."""
    if state.accepted < 3:
        return 0
    before = pivot_back(state, 2).price
    if side > 0:
        return HIGHER_HIGH if price > before else LOWER_HIGH
    return LOWER_LOW if price < before else HIGHER_LOW


@inlined
def accept(side: int, price: float, origin: int, t: int, state: Any) -> int:
    """Offer a confirmed pivot to the zigzag; return APPENDED, REPLACED or IGNORED.

    Another type than the last is appended; the same type replaces the last if strictly more
    extreme (at an equal price the earlier stays).
    """
    event = APPENDED
    if state.accepted > 0:
        last = pivot_back(state, 0)
        if last.side == side:
            if not side * price > side * last.price:
                return IGNORED
            event = REPLACED
    if event == APPENDED:
        state.accepted += 1
    pivot = pivot_back(state, 0)
    pivot.price = price
    pivot.origin = origin
    pivot.known = t
    pivot.side = side
    pivot.label = _label(side, price, state)
    return event


@inlined
def _write_levels(state: Any, out: Any) -> None:
    """Write the active levels: the last accepted pivot of each type."""
    for back in range(2):
        if state.accepted > back:
            pivot = pivot_back(state, back)
            if pivot.side > 0:
                out.zz_high = pivot.price
                out.zz_high_origin = pivot.origin
            else:
                out.zz_low = pivot.price
                out.zz_low_origin = pivot.origin


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar: confirm the pivot at t - right and offer it to the zigzag."""
    t = state.count
    mask = len(state.highs) - 1
    state.highs[t & mask] = bar.high
    state.lows[t & mask] = bar.low
    state.days[t & mask] = bar.day
    state.count += 1
    out.ph = np.nan
    out.pl = np.nan
    out.zz_high = np.nan
    out.zz_low = np.nan
    out.zz_high_origin = -1
    out.zz_low_origin = -1
    out.origin = -1
    out.event = 0
    out.label = 0
    side = confirmed(t, state, params)
    out.pivot = side
    if side != 0:
        origin = t - params.right
        price = state.highs[origin & mask] if side > 0 else state.lows[origin & mask]
        if side > 0:
            out.ph = price
        else:
            out.pl = price
        out.origin = origin
        out.event = accept(side, price, origin, t, state)
        if out.event != IGNORED:
            out.label = pivot_back(state, 0).label
    _write_levels(state, out)


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step every bar; nested records as in PARTS."""
    for i in range(len(bars)):
        step(bars[i], state[0].swings, params[0].swings, out[i].swings)


PARTS: Mapping[str, Rules] = {"swings": RULES}


def _line_state(params: ParamsArray, count: int) -> Records:
    return np.zeros(1, nested({"swings": new_state(params["swings"]).dtype}))


_FIELDS = ("ph", "pl", "zz_high", "zz_low", "pivot", "origin", "event", "label")

BLOCK = Block(
    name="swings",
    run=run,
    parts=PARTS,
    out=nested({"swings": OUT}),
    state=_line_state,
    columns={name: ("swings", name) for name in (*_FIELDS, "zz_high_origin", "zz_low_origin")},
)


class Swings(KernelIndicator):
    """Raw pivots (`ph`, `pl`, on the bar they are confirmed) and active zigzag levels."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = ON_PRICES
    plotlines = draw(
        BLOCK,
        {
            "ph": {"marker": "v", "markersize": 5, "ls": "", "color": "darkred"},
            "pl": {"marker": "^", "markersize": 5, "ls": "", "color": "darkgreen"},
            "zz_high": {"color": "indianred", "drawstyle": "steps-post"},
            "zz_low": {"color": "seagreen", "drawstyle": "steps-post"},
        },
    )


def swings(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return pivots and zigzag levels per bar; columns as in OUT, parameters as in `params`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
