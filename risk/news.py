"""Scheduled news: a dated built-in list, and events read from a user's CSV or ICS file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.errors import DataError

if TYPE_CHECKING:
    from risk.settings import RiskSettings

BUILTIN_FILE = Path(__file__).resolve().parent.parent / "data" / "news_events.csv"
"""US rate decisions, payrolls and consumer prices, RBI decisions; its notes name the sources."""

IMPACTS = ("low", "medium", "high")
USUAL_MINUTES = 5
"""Minutes before and after an event in which spreads are wide, where no rule names others."""


@dataclass(frozen=True, slots=True)
class NewsEvent:
    """One scheduled event; ts is ns UTC, impact one of IMPACTS."""

    ts: int
    currency: str
    impact: str
    name: str


def builtin_events() -> list[NewsEvent]:
    """Return the built-in list, oldest first."""
    return load_news(BUILTIN_FILE)


def load_news(file: str | Path) -> list[NewsEvent]:
    """Read events from a CSV or (by its suffix) an ICS file, oldest first.

    CSV: columns `time` (ISO 8601; with `date`, the time of day), `currency`, `impact` (low,
    medium, high) and `name`, in any order; `zone` names the zone of times without an offset
    (default UTC). Lines that start with # are notes. ICS: DTSTART with Z or TZID; CATEGORIES or
    the first word of SUMMARY give the currency, CATEGORIES the impact (default high).

    Raises
    ------
    DataError : naming file, line and value.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"news file cannot be read: {cause}", file=str(file)) from cause
    read = _read_ics if path.suffix.lower() == ".ics" else _read_csv
    return sorted(read(text, str(file)), key=lambda event: event.ts)


def select(
    events: Iterable[NewsEvent], currencies: Iterable[str], least_impact: str
) -> list[NewsEvent]:
    """Return the events of these currencies that matter at least so much."""
    wanted = {currency.upper() for currency in currencies}
    least = IMPACTS.index(least_impact)
    return [
        event
        for event in events
        if event.currency in wanted and IMPACTS.index(event.impact) >= least
    ]


def news_minutes(rule: RiskSettings | None) -> tuple[int, int]:
    """Return the minutes before and after an event in which spreads are wide: a rule's, or 5."""
    if rule is None:
        return USUAL_MINUTES, USUAL_MINUTES
    return rule.news_minutes_before, rule.news_minutes_after


def events_of(rule: RiskSettings | None, currencies: Iterable[str]) -> list[NewsEvent]:
    """Return the events that matter to an account.

    Parameters
    ----------
    rule : RiskSettings, optional
        A rule about news: its own currencies, impact and file count. None: high impact, built in.
    currencies : iterable of str
        Whose events count without a rule.
    """
    if rule is None:
        return select(builtin_events(), currencies, "high")
    own = [] if rule.news_file is None else load_news(rule.news_file)
    return select([*builtin_events(), *own], rule.news_currencies, rule.news_impact)


def _read_csv(text: str, file: str) -> Iterator[NewsEvent]:
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    rows = csv.DictReader(line for _, line in numbered)
    columns = [column.strip().lower() for column in rows.fieldnames or ()]
    missing = {"time", "currency", "impact"} - set(columns)
    if missing:
        names = ", ".join(sorted(missing))
        raise DataError(f"news file lacks the column {names}", file=file, line=1)
    rows.fieldnames = columns
    for (number, _), row in zip(numbered[1:], rows, strict=True):
        cells = {key: (value or "").strip() for key, value in row.items() if key}
        stamp = f"{cells['date']}T{cells['time']}" if cells.get("date") else cells["time"]
        yield NewsEvent(
            _parse_time(stamp, cells.get("zone") or "UTC", file, number),
            cells["currency"].upper(),
            _parse_impact(cells["impact"], file, number),
            cells.get("name", ""),
        )


def _parse_time(stamp: str, zone: str, file: str, line: int) -> int:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        raise DataError(
            f"time {stamp!r}: expected ISO 8601 such as 2025-01-10T08:30", file=file, line=line
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_parse_zone(zone, file, line))
    return int(moment.timestamp()) * 1_000_000_000


def _parse_zone(zone: str, file: str, line: int) -> tzinfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise DataError(
            f"zone {zone!r}: expected a name such as America/New_York", file=file, line=line
        ) from None


def _parse_impact(text: str, file: str, line: int) -> str:
    impact = text.lower()
    if impact not in IMPACTS:
        raise DataError(
            f"impact {text!r}: expected one of {', '.join(IMPACTS)}", file=file, line=line
        )
    return impact


def _read_ics(text: str, file: str) -> Iterator[NewsEvent]:
    """Yield the events of an iCalendar text; continuation lines start with a blank (RFC 5545)."""
    fields: dict[str, tuple[str, str]] = {}
    for number, line in _unfold(text):
        head, colon, value = line.partition(":")
        name, _, attributes = head.partition(";")
        name = name.upper()
        if name == "BEGIN" and value.upper() == "VEVENT":
            fields = {}
        elif name == "END" and value.upper() == "VEVENT":
            yield _ics_event(fields, file, number)
        elif colon:
            fields[name] = (attributes, value.strip())


def _unfold(text: str) -> Iterator[tuple[int, str]]:
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line[:1] in (" ", "\t"):
            held += line[1:]
            continue
        if held:
            yield first, held
        held, first = line, number
    if held:
        yield first, held


def _ics_event(fields: dict[str, tuple[str, str]], file: str, line: int) -> NewsEvent:
    if "DTSTART" not in fields:
        raise DataError("event without DTSTART", file=file, line=line)
    attributes, stamp = fields["DTSTART"]
    zone: tzinfo = UTC
    for attribute in attributes.split(";"):
        key, _, value = attribute.partition("=")
        if key.upper() == "TZID":
            zone = _parse_zone(value.strip('"'), file, line)
    try:
        moment = datetime.strptime(stamp.rstrip("Zz"), "%Y%m%dT%H%M%S").replace(
            tzinfo=UTC if stamp[-1:] in "Zz" else zone
        )
    except ValueError:
        raise DataError(
            f"DTSTART {stamp!r}: expected a date and time such as 20250110T083000",
            file=file,
            line=line,
        ) from None
    summary = fields.get("SUMMARY", ("", ""))[1]
    words = [word.strip() for word in fields.get("CATEGORIES", ("", ""))[1].split(",")]
    impact = next((word.lower() for word in words if word.lower() in IMPACTS), "high")
    codes = [word for word in [*words, *summary.split()[:1]] if _is_currency(word)]
    currency = codes[0] if codes else ""
    return NewsEvent(int(moment.timestamp()) * 1_000_000_000, currency, impact, summary)


def _is_currency(word: str) -> bool:
    return len(word) == 3 and word.isalpha() and word.isupper()
