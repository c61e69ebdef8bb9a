"""Numbers of pyarrow columns as numpy arrays, without pyarrow's own way, which loads pandas."""

from __future__ import annotations

from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]


def doubles(column: Any) -> _Array:
    """Return a chunked float64 column; NaN where a value is missing."""
    parts = [_values(chunk, np.float64) for chunk in column.chunks]
    for part, chunk in zip(parts, column.chunks, strict=True):
        if chunk.null_count:
            part[~_present(chunk)] = np.nan
    return np.concatenate(parts) if parts else np.zeros(0)


def integers(column: Any) -> _Array:
    """Return a chunked int64 column without missing values."""
    parts = [_values(chunk, np.int64) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _values(chunk: Any, kind: type[np.float64] | type[np.int64]) -> _Array:
    values = np.frombuffer(chunk.buffers()[1], kind)[chunk.offset : chunk.offset + len(chunk)]
    return values.copy() if chunk.null_count else values


def _present(chunk: Any) -> _Array:
    bits = np.unpackbits(np.frombuffer(chunk.buffers()[0], np.uint8), bitorder="little")
    present: _Array = bits[chunk.offset : chunk.offset + len(chunk)].astype(bool)
    return present
