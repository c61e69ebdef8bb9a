"""A building block as the rest of the project meets it: its loop, its records, its columns.

One compiled loop serves every use. `run_columns` walks an array of bars through it in pieces
that stay in the processor's cache; a Backtrader line in `next` hands it one bar; a DataFrame
function hands it all of them. So the three can't differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.compile import record_dtype
from indicators.parameters import ParamsArray, Rules, defaults, merge, read_nested_params

Records = np.ndarray[Any, Any]

PIECE_BARS = 4096
"""Bars handed to a loop at once, so that its output records stay in cache."""


@dataclass(frozen=True)
class Block:
    """Kernels and records of one standalone block.

    Attributes
    ----------
    name : str
        As errors name it.
    run : kernel(bars, state, params, out)
        Steps every bar; may be called again with the bars that follow.
    parts : mapping of part name to its rules
        Sub-records of the parameters, one per block that takes part.
    out : dtype
        Record of facts known at one bar.
    state : callable(params, count) -> 1-item array
        A fresh state able to hold `count` bars' worth of kept things where all are kept.
    columns : mapping of line name to the path of its field in `out`
    """

    name: str
    run: Callable[..., None]
    parts: Mapping[str, Rules]
    out: np.dtype[Any]
    state: Callable[[ParamsArray, int], Records]
    columns: Mapping[str, tuple[str, ...]]

    def read_params(self, values: Mapping[str, Any]) -> ParamsArray:
        """Return checked parameters (see `parameters.read_nested_params`)."""
        return read_nested_params(self.name, self.parts, values)

    def line_params(self) -> tuple[tuple[str, Any], ...]:
        """Return the Backtrader `params` declaration of this block's line."""
        return defaults(merge(self.parts))

    def views(self, out: Records) -> list[Records]:
        """Return one array view into `out` per column, in the order of `columns`."""
        return [_field(out, path) for path in self.columns.values()]


def _field(records: Records, path: tuple[str, ...]) -> Records:
    for name in path:
        records = records[name]
    return records


def run_columns(
    block: Block, bars: Records, params: ParamsArray, state: Records
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Run a block over bars and return its columns.

    Parameters
    ----------
    bars : ndarray of BAR, shape (n,)
    params, state : 1-item arrays as the block makes them; `state` is advanced by n bars.

    Returns
    -------
    dict of name -> ndarray of float64, shape (n,)
        Item i holds what was known at the close of bar i and never changes later.
    """
    count = len(bars)
    columns = {name: np.empty(count) for name in block.columns}
    for first, last, out in pieces(block, bars, params, state):
        for column, view in zip(columns.values(), block.views(out), strict=True):
            column[first:last] = view
    return columns


def pieces(
    block: Block, bars: Records, params: ParamsArray, state: Records
) -> Iterator[tuple[int, int, Records]]:
    """Run a block over bars piece by piece; yield (first, last, facts of bars[first:last])."""
    out = np.zeros(min(len(bars), PIECE_BARS), block.out)
    for first in range(0, len(bars), PIECE_BARS):
        last = min(first + PIECE_BARS, len(bars))
        block.run(bars[first:last], state, params, out[: last - first])
        yield first, last, out[: last - first]


def nested(parts: Mapping[str, np.dtype[Any]]) -> np.dtype[Any]:
    """Return a record with one sub-record per part: the states, or facts, of several blocks."""
    return record_dtype(list(parts.items()))
