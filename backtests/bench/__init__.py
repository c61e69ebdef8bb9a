"""Speed against other libraries: `make bench` runs every module here and writes bench.json.

A module offers `measure() -> Iterable[Row]`. A peer library that is not installed gives a row
without a peer. Nothing here is imported by the program itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured task.

    Attributes
    ----------
    task : str
        Short name, `load_csv_1m`.
    metric : str
        What `ours` and `peer` are: `seconds`, `ns_per_bar`, `bars_per_second`.
    ours, peer : float
        `peer` is None where there is none.
    peer_name : str
        Library and version.
    target : float, optional
        The ratio (or, without a peer, the figure) to reach.
    rules : str
        What was compared, and under which conditions.
    warm : bool
        Compiled code was in the cache.
    """

    task: str
    metric: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    target: float | None = None
    rules: str = ""
    warm: bool = True

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer: peer / ours for times, ours / peer for rates."""
        if not self.peer or not self.ours:
            return None
        return (
            self.ours / self.peer if self.metric.endswith("per_second") else self.peer / self.ours
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the row as bench.json holds it."""
        return {**asdict(self), "ratio": self.ratio}


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """Return the median CPU seconds of this thread that some work takes."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken)
