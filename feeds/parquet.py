"""Parquet files as a source of bars."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DataError
from feeds.arrow import doubles, integers
from feeds.columns import PRICES, Columns, match_columns
from feeds.kinds import Kind
from feeds.provenance import KEY, parse
from feeds.stamps import parse_column

_PARQUET = Kind("Parquet")


def read_parquet(path: Path, name: str, mapping: Mapping[str, str]) -> Columns:
    """Read a Parquet file: a time, text or whole-number column of stamps, and prices.

    Raises
    ------
    DataError : if it is missing, no Parquet, lacks a column, or a column has the wrong kind.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        data = path.read_bytes()
        table = parquet.read_table(pa.BufferReader(data))
    except FileNotFoundError as cause:
        raise DataError("no such file; check the path", file=name) from cause
    except OSError as cause:
        raise DataError(f"cannot be read: {cause}", file=name) from cause
    except pa.ArrowException as cause:
        raise DataError(f"is no sound Parquet file ({cause}); fetch it again", file=name) from cause
    if not table.num_rows:
        raise DataError("holds no rows", file=name)
    places = match_columns(table.column_names, dict(mapping), name)
    own = parse((table.schema.metadata or {}).get(KEY, b"").decode())
    ns, known, epoch = _stamps(table.column(places["datetime"]), name)
    numbers = {
        word: _numbers(table, places.get(word), word, name)
        for word in (*PRICES, "volume", "spread")
    }
    return Columns(
        name=name,
        stamps=ns,
        zone_known=known,
        epoch=epoch,
        **numbers,
        line_of=lambda row: None,
        kind=own.reading() if own else _PARQUET,
        facts={
            "kind": "parquet",
            "dialect": own.kind.get("name", _PARQUET.name) if own else _PARQUET.name,
            "columns": {word: table.column_names[place] for word, place in places.items()},
            "stamp_example": str(table.column(places["datetime"])[0].as_py()),
            "sha256": hashlib.sha256(data).hexdigest(),
            **_notes(table.schema.metadata),
            **(own.facts() if own else {}),
        },
    )


def _notes(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    note = (metadata or {}).get(b"note", b"").decode()
    return {"note": note, "synthetic": "synthetic" in note.lower()} if note else {}


def _stamps(column: Any, name: str) -> tuple[np.ndarray[Any, Any], str | None, bool]:
    """Return ns, how the zone is known, and whether they count from 1970."""
    import pyarrow as pa

    if column.null_count:
        raise DataError("a stamp is missing; mend or remove the row", file=name)
    kind = column.type
    if pa.types.is_timestamp(kind):
        ns = integers(column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64()))
        return ns, ("zone-aware stamps" if kind.tz else None), False
    if pa.types.is_date(kind):
        return integers(column.cast(pa.timestamp("ns")).cast(pa.int64())), None, False
    if not (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        raise DataError(f"stamp column is {kind}; expected times, text or epochs", file=name)
    stamps = parse_column(column.cast(pa.string()))
    row = stamps.bad_row if stamps.bad_row >= 0 else stamps.mixed_row
    if row >= 0:
        raise DataError(f"row {row}: stamp is {column[row].as_py()!r}", file=name)
    known = "epoch stamps" if stamps.epoch else ("offset in the stamps" if stamps.offsets else None)
    return stamps.ns, known, stamps.epoch


def _numbers(table: Any, place: int | None, word: str, name: str) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if place is None:
        return np.zeros(table.num_rows)
    try:
        return doubles(table.column(place).cast(pa.float64()))
    except pa.ArrowException as cause:
        raise DataError(f"column {word} is no number: {cause}", file=name) from cause
