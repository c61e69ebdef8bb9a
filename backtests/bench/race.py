"""Runs of ours and of peers by turns, each in a new process, so that a busy machine slows all."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from backtests.bench.peers.job import TRADE_COLUMNS
from backtests.bench.session import ROOT, Session

_PATIENCE_SECS = 3600.0


@dataclass(frozen=True)
class Entrant:
    """One job of one library.

    key : its name among the results. title : for progress lines.
    module : run as `python -m module` with `python`; data : the folder with the prices.
    repeats : runs in a process; of several the first counts as cold alone. rounds : processes, at
        most those of the session.
    environment : variables set for it. warm_up : a folder of a few bars to run before.
    """

    key: str
    title: str
    python: Path
    module: str
    data: Path
    options: Mapping[str, Any]
    repeats: int = 2
    rounds: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    warm_up: Path | None = None


@dataclass
class Result:
    """What an entrant's processes said; medians of the warm runs.

    cold : wall seconds of the first process, from its start to its first result.
    note : what the run said of itself.
    failed : why it has no figures.
    """

    cpu: float = 0.0
    wall: float = 0.0
    cold: float = 0.0
    count: int = 0
    pnl: float = 0.0
    final: float = 0.0
    version: str = ""
    grown_mb: float | None = None
    trades: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    failed: str = ""


def race(entrants: Iterable[Entrant], session: Session) -> dict[str, Result]:
    """Run all entrants round by round; return their results by key."""
    field_ = [replace(entrant, rounds=min(entrant.rounds, session.rounds)) for entrant in entrants]
    reports: dict[str, list[dict[str, Any]]] = {entrant.key: [] for entrant in field_}
    results: dict[str, Result] = {}
    for number in range(max((entrant.rounds for entrant in field_), default=0)):
        for entrant in field_:
            if number >= entrant.rounds or entrant.key in results:
                continue
            session.tell(f"{entrant.title}, round {number + 1} of {entrant.rounds}")
            job = session.folder / f"{entrant.key}-{number}.json"
            failed, report = _run(entrant, job)
            if failed:
                results[entrant.key] = Result(failed=failed)
                continue
            reports[entrant.key].append(report)
    for key, said in reports.items():
        if key not in results:
            results[key] = _summed(said, _trades(session.folder / f"{key}-0.npz"))
    return results


def _run(entrant: Entrant, job: Path) -> tuple[str, dict[str, Any]]:
    """Run one process; return why it failed (empty if it didn't) and its report."""
    order = {
        "data": str(entrant.data),
        "options": dict(entrant.options),
        "repeats": entrant.repeats,
        "warm_up": entrant.warm_up and str(entrant.warm_up),
        "started": time.time(),
    }
    job.write_text(json.dumps(order), encoding="utf-8")
    try:
        done = subprocess.run(
            [entrant.python, "-m", entrant.module, job],
            cwd=ROOT,
            env={**os.environ, **entrant.environment},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECS,
        )
    except subprocess.TimeoutExpired:
        return f"{entrant.title}: no result within {_PATIENCE_SECS:.0f} s", {}
    answer = job.with_suffix(".answer.json")
    if done.returncode or not answer.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"{entrant.title}: exit code {done.returncode}: {last}", {}
    report: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return "", report


def _trades(path: Path) -> dict[str, Any]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _summed(reports: Sequence[Mapping[str, Any]], trades: dict[str, Any]) -> Result:
    """Put the processes' reports together; all must have come to the same."""
    first = reports[0]
    for report in reports[1:]:
        for name in ("count", "pnl", "final"):
            if report[name] != first[name]:
                return Result(failed=f"{name} {first[name]} in one run, {report[name]} in another")
    runs = [run for report in reports for run in (report["runs"][1:] or report["runs"])]
    return Result(
        cpu=median(run["cpu"] for run in runs),
        wall=median(run["wall"] for run in runs),
        cold=first["cold_secs"],
        count=first["count"],
        pnl=first["pnl"],
        final=first["final"],
        version=first["version"],
        grown_mb=first["grown_mb"],
        trades=trades,
        note=first["note"],
    )


def difference(ours: Result, peer: Result) -> str:
    """Return the first difference between two runs' trades and final values, empty if none.

    Numbers are compared bit for bit.
    """
    if ours.count != peer.count:
        return f"{ours.count} trades, the peer has {peer.count}"
    for name in TRADE_COLUMNS:
        mine, other = (np.ascontiguousarray(result.trades[name], float) for result in (ours, peer))
        wrong = np.flatnonzero(mine.view(np.int64) != other.view(np.int64))
        if len(wrong):
            row = int(wrong[0])
            return f"trade {row}: {name} {mine[row]!r}, the peer has {other[row]!r}"
    if ours.final != peer.final:
        return f"final value {ours.final!r}, the peer has {peer.final!r}"
    return ""
