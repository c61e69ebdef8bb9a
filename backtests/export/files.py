"""Writing exported tables: CSV, Excel and Parquet, each file whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ConfigError, TolaError
from core.files import put_in_place

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("csv", "xlsx", "parquet")
EXCEL_ROWS = 1_048_576
"""Rows of an Excel sheet, its header counted."""

_RISKY = "=+-@\t\r"
"""A text that begins with one of these would be run as a formula by a spreadsheet that opens the
CSV; it gets an apostrophe before it."""


def write_whole(writers: Mapping[Path, Callable[[Path], None]]) -> None:
    """Let each writer fill a hidden sibling of its file; all get their names when all are full.

    Raises
    ------
    ConfigError : a folder is missing or may not be written to.
    TolaError : a file could not be finished; nothing of any is left.
    """
    fresh: dict[Path, Path] = {}
    try:
        for path in writers:
            fresh[path] = _sibling(path)
        for path, write in writers.items():
            with _told(path):
                write(fresh[path])
        for path, full in fresh.items():
            with _told(path):
                put_in_place(full, path)
    finally:
        for left in fresh.values():
            left.unlink(missing_ok=True)


def _sibling(path: Path) -> Path:
    """Return a new hidden file beside the one that is wanted."""
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: no such folder; make it, or choose another with --out")
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file with --out")
    fresh = path.with_name(f".{path.name}-{os.getpid()}-{time.time_ns():x}.partial")
    try:
        fresh.touch()
    except OSError as cause:
        raise ConfigError(
            f"{path.parent}: cannot write there ({cause.strerror}); choose a folder with --out"
        ) from cause
    return fresh


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise TolaError(
            f"{path} could not be written ({cause.strerror or cause}); nothing was kept: free "
            "space, close the file where it is open, or choose another place with --out"
        ) from cause


# -- CSV -------------------------------------------------------------------------------------


def write_csv(path: Path, table: pa.Table) -> None:
    """Write UTF-8 CSV: a header, comma, quotes only where needed, LF, empty cells for nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [_as_text(column.combine_chunks()) for column in table.columns]
    columns.append(pa.nulls(table.num_rows, pa.string()))
    columns[-1] = columns[-1].fill_null("")
    lines = pc.binary_join_element_wise(
        *columns[:-1], ",", null_handling="replace", null_replacement=""
    )
    ended = pc.binary_join_element_wise(lines, columns[-1], "\n")
    with path.open("wb") as stream:
        stream.write(",".join(table.column_names).encode() + b"\n")
        for start in range(0, table.num_rows, 100_000):
            stream.write("".join(ended.slice(start, 100_000).to_pylist()).encode())


def _as_text(column: Any) -> Any:
    """Return a column's cells as CSV text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind):
        return _safe_texts(column)
    if pa.types.is_boolean(kind):
        return pc.cast(column.cast(pa.int8()), pa.string())
    if pa.types.is_timestamp(kind):
        return _stamp_texts(column)
    return column.cast(pa.string())


def _stamp_texts(column: Any) -> Any:
    """Return UTC as 2025-09-15T13:30:00Z, wall time as 2025-09-15 09:30:00.

    Microseconds stand in all cells of a column in which one cell has them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    utc = column.type.tz is not None
    whole = pc.all(pc.equal(pc.microsecond(column), 0)).as_py() is not False
    whole = whole and pc.all(pc.equal(pc.millisecond(column), 0)).as_py() is not False
    seconds = column.cast(pa.timestamp("s" if whole else "us", column.type.tz), safe=False)
    texts = pc.cast(seconds.cast(pa.timestamp(seconds.type.unit)), pa.string())
    if not utc:
        return texts
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "Z", "")


def _safe_texts(column: Any) -> Any:
    """Quote and disarm the texts that need it (they are few, and looked at once each)."""
    import pyarrow as pa

    coded = column.dictionary_encode()
    texts = pa.array([_safe_text(text) for text in coded.dictionary.to_pylist()], pa.string())
    return texts.take(coded.indices)


def _safe_text(text: str) -> str:
    if text.startswith(tuple(_RISKY)):
        text = "'" + text
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


# -- Parquet ---------------------------------------------------------------------------------


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write Parquet; money becomes float64, rounded to the cent."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [
        field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field
        for field in table.schema
    ]
    pq.write_table(table.cast(pa.schema(fields)), path)


# -- Excel -----------------------------------------------------------------------------------


def write_xlsx(
    path: Path, tables: Mapping[str, pa.Table], summary: Sequence[tuple[str, Sequence[Any]]]
) -> None:
    """Write a workbook: a summary sheet, then a sheet a table, headers frozen and filtered.

    Parameters
    ----------
    summary : sequence of (style, cells)
        Rows of the first sheet; style is "title", "head", "text" or "money" (what numbers are).

    Raises
    ------
    ConfigError : a table has more rows than a sheet can hold.
    """
    import xlsxwriter

    for name, table in tables.items():
        if table.num_rows >= EXCEL_ROWS:
            raise ConfigError(
                f"{name}: {table.num_rows:,} rows do not fit an Excel sheet ({EXCEL_ROWS - 1:,}); "
                "narrow them with --from and --to, or use --format csv or parquet"
            )
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    whole = BytesIO()  # a file that cannot be finished is ours to report
    book = xlsxwriter.Workbook(whole, options)
    styles = _styles(book)
    _summary_sheet(book.add_worksheet("summary"), summary, styles)
    for name, table in tables.items():
        _table_sheet(book.add_worksheet(name), table, styles)
    book.close()
    path.write_bytes(whole.getvalue())


def _styles(book: Any) -> dict[str, Any]:
    return {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "head": book.add_format({"bold": True, "bottom": 1, "bg_color": "#EEF1F5"}),
        "text": None,
        "money": book.add_format({"num_format": "#,##0.00"}),
        "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
    }


def _summary_sheet(sheet: Any, rows: Sequence[tuple[str, Sequence[Any]]], styles: Any) -> None:
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 12, 18)
    for place, (style, cells) in enumerate(rows):
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                sheet.write_string(
                    place, column, cell, styles["text" if style == "money" else style]
                )
            else:
                sheet.write_number(
                    place, column, cell, styles["money" if style == "money" else "text"]
                )


def _table_sheet(sheet: Any, table: pa.Table, styles: dict[str, Any]) -> None:
    for place, name in enumerate(table.column_names):
        width, style, write, cells = _sheet_column(sheet, table.column(name).combine_chunks())
        sheet.set_column(place, place, max(width, min(len(name) + 3, 24)), styles[style])
        sheet.write_string(0, place, name, styles["head"])
        for row, cell in enumerate(cells, 1):
            if cell is not None:
                write(row, place, cell, styles[style])
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, table.num_rows, table.num_columns - 1)


def _sheet_column(sheet: Any, column: Any) -> tuple[int, str, Callable[..., Any], list[Any]]:
    """Return a column's width, style, how its cells are written, and the cells."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind):
        return 12, "text", sheet.write_string, column.to_pylist()
    if pa.types.is_boolean(kind):
        return 8, "text", sheet.write_boolean, column.to_pylist()
    if pa.types.is_timestamp(kind):
        days = column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() / 86_400e6
        return 19, "time", sheet.write_number, (days + _EXCEL_EPOCH).tolist()
    if pa.types.is_date32(kind):
        return (
            11,
            "date",
            sheet.write_number,
            (column.cast(pa.int32()).to_numpy() + _EXCEL_EPOCH).tolist(),
        )
    style = "money" if pa.types.is_decimal(kind) else "text"
    return 12, style, sheet.write_number, column.cast(pa.float64()).to_pylist()


_EXCEL_EPOCH = 25_569
"""Excel's serial number of 1970-01-01: days since 1899-12-30."""
