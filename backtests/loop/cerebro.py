"""A Cerebro whose run-once loop costs less: the same calls, the same results, fewer detours.

`Cerebro` is Backtrader's own in all but one method. For preloaded data in run-once mode it walks
the joint timeline of the feeds and moves every line pointer by a direct write. Where a strategy
declares an entry mask, bars on which nothing can happen are skipped. Everything else (next mode,
live feeds, `exactbars`, replay) is Backtrader's own code, taken without being asked for.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import backtrader as bt

from backtests.loop.timeline import Timeline, read_timeline
from backtests.loop.walk import Walk, Watch


class Cerebro(bt.Cerebro):  # type: ignore[misc]
    """Backtrader's Cerebro with an accelerated run-once loop.

    Attributes
    ----------
    use_masks : bool
        Whether entry masks of strategies are believed (`backtests.loop.entry_mask`).
    watch : callable(strategy, step), optional
        Called where a strategy says that its `next` does nothing, to call it and see
        (`backtests.loop.check_mask`); every bar is played then.
    fallback : str
        Why the last run used Backtrader's own loop; empty where it did not.
    no_skipping : str
        Why the last run played every bar; empty where bars could be skipped.
    """

    use_masks = True
    watch: Watch | None = None
    fallback = ""
    no_skipping = ""

    def run(self, **kwargs: Any) -> Any:
        """Run as Backtrader does, with the cyclic garbage collector out of the way."""
        self.fallback = "Backtrader's next mode (live, replay, exactbars, or runonce switched off)"
        self.no_skipping = self.fallback
        with _collector_off():
            return super().run(**kwargs)

    def _runonce(self, runstrats: list[Any]) -> None:
        timeline = None
        self.fallback = _own_loop_needed(self.datas)
        if not self.fallback:
            timeline = read_timeline(self.datas)
            if timeline is None:
                self.fallback = "a feed whose bars do not follow in time"
        if timeline is None or not runstrats:
            super()._runonce(runstrats)
            return
        for strategy in runstrats:
            strategy._once()
            strategy.reset()
        self._walk(runstrats, timeline)

    def _walk(self, runstrats: list[Any], timeline: Timeline) -> None:
        walk = Walk(
            self,
            runstrats,
            timeline,
            use_masks=self.use_masks and self.watch is None,
            watch=self.watch,
        )
        self.no_skipping = walk.no_skipping
        cheats = self.p.cheat_on_open or self._timerscheat
        begin = None if cheats else getattr(self._broker, "begin_walk", None)
        if begin is not None:
            begin(timeline)
        try:
            walk.run()
        finally:
            if begin is not None:
                self._broker.end_walk()
            walk.leave()


def _own_loop_needed(datas: list[Any]) -> str:
    """Return why Backtrader's own loop must run, empty if ours may."""
    feed = bt.feed.AbstractDataBase
    for data in datas:
        kind = type(data)
        if kind.advance not in (feed.advance, bt.feed.DataClone.advance):
            return f"{kind.__name__} moves on in its own way"
        if kind.advance_peek is not feed.advance_peek:
            return f"{kind.__name__} looks ahead in its own way"
        if any(line.mode != line.UnBounded for line in data.lines):
            return "lines of bounded memory"
        if len(data) or any(line.buflen() < data.buflen() for line in data.lines):
            return "a feed that is not preloaded"
    return ""


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep the cyclic collector out: nearly all a run makes is kept, so it searches for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
