"""Text files of prices, read by pyarrow; slow Python looks at a file only to name a bad line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DataError
from feeds.arrow import doubles
from feeds.candles import is_json, read_candles
from feeds.columns import PRICES, Columns
from feeds.dialects import Dialect, Text, read_text, sniff
from feeds.lines import line_finder
from feeds.quick import quick_columns
from feeds.stamps import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, Stamps, parse_column

_NUMBERS = (*PRICES, "volume", "ticks", "spread")
_SAMPLE_BYTES = 65_536


def read_csv(path: Path, name: str, mapping: Mapping[str, str]) -> Columns:
    """Read a CSV file, plain, gzip or zip.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        How the user named it, for messages.
    mapping : mapping
        Our word -> the file's header, where it cannot be known.

    Raises
    ------
    DataError : naming file, line and value of what cannot be read.
    """
    quick = quick_columns(path, name, mapping)
    if quick is not None:
        return quick
    text = read_text(path, name)
    if is_json(text):
        return read_candles(text, mapping)
    return table_columns(text, sniff(text, dict(mapping)), mapping)


def table_columns(text: Text, dialect: Dialect, mapping: Mapping[str, str]) -> Columns:
    """Return the columns of a text whose dialect is known; raises as `read_csv`."""
    table = _read_table(text, dialect)
    line_of = line_finder(lambda: (text.data, dialect.skip_lines))
    stamps = _stamps(table, text, dialect, line_of)
    numbers = {word: _numbers(table, word, len(stamps.ns)) for word in _NUMBERS}
    if "volume" not in mapping and "ticks" in dialect.places and not numbers["volume"].any():
        numbers["volume"] = numbers["ticks"]
    del numbers["ticks"]
    point = _point(text, dialect)
    if point:
        numbers["spread"] = numbers["spread"] * point
    return Columns(
        name=text.name,
        stamps=stamps.ns,
        zone_known=_zone_known(stamps),
        epoch=stamps.epoch,
        **numbers,
        line_of=line_of,
        facts=_facts(text, dialect, point),
        kind=dialect.kind,
    )


def _facts(text: Text, dialect: Dialect, point: float) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": "csv", "packing": text.packing, "sha256": text.sha256}
    facts["columns"] = {word: dialect.headers[place] for word, place in dialect.places.items()}
    facts |= dialect.understood() | {"encoding": text.encoding}
    if text.member:
        facts["member"] = text.member
    if dialect.note:
        facts["note"] = dialect.note
        facts["synthetic"] = "synthetic" in dialect.note.lower()
    if point:
        facts["spread"] = f"points of {point:g}"
    return facts


def _zone_known(stamps: Stamps) -> str | None:
    if stamps.epoch:
        return "epoch stamps"
    if not stamps.offsets:
        return None
    words = ", ".join(
        f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}" for m in stamps.offsets
    )
    return f"offset {words} in the stamps"


def _read_table(text: Text, dialect: Dialect) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    wanted = {f"f{place}": word for word, place in dialect.places.items()}
    types = {
        name: pa.float64() if word in _NUMBERS else pa.string() for name, word in wanted.items()
    }
    try:
        table = csv.read_csv(
            pa.BufferReader(text.data),
            csv.ReadOptions(
                skip_rows=dialect.skip_lines,
                column_names=[f"f{place}" for place in range(dialect.fields)],
            ),
            csv.ParseOptions(delimiter=dialect.separator),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(wanted),
                decimal_point="," if dialect.decimal_comma else ".",
            ),
        )
    except pa.ArrowInvalid as cause:
        raise _first_fault(text, dialect, str(cause)) from cause
    return table.rename_columns([wanted[name] for name in table.column_names])


def _first_fault(text: Text, dialect: Dialect, reason: str) -> DataError:
    """Return an error for the first line that has too few fields or text in a price."""
    rows = rows_of(text, dialect)
    for line, row in rows:
        fault = cell_fault(row, dialect)
        if fault is not None:
            remedy = "mend or remove the line"
            if line == rows[-1][0]:
                remedy = "the file ends inside a line: fetch it again, or remove the line"
            return DataError(f"{fault}; {remedy}", file=text.name, line=line)
    return DataError(f"cannot be read: {reason[:120]}", file=text.name)


def cell_fault(row: str, dialect: Dialect) -> str | None:
    """Return what keeps a line from being read as fields and numbers, None if nothing does."""
    fields = row.split(dialect.separator)
    if len(fields) != dialect.fields:
        return f"{len(fields)} fields where {dialect.fields} are expected, {row[:60]!r}"
    for word, place in dialect.places.items():
        value = fields[place].strip().strip('"')
        if word in _NUMBERS and value and not _is_number(value, dialect):
            return f"{word} is {value[:40]!r}, expected a number"
    return None


def stamp_text(row: str, dialect: Dialect) -> str:
    """Return the stamp of a line, date and time of day joined."""
    fields = row.split(dialect.separator)
    places = [dialect.places[word] for word in ("datetime", "time") if word in dialect.places]
    return " ".join(fields[place].strip().strip('"') for place in places)


def _is_number(value: str, dialect: Dialect) -> bool:
    try:
        float(value.replace(",", ".") if dialect.decimal_comma else value)
    except ValueError:
        return False
    return True


def rows_of(text: Text, dialect: Dialect) -> list[tuple[int, str]]:
    """Return (1-based line, text) of every row; blank lines hold none."""
    lines = text.data.decode("utf-8", errors="replace").split("\n")
    numbered = list(enumerate((line.rstrip("\r") for line in lines), start=1))
    filled = [(number, line) for number, line in numbered if line]
    return [pair for pair in filled if pair[0] > dialect.skip_lines]


def _stamps(
    table: Any, text: Text, dialect: Dialect, line_of: Callable[[int], int | None]
) -> Stamps:
    column = table.column("datetime")
    if "time" in table.column_names:
        column = _joined(column, table.column("time"))
    stamps = parse_column(column, YEAR_FIRST)
    if stamps.bad_row == 0:
        stamps = _day_or_month_first(column, text.name, line_of)
    if stamps.bad_row >= 0:
        value = column[stamps.bad_row].as_py()
        raise DataError(
            f"stamp is {value!r}; expected a form such as 2024-01-31 09:15:00,"
            " 2024.01.31 09:15 or epoch seconds: mend or remove the line",
            file=text.name,
            line=line_of(stamps.bad_row),
        )
    if stamps.mixed_row >= 0:
        value, first = column[stamps.mixed_row].as_py(), column[0].as_py()
        raise DataError(
            f"mixed zones: stamp {value!r} against {first!r} in the first row;"
            " write all stamps in one zone",
            file=text.name,
            line=line_of(stamps.mixed_row),
        )
    return stamps


def _joined(dates: Any, clocks: Any) -> Any:
    """Return date and time of day as one column; a time without its zeros is filled up."""
    import pyarrow as pa
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(dates, clocks, " ")
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _day_or_month_first(column: Any, name: str, line_of: Callable[[int], int | None]) -> Stamps:
    """Settle whether 02/01/2024 is the second of January: by which reading ascends."""
    readings = [parse_column(column, order) for order in (DAY_FIRST, MONTH_FIRST)]
    if readings[0].bad_row == 0 and readings[1].bad_row == 0:
        return readings[0]
    whole = [reading for reading in readings if reading.bad_row < 0]
    if not whole:
        return max(readings, key=lambda reading: reading.bad_row)
    rising = [reading for reading in whole if bool((np.diff(reading.ns) > 0).all())]
    if len(rising) == 2 and not np.array_equal(rising[0].ns, rising[1].ns):
        raise DataError(
            f"stamp {column[0].as_py()!r} may be day or month first; write it as 2024-01-31",
            file=name,
            line=line_of(0),
        )
    return (rising or whole)[0]


def _numbers(table: Any, word: str, rows: int) -> np.ndarray[Any, Any]:
    """Return a column as float64 with NaN for empty cells; zeros where the file has none."""
    if word not in table.column_names:
        return np.zeros(rows)
    return doubles(table.column(word))


def _point(text: Text, dialect: Dialect) -> float:
    """Return the price step in which a whole-numbered spread column counts, 0 without one.

    MT5 writes the spread in points: the last decimal of the file's prices.
    """
    if "spread" not in dialect.places:
        return 0.0
    sample = [row.split(dialect.separator) for _, row in _head_rows(text, dialect)]
    if any("." in fields[dialect.places["spread"]] for fields in sample):
        return 0.0
    places = [dialect.places[word] for word in PRICES]
    mark = "," if dialect.decimal_comma else "."
    decimals = max(len(fields[p].strip().partition(mark)[2]) for fields in sample for p in places)
    return float(10.0**-decimals)


def _head_rows(text: Text, dialect: Dialect) -> list[tuple[int, str]]:
    start = text.data[:_SAMPLE_BYTES]
    if len(text.data) > _SAMPLE_BYTES:
        start = start.rpartition(b"\n")[0]
    rows = rows_of(Text(text.name, start, text.sha256, text.packing), dialect)
    return [(line, row) for line, row in rows if row.count(dialect.separator) >= 4]
