"""Paths of trading days: whole days drawn in blocks, and trades in another order.

A losing day tends to follow a losing day where a market keeps its character; blocks keep that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def block_length(daily: Array) -> float:
    """Return the mean block length for a stationary bootstrap of daily results, 1 or more.

    Parameters
    ----------
    daily : ndarray of float64, shape (n,)
        One a trading day, days without a trade counted as 0.

    Notes
    -----
    Politis and White's automatic choice: b = (2 G^2 / D)^(1/3) n^(1/3) with G = sum lambda(k / M)
    |k| R(k), D = 2 (sum lambda(k / M) R(k))^2, a flat-top lag window lambda, M twice the lag after
    which K autocorrelations in a row are within 2 sqrt(log10(n) / n).
    Source: Politis, White, "Automatic Block-Length Selection for the Dependent Bootstrap",
    Econometric Reviews 23 (2004), with the correction of Patton, Politis, White, 28 (2009).
    """
    count = len(daily)
    if count < 10 or float(np.std(daily)) == 0.0:
        return 1.0
    away = daily - np.mean(daily)
    run = max(5, math.ceil(math.sqrt(math.log10(count))))
    most = min(math.ceil(math.sqrt(count)) + run, count - 1)
    covariances = np.array([float(away[lag:] @ away[: count - lag]) / count
                            for lag in range(most + 1)])  # fmt: skip
    near = np.abs(covariances / covariances[0]) < 2.0 * math.sqrt(math.log10(count) / count)
    last = next((m for m in range(most - run + 1) if near[m + 1 : m + 1 + run].all()), most)
    window = min(2 * max(last, 1), most)
    lags = np.arange(1, window + 1)
    weights = np.minimum(1.0, 2.0 * (1.0 - lags / window))
    spread = covariances[0] + 2.0 * float(np.sum(weights * covariances[1 : window + 1]))
    slope = 2.0 * float(np.sum(weights * lags * covariances[1 : window + 1]))
    if spread == 0.0:
        return 1.0
    length = (slope * slope / (spread * spread)) ** (1.0 / 3.0) * count ** (1.0 / 3.0)
    return float(min(max(length, 1.0), math.ceil(min(3.0 * math.sqrt(count), count / 3.0))))


def stationary_days(
    days: int, horizon: int, paths: int, length: float, generator: np.random.Generator
) -> Array:
    """Return paths of days drawn in blocks of random length, int32 of shape (paths, horizon).

    Each day is the one after the last (the first after the end), or, with probability 1 / length,
    any. Source: Politis, Romano, "The Stationary Bootstrap", JASA 89 (1994).
    """
    drawn = generator.integers(0, days, (horizon, paths), np.int32)
    if length > 1.0:
        breaks = generator.random((horizon, paths), np.float32) < 1.0 / length
        for step in range(1, horizon):
            following = drawn[step - 1] + 1
            following[following == days] = 0
            drawn[step] = np.where(breaks[step], drawn[step], following)
    return np.ascontiguousarray(drawn.T)


def shuffled(count: int, paths: int, generator: np.random.Generator) -> Array:
    """Return orders of `count` trades, int32 of shape (paths, count)."""
    orders = np.tile(np.arange(count, dtype=np.int32), (paths, 1))
    return generator.permuted(orders, axis=1)
