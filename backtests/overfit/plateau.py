"""Plateaus: a parameter set is worth what its neighbours are worth.

A peak among poor neighbours is a fit to the past; the middle of a plateau survives a little error.
Source of the idea: Pardo, The Evaluation and Optimization of Trading Strategies (2008), chapter 10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MOST_STEPS = 60
NEAR = 0.05
"""A parameter with more values than that is no grid: neighbours are within NEAR of its range."""


@dataclass(frozen=True)
class Plateau:
    """Every parameter set with its neighbourhood.

    Attributes
    ----------
    own : the objective, larger is better, shape (n,); NaN where there was none.
    median, lowest : of the set and its neighbours, shape (n,); NaN without a known one.
    neighbours : how many it has, itself left out, shape (n,).
    peak, plateau : places of the best set, and of the best neighbourhood: the best median, of equal
        ones that with the best lowest. None without any.
    """

    own: Array
    median: Array
    lowest: Array
    neighbours: Array
    peak: int | None
    plateau: int | None

    def stands_out(self, place: int) -> float | None:
        """Return by how many spreads a set is above its neighbourhood's median; None unknown.

        The spread is half the distance between the 16th and 84th percentile of all sets.
        """
        known = self.own[np.isfinite(self.own)]
        if len(known) < 2:
            return None
        low, high = np.quantile(known, [0.16, 0.84])
        if not high > low:
            return None
        return float((self.own[place] - self.median[place]) / ((high - low) / 2.0))


def plateau(table: Mapping[str, Sequence[Any]], objective: Sequence[float]) -> Plateau:
    """Return the neighbourhood of every parameter set.

    Parameters
    ----------
    table : parameter name -> its value in each set. Numbers have an order: a neighbour is at most
        one value of the grid away in every parameter. Other values must be the same.
    objective : larger is better; NaN for a set that has none, such as one without trades.

    Raises
    ------
    ValueError : columns of different lengths.
    """
    own = np.asarray(objective, float)
    lengths = {len(column) for column in table.values()} | {len(own)}
    if len(lengths) != 1:
        raise ValueError(f"columns of {', '.join(map(str, sorted(lengths)))} items do not fit")
    places = np.array([_places(column) for column in table.values()]).reshape(len(table), len(own))
    median, lowest = np.full(len(own), np.nan), np.full(len(own), np.nan)
    neighbours = np.zeros(len(own), np.int64)
    for place in range(len(own)):
        near = (np.abs(places - places[:, place : place + 1]) <= 1.0).all(axis=0)
        neighbours[place] = int(near.sum()) - 1
        known = own[near & np.isfinite(own)]
        if len(known):
            median[place], lowest[place] = np.median(known), known.min()
    return Plateau(own, median, lowest, neighbours, _best(own), _best(median, lowest))


def _best(values: Array, then: Array | None = None) -> int | None:
    """Return the place of the largest value, of equal ones that with the largest `then`."""
    if not np.isfinite(values).any():
        return None
    largest = np.flatnonzero(values == np.nanmax(values))
    return int(largest[0] if then is None else largest[np.argmax(then[largest])])


def _places(column: Sequence[Any]) -> Array:
    """Return each value's place, such that neighbours are at most 1 apart."""
    if all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in column):
        values, places = np.unique(np.asarray(column, float), return_inverse=True)
        if len(values) <= MOST_STEPS:
            return np.asarray(places, float)
        reach = NEAR * float(values[-1] - values[0])
        return np.asarray(column, float) / reach
    names = sorted({repr(value) for value in column})
    return np.array([2.0 * names.index(repr(value)) for value in column])


@dataclass(frozen=True)
class HeatMap:
    """An objective over two parameters: its median over all others, shape (y, x), NaN for none."""

    x: list[Any]
    y: list[Any]
    values: Array


def heat_map(
    table: Mapping[str, Sequence[Any]], objective: Sequence[float], x: str, y: str
) -> HeatMap:
    """Return the median of an objective for each pair of two parameters' values.

    Parameters
    ----------
    table, objective : as for `plateau`; Plateau.median serves as an objective, too.
    x, y : names of parameters.

    Raises
    ------
    KeyError : the table lacks one of them.
    """
    own = np.asarray(objective, float)
    columns, rows = _ordered(table[x]), _ordered(table[y])
    found: dict[tuple[int, int], list[float]] = {}
    for place, value in enumerate(own):
        if np.isfinite(value):
            key = (rows.index(table[y][place]), columns.index(table[x][place]))
            found.setdefault(key, []).append(float(value))
    values = np.full((len(rows), len(columns)), np.nan)
    for key, told in found.items():
        values[key] = np.median(told)
    return HeatMap(columns, rows, values)


def _ordered(column: Sequence[Any]) -> list[Any]:
    values = list(dict.fromkeys(column))
    return sorted(values, key=lambda value: (isinstance(value, str), value))
