"""Risk: the rules, the guard that enforces them on any broker, and analyzers that report on them.

Limits have one owner, the guard; it knows orders, equity and time, never a strategy's reasons, a
file of prices or a venue.
"""

from risk.guard import Guard
from risk.presets import PRESETS, get_preset
from risk.rules import Refusal, Rule
from risk.settings import RiskSettings

__all__ = ["PRESETS", "Guard", "Refusal", "RiskSettings", "Rule", "get_preset"]
