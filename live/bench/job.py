"""What every job shares: sizes from the command line, percentiles, one JSON document out."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCRATCH = Path("build")
"""Jobs write there: on the disk of the project, not in a memory file system."""


def serve(measure: Callable[..., Mapping[str, Any]]) -> None:
    """Measure with the sizes of the command line, and print what came out."""
    sizes = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    told = dict(measure(**sizes))
    if hasattr(os, "getloadavg"):
        told["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(told))


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder on a real disk, removed afterwards."""
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=SCRATCH) as folder:
        yield Path(folder)


def spread(secs: Sequence[float]) -> dict[str, float]:
    """Return count, p50, p99 and the highest of durations, in milliseconds."""
    ordered = sorted(secs)
    if not ordered:
        return {"n": 0}
    last = len(ordered) - 1
    found = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {"n": len(ordered)} | {
        name: round(ordered[round(share * last)] * 1e3, 4) for name, share in found.items()
    }


class Disk:
    """Measures what one small write takes until the disk has it: the floor of every commit."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "sync", os.O_CREAT | os.O_RDWR)
        self._page = b"\1" * 4096
        os.write(self._file, self._page * 16)
        os.fsync(self._file)
        self.taken: list[float] = []

    def probe(self, times: int = 1) -> None:
        """Write a page in place and sync it."""
        for _ in range(times):
            began = time.perf_counter()
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, self._page)
            _sync(self._file)
            self.taken.append(time.perf_counter() - began)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


_sync = getattr(os, "fdatasync", os.fsync)
