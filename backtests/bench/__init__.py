"""Speed against other libraries: `make bench` measures and writes bench.json.

A group (a module named in `GROUPS`) offers TASKS, the rows it can measure, and `measure(session,
wanted)`. Peers run in processes and environments of their own (`environments`, `peers`); each row
says what was compared and under which rules. Nothing here is imported by the program itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

GROUPS = ("command", "load", "smc", "t1", "sweep", "sweep_peers", "live", "kite")


@dataclass(frozen=True)
class Task:
    """One row to be measured: its name, what it is, and the target in words (empty: reported)."""

    name: str
    text: str
    target: str = ""


@dataclass(frozen=True)
class Row:
    """One measured task.

    Attributes
    ----------
    task : str
        Short name, `load_csv_1m`.
    metric : str
        What `ours` and `peer` are: `seconds` (CPU unless the rules say wall), `milliseconds`
        (wall), `ns_per_bar`, `bars_per_second`, `ticks_per_second`, `combinations_per_second`,
        `megabytes`, `percent`, `ratio`.
    ours, peer : float
        Warm medians. `ours` is None where nothing was measured, `peer` where there is none.
    peer_name : str
        Library and version, or the row of ours that is compared with.
    target : float, optional
        The ratio to reach.
    at_most, at_least : float, optional
        The highest, the lowest `ours` that will do.
    rules : str
        What was compared, and under which conditions.
    warm : bool
        Compiled code was ready when `ours` and `peer` were measured.
    ours_wall, peer_wall : float
        Wall seconds of the same runs.
    ours_cold, peer_cold : float
        Wall seconds of a new process from its start to its first result.
    bars : int
        Size of the job.
    note : str
        What else the runs said: trades, profit.
    skipped, failed : str
        Why there is no figure; why the figure must not be believed.
    """

    task: str
    metric: str
    ours: float | None = None
    peer: float | None = None
    peer_name: str = ""
    target: float | None = None
    rules: str = ""
    warm: bool = True
    at_most: float | None = None
    ours_wall: float | None = None
    peer_wall: float | None = None
    ours_cold: float | None = None
    peer_cold: float | None = None
    bars: int | None = None
    note: str = ""
    at_least: float | None = None
    skipped: str = ""
    failed: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer: peer / ours for times, ours / peer for rates."""
        if not self.peer or not self.ours or self.failed:
            return None
        return (
            self.ours / self.peer if self.metric.endswith("per_second") else self.peer / self.ours
        )

    @property
    def status(self) -> str:
        """Return `failed`, `skipped`, `pass`, `short`, or nothing where no target is set."""
        if self.failed or self.skipped:
            return "failed" if self.failed else "skipped"
        reached = []
        if self.target is not None and self.ratio is not None:
            reached.append(self.ratio >= self.target)
        if self.at_most is not None and self.ours is not None:
            reached.append(self.ours <= self.at_most)
        if self.at_least is not None and self.ours is not None:
            reached.append(self.ours >= self.at_least)
        return "" if not reached else "pass" if all(reached) else "short"

    def as_dict(self) -> dict[str, Any]:
        """Return the row as bench.json holds it: `target` is a ratio, or a figure of `ours`."""
        values = asdict(self)
        if self.target is None:
            values["target"] = self.at_least if self.at_most is None else self.at_most
        return {**values, "ratio": self.ratio, "status": self.status}


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """Return the median CPU seconds of this process that some work takes."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken)
