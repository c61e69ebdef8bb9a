"""A few days of made-up gold bars and strategies small enough to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

HEADER = "datetime,open,high,low,close,volume"
FIRST = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)


def rows(count: int = 200) -> list[list[str]]:
    """Return 15-minute bars of a saw-toothed price, inside gold's hours, stamps in UTC."""
    found: list[list[str]] = []
    when = FIRST
    while len(found) < count:
        if when.hour not in (21, 22, 23) and when.weekday() < 5:
            base = 2900.0 + (len(found) % 20) - (len(found) % 7)
            prices = (base, base + 2.5, base - 2.5, base + 1.0)
            found.append([f"{when:%Y-%m-%d %H:%M:%S}", *(f"{p:.2f}" for p in prices), "100"])
        when += timedelta(minutes=15)
    return found


def text(table: list[list[str]], header: str = HEADER) -> str:
    """Return rows as CSV text."""
    return "\n".join([header, *(",".join(row) for row in table)]) + "\n"


def write(path: Path, table: list[list[str]] | None = None) -> Path:
    """Write rows (200 sound ones by default) as a CSV file."""
    path.write_text(text(rows() if table is None else table))
    return path


EVERY_TENTH = """\
import backtrader as bt


class EveryTenth(bt.Strategy):
    params = (("hold", 3), ("size", 1.0))

    def next(self):
        if self.position:
            if len(self) - self.entered >= self.p.hold:
                self.close()
        elif len(self) % 10 == 0:
            self.entered = len(self)
            price = self.data.close[0]
            self.buy_bracket(
                size=self.p.size, exectype=bt.Order.Market, stopprice=price - 8.0,
                limitprice=price + 8.0,
            )
"""

RAISES = """\
import backtrader as bt


class Raises(bt.Strategy):
    def next(self):
        if len(self) == 30:
            self.lost = {}["nothing"]
"""

STOPS_ITSELF = """\
import signal

import backtrader as bt


class StopsItself(bt.Strategy):
    params = (("hits", 1),)

    def next(self):
        if len(self) == 50:
            for _ in range(self.p.hits):
                signal.raise_signal(signal.SIGINT)
"""
