"""A grid of task T1 in vectorbt: one column a set, all of them in one call, as it is meant."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from backtests.bench.peers.job import Answer, frame_of, serve
from backtests.bench.peers.vectorbt_t1 import CASH, COMMISSION, UNITS, atr, before


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run. options : lists of window, stop_atr and target_atr."""
    library = importlib.import_module("vectorbt")
    frame = frame_of(folder)

    def work() -> Answer:
        close, high, low = frame["Close"], frame["High"], frame["Low"]
        reach = before(atr(high, low, close, 14))
        entry, signalled = frame["Open"].to_numpy(), before(close.to_numpy())
        breaks = {}
        for window in options["window"]:
            top = before(high.rolling(window).max().to_numpy())
            signal = before((close.to_numpy() > top).astype(float)) > 0
            breaks[window] = signal & np.isfinite(reach)
        sets = list(product(options["window"], options["stop_atr"], options["target_atr"]))
        entries = np.column_stack([breaks[window] for window, _, _ in sets])
        stops, targets = (np.array([item[place] for item in sets]) for place in (1, 2))
        # Levels are set at the close before the entry; the library wants shares of the entry.
        away = (entry - signalled)[:, None]
        stop = np.maximum((away + reach[:, None] * stops) / entry[:, None], 1e-12)
        target = np.maximum((reach[:, None] * targets - away) / entry[:, None], 1e-12)
        found = library.Portfolio.from_signals(
            close, entries=entries, exits=False, price=frame["Open"], open=frame["Open"],
            high=high, low=low, size=UNITS, sl_stop=stop, tp_stop=target, fixed_fees=COMMISSION,
            init_cash=CASH, freq="1min",
        )  # fmt: skip
        trades = found.trades.records
        closed = trades[trades["status"] == 1]
        finals = np.asarray(found.final_value(), float)
        return Answer(len(closed), float(closed["pnl"].sum()), float(finals.sum()))

    return work


if __name__ == "__main__":
    serve(prepare, importlib.import_module("vectorbt").__version__)
