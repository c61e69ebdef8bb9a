"""Probability of backtest overfitting: is the best in one half of time still good in the other?

Source: Bailey, Borwein, Lopez de Prado, Zhu, "The Probability of Backtest Overfitting", Journal of
Computational Finance 20 (2017, preprint 2015): combinatorially symmetric cross-validation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

PARTS = 16
_AT_ONCE = 4_000_000
"""Cells of a table of splits by sets worked on together."""


@dataclass(frozen=True)
class Overfitting:
    """What cross-validation says of choosing the best.

    Attributes
    ----------
    probability : share of splits in which the best set of one half is at or below the median of the
        other half (PBO). 0.5 is what choosing among noise gives.
    loss : share of splits in which it has a Sharpe ratio of 0 or below there.
    slope : of a line through (Sharpe in the chosen half, Sharpe in the other); below 0 a better
        past means a worse future. NaN where the first does not vary.
    logits : ndarray of float64, shape (splits,); of its relative rank in the other half.
    inside, outside : Sharpe ratios per period of the best set in the half it was chosen in and in
        the other, shape (splits,).
    """

    probability: float
    loss: float
    slope: float
    logits: Array
    inside: Array
    outside: Array


def overfitting(returns: Array, parts: int = PARTS) -> Overfitting:
    """Return the probability of backtest overfitting of a search.

    Parameters
    ----------
    returns : ndarray of float64, shape (t, n)
        One row a period, oldest first, one column a parameter set; periods without a trade are 0.
    parts : int
        Even number of equal pieces of time; every choice of half of them is a split.

    Raises
    ------
    ValueError : an odd or too small number of parts, fewer than 2 sets, or fewer than 2 periods a
        part.

    Notes
    -----
    Performance is the Sharpe ratio; a set that never moves in a half has 0 there. Periods at the
    beginning that do not fill the parts are left out.
    """
    periods, sets = returns.shape
    if parts < 2 or parts % 2:
        raise ValueError(f"parts={parts}: expected an even number, 2 or more")
    if sets < 2 or periods < 2 * parts:
        raise ValueError(
            f"{periods} periods of {sets} sets: expected 2 sets and {2 * parts} periods or more"
        )
    length = periods // parts
    pieces = returns[periods - length * parts :].reshape(parts, length, sets)
    sums, squares = pieces.sum(axis=1), (pieces**2).sum(axis=1)
    found = [
        _judge(chosen, sums, squares, length) for chosen in _splits(parts, max(_AT_ONCE // sets, 1))
    ]
    logits, inside, outside = (np.concatenate(column) for column in zip(*found, strict=True))
    spread = inside - np.mean(inside)
    square = float(spread @ spread)
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        loss=float(np.mean(outside <= 0.0)),
        slope=float(spread @ outside) / square if square > 0.0 else float("nan"),
        logits=logits,
        inside=inside,
        outside=outside,
    )


def _splits(parts: int, at_once: int) -> Iterator[Array]:
    """Yield tables of splits, one row a split: 1.0 for a part of the half that is chosen in."""
    rows: list[Array] = []
    for places in combinations(range(parts), parts // 2):
        row = np.zeros(parts)
        row[list(places)] = 1.0
        rows.append(row)
        if len(rows) == at_once:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)


def _judge(chosen: Array, sums: Array, squares: Array, length: int) -> tuple[Array, Array, Array]:
    """Return logit, Sharpe inside and outside of the best set of each split."""
    count = length * len(sums) // 2
    added, squared = chosen @ sums, chosen @ squares
    inside = _sharpe(added, squared, count)
    outside = _sharpe(sums.sum(axis=0) - added, squares.sum(axis=0) - squared, count)
    rows, best = np.arange(len(chosen)), np.argmax(inside, axis=1)
    told = outside[rows, best][:, None]
    sets = outside.shape[1]
    below, equal = (outside < told).sum(axis=1), (outside == told).sum(axis=1)
    rank = below + (equal + 1.0) / 2.0
    share = rank / (sets + 1.0)
    return np.log(share / (1.0 - share)), inside[rows, best], told[:, 0]


def _sharpe(sums: Array, squares: Array, count: int) -> Array:
    """Return mean over sample deviation from sums and sums of squares; 0 without deviation."""
    mean = sums / count
    variance = (squares - count * mean * mean) / max(count - 1, 1)
    moves = variance > 1e-12 * np.maximum(squares / count, math.ulp(0.0))
    found: Array = np.where(moves, mean / np.sqrt(np.where(moves, variance, 1.0)), 0.0)
    return found
