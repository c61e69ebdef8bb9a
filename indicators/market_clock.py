"""Put a DataFrame of bars on a market's own clock, where no feed has annotated it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from core.compile import kernel
from core.errors import ConfigError, near_name
from indicators.block import Block
from indicators.frame import columns_frame
from indicators.parameters import Rules, Whole

if TYPE_CHECKING:
    import pandas as pd

MINUTES_A_DAY = 1440
DAY_NS = 86_400_000_000_000

DAY_RULES: Rules = {"day_shift_minutes": Whole(0, 0, MINUTES_A_DAY - 1)}
"""day_shift_minutes : 0 takes the bar's own trading day (our feeds fill it by the calendar);
more is added to local time to get it, 360 for gold on New York time."""


@kernel
def local_date(bar: Any) -> int:
    """Return the local calendar date of a bar's START as days since 1970-01-01.

    The bar carries the local weekday; of the UTC date and its neighbours that one is meant.
    """
    date: int = bar.start // DAY_NS
    shift = (bar.weekday - (date + 3)) % 7
    if shift == 1:
        date += 1
    elif shift == 6:
        date -= 1
    return date


@kernel
def trading_day(bar: Any, day_shift_minutes: int) -> int:
    """Return the bar's trading day, or its local time plus the shift as a date."""
    day: int = bar.day
    if day_shift_minutes > 0:
        day = local_date(bar) + (bar.minute + day_shift_minutes) // MINUTES_A_DAY
    return day


def parse_minute(text: str) -> int:
    """Return a local time such as '09:15' as a minute of the day.

    Raises
    ------
    ConfigError : if it is not HH:MM.
    """
    hours, _, minutes = text.partition(":")
    if hours.isdigit() and len(minutes) == 2 and minutes.isdigit():
        minute = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and minute < MINUTES_A_DAY:
            return minute
    raise ConfigError(f"time {text!r}: expected HH:MM from 00:00 to 23:59")


def on_zone(frame: pd.DataFrame, zone: str | None) -> pd.DataFrame:
    """Return the frame with its stamps in an IANA zone; None leaves them as they are.

    Naive stamps are UTC.

    Raises
    ------
    ConfigError : for an unknown zone.
    """
    import pandas as pd

    if zone is None or not isinstance(frame.index, pd.DatetimeIndex):
        return frame
    if zone not in available_timezones():
        raise ConfigError(f"zone {zone!r} is unknown{near_name(zone, _big_zones())}")
    index = frame.index if frame.index.tz is not None else frame.index.tz_localize("UTC")
    return frame.set_axis(index.tz_convert(ZoneInfo(zone)), axis=0)


def _big_zones() -> list[str]:
    return ["America/New_York", "America/Chicago", "Asia/Kolkata", "Europe/London", "UTC"]


def zoned_columns(
    block: Block, frame: pd.DataFrame, zone: str | None, values: Mapping[str, Any]
) -> pd.DataFrame:
    """Run a block over a DataFrame whose local minutes are those of `zone`.

    The rows keep the index they came with.
    """
    return columns_frame(block, on_zone(frame, zone), values).set_axis(frame.index, axis=0)
