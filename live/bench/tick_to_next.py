"""From a price in the inbox to the strategy's `next`; beside it, stock Backtrader's live feeds.

python -m live.bench.tick_to_next '{"ticks": 300}'
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import backtrader as bt

from core.zones import NS_PER_MINUTE, NS_PER_SECOND
from live.bench.job import Disk, scratch, serve, spread
from live.bench.scene import Scene
from live.bench.stock import stock_latencies

FEEDS = (1, 2, 4, 8)


class Entered(bt.Strategy):  # type: ignore[misc]
    """Notes when `next` was entered."""

    def __init__(self) -> None:
        self.mean = bt.ind.SMA(self.data.close, period=2)
        self.at: list[float] = []

    def next(self) -> None:
        """Note it."""
        self.at.append(time.perf_counter())

    prenext = next


def measure(
    ticks: int = 300,
    gap_ms: float = 20.0,
    stock_secs: float = 10.0,
    numbers: Sequence[int] = FEEDS,
) -> dict[str, Any]:
    """Measure all numbers of feeds, bars ended by a tick and by the clock, and the peers."""
    told: dict[str, Any] = {"version": bt.__version__}
    together: dict[int, list[float]] = {feeds: [] for feeds in numbers}
    cases = [(NS_PER_SECOND, feeds) for feeds in numbers] + [(NS_PER_MINUTE, numbers[-1])]
    with scratch() as folder:
        _run(folder, 8, NS_PER_SECOND, True, 20, 1.0)
        disk = Disk(folder)
        for timeframe_ns, feeds in cases:
            for by_clock in (False, True):
                taken = _run(folder, feeds, timeframe_ns, by_clock, ticks, gap_ms)
                bar = "1s" if timeframe_ns == NS_PER_SECOND else "1m"
                told[f"{'clock' if by_clock else 'tick'}_{bar}_{feeds}"] = spread(taken)
                together[feeds] += taken
                disk.probe(10)
        told["disk"] = spread(disk.taken)
        disk.close()
    told |= {f"feeds_{feeds}": spread(taken) for feeds, taken in together.items()}
    told["stock_1"] = spread(stock_latencies(1, ticks, gap_ms / 1e3, stock_secs))
    told["stock_2"] = spread(stock_latencies(2, ticks, gap_ms / 1e3, stock_secs))
    return told


def _run(
    folder: Path, feeds: int, timeframe_ns: int, by_clock: bool, count: int, gap_ms: float
) -> list[float]:
    """Return the seconds from each put to `next`; of `feeds` feeds all but one are silent.

    Bars end at random moments, whatever the engine is at just then.
    """
    place = folder / f"{feeds}-{timeframe_ns}-{by_clock}-{count}"
    place.mkdir()
    scene = Scene([Entered], place, timeframe_ns, feeds=feeds)
    chance = random.Random(feeds)
    told: list[float] = []

    def venue() -> None:
        symbol = scene.symbols[0]
        scene.tell(scene.tick(symbol, 2400.0))
        scene.settle()
        gc.collect()
        for number in range(count):
            gap = chance.expovariate(1e3 / gap_ms)
            scene.next_bar()
            tick = scene.tick(symbol, 2400.0 + number % 7)
            if by_clock:
                time.sleep(gap / 2)
                told.append(scene.tell(scene.clock()))
                time.sleep(gap / 2)
                scene.tell(tick)
            else:
                time.sleep(gap)
                told.append(scene.tell(tick))
        scene.settle()

    scene.run(venue)
    entered = scene.plans[0].strategy.at
    if len(entered) != len(told):
        raise RuntimeError(f"{len(told)} bars ended, `next` was entered {len(entered)} times")
    return [at - began for began, at in zip(told, entered, strict=True)]


if __name__ == "__main__":
    serve(measure)
