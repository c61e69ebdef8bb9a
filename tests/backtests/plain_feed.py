"""A small Backtrader feed over lists, for tests of brokers: bars in minutes, stamps at END."""

from __future__ import annotations

import datetime

import backtrader as bt

MINUTE = 1 / 1440


class ListFeed(bt.feed.DataBase):
    """Feed rows of (open, high, low, close), one a minute from 2024-01-02 09:16 UTC."""

    params = (
        ("rows", ()),
        ("first", bt.date2num(datetime.datetime(2024, 1, 2, 9, 16))),
        ("step", MINUTE),
        ("timeframe", bt.TimeFrame.Minutes),
    )

    def start(self):
        super().start()
        self._row = 0

    def _load(self):
        if self._row >= len(self.p.rows):
            return False
        row = self.p.rows[self._row]
        open_, high, low, close = row[:4]
        self.lines.datetime[0] = row[4] if len(row) > 4 else self.p.first + self._row * self.p.step
        self.lines.open[0] = open_
        self.lines.high[0] = high
        self.lines.low[0] = low
        self.lines.close[0] = close
        self.lines.volume[0] = 100.0
        self.lines.openinterest[0] = 0.0
        self._row += 1
        return True
