"""Risk: the rules, the guard that enforces them on any broker, and analyzers that report on them.

Limits have one owner, the guard; it knows orders, equity and time, never a strategy's reasons, a
file of prices or a venue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risk.guard import Guard
    from risk.presets import PRESETS, get_preset
    from risk.rules import Refusal, Rule
    from risk.settings import RiskSettings

__all__ = ["PRESETS", "Guard", "Refusal", "RiskSettings", "Rule", "get_preset"]

_HOME = {
    "Guard": "risk.guard",
    "PRESETS": "risk.presets",
    "Refusal": "risk.rules",
    "RiskSettings": "risk.settings",
    "Rule": "risk.rules",
    "get_preset": "risk.presets",
}


def __getattr__(name: str) -> Any:
    # The guard brings Backtrader; names of presets must come without it.
    if name not in _HOME:
        raise AttributeError(f"module 'risk' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
