"""Named sessions and kill zones: local-time windows, their running and previous extremes.

A window is [start, end) in minutes of the local day, tested on a bar's START; it may run over
midnight and is then named by the date of its start. Kernels know no zones: the bar carries its
local minute and weekday, so windows hold through daylight saving changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype

DAY_NS = 86_400_000_000_000
MINUTES_A_DAY = 1440

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


@kernel
def in_window(minute: int, start: int, end: int) -> bool:
    """Tell whether a minute of the day lies in [start, end), over midnight if end <= start."""
    if start < end:
        return start <= minute and minute < end
    return minute >= start or minute < end


@kernel
def local_date(bar: Any) -> int:
    """Return the local calendar date of a bar's START as days since 1970-01-01.

    The bar carries the local weekday; of the UTC date and its neighbours that one is meant.
    """
    date = bar.start // DAY_NS
    shift = (bar.weekday - (date + 3)) % 7
    if shift == 1:
        date += 1
    elif shift == 6:
        date -= 1
    return date


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
