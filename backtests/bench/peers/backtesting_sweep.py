"""A grid of task T1 in backtesting.py: its optimiser, in two processes with half a grid each.

The library's own pool shares prices in a way that ends in a crash (signal 11) with these versions.
"""

from __future__ import annotations

import importlib
import multiprocessing
import warnings
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from backtests.bench.peers.backtesting_py import CASH, MULTIPLIER, atr, highest, paid
from backtests.bench.peers.job import Answer, frame_of, serve

PROCESSES = 2


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run. options : lists of window (two at least), stop_atr and target_atr."""
    library = importlib.import_module("backtesting")
    setattr(library, "Pool", lambda *given, **more: ThreadPool(1))  # noqa: B010
    frame = frame_of(folder)

    class T1(library.Strategy):  # type: ignore[name-defined, misc]
        window, stop_atr, target_atr = 20, 1.0, 2.0

        def init(self) -> None:
            data = self.data
            self.highest = self.I(highest, data.High, self.window, plot=False)
            self.atr = self.I(atr, data.High, data.Low, data.Close, 14, plot=False)

        def next(self) -> None:
            close = self.data.Close[-1]
            if not self.position and close > self.highest[-2]:
                reach = self.atr[-1]
                self.buy(
                    size=MULTIPLIER,
                    sl=close - self.stop_atr * reach,
                    tp=close + self.target_atr * reach,
                )

    def optimise(windows: list[int]) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = library.Backtest(frame, T1, cash=CASH, commission=paid, margin=1.0)
            _, found = test.optimize(
                **{**options, "window": windows}, maximize="# Trades", return_heatmap=True,
                random_state=1,
            )  # fmt: skip
        return int(found.sum())

    def serve_half(line: Any) -> None:
        while True:
            line.send(optimise(line.recv()))

    context = multiprocessing.get_context("fork")  # the strategy is of this function
    lines = []
    for _ in range(PROCESSES):
        ours, theirs = context.Pipe()
        context.Process(target=serve_half, args=(theirs,), daemon=True).start()
        lines.append(ours)

    def work() -> Answer:
        windows = options["window"]
        for place, line in enumerate(lines):
            line.send(windows[place::PROCESSES])
        return Answer(sum(line.recv() for line in lines), 0.0, 0.0)

    return work


if __name__ == "__main__":
    serve(prepare, importlib.import_module("backtesting").__version__)
