"""Task T1 in backtesting.py: stop and target work from the bar of the entry on."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backtests.bench.peers.job import Answer, frame_of, serve

CASH, MULTIPLIER, COMMISSION = 1_000_000.0, 10.0, 0.5


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run. The library knows no point value: ten units at a tenth of the commission."""
    library = importlib.import_module("backtesting")
    frame = frame_of(folder)

    class T1(library.Strategy):  # type: ignore[name-defined, misc]
        def init(self) -> None:
            data = self.data
            self.highest = self.I(highest, data.High, options["window"], plot=False)
            self.atr = self.I(atr, data.High, data.Low, data.Close, 14, plot=False)

        def next(self) -> None:
            close = self.data.Close[-1]
            if not self.position and close > self.highest[-2]:
                reach = self.atr[-1]
                self.buy(
                    size=MULTIPLIER,
                    sl=close - options["stop_atr"] * reach,
                    tp=close + options["target_atr"] * reach,
                )

    def work() -> Answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = library.Backtest(frame, T1, cash=CASH, commission=paid, margin=1.0)
            found = test.run()
        trades = found["_trades"]
        net = trades["PnL"].to_numpy(float)
        columns = {
            "entry_bar": trades["EntryBar"].to_numpy(float),
            "entry_price": trades["EntryPrice"].to_numpy(float),
            "exit_bar": trades["ExitBar"].to_numpy(float),
            "exit_price": trades["ExitPrice"].to_numpy(float),
            "pnlcomm": net,
        }
        return Answer(len(trades), float(net.sum()), float(found["Equity Final [$]"]), columns)

    return work


def paid(size: float, price: float) -> float:
    """Return the commission of a fill."""
    return abs(size) / MULTIPLIER * COMMISSION


def highest(values: Any, window: int) -> Any:
    """Return the highest of each last `window` values, NaN before."""
    import pandas as pd

    return pd.Series(np.asarray(values)).rolling(window).max().to_numpy()


def atr(high: Any, low: Any, close: Any, period: int) -> Any:
    """Return Wilder's average true range, NaN before it is known."""
    high, low, close = (np.asarray(column, float) for column in (high, low, close))
    before = close[:-1]
    reach = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    average = np.full(len(close), np.nan)
    value = float(reach[:period].mean())
    average[period] = value
    alpha = 1.0 / period
    for i, item in enumerate(reach[period:].tolist(), period + 1):
        average[i] = value = value * (1.0 - alpha) + item * alpha
    return average


if __name__ == "__main__":
    serve(prepare, importlib.import_module("backtesting").__version__)
