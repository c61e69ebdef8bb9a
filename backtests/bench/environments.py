"""The libraries we are measured against, each installed into an environment of its own.

The environments lie in the user's cache folder and are made once, with exact versions. None of
them can touch what the program itself runs on.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.compile import user_cache_folder
from core.errors import TolaError

_READY = "tola-ready"
"""A file in a finished environment; it holds what was installed."""
_UNREACHABLE = ("NewConnectionError", "Max retries", "Name or service", "getaddrinfo", "timed out",
                "Connection refused", "ProxyError", "Network is unreachable", "--no-index",
                "no versions")  # fmt: skip


class PeerMissing(TolaError):
    """A peer can't be run here; says why and what to do."""


@dataclass(frozen=True)
class Peer:
    """A library to measure against.

    requirements : exact versions for pip, the library itself first.
    about_secs : what installing takes, for the progress line.
    """

    name: str
    requirements: tuple[str, ...]
    about_secs: int

    @property
    def version(self) -> str:
        """The library's version."""
        return self.requirements[0].partition("==")[2]

    @property
    def title(self) -> str:
        """Name and version, as rows show it."""
        return f"{self.name} {self.version}"


BACKTESTING = Peer("backtesting.py", ("backtesting==0.6.6", "pandas==3.1.1", "numpy==2.4.6"), 40)
VECTORBT = Peer(
    "vectorbt", ("vectorbt==1.2.0", "pandas==3.1.1", "numpy==2.4.6", "numba==0.68.1"), 60
)
NAUTILUS = Peer("NautilusTrader", ("nautilus_trader==1.221.0", "pandas==2.3.3", "numpy==2.4.6"), 40)
SMARTMONEY = Peer(
    "smartmoneyconcepts",
    ("smartmoneyconcepts==0.0.27", "pandas==3.1.1", "numpy==2.4.6", "numba==0.68.1"),
    40,
)


def python_of(peer: Peer, tell: Callable[[str], None], cache: Path | None = None) -> Path:
    """Return the interpreter of a peer's environment, made on the first call.

    Raises
    ------
    PeerMissing : it could not be installed; nothing half made is left.
    """
    folder = (cache or user_cache_folder()) / "bench" / peer.title.lower().replace(" ", "-")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = folder / _READY
    wanted = "\n".join((*peer.requirements, sys.version))
    if ready.exists() and python.exists() and ready.read_text(encoding="utf-8") == wanted:
        return python
    tell(f"installing {peer.title} into its own environment, once (about {peer.about_secs} s)")
    began = time.perf_counter()
    try:
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *peer.requirements], check=True, capture_output=True, text=True)
        ready.write_text(wanted, encoding="utf-8")
    except (OSError, subprocess.CalledProcessError) as cause:
        shutil.rmtree(folder, ignore_errors=True)
        raise PeerMissing(_reason(peer, cause)) from cause
    tell(f"{peer.title} installed in {time.perf_counter() - began:.0f} s")
    return python


def _reason(peer: Peer, cause: Exception) -> str:
    said = str(getattr(cause, "stderr", "") or cause)
    if any(mark in said for mark in _UNREACHABLE):
        return (
            f"{peer.title} is not installed and pip reaches no package index; go online, or point "
            "PIP_INDEX_URL or PIP_FIND_LINKS at one, and run again"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no message"]
    return f"{peer.title} could not be installed: {errors[0]}"
