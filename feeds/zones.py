"""From the wall clock of a file to UTC: named zones, fixed offsets, MT5 server time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from core.errors import ConfigError
from core.zones import NS_PER_MINUTE, Times, ZoneTable, find_zone, zone_table

SERVER_TIME = "ny+7"
"""Wall clock of most MT5 servers: New York + 7 h, so that a trading day is a calendar day."""

_SPOKEN = {
    "ny": "America/New_York",
    "newyork": "America/New_York",
    "new_york": "America/New_York",
    "chicago": "America/Chicago",
    "ist": "Asia/Kolkata",
    "india": "Asia/Kolkata",
    "london": "Europe/London",
    "eet": "Europe/Athens",
    "gmt": "UTC",
    "z": "UTC",
    "utc": "UTC",
}


_MOST_REPEATS = 500
"""More steps back than any zone has repeated hours: the file is unsorted, which is told later."""


@dataclass(frozen=True)
class Zone:
    """A wall clock: an IANA zone or UTC, shifted by a fixed amount.

    name : as the user may write it.
    key : IANA key of the zone whose daylight saving it follows.
    shift_ns : wall clock minus that zone's.
    """

    name: str
    key: str = "UTC"
    shift_ns: int = 0

    def to_utc(self, wall: Times) -> tuple[Times, int]:
        """Return UTC ns of wall-clock stamps, and the first row in a skipped hour or -1.

        An hour that occurs twice is the first one until the stamps step back, then the second.
        """
        table = zone_table(self.key)
        if len(table.since) == 1 and table.offset[0] + self.shift_ns == 0:
            return wall, -1
        local = wall - self.shift_ns
        if len(table.since) == 1:
            return local - table.offset[0], -1
        utc = table.to_utc(local)
        skipped = table.to_local(utc) != local
        if skipped.any():
            return utc, int(np.argmax(skipped))
        return _second_pass(utc, local, table), -1


def _second_pass(utc: Times, local: Times, table: ZoneTable) -> Times:
    """Move the second pass of each repeated hour to its own offset."""
    steps_back = np.flatnonzero(np.diff(local) <= 0) + 1
    if len(steps_back) > _MOST_REPEATS:
        return utc
    for row in steps_back:
        change = int(np.searchsorted(table.since, utc[row - 1], "right"))
        if change == len(table.since):
            continue
        at = table.since[change]
        back = table.offset[change - 1] - table.offset[change]
        repeated = (utc >= at - back) & (utc < at)
        if repeated[row] and repeated[row - 1]:
            repeated[:row] = False
            utc = np.where(repeated, utc + back, utc)
    return utc


def parse_zone(text: str) -> Zone:
    """Return the zone a user named.

    Parameters
    ----------
    text : str
        An IANA name, `UTC`, an offset such as `+05:30`, or a zone and hours such as `ny+7`.

    Raises
    ------
    ConfigError : if it is none of these; the nearest known name is suggested.
    """
    word = text.strip()
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", word, re.IGNORECASE)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        if minutes > 15 * 60:
            raise ConfigError(f"tz={text}: expected an offset of at most 15 hours")
        return Zone(word, "UTC", (-minutes if offset[1] == "-" else minutes) * NS_PER_MINUTE)
    shifted = re.fullmatch(r"([A-Za-z_/]+)([+-]\d{1,2})", word)
    if shifted and shifted[1].lower() in _SPOKEN:
        if abs(int(shifted[2])) > 15:
            raise ConfigError(f"tz={text}: expected a shift of at most 15 hours")
        return Zone(word.lower(), _SPOKEN[shifted[1].lower()], int(shifted[2]) * 60 * NS_PER_MINUTE)
    if word.lower() in _SPOKEN:
        return Zone(_SPOKEN[word.lower()], _SPOKEN[word.lower()])
    return Zone(word, find_zone(word).key)
