"""Columns into Parquet files without pandas, which pyarrow's own way loads and which takes long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]


def write_columns(
    path: Path,
    columns: Mapping[str, _Array],
    *,
    rising: Sequence[str] = (),
    repeating: bool | Sequence[str] = True,
) -> None:
    """Write columns of equal length, numbers or text, as one Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping
        Name -> ndarray of numbers, or of str (dtype object).
    rising : sequence of str
        Whole-number columns that rise by much the same step: their differences are stored.
    repeating : bool or sequence of str
        The columns whose values are worth a dictionary (True: all; a rising one must not be).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [_text(values) if values.dtype == object else _numbers(values)
              for values in columns.values()]  # fmt: skip
    table = pa.Table.from_arrays(arrays, names=list(columns))
    encoding = dict.fromkeys(rising, "DELTA_BINARY_PACKED") or None
    dictionary = repeating if isinstance(repeating, bool) else list(repeating)
    pq.write_table(table, path, use_dictionary=dictionary, column_encoding=encoding)


def _numbers(values: _Array) -> Any:
    import pyarrow as pa

    kept = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(kept.dtype)
    return pa.Array.from_buffers(kind, len(kept), [None, pa.py_buffer(kept)])


def _text(values: _Array) -> Any:
    import pyarrow as pa

    words = [str(word).encode() for word in values]
    ends = np.zeros(len(words) + 1, np.int32)
    np.cumsum([len(word) for word in words], out=ends[1:])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(words))]
    return pa.Array.from_buffers(pa.string(), len(words), buffers)
