"""A process that has everything loaded and forks one process for each task it is told of.

One whose task says `is_cold` is a fresh interpreter that loads all for itself.
Tasks come as lines of JSON with an `id`, an answer goes out for each once its process has ended:
{"id", "outcome": killed | ended | failed | hung, "log": its last words}. Several may run at once.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

HANGS_SECS = 90.0
_LOOK_SECS = 0.005
_LAST_WORDS_SECS = 0.2
"""Given to a process that hangs, to write where."""


@dataclass
class _Child:
    """A process that does a task."""

    pid: int
    task: dict[str, Any]
    until: float = field(init=False)
    is_hung: bool = False

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.task.get("hangs_secs", HANGS_SECS)

    @property
    def log(self) -> Path:
        return _log_of(self.task)

    def outcome(self) -> str | None:
        """Return how it ended, None while it runs; one that hangs is ended."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            self._look_at_time()
            return None
        if self.is_hung:
            return "hung"
        if os.WIFSIGNALED(status):
            return "killed" if os.WTERMSIG(status) == signal.SIGKILL else "failed"
        return "failed" if os.WEXITSTATUS(status) else "ended"

    def _look_at_time(self) -> None:
        now = time.monotonic()
        if now < self.until:
            return
        os.kill(self.pid, signal.SIGKILL if self.is_hung else signal.SIGABRT)
        self.is_hung, self.until = True, now + _LAST_WORDS_SECS


def main(home: str, venue: str) -> None:
    """Warm up, say so, and serve until the input ends."""
    from tests.chaos import child

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    child.warm(Path(home), venue)
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    children: dict[int, _Child] = {}
    try:
        for task in _tasks(children, answers):
            started = _fork(task)
            children[started.pid] = started
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def _tasks(children: dict[int, _Child], answers: TextIO) -> Iterator[dict[str, Any]]:
    """Yield tasks as they come; meanwhile answer for the processes that have ended."""
    begun = b""
    while True:
        if select.select([0], [], [], _LOOK_SECS)[0]:
            more = os.read(0, 1 << 16)
            if not more:
                return
            *lines, begun = (begun + more).split(b"\n")
            yield from map(json.loads, lines)
        for child in list(children.values()):
            outcome = child.outcome()
            if outcome is not None:
                del children[child.pid]
                said = "" if outcome in ("killed", "ended") else _tail(child.log)
                answer = {"id": child.task["id"], "outcome": outcome, "log": said}
                print(json.dumps(answer), file=answers, flush=True)


def _fork(task: dict[str, Any]) -> _Child:
    from tests.chaos import child

    pid = os.fork()
    if pid == 0:
        out = os.open(_log_of(task), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        if task.get("is_cold"):
            os.execv(sys.executable, [sys.executable, "-m", child.__name__, json.dumps(task)])
        child.main(task)
    return _Child(pid, task)


def _log_of(task: dict[str, Any]) -> Path:
    return Path(task["folder"]) / f"{task['kind']}.log"


def _tail(log: Path, count: int = 2500) -> str:
    return log.read_text(errors="replace")[-count:] if log.exists() else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
