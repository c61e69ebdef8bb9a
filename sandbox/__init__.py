"""The market in a box: local servers that speak each venue's own wire protocol.

One exchange core (`exchange`, on `core.matching`) is driven by replayed or generated prices
(`course`); a venue's face (`sandbox/kite`, ...) turns it into that venue's HTTP, sockets and rules,
so that the venue's genuine SDK connects to it. It knows no strategy, no session and no client of
ours; of a venue's folder it may share `wire.py` alone.
"""

from __future__ import annotations

__all__ = ["Fault", "FaultPlan", "Sandbox", "generated", "replayed"]

from typing import Any

_HOMES = {
    "Fault": "sandbox.faults",
    "FaultPlan": "sandbox.faults",
    "Sandbox": "sandbox.box",
    "generated": "sandbox.course",
    "replayed": "sandbox.course",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: a face without another's server library."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
