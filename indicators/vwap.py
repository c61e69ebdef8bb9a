"""Volume-weighted average price of the trading day, or the mean close where volume is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype

VWAP_STATE = record_dtype(
    [
        ("day", "i8"),
        ("bars", "i8"),
        ("turnover", "f8"),
        ("volume", "f8"),
        ("closes", "f8"),
        ("value", "f8"),
    ]
)
"""Sums of the running trading day. value : the average known at this bar, price units."""


@kernel
def reset_vwap(state: Any) -> None:
    """Bring the sums to the state before the first bar."""
    state.day = -1
    state.bars = 0
    state.turnover = 0.0
    state.volume = 0.0
    state.closes = 0.0
    state.value = np.nan


@kernel
def step_vwap(bar: Any, state: Any) -> float:
    """Advance by one bar and return the day's average known at its close.

    Sum of (H+L+C)/3 * V over sum of V since the day's first bar, or the mean of its closes while
    the day has no volume.
    """
    if bar.day != state.day or state.bars == 0:
        reset_vwap(state)
        state.day = bar.day
    state.bars += 1
    state.turnover += (bar.high + bar.low + bar.close) / 3.0 * bar.volume
    state.volume += bar.volume
    state.closes += bar.close
    if state.volume > 0.0:
        state.value = state.turnover / state.volume
    else:
        state.value = state.closes / state.bars
    return state.value
