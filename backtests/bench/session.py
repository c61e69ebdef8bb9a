"""One run of the bench: its size, its scratch folder, its progress lines."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from backtests.bench.environments import Peer, python_of

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder; processes of the bench run in it."""


@dataclass
class Session:
    """What every group is given.

    quick : small sizes, for a look in two minutes. folder : scratch, removed afterwards.
    rounds : the most processes an entrant of a race may have.
    """

    quick: bool
    folder: Path
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    rounds: int = 2
    find_python: Callable[[Peer, Callable[[str], None]], Path] = python_of
    _began: float = field(default_factory=time.monotonic)

    def size(self, full: int, quick: int) -> int:
        """Return the size of a job."""
        return quick if self.quick else full

    def tell(self, text: str) -> None:
        """Write a progress line."""
        print(f"[{time.monotonic() - self._began:4.0f} s] {text}", file=self.stream, flush=True)

    def python_of(self, peer: Peer) -> Path:
        """Return a peer's interpreter.

        Raises
        ------
        PeerMissing : it could not be installed.
        """
        return self.find_python(peer, self.tell)


def machine() -> str:
    """Return where this runs: cores, processor, system, Python."""
    return (
        f"{os.cpu_count()} cores {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
