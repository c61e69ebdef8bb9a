"""What a look at a price file finds: one record a fault, with its lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.calendar import Calendar
from core.zones import NS_PER_DAY

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)

KINDS = {
    # Errors: a run refuses the file.
    "truncated": "the file ends inside a line",
    "unreadable": "a line that is no row of prices",
    "nan": "a price is missing",
    "not_positive": "a price is zero or negative",
    "high_below_low": "high below low",
    "open_outside": "open outside low to high",
    "close_outside": "close outside low to high",
    "duplicate": "a stamp that occurs twice",
    "unsorted": "a stamp earlier than the row before",
    "bad_volume": "volume missing or negative",
    "bad_spread": "spread missing or negative",
    "zone": "stamps that fit no zone, or the wrong one",
    # Warnings: a run goes on, its results may be wrong.
    "gap": "bars missing against the calendar",
    "spike": "a price that leaves and comes back",
    "jump": "a price far from the one before",
    "flat_run": "bars standing still at one price",
    "weekend": "bars on a weekend",
    "closed_market": "bars while the market is shut",
    "off_grid": "bars that start off the timeframe's grid",
    "mixed_timeframe": "stretches of another timeframe",
    "decimals": "prices with more decimals than the others",
    # Notes.
    "holiday": "bars on a day the calendar lacks",
    "tick": "prices between the instrument's ticks",
    "flat": "bars without movement",
    "volume": "volumes that tell little",
    "order": "rows newest first",
    "encoding": "a text not written in UTF-8",
    "source_hours": "hours the source never has",
    "outside_session": "rows a run drops",
}
"""Every kind of finding and what it means."""


@dataclass(frozen=True)
class Finding:
    """One thing found in a file.

    kind : one of `KINDS`.
    severity : error (the file cannot be used), warning or note.
    line, last_line : 1-based lines in the file, None where the finding has none; the same for one
        row.
    count : rows or bars concerned.
    """

    kind: str
    severity: str
    message: str
    line: int | None = None
    count: int = 1
    last_line: int | None = None


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings, errors first, then by line."""
    return tuple(
        sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), found.line or 0))
    )


def clock_text(calendar: Calendar, first: int, last: int) -> str:
    """Return one time or a span in the market's zone, the second date only where it differs."""
    zone = calendar.zone
    low, high = (int(t) for t in zone.to_local(np.array([first, last], np.int64)))
    place = zone.name.rpartition("/")[2].replace("_", " ")
    begin = _minute_text(low)
    if low == high:
        return f"at {begin} {place}"
    end = _minute_text(high)
    if low // NS_PER_DAY == high // NS_PER_DAY:
        end = end[11:]
    return f"from {begin} to {end} {place}"


def _minute_text(local_ns: int) -> str:
    return str(np.datetime64(local_ns, "ns").astype("M8[m]")).replace("T", " ")


def runs(rows: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """Return (first, last) of each stretch of consecutive row numbers."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > 1)
    firsts = rows[np.append(0, breaks + 1)]
    lasts = rows[np.append(breaks, len(rows) - 1)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
