"""Price columns in and ledger columns out, as the peer names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.compile import kernel
from core.errors import DataError, near_name

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


def column(frame: pd.DataFrame, name: str) -> Floats:
    """Return one price column as float64, its name in any case.

    Raises
    ------
    DataError : if the frame has no such column.
    """
    for label in frame.columns:
        if str(label).lower() == name:
            return np.ascontiguousarray(frame[label].to_numpy(np.float64))
    raise DataError(f"column {name!r} is missing{near_name(name, map(str, frame.columns))}")


def volume(frame: pd.DataFrame) -> Floats:
    """Return the volume column, zeros where the frame has none."""
    if any(str(label).lower() == "volume" for label in frame.columns):
        return column(frame, "volume")
    return np.zeros(len(frame))


def blank(rows: int) -> Floats:
    """Return a column of NaN."""
    return np.full(rows, np.nan)


def table(**columns: npt.NDArray[Any]) -> pd.DataFrame:
    """Return the columns as a DataFrame that shares their memory."""
    import pandas as pd

    return pd.DataFrame(columns, copy=False)


@kernel
def rounded(value: float, narrow: bool) -> float:
    """Return `value`, as the peer's float32 arrays hold it if `narrow`."""
    if narrow:
        return float(np.float32(value))
    return value
