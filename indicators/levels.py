"""Previous trading day and week: high, low and whether they have been exceeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.line import KernelIndicator
from indicators.market_clock import DAY_RULES, trading_day, zoned_columns
from indicators.parameters import ParamsArray, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

RULES = DAY_RULES
PARAMS = params_dtype(RULES)

PERIOD = record_dtype(
    [
        ("key", "i8"),
        ("high", "f8"),
        ("low", "f8"),
        ("previous_high", "f8"),
        ("previous_low", "f8"),
        ("previous_key", "i8"),
        ("bars", "i8"),
        ("broken_high", "i1"),
        ("broken_low", "i1"),
        ("rolled", "i1"),
    ]
)
"""A calendar period (day or week) as it runs.

key : number of the running period. high, low : its extremes so far, price units.
previous_* : extremes of the last completed period with at least one bar; NaN before the first.
bars : bars of the running period so far.
broken_high : 1 from the first bar of this period with high > previous_high on; low mirrored.
rolled : 1 on the first bar of a period, when previous_* changed (at the START of that bar).
"""


@kernel
def reset_period(period: Any) -> None:
    """Bring a PERIOD to the state before the first bar."""
    period.key = -1
    period.high = np.nan
    period.low = np.nan
    period.previous_high = np.nan
    period.previous_low = np.nan
    period.previous_key = -1
    period.bars = 0
    period.broken_high = 0
    period.broken_low = 0
    period.rolled = 0


@kernel
def step_period(bar: Any, key: int, period: Any) -> None:
    """Advance a PERIOD by one bar that belongs to period number `key`."""
    period.rolled = 0
    if period.bars == 0 or key != period.key:
        if period.bars > 0:
            period.previous_high = period.high
            period.previous_low = period.low
            period.previous_key = period.key
        period.key = key
        period.bars = 0
        period.high = bar.high
        period.low = bar.low
        period.broken_high = 0
        period.broken_low = 0
        period.rolled = 1
    period.bars += 1
    period.high = max(period.high, bar.high)
    period.low = min(period.low, bar.low)
    if bar.high > period.previous_high:
        period.broken_high = 1
    if bar.low < period.previous_low:
        period.broken_low = 1


@kernel
def week_number(day: int) -> int:
    """Return the number of the Monday-to-Sunday week a trading day lies in."""
    return (day + 3) // 7


STATE = record_dtype([("day", PERIOD), ("week", PERIOD)])

OUT = record_dtype(
    [
        ("day_high", "f8"),
        ("day_low", "f8"),
        ("day_high_broken", "f8"),
        ("day_low_broken", "f8"),
        ("week_high", "f8"),
        ("week_low", "f8"),
        ("week_high_broken", "f8"),
        ("week_low_broken", "f8"),
    ]
)
"""day_*, week_* : extremes of the last completed trading day and week, NaN before there is one;
constant through the day (week). *_broken : 1 once this day's (week's) price went beyond."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters: `day_shift_minutes` (see `market_clock.DAY_RULES`)."""
    return read_params("levels", RULES, values)


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state."""
    made = np.zeros(1, STATE)
    reset_period(made[0].day)
    reset_period(made[0].week)
    return made


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar; levels change at the START of a period's first bar."""
    day = trading_day(bar, params.day_shift_minutes)
    step_period(bar, day, state.day)
    step_period(bar, week_number(day), state.week)
    out.day_high = state.day.previous_high
    out.day_low = state.day.previous_low
    out.day_high_broken = state.day.broken_high
    out.day_low_broken = state.day.broken_low
    out.week_high = state.week.previous_high
    out.week_low = state.week.previous_low
    out.week_high_broken = state.week.broken_high
    out.week_low_broken = state.week.broken_low


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].levels, out[i])


BLOCK = Block(
    name="levels",
    run=run,
    parts={"levels": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class Levels(KernelIndicator):
    """Previous day's and week's extremes; see `levels.OUT` for its lines."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {  # noqa: RUF012
        name: {"_plotskip": True} for name in BLOCK.columns if name.endswith("broken")
    }


def levels(frame: pd.DataFrame, *, zone: str | None = None, **values: Any) -> pd.DataFrame:
    """Return previous day's and week's levels (see `OUT`) for a DataFrame of bars.

    Parameters
    ----------
    frame : DataFrame
        Bars indexed by START, aware or naive UTC.
    zone : str, optional
        IANA zone whose midnight (plus `day_shift_minutes`) parts the days.
    **values
        `day_shift_minutes`, 360 for gold on America/New_York.
    """
    return zoned_columns(BLOCK, frame, zone, values)


callable_module(__name__)
