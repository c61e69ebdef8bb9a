"""A pandas DataFrame as a source of bars."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.errors import DataError
from feeds.columns import PRICES, Columns, match_columns
from feeds.kinds import Kind

_NAME = "DataFrame"
_FRAME = Kind("pandas frame")


def read_frame(frame: Any, mapping: Mapping[str, str], name: str = _NAME) -> Columns:
    """Read a DataFrame: stamps in a DatetimeIndex or in a column, prices in any case.

    Parameters
    ----------
    frame : DataFrame
        Aware stamps are converted; naive ones are wall clock of a zone still to be found.
    mapping : mapping
        Our word -> the frame's column.
    name : str
        For messages.

    Raises
    ------
    DataError : if a column is missing, or is no number or no time.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"expected a file or a DataFrame, not {type(frame).__name__}", file=name)
    if not len(frame):
        raise DataError("the frame is empty; expected rows of prices", file=name)
    if "datetime" not in mapping and isinstance(frame.index, pd.DatetimeIndex):
        stamps: Any = frame.index
        headers = ["datetime", *(str(header) for header in frame.columns)]
        shift = 1
    else:
        headers, shift = [str(header) for header in frame.columns], 0
        stamps = None
    places = match_columns(headers, dict(mapping), name)
    if stamps is None:
        stamps = _times(frame.iloc[:, places["datetime"]], name)
    ns, aware = _nanoseconds(stamps, name)
    numbers = {
        word: _numbers(frame, places.get(word), shift, word, name)
        for word in (*PRICES, "volume", "spread")
    }
    digest = hashlib.sha256(ns.tobytes())
    for values in numbers.values():
        digest.update(values.tobytes())
    return Columns(
        name=name,
        stamps=ns,
        zone_known="zone-aware stamps" if aware else None,
        epoch=False,
        **numbers,
        line_of=lambda row: None,
        kind=_FRAME,
        facts={"kind": "frame", "sha256": digest.hexdigest()},
    )


def _times(column: Any, name: str) -> Any:
    import pandas as pd

    try:
        return pd.DatetimeIndex(pd.to_datetime(column))
    except (ValueError, TypeError) as cause:
        raise DataError(f"column {column.name} holds no times: {cause}", file=name) from cause


def _nanoseconds(stamps: Any, name: str) -> tuple[np.ndarray[Any, Any], bool]:
    if stamps.hasnans:
        row = int(np.argmax(np.asarray(stamps.isna())))
        raise DataError(f"row {row}: the stamp is missing", file=name)
    aware = stamps.tz is not None
    naive = stamps.tz_convert("UTC").tz_localize(None) if aware else stamps
    return np.ascontiguousarray(naive.as_unit("ns").asi8), aware


def _numbers(
    frame: Any, place: int | None, shift: int, word: str, name: str
) -> np.ndarray[Any, Any]:
    if place is None:
        return np.zeros(len(frame))
    column = frame.iloc[:, place - shift]
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as cause:
        raise DataError(f"column {column.name} ({word}) holds text: {cause}", file=name) from cause
    return np.ascontiguousarray(values)
