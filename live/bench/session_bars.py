"""How many one-minute bars a paper session takes a second, and what each part of it costs.

python -m live.bench.session_bars '{"idle": 20000, "holding": 6000, "trading": 6000}'
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from live.bench.job import scratch, serve
from live.bench.paper import session_request
from live.bench.strategies import Breaker, Holder, Looker
from live.session import Session

_PARTS = (
    ("live/journal/", "journal"),
    ("sqlalchemy", "journal"),
    ("json", "journal"),
    ("feeds/", "feed"),
    ("brokers/", "broker"),
    ("core/matching", "broker"),
    ("core/costs", "broker"),
    ("risk/", "guard"),
    ("backtrader/", "strategies"),
    ("bench/strategies", "strategies"),
    ("live/", "engine"),
)
"""Where a function's own time is counted: the first of these that its file's path holds."""


def measure(
    idle: int = 20_000, holding: int = 6_000, trading: int = 6_000, profiled: int = 3_000
) -> dict[str, Any]:
    """Run sessions that trade nothing, hold a position, and trade all the time."""
    with scratch() as folder:
        _run(Holder, min(300, holding), folder / "warm")
        told: dict[str, Any] = {}
        for name, strategy, bars in (
            ("idle", Looker, idle),
            ("holding", Holder, holding),
            ("trading", Breaker, trading),
        ):
            if bars:
                told[name] = _run(strategy, bars, folder / name)
                told[name]["us_by_part"] = _parts(strategy, profiled, folder / f"{name}-parts")
        return told


def _run(strategy: type[Any], bars: int, folder: Path, profile: Any = None) -> dict[str, Any]:
    """Return bars a second of CPU and of wall time."""
    session = Session(session_request([strategy], bars, folder))
    gc.collect()
    began, wall = time.process_time(), time.perf_counter()
    if profile is not None:
        profile.enable()
    result = session.run()
    if profile is not None:
        profile.disable()
    cpu, wall = time.process_time() - began, time.perf_counter() - wall
    if result.failure is not None:
        raise result.failure
    counts = result.built.engine.counts
    return {
        "bars": counts.bars,
        "bars_per_second": counts.bars / cpu,
        "bars_per_second_wall": counts.bars / wall,
        "events": session.journal.last_seq,
        "us_per_event": cpu / session.journal.last_seq * 1e6,
        "trades": len(result.built.broker.ledger.trades),
    }


def _parts(strategy: type[Any], bars: int, folder: Path) -> dict[str, float]:
    """Return CPU microseconds a bar by part: the profiler's shares of an unprofiled run's time."""
    plain = _run(strategy, bars, folder / "plain")
    profile = cProfile.Profile()
    _run(strategy, bars, folder / "profiled", profile)
    own: defaultdict[str, float] = defaultdict(float)
    stats: Any = pstats.Stats(profile)
    for (path, _, _), (_, _, took, _, callers) in stats.stats.items():
        if path != "~":
            own[_part_of(path)] += took
            continue
        for (caller, _, _), (_, _, share, _) in callers.items():
            own[_part_of(caller)] += share
    total = sum(own.values())
    per_bar = 1e6 / plain["bars_per_second"]
    return {name: round(per_bar * took / total, 1) for name, took in sorted(own.items())}


def _part_of(path: str) -> str:
    path = path.replace("\\", "/")
    return next((part for mark, part in _PARTS if mark in path), "other")


if __name__ == "__main__":
    serve(measure)
