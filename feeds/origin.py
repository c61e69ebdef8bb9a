"""In which zone, and at which side of the bar, a file's stamps stand: stated, told or found out.

What is not stated is found from the market's own hours. Read in the right zone no spot gold bar
starts between 17:00 and 18:00 New York and every NSE bar starts in 09:15-15:30 Kolkata; a file
stamped at bar ends has a stamp at the session's close and none at its open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.calendar import Calendar
from core.errors import ConfigError, near_name
from core.zones import NS_PER_DAY, NS_PER_MINUTE, Times, zone_table
from feeds.columns import Columns
from feeds.kinds import Kind
from feeds.zones import SERVER_TIME, Zone, parse_zone

_CANDIDATES = (
    "UTC",
    SERVER_TIME,
    "America/New_York",
    "EST",
    "Asia/Kolkata",
    "America/Chicago",
    "Europe/London",
    "Europe/Athens",
    "Europe/Berlin",
    "Asia/Dubai",
    "Asia/Singapore",
    "+02:00",
    "+03:00",
)
"""Tried in this order; the first of those that mean the same times names the zone."""
_OFFSETS = tuple(f"{hours:+03d}:00" for hours in range(-12, 15))
"""Tried where no named zone fits."""
_CLUES = {
    "CMEGlobex_GC": "from the daily break 17:00-18:00 New York",
    "FX": "from the weekend break at 17:00 New York",
    "ICE_DX": "from the daily break 17:00-20:00 New York",
    "NSE": "from the NSE day 09:15-15:30",
    "MCX": "from the MCX day",
}
_INDIAN = ("NSE", "MCX")
_SAMPLE, _STRETCH = 40_000, 1_000
_FOREIGN = 0.002
"""Share of bars outside market hours that the right zone may show: special sessions, strays."""
_SPECIAL = 0.03
"""Share up to which a zone still counts when all others do far worse: many special sessions."""
_MARGIN = 0.0005
"""A zone whose share is no more than this above the best one's fits nearly as well."""


@dataclass(frozen=True)
class Origin:
    """Where a file's stamps stand.

    start : ndarray of int64, shape (n,); START of each bar, ns UTC.
    zone, zone_known : name, and how it is known, with confidence and evidence where it was found.
    sure : False where the zone was assumed or other zones fit nearly as well.
    rivals : the two best zones where the file cannot tell which; a user must.
    stamp, stamp_known : start or end, and how that is known.
    """

    start: Times
    zone: str
    zone_known: str
    sure: bool
    stamp: str
    stamp_known: str
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """A zone, how it is known, and what came to light with it; zone None: the stamps are UTC."""

    zone: Zone | None
    known: str
    sure: bool = True
    side: str | None = None
    rivals: tuple[str, ...] = ()


def settle_origin(
    columns: Columns, calendar: Calendar, step_ns: int, tz: str | None, stamp: str | None
) -> Origin:
    """Return the START of every row in UTC, and how it came to be known.

    Parameters
    ----------
    columns : Columns
        The source's rows.
    calendar : Calendar
        Of the instrument's market.
    step_ns : int
        The file's grid.
    tz : str or None
        Zone as the user stated it; None or 'auto' finds it out.
    stamp : str or None
        start, end, or None or 'auto' to find it out.

    Raises
    ------
    ConfigError : unknown zone or stamp side.
    DataError : no zone fits the market's hours, or a stamp stands in an hour its zone skips.
    """
    if stamp not in (None, "auto", "start", "end"):
        raise ConfigError(f"stamp={stamp}{near_name(str(stamp), ('auto', 'start', 'end'))}")
    side = None if stamp == "auto" else stamp
    stated = None if tz is None or tz.lower() == "auto" else parse_zone(tz)
    if step_ns >= NS_PER_DAY:
        return _dated(columns, calendar, stated)
    found = _zone(columns, calendar, step_ns, stated, side)
    zone = found.zone
    utc, skipped = (columns.stamps, -1) if zone is None else zone.to_utc(columns.stamps)
    if skipped >= 0:
        raise columns.fault(
            f"the stamp lies in an hour that {zone and zone.name} skips;"
            " state the file's own zone with --tz",
            skipped,
        )
    told = side or columns.kind.stamp
    side, side_known = _side(utc, calendar, step_ns, side, found.side, columns.kind)
    if told and side != told:
        side_known += f", though {columns.kind.name} files are stamped at bar {told}s"
    start = _starts_of_ends(utc, calendar, step_ns) if side == "end" else utc
    name = zone.name if zone else "UTC"
    return Origin(start, name, found.known, found.sure, side, side_known, found.rivals)


def require_sure(origin: Origin, columns: Columns) -> None:
    """Refuse to choose between zones that fit equally well but mean other times.

    Raises
    ------
    DataError : naming both and the flag.
    """
    if origin.rivals:
        first, second = origin.rivals[:2]
        raise columns.fault(
            f"the stamps name no zone and the file cannot tell {first} from {second}"
            f" ({origin.zone_known}): give --tz {first} or --tz {second}"
        )


def _zone(
    columns: Columns, calendar: Calendar, step_ns: int, stated: Zone | None, side: str | None
) -> _Found:
    kind = columns.kind
    is_clock = columns.epoch and (stated is not None or kind.is_server_time)
    if columns.zone_known and not is_clock:
        # Epochs of MT5 exports are often server time: a stated zone is believed over them.
        if columns.epoch:
            _doubt_epochs(columns, calendar, step_ns)
        return _Found(None, columns.zone_known)
    if stated:
        return _Found(stated, "stated")
    if kind.zone:
        told = _told(columns, calendar, kind.zone)
        if told is not None:
            return told
    found = _found(columns, calendar, step_ns, side)
    if found is not None:
        return found
    usual = kind.usual_zone
    if usual:
        known = f"{usual} is usual for this source, but the hours in the file cannot tell"
        return _Found(parse_zone(usual), known, False, None, (usual, "UTC"))
    name = "Asia/Kolkata" if calendar.name in _INDIAN else "UTC"
    return _Found(parse_zone(name), "assumed: the hours in the file cannot tell", False)


def _told(columns: Columns, calendar: Calendar, name: str) -> _Found | None:
    """Return the zone a file's maker states, None if the market's hours speak against it."""
    known = columns.kind.known
    sample = _sample(columns, calendar)
    if sample is None:
        return _Found(parse_zone(name), known)
    zone = parse_zone(name)
    share = min(foreign_share(wall, zone, calendar) for wall in (sample, sample - 1))
    if share > _SPECIAL:
        return None
    return _Found(zone, f"{known}, {share:.2%} of bars outside {calendar.name}'s hours")


def _doubt_epochs(columns: Columns, calendar: Calendar, step_ns: int) -> None:
    """Refuse counts from 1970 that only make sense as a server's wall clock."""
    sample = _sample(columns, calendar)
    if sample is None:
        return
    utc = parse_zone("UTC")
    share = min(foreign_share(wall, utc, calendar) for wall in (sample, sample - 1))
    if share <= _SPECIAL:
        return
    found = _found(columns, calendar, step_ns, None)
    if found is not None and found.zone is not None and found.sure:
        name = found.zone.name
        raise columns.fault(
            f"counts from 1970 read as UTC put {share:.1%} of the bars where {calendar.name} is"
            f" shut, read as {name} they fit: state --tz {name}, or --tz UTC if they are right"
        )


def _sample(columns: Columns, calendar: Calendar) -> Times | None:
    """Return stamps enough to judge a zone by, None where market or file are no use for that."""
    sample = _stretches(columns.stamps)
    if calendar.name not in _CLUES or len(sample) < 50:
        return None
    return sample if int(sample[-1] - sample[0]) >= 3 * NS_PER_DAY else None


def _found(columns: Columns, calendar: Calendar, step_ns: int, side: str | None) -> _Found | None:
    """Look for the zone in the market's hours, with START stamps first, then END stamps."""
    sample = _sample(columns, calendar)
    if sample is None:
        return None
    usual = columns.kind.usual_zone
    named = (usual, *(name for name in _CANDIDATES if name != usual)) if usual else _CANDIDATES
    best: dict[str, float] = {}
    for names in (named, _OFFSETS):
        for tried in (side,) if side else ("start", "end"):
            # One nanosecond early puts an END stamp into its own bar.
            wall = sample - 1 if tried == "end" else sample
            shares = {name: foreign_share(wall, parse_zone(name), calendar) for name in names}
            name, rivals = _ranked(wall, shares)
            if _fits(wall, shares, name):
                known = _words(_CLUES[calendar.name], wall, shares, name, rivals)
                both = (name, rivals[0]) if rivals else ()
                side_found = None if tried == "start" else tried
                return _Found(parse_zone(name), known, not rivals, side_found, both)
            best[name] = min(shares[name], best.get(name, 1.0))
    nearest = min(best, key=lambda name: best[name])
    raise columns.fault(
        f"no zone fits the hours of {calendar.name}: read as {nearest} still {best[nearest]:.1%}"
        " of the bars lie outside them; state the zone with --tz, or the right --instrument"
    )


def _stretches(wall: Times) -> Times:
    """Return whole stretches of a long file: a stride would see the same minutes each day."""
    if len(wall) <= _SAMPLE:
        return wall
    firsts = np.linspace(0, len(wall) - _STRETCH, _SAMPLE // _STRETCH).astype(np.int64)
    return wall[np.unique((firsts[:, None] + np.arange(_STRETCH)).ravel())]


def foreign_share(wall: Times, zone: Zone, calendar: Calendar) -> float:
    """Return the share of stamps outside the market's regular week when read in a zone."""
    utc, skipped = zone.to_utc(wall)
    if skipped >= 0:
        return 1.0
    return float(np.count_nonzero(outside_week(utc, calendar))) / max(len(wall), 1)


def outside_week(utc: Times, calendar: Calendar) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which times lie outside the market's regular hours, Monday to Friday."""
    days = calendar.trading_days(utc)
    opens, closes = calendar.regular_hours(days)
    return (utc < opens) | (utc >= closes) | ((days + 3) % 7 > 4)


def _ranked(wall: Times, shares: dict[str, float]) -> tuple[str, list[str]]:
    """Return the best zone and those that fit nearly as well yet mean other times."""
    least = min(shares.values())
    near = [name for name in shares if shares[name] <= least + _MARGIN]
    others = _other_times(wall, near[0], near)
    return near[0], sorted(others, key=lambda name: shares[name])


def _other_times(wall: Times, best: str, names: list[str]) -> list[str]:
    """Return the zones that read the stamps as other times than the best one does."""
    utc = parse_zone(best).to_utc(wall)[0]
    return [name for name in names if not np.array_equal(parse_zone(name).to_utc(wall)[0], utc)]


def _fits(wall: Times, shares: dict[str, float], best: str) -> bool:
    """Say whether a zone keeps the market's hours, or nearly so while every other breaks them."""
    if shares[best] <= _FOREIGN:
        return True
    others = [shares[name] for name in _other_times(wall, best, list(shares))]
    return shares[best] <= _SPECIAL and min(others) >= 4 * shares[best] + 0.01


def _words(clue: str, wall: Times, shares: dict[str, float], best: str, rivals: list[str]) -> str:
    """Say from what the zone is known, how sure that is, and by which figures."""
    if rivals:
        runner = rivals[0]
        return (
            f"{clue}, unsure: {shares[best]:.2%} of bars outside as {best},"
            f" {shares[runner]:.2%} as {runner}"
        )
    words = f"{clue}, sure: {shares[best]:.2%} of bars outside"
    others = _other_times(wall, best, list(shares))
    if others:
        runner = min(others, key=lambda name: shares[name])
        words += f", {runner} {shares[runner]:.1%}"
    changes = daylight_changes(parse_zone(best), int(wall[0]), int(wall[-1]))
    if changes:
        words += f", through {changes} daylight change{'s' if changes > 1 else ''}"
    return words


def daylight_changes(zone: Zone, first: int, last: int) -> int:
    """Return how often a zone's offset changes between two wall-clock times (ns)."""
    since = zone_table(zone.key).since
    return int(np.count_nonzero((since > first) & (since <= last)))


def _side(
    utc: Times,
    calendar: Calendar,
    step_ns: int,
    stated: str | None,
    found: str | None,
    kind: Kind,
) -> tuple[str, str]:
    """Return which side of the bar the stamps name, and how that is known."""
    if stated:
        return stated, "stated"
    if found:
        return found, "from the session's ends"
    told = (kind.stamp, kind.known) if kind.stamp else ("start", "assumed")
    if calendar.name not in _CLUES or not len(utc):
        return told
    rising = utc if bool((utc[1:] >= utc[:-1]).all()) else np.sort(utc)
    days = calendar.trading_days(rising)
    days = days[np.append(True, days[1:] != days[:-1])]
    days = days[(days + 3) % 7 < 5]
    opens, closes = calendar.regular_hours(days)
    round_the_clock = closes[:-1] == opens[1:]
    if round_the_clock.any():
        opens, closes = opens[1:][~round_the_clock], closes[:-1][~round_the_clock]
    at_open = np.count_nonzero(is_among(opens, rising))
    at_close = np.count_nonzero(is_among(closes, rising))
    if at_open + at_close < 2 or step_ns >= 60 * NS_PER_MINUTE:
        return told
    return ("end" if at_close > at_open else "start"), "from the session's ends"


def is_among(wanted: Times, rising: Times) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which times occur among rising ones (numpy's own way is slow on a million)."""
    place = np.minimum(np.searchsorted(rising, wanted), len(rising) - 1)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = rising[place] == wanted
    return found


def _starts_of_ends(ends: Times, calendar: Calendar, step_ns: int) -> Times:
    """Return the START of bars stamped at their END; the session's last bar may be a short one."""
    start: Times = ends - step_ns
    days = calendar.trading_days(ends - 1)
    last = ends == calendar.regular_hours(days)[1]
    start[last] = calendar.grid_starts(ends[last] - 1, step_ns)
    return start


def _dated(columns: Columns, calendar: Calendar, stated: Zone | None) -> Origin:
    """Read day bars: midnight names a trading date, another time is the bar's START."""
    if not columns.zone_known:
        dates, midnight = _midnights(columns.stamps)
        if midnight:
            return _of_dates(dates, calendar)
    zone = None if columns.zone_known and not (stated and columns.epoch) else stated
    utc, _ = (columns.stamps, -1) if zone is None else zone.to_utc(columns.stamps)
    for clock in (utc, calendar.zone.to_local(utc)):
        dates, midnight = _midnights(clock)
        if midnight:
            return _of_dates(dates, calendar)
    known = columns.zone_known or ("stated" if zone else "assumed")
    return Origin(utc, zone.name if zone else "UTC", known, bool(zone), "start", "assumed")


def _midnights(clock: Times) -> tuple[Times, bool]:
    dates = clock // NS_PER_DAY
    return dates, bool((dates * NS_PER_DAY == clock).all())


def _of_dates(dates: Times, calendar: Calendar) -> Origin:
    opens = calendar.grid_starts(calendar.regular_hours(dates)[0], NS_PER_DAY)
    return Origin(opens, "trading date", "midnight stamps", True, "start", "trading date")
