"""Stock Backtrader live, as its own feeds do it: a queue for each feed, waited on in turn."""

from __future__ import annotations

import queue
import random
import threading
import time
from datetime import UTC, datetime
from typing import Any

import backtrader as bt
from backtrader.utils.date import date2num

QCHECK_SECS = 0.5
"""How long Backtrader's own live feeds wait on their queue."""


class QueueFeed(bt.feed.DataBase):  # type: ignore[misc]
    """A live feed as Backtrader's for Interactive Brokers and Oanda are made."""

    params = (("q", None), ("qcheck", QCHECK_SECS), ("timeframe", bt.TimeFrame.Ticks))

    def islive(self) -> bool:
        """Say that bars cannot be loaded ahead."""
        return True

    def haslivedata(self) -> bool:
        """Say whether something waits."""
        return not self.p.q.empty()

    def start(self) -> None:
        """Begin, live at once."""
        super().start()
        self.put_notification(self.LIVE)
        self.put_at: float | None = None
        self._over = False

    def _load(self) -> bool | None:
        if self._over:
            return False
        try:
            told = self.p.q.get(timeout=self._qcheck) if self._qcheck else self.p.q.get_nowait()
        except queue.Empty:
            return None
        if told is None:
            self._over = True
            return False
        self.put_at, price = told
        lines = self.lines
        lines.datetime[0] = date2num(datetime.now(UTC).replace(tzinfo=None))
        lines.open[0] = lines.high[0] = lines.low[0] = lines.close[0] = price
        lines.volume[0], lines.openinterest[0] = 1.0, 0.0
        return True


class Seen(bt.Strategy):  # type: ignore[misc]
    """Notes how long each price was on its way."""

    def __init__(self) -> None:
        self.mean = bt.ind.SMA(self.datas[-1], period=2)
        self.taken: list[float] = []

    def prenext(self) -> None:
        """Note it."""
        self.next()

    def next(self) -> None:
        """Note it."""
        now, data = time.perf_counter(), self.datas[-1]
        if data.put_at is not None:
            self.taken.append(now - data.put_at)
            data.put_at = None


def stock_latencies(feeds: int, count: int, gap_secs: float, at_most_secs: float) -> list[float]:
    """Return the seconds from put to `next` of the prices that arrive within some time.

    Prices come on the last feed, the others are silent. They go to `next` as they are: no bar is
    built of them. Those not delivered in that time do not count, which favours the slow.
    """
    queues: list[queue.Queue[Any]] = [queue.Queue() for _ in range(feeds)]
    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    for place, own in enumerate(queues):
        cerebro.adddata(QueueFeed(q=own, name=f"d{place}"))
    cerebro.addstrategy(Seen)
    kept: list[float] = []
    chance = random.Random(feeds)

    def venue() -> None:
        time.sleep(0.3)
        until = time.monotonic() + at_most_secs
        for number in range(count):
            if time.monotonic() >= until:
                break
            queues[-1].put((time.perf_counter(), 2400.0 + number % 7))
            time.sleep(chance.expovariate(1 / gap_secs))
        while not queues[-1].empty() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        kept.extend(cerebro.runningstrats[0].taken)
        for own in queues:
            with own.mutex:
                own.queue.clear()
            own.put(None)

    thread = threading.Thread(target=venue, daemon=True)
    thread.start()
    cerebro.run()
    thread.join()
    return kept
