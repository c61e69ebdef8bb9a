"""Compiled runs of many parameter sets, equal trade for trade to the Backtrader run.

`prepare` a plan once, `run` tables of parameters over it. It must not know how parameter sets are
chosen, nor what is done with results.
"""

from __future__ import annotations

from backtests.sweep.prepared import Prepared, prepare, run
from backtests.sweep.results import Results

__all__ = ["Prepared", "Results", "prepare", "run"]
