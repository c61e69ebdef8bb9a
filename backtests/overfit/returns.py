"""Returns of many parameter sets, from a sweep's results."""

from __future__ import annotations

from typing import Any

import numpy as np

from backtests.sweep import Results

Array = np.ndarray[Any, np.dtype[Any]]


def daily_returns(results: Results) -> Array:
    """Return the simple return of each trading day of each set, shape (days, sets).

    Raises
    ------
    ValueError : curves were not kept: run(..., keep_curve=True).
    """
    curves = [outcome.day_equity for outcome in results.outcomes]
    if not curves or any(curve is None for curve in curves):
        raise ValueError("curves were not kept: run(..., keep_curve=True)")
    equity = np.array(curves).T
    before = np.vstack([np.full(len(curves), results.cash), equity[:-1]])
    returns: Array = equity / before - 1.0
    return returns
