"""Task T1 in vectorbt: signals as arrays, compiled; exits from the bar after the entry on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backtests.bench.peers.job import Answer, frame_of, serve

CASH, UNITS, COMMISSION = 1_000_000.0, 10.0, 0.5


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run: indicators, signals and portfolio."""
    library = importlib.import_module("vectorbt")
    frame = frame_of(folder)

    def work() -> Answer:
        close, high, low = frame["Close"], frame["High"], frame["Low"]
        reach = before(atr(high, low, close, 14))
        top = before(high.rolling(options["window"]).max().to_numpy())
        signal = before((close.to_numpy() > top).astype(float)) > 0
        entry, signalled = frame["Open"].to_numpy(), before(close.to_numpy())
        # Levels are set at the close before the entry; the library wants shares of the entry.
        stop = np.maximum((entry - signalled + options["stop_atr"] * reach) / entry, 1e-12)
        target = np.maximum((signalled + options["target_atr"] * reach - entry) / entry, 1e-12)
        found = library.Portfolio.from_signals(
            close, entries=signal & np.isfinite(reach), exits=False, price=frame["Open"],
            open=frame["Open"], high=high, low=low, size=UNITS, sl_stop=stop, tp_stop=target,
            fixed_fees=COMMISSION, init_cash=CASH, freq="1min",
        )  # fmt: skip
        trades = found.trades.records
        closed = trades[trades["status"] == 1]
        return Answer(len(closed), float(closed["pnl"].sum()), float(found.final_value()))

    return work


def atr(high: Any, low: Any, close: Any, period: int) -> Any:
    """Return the average true range, smoothed as Wilder does."""
    before = close.shift()
    reach = np.maximum(high, before) - np.minimum(low, before)
    return reach.ewm(alpha=1.0 / period, adjust=False, min_periods=period).mean().to_numpy()


def before(values: Any) -> Any:
    """Return each item's predecessor, NaN for the first."""
    out = np.full(len(values), np.nan)
    out[1:] = values[:-1]
    return out


if __name__ == "__main__":
    serve(prepare, importlib.import_module("vectorbt").__version__)
