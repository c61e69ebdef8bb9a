"""The strategies by name. A new one is a file and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from core.errors import ConfigError, near_name

STRATEGIES = {
    "gold_smc": ("strategies.gold_smc", "GoldSmc"),
    "nifty_smc": ("strategies.nifty_smc", "NiftySmc"),
    "breakout": ("strategies.breakout", "Breakout"),
    "tutorial": ("strategies.tutorial", "Tutorial"),
}
"""Name -> module and class. Modules are read when first asked for: the command line starts fast."""


def names() -> tuple[str, ...]:
    """Return the names of all strategies."""
    return tuple(STRATEGIES)


def get(name: str) -> type[Any]:
    """Return a strategy class by name.

    Raises
    ------
    ConfigError : for an unknown name, suggesting the near one.
    """
    if name not in STRATEGIES:
        raise ConfigError(f"unknown strategy {name!r}{near_name(name, STRATEGIES)}")
    module, wanted = STRATEGIES[name]
    found: type[Any] = getattr(import_module(module), wanted)
    return found
