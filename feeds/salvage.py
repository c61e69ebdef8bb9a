"""What can be read of a faulty text file, and each line that cannot: for `check` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from core.errors import DataError
from feeds.candles import is_json, read_candles
from feeds.columns import Columns
from feeds.csv import cell_fault, rows_of, stamp_text, table_columns
from feeds.dialects import Text, read_text, sniff
from feeds.stamps import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, is_stamp


def salvage(
    path: Path, name: str, mapping: Mapping[str, str]
) -> tuple[Columns, list[tuple[int, str, str]]]:
    """Read a text file without its unreadable lines.

    Returns
    -------
    Columns
        The readable rows; `line_of` gives lines of the file as it is.
    list of (int, str, str)
        Line, kind and fault of every line left out: wrong number of fields, text in a price, no
        stamp; 'truncated' for a last line without its end.

    Raises
    ------
    DataError : if the file cannot be opened or nothing in it can be read.
    """
    text = read_text(path, name)
    if is_json(text):
        return read_candles(text, mapping), []
    dialect = sniff(text, dict(mapping))
    rows = rows_of(text, dialect)
    orders = (YEAR_FIRST, DAY_FIRST, MONTH_FIRST)
    bad: list[tuple[int, str, str]] = []
    is_cut = not text.data.endswith(b"\n")
    kept: list[tuple[int, str]] = []
    for line, row in rows:
        fault = cell_fault(row, dialect)
        if fault is None and not any(is_stamp(stamp_text(row, dialect), o) for o in orders):
            fault = f"stamp is {stamp_text(row, dialect)!r}"
        if fault is None:
            kept.append((line, row))
        else:
            cut = is_cut and line == rows[-1][0]
            bad.append((line, "truncated" if cut else "unreadable", fault))
    if not kept:
        line, _, fault = bad[0] if bad else (dialect.skip_lines + 1, "", "holds no rows")
        raise DataError(f"{fault}; no other line is a row of prices either", file=name, line=line)
    head = text.data.split(b"\n", dialect.skip_lines)[: dialect.skip_lines]
    body = "\n".join(row for _, row in kept).encode()
    readable = Text(name, b"\n".join([*head, body]), text.sha256, text.packing)
    columns = table_columns(readable, dialect, mapping)
    lines = [line for line, _ in kept]
    return replace(columns, line_of=lambda row: lines[row] if row < len(lines) else None), bad
