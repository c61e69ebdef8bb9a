"""Every defect of a price file, each with its line: what `data check` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.calendar import Calendar
from core.errors import DataError
from core.zones import NS_PER_DAY
from feeds.columns import PRICES, Columns
from feeds.findings import ERROR, NOTE, SEVERITIES, WARNING, Finding, ordered
from feeds.gaps import gaps, shut_bars, stray_bars, stray_text
from feeds.loading import calendar_of, describe, file_step, in_session, read_columns, whose
from feeds.oddities import oddities
from feeds.origin import Origin, require_sure, settle_origin
from feeds.salvage import salvage
from feeds.validate import DUPLICATE, FAULT_NAMES, UNSORTED, all_faults, fault_text, pack

_Array = np.ndarray[Any, Any]

Tell = Callable[[str, int], None]
"""Told of each stage: its name and the rows it looks at."""


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
        return not self.of(ERROR)

    def counts(self) -> dict[str, int]:
        """Return how often each kind was found."""
        kinds: dict[str, int] = {}
        for finding in self.findings:
            kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
        return kinds

    def totals(self) -> dict[str, int]:
        """Return how many findings of each severity there are."""
        return {severity: len(self.of(severity)) for severity in SEVERITIES}

    def as_dict(self) -> dict[str, Any]:
        """Return facts and findings for JSON."""
        return {"facts": self.facts, "findings": [asdict(finding) for finding in self.findings]}


@dataclass(frozen=True)
class Looked:
    """A file, read as far as it can be: what `check` judges and `fix` mends.

    columns : the readable rows, as they stand. unreadable : line, kind and fault of every other.
    bits : faults of each row. origin, step, symbol, market : how the stamps are read.
    doubt : why the zone is not settled, empty if it is.
    """

    columns: Columns
    unreadable: tuple[tuple[int, str, str], ...]
    bits: _Array
    origin: Origin
    step: int
    symbol: str
    guessed: bool
    market: Calendar
    doubt: str = ""


def check(
    source: str | Path | Any,
    *,
    symbol: str | None = None,
    tz: str | None = None,
    stamp: str | None = None,
    calendar: Calendar | str | None = None,
    columns: Mapping[str, str] | None = None,
    tell: Tell = lambda stage, rows: None,
) -> FileCheck:
    """Look at a whole file and name everything wrong or odd in it.

    Parameters
    ----------
    source, symbol, tz, stamp, calendar, columns
        As for `load`.
    tell : callable(stage, rows)
        Told what is being looked at, for a progress bar.

    Returns
    -------
    FileCheck
        Errors: rows that are no sound bars, rows out of order, no zone that fits. Warnings: gaps
        against the calendar, bars while the market is shut, spikes, standstills, other grids.
        Notes: habits of the source. `feeds.findings.KINDS` lists them all.

    Raises
    ------
    DataError : if the file cannot be read at all (missing, empty, binary, damaged).
    ConfigError : for an unknown symbol or zone.
    """
    tell("reading", 0)
    seen = look(source, symbol=symbol, tz=tz, stamp=stamp, calendar=calendar, columns=columns or {})
    table, market, step = seen.columns, seen.market, seen.step
    tell("judging rows", len(table.stamps))
    findings = [Finding(kind, ERROR, text, line) for line, kind, text in seen.unreadable]
    if seen.doubt:
        findings.append(Finding("zone", ERROR, seen.doubt))
    findings += row_findings(seen)
    findings += _source_notes(seen)
    tell("comparing with the calendar", len(table.stamps))
    by_time = np.argsort(seen.origin.start, kind="stable")
    starts = seen.origin.start[by_time]
    findings += gaps(starts, market, step, lambda row: table.line_of(int(by_time[row])))
    rows = np.flatnonzero(seen.bits == 0)
    dropped: dict[str, int] = {}
    if len(rows):
        sound = table if len(rows) == len(seen.bits) else table.take(rows)
        bars = pack(sound, seen.origin.start[rows])
        market.annotate(bars, step)
        dropped = in_session(bars, market, "auto" if step < NS_PER_DAY else "all")[1]
        findings += _hours(sound, bars, seen, dropped)
        tell("looking for odd prices", len(bars))
        findings += oddities(bars, market, step, seen.symbol, sound.line_of)
    facts = describe(table, seen.origin, step, dropped, seen.symbol, seen.guessed)
    return FileCheck(facts, ordered(findings))


def look(
    source: str | Path | Any,
    *,
    symbol: str | None,
    tz: str | None,
    stamp: str | None,
    calendar: Calendar | str | None,
    columns: Mapping[str, str],
) -> Looked:
    """Read a file as far as it goes and mark the faults of each row; raises as `check`."""
    unreadable: list[tuple[int, str, str]] = []
    try:
        table = read_columns(source, columns)
    except DataError:
        if not isinstance(source, str | Path):
            raise
        table, unreadable = salvage(Path(source), str(source), columns)
    name, guessed = (symbol, False) if symbol else whose(source)
    market = calendar_of(name, calendar)
    step = file_step(table, None)
    origin, doubt = _origin(table, market, step, tz, stamp)
    bits = _with_repeats(all_faults(table, origin.start), origin.start)
    return Looked(table, tuple(unreadable), bits, origin, step, name, guessed, market, doubt)


def _origin(
    table: Columns, market: Calendar, step: int, tz: str | None, stamp: str | None
) -> tuple[Origin, str]:
    """Settle the origin; where no zone fits, say so and read the stamps as UTC."""
    try:
        origin = settle_origin(table, market, step, tz, stamp)
    except DataError as fault:
        text = _without_file(fault, table)
        return Origin(table.stamps, "UTC", "none fits", False, "start", "assumed"), text
    try:
        require_sure(origin, table)
    except DataError as fault:
        return origin, _without_file(fault, table)
    return origin, ""


def _without_file(fault: DataError, table: Columns) -> str:
    where = f"{table.name}: " if fault.line is None else f"{table.name}:{fault.line}: "
    text = str(fault).removeprefix(where)
    return text if fault.line is None else f"line {fault.line}: {text}"


def _with_repeats(bits: _Array, start: _Array) -> _Array:
    """Mark stamps that repeat an earlier row's anywhere, not only the row's before."""
    if not ((bits & UNSORTED) != 0).any():
        return bits
    order = np.argsort(start, kind="stable")
    again = order[1:][start[order][1:] == start[order][:-1]]
    bits[again] |= DUPLICATE
    return bits


def row_findings(seen: Looked) -> Iterator[Finding]:
    """Yield a finding for each row that is no sound bar."""
    table = seen.columns
    faulty = np.flatnonzero(seen.bits)
    if not len(faulty):
        return
    repeats = first_of_stamp(seen) if bool((seen.bits & DUPLICATE).any()) else {}
    for row in faulty.tolist():
        fault = int(seen.bits[row])
        kind = next(name for bit, name in FAULT_NAMES.items() if fault & bit)
        text = fault_text(table, row, fault)
        if kind == "duplicate":
            text = _repeat_text(table, repeats[row], row)
        yield Finding(kind, ERROR, text, table.line_of(row))


def first_of_stamp(seen: Looked) -> dict[int, int]:
    """Return for each row that repeats a stamp the first row with it."""
    order = np.argsort(seen.origin.start, kind="stable")
    start = seen.origin.start[order]
    heads = np.flatnonzero(np.append(True, start[1:] != start[:-1]))
    first = np.repeat(order[heads], np.diff(np.append(heads, len(order))))
    return {int(row): int(head) for row, head in zip(order, first, strict=True) if row != head}


def is_same_row(table: Columns, first: int, second: int) -> bool:
    """Say whether two rows hold equal prices and volumes."""
    columns = (*PRICES, "volume")
    return all(_same(getattr(table, name)[[first, second]]) for name in columns)


def _same(pair: _Array) -> bool:
    return bool(pair[0] == pair[1] or np.isnan(pair).all())


def _repeat_text(table: Columns, first: int, row: int) -> str:
    line = table.line_of(first)
    where = f"line {line}" if line is not None else f"row {first}"
    if is_same_row(table, first, row):
        return f"the stamp repeats {where}, with the same prices: remove the line"
    values = "/".join(f"{float(getattr(table, name)[row]):.12g}" for name in PRICES)
    other = "/".join(f"{float(getattr(table, name)[first]):.12g}" for name in PRICES)
    return f"the stamp repeats {where}, with other values: {values} against {other}"


def _source_notes(seen: Looked) -> Iterator[Finding]:
    facts = seen.columns.facts
    if facts.get("order"):
        yield Finding("order", NOTE, f"rows are {facts['order']}")
    encoding = str(facts.get("encoding", "UTF-8"))
    if encoding != "UTF-8":
        yield Finding("encoding", NOTE, f"written in {encoding}; read as such")


def _hours(
    table: Columns, bars: _Array, seen: Looked, dropped: dict[str, int]
) -> Iterator[Finding]:
    """Yield what the hours of the bars tell about zone and sessions."""
    market, step, origin = seen.market, seen.step, seen.origin
    if not origin.sure and not seen.doubt:
        yield Finding("zone", NOTE, f"zone {origin.zone}: {origin.zone_known}")
    if step < NS_PER_DAY:
        strays = stray_bars(bars, market)
        if len(strays):
            line = table.line_of(int(strays[0]))
            text = stray_text(bars, market, origin.zone_known) + _better_zone(seen)
            yield Finding("zone", WARNING, text, line, len(strays))
    yield from shut_bars(bars, market, step, table.line_of)
    if dropped.get("outside_session"):
        count = dropped["outside_session"]
        text = f"{count:,} rows outside the regular session; a run drops and counts them"
        yield Finding("outside_session", NOTE, text, None, count)


def _better_zone(seen: Looked) -> str:
    """Name the zone in which the stamps would fit, nothing where none is sure."""
    table = seen.columns
    if table.zone_known and not table.epoch:
        return ""
    try:
        found = settle_origin(replace(table, zone_known=None), seen.market, seen.step, None, None)
    except DataError:
        return ""
    return f" (--tz {found.zone} fits)" if found.sure and found.zone != seen.origin.zone else ""
