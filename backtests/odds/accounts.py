"""Which account rules a study tests, and with what money their accounts begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtests.odds.play import Limits
from core.errors import ConfigError, near_name
from risk.presets import PRESETS
from risk.settings import RiskSettings, from_mapping

STARTING_CASH = {"topstep_50k": 50_000.0, "topstep_100k": 100_000.0, "topstep_150k": 150_000.0}
"""Where a program sells accounts of one size; other rules begin with the run's own cash."""
CURRENCIES = {
    "topstep_50k": "USD", "topstep_100k": "USD", "topstep_150k": "USD", "gold_bot": "USD",
    "nifty_intraday": "INR",
}  # fmt: skip
"""What money a preset's limits are meant in."""


def limits_of(
    names: Sequence[str], own: Mapping[str, Mapping[str, Any]], cash: float, currency: str
) -> dict[str, Limits]:
    """Return account rules by name; without names every preset in the run's currency.

    Parameters
    ----------
    own : the settings file's [risk] tables, which outrank presets of their name.

    Raises
    ------
    ConfigError : an unknown name.
    """
    known: dict[str, RiskSettings] = dict(PRESETS)
    known |= {name: from_mapping(table, name=name) for name, table in own.items()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"--preset {unknown[0]}: no such rules{near_name(unknown[0], known)}")
    chosen = list(names) or [name for name in PRESETS if CURRENCIES[name] == currency]
    return {name: Limits(STARTING_CASH.get(name, cash), known[name]) for name in chosen}
