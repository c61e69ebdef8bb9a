"""Bars built of ticks against the venue's own: how far its stream is what its history says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

Bars = np.ndarray[Any, Any]

KEPT_BARS = 64
"""Bars that can still be compared: a venue is seldom so late."""
_KEPT_DIFFERENCES = 16
_WAITING = 8
"""Bars of the venue that came before ours was over."""
_PRICES = ("open", "high", "low", "close")
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """A bar (its START, ns UTC) that the venue counts otherwise, and what differs."""

    start: int
    text: str


@dataclass(slots=True)
class _Told:
    bar: Any
    is_built: bool
    is_compared: bool = False


class VenueCheck:
    """Remembers the last bars told and compares them once with the venue's.

    Attributes
    ----------
    compared, differing : bars compared, and of them those whose prices the venue contradicts.
    last : the last differences.
    """

    def __init__(self) -> None:
        self.compared = 0
        self.differing = 0
        self.last: deque[Difference] = deque(maxlen=_KEPT_DIFFERENCES)
        self._told: dict[int, _Told] = {}
        self._early: dict[int, Any] = {}

    def note(self, told: Bars, is_built: bool) -> None:
        """Remember bars that were told; compare those whose own bar of the venue came before."""
        for bar in told[-KEPT_BARS:]:
            self._told[int(bar["start"])] = _Told(bar.copy(), is_built)
        _bound(self._told, KEPT_BARS)
        for start in [start for start in self._early if start in self._told]:
            self.compare(self._early.pop(start))

    def compare(self, bar: Any) -> str:
        """Compare the venue's own bar with the one told; return what differs, "" for nothing."""
        bar = np.reshape(bar, -1)[0]
        start = int(bar["start"])
        told = self._told.get(start)
        if told is None:
            self._early[start] = bar.copy()
            _bound(self._early, _WAITING)
            return ""
        text = _differences(told.bar, bar)
        if told.is_built and not told.is_compared:
            told.is_compared = True
            self.compared += 1
            self.differing += bool(text)
            if text:
                self.last.append(Difference(start, text))
        return text

    def lacking(self, bars: Bars, since: int, until: int) -> None:
        """Count the venue's bars of a stretch built here in which nothing was built."""
        for bar in bars[(bars["start"] >= since) & (bars["end"] <= until)]:
            start = int(bar["start"])
            if start not in self._told:
                self._told[start] = _Told(bar.copy(), is_built=True, is_compared=True)
                self.compared += 1
                self.differing += 1
                self.last.append(Difference(start, "no bar here, one at the venue"))
        _bound(self._told, KEPT_BARS)


def _differences(ours: Any, venues: Any) -> str:
    words = [
        f"{name} {ours[name]:g} here, {venues[name]:g} at the venue"
        for name in _PRICES
        if abs(float(ours[name]) - float(venues[name])) > _SAME * abs(float(venues[name]))
    ]
    return ", ".join(words)


def _bound(kept: dict[int, Any], most: int) -> None:
    """Drop the oldest of what is kept in order of START."""
    while len(kept) > most:
        del kept[min(kept)]
