"""Prices for a day or two of busy trading, as a file a plan can name."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from core.ticks import TICK, TRADE

_NS = 1_000_000_000
_MINUTE = timedelta(minutes=1)
_BREAK = (21, 22, 23)
"""Hours (UTC) left out: every gold market is shut in some of them, summer and winter."""


def write_minutes(path: Path, seed: int, count: int, first_price: float, every: int = 1) -> Path:
    """Write a random walk with calm and wild hours as one-minute bars, or bars of more minutes."""
    chance = random.Random(f"market {seed}")
    when = datetime(2025, 3, 3, 14, 0, tzinfo=UTC) + timedelta(hours=chance.randrange(0, 5))
    price, wildness = first_price, 1.0
    rows = ["datetime,open,high,low,close,volume"]
    group: list[float] = []
    for number in range(count * every):
        while when.hour in _BREAK:
            when += timedelta(hours=1)
            price += chance.gauss(0.0, 1.5) if when.hour == 0 else 0.0
        if number % 60 == 0:
            wildness = chance.choice((0.4, 0.8, 1.3, 2.2))
        if not group:
            start = when
        for _ in range(4):
            group.append(round(price, 2))
            price += chance.gauss(0.0, 0.35 * wildness)
        when += _MINUTE
        if len(group) == 4 * every:
            group.append(round(price, 2))
            prices = (group[0], max(group), min(group), group[-1])
            text = ",".join(f"{item:.2f}" for item in prices)
            rows.append(f"{start:%Y-%m-%d %H:%M:%S},{text},{chance.randrange(50, 500)}")
            group = []
    path.write_text("\n".join(rows) + "\n")
    return path


_NSE_OPEN = datetime(2024, 9, 4, 3, 45, tzinfo=UTC)
"""09:15 in Mumbai on a Wednesday; a lot of Nifty was 25."""
_NSE_MINUTES = 375


def write_nifty_minutes(path: Path, seed: int, counts: Sequence[int]) -> Path:
    """Write a random walk of a future on Nifty, so many minutes of each of following days."""
    chance = random.Random(f"market {seed}")
    price, wildness = 25_000.0, 1.0
    rows = ["datetime,open,high,low,close,volume"]
    for day, count in enumerate(counts):
        first = _NSE_OPEN + timedelta(days=day, minutes=_NSE_MINUTES - count if not day else 0)
        for number in range(count):
            if number % 40 == 0:
                wildness = chance.choice((0.4, 0.8, 1.3, 2.2))
            walk = [price]
            for _ in range(4):
                walk.append(round(20.0 * (walk[-1] + chance.gauss(0.0, 2.5 * wildness))) / 20.0)
            price = walk[-1]
            prices = (walk[0], max(walk), min(walk), walk[-1])
            text = ",".join(f"{item:.2f}" for item in prices)
            when = first + timedelta(minutes=number)
            rows.append(f"{when:%Y-%m-%d %H:%M:%S},{text},{chance.randrange(50, 500)}")
        price += round(chance.gauss(0.0, 20.0))
    path.write_text("\n".join(rows) + "\n")
    return path


def write_calm_morning(folder: Path, seed: int, history: int, minutes: int) -> Path:
    """Write minutes of a future on Nifty that hardly moves, and its trades, four a second.

    history : minutes before the trades begin. minutes : that they last.
    """
    chance = random.Random(f"calm {seed}")
    first = int(_NSE_OPEN.timestamp())
    ticks = np.zeros(minutes * 240, TICK)
    ticks["ts_event"] = (first + history * 60) * _NS + np.arange(len(ticks)) * (_NS // 4)
    ticks["price"] = 25_000.0 + np.array([chance.randrange(-20, 21) for _ in ticks]) / 20.0
    ticks["volume"], ticks["flags"] = 1_000.0, TRADE
    for name in ("bid", "ask", "spread"):
        ticks[name] = np.nan
    np.save(folder / "ticks.npy", ticks)
    rows = ["datetime,open,high,low,close,volume"]
    for number in range(history + minutes):
        when = _NSE_OPEN + timedelta(minutes=number)
        rows.append(f"{when:%Y-%m-%d %H:%M:%S},25000.00,25001.00,24999.00,25000.00,240000")
    path = folder / "NIFTY-FUT.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
