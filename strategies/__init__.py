"""What to trade: setup machines (kernels over prices) and the management layer around them.

A strategy knows bars, indicators and orders; it must not know a broker, a file or a mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strategies.registry import STRATEGIES, get, names

if TYPE_CHECKING:
    from strategies.analyze import BreakoutStrategy, readings
    from strategies.breakout import Breakout
    from strategies.gold_smc import GoldSmc
    from strategies.nifty_smc import NiftySmc

__all__ = ["Breakout", "BreakoutStrategy", "GoldSmc", "NiftySmc", "get", "names", "readings"]

_HOME = {wanted: module for module, wanted in STRATEGIES.values()}
_HOME |= {"BreakoutStrategy": "strategies.analyze", "readings": "strategies.analyze"}


def __getattr__(name: str) -> Any:
    # Backtrader and the kernels load only when a strategy is really used.
    if name not in _HOME:
        raise AttributeError(f"module 'strategies' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
