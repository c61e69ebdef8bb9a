"""Any indicator of the library `ta` as a Backtrader line."""

from __future__ import annotations

import array
import importlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from core.errors import ConfigError, near_name

PRICES = ("open", "high", "low", "close", "volume")

LEAST_ROWS = 1024
"""Rows handed to `ta` in `next`: some of its functions fail on fewer rows than their window, so
a short history is followed by copies of its last bar, whose values are not read."""


def find(name: str) -> Callable[..., Any]:
    """Return a function of `ta` such as 'momentum.rsi' or 'volatility.average_true_range'.

    Raises
    ------
    ConfigError : for an unknown module or function.
    """
    module_name, _, function = name.partition(".")
    modules = ("momentum", "others", "trend", "volatility", "volume")
    if module_name not in modules:
        raise ConfigError(f"ta function {name!r}: unknown module{near_name(module_name, modules)}")
    module = importlib.import_module(f"ta.{module_name}")
    found = getattr(module, function, None)
    if not callable(found) or isinstance(found, type):
        known = [n for n in vars(module) if n.islower() and callable(getattr(module, n))]
        raise ConfigError(
            f"ta.{module_name} has no function {function!r}{near_name(function, known)}"
        )
    return found  # type: ignore[no-any-return]


def compute(
    name: str, inputs: tuple[str, ...], columns: Mapping[str, Any], settings: Mapping[str, Any]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a `ta` function's values for price columns.

    Parameters
    ----------
    inputs : tuple of str
        Columns handed over, in the function's own order.
    columns : mapping of name to ndarray of float64, shape (n,)
    settings : mapping
        The function's further arguments, such as `window`.

    Raises
    ------
    ConfigError : where `ta` does not take these settings.
    """
    import pandas as pd

    series = [pd.Series(columns[column], dtype=np.float64) for column in inputs]
    try:
        return np.asarray(find(name)(*series, **settings), dtype=np.float64)
    except TypeError as cause:
        raise ConfigError(f"ta function {name!r} with {dict(settings)}: {cause}") from cause


class TaLine(bt.Indicator):  # type: ignore[misc]
    """One line of `ta`, from the bars known so far.

    Parameters
    ----------
    function : str
        Such as "momentum.rsi".
    inputs : tuple of str
        Columns it reads, in its own order.
    settings : dict, optional
        Its further arguments.

    Notes
    -----
    Warm-up and NaN are those of `ta`. In `next` every bar is computed again from all bars before,
    so that the values equal those of a run over the whole series: for live use prefer a kernel.
    A function of `ta` that looks ahead does so here too, in a run over the whole series.
    """

    lines: ClassVar[Any] = ("value",)
    params = (("function", "momentum.rsi"), ("inputs", ("close",)), ("settings", None))

    def __init__(self) -> None:
        wrong = [name for name in self.p.inputs if name not in PRICES]
        if wrong:
            raise ConfigError(f"ta input {wrong[0]!r}{near_name(wrong[0], PRICES)}")
        find(self.p.function)
        self._history: dict[str, list[float]] = {name: [] for name in self.p.inputs}
        super().__init__()

    def preonce(self, start: int, end: int) -> None:
        """Do nothing: the line has no minimum period of its own."""

    def oncestart(self, start: int, end: int) -> None:
        """Do nothing: Backtrader calls this besides `once` when the minimum period is 1."""

    def once(self, start: int, end: int) -> None:
        """Compute the whole line at once."""
        columns = {
            name: np.array(getattr(self.data.lines, name).array[:end]) for name in self.p.inputs
        }
        self.lines.value.array[:end] = array.array("d", self._compute(columns).tobytes())

    def next(self) -> None:
        """Compute the newest value from all bars so far."""
        for name, values in self._history.items():
            del values[len(self) - 1 :]
            values.append(float(getattr(self.data, name)[0]))
        padding = max(0, LEAST_ROWS - len(self))
        padded = {name: values + values[-1:] * padding for name, values in self._history.items()}
        self.lines.value[0] = float(self._compute(padded)[len(self) - 1])

    def _compute(self, columns: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return compute(self.p.function, self.p.inputs, columns, self.p.settings or {})
