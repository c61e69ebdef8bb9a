"""What can be read of a faulty text file, and each line that cannot: for `check` only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.errors import DataError
from feeds.candles import is_json, read_candles
from feeds.columns import Columns
from feeds.csv import cell_fault, rows_of, stamp_text, table_columns
from feeds.dialects import Dialect, Text, read_text, sniff
from feeds.stamps import unreadable


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
    usual = _usual_row(dialect)
    is_cut = not text.data.endswith(b"\n")
    bad: list[tuple[int, str, str]] = []
    kept: list[tuple[int, str]] = []
    stamps: list[str] = []
    for line, row in rows:
        # Nearly all rows have the usual form, which one expression tells at once.
        form = usual.fullmatch(row)
        if form is not None:
            kept.append((line, row))
            stamps.append(" ".join(form.groups()))
            continue
        fault = cell_fault(row, dialect)
        if fault is None:
            kept.append((line, row))
            stamps.append(stamp_text(row, dialect))
        else:
            cut = is_cut and line == rows[-1][0]
            bad.append((line, "truncated" if cut else "unreadable", fault))
    odd = unreadable(stamps)
    for place in np.flatnonzero(odd).tolist():
        bad.append((kept[place][0], "unreadable", f"stamp is {stamps[place]!r}"))
    kept = [pair for pair, is_odd in zip(kept, odd.tolist(), strict=True) if not is_odd]
    bad.sort()
    if not kept:
        line, _, fault = bad[0] if bad else (dialect.skip_lines + 1, "", "holds no rows")
        raise DataError(f"{fault}; no other line is a row of prices either", file=name, line=line)
    head = text.data.split(b"\n", dialect.skip_lines)[: dialect.skip_lines]
    body = "\n".join(row for _, row in kept).encode()
    readable = Text(name, b"\n".join([*head, body]), text.sha256, text.packing)
    columns = table_columns(readable, dialect, mapping)
    lines = [line for line, _ in kept]
    return replace(columns, line_of=lambda row: lines[row] if row < len(lines) else None), bad


def _usual_row(dialect: Dialect) -> re.Pattern[str]:
    """Return the form of a row of plain numbers; rows of another form are looked at closer."""
    mark = re.escape(dialect.separator)
    number = r"[-+]?\d+(?:[.]\d*)?".replace("[.]", "," if dialect.decimal_comma else r"\.")
    words = {place: word for word, place in dialect.places.items()}
    forms = {None: f'[^{mark}"]*', "datetime": f'([^{mark}"]*)', "time": f'([^{mark}"]*)'}
    cells = [forms.get(words.get(place), number) for place in range(dialect.fields)]
    if dialect.places.get("time", dialect.fields) < dialect.places["datetime"]:
        return re.compile("(?!)")  # the groups would come in the wrong order
    return re.compile(mark.join(cells))
