"""Named sessions and kill zones: local-time windows, their running and previous extremes.

A window is [start, end) in minutes of the local day, tested on a bar's START; it may run over
midnight and is then named by the date of its start. Kernels know no zones: the bar carries its
local minute and weekday, so windows hold through daylight saving changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.compile import kernel, record_dtype
from core.errors import ConfigError, near_name
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.line import KernelIndicator
from indicators.market_clock import local_date, parse_minute, zoned_columns
from indicators.parameters import ParamsArray, Rules, Whole, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd


class Window(NamedTuple):
    """A named window: IANA zone, first minute and end minute (not included) of the local day."""

    zone: str
    start: int
    end: int


WINDOWS = {
    "asia": Window("America/New_York", 18 * 60, 2 * 60),
    "london": Window("America/New_York", 2 * 60, 5 * 60),
    "new_york": Window("America/New_York", 7 * 60, 11 * 60),
    "london_close": Window("America/New_York", 10 * 60, 12 * 60),
    "ny_afternoon": Window("America/New_York", 13 * 60 + 30, 16 * 60),
    "nse": Window("Asia/Kolkata", 9 * 60 + 15, 15 * 60 + 30),
    "nse_opening": Window("Asia/Kolkata", 9 * 60 + 15, 9 * 60 + 30),
}
"""Default windows. Kill-zone hours are trading folklore: these are this project's choice."""

RULES: Rules = {"start_minute": Whole(120, 0, 1439), "end_minute": Whole(300, 0, 1439)}
PARAMS = params_dtype(RULES)

SESSION_STATE = record_dtype(
    [
        ("date", "i8"),
        ("bars", "i8"),
        ("high", "f8"),
        ("low", "f8"),
        ("previous_high", "f8"),
        ("previous_low", "f8"),
        ("previous_date", "i8"),
        ("active", "i1"),
        ("completed", "i1"),
    ]
)
"""One named session as it runs.

date : local date (days since 1970-01-01) of the start of the running or last session.
bars : bars of that session so far. high, low : its extremes so far, price units.
previous_* : the last completed session of this name; date -1 before the first.
active : 1 if this bar lies inside. completed : 1 on the first bar after a session's end.
"""

OUT = record_dtype(
    [
        ("active", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("previous_high", "f8"),
        ("previous_low", "f8"),
    ]
)
"""active : 1 inside the window. high, low : extremes so far while inside, else NaN.
previous_high, previous_low : the last completed session, from the first bar after its end until
the next session of that name has ended."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `start_minute` (120), `end_minute` (300, not included): local minutes of the window.
    """
    return read_params("sessions", RULES, values)


@kernel
def in_window(minute: int, start: int, end: int) -> bool:
    """Tell whether a minute of the day lies in [start, end), over midnight if end <= start."""
    if start < end:
        return start <= minute and minute < end
    return minute >= start or minute < end


@kernel
def reset_session(session: Any) -> None:
    """Bring a session record to the state before the first bar."""
    session.date = -1
    session.bars = 0
    session.high = np.nan
    session.low = np.nan
    session.previous_high = np.nan
    session.previous_low = np.nan
    session.previous_date = -1
    session.active = 0
    session.completed = 0


@kernel
def complete_session(session: Any) -> None:
    """Make the running session the previous one."""
    session.previous_high = session.high
    session.previous_low = session.low
    session.previous_date = session.date
    session.active = 0
    session.completed = 1


@kernel
def step_session(bar: Any, start: int, end: int, session: Any) -> None:
    """Advance one named session by one bar; the window is [start, end) in local minutes."""
    session.completed = 0
    inside = in_window(bar.minute, start, end)
    date = -1
    if inside:
        date = local_date(bar)
        if end <= start and bar.minute < end:
            date -= 1
    if session.active == 1 and date != session.date:
        complete_session(session)
    if not inside:
        return
    if date != session.date:
        session.date = date
        session.bars = 0
        session.high = bar.high
        session.low = bar.low
    session.active = 1
    session.bars += 1
    session.high = max(session.high, bar.high)
    session.low = min(session.low, bar.low)


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar and write what is known at its close."""
    step_session(bar, params.start_minute, params.end_minute, state)
    out.active = state.active
    out.high = state.high if state.active == 1 else np.nan
    out.low = state.low if state.active == 1 else np.nan
    out.previous_high = state.previous_high
    out.previous_low = state.previous_low


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].session, out[i])


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state."""
    made = np.zeros(1, SESSION_STATE)
    reset_session(made[0])
    return made


BLOCK = Block(
    name="sessions",
    run=run,
    parts={"session": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class Session(KernelIndicator):
    """A named session's running and previous extremes; see `sessions.OUT` for its lines.

    Local minutes are those of our feeds' market; a plain feed's are those of its own clock.
    """

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {"active": {"_plotskip": True}}  # noqa: RUF012


def sessions(
    frame: pd.DataFrame,
    name: str = "london",
    *,
    start: str | None = None,
    end: str | None = None,
    zone: str | None = None,
) -> pd.DataFrame:
    """Return a session's columns (see `OUT`) for a DataFrame of bars.

    Parameters
    ----------
    frame : DataFrame
        Bars indexed by START, aware or naive UTC.
    name : str
        One of WINDOWS, used for what is not given.
    start, end : str, optional
        Local times HH:MM; the end is not included.
    zone : str, optional
        IANA zone the times are in.

    Raises
    ------
    ConfigError : for an unknown name, zone or time.
    """
    if name not in WINDOWS:
        raise ConfigError(f"session {name!r} is unknown{near_name(name, WINDOWS)}")
    window = WINDOWS[name]
    values = {
        "start_minute": window.start if start is None else parse_minute(start),
        "end_minute": window.end if end is None else parse_minute(end),
    }
    return zoned_columns(BLOCK, frame, zone or window.zone, values)


callable_module(__name__)
