"""Where two runs of one strategy part: readings, attributes, setups, decisions, trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.audit.watching import Decision, Observed

Array = np.ndarray[Any, np.dtype[Any]]

TOLERANCE = 1e-9
"""Relative; bar by bar and over arrays Backtrader's own indicators add in another order."""


@dataclass(frozen=True)
class Parting:
    """One thing that is not the same. bar : the first. bars : how many. one, other : its values."""

    name: str
    bar: int
    bars: int
    one: Any = None
    other: Any = None


def differs(one: Array, other: Array, tolerance: float = TOLERANCE) -> Array:
    """Return where two columns of one length hold other values; NaN equals NaN."""
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= tolerance * (1.0 + np.abs(one))
    same = near | (one == other) | (np.isnan(one) & np.isnan(other))
    found: Array = ~same
    return found


def readings(
    one: Mapping[str, Array], other: Mapping[str, Array], first: int = 0, stop: int | None = None
) -> list[Parting]:
    """Return the readings that differ over bars first .. stop - 1 that both have."""
    found = []
    for name, column in one.items():
        told = other.get(name)
        if told is None:
            continue
        last = min(len(column), len(told), len(column) if stop is None else stop)
        places = np.flatnonzero(differs(column[first:last], told[first:last])) + first
        if len(places):
            at = int(places[0])
            found.append(Parting(name, at, len(places), float(column[at]), float(told[at])))
    return found


def attributes(one: Observed, other: Observed, stop: int) -> list[Parting]:
    """Return the plain attributes that differ at a bar before `stop`."""
    found = []
    for name in one.changes.keys() | other.changes.keys():
        mine, theirs = dict(one.changes.get(name, ())), dict(other.changes.get(name, ()))
        value = told = None
        for bar in sorted(bar for bar in mine.keys() | theirs.keys() if bar < stop):
            value, told = mine.get(bar, value), theirs.get(bar, told)
            if not _same(value, told):
                found.append(Parting(f"self.{name}", bar, 0, value, told))
                break
    return sorted(found, key=lambda item: (item.bar, item.name))


def decisions(one: Observed, other: Observed, stop: int) -> Parting | None:
    """Return the first decision before bar `stop` that only one of the runs made."""
    mine = [item for item in one.decisions if item.bar < stop]
    theirs = [item for item in other.decisions if item.bar < stop]
    for a, b in zip(mine, theirs, strict=False):
        if not _same_decision(a, b):
            first = min(a.bar, b.bar)
            return Parting("decision", first, 0, _at(a, first), _at(b, first))
    if len(mine) != len(theirs):
        extra = max(mine, theirs, key=len)[min(len(mine), len(theirs))]
        one_has = len(mine) > len(theirs)
        return Parting("decision", extra.bar, 0, *((extra, None) if one_has else (None, extra)))
    return None


def _at(decision: Decision, bar: int) -> Decision | None:
    return decision if decision.bar == bar else None


def _same_decision(one: Decision, other: Decision) -> bool:
    return (
        (one.bar, one.what) == (other.bar, other.what)
        and len(one.terms) == len(other.terms)
        and all(map(_same, one.terms, other.terms))
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return not bool(differs(np.array([one]), np.array([float(other)]))[0])
    return bool(one == other)


def setups(one: Observed, other: Observed, stop: int) -> Parting | None:
    """Return the first setup of a machine before bar `stop` that is not the same."""
    mine = [item for item in one.setups if item[0] < stop]
    theirs = [item for item in other.setups if item[0] < stop]
    for a, b in zip(mine, theirs, strict=False):
        if a != b:
            return Parting("setup", min(a[0], b[0]), 0)
    if len(mine) != len(theirs):
        extra = max(mine, theirs, key=len)[min(len(mine), len(theirs))]
        return Parting("setup", extra[0], 0)
    return None


def trades(
    whole: Sequence[Mapping[str, Any]], cut: Sequence[Mapping[str, Any]], last_start: str
) -> str:
    """Return the entry bar of the first trade that a cut file changes, "" if none.

    last_start : START of the last bar of the cut file, ISO 8601. A trade of the whole file that
    ended by then must be there and the same.
    """
    closed = [row for row in whole if row["exit_bar"] <= last_start]
    for one, other in zip(closed, cut, strict=False):
        if one != other:
            return str(min(one["entry_bar"], other["entry_bar"]))
    if len(closed) != len(cut):
        return str(max(closed, cut, key=len)[min(len(closed), len(cut))]["entry_bar"])
    return ""
