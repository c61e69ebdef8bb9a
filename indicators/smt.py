"""SMT divergence: a new swing extreme that a related series does not confirm.

`step_further` takes every completed bar of the related series, `step_own` every bar of the
instrument, and `judge` is asked when a swing is accepted. A positively related series (silver)
is read on the same side, an inversely related one (dollar index) on the other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import swings
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.further import FurtherIndicator, two_frames
from indicators.parameters import Flag, ParamsArray, Real, Rules, Whole, params_dtype, read_params
from indicators.zones import window_for

if TYPE_CHECKING:
    import pandas as pd

OWN_BARS = 256
"""Own START stamps remembered; `max_distance` plus the pivot's right side must stay below."""
FURTHER_BARS = 1024
"""Bars of the related series remembered, oldest dropped."""
HOUR_NS = 3_600_000_000_000

RULES: Rules = {
    "inverse": Flag(True),
    "max_distance": Whole(60, 1, 200),
    "window": Whole(3, 0, 50),
    "max_stale_hours": Real(24.0, 0.001, 100_000.0),
}
PARAMS = params_dtype(RULES)


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `inverse` (True): an inversely related series such as the dollar index; False for silver.
    `max_distance` (60): most own bars between the two swings. `window` (3): bars of the related
    series to each side of a swing's time. `max_stale_hours` (24): age of the related series
    beyond which there is no judgement.
    """
    return read_params("smt", RULES, values)


RELATED = record_dtype(
    [
        ("own_count", "i8"),
        ("own_start", "i8", (OWN_BARS,)),
        ("count", "i8"),
        ("end", "i8"),
        ("start", "i8", (FURTHER_BARS,)),
        ("high", "f8", (FURTHER_BARS,)),
        ("low", "f8", (FURTHER_BARS,)),
    ]
)
"""Rings of own START stamps and of the related series' bars."""


@kernel
def step_further(bar: Any, state: Any) -> None:
    """Take one completed bar of the related series; called for each of them, oldest first."""
    slot = state.count % FURTHER_BARS
    state.start[slot] = bar.start
    state.high[slot] = bar.high
    state.low[slot] = bar.low
    state.end = bar.end
    state.count += 1


@kernel
def step_own(bar: Any, state: Any) -> None:
    """Take one bar of the instrument itself."""
    state.own_start[state.own_count % OWN_BARS] = bar.start
    state.own_count += 1


@kernel
def related_extreme(state: Any, params: Any, origin: int, want_high: bool) -> float:
    """Return the related series' highest high (or lowest low) around own bar `origin`.

    The window is `window` of its bars to each side of its last bar that starts not after the
    own bar, as far as completed by now; NaN where it has none or that bar is stale.
    """
    if origin < 0 or origin >= state.own_count or state.own_count - origin > OWN_BARS:
        return np.nan
    at = state.own_start[origin % OWN_BARS]
    oldest = max(0, state.count - FURTHER_BARS)
    centre = state.count - 1
    while centre >= oldest and state.start[centre % FURTHER_BARS] > at:
        centre -= 1
    if (
        centre < oldest
        or at - state.start[centre % FURTHER_BARS] > params.max_stale_hours * HOUR_NS
    ):
        return np.nan
    value = -np.inf if want_high else np.inf
    for i in range(
        max(oldest, centre - params.window), min(state.count, centre + params.window + 1)
    ):
        slot = i % FURTHER_BARS
        value = max(value, state.high[slot]) if want_high else min(value, state.low[slot])
    return value


@kernel
def judge(
    bar: Any,
    side: int,
    first: float,
    first_origin: int,
    second: float,
    second_origin: int,
    state: Any,
    params: Any,
) -> int:
    """Return the divergence (+1 bullish, -1 bearish, 0 none) of two accepted swings of a type.

    Parameters
    ----------
    bar : BAR
        The bar at which the second swing became known.
    side : int
        +1 for two swing lows (bullish), -1 for two swing highs (bearish).
    first, second : float
        Their prices; first_origin, second_origin their bars (counted as `step_own` did).
    """
    if first_origin < 0 or second_origin - first_origin > params.max_distance:
        return 0
    if not (second - first) * side < 0.0 or state.count == 0:
        return 0
    if bar.end - state.end > params.max_stale_hours * HOUR_NS:
        return 0
    want_high = (side > 0) == (params.inverse == 1)
    before = related_extreme(state, params, first_origin, want_high)
    now = related_extreme(state, params, second_origin, want_high)
    failed = now < before if want_high else now > before
    return side if failed else 0


OUT = record_dtype([("smt", "f8"), ("first", "f8"), ("second", "f8")])
"""smt : +1 bullish, -1 bearish divergence known at this bar, else 0. first, second : prices of
the two swings compared (NaN without a divergence)."""


@lru_cache
def state_dtype(window: int = 64) -> np.dtype[Any]:
    """Return the state of the standalone block; `window` as for `swings.state_dtype`."""
    return record_dtype(
        [("swings", swings.state_dtype(window)), ("swing", swings.OUT), ("related", RELATED)]
    )


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state for the nested parameters of the standalone block."""
    return np.zeros(1, state_dtype(window_for(swings.window(params["swings"]))))


@kernel
def step(bar: Any, state: Any, swing_params: Any, params: Any, out: Any) -> None:
    """Advance the standalone block by one bar, after the further bars completed by its END."""
    step_own(bar, state.related)
    swings.step(bar, state.swings, swing_params, state.swing)
    out.smt = 0.0
    out.first = np.nan
    out.second = np.nan
    event = state.swing.event
    is_accepted = event == swings.APPENDED or event == swings.REPLACED
    if not is_accepted or state.swings.accepted < 3:
        return
    now = swings.pivot_back(state.swings, 0)
    before = swings.pivot_back(state.swings, 2)
    side = -now.side
    found = judge(
        bar, side, before.price, before.origin, now.price, now.origin, state.related, params
    )
    if found != 0:
        out.smt = found
        out.first = before.price
        out.second = now.price


@kernel
def run(bars: Any, further: Any, state: Any, params: Any, out: Any) -> None:
    """Run over bars, feeding each further bar before the first bar that sees it complete."""
    seen = 0
    for i in range(len(bars)):
        while seen < len(further) and further[seen].end <= bars[i].end:
            step_further(further[seen], state[0].related)
            seen += 1
        step(bars[i], state[0], params[0].swings, params[0].smt, out[i])


BLOCK = Block(
    name="smt",
    run=run,
    parts={"swings": swings.RULES, "smt": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class SMT(FurtherIndicator):
    """SMT divergence over (instrument, related series); see `smt.OUT` for its lines."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotlines = {"first": {"_plotskip": True}, "second": {"_plotskip": True}}  # noqa: RUF012


def smt(frame: pd.DataFrame, further: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return SMT divergences (see `OUT`) for two DataFrames of bars indexed by START.

    Parameters
    ----------
    frame, further : DataFrame
        Bars of the instrument and of the related series.
    **values
        Parameters of `swings.params` and `smt.params`.
    """
    return two_frames(BLOCK, frame, further, values)


callable_module(__name__)
