"""Candles in JSON, as Kite's and Upstox' history calls reply: read whatever envelope holds them.

Kite: `{"data": {"candles": [["2019-12-04T09:15:00+0530", o, h, l, c, volume(, oi)], ...]}}`, oldest
first (kite.trade/docs, historical). Upstox v2 and v3: the same with `+05:30`, always seven items,
newest first (upstox.com/developer, historical candle data). The SDKs' lists of objects are read
too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import DataError
from feeds.columns import PRICES, Columns, known_name
from feeds.dialects import Text
from feeds.kinds import Kind
from feeds.stamps import parse_column

_ROW = ("datetime", *PRICES, "volume")
_KITE = Kind("Kite JSON", stamp="start", price_side="last")
_UPSTOX = Kind("Upstox JSON", stamp="start", price_side="last")
_OBJECTS = Kind("JSON objects")
_MOST_NESTED = 4


def is_json(text: Text) -> bool:
    """Say whether a text is a JSON document."""
    return text.data[:200].lstrip()[:1] in (b"{", b"[")


def read_candles(text: Text, mapping: Mapping[str, str]) -> Columns:
    """Read a JSON document of candles.

    Parameters
    ----------
    text : Text
        The unpacked file.
    mapping : mapping
        Our word -> the key, for objects with keys we do not know.

    Raises
    ------
    DataError : if it is no JSON, holds no candles, or a candle is faulty (named by its number).
    """
    document = _parsed(text)
    if isinstance(document, dict) and document.get("status") == "error":
        said = str(document.get("message", "no message"))[:120]
        raise DataError(f"is an error reply, not candles: {said}", file=text.name)
    rows = _find(document, 0)
    if not rows:
        raise DataError(
            "is JSON without candles; expected data.candles with [stamp, open, high, low, close,"
            " volume] or a list of objects",
            file=text.name,
        )
    if isinstance(rows[0], dict):
        kind, keys = _OBJECTS, _keys(rows[0], mapping, text.name)
        cells = [[row.get(key) if isinstance(row, dict) else row for key in keys] for row in rows]
    else:
        kind, keys = _kind(rows), list(_ROW)
        cells = [list(row[:6]) if isinstance(row, list) else [row] for row in rows]
    return _columns(text, kind, keys, cells)


def _parsed(text: Text) -> Any:
    try:
        return json.loads(text.data)
    except RecursionError as cause:
        raise DataError("is no sound JSON: nested too deeply", file=text.name) from cause
    except ValueError as cause:
        at = getattr(cause, "lineno", None)
        raise DataError(
            f"is no sound JSON ({cause}); fetch it again", file=text.name, line=at
        ) from cause


def _find(document: Any, depth: int) -> list[Any] | None:
    """Return the list of candles inside an envelope."""
    if isinstance(document, list):
        is_table = bool(document) and isinstance(document[0], dict | list)
        return document if is_table else None
    if not isinstance(document, dict) or depth > _MOST_NESTED:
        return None
    for key in ("candles", "data", *document):
        found = _find(document.get(key), depth + 1)
        if found is not None:
            return found
    return None


def _kind(rows: Sequence[Any]) -> Kind:
    """Tell the two makers apart by the offset's colon."""
    stamp = rows[0][0] if rows[0] else ""
    if isinstance(stamp, str) and stamp.endswith("+0530"):
        return _KITE
    if isinstance(stamp, str) and stamp.endswith("+05:30"):
        return _UPSTOX
    return Kind("JSON candles")


def _keys(row: Mapping[str, Any], mapping: Mapping[str, str], name: str) -> list[str]:
    """Return the objects' keys of stamp, prices and volume."""
    found: dict[str, str] = {}
    for key in row:
        word = known_name(str(key))
        word = "datetime" if word in ("date", "time") else word
        if word is not None:
            found.setdefault(word, key)
    found |= mapping
    missing = [word for word in ("datetime", *PRICES) if word not in found]
    if missing:
        raise DataError(
            f"the objects lack {', '.join(missing)}; they have {', '.join(map(str, row))}:"
            f" name one with --columns {missing[0]}=KEY",
            file=name,
        )
    return [found.get(word, "") for word in _ROW]


def _columns(text: Text, kind: Kind, keys: list[str], cells: list[list[Any]]) -> Columns:
    import pyarrow as pa

    width = 6 if keys[5] and len(cells[0]) > 5 else 5
    for number, row in enumerate(cells, 1):
        if len(row) < width:
            raise _fault(text, number, f"{len(row)} items where {width} are expected")
    column = pa.chunked_array([pa.array([_stamp(row[0]) for row in cells], pa.string())])
    stamps = parse_column(column)
    bad = stamps.bad_row if stamps.bad_row >= 0 else stamps.mixed_row
    if bad >= 0:
        raise _fault(text, bad + 1, f"stamp is {cells[bad][0]!r}")
    numbers = [_numbers(text, cells, place) for place in range(1, width)]
    if width == 5:
        numbers.append(np.zeros(len(cells)))
    known = "epoch stamps" if stamps.epoch else ("offset in the stamps" if stamps.offsets else None)
    return Columns(
        name=text.name,
        stamps=stamps.ns,
        zone_known=known,
        epoch=stamps.epoch,
        open=numbers[0],
        high=numbers[1],
        low=numbers[2],
        close=numbers[3],
        volume=numbers[4],
        spread=np.zeros(len(cells)),
        line_of=lambda row: None,
        facts={
            "kind": "json",
            "packing": text.packing,
            "sha256": text.sha256,
            "encoding": text.encoding,
            "columns": dict(zip(_ROW[:width], keys[:width], strict=True)),
            "dialect": kind.name,
            "separator": "JSON",
            "stamp_example": _stamp(cells[0][0]),
        },
        kind=kind,
    )


def _stamp(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else f"{value}"


def _numbers(text: Text, cells: list[list[Any]], place: int) -> np.ndarray[Any, Any]:
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        value = cell[place]
        if value is None:
            continue
        try:
            values[row] = float(value)
        except (TypeError, ValueError, OverflowError) as cause:
            fault = f"{_ROW[place]} is {str(value)[:40]!r}, expected a number"
            raise _fault(text, row + 1, fault) from cause
    return values


def _fault(text: Text, number: int, message: str) -> DataError:
    return DataError(f"candle {number}: {message}; mend or remove it", file=text.name)
