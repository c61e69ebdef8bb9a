"""A process that has everything loaded and forks one process for each task it is told of.

Tasks come as lines of JSON, an answer goes out for each: {"outcome": killed | ended | failed |
hung, "log": its last words}.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

HANGS_SECS = 90.0


def main(home: str) -> None:
    """Warm up, say so, and serve until the input ends."""
    from tests.chaos import child

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    child.warm(Path(home))
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_do(json.loads(line))), file=answers, flush=True)


def _do(task: dict[str, Any]) -> dict[str, Any]:
    from tests.chaos import child, powercut

    log = Path(task["folder"]) / "log.txt"
    pid = os.fork()
    if pid == 0:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        if "cut" in task:
            powercut.arm(**task["cut"])
        child.main(task)
    status = _wait(pid)
    if status is None:
        return {"outcome": "hung", "log": _tail(log)}
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            return {"outcome": "killed", "log": ""}
        return {"outcome": "failed", "log": f"signal {number}\n{_tail(log)}"}
    if os.WEXITSTATUS(status):
        return {"outcome": "failed", "log": _tail(log)}
    return {"outcome": "ended", "log": ""}


def _wait(pid: int) -> int | None:
    """Return how a process ended, None where it had to be stopped."""
    until = time.monotonic() + HANGS_SECS
    pause = 0.005
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > until:
            os.kill(pid, signal.SIGABRT)
            time.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(pause)


def _tail(log: Path, count: int = 2500) -> str:
    return log.read_text(errors="replace")[-count:] if log.exists() else ""


if __name__ == "__main__":
    main(sys.argv[1])
