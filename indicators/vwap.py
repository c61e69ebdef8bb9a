"""Volume-weighted average price of the trading day, or the mean close where volume is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.line import KernelIndicator
from indicators.market_clock import DAY_RULES, trading_day, zoned_columns
from indicators.parameters import ParamsArray, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

RULES = DAY_RULES
PARAMS = params_dtype(RULES)

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
    """Advance by one bar of its trading day and return the average known at its close."""
    return step_vwap_of(bar, bar.day, state)


@kernel
def step_vwap_of(bar: Any, day: int, state: Any) -> float:
    """Advance by one bar of a day and return the day's average known at its close.

    Sum of (H+L+C)/3 * V over sum of V since the day's first bar, or the mean of its closes while
    the day has no volume.
    """
    if day != state.day or state.bars == 0:
        reset_vwap(state)
        state.day = day
    state.bars += 1
    state.turnover += (bar.high + bar.low + bar.close) / 3.0 * bar.volume
    state.volume += bar.volume
    state.closes += bar.close
    if state.volume > 0.0:
        value: float = state.turnover / state.volume
    else:
        value = state.closes / state.bars
    state.value = value
    return value


OUT = record_dtype([("vwap", "f8")])


def params(**values: Any) -> ParamsArray:
    """Return checked parameters: `day_shift_minutes` (see `market_clock.DAY_RULES`)."""
    return read_params("vwap", RULES, values)


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state."""
    made = np.zeros(1, VWAP_STATE)
    reset_vwap(made[0])
    return made


@kernel
def step(bar: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar and write the day's average."""
    out.vwap = step_vwap_of(bar, trading_day(bar, params.day_shift_minutes), state)


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].vwap, out[i])


BLOCK = Block(
    name="vwap",
    run=run,
    parts={"vwap": RULES},
    out=OUT,
    state=new_state,
    columns={"vwap": ("vwap",)},
)


class VWAP(KernelIndicator):
    """The trading day's volume-weighted average price, or its mean close without volume."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)


def vwap(frame: pd.DataFrame, *, zone: str | None = None, **values: Any) -> pd.DataFrame:
    """Return the day's average price at each bar's close, column `vwap`.

    Parameters
    ----------
    frame : DataFrame
        Bars indexed by START, aware or naive UTC; `volume` is optional.
    zone : str, optional
        IANA zone whose midnight (plus `day_shift_minutes`) parts the days.
    **values
        `day_shift_minutes`.
    """
    return zoned_columns(BLOCK, frame, zone, values)


callable_module(__name__)
