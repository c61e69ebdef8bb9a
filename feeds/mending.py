"""A mended copy of a price file, with a list of every change; no price is ever invented."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import Series, format_timeframe
from core.errors import ConfigError, DataError, near_name
from feeds.candles import is_json
from feeds.checking import FileCheck, Looked, check, first_of_stamp, is_same_row, look
from feeds.converting import Reading
from feeds.dialects import Dialect, Text, read_text, sniff
from feeds.findings import Finding
from feeds.gaps import shut_bars
from feeds.kinds import Kind
from feeds.loading import describe
from feeds.oddities import oddities
from feeds.provenance import MARK, Provenance, now_text, source_facts
from feeds.validate import (
    BAD_SPREAD,
    BAD_VOLUME,
    CLOSE_OUTSIDE,
    DUPLICATE,
    FAULT_NAMES,
    OPEN_OUTSIDE,
    UNSORTED,
    pack,
)
from feeds.writing import is_parquet, packed, require_writable, series_data, write_whole

_Array = np.ndarray[Any, Any]

DROPPABLE = ("spike", "flat_run", "weekend", "holiday", "closed_market", "off_grid", "decimals")
"""Kinds of odd rows a user may have dropped too."""
_OUTSIDE = OPEN_OUTSIDE | CLOSE_OUTSIDE
_HARMLESS = DUPLICATE | UNSORTED | BAD_VOLUME | BAD_SPREAD


@dataclass(frozen=True)
class Change:
    """One change: the line of the source, what was done to it and why.

    before, after : the row as it was and as it is; after is empty for a dropped row.
    """

    line: int
    kind: str
    action: str
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class Mended:
    """What `fix` wrote and what is left to do.

    left : the findings a look at the copy still gives.
    """

    out: Path
    changes_file: Path
    changes: tuple[Change, ...]
    rows: int
    left: FileCheck

    def counts(self) -> dict[str, int]:
        """Return how many rows were changed, by kind and action."""
        return _counts(self.changes)


@dataclass(frozen=True)
class Rules:
    """What may be mended beyond rows that are no bars.

    drop : kinds of odd rows to leave out as well.
    keep : of rows with one stamp and other values the 'first' or the 'last'; None keeps both.
    widen : let high and low take in an open or close outside them, instead of dropping the row.
    """

    drop: tuple[str, ...] = ()
    keep: str | None = None
    widen: bool = False

    def __post_init__(self) -> None:
        for kind in self.drop:
            if kind not in DROPPABLE:
                raise ConfigError(f"drop={kind}{near_name(kind, DROPPABLE)}")
        if self.keep not in (None, "first", "last"):
            raise ConfigError(f"keep={self.keep}: expected first or last")


def fix(
    source: str | Path,
    out: str | Path,
    reading: Reading = Reading(),  # noqa: B008, a frozen value
    rules: Rules = Rules(),
    *,
    force: bool = False,
    tool: str = "tola",
    tell: Callable[[str, int], None] = lambda stage, rows: None,
) -> Mended:
    """Write a mended copy of a price file and, beside it, `OUT.changes.csv`.

    Exact duplicates go, rows are sorted, rows that are no bars go, a missing or negative volume
    becomes 0. Lines that stay, stay as they are. Nothing is filled in.

    Parameters
    ----------
    source, out : str or Path
        The file, never changed, and its copy: text in the same dialect, or Parquet.
    reading : Reading
        Instrument, zone, stamp side and columns, where they cannot be found out.
    rules : Rules
        What else may be mended.
    force : bool
        Overwrite the copy.
    tool : str
        Program and version, for the provenance.
    tell : callable(stage, rows)
        Told of each stage.

    Raises
    ------
    DataError : the file cannot be read, or no row of it is sound.
    ConfigError : a target that exists or is the source; an unknown kind to drop.
    """
    target = Path(out)
    listing = target.with_name(target.name + ".changes.csv")
    require_writable(target, [str(source)], force)
    tell("reading", 0)
    seen = look(
        source,
        symbol=reading.symbol,
        tz=reading.tz,
        stamp=reading.stamp,
        calendar=None,
        columns=reading.columns or {},
    )
    text = _text_of(Path(source), str(source))
    dialect = sniff(text, dict(reading.columns or {})) if text else None
    work = _Work(seen, text, dialect, rules)
    tell("mending", len(seen.columns.stamps))
    work.mend()
    if not work.order:
        raise DataError("no row of it is sound; nothing was written", file=str(source))
    provenance = _provenance(work, str(source), tool)
    tell("writing", len(work.order))
    if text is None or dialect is None or is_parquet(target):
        data = series_data(target, work.series(), provenance)
    else:
        data = packed(target, work.text(provenance))
    write_whole({target: data, listing: _listing(work.changes)})
    tell("checking the copy", len(work.order))
    left = check(target, symbol=seen.symbol)
    return Mended(target, listing, tuple(work.changes), len(work.order), left)


def _text_of(path: Path, name: str) -> Text | None:
    """Return a text source's text, None for Parquet and JSON, which are written anew."""
    if is_parquet(path):
        return None
    text = read_text(path, name)
    return None if is_json(text) else text


def _provenance(work: _Work, source: str, tool: str) -> Provenance:
    seen = work.seen
    facts = describe(seen.columns, seen.origin, seen.step, {}, seen.symbol, seen.guessed)
    return Provenance(
        made_by="data fix",
        tool=tool,
        made=now_text(),
        symbol=seen.symbol,
        timeframe=format_timeframe(seen.step),
        price_side=str(facts["price_side"]),
        rows=len(work.order),
        sources=[source_facts(source, facts)],
        changes=_counts(work.changes),
        synthetic=bool(facts.get("synthetic")),
        kind=dict(vars(_settled(seen))),
    )


def _settled(seen: Looked) -> Kind:
    """Return how the copy is to be read: in the zone and at the side settled for the source."""
    kind, origin = seen.columns.kind, seen.origin
    told = replace(kind, told_by="as its own first line says")
    if origin.sure and not seen.columns.zone_known and origin.zone != "trading date":
        told = replace(told, zone=origin.zone)
    if origin.stamp_known != "assumed" and origin.stamp in ("start", "end"):
        told = replace(told, stamp=origin.stamp)
    return told


def _counts(changes: Iterable[Change]) -> dict[str, int]:
    return dict(Counter(f"{change.kind} {change.action}" for change in changes))


def _listing(changes: Sequence[Change]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([field.name for field in fields(Change)])
    writer.writerows(map(astuple, sorted(changes, key=lambda change: change.line)))
    return stream.getvalue().encode()


class _Work:
    """The rows of one file while they are mended.

    order : rows of the source in the copy's order. edited : new line of a row that was changed.
    """

    def __init__(
        self, seen: Looked, text: Text | None, dialect: Dialect | None, rules: Rules
    ) -> None:
        self.seen = seen
        self.rules = rules
        self.text_source = text
        self.dialect = dialect
        self.lines = [] if text is None else text.data.decode("utf-8", "replace").split("\n")
        self.changes: list[Change] = []
        self.edited: dict[int, str] = {}
        self.columns = seen.columns.take(np.arange(len(seen.columns.stamps)))
        self.order: list[int] = []

    def mend(self) -> None:
        """Take the steps in turn: unreadable lines, faulty rows, repeats, order, odd rows."""
        for line, kind, why in self.seen.unreadable:
            before = self.lines[line - 1].rstrip("\r")
            self.changes.append(Change(line, kind, "dropped", before, "", why))
        kept = self._without_faults()
        kept = self._without_repeats(kept)
        self.order = self._sorted(kept)
        if self.rules.drop:
            self._drop_odd()

    def _line(self, row: int) -> int:
        line = self.seen.columns.line_of(row)
        return row + 1 if line is None else line

    def row_text(self, row: int) -> str:
        """Return a row as it stands in the source, or its values where that has no lines."""
        if self.text_source is not None:
            return self.edited.get(row, self.lines[self._line(row) - 1].rstrip("\r"))
        c = self.columns
        stamp = str(np.datetime64(int(c.stamps[row]), "ns"))
        return ",".join(
            [stamp, *(repr(float(v[row])) for v in (c.open, c.high, c.low, c.close, c.volume))]
        )

    def _drop(self, row: int, kind: str, why: str) -> None:
        self.changes.append(Change(self._line(row), kind, "dropped", self.row_text(row), "", why))

    def _without_faults(self) -> list[int]:
        """Leave out rows that are no bars; mend what can be without inventing a price."""
        bits = self.seen.bits
        dropped: set[int] = set()
        for row in np.flatnonzero(bits & ~(DUPLICATE | UNSORTED)).tolist():
            fault = int(bits[row]) & ~(DUPLICATE | UNSORTED)
            kind = next(name for bit, name in FAULT_NAMES.items() if fault & bit)
            prices = fault & ~_HARMLESS
            if prices and (prices & ~_OUTSIDE or not self.rules.widen):
                self._drop(row, kind, "no sound bar")
                dropped.add(row)
                continue
            before = self.row_text(row)
            if prices:
                self._widen(row)
            if fault & BAD_VOLUME:
                self._set(row, "volume", "0")
            if fault & BAD_SPREAD:
                self._set(row, "spread", "0")
            action = "widened" if prices else "set to 0"
            after = self.row_text(row)
            why = "high and low take in open and close" if prices else "no number of that kind"
            self.changes.append(Change(self._line(row), kind, action, before, after, why))
        return [row for row in range(len(bits)) if row not in dropped]

    def _widen(self, row: int) -> None:
        c = self.columns
        prices = {name: float(getattr(c, name)[row]) for name in ("open", "high", "low", "close")}
        highest = max(prices, key=lambda name: prices[name])
        lowest = min(prices, key=lambda name: prices[name])
        # The texts of both first: the second must not be read from a field already changed.
        high, low = self._cell(row, highest), self._cell(row, lowest)
        self._set(row, "high", high, prices[highest])
        self._set(row, "low", low, prices[lowest])

    def _cell(self, row: int, word: str) -> str:
        if self.dialect is None:
            return ""
        fields_of_row = self.row_text(row).split(self.dialect.separator)
        return fields_of_row[self.dialect.places[word]]

    def _set(self, row: int, word: str, cell: str, value: float = 0.0) -> None:
        getattr(self.columns, word)[row] = value
        if self.dialect is None or self.text_source is None:
            return
        cells = self.row_text(row).split(self.dialect.separator)
        if word in self.dialect.places:
            cells[self.dialect.places[word]] = cell
        if word == "volume" and "ticks" in self.dialect.places:
            cells[self.dialect.places["ticks"]] = cell
        self.edited[row] = self.dialect.separator.join(cells)

    def _without_repeats(self, rows: list[int]) -> list[int]:
        if not bool((self.seen.bits & DUPLICATE).any()):
            return rows
        first_of = first_of_stamp(self.seen)
        present, gone = set(rows), set[int]()
        chosen: dict[int, int] = {}
        for row in rows:
            stamp = first_of.get(row, row)
            other = chosen.get(stamp)
            if other is None or other not in present:
                chosen[stamp] = row
            elif is_same_row(self.columns, other, row):
                self._drop(row, "duplicate", f"equal to line {self._line(other)}")
                gone.add(row)
            elif self.rules.keep is not None:
                lost, won = (row, other) if self.rules.keep == "first" else (other, row)
                self._drop(lost, "duplicate", f"line {self._line(won)} has the stamp too: kept")
                gone.add(lost)
                chosen[stamp] = won
        return [row for row in rows if row not in gone]

    def _sorted(self, rows: list[int]) -> list[int]:
        """Return rows by time; those that had to move are listed, never more than needed."""
        start = self.seen.origin.start
        if self.seen.columns.facts.get("order"):
            why = "the file was written newest first"
            self.changes.append(Change(self._line(rows[0]), "order", "turned round", "", "", why))
        times = [int(start[row]) for row in rows]
        if all(a <= b for a, b in pairwise(times)):
            return rows
        standing = _longest_rise(times)
        ordered = sorted(rows, key=lambda row: int(start[row]))
        after = dict(zip(ordered[1:], ordered, strict=False))
        for place, row in enumerate(rows):
            if place in standing:
                continue
            where = f"behind line {self._line(after[row])}" if row in after else "to the top"
            text = self.row_text(row)
            self.changes.append(
                Change(self._line(row), "unsorted", "moved", text, text, f"sorted by time: {where}")
            )
        return ordered

    def _drop_odd(self) -> None:
        """Leave out odd rows of the kinds asked for."""
        rows = np.array(self.order)
        start = self.seen.origin.start[rows]
        alone = np.append(True, start[1:] > start[:-1])  # two rows of one stamp are judged as one
        rows = rows[alone]
        bars = pack(self.columns.take(rows), start[alone])
        market, step = self.seen.market, self.seen.step
        market.annotate(bars, step)
        gone: dict[int, Finding] = {}
        found = [
            *shut_bars(bars, market, step, lambda row: row),
            *oddities(bars, market, step, self.seen.symbol, lambda row: row),
        ]
        for finding in found:
            if finding.kind in self.rules.drop and finding.line is not None:
                last = finding.line if finding.last_line is None else finding.last_line
                gone |= {int(rows[place]): finding for place in range(finding.line, last + 1)}
        for row in self.order:
            if row in gone:
                self._drop(row, gone[row].kind, gone[row].message)
        self.order = [row for row in self.order if row not in gone]

    def text(self, provenance: Provenance) -> bytes:
        """Return the copy's text: provenance, the source's own head, its rows."""
        assert self.dialect is not None and self.text_source is not None
        head = [line.rstrip("\r") for line in self.lines[: self.dialect.skip_lines]]
        head = [line for line in head if not line.startswith(MARK)]
        rows = [self.row_text(row) for row in self.order]
        return ("\n".join([MARK + provenance.text(), *head, *rows]) + "\n").encode()

    def series(self) -> Series:
        """Return the mended rows as a series; the zone must be settled for that."""
        if self.seen.doubt:
            raise DataError(self.seen.doubt, file=self.columns.name)
        rows = np.array(self.order)
        bars = pack(self.columns.take(rows), self.seen.origin.start[rows])
        self.seen.market.annotate(bars, self.seen.step)
        return Series(self.seen.symbol, self.seen.step, bars)


def _longest_rise(times: Sequence[int]) -> set[int]:
    """Return the places of a longest run of times that do not fall (patience sorting)."""
    tails: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, time in enumerate(times):
        at = bisect_right(tails, time)
        before.append(places[at - 1] if at else -1)
        if at == len(tails):
            tails.append(time)
            places.append(place)
        else:
            tails[at], places[at] = time, place
    standing: set[int] = set()
    place = places[-1]
    while place >= 0:
        standing.add(place)
        place = before[place]
    return standing
