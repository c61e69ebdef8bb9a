"""Task T1 compiled, in a process of its own: `python -m backtests.bench.t1_compiled JOB.json`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backtests.bench.peers.job import Answer, serve


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run: indicators, signals, trades, the account marked at every close."""
    from backtests.bench.t1_signals import TERMS, T1Rule
    from backtests.sweep.signals import Columns, SignalEngine
    from core.bars import BAR

    columns = Columns.of(np.load(folder / "bars.npy").view(BAR))

    def work() -> Answer:
        trades, value = SignalEngine(T1Rule, columns, TERMS).trades(options)
        told = {
            "entry_bar": trades["entry_row"].astype(float),
            "entry_price": trades["entry_price"],
            "exit_bar": trades["exit_row"].astype(float),
            "exit_price": trades["exit_price"],
            "pnl": trades["pnl"],
            "pnlcomm": trades["net"],
        }
        return Answer(len(trades), float(trades["net"].sum()), value, told)

    return work


if __name__ == "__main__":
    serve(prepare, "this version")
