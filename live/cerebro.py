"""A Cerebro whose loop is the session's engine; all it builds and ends is Backtrader's own."""

from __future__ import annotations

from typing import Any

import backtrader as bt

from live.engine import Engine


class LiveCerebro(bt.Cerebro):  # type: ignore[misc]
    """Backtrader's Cerebro driven by events.

    Strategies hear of orders at once (`quicknotify`), not with the next bar. Backtrader's own live
    loop waits feed by feed and fails where two feeds are silent in turn; it is not used.

    Parameters
    ----------
    engine : Engine
    ready : callable(), optional
        Called once all strategies stand, before the first event.
    """

    def __init__(self, engine: Engine, ready: Any = None) -> None:
        super().__init__(stdstats=False, quicknotify=True)
        self.engine = engine
        self._when_ready = ready

    def _runnext(self, runstrats: list[Any]) -> None:
        self.engine.begin(self, runstrats)
        if self._when_ready is not None:
            self._when_ready()
        self.engine.run()
