"""Plain Backtrader strategies that sessions are tried with, and prices that are quick to play."""

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import backtrader as bt


class EveryBars(bt.Strategy):
    """Buys with a bracket every `every` bars; does what a test asks for on bar `on`."""

    params = (("every", 10), ("on", 0), ("act", ""), ("points", 3.0), ("size", 1))

    def next(self):
        if self.p.act and len(self) == self.p.on:
            getattr(self, self.p.act)()
        if not self.position and len(self) % self.p.every == 0:
            close, points = self.data.close[0], self.p.points
            self.buy_bracket(size=self.p.size, exectype=bt.Order.Market, stopprice=close - points,
                             limitprice=close + points)  # fmt: skip

    def fail(self):
        raise ZeroDivisionError("the strategy's own fault")

    def leave(self):
        sys.exit(3)

    def hang(self):
        while True:
            time.sleep(0.001)

    def buy_naked(self):
        self.buy(size=1)


class LosesJournal(EveryBars):
    """Enters on bar `on` while the journal's file is away, and dies once it is known there again.

    Each happens only while the file of its name lies in `place`, so that neither a replay nor a
    proof does it again.
    """

    params = (("place", ""),)

    def next(self):
        place = Path(self.p.place)
        if len(self) == self.p.on and (place / "lose").exists():
            (place / "lose").unlink()
            (place / "journal.sqlite").rename(place / "away")
        if len(self) > self.p.on and (place / "die").exists() and self.is_withheld(place):
            (place / "die").unlink()
            os._exit(9)
        super().next()

    def notify_order(self, order):
        away = Path(self.p.place) / "away"
        if order.status == order.Rejected and away.exists():
            away.rename(away.with_name("journal.sqlite"))

    @staticmethod
    def is_withheld(place):
        with closing(sqlite3.connect(f"file:{place}/journal.sqlite?mode=ro", uri=True)) as file:
            query = "SELECT count(*) FROM intents WHERE verb = 'dropped'"
            return file.execute(query).fetchone()[0] > 0
