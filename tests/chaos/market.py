"""Prices for a day or two of busy trading, as a file a plan can name."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
