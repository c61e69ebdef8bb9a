"""Dollar filter: hourly correlation of an instrument with the dollar index, and its trend.

Fed by `step_further` with every completed bar of the further series (its END not after the
instrument's) and by `step` with the instrument's own bars; both build UTC clock hours.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.further import FurtherIndicator, two_frames
from indicators.parameters import Choice, ParamsArray, Real, Rules, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

HOUR_NS = 3_600_000_000_000
RETURNS = 50
"""Log returns in the correlation; they stand between RETURNS + 1 common hours."""
COMMON_NEEDED = 53
"""Common completed hours below which the filter is neutral."""
EMA_PERIOD = 20
SLOPE_BARS = 3

RULES: Rules = {
    "threshold": Real(-0.3, -1.0, 1.0),
    "max_stale_hours": Real(24.0, 0.001, 100_000.0),
    "missing": Choice("pass", ("pass", "block")),
}
PARAMS = params_dtype(RULES)

STATE = record_dtype(
    [
        ("own_hour", "i8"),
        ("own_close", "f8"),
        ("own_open", "i1"),
        ("match", "f8"),
        ("has_match", "i1"),
        ("last_own", "f8"),
        ("last_further", "f8"),
        ("common", "i8"),
        ("own_return", "f8", (RETURNS,)),
        ("further_return", "f8", (RETURNS,)),
        ("rho", "f8"),
        ("further_hour", "i8"),
        ("further_close", "f8"),
        ("further_open", "i1"),
        ("closed_hour", "i8"),
        ("closed_close", "f8"),
        ("further_end", "i8"),
        ("hours", "i8"),
        ("ema_sum", "f8"),
        ("ema", "f8", (SLOPE_BARS + 1,)),
    ]
)
"""own_* the instrument's running hour, further_* the further series' running hour, closed_* its
last completed one; common counts common completed hours, hours the completed further ones."""

OUT = record_dtype(
    [
        ("rho", "f8"),
        ("slope", "f8"),
        ("long_ok", "i1"),
        ("short_ok", "i1"),
        ("decoupled", "i1"),
        ("missing", "i1"),
    ]
)
"""rho : Pearson correlation of the last 50 common hourly log returns, NaN before 53 hours.
slope : EMA20 of the further series now minus 3 of its hours before, price units of that series.
long_ok, short_ok : 1 if the side may trade. decoupled : rho above the threshold, both pass.
missing : the further series is stale, too short or does not move."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `threshold` (-0.3): correlation above which the two are decoupled and both sides pass.
    `max_stale_hours` (24): age of the last further bar beyond which it is missing.
    `missing` ("pass" or "block"): what a missing further series does to both sides.
    """
    return read_params("dxy", RULES, values)


def new_state(params: ParamsArray | None = None, count: int = 0) -> Records:
    """Return a fresh 1-item array of STATE."""
    made = np.zeros(1, STATE)
    reset(made[0])
    return made


@kernel
def reset(state: Any) -> None:
    """Bring a STATE to the moment before the first bar."""
    state.own_hour = -1
    state.own_open = 0
    state.has_match = 0
    state.common = 0
    state.rho = np.nan
    state.further_hour = -1
    state.further_open = 0
    state.closed_hour = -1
    state.further_end = -1
    state.hours = 0
    state.ema_sum = 0.0


@kernel
def _correlation(state: Any) -> float:
    """Return Pearson's correlation of the two rings of returns, NaN if one does not vary."""
    mean_own = 0.0
    mean_further = 0.0
    for i in range(RETURNS):
        mean_own += state.own_return[i]
        mean_further += state.further_return[i]
    mean_own /= RETURNS
    mean_further /= RETURNS
    own = 0.0
    further = 0.0
    both = 0.0
    for i in range(RETURNS):
        a = state.own_return[i] - mean_own
        b = state.further_return[i] - mean_further
        own += a * a
        further += b * b
        both += a * b
    if not (own > 0.0 and further > 0.0):
        return np.nan
    return both / sqrt(own * further)


@kernel
def _close_own_hour(state: Any) -> None:
    """Complete the instrument's hour; a further hour of the same number makes a common one."""
    state.own_open = 0
    if state.has_match == 0:
        return
    if state.common > 0:
        slot = (state.common - 1) % RETURNS
        state.own_return[slot] = log(state.own_close / state.last_own)
        state.further_return[slot] = log(state.match / state.last_further)
    state.last_own = state.own_close
    state.last_further = state.match
    state.common += 1
    if state.common >= COMMON_NEEDED:
        state.rho = _correlation(state)


@kernel
def _close_further_hour(state: Any) -> None:
    """Complete the further series' hour: its EMA, and the match with the instrument's hour."""
    close = state.further_close
    state.further_open = 0
    state.closed_hour = state.further_hour
    state.closed_close = close
    state.hours += 1
    slot = state.hours % (SLOPE_BARS + 1)
    if state.hours < EMA_PERIOD:
        state.ema_sum += close
    elif state.hours == EMA_PERIOD:
        state.ema[slot] = (state.ema_sum + close) / EMA_PERIOD
    else:
        before = state.ema[(state.hours - 1) % (SLOPE_BARS + 1)]
        state.ema[slot] = before + (close - before) * (2.0 / (EMA_PERIOD + 1))
    if state.own_open == 1 and state.own_hour == state.closed_hour:
        state.match = close
        state.has_match = 1


@kernel
def step_further(bar: Any, state: Any, params: Any) -> None:
    """Take one completed bar of the further series; called for each of them, oldest first."""
    hour = bar.start // HOUR_NS
    if state.further_open == 1 and hour != state.further_hour:
        _close_further_hour(state)
    state.further_hour = hour
    state.further_close = bar.close
    state.further_open = 1
    state.further_end = bar.end
    if bar.end >= (hour + 1) * HOUR_NS:
        _close_further_hour(state)


@kernel
def _take_own_bar(bar: Any, state: Any) -> None:
    """Build the instrument's hours; a bar that ends its hour completes it at once."""
    if state.further_open == 1 and bar.end >= (state.further_hour + 1) * HOUR_NS:
        _close_further_hour(state)
    hour = bar.start // HOUR_NS
    if state.own_open == 1 and hour != state.own_hour:
        _close_own_hour(state)
    if state.own_open == 0:
        state.own_hour = hour
        state.own_open = 1
        state.has_match = 1 if state.closed_hour == hour else 0
        state.match = state.closed_close
    state.own_close = bar.close
    if bar.end >= (hour + 1) * HOUR_NS:
        _close_own_hour(state)


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar of the instrument and judge both sides at its close."""
    _take_own_bar(bar, state)
    out.rho = state.rho
    out.slope = np.nan
    out.decoupled = 0
    has_slope = state.hours >= EMA_PERIOD + SLOPE_BARS
    if has_slope:
        newest = state.hours % (SLOPE_BARS + 1)
        out.slope = state.ema[newest] - state.ema[(state.hours + 1) % (SLOPE_BARS + 1)]
    stale = state.further_end < 0 or (
        bar.end - state.further_end > params.max_stale_hours * HOUR_NS
    )
    out.missing = 1 if stale or not has_slope or np.isnan(state.rho) else 0
    if out.missing == 1:
        out.long_ok = 1 - params.missing
        out.short_ok = 1 - params.missing
        return
    if state.rho > params.threshold:
        out.decoupled = 1
        out.long_ok = 1
        out.short_ok = 1
        return
    out.long_ok = 1 if out.slope < 0.0 else 0
    out.short_ok = 1 if out.slope > 0.0 else 0


@kernel
def run(bars: Any, further: Any, state: Any, params: Any, out: Any) -> None:
    """Run over bars, feeding each further bar before the first bar that sees it complete."""
    seen = 0
    for i in range(len(bars)):
        while seen < len(further) and further[seen].end <= bars[i].end:
            step_further(further[seen], state[0], params[0].dxy)
            seen += 1
        step(bars[i], state[0], params[0].dxy, out[i])


BLOCK = Block(
    name="dxy",
    run=run,
    parts={"dxy": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class DXYFilter(FurtherIndicator):
    """The dollar filter over (instrument, dollar index); see `dxy.OUT` for its lines."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotlines = {  # noqa: RUF012  (the form Backtrader reads)
        name: {"_plotskip": True} for name in BLOCK.columns if name not in ("rho", "slope")
    }


def dxy(frame: pd.DataFrame, further: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the dollar filter's columns (see `OUT`) for two DataFrames of bars.

    Parameters
    ----------
    frame, further : DataFrame
        Bars of the instrument (an hour or shorter) and of the dollar index, indexed by START.
    **values
        Parameters of `dxy.params`.
    """
    return two_frames(BLOCK, frame, further, values)


callable_module(__name__)
