"""A Cerebro whose loop is the session's engine; all it builds and ends is Backtrader's own."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import backtrader as bt

from core.matching.warm import warm_matching
from live.engine import Engine
from live.warm import warm_broker, warm_feed


class LiveCerebro(bt.Cerebro):  # type: ignore[misc]
    """Backtrader's Cerebro driven by events.

    Strategies hear of orders at once (`quicknotify`), not with the next bar. Backtrader's own live
    loop waits feed by feed and fails where two feeds are silent in turn; it is not used.

    Attributes
    ----------
    engine : Engine
    when_ready : called once all strategies stand, before the first event.
    """

    params = (("stdstats", False), ("quicknotify", True))

    engine: Engine
    when_ready: Callable[[], None] | None = None

    def _runnext(self, runstrats: list[Any]) -> None:
        engine = self.engine
        engine.begin(self, runstrats)
        warm_broker(engine.broker.plans)
        for slot in engine.slots:
            warm_feed(slot.feed.calendar, slot.feed.timeframe_ns)
        if engine.matcher is not None:
            warm_matching()
        if self.when_ready is not None:
            self.when_ready()
        # What stands by now stays: without this a full collection looks at half a million objects
        # of libraries and holds up whatever tick comes then, by 50 ms and more.
        gc.collect()
        gc.freeze()
        try:
            engine.run()
        finally:
            gc.unfreeze()
