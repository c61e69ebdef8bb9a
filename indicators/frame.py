"""The notebook side of a block: a DataFrame of bars in, a DataFrame of columns out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bars import BAR
from core.errors import DataError
from indicators.block import Block, Records, run_columns

if TYPE_CHECKING:
    import pandas as pd

_NS_PER_MINUTE = 60_000_000_000
_NS_PER_DAY = 1440 * _NS_PER_MINUTE
PRICES = ("open", "high", "low", "close")


def bars_from_frame(frame: pd.DataFrame) -> Records:
    """Return the bars of a DataFrame as records.

    Parameters
    ----------
    frame : DataFrame
        Index: START stamps, aware or naive UTC, ascending. Columns open, high, low, close and
        optionally volume, in any letter case.

    Returns
    -------
    ndarray of BAR, shape (n,)
        `end` is START plus the shortest step of the index, never past the next START. Days and
        minutes are those of the index's own zone (no market calendar is applied).

    Raises
    ------
    DataError : a missing column, a stamp out of order, a price that is no number, or a high
        below the low.
    """
    import pandas as pd

    bars = np.zeros(len(frame), BAR)
    _fill_prices(frame, bars)
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"index is {type(index).__name__}: expected the bars' start stamps")
    starts = _nanoseconds(index)
    if len(starts) > 1 and not (starts[1:] > starts[:-1]).all():
        row = int(np.flatnonzero(starts[1:] <= starts[:-1])[0]) + 1
        raise DataError(f"row {row}: stamp {index[row]} does not follow {index[row - 1]}: sort it")
    bars["start"] = starts
    bars["end"] = starts
    if len(starts) > 1:
        steps = starts[1:] - starts[:-1]
        bars["end"] += int(steps.min())
    local = starts if index.tz is None else _nanoseconds(index.tz_localize(None))
    _stamp(bars, local, "day", "minute", "weekday")
    _stamp(bars, local + bars["end"] - starts, None, "end_minute", "end_weekday")
    return bars


def _fill_prices(frame: pd.DataFrame, bars: Records) -> None:
    names = {str(column).lower(): column for column in frame.columns}
    for name in (*PRICES, "volume"):
        if name not in names:
            if name == "volume":
                continue
            known = ", ".join(map(str, frame.columns))
            raise DataError(f"no column {name!r}: expected open, high, low, close; found {known}")
        bars[name] = frame[names[name]].to_numpy(dtype=np.float64)
    for name in PRICES:
        if not np.isfinite(bars[name]).all():
            row = int(np.flatnonzero(~np.isfinite(bars[name]))[0])
            raise DataError(f"row {row}: {name} is {bars[name][row]}: expected a number")
    if (bars["high"] < bars["low"]).any():
        row = int(np.flatnonzero(bars["high"] < bars["low"])[0])
        raise DataError(f"row {row}: high {bars['high'][row]} below low {bars['low'][row]}")


def _nanoseconds(index: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    utc = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return utc.to_numpy().astype("datetime64[ns]").astype(np.int64)


def _stamp(bars: Records, local: Any, day: str | None, minute: str, weekday: str) -> None:
    days = local // _NS_PER_DAY
    if day is not None:
        bars[day] = days
    bars[minute] = local // _NS_PER_MINUTE % 1440
    bars[weekday] = (days + 3) % 7


def columns_frame(block: Block, frame: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Run a block over a DataFrame's bars; row i holds what was known at the close of bar i.

    Parameters
    ----------
    values : the block's parameters by name.
    """
    import pandas as pd

    bars = bars_from_frame(frame)
    params = block.read_params(values)
    columns = run_columns(block, bars, params, block.state(params, len(bars)))
    return pd.DataFrame(columns, index=frame.index)


class _CallableModule(ModuleType):
    """A module that, called, runs its function of the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


def callable_module(name: str) -> None:
    """Let `indicators.fvg(df)` work while `indicators.fvg.step` stays the module's kernel."""
    sys.modules[name].__class__ = _CallableModule
