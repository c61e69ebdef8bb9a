"""What a session takes of the processor while nothing happens.

python -m live.bench.idle '{"seconds": 20}'
"""

from __future__ import annotations

import time
from typing import Any

from live.bench.job import scratch, serve
from live.bench.paper import session_request
from live.bench.strategies import Looker
from live.build import SessionTerms
from live.session import Session

PLANS = 8


def measure(seconds: float = 20.0, bars: int = 100) -> dict[str, Any]:
    """Run a paper session of eight plans in the time of the clock, between two of their bars."""
    marks: list[tuple[float, float]] = []

    def show(status: Any) -> None:
        marks.append((time.monotonic(), time.process_time()))

    with scratch() as folder:
        request = session_request(
            [Looker] * PLANS, bars, folder / "idle", SessionTerms(speed=0.001), seconds + 1.0
        )
        session = Session(request, show)
        result = session.run()
    if result.failure is not None:
        raise result.failure
    # The first second builds, the last one ends; statuses come once a second in between.
    (began, cpu_before), (ended, cpu_after) = marks[1], marks[-2]
    return {
        "cpu_share_pct": 100.0 * (cpu_after - cpu_before) / (ended - began),
        "seconds": ended - began,
        "plans": PLANS,
        "events": session.journal.last_seq,
    }


if __name__ == "__main__":
    serve(measure)
