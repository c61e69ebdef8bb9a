"""The deflated Sharpe ratio: a best result judged by how many were tried.

Source: Bailey, Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting and Non-Normality", Journal of Portfolio Management 40 (2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

EULER = 0.5772156649015329
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Deflated:
    """A Sharpe ratio and what is left of it.

    Attributes
    ----------
    probability : that the true ratio is above what luck alone gives the best of so many trials;
        0.95 is what a test at 5 % asks for.
    sharpe, expected : per period, not annualised: the ratio found, and the largest one expected of
        `trials` trials without any skill.
    trials : independent trials counted.
    """

    probability: float
    sharpe: float
    expected: float
    trials: float


def deflated_sharpe(returns: Array, trial_sharpes: Array, trials: float | None = None) -> Deflated:
    """Return the deflated Sharpe ratio of the best of several trials.

    Parameters
    ----------
    returns : ndarray of float64, shape (t,)
        Returns of the chosen trial, one a period, all periods (also those without a trade).
    trial_sharpes : ndarray of float64, shape (n,)
        Sharpe ratio per period of every trial; NaN where one could not be formed (left out).
    trials : float, optional
        How many independent trials these amount to (`independent_trials`); None: all of them.

    Raises
    ------
    ValueError : fewer than 3 returns, returns that do not vary, or no trial with a Sharpe ratio.

    Notes
    -----
    probability = F((SR - SR0) sqrt(t - 1) / sqrt(1 - skewness SR + (kurtosis - 1) / 4 SR^2)),
    SR0 = sd(trial SR) ((1 - g) F^-1(1 - 1 / n) + g F^-1(1 - 1 / (n e))), g Euler's constant.
    """
    known = trial_sharpes[np.isfinite(trial_sharpes)]
    deviation = float(np.std(returns)) if len(returns) > 2 else 0.0
    if not (deviation > 0.0 and len(known)):
        raise ValueError("a deflated Sharpe ratio needs returns that vary and a trial with a ratio")
    away = (returns - np.mean(returns)) / deviation
    sharpe = float(np.mean(returns)) / float(np.std(returns, ddof=1))
    count = float(len(known) if trials is None else trials)
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    expected = spread * expected_maximum(count)
    probability = probabilistic_sharpe(
        sharpe, expected, len(returns), float(np.mean(away**3)), float(np.mean(away**4))
    )
    return Deflated(probability, sharpe, expected, count)


def probabilistic_sharpe(
    sharpe: float, benchmark: float, periods: int, skewness: float, kurtosis: float
) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark.

    All per period; kurtosis is 3 for a normal distribution.
    Source: Bailey, Lopez de Prado, "The Sharpe Ratio Efficient Frontier", J. of Risk 15 (2012).
    """
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(periods - 1.0) / math.sqrt(variance))


def expected_maximum(trials: float) -> float:
    """Return the expected largest of so many independent standard normal draws; 0 for one."""
    if trials <= 1.0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return (1.0 - EULER) * first + EULER * second


def independent_trials(returns: Array) -> float:
    """Return how many independent trials correlated ones amount to, 1 to n.

    Parameters
    ----------
    returns : ndarray of float64, shape (t, n)
        One column a trial.

    Notes
    -----
    n = r + (1 - r) m with r the mean correlation of m trials (negative ones count as 0): all alike
    are one trial, unrelated ones are m. Source: Bailey, Lopez de Prado (2014), appendix A.3.
    """
    varying = returns[:, np.std(returns, axis=0) > 0.0]
    count = varying.shape[1]
    if count < 2:
        return float(max(count, 1))
    scaled = (varying - np.mean(varying, axis=0)) / np.std(varying, axis=0)
    # The sum of all correlations is the mean square of the sum of the scaled columns.
    total = float(np.mean(np.sum(scaled, axis=1) ** 2))
    mean = min(max((total - count) / (count * (count - 1.0)), 0.0), 1.0)
    return float(mean + (1.0 - mean) * count)
