"""Jobs that run in processes of their own, print figures, and become rows here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtests.bench import Row, Task
from backtests.bench.session import ROOT, Session

Told = Mapping[str, Any]
_PATIENCE_SECS = 1800.0


@dataclass(frozen=True)
class Job:
    """A module of `live.bench`, its rows, and its sizes: full ones and those of QUICK."""

    module: str
    title: str
    tasks: tuple[Task, ...]
    full: Mapping[str, Any]
    quick: Mapping[str, Any]
    rows: Callable[[Told], Iterator[Row]]


def measure_jobs(jobs: Sequence[Job], session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield the wanted rows, job by job."""
    for job in jobs:
        if not wanted & {task.name for task in job.tasks}:
            continue
        session.tell(job.title)
        told = run_job(job.module, job.quick if session.quick else job.full)
        yield from (row for row in job.rows(told) if row.task in wanted)


def run_job(module: str, sizes: Mapping[str, Any]) -> Told:
    """Run a job; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"live.bench.{module}", json.dumps(sizes)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECS,
    )
    told: Told = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def pair(told: Told) -> str:
    """Return p50 and p99 in words."""
    return f"{told['p50']:.2f} / {told['p99']:.2f} ms"


def around(told: Told) -> str:
    """Return what a latency depends on besides us."""
    return f"a bare sync of this disk {pair(told['disk'])}; load {told.get('load', '?')}"
