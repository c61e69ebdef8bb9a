"""What makes a bar wrong, judged in one compiled pass; a line number is sought on failure only."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR
from core.compile import kernel
from feeds.columns import Columns

_Array = np.ndarray[Any, Any]

NOT_A_NUMBER = 1
NOT_POSITIVE = 2
HIGH_BELOW_LOW = 4
OPEN_OUTSIDE = 8
CLOSE_OUTSIDE = 16
DUPLICATE = 32
UNSORTED = 64
BAD_VOLUME = 128
BAD_SPREAD = 256

FAULT_NAMES = {
    NOT_A_NUMBER: "nan",
    NOT_POSITIVE: "not_positive",
    HIGH_BELOW_LOW: "high_below_low",
    OPEN_OUTSIDE: "open_outside",
    CLOSE_OUTSIDE: "close_outside",
    DUPLICATE: "duplicate",
    UNSORTED: "unsorted",
    BAD_VOLUME: "bad_volume",
    BAD_SPREAD: "bad_spread",
}


@kernel
def bar_faults(
    open_: float, high: float, low: float, close: float, volume: float, spread: float
) -> int:
    """Return the faults of one bar's numbers as bits, 0 for a sound bar."""
    total = open_ + high + low + close
    if total - total != 0.0:
        return 1
    if open_ <= 0.0 or high <= 0.0 or low <= 0.0 or close <= 0.0:
        return 2
    faults = 0
    if high < low:
        faults = 4
    else:
        if open_ > high or open_ < low:
            faults += 8
        if close > high or close < low:
            faults += 16
    if not (volume >= 0.0 and volume - volume == 0.0):
        faults += 128
    if not (spread >= 0.0 and spread - spread == 0.0):
        faults += 256
    return faults


@kernel
def mark_faults(
    start: _Array,
    open_: _Array,
    high: _Array,
    low: _Array,
    close: _Array,
    volume: _Array,
    spread: _Array,
    faults: _Array,
) -> None:
    """Write the faults of every row, order included, as bits."""
    for i in range(len(start)):
        bits = bar_faults(open_[i], high[i], low[i], close[i], volume[i], spread[i])
        if i > 0 and start[i] == start[i - 1]:
            bits += 32
        elif i > 0 and start[i] < start[i - 1]:
            bits += 64
        faults[i] = bits


@kernel
def _pack(
    start: _Array,
    open_: _Array,
    high: _Array,
    low: _Array,
    close: _Array,
    volume: _Array,
    spread: _Array,
    bars: _Array,
) -> int:
    """Fill the bars up to the first faulty row; return that row or -1."""
    for i in range(len(start)):
        bits = bar_faults(open_[i], high[i], low[i], close[i], volume[i], spread[i])
        if bits != 0 or (i > 0 and start[i] <= start[i - 1]):
            return i
        bars[i].start = start[i]
        bars[i].open = open_[i]
        bars[i].high = high[i]
        bars[i].low = low[i]
        bars[i].close = close[i]
        bars[i].volume = volume[i]
        bars[i].spread = spread[i]
    return -1


@kernel
def _settle(start: _Array, bars: _Array) -> int:
    """Set the START of bars whose numbers stand; return the first faulty row or -1."""
    for i in range(len(start)):
        bar = bars[i]
        bits = bar_faults(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.spread)
        if bits != 0 or (i > 0 and start[i] <= start[i - 1]):
            return i
        bars[i].start = start[i]
    return -1


def pack(columns: Columns, start: _Array) -> _Array:
    """Return columns as BAR records with start, prices, volume and spread filled.

    Parameters
    ----------
    columns : Columns
        The source's rows.
    start : ndarray of int64, shape (n,)
        UTC ns of each row.

    Raises
    ------
    DataError : naming the first line that is no sound bar or breaks the order.
    """
    bars = columns.bars
    if bars is None:
        bars = np.zeros(len(start), BAR)
        row = int(_pack(start, *_arrays(columns), bars))
    else:
        row = int(_settle(start, bars))
    if row >= 0:
        bits = all_faults(columns, start)[row]
        raise columns.fault(fault_text(columns, row, int(bits)), row)
    return bars


def all_faults(columns: Columns, start: _Array) -> _Array:
    """Return the fault bits of each row."""
    faults = np.zeros(len(start), np.int64)
    mark_faults(start, *_arrays(columns), faults)
    return faults


def _arrays(columns: Columns) -> tuple[_Array, _Array, _Array, _Array, _Array, _Array]:
    """Return open, high, low, close, volume and spread as kernels want them."""
    c = columns
    return (
        np.ascontiguousarray(c.open, np.float64),
        np.ascontiguousarray(c.high, np.float64),
        np.ascontiguousarray(c.low, np.float64),
        np.ascontiguousarray(c.close, np.float64),
        np.ascontiguousarray(c.volume, np.float64),
        np.ascontiguousarray(c.spread, np.float64),
    )


def fault_text(columns: Columns, row: int, bits: int) -> str:
    """Return what is wrong with a row and what to do about it."""
    open_, high, low, close, volume, spread = (
        f"{float(values[row]):.12g}" for values in _arrays(columns)
    )
    prices = f"open {open_}, high {high}, low {low}, close {close}"
    texts = {
        NOT_A_NUMBER: f"a price is missing or NaN ({prices})",
        NOT_POSITIVE: f"a price is zero or negative ({prices})",
        HIGH_BELOW_LOW: f"high {high} is below low {low}",
        OPEN_OUTSIDE: f"open {open_} lies outside low {low} to high {high}",
        CLOSE_OUTSIDE: f"close {close} lies outside low {low} to high {high}",
        DUPLICATE: "the stamp repeats that of the row before",
        UNSORTED: "the stamp is earlier than that of the row before; sort the file by time",
        BAD_VOLUME: f"volume is {volume}",
        BAD_SPREAD: f"spread is {spread}",
    }
    found = [text for bit, text in texts.items() if bits & bit]
    return "; ".join(found) + ": mend or remove the line"
