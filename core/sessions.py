"""Where calendars come from: a library's holidays or a rule, then dated overrides from TOML.

NSE and Globex gold start from pandas_market_calendars, whose answer is kept in the user's cache
folder (importing it takes longer than a short backtest); MCX, FX and 24/7 are rules of ours.
Then `data/calendar.toml` and the user's own file of the same form correct them.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import EARLY_CLOSE, REGULAR, SPECIAL
from core.calendar import Calendar, day_date, day_number
from core.compile import user_cache_folder
from core.errors import ConfigError, near_name
from core.files import put_in_place
from core.zones import NS_PER_DAY, NS_PER_MINUTE, Times, zone_table

logger = logging.getLogger(__name__)

BUNDLED_OVERRIDES = Path(__file__).resolve().parent.parent / "data" / "calendar.toml"

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2030, 12, 31)
_HOUR = 60 * NS_PER_MINUTE
_FEWEST_HOLIDAYS = 5
"""A year with fewer weekdays off than this has no holiday list (NSE and MCX have ten or more)."""

Schedule = tuple[np.ndarray[Any, Any], Times, Times]
"""Trading-day numbers, opens and closes (ns UTC)."""


@dataclass(frozen=True)
class _Market:
    """How one calendar is made."""

    zone: str
    roll_ns: int
    regular_open: int
    regular_close: int
    build: Callable[[_Market], Schedule]
    lists_holidays: bool = False


def _weekdays() -> np.ndarray[Any, Any]:
    days = np.arange(day_number(_FIRST_DAY), day_number(_LAST_DAY) + 1)
    return days[(days + 3) % 7 < 5]


def _regular(market: _Market, days: np.ndarray[Any, Any]) -> Schedule:
    zone, midnight = zone_table(market.zone), days * NS_PER_DAY
    return (
        days,
        zone.to_utc(midnight + market.regular_open),
        zone.to_utc(midnight + market.regular_close),
    )


def _fx(market: _Market) -> Schedule:
    days = _weekdays()
    dates = [day_date(int(day)) for day in days]
    holidays = [(when.month, when.day) in ((1, 1), (12, 25)) for when in dates]
    return _regular(market, days[~np.array(holidays)])


def _always(market: _Market) -> Schedule:
    return _regular(market, np.arange(day_number(_FIRST_DAY), day_number(_LAST_DAY) + 1))


def _mcx(market: _Market) -> Schedule:
    """Return every weekday 09:00 to 23:30, to 23:55 while New York keeps standard time."""
    days, opens, closes = _regular(market, _weekdays())
    new_york = zone_table("America/New_York")
    winter = new_york.offset_at(closes) == -5 * _HOUR
    return days, opens, closes + np.where(winter, 25 * NS_PER_MINUTE, 0)


def _library(name: str) -> Callable[[_Market], Schedule]:
    return lambda _market: _cached_library_schedule(name)


_MARKETS: dict[str, _Market] = {
    "NSE": _Market(
        "Asia/Kolkata",
        0,
        9 * _HOUR + 15 * NS_PER_MINUTE,
        15 * _HOUR + 30 * NS_PER_MINUTE,
        _library("NSE"),
        lists_holidays=True,
    ),
    "CMEGlobex_GC": _Market(
        "America/New_York", 6 * _HOUR, -6 * _HOUR, 17 * _HOUR, _library("CMEGlobex_GC")
    ),
    "MCX": _Market(
        "Asia/Kolkata",
        0,
        9 * _HOUR,
        23 * _HOUR + 30 * NS_PER_MINUTE,
        _mcx,
        lists_holidays=True,
    ),
    "FX": _Market("America/New_York", 7 * _HOUR, -7 * _HOUR, 17 * _HOUR, _fx),
    "ICE_DX": _Market("America/New_York", 7 * _HOUR, -4 * _HOUR, 17 * _HOUR, _fx),
    "24/7": _Market("UTC", 0, 0, NS_PER_DAY, _always),
}

CALENDAR_NAMES = tuple(_MARKETS)


def _library_schedule(name: str) -> Schedule:
    import pandas_market_calendars

    frame = pandas_market_calendars.get_calendar(name).schedule(_FIRST_DAY, _LAST_DAY)
    days = frame.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    opens = frame["market_open"].dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    closes = frame["market_close"].dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    return days, opens.astype(np.int64), closes.astype(np.int64)


def _cached_library_schedule(name: str) -> Schedule:
    """Return the library's schedule from the user's cache folder, building it the first time."""
    version = importlib.metadata.version("pandas_market_calendars")
    span = f"{_FIRST_DAY.year}-{_LAST_DAY.year}"
    path = user_cache_folder() / "calendars" / f"{name}-{version}-{span}.npy"
    try:
        table = np.load(path, allow_pickle=False)
        if table.shape[0] == 3 and table.dtype == np.int64:
            return table[0], table[1], table[2]
    except (OSError, ValueError, EOFError, IndexError):
        pass  # absent, cut short or from another program: build it again
    schedule = _library_schedule(name)
    _write_cache(path, np.stack(schedule))
    return schedule


def _write_cache(path: Path, table: np.ndarray[Any, Any]) -> None:
    """Write whole or not at all; a folder that cannot be written costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, table, allow_pickle=False)
        put_in_place(Path(temporary), path)
    except OSError as cause:
        logger.debug("calendar cache not written: %s", cause)


@dataclass(frozen=True)
class _Override:
    """One dated correction: closed, or other hours.

    open, close : ns from local midnight; None keeps what the calendar has for the day.
    """

    closed: bool = False
    open: int | None = None
    close: int | None = None
    special: bool = False


@dataclass
class _Overrides:
    """The corrections of one calendar in one file."""

    by_day: dict[int, _Override] = field(default_factory=dict)
    years: set[int] = field(default_factory=set)


def build_calendar(name: str, user_file: str | None = None) -> Calendar:
    """Return a calendar; see `core.calendar.get_calendar`."""
    if name not in _MARKETS:
        raise ConfigError(f"calendar {name!r} is unknown{near_name(name, _MARKETS)}")
    return _built(name, user_file, _modified(user_file) if user_file else 0)


def _modified(path: str) -> int:
    """Return when a file last changed (ns), 0 where there is none: part of the caches' keys."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=32)
def _built(name: str, user_file: str | None, _user_file_modified: int) -> Calendar:
    market = _MARKETS[name]
    calendar = _from_schedule(name, market, market.build(market))
    listed: set[int] = set()
    for path in filter(None, (str(BUNDLED_OVERRIDES), user_file)):
        overrides = _read_overrides(path, _modified(path)).get(name, _Overrides())
        calendar = _apply(calendar, overrides.by_day)
        listed |= overrides.years
    missing = _years_without_holidays(calendar) - listed if market.lists_holidays else frozenset()
    return replace(calendar, missing_years=missing)


def _from_schedule(name: str, market: _Market, schedule: Schedule) -> Calendar:
    days, opens, closes = schedule
    calendar = Calendar(
        name,
        zone_table(market.zone),
        market.roll_ns,
        market.regular_open,
        market.regular_close,
        days,
        opens,
        closes,
        np.full(len(days), REGULAR, np.uint16),
    )
    regular_open, regular_close = calendar.regular_hours(days)
    flags = calendar.flags
    flags[(opens > regular_open) & (opens >= regular_close - _HOUR * 2)] |= SPECIAL
    flags[closes < regular_close] |= EARLY_CLOSE
    return calendar


def _years_without_holidays(calendar: Calendar) -> frozenset[int]:
    dates = _weekdays().astype("datetime64[D]")
    off = dates[~np.isin(_weekdays(), calendar.days)].astype("datetime64[Y]").astype(int) + 1970
    years = range(_FIRST_DAY.year, _LAST_DAY.year + 1)
    return frozenset(year for year in years if np.count_nonzero(off == year) < _FEWEST_HOLIDAYS)


def _apply(calendar: Calendar, overrides: Mapping[int, _Override]) -> Calendar:
    """Return the calendar with these days replaced, added or taken out."""
    if not overrides:
        return calendar
    changed = np.array(sorted(overrides))
    keep = ~np.isin(calendar.days, changed)
    open_days = [day for day in sorted(overrides) if not overrides[day].closed]
    rows = np.array(
        [_override_row(calendar, day, overrides[day]) for day in open_days], np.int64
    ).reshape(-1, 4)
    kept = np.stack([calendar.days, calendar.opens, calendar.closes, calendar.flags], axis=1)
    table = np.concatenate([kept[keep], rows])
    table = table[np.argsort(table[:, 0], kind="stable")]
    return replace(
        calendar,
        days=table[:, 0].copy(),
        opens=table[:, 1].copy(),
        closes=table[:, 2].copy(),
        flags=table[:, 3].astype(np.uint16),
    )


def _override_row(calendar: Calendar, day: int, override: _Override) -> tuple[int, int, int, int]:
    regular = [int(hours[0]) for hours in calendar.regular_hours(np.array([day]))]
    known = calendar.session_of(day)
    opened, closed = (known.open, known.close) if known else (regular[0], regular[1])
    midnight = np.array([day * NS_PER_DAY])
    if override.open is not None:
        opened = int(calendar.zone.to_utc(midnight + override.open)[0])
    if override.close is not None:
        closed = int(calendar.zone.to_utc(midnight + override.close)[0])
    early = EARLY_CLOSE if closed < regular[1] else 0
    return day, opened, closed, REGULAR | early | (SPECIAL if override.special else 0)


_MIDDAY_BREAK = 17 * _HOUR
"""Where MCX parts its morning session from its evening session."""
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_KEYS = ("sessions", "closed", "regular", "evening_only", "morning_only", "years")


@lru_cache(maxsize=8)
def _read_overrides(path: str, _modified_ns: int) -> dict[str, _Overrides]:
    """Return the overrides of a calendar file by calendar name; all faults in one message."""
    try:
        with Path(path).open("rb") as stream:
            document = tomllib.load(stream)
    except OSError as cause:
        raise ConfigError(f"calendar file {path}: {cause.strerror or cause}") from cause
    except tomllib.TOMLDecodeError as cause:
        raise ConfigError(f"calendar file {path}: not valid TOML: {cause}") from cause
    faults: list[str] = []
    tables = {name: _parse_market(name, table, faults) for name, table in document.items()}
    if faults:
        raise ConfigError("\n".join([f"calendar file {path}: {len(faults)} faults", *faults]))
    return tables


def _parse_market(name: str, table: Any, faults: list[str]) -> _Overrides:
    if name not in _MARKETS:
        faults.append(f"  [{name}]: no such calendar{near_name(name, _MARKETS)}")
        return _Overrides()
    if not isinstance(table, dict):
        faults.append(f"  {name}: expected a table [{name}]")
        return _Overrides()
    faults += [f"  {name}.{key}: unknown{near_name(key, _KEYS)}" for key in table.keys() - _KEYS]
    overrides = _Overrides(years={year for year in table.get("years", []) if type(year) is int})
    market = _MARKETS[name]
    forms = {
        "closed": _Override(closed=True),
        "regular": _Override(open=market.regular_open, close=market.regular_close),
        "morning_only": _Override(close=_MIDDAY_BREAK),
        "evening_only": _Override(open=_MIDDAY_BREAK),
    }
    for key, override in forms.items():
        for when in table.get(key, []):
            _add(overrides, f"{name}.{key}", when, override, faults)
    for row in table.get("sessions", []):
        _parse_session(overrides, name, row, faults)
    return overrides


def _add(
    overrides: _Overrides, where: str, when: Any, override: _Override, faults: list[str]
) -> None:
    if isinstance(when, datetime) or not isinstance(when, date):
        faults.append(f"  {where}: {when!r} is not a date such as 2024-03-02")
    elif day_number(when) in overrides.by_day:
        faults.append(f"  {where}: {when} is listed twice")
    else:
        overrides.by_day[day_number(when)] = override


def _parse_session(overrides: _Overrides, name: str, row: Any, faults: list[str]) -> None:
    """Read {date, open, close, special = true, note}: hours of the market's own zone.

    An open at or after the close lies on the evening before.
    """
    where = f"{name}.sessions"
    if not isinstance(row, dict) or not {"date", "open", "close"} <= row.keys():
        faults.append(f"  {where}: {row!r} needs date, open and close")
        return
    clocks = [_CLOCK.fullmatch(str(row[key])) for key in ("open", "close")]
    if clocks[0] is None or clocks[1] is None:
        faults.append(f"  {where} {row['date']}: times are written HH:MM, such as 09:15")
        return
    opened, closed = (
        int(clock[1]) * _HOUR + int(clock[2]) * NS_PER_MINUTE for clock in clocks if clock
    )
    if opened >= closed:
        opened -= NS_PER_DAY
    override = _Override(open=opened, close=closed, special=bool(row.get("special", True)))
    _add(overrides, where, row["date"], override, faults)
