"""What the accelerated loop asks of brokers, analyzers and observers so that bars may be skipped.

The loop (`backtests.loop.cerebro`) plays steps of a `Timeline`. After each step it asks how long
every strategy may sleep (`backtests.loop.entry_mask`); if all sleep and nothing wants to see every
bar, the broker plays on by itself:

1. `begin_walk(timeline)` before the first step, `end_walk()` after the last (also on errors).
2. `standing(strategy)` after a step: FLAT, OPEN or WORKING.
3. `play_until(stop)`: play the steps from `timeline.step + 1` on, at most up to `stop` (not
   included), as long as no order changes, no notification arises, no trading day rolls and no
   rule of the guard must be asked; return the first step NOT played. While it runs the feeds'
   line pointers still stand on `timeline.step`: prices are read from the arrays. The loop moves
   the pointers and sets `timeline.step` afterwards.
4. `account_between(first, stop)`: cash and value after each of the steps just played.

The step after that is played in full, like any step of Backtrader's own loop (`next()`, then the
notifications). A broker without these methods is played bar by bar.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from backtests.loop.timeline import Array, Timeline

FLAT, OPEN, WORKING = range(3)
"""What a strategy has at work: nothing; a position in one of its feeds; orders but no position."""


class SkippingBroker(Protocol):
    """A broker that can play bars on its own."""

    def begin_walk(self, timeline: Timeline) -> None:
        """Take the steps of the run that begins."""

    def end_walk(self) -> None:
        """Forget them; the run is over."""

    def standing(self, strategy: Any) -> int:
        """Return what a strategy has at work: FLAT, OPEN or WORKING."""

    def play_until(self, stop: int) -> int:
        """Play on to a step, not included, or to the first that must be played in full."""

    def account_between(self, first: int, stop: int) -> tuple[Array, Array]:
        """Return cash and value after each of the steps first .. stop-1, just played."""


class Span:
    """Skipped steps, as an analyzer's or observer's `skipped(span)` gets them.

    Attributes
    ----------
    first, stop : int
        The steps, `stop` not included.
    timeline : Timeline
    """

    def __init__(self, broker: Any, timeline: Timeline, first: int, stop: int) -> None:
        self._broker = broker
        self.timeline = timeline
        self.first = first
        self.stop = stop

    @cached_property
    def _account(self) -> tuple[Array, Array]:
        cash, value = self._broker.account_between(self.first, self.stop)
        return cash, value

    @property
    def cash(self) -> Array:
        """Cash after each step (account currency)."""
        return self._account[0]

    @property
    def value(self) -> Array:
        """Account value after each step (account currency)."""
        return self._account[1]


def can_skip(broker: Any) -> bool:
    """Whether a broker can play bars on its own."""
    return getattr(broker, "play_until", None) is not None
