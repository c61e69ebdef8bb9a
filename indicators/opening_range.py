"""Opening range: high and low of the first minutes of the trading day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.line import KernelIndicator
from indicators.market_clock import DAY_RULES, parse_minute, trading_day, zoned_columns
from indicators.parameters import ParamsArray, Rules, Whole, params_dtype, read_params
from indicators.sessions import in_window

if TYPE_CHECKING:
    import pandas as pd

RULES: Rules = {
    "start_minute": Whole(555, 0, 1439),
    "end_minute": Whole(570, 0, 1439),
    **DAY_RULES,
}
PARAMS = params_dtype(RULES)

OPENING = record_dtype(
    [
        ("day", "i8"),
        ("bars", "i8"),
        ("high", "f8"),
        ("low", "f8"),
        ("complete", "i1"),
        ("completed", "i1"),
    ]
)
"""One day's opening range.

day : trading-day number. bars : bars inside the window so far today.
high, low : extremes of the window so far today, price units; NaN before its first bar.
complete : 1 from the first bar of the day that starts at or after the window's end.
completed : 1 on that first bar only.
"""


@kernel
def reset_opening(opening: Any) -> None:
    """Bring an OPENING to the state before the first bar."""
    opening.day = -1
    opening.bars = 0
    opening.high = np.nan
    opening.low = np.nan
    opening.complete = 0
    opening.completed = 0


@kernel
def step_opening(bar: Any, start: int, end: int, opening: Any) -> None:
    """Advance an OPENING by one bar of its trading day (see `step_opening_of`)."""
    step_opening_of(bar, bar.day, start, end, opening)


@kernel
def step_opening_of(bar: Any, day: int, start: int, end: int, opening: Any) -> None:
    """Advance an OPENING by one bar of a day; the window is [start, end) in local minutes.

    The levels are rebuilt each trading day. A day without a bar in the window has none.
    """
    opening.completed = 0
    if day != opening.day:
        reset_opening(opening)
        opening.day = day
    if in_window(bar.minute, start, end):
        if opening.complete == 1:
            return
        if opening.bars == 0:
            opening.high = bar.high
            opening.low = bar.low
        opening.bars += 1
        opening.high = max(opening.high, bar.high)
        opening.low = min(opening.low, bar.low)
    elif opening.bars > 0 and opening.complete == 0:
        opening.complete = 1
        opening.completed = 1


OUT = record_dtype([("high", "f8"), ("low", "f8"), ("complete", "f8")])
"""high, low : the day's opening range once complete, else NaN. complete : 1 from then on."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `start_minute` (555, 09:15), `end_minute` (570, 09:30, not included): local minutes of the
    window. `day_shift_minutes` (0): see `market_clock.DAY_RULES`.
    """
    return read_params("opening_range", RULES, values)


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state."""
    made = np.zeros(1, OPENING)
    reset_opening(made[0])
    return made


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar and write what is known at its close."""
    day = trading_day(bar, params.day_shift_minutes)
    step_opening_of(bar, day, params.start_minute, params.end_minute, state)
    out.complete = state.complete
    out.high = state.high if state.complete == 1 else np.nan
    out.low = state.low if state.complete == 1 else np.nan


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].opening, out[i])


BLOCK = Block(
    name="opening_range",
    run=run,
    parts={"opening": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class OpeningRange(KernelIndicator):
    """The day's opening range; see `opening_range.OUT` for its lines."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {"complete": {"_plotskip": True}}  # noqa: RUF012


def opening_range(
    frame: pd.DataFrame,
    start: str = "09:15",
    end: str = "09:30",
    *,
    zone: str | None = "Asia/Kolkata",
    day_shift_minutes: int = 0,
) -> pd.DataFrame:
    """Return the opening range (see `OUT`) for a DataFrame of bars indexed by START.

    Parameters
    ----------
    start, end : str
        Local times HH:MM of the window in `zone`; the end is not included.
    """
    values = {
        "start_minute": parse_minute(start),
        "end_minute": parse_minute(end),
        "day_shift_minutes": day_shift_minutes,
    }
    return zoned_columns(BLOCK, frame, zone, values)


callable_module(__name__)
