"""How much of a search's best result is luck: deflated Sharpe, overfitting, plateaus.

Plain arrays and tables in, figures out. It must not know how parameter sets are chosen or run.
"""

from __future__ import annotations

from backtests.overfit.crossvalidation import Overfitting, overfitting
from backtests.overfit.deflated import Deflated, deflated_sharpe, independent_trials
from backtests.overfit.plateau import HeatMap, Plateau, heat_map, plateau
from backtests.overfit.returns import daily_returns

__all__ = [
    "Deflated",
    "HeatMap",
    "Overfitting",
    "Plateau",
    "daily_returns",
    "deflated_sharpe",
    "heat_map",
    "independent_trials",
    "overfitting",
    "plateau",
]
