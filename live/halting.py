"""Strategies that a fault of one of them brings to a halt, as in a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import TolaError

STRATEGY_ERROR = "strategy error: "
"""How the exit reason of a session begins whose strategy raised; the fault's class follows."""


class Halt:
    """Steps strategies until one raises; from then on none is stepped.

    Attributes
    ----------
    failure : the fault's class, "" while there was none.
    """

    def __init__(self) -> None:
        self.failure = ""

    def step(self, call: Callable[[], None]) -> None:
        """Step a strategy, unless one has failed."""
        if not self.failure:
            self.tell(call)

    def tell(self, call: Callable[..., None], *given: Any) -> None:
        """Call a strategy, and note its fault; faults of our own go on as they are."""
        try:
            call(*given)
        except TolaError:
            raise
        except (Exception, SystemExit) as failure:  # whatever a strategy raises
            self.failure = self.failure or type(failure).__name__

    def of(self, kind: type[Any]) -> type[Any]:
        """Return a strategy's class that steps under this."""
        halt = self

        class Halting(kind):  # type: ignore[misc]
            only_forwards = True  # what the strategy declares of its `next` holds for this one

            def prenext(self) -> None:
                halt.step(super().prenext)

            def nextstart(self) -> None:
                halt.step(super().nextstart)

            def next(self) -> None:
                halt.step(super().next)

            def notify_order(self, order: Any) -> None:
                halt.tell(super().notify_order, order)

            def notify_trade(self, trade: Any) -> None:
                halt.tell(super().notify_trade, trade)

        Halting.__name__ = Halting.__qualname__ = kind.__name__
        return Halting
