"""Strategies whose steps are done otherwise: a bar late, or watched line by line at one bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

Step = Callable[[], None]


def stepping(kind: type[Any], around: Callable[[Any, str, Step], None]) -> type[Any]:
    """Return a strategy class whose `prenext`, `nextstart` and `next` go through `around`.

    Parameters
    ----------
    around : callable(strategy, name, step)
        Called once a step with the method's name and what does it. What a step calls in turn is
        part of it.
    """

    class Stepping(kind):  # type: ignore[misc]
        _inside_step = False

        def _through(self, name: str, step: Step) -> None:
            if self._inside_step:
                step()
                return
            self._inside_step = True
            try:
                around(self, name, step)
            finally:
                self._inside_step = False

        def prenext(self) -> None:
            self._through("prenext", super().prenext)

        def nextstart(self) -> None:
            self._through("nextstart", super().nextstart)

        def next(self) -> None:
            self._through("next", super().next)

    Stepping.__name__ = Stepping.__qualname__ = kind.__name__
    Stepping.__module__ = kind.__module__
    return Stepping


def one_bar_late(kind: type[Any]) -> type[Any]:
    """Return the strategy made to decide on each bar what it would have decided a bar before.

    At every step all its lines stand a bar back, so that its orders work a bar later; position
    and money are those of now.
    """

    def around(strategy: Any, name: str, step: Step) -> None:
        if len(strategy.data0) < 2:
            return
        was_late = strategy.__dict__.get("_step_before")
        strategy.__dict__["_step_before"] = name
        lines = _all_lines(strategy)
        for line in lines:
            line.rewind(1)
        try:
            _step_of(strategy, was_late or "prenext", kind)()
        finally:
            for line in lines:
                line.advance(1)

    return stepping(kind, around)


def _step_of(strategy: Any, name: str, kind: type[Any]) -> Step:
    method = getattr(kind, name)
    return lambda: method(strategy)


def _all_lines(strategy: Any) -> list[Any]:
    """Return every line that moves with a strategy: its own, its indicators', its feeds'."""
    known: list[Any] | None = strategy.__dict__.get("_lines_to_move")
    if known is None:
        found: dict[int, Any] = {}
        indicators = strategy._lineiterators[bt.LineIterator.IndType]
        for holder in (strategy, *strategy.datas, *indicators):
            is_line = isinstance(holder, bt.linebuffer.LineBuffer)
            found |= {id(line): line for line in ([holder] if is_line else holder.lines)}
        known = strategy.__dict__["_lines_to_move"] = list(found.values())
    return known
