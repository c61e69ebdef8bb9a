"""The short way through a large plain text file in the form nearly all have.

One compiled pass over blocks that stay in the processor's cache: naive stamps
`YYYY-MM-DD HH:MM[:SS]`, unsigned decimal numbers of at most 15 digits, no quotes, no empty cells.
At the first byte of any other form it declines, and the file goes the careful way
(`feeds.csv`), which gives the same columns; a test compares both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.bars import BAR
from core.compile import kernel
from core.errors import DataError
from feeds.columns import PRICES, Columns
from feeds.dialects import Dialect, Text, read_text, sniff
from feeds.lines import line_finder
from feeds.stamps import same_date, usual_clock, usual_date

_Array = np.ndarray[Any, Any]

SMALLEST_BYTES = 1_000_000
_BLOCK = 2_000_000
_HEAD = 65_537
_NUMBERS = (*PRICES, "volume")
_SKIP, _STAMP = -2, -1
_CELLS = {name: place for place, name in enumerate(BAR.names or ()) if name in _NUMBERS}
"""Where each number stands in a bar seen as a row of doubles: BAR begins with 8-byte fields."""
_TENS = np.array([10.0**k for k in range(16)])
_TEXT_MARKS = (b"\x1f\x8b", b"PK", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"[:2])


@kernel
def _lines(
    text: _Array,
    stop: int,
    separator: int,
    roles: _Array,
    tens: _Array,
    stamps: _Array,
    cells: _Array,
) -> tuple[int, int]:
    """Parse whole lines of text[:stop], which ends after a line feed.

    roles : for each field _SKIP, _STAMP or its column in `cells`. stamps, cells : the bars seen
    as whole and as decimal numbers, a row each. Returns (rows, 0), or (rows, 1) at a form it
    declines. Numbers are read in place: a call for each would cost twice their work.
    A number has at most 15 digits, so mantissa and power of ten are exact and their quotient is
    the nearest double, as any careful reader gives it.
    """
    at = row = before = 0
    midnight = -1
    last = len(roles) - 1
    while at < stop:
        for field in range(last + 1):
            role = roles[field]
            if role >= 0:
                first = at
                mantissa = 0
                digit = int(text[at]) - 48
                while 0 <= digit <= 9:
                    mantissa = mantissa * 10 + digit
                    at += 1
                    digit = int(text[at]) - 48
                decimals = 0
                if digit == -2 and at > first:
                    first += 1
                    at += 1
                    point = at
                    digit = int(text[at]) - 48
                    while 0 <= digit <= 9:
                        mantissa = mantissa * 10 + digit
                        at += 1
                        digit = int(text[at]) - 48
                    decimals = at - point
                if at == first or at - first > 15:
                    return row, 1
                cells[row, role] = mantissa / tens[decimals]
            elif role == -1:
                length = 19 if stop - at > 19 and text[at + 16] == 58 else 16
                if stop - at <= length:
                    return row, 1
                if midnight < 0 or not same_date(text, at, before):
                    midnight = usual_date(text, at)
                    before = at
                clock = usual_clock(text, at + 10, length)
                if midnight < 0 or clock < 0:
                    return row, 1
                stamps[row, 0] = midnight + clock
                at += length
            else:
                while text[at] != separator and text[at] != 10 and text[at] != 34:
                    at += 1
            if field == last and text[at] == 13:
                at += 1
            if text[at] != (separator if field < last else 10):
                return row, 1
            at += 1
        row += 1
    return row, 0


def quick_columns(path: Path, name: str, mapping: Mapping[str, str]) -> Columns | None:
    """Read a large plain text file of the usual form; None where it is of another.

    Parameters
    ----------
    path, name, mapping
        As for `feeds.csv.read_csv`, which reads what this declines.
    """
    try:
        if path.stat().st_size < SMALLEST_BYTES:
            return None
        with path.open("rb", buffering=0) as file:
            return _read(file, path, name, mapping)
    except OSError:
        return None


def _read(file: BinaryIO, path: Path, name: str, mapping: Mapping[str, str]) -> Columns | None:
    head = file.read(_HEAD)
    if head[:2] in _TEXT_MARKS or b"\x00" in head:
        return None
    try:
        dialect = sniff(Text(name, head, "", "plain"), dict(mapping))
    except DataError:
        return None
    if not _is_usual(dialect):
        return None
    roles = _roles(dialect)
    # Room for the shortest rows there can be; what stays untouched costs no memory.
    bars = np.zeros(path.stat().st_size // (16 + 2 * (len(roles) - 1)) + 1, BAR)
    file.seek(0)
    rows, digest = _blocks(file, dialect, roles, bars)
    if rows <= 0:
        return None
    bars = bars[:rows]
    return Columns(
        name=name,
        stamps=np.ascontiguousarray(bars["start"]),
        zone_known=None,
        epoch=False,
        **{word: bars[word] for word in (*_NUMBERS, "spread")},
        # Lines are asked for on failure only: the file is read again.
        line_of=line_finder(lambda: (read_text(path, name).data, dialect.skip_lines)),
        facts=_facts(dialect, digest),
        bars=bars,
        kind=dialect.kind,
    )


def _is_usual(dialect: Dialect) -> bool:
    """Say whether the columns need no joining, choosing or scaling."""
    odd = {"time", "ticks", "spread"} & dialect.places.keys()
    return not odd and not dialect.decimal_comma and dialect.fields == len(dialect.headers)


def _roles(dialect: Dialect) -> _Array:
    roles = np.full(dialect.fields, _SKIP, np.int64)
    for word, place in dialect.places.items():
        if word == "datetime":
            roles[place] = _STAMP
        elif word in _NUMBERS:
            roles[place] = _CELLS[word]
    return roles


def _blocks(file: BinaryIO, dialect: Dialect, roles: _Array, bars: _Array) -> tuple[int, str]:
    """Parse the file block by block; return (rows, sha256), rows -1 where it declines."""
    digest = hashlib.sha256()
    buffer = bytearray(2 * _BLOCK + 1)
    view, text = memoryview(buffer), np.frombuffer(buffer, np.uint8)
    separator = ord(dialect.separator)
    stamps, cells = (bars.view(kind).reshape(len(bars), -1) for kind in (np.int64, np.float64))
    rows = kept = 0
    skip = dialect.skip_lines
    while True:
        read = file.readinto(view[kept : kept + _BLOCK]) or 0  # type: ignore[attr-defined]
        digest.update(view[kept : kept + read])
        filled = kept + read
        if not read and filled:
            buffer[filled] = 10
            filled += 1
        stop = buffer.rfind(b"\n", 0, filled) + 1
        if not stop:
            return (rows if not filled else -1), digest.hexdigest()
        begin = 0
        for _ in range(skip):
            begin = buffer.find(b"\n", begin) + 1
        skip = 0
        found, declined = _lines(
            text[begin:], stop - begin, separator, roles, _TENS, stamps[rows:], cells[rows:]
        )
        if declined:
            return -1, ""
        rows += found
        kept = filled - stop
        if kept > _BLOCK:
            return -1, ""
        buffer[:kept] = buffer[stop:filled]


def _facts(dialect: Dialect, digest: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": "csv", "packing": "plain", "sha256": digest}
    facts["columns"] = {word: dialect.headers[place] for word, place in dialect.places.items()}
    facts |= dialect.understood() | {"encoding": "UTF-8"}
    if dialect.note:
        facts["note"] = dialect.note
        facts["synthetic"] = "synthetic" in dialect.note.lower()
    return facts
