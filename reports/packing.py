"""Pack columns for the page: whole numbers, differences where they are smaller, bytes in planes.

A page holds one compressed block for all columns of a run. Numbers become whole steps of a power
of ten (exact: a column that does not fit stays float64), differences between neighbours are
taken where that makes them smaller, and the low bytes of all items stand before the high ones.
200,000 bars come to about 1.5 MB of text. reports/page/data.js reads what this module writes.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MAX_DECIMALS = 6
MISSING = -(2**31)
"""The step that stands for an empty cell (NaN)."""

_LEVEL = 6
_EXACT = 1e-4  # of a step: prices written with `decimals` digits lie nearer than this


def price_decimals(prices: Array, most: int = 5) -> int:
    """Return how many decimals (0 to `most`) keep every price as it is in the file."""
    for decimals in range(most):
        scaled = prices * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < _EXACT):
            return decimals
    return most


class ColumnPack:
    """Collect named columns; `text()` is their compressed block, `index` says where each lies.

    An entry of `index` is [count, offset, planes, decimals, kind] with kind "d" (differences),
    "n" (numbers) or "f" (float64, no steps). Integers have decimals 0.
    """

    def __init__(self) -> None:
        self.index: dict[str, list[Any]] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, name: str, values: Any, decimals: int | None = None) -> None:
        """Add a column of finite numbers or NaN.

        Parameters
        ----------
        decimals : int, optional
            Keep so many decimals and drop the rest; by default as many as keep every value.
        """
        column = np.asarray(values)
        steps, used = _steps(column, decimals)
        if steps is None:
            planes = np.ascontiguousarray(column, "<f8").view(np.uint8).reshape(-1, 8).T
            self._append(name, len(column), planes, 0, "f")
            return
        changes = np.diff(steps, prepend=0)
        as_changes = np.abs(changes).sum(dtype=float) < np.abs(steps).sum(dtype=float)
        chosen = changes if as_changes else steps
        # Differences wrap at 32 bits, as the page's own sums do.
        wrapped = chosen.astype(np.int32, casting="unsafe").astype(np.int64)
        folded = ((wrapped << 1) ^ (wrapped >> 31)).astype(np.uint32)
        width = _width(int(folded.max(initial=0)))
        planes = folded.astype("<u4").view(np.uint8).reshape(-1, 4).T[:width]
        self._append(name, len(column), planes, used, "d" if as_changes else "n")

    def _append(self, name: str, count: int, planes: Array, decimals: int, kind: str) -> None:
        part = np.ascontiguousarray(planes).tobytes()
        self.index[name] = [count, self._size, len(planes), decimals, kind]
        self._parts.append(part)
        self._size += len(part)

    def text(self) -> str:
        """Return all columns as base64 of one zlib stream."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), _LEVEL)).decode("ascii")


def _steps(column: Array, decimals: int | None) -> tuple[Array | None, int]:
    """Return a column as int64 steps with their decimals, or None where none would be exact."""
    if column.dtype.kind in "iub":
        steps = column.astype(np.int64)
        fits = len(steps) == 0 or (steps.min() > MISSING and steps.max() < 2**31)
        return (steps if fits else None), 0
    values = column.astype(float)
    empty = np.isnan(values)
    known = values[~empty]
    used = price_decimals(known, MAX_DECIMALS) if decimals is None else decimals
    scaled = np.rint(known * 10.0**used)
    largest = np.abs(scaled).max(initial=0.0)
    inexact = np.abs(scaled / 10.0**used - known) > 1e-9 * np.maximum(1.0, np.abs(known))
    if largest >= 2**31 or (decimals is None and inexact.any()):
        return None, 0
    steps = np.full(len(values), MISSING, np.int64)
    steps[~empty] = scaled
    return steps, used


def _width(largest: int) -> int:
    return max(1, (largest.bit_length() + 7) // 8)


def thin_curve(equity: Array, drawdown: Array, most: int) -> Array:
    """Return which rows of a curve to draw: all, or first, last and extremes of equal parts.

    No peak, trough or deepest drawdown is lost; at most about `most` rows are kept.
    """
    count = len(equity)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, most // 5 + 1).astype(np.int64)
    kept = [edges[:-1], edges[1:] - 1]
    for values in (equity, -equity, drawdown):
        kept.append(_lowest_of_parts(values, edges))
    return np.unique(np.concatenate(kept))


def _lowest_of_parts(values: Array, edges: Array) -> Array:
    """Return the row of the smallest value in each part edges[k] .. edges[k + 1] - 1."""
    lowest = np.minimum.reduceat(values, edges[:-1])
    part = np.repeat(np.arange(len(lowest)), np.diff(edges))
    rows = np.flatnonzero(values == lowest[part])
    _, first = np.unique(part[rows], return_index=True)
    return np.asarray(rows[first])
