"""Loaded processes that fork others: what a session costs to start is paid once."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Said = dict[str, Any]


class _Zygote:
    """One loaded process; any thread may tell it tasks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Said]] = {}
        self._numbers = itertools.count(1)

    def is_ready(self) -> bool:
        """Wait until it has loaded; False where it could not."""
        assert self.process.stdout is not None
        is_ready = bool(self.process.stdout.readline())
        threading.Thread(target=self._read, daemon=True).start()
        return is_ready

    def begin(self, task: Said) -> Future[Said]:
        """Let a process forked from it do a task."""
        assert self.process.stdin is not None
        told: Future[Said] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = told
            self.process.stdin.write(json.dumps({**task, "id": number}) + "\n")
            self.process.stdin.flush()
        return told

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            with self._lock:
                told = self._waiting.pop(said["id"])
            told.set_result(said)
        with self._lock:
            left, self._waiting = self._waiting, {}
        for told in left.values():
            told.set_exception(RuntimeError("a process of the harness has died"))


@dataclass
class Lane:
    """A few loaded processes: hashes differ between them, as between restarts."""

    home: Path
    shim: Path | None
    venue: str = "paper"
    count: int = 2
    zygotes: list[_Zygote] = field(default_factory=list)

    def open(self) -> None:
        """Start them; the first one may have to compile, so the others wait for it."""
        self.home.mkdir(parents=True, exist_ok=True)
        for number in range(1, self.count + 1):
            home = self.home / f"zygote{number}"
            env = {**os.environ, "PYTHONHASHSEED": str(number), "OMP_NUM_THREADS": "1"}
            if self.shim is not None:
                env["LD_PRELOAD"] = str(self.shim)
            self.zygotes.append(
                _Zygote(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.chaos.zygote", str(home), self.venue],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                        cwd=ROOT,
                        env=env,
                    )
                )
            )
            if not self.zygotes[-1].is_ready():
                raise RuntimeError("the harness could not load the project; see above")

    def begin(self, number: int, task: Said) -> Future[Said]:
        """Let a process forked from one of them do a task; it will be told how that ended."""
        return self.zygotes[number % len(self.zygotes)].begin(task)

    def do(self, number: int, task: Said) -> Said:
        """Let a process forked from one of them do a task, and wait for its end."""
        return self.begin(number, task).result()

    def close(self) -> None:
        """End them."""
        for zygote in self.zygotes:
            zygote.close()
