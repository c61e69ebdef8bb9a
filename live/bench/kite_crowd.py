"""Thousands of instruments in Kite's full mode, from the binary stream to bars.

python -m live.bench.kite_crowd '{"seconds": 120}'
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from brokers.contracts import Contract
from brokers.inbox import Inbox
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.instruments import today
from brokers.kite.store import KiteStore
from brokers.master import ContractMaster, Origin
from core.bars import BAR
from core.calendar import get_calendar
from core.events import Ticks
from core.instruments import get_instrument
from core.zones import NS_PER_MINUTE
from feeds.live import FeedTerms, LiveFeed
from live.bench.job import serve, spread
from live.bench.market import Market, keep_to_core
from live.bench.memory import resident_mb

RATES = (2, 5, 10, 15, 20, 25, 30, 40, 50, 60)
"""Ticks a second of each instrument, tried one after the other."""
HELD_SECS = 0.25
"""A rate is held if rounds of its second half are mostly in their bars so soon after they were due.

A rate that is too high falls behind without end; a spell of somebody else's work does not count."""
_PATIENCE_SECS = 60.0
_NO_BARS = np.zeros(0, BAR)


def measure(
    count: int = 3000,
    seconds: float = 120.0,
    rates: Sequence[float] = RATES,
    rate_secs: float = 6.0,
) -> dict[str, Any]:
    """Measure one tick a second of each instrument for a time, then faster until it is too fast."""
    with Market("kite_crowd", {"count": count}) as market:
        is_alone = keep_to_core(1)
        client = _Client(market)
        try:
            client.begin()
            client.follow(2.0, 1.0)
            gc.collect()
            before, cpu, began = resident_mb(), time.process_time(), time.perf_counter()
            ages = client.follow(1.0, seconds)
            share = (time.process_time() - cpu) / (time.perf_counter() - began)
            gc.collect()
            grown = resident_mb() - before
            cpu, ticks = time.process_time(), client.ticks
            held, tried = client.highest(rates, rate_secs)
            a_cpu_second = (client.ticks - ticks) / (time.process_time() - cpu)
        finally:
            client.end()
    return {
        "count": count,
        "seconds": seconds,
        "one_core": is_alone,
        "cpu_share_pct": 100.0 * share,
        "age": spread(ages),
        "grown_mb": grown,
        "resident_mb": resident_mb(),
        "bars": client.bars,
        "highest": held,
        "ticks_a_cpu_second": a_cpu_second,
        "tried": tried,
        "rate_secs": rate_secs,
        "held_ms": HELD_SECS * 1e3,
    }


class _Client:
    """A store on its own threads, and a thread that builds minute bars of each instrument.

    Attributes
    ----------
    ticks, bars : taken, and completed, so far.
    """

    def __init__(self, market: Market) -> None:
        about = market.about
        self._market = market
        self._inbox = Inbox()
        self._symbols = [symbol for _, symbol in about["shares"]]
        now = int(about["now"])
        keys = KiteKeys(about["credentials"]["api_key"], about["credentials"]["access_token"])
        roots = {name: about["options"][name] for name in ("api_root", "stream_root")}
        self._store = KiteStore(
            KiteConfig(**roots), lambda: keys, self._inbox.put, self._symbols, clock=lambda: now,
            contracts=_master(about["shares"], now),
        )  # fmt: skip
        calendar, terms = get_calendar("NSE"), FeedTerms(stale_ns=0)
        self._feeds = {
            symbol: LiveFeed(symbol, NS_PER_MINUTE, calendar, terms) for symbol in self._symbols
        }
        for feed in self._feeds.values():
            feed.connected(now)
            for need in feed.needs:
                feed.hear_history(need, _NO_BARS, now)
            feed.needs.clear()
        self.bars = 0
        self.ticks = 0
        self._taken: list[float] = []
        self._is_over = False
        self._builder = threading.Thread(target=self._build, daemon=True)

    def begin(self) -> None:
        """Connect, subscribe, and come to know every instrument."""
        self._builder.start()
        self._store.subscribe(self._symbols)
        self._store.connect()
        until = time.monotonic() + _PATIENCE_SECS
        while self.ticks < len(self._symbols):
            if time.monotonic() > until:
                raise RuntimeError(f"{self.ticks} of {len(self._symbols)} instruments ticked")
            self._market.ask("tick", per_second=5.0, seconds=0.4)
        seen = -1
        while seen < self.ticks:  # what is still on its way counts for nothing
            seen = self.ticks
            time.sleep(0.5)
        self.ticks, self._taken = 0, []

    def follow(self, per_second: float, seconds: float) -> list[float]:
        """Let all instruments tick; return how old the last tick of each round was in its bar.

        Raises
        ------
        RuntimeError : a tick got lost.
        """
        due = self._market.ask("tick", per_second=per_second, seconds=seconds)["due"]
        until = time.monotonic() + _PATIENCE_SECS
        while len(self._taken) < len(due):
            if time.monotonic() > until:
                raise RuntimeError(f"{self.ticks} ticks came of {len(due) * len(self._symbols)}")
            time.sleep(0.01)
        taken, self._taken = self._taken, []
        return [at - wanted for wanted, at in zip(due, taken, strict=True)]

    def highest(
        self, rates: Sequence[float], seconds: float
    ) -> tuple[float, dict[str, dict[str, float]]]:
        """Return the highest rate that is held, in ticks a second, and the ages at each tried.

        One that is not held has a second try: the machine may have been busy with something else.
        """
        held, tried = 0.0, {}
        for rate in rates:
            wanted = rate * len(self._symbols)
            for _ in range(2):
                ages = self.follow(rate, seconds)
                late = spread(ages[len(ages) // 2 :])
                tried[f"{wanted:.0f}"] = late
                if len(ages) == round(rate * seconds) and late["p50"] <= HELD_SECS * 1e3:
                    held = wanted
                    break
            if held < wanted:
                break
        return held, tried

    def end(self) -> None:
        """Disconnect."""
        self._store.disconnect()
        self._is_over = True
        self._inbox.poke()
        self._builder.join()

    def _build(self) -> None:
        """Take what comes out of the inbox, as an engine does, and build bars of it."""
        inbox, feeds, size = self._inbox, self._feeds, len(self._symbols)
        while not self._is_over:
            event = inbox.take()
            if event is None:
                inbox.wait(0.2)
            elif isinstance(event, Ticks):
                self.bars += len(feeds[event.symbol].take(event.ticks))
                self.ticks += 1
                if self.ticks % size == 0:
                    self._taken.append(time.time())


def _master(shares: Sequence[tuple[int, str]], now: int) -> ContractMaster:
    """Return the day's contracts: the shares, each by its own name."""
    symbols = tuple(symbol for _, symbol in shares)
    origin = Origin("kite", "", today(now), now, "the bench", len(shares), symbols)
    return ContractMaster(
        origin,
        [Contract(name, name, str(token), "NSE", currency="INR") for token, name in shares],
        instruments=lambda symbol: get_instrument("NIFTY50"),
    )


if __name__ == "__main__":
    serve(measure)
