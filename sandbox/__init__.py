"""The market in a box: local servers that speak each venue's own wire protocol.

One exchange core (`exchange`, on `core.matching`) is driven by replayed or generated prices
(`course`); a venue's face (`sandbox/kite`, ...) turns it into that venue's HTTP, sockets and rules,
so that the venue's genuine SDK connects to it. It knows no strategy, no session and no client of
ours; of a venue's folder it may share `wire` alone.
"""

from __future__ import annotations

from typing import Any

from core.errors import ConfigError

__all__ = ["AccountTerms", "Fault", "FaultPlan", "Sandbox", "face_module", "generated", "replayed"]

_HOMES = {
    "AccountTerms": "sandbox.account",
    "Fault": "sandbox.faults",
    "FaultPlan": "sandbox.faults",
    "Sandbox": "sandbox.box",
    "face_module": "sandbox.box",
    "generated": "sandbox.course",
    "replayed": "sandbox.course",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: what serves nothing needs no server library.

    Raises
    ------
    ConfigError : the library is not installed.
    """
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as cause:
        if cause.name != "aiohttp":
            raise
        raise ConfigError(
            "the sandbox needs aiohttp: python -m pip install '.[sandbox]'"
        ) from cause
