"""Every defect of a price file, each with its line: what `data check` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import SPECIAL, format_timeframe
from core.calendar import Calendar
from core.errors import DataError
from core.zones import NS_PER_DAY, Times
from feeds.columns import Columns
from feeds.loading import calendar_of, describe, file_step, in_session, read_columns, symbol_of
from feeds.origin import Origin, outside_week, settle_origin
from feeds.salvage import salvage
from feeds.validate import FAULT_NAMES, all_faults, fault_text, pack

_Array = np.ndarray[Any, Any]

_HABITUAL = 0.5
"""A slot of the day missing on more than this share of days is the source's habit, not a gap."""
_FEWEST_DAYS = 10
"""Days on which a slot must be expected before its absence can be a habit."""
_STRAY = 0.005
"""Share of bars outside market hours from which the zone itself is in doubt."""


@dataclass(frozen=True)
class Finding:
    """One thing found in a file.

    kind : short name (nan, close_outside, gap, zone, ...).
    severity : error (the file cannot be used), warning or note.
    line : 1-based line in the file, None where the finding has none.
    count : rows or bars concerned.
    """

    kind: str
    severity: str
    message: str
    line: int | None = None
    count: int = 1


@dataclass(frozen=True)
class FileCheck:
    """What `check` found: the file's facts and its findings, errors first, then by line."""

    facts: dict[str, Any]
    findings: tuple[Finding, ...] = field(default_factory=tuple)

    def of(self, *severities: str) -> list[Finding]:
        """Return the findings of these severities."""
        return [finding for finding in self.findings if finding.severity in severities]

    @property
    def is_sound(self) -> bool:
        """No finding forbids the file's use."""
        return not self.of("error")

    def counts(self) -> dict[str, int]:
        """Return how often each kind was found."""
        kinds: dict[str, int] = {}
        for finding in self.findings:
            kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
        return kinds

    def as_dict(self) -> dict[str, Any]:
        """Return facts and findings for JSON."""
        return {"facts": self.facts, "findings": [asdict(finding) for finding in self.findings]}


def check(
    source: str | Path | Any,
    *,
    symbol: str | None = None,
    tz: str | None = None,
    stamp: str | None = None,
    calendar: Calendar | str | None = None,
    columns: Mapping[str, str] | None = None,
) -> FileCheck:
    """Look at a whole file and name everything wrong or odd in it.

    Parameters
    ----------
    source, symbol, tz, stamp, calendar, columns
        As for `load`.

    Returns
    -------
    FileCheck
        Errors: rows that are no sound bars, rows out of order, no zone that fits. Warnings: gaps
        against the calendar, bars while the market is shut. Notes: habits of the source.

    Raises
    ------
    DataError : if the file cannot be read at all (missing, empty, binary, damaged).
    ConfigError : for an unknown symbol or zone.
    """
    findings: list[Finding] = []
    try:
        table = read_columns(source, columns or {})
    except DataError:
        if not isinstance(source, str | Path):
            raise
        table, bad_lines = salvage(Path(source), str(source), columns or {})
        findings += [Finding("unreadable", "error", text, line) for line, text in bad_lines]
    name, guessed = (symbol, False) if symbol else symbol_of(table.name)
    market = calendar_of(name, calendar)
    step = file_step(table, None)
    origin = _origin(table, market, step, tz, stamp, findings)
    bits = all_faults(table, origin.start)
    findings += _row_faults(table, bits)
    sound = _sound_rows(table, bits)
    bars = pack(sound, origin.start[bits == 0]) if len(sound.stamps) else None
    dropped: dict[str, int] = {}
    if bars is not None:
        market.annotate(bars, step)
        dropped = in_session(bars, market, "auto" if step < NS_PER_DAY else "all")[1]
        findings += _hours(sound, bars, market, step, origin, dropped)
        findings += _gaps(sound, bars, market, step)
    facts = describe(table, origin, step, dropped, name, guessed)
    order = {"error": 0, "warning": 1, "note": 2}
    findings.sort(key=lambda finding: (order[finding.severity], finding.line or 0))
    return FileCheck(facts, tuple(findings))


def _origin(
    table: Columns,
    market: Calendar,
    step: int,
    tz: str | None,
    stamp: str | None,
    findings: list[Finding],
) -> Origin:
    """Settle the origin; where no zone fits, say so and read the stamps as UTC."""
    try:
        return settle_origin(table, market, step, tz, stamp)
    except DataError as fault:
        text = str(fault).removeprefix(f"{table.name}: ")
        findings.append(Finding("zone", "error", text, fault.line))
        return Origin(table.stamps, "UTC", "none fits", False, "start", "assumed")


def _row_faults(table: Columns, bits: _Array) -> list[Finding]:
    found = []
    for row in np.flatnonzero(bits).tolist():
        fault = int(bits[row])
        kind = next(name for bit, name in FAULT_NAMES.items() if fault & bit)
        found.append(Finding(kind, "error", fault_text(table, row, fault), table.line_of(row)))
    return found


def _sound_rows(table: Columns, bits: _Array) -> Columns:
    """Return the rows without faults; their lines stay those of the file."""
    rows = np.flatnonzero(bits == 0)
    if len(rows) == len(bits):
        return table
    return table.take(rows)


def _hours(
    table: Columns,
    bars: _Array,
    market: Calendar,
    step: int,
    origin: Origin,
    dropped: dict[str, int],
) -> list[Finding]:
    """Return what the hours of the bars tell about zone and sessions."""
    found = []
    if not origin.sure:
        found.append(Finding("zone", "note", f"zone {origin.zone}: {origin.zone_known}"))
    if step >= NS_PER_DAY:
        return found
    strays = stray_bars(bars, market)
    if len(strays):
        line = table.line_of(int(strays[0]))
        found.append(Finding("zone", "warning", stray_text(bars, market), line, len(strays)))
    special = np.unique(bars["day"][(bars["flags"] & SPECIAL) != 0])
    if len(special):
        first = np.datetime64(int(special[0]), "D")
        text = f"{len(special)} special days or days the calendar lacks, first {first}"
        found.append(Finding("special_day", "note", text, None, len(special)))
    if dropped.get("outside_session"):
        count = dropped["outside_session"]
        text = f"{count} rows outside the regular session; a run drops and counts them"
        found.append(Finding("outside_session", "note", text, None, count))
    return found


def stray_bars(bars: _Array, market: Calendar) -> _Array:
    """Return the places of bars that start while the market is shut, none if they are few."""
    outside = outside_week(np.ascontiguousarray(bars["start"]), market)
    strays = np.flatnonzero(outside & ((bars["flags"] & SPECIAL) == 0))
    return strays if len(strays) > _STRAY * len(bars) else strays[:0]


def stray_text(bars: _Array, market: Calendar) -> str:
    """Say how many bars start while the market is shut; nothing if they are few."""
    strays = stray_bars(bars, market)
    if not len(strays):
        return ""
    minute = int(bars["minute"][strays[0]])
    clock = f"{minute // 60:02d}:{minute % 60:02d} {market.zone.name}"
    return (
        f"{len(strays)} of {len(bars)} bars start while {market.name} is shut, the first at"
        f" {clock}: wrong zone? try --tz auto"
    )


def _gaps(table: Columns, bars: _Array, market: Calendar, step: int) -> list[Finding]:
    """Return the bars the calendar expects and the file lacks, run by run."""
    if market.name == "24/7" and step >= NS_PER_DAY:
        return []
    start = np.ascontiguousarray(bars["start"])
    expected = market.expected_starts(int(start[0]), int(start[-1]), step)
    present = np.unique(market.grid_starts(start, step))
    missing = expected[~np.isin(expected, present)]
    habit, missing = _habits(missing, expected, market, step)
    found = [Finding("source_hours", "note", habit)] if habit else []
    if not len(missing):
        return found
    place = np.searchsorted(expected, missing)
    breaks = np.flatnonzero(np.diff(place) > 1) + 1
    for run in np.split(missing, breaks):
        after = int(np.searchsorted(start, run[-1]))
        text = f"{len(run)} bars missing from {_text(run[0])} to {_text(run[-1])} UTC"
        line = table.line_of(after) if after < len(start) else None
        found.append(Finding("gap", "warning", text, line, len(run)))
    return found


def _habits(
    missing: Times, expected: Times, market: Calendar, step: int
) -> tuple[str | None, Times]:
    """Part slots that are missing on most days, the source's own hours, from real gaps."""
    if step >= NS_PER_DAY or not len(missing):
        return None, missing
    slots = market.zone.to_local(expected) % NS_PER_DAY // step
    gone = market.zone.to_local(missing) % NS_PER_DAY // step
    size = int(NS_PER_DAY // step) + 1
    asked = np.bincount(slots, minlength=size)
    habitual = (asked >= _FEWEST_DAYS) & (np.bincount(gone, minlength=size) > _HABITUAL * asked)
    if not habitual.any():
        return None, missing
    clocks = ", ".join(
        f"{int(slot * step // 3_600_000_000_000):02d}:{int(slot * step // 60_000_000_000 % 60):02d}"
        for slot in np.flatnonzero(habitual)[:6]
    )
    more = ", ..." if np.count_nonzero(habitual) > 6 else ""
    text = (
        f"the source has no {format_timeframe(step)} bars at {clocks}{more} {market.zone.name}"
        " on most days; not counted as gaps"
    )
    return text, missing[~habitual[gone]]


def _text(time_ns: int) -> str:
    return str(np.datetime64(int(time_ns), "ns").astype("M8[m]")).replace("T", " ")
