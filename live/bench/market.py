"""A market in a process of its own that a job speaks to, line by line (`sandbox.bench`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Self

_END_SECS = 10.0


class Market:
    """A process `python -m sandbox.bench.NAME` and what it has said of itself.

    Attributes
    ----------
    about : its first line.
    """

    def __init__(self, name: str, sizes: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"sandbox.bench.{name}", json.dumps(dict(sizes))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.about = self._hear()

    def ask(self, command: str, **given: Any) -> dict[str, Any]:
        """Have something done; return what it answers."""
        assert self._process.stdin is not None
        print(json.dumps({command: given}), file=self._process.stdin, flush=True)
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the market has ended: exit code {self._process.wait(_END_SECS)}")
        told: dict[str, Any] = json.loads(line)
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=_END_SECS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def keep_to_core(number: int) -> bool:
    """Run on one core alone; say whether the system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    known = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {known[number % len(known)]})
    return True
