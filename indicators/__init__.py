"""Smart money building blocks as step functions that see one bar and their own state.

Each module holds one block: its kernels (`step`, `run`), its Backtrader line (`FVG`) and its
DataFrame function (`indicators.fvg(df)`). A block knows bars and the blocks before it; it must
not know orders, accounts, files or the bars to come.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def __getattr__(name: str) -> Any:
    """Import a block's module when it is first named: `indicators.fvg(df)` needs no import."""
    if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
