"""Local wall time of whole arrays, by IANA zone and without pandas.

A zone's offset changes are read once from zoneinfo; after that a million stamps take one binary
search. Never a fixed offset: daylight saving is in the table.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from core.errors import ConfigError

NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_DAY = 86_400 * NS_PER_SECOND

_FIRST_YEAR, _LAST_YEAR = 1970, 2070
_PROBE = timedelta(days=7)
"""No zone changes its offset twice within this time."""

Times = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class ZoneTable:
    """Offsets of one zone.

    since : ndarray of int64, shape (n,); ns UTC from which `offset` holds; item 0 is the smallest.
    offset : ndarray of int64, shape (n,); local minus UTC in ns.
    """

    name: str
    since: Times
    offset: Times

    def offset_at(self, utc: Times) -> Times:
        """Return local minus UTC, in ns, at each UTC time (ns)."""
        if len(self.since) == 1:
            return np.full(np.shape(utc), self.offset[0])
        offset: Times = self.offset[np.searchsorted(self.since, utc, side="right") - 1]
        return offset

    def to_local(self, utc: Times) -> Times:
        """Return wall times, in ns since 1970-01-01 00:00 local, of UTC times (ns)."""
        return utc + self.offset_at(utc)

    def to_utc(self, local: Times) -> Times:
        """Return UTC times (ns) of wall times (ns).

        A wall time that occurs twice is taken as its first occurrence; one that the clocks skip
        is read with the offset before the change, so it lands after the gap.
        """
        earliest = local - self.offset_at(local - NS_PER_DAY)
        latest = local - self.offset_at(local + NS_PER_DAY)
        first, second = np.minimum(earliest, latest), np.maximum(earliest, latest)
        utc: Times = np.where(self.to_local(first) == local, first, second)
        return utc


def _offset_seconds(zone: ZoneInfo, when: datetime) -> int:
    offset = when.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _change_between(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first whole second after `low` at which the offset differs from that at `low`."""
    before = _offset_seconds(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if _offset_seconds(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=32)
def zone_table(name: str) -> ZoneTable:
    """Return the offset table of an IANA zone such as 'America/New_York'.

    Raises
    ------
    ConfigError : if there is no such zone; names near ones.
    """
    zone = find_zone(name)
    probe = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    since, offset = [np.iinfo(np.int64).min // 2], [_offset_seconds(zone, probe)]
    while probe.year < _LAST_YEAR:
        later = probe + _PROBE
        seconds = _offset_seconds(zone, later)
        if seconds != offset[-1]:
            change = _change_between(zone, probe, later)
            since.append(int(change.timestamp()) * NS_PER_SECOND)
            offset.append(seconds)
        probe = later
    return ZoneTable(
        name, np.array(since, np.int64), np.array(offset, np.int64) * np.int64(NS_PER_SECOND)
    )


def find_zone(name: str) -> ZoneInfo:
    """Return an IANA zone; ConfigError with near names where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as cause:
        known = available_timezones()
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        near += [zone for zone in sorted(known) if zone.lower().endswith("/" + name.lower())]
        hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
        raise ConfigError(
            f"time zone {name!r} is unknown: expected an IANA name such as Asia/Kolkata{hint}"
        ) from cause
