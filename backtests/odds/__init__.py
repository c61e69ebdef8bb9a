"""Odds: what else might have come of a run's trades, and what account rules would have said.

Paths are drawn from the trading days and trades of a run; the guard's arithmetic is played over
each. It must not know where trades come from: a run folder, or a compiled run of a plan.
"""

from __future__ import annotations

from backtests.odds.chances import Chance, wilson
from backtests.odds.play import Limits, Played, play
from backtests.odds.sample import Sample

__all__ = ["Chance", "Limits", "Played", "Sample", "play", "wilson"]
