"""Line numbers of a text file's rows, found once and all together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_LINE_FEED, _RETURN = 10, 13


def row_lines(data: bytes, skip_lines: int) -> np.ndarray[Any, Any]:
    """Return the 1-based line of every row: each line that is not empty, below the header.

    Parameters
    ----------
    data : bytes
        The file's text.
    skip_lines : int
        Lines above the first row.
    """
    letters = np.frombuffer(data, np.uint8)
    ends = np.append(np.flatnonzero(letters == _LINE_FEED), len(letters))
    starts = np.append(0, ends[:-1] + 1)
    lengths = ends - starts
    only_return = (lengths == 1) & (letters[np.minimum(starts, len(letters) - 1)] == _RETURN)
    lines = np.flatnonzero((lengths > 0) & ~only_return) + 1
    return lines[lines > skip_lines]


def line_finder(read: Callable[[], tuple[bytes, int]]) -> Callable[[int], int | None]:
    """Return row -> line; `read` gives text and lines above the rows, and is called once."""
    found: list[np.ndarray[Any, Any]] = []

    def line_of(row: int) -> int | None:
        if not found:
            found.append(row_lines(*read()))
        return int(found[0][row]) if row < len(found[0]) else None

    return line_of
