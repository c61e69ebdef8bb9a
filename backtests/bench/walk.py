"""The made-up minute bars of task T1, and the files in which runs read them.

A seeded walk: eight steps a bar, volatility in clusters, opening gaps, prices near 2,000 on a
tick of 0.01, a mean range of 0.43. The stamps are those of the gold futures' sessions, so that
rules which look at trading days find some.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import BAR
from core.calendar import get_calendar
from core.zones import NS_PER_MINUTE

SEED = 20_240_501
CALENDAR = "CMEGlobex_GC"
_FIRST = date(2018, 1, 2)
_STEPS, _START, _TICK_DIGITS = 8, 2000.0, 2
_STEP_SIZE = 0.113
"""Standard deviation of a step in calm times; gives the mean range."""
_BLOCK = 30
"""Bars of one volatility; its logarithm returns to its mean from block to block."""
_GAP_SHARE, _GAP_FACTOR = 0.003, 12.0

_Array = np.ndarray[Any, Any]


def t1_bars(count: int, seed: int = SEED) -> _Array:
    """Return annotated one-minute BARs of the walk, the same for the same seed."""
    bars = np.zeros(count, BAR)
    bars["start"] = _starts(count)
    get_calendar(CALENDAR).annotate(bars, NS_PER_MINUTE)
    for name, values in _prices(count, seed).items():
        bars[name] = values
    return bars


def write_bars(bars: _Array, folder: Path) -> Path:
    """Write bars for runs in other processes: `bars.npy` as they are, `columns.npz` for peers."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "bars.npy", bars)
    names = ("start", "open", "high", "low", "close", "volume")
    columns: dict[str, Any] = {name: bars[name] for name in names}
    np.savez(folder / "columns.npz", **columns)
    return folder


def _starts(count: int) -> _Array:
    """Return the first `count` minutes of the calendar's sessions, ns UTC."""
    calendar = get_calendar(CALENDAR)
    days = count // 900 + 10
    last = _FIRST + timedelta(days=int(days * 1.5) + 10)
    sessions = calendar.sessions(_FIRST, last)
    starts = calendar.expected_starts(sessions[0].open, sessions[-1].close - 1, NS_PER_MINUTE)
    return starts[:count]


def _prices(count: int, seed: int) -> dict[str, _Array]:
    draw = np.random.default_rng(seed)
    scale = _STEP_SIZE * np.repeat(_moods(draw, count // _BLOCK + 1), _BLOCK)[:count]
    moves = draw.standard_normal((count, _STEPS + 1)) * scale[:, None]
    moves[draw.random(count) < _GAP_SHARE, 0] *= _GAP_FACTOR
    path = _START + np.cumsum(moves.ravel()).reshape(count, _STEPS + 1)
    path = np.round(path, _TICK_DIGITS)
    return {
        "open": path[:, 0],
        "high": path.max(axis=1),
        "low": path.min(axis=1),
        "close": path[:, -1],
        "volume": draw.integers(1, 500, count).astype(float),
    }


def _moods(draw: Any, blocks: int) -> _Array:
    """Return each block's volatility as a multiple of the calm one's."""
    level, levels = 0.0, np.empty(blocks)
    for block, shock in enumerate(draw.standard_normal(blocks)):
        level = 0.95 * level + 0.15 * shock
        levels[block] = level
    return np.exp(levels)
