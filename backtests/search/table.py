"""The results of one search: its sets in the order they were chosen, figures in one array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backtests.search.objective import METRICS, PLACES
from backtests.search.runners import Given, Record
from backtests.search.study import key_of

Array = np.ndarray[Any, Any]

COUNTS = ("trades", "ambiguous_trades")
"""Figures that are whole numbers."""

_EMPTY = (None,) * len(METRICS)


class Table:
    """Sets, each once, and what they came to.

    width : figures of each; those of METRICS, unless a runner's records hold others.

    Attributes
    ----------
    sets : what was chosen, in order; a row is a place in it.
    figures : ndarray of float64, shape (rows, width); nan where a figure cannot be formed,
        the set failed or was not run.
    done : ndarray of bool, shape (rows,). faults : why rows failed.
    repeated : how often a set was chosen again.
    """

    def __init__(self, width: int = len(METRICS)) -> None:
        self.sets: Sequence[Given] = []
        self.figures: Array = np.zeros((0, width))
        self.done: Array = np.zeros(0, np.bool_)
        self.faults: dict[int, str] = {}
        self.repeated = 0
        self._rows: dict[str, int] = {}

    def take_all(self, sets: Sequence[Given]) -> range:
        """Take a list of different sets as the whole table; return its rows."""
        self.sets = sets
        self._grow(len(sets))
        return range(len(sets))

    def take(self, sets: Sequence[Given]) -> list[int]:
        """Take some sets more; return the row of each, which it may have had before."""
        known = list(self.sets)
        rows = []
        for given in sets:
            row = self._rows.setdefault(key_of(given), len(known))
            if row == len(known):
                known.append(given)
            else:
                self.repeated += 1
            rows.append(row)
        self.sets = known
        self._grow(len(known))
        return rows

    def _grow(self, count: int) -> None:
        more = count - len(self.done)
        self.done = np.concatenate([self.done, np.zeros(more, np.bool_)])
        unknown = np.full((more, self.figures.shape[1]), np.nan)
        self.figures = np.concatenate([self.figures, unknown])

    def put(self, row: int, record: Record) -> None:
        """Keep what a row came to."""
        self.done[row] = True
        if record.figures is None:
            self.faults[row] = record.fault
        else:
            self.figures[row] = [np.nan if value is None else value for value in record.figures]

    def record(self, row: int) -> Record:
        """Return what a row came to."""
        if row in self.faults:
            return Record(None, self.faults[row])
        return Record([None if value != value else float(value) for value in self.figures[row]])

    def rows(self) -> Array:
        """Return the rows that were run, in order."""
        return np.flatnonzero(self.done)

    def column(self, name: str) -> Array:
        """Return one figure of all rows."""
        column: Array = self.figures[:, PLACES[name]]
        return column

    def told(self, row: int) -> dict[str, float | int | None]:
        """Return a row's figures by name; counts are whole numbers."""
        values = zip(METRICS, self.figures[row].tolist(), strict=True)
        return {
            name: None if value != value else int(value) if name in COUNTS else value
            for name, value in values
        }


class Picked(Sequence[Mapping[str, Any]]):
    """Some rows of a list of sets, themselves a list."""

    def __init__(self, sets: Sequence[Given], rows: Sequence[int]) -> None:
        self._sets, self._rows = sets, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self._sets[row] for row in self._rows[place]]
        return self._sets[self._rows[place]]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (self._sets[row] for row in self._rows)
