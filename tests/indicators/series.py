"""Bars that several indicator tests share: the worked example and seeded random walks."""

from __future__ import annotations

import numpy as np
import pandas as pd

# smc.md section 12, columns open high low close volume
EX1_ROWS = """
104.0 104.6 103.6 104.2 100; 104.2 104.4 103.0 103.4 110; 103.4 103.6 102.0 102.4 120
102.4 103.9 102.3 103.6 100; 103.6 105.0 103.2 104.6 130; 104.6 104.8 103.0 103.2 110
103.2 103.4 101.2 101.5 180; 101.5 101.9 100.4 100.8 140; 100.8 102.2 100.6 101.9 120
101.9 102.6 101.4 102.0 100; 102.0 102.3 100.9 101.1 110; 101.1 101.3 99.9 100.7 200
100.7 101.4 100.5 101.3 120; 101.3 104.0 101.2 103.8 320; 103.8 105.2 103.5 104.9 260
104.9 105.1 104.2 104.4 120; 104.4 104.6 103.1 103.4 110; 103.4 103.7 101.0 102.8 170
102.8 104.5 102.6 104.3 150; 104.3 105.4 104.1 105.3 180; 105.3 105.6 103.0 103.2 210
103.2 103.3 100.6 100.8 260; 100.8 103.8 100.7 103.6 300; 103.6 104.0 103.0 103.9 150
"""


def frame_of(rows: list[list[float]], start: str = "2024-01-02", step: str = "15min"):
    """Return rows of open, high, low, close[, volume] as a frame indexed by START (UTC)."""
    index = pd.date_range(start, periods=len(rows), freq=step)
    names = ["open", "high", "low", "close", "volume"][: len(rows[0])]
    return pd.DataFrame(rows, columns=names, index=index, dtype=float)


def worked_example() -> pd.DataFrame:
    """Return the 24 bars of EX1."""
    rows = [row.split() for line in EX1_ROWS.strip().splitlines() for row in line.split(";")]
    return frame_of([[float(value) for value in row] for row in rows])


def random_walk(
    bars: int, seed: int, *, tick: float = 0.25, step: str = "15min", start: str = "2024-03-01"
) -> pd.DataFrame:
    """Return a seeded walk on a coarse tick, so that equal prices are common, with gaps."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(size=bars) * rng.choice([0.5, 1.0, 3.0], size=bars)
    close = np.round((500 + np.cumsum(moves)) / tick) * tick
    open_ = np.r_[close[0], close[:-1]] + tick * rng.integers(-1, 2, size=bars)
    reach = np.round(np.abs(rng.normal(size=(2, bars))) / tick) * tick
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) + reach[0],
            "low": np.minimum(open_, close) - reach[1],
            "close": close,
            "volume": rng.integers(0, 50, size=bars).astype(float),
        },
        index=pd.date_range(start, periods=bars, freq=step),
    )
    return frame[rng.random(bars) > 0.03]
