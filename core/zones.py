"""Local wall time of whole arrays, by IANA zone and without pandas.

A zone's offset changes are read once from zoneinfo; after that a million stamps take one binary
search. Never a fixed offset: daylight saving is in the table.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from core.errors import ConfigError

NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_DAY = 86_400 * NS_PER_SECOND

_LAST_SECOND = int(datetime(2070, 1, 1, tzinfo=UTC).timestamp())
"""Tables reach from 1970 to here."""
_PROBE_SECS = 7 * 86_400
"""No zone changes its offset twice within this time."""
_WORTH_A_LOOK = 1_000
"""Times from which on it pays to look whether they rise."""

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
        if np.ndim(utc) == 1 and len(utc) > _WORTH_A_LOOK and bool((utc[1:] >= utc[:-1]).all()):
            # Rising times: the few changes are sought among them, not each of them among these.
            ends = np.searchsorted(utc, self.since[1:])
            lengths = np.diff(ends, prepend=0, append=len(utc))
            rising: Times = np.repeat(self.offset, lengths)
            return rising
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


def _offset_seconds(zone: ZoneInfo, when: int) -> int:
    """Return local minus UTC at a time (seconds since 1970)."""
    offset = datetime.fromtimestamp(when, zone).utcoffset()
    return 0 if offset is None else offset.days * 86_400 + offset.seconds


def _change_between(zone: ZoneInfo, low: int, high: int) -> int:
    """Return the first whole second after `low` at which the offset differs from that at `low`."""
    before = _offset_seconds(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
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
    zone, at = find_zone(name), datetime.fromtimestamp
    probes = range(0, _LAST_SECOND + _PROBE_SECS, _PROBE_SECS)
    offsets = [at(probe, zone).utcoffset() for probe in probes]
    since, offset = [np.iinfo(np.int64).min // 2], [_offset_seconds(zone, 0)]
    for place in [i for i in range(1, len(offsets)) if offsets[i] != offsets[i - 1]]:
        change = _change_between(zone, probes[place - 1], probes[place])
        since.append(change * NS_PER_SECOND)
        offset.append(_offset_seconds(zone, change))
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
