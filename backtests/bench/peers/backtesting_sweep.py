"""A grid of task T1 in backtesting.py: its optimiser, on one thread.

Its pool of processes shares prices in a way that ends in a crash (signal 11) with these versions.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from backtests.bench.peers.backtesting_py import CASH, MULTIPLIER, atr, highest, paid
from backtests.bench.peers.job import Answer, frame_of, serve


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run. options : lists of window, stop_atr and target_atr."""
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

    def work() -> Answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = library.Backtest(frame, T1, cash=CASH, commission=paid, margin=1.0)
            best, found = test.optimize(
                **options, maximize="# Trades", return_heatmap=True, random_state=1
            )
        return Answer(int(found.sum()), float(best["Equity Final [$]"]), 0.0)

    return work


if __name__ == "__main__":
    serve(prepare, importlib.import_module("backtesting").__version__)
