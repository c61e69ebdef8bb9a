"""How a market of the bench is spoken to: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Command = Callable[..., Mapping[str, Any]]


def sizes() -> dict[str, Any]:
    """Return what the command line asks for."""
    return dict(json.loads(sys.argv[1])) if len(sys.argv) > 1 else {}


def serve(about: Mapping[str, Any], commands: Mapping[str, Command]) -> None:
    """Say where the market is, then do what each line asks for, until there are no more.

    A line names one command with its arguments: {"tick": {"per_second": 5, "seconds": 10}}.
    """
    _say(about)
    for line in sys.stdin:
        for name, given in json.loads(line).items():
            _say(commands[name](**given))


def keep_to_core(number: int) -> None:
    """Run on one core alone, where the system allows that and has so many."""
    if hasattr(os, "sched_setaffinity"):
        known = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {known[number % len(known)]})


def _say(told: Mapping[str, Any]) -> None:
    print(json.dumps(told), flush=True)
