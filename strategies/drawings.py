"""Zones and levels a report draws: from the bar at which each was known, to the bar it ended.

A file of years holds tens of thousands of gaps; drawn are those that lived near a setup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from core.compile import kernel
from strategies.machine import Machine, Records, run_machine
from strategies.words import PATTERNS

BEFORE_SETUP, AFTER_SETUP = 40, 60
"""A gap or block is drawn if it lived within so many bars before or after some setup."""
GAP_MAX_AGE = 100
"""Bars after which a gap is no longer drawn."""


@kernel
def _end_of_zone(
    bars: Any, known: int, side: int, top: float, bottom: float, is_gap: bool, max_age: int
) -> int:
    """Return the bar that filled a gap or broke a block, or ended its age; -1 if none did.

    A gap is filled by a touch of its far edge, a block broken by a price beyond it.
    """
    for t in range(known + 1, bars.shape[0]):
        if max_age > 0 and t - known > max_age:
            return t
        if side > 0:
            if bars[t].low < bottom or (is_gap and bars[t].low == bottom):
                return t
        elif bars[t].high > top or (is_gap and bars[t].high == top):
            return t
    return -1


def draw(bars: Records, machine: Machine, range_names: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the zones and levels to draw on a strategy's bars, oldest first.

    Parameters
    ----------
    bars : ndarray of BAR, shape (n,)
    machine : Machine
        In its fresh state; it is run over all bars.
    range_names : names of the high and the low of the ranges the machine completes.

    Returns
    -------
    list of dict
        `kind` (FVG, OB, a pattern's name, PDH, PDL or a range's name), `side` (+1, -1), `known`
        and `end` (bar indices; end -1: still open), `top`, `bottom`, `origin` (the bar the zone
        was taken from). A level has top == bottom.
    """
    outcome = run_machine(machine, bars, keep_born=True)
    assert outcome.born is not None
    near = _near_setups(len(bars), list(outcome.setups))
    zones = [
        *_born_zones(bars, outcome.born, near),
        *_setup_zones(bars, outcome.setups),
        *_ranges(outcome.born, range_names),
        *_days(bars),
    ]
    return sorted(zones, key=lambda zone: int(zone["known"]))


def _near_setups(count: int, indices: list[int]) -> np.ndarray[Any, Any]:
    """Return how many bars up to each bar lie near a setup (a running sum, one item longer)."""
    marks = np.zeros(count, np.int64)
    for index in indices:
        marks[max(index - BEFORE_SETUP, 0) : index + AFTER_SETUP] = 1
    return np.concatenate([[0], np.cumsum(marks)])


@kernel
def _drawn_zones(
    bars: Any, near: Any, sides: Any, tops: Any, bottoms: Any, is_gap: bool, max_age: int, ends: Any
) -> None:
    """Write where each bar's gap or block ended (as `_end_of_zone`), -2 if it is not drawn."""
    for known in range(bars.shape[0]):
        ends[known] = -2
        side = int(sides[known])
        if side == 0:
            continue
        end = _end_of_zone(bars, known, side, tops[known], bottoms[known], is_gap, max_age)
        last = bars.shape[0] if end < 0 else end + 1
        if near[last] > near[known]:
            ends[known] = end


def _born_zones(
    bars: Records, born: Records, near: np.ndarray[Any, Any]
) -> Iterator[dict[str, Any]]:
    ends = np.empty(len(bars), np.int64)
    for kind, name, max_age in (("FVG", "gap", GAP_MAX_AGE), ("OB", "block", 0)):
        side, top, bottom = (born[f"{name}_{field}"] for field in ("side", "top", "bottom"))
        _drawn_zones(bars, near, side, top, bottom, kind == "FVG", max_age, ends)
        known = np.flatnonzero(ends != -2)
        origins = known - 1 if kind == "FVG" else born["block_origin"][known]
        columns = (known, ends[known], side[known], top[known], bottom[known], origins)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            at, end, towards, above, below, origin = row
            yield _zone(kind, towards, at, end, above, below, origin)


def _setup_zones(bars: Records, setups: dict[int, Records]) -> Iterator[dict[str, Any]]:
    """Yield the zone each setup enters at, from the setup on."""
    for known, emitted in setups.items():
        for setup in emitted:
            if setup["zone_top"] == setup["zone_top"]:
                side, top, bottom = (
                    int(setup["direction"]),
                    setup["zone_top"],
                    setup["zone_bottom"],
                )
                end = _end_of_zone(bars, known, side, top, bottom, False, GAP_MAX_AGE)
                kind = PATTERNS[setup["pattern"]]
                yield _zone(kind, side, known, end, top, bottom, int(setup["origin"]))


def _ranges(born: Records, names: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """Yield each completed range's high and low, until the next one is completed."""
    known_at = np.flatnonzero(born["has_range"]).tolist()
    for known, end in zip(known_at, [*known_at, -1][1:], strict=True):
        for name, side, field in ((names[0], -1, "range_high"), (names[1], 1, "range_low")):
            price = born[known][field]
            yield _zone(name, side, known, end, price, price, -1)


def _days(bars: Records) -> Iterator[dict[str, Any]]:
    """Yield the previous day's high and low through each trading day."""
    firsts = np.flatnonzero(np.diff(bars["day"], prepend=bars["day"][:1] - 1)).tolist()
    bounds = zip(firsts, firsts[1:], [*firsts[2:], len(bars)], strict=False)
    for first, known, after in bounds:
        end = -1 if after == len(bars) else after - 1
        day = bars[first:known]
        high, low = int(day["high"].argmax()), int(day["low"].argmin())
        yield _zone("PDH", -1, known, end, day["high"][high], day["high"][high], first + high)
        yield _zone("PDL", 1, known, end, day["low"][low], day["low"][low], first + low)


def _zone(
    kind: str, side: int, known: int, end: int, top: float, bottom: float, origin: int
) -> dict[str, Any]:
    return {
        "kind": kind,
        "side": side,
        "known": known,
        "end": end,
        "top": float(top),
        "bottom": float(bottom),
        "origin": origin,
    }
