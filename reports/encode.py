"""Pack bar arrays for the page: base64 of little-endian integers, a few bytes a bar."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd

MAX_DECIMALS = 5


def price_decimals(prices: np.ndarray[Any, Any]) -> int:
    """Return how many decimals (0 to 5) keep every price as it is in the file."""
    for decimals in range(MAX_DECIMALS):
        scaled = prices * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-4):
            return decimals
    return MAX_DECIMALS


def pack(values: np.ndarray[Any, Any], kind: str) -> str:
    """Return an array as base64 of the given little-endian dtype."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def encode_bars(bars: pd.DataFrame) -> dict[str, Any]:
    """Return the chart's data: START in epoch seconds (uint32), prices as int32 steps.

    `scale` is the number of steps in one price unit: price = step / scale.
    """
    names = ("open", "high", "low", "close")
    columns = {name: bars[name].to_numpy(float) for name in names}
    decimals = max((price_decimals(column) for column in columns.values()), default=0)
    while decimals > 0 and columns["high"].max(initial=0.0) * 10**decimals > 2**31 - 1:
        decimals -= 1
    scale = 10**decimals
    packed: dict[str, Any] = {
        name: pack(np.rint(column * scale), "<i4") for name, column in columns.items()
    }
    packed["start"] = pack(bars["start"].to_numpy(np.int64) // 1_000_000_000, "<u4")
    packed["count"] = len(bars)
    packed["scale"] = scale
    packed["decimals"] = decimals
    return packed


def encode_equity(equity: pd.DataFrame) -> dict[str, Any]:
    """Return an equity curve: times in epoch seconds (uint32), equity and drawdown (float32)."""
    seconds = equity["time"].astype("int64").to_numpy() // _per_second(equity["time"])
    return {
        "count": len(equity),
        "time": pack(seconds, "<u4"),
        "equity": pack(equity["equity"].to_numpy(float), "<f8"),
        "drawdown": pack(equity["drawdown"].to_numpy(float), "<f8"),
    }


def _per_second(stamps: pd.Series) -> int:
    """Return how many of the column's own units (us, ns ...) make a second."""
    unit = getattr(stamps.dtype, "unit", "ns")
    return {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[str(unit)]
