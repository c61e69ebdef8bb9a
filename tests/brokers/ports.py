"""A port for the made-up venues: state set by hand, answers told from a thread of its own."""

from __future__ import annotations

import queue
import threading

import numpy as np

from core.bars import BAR
from core.events import HistoryBars, Link, LinkState, Snapshot, Ticks
from core.ticks import TICK, TRADE


def ticks_of(*prices, start=1_000, bid=None, ask=None):
    ticks = np.zeros(len(prices), TICK)
    ticks["price"], ticks["flags"] = prices, TRADE
    ticks["ts_event"] = start + np.arange(len(prices))
    ticks["bid"] = np.nan if bid is None else bid
    ticks["ask"] = np.nan if ask is None else ask
    return ticks


def bars_of(*starts):
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    bars["close"] = 100.0
    return bars


class FakePort:
    """Answers with what `account`, `positions`, `orders`, `pages` and `prices` hold.

    link : the state that connecting leads to. silent : questions that get no answer.
    """

    def __init__(self, capabilities, emit):
        self.capabilities = capabilities
        self._emit = emit
        self.link = LinkState.CONNECTED
        self.account, self.positions, self.orders = None, (), ()
        self.error, self.pages, self.prices = "", [], {}
        self.silent = set()
        self.calls = []
        self._jobs = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self):
        for job in iter(self._jobs.get, None):
            job()

    def tell(self, *events):
        self._jobs.put(lambda: [self._emit(event) for event in events])

    def connect(self):
        self.calls.append("connect")
        self.tell(Link(LinkState.RETRYING), Link(self.link, reason="as told"))

    def disconnect(self, timeout_secs=5.0):
        self.calls.append("disconnect")
        self._jobs.put(None)
        self._thread.join(timeout_secs)

    def subscribe(self, symbols):
        self.calls.append(("subscribe", *symbols))
        for symbol in symbols:
            if symbol in self.prices:
                self.tell(Ticks(symbol, self.prices[symbol]))

    def unsubscribe(self, symbols):
        self.calls.append(("unsubscribe", *symbols))

    def request_history(self, request_id, symbol, timeframe_ns, start, end):
        if "history" not in self.silent:
            pages = self.pages or [bars_of()]
            self.tell(*[
                HistoryBars(request_id, symbol, timeframe_ns, page, page is pages[-1], self.error)
                for page in pages
            ])  # fmt: skip

    def request_snapshot(self, request_id, since):
        self.calls.append("snapshot")
        if "snapshot" not in self.silent:
            self.tell(Snapshot(request_id, 1, self.account, self.orders, self.positions,
                               error=self.error))  # fmt: skip

    def usage(self):
        return []
