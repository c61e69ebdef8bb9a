"""How much a session grows in a month of one-minute bars.

python -m live.bench.memory '{"days": 20}'
"""

from __future__ import annotations

import gc
import mmap
import os
import subprocess
from pathlib import Path
from typing import Any

from live.bench.job import scratch, serve
from live.bench.paper import session_request
from live.bench.strategies import Seldom
from live.session import Session

DAY_BARS = 1_380
"""Minutes of a gold futures' trading day."""


def measure(days: int = 20, day_bars: int = DAY_BARS) -> dict[str, Any]:
    """Replay trading days, look at the process' memory at each one's end."""
    with scratch() as folder:
        session = Session(session_request([Seldom], days * day_bars, folder / "memory"))
        grown: list[float] = []
        trades: list[int] = []

        def look() -> None:
            engine = session.built.engine
            if engine.counts.bars // day_bars > len(grown):
                gc.collect()
                grown.append(resident_mb())
                trades.append(len(session.built.broker.ledger.trades))

        _each_cycle(session, look)
        result = session.run()
    if result.failure is not None:
        raise result.failure
    return {
        "days": len(grown),
        "grown_mb": grown[-1] - grown[0],
        "resident_mb": grown[-1],
        "by_day_mb": [round(value - grown[0], 2) for value in grown],
        "trades": trades[-1],
        "bars": result.built.engine.counts.bars,
    }


def _each_cycle(session: Session, look: Any) -> None:
    housekeep = session._housekeep

    def both() -> None:
        housekeep()
        look()

    session._housekeep = both  # type: ignore[method-assign]


def resident_mb() -> float:
    """Return this process' memory in use, MB.

    Raises
    ------
    OSError : the system does not tell.
    """
    status = Path("/proc/self/statm")
    if status.exists():
        pages = int(status.read_text(encoding="ascii").split()[1])
        return pages * mmap.PAGESIZE / 1e6
    asked = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return int(told) * 1024 / 1e6


if __name__ == "__main__":
    serve(measure)
