"""One long series of contracts that follow one another, back-adjusted or as they traded.

A future's history is many contracts of some weeks. Joined as they are, the price jumps on each
roll day by what the two contracts differed, which no holder earned: the change inside each
contract is real, the jump is not. Adjusting takes the jump out of all that came before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np

from core.bars import Series, format_timeframe
from core.calendar import Calendar, day_date
from core.errors import DataError
from core.results import iso_time
from core.rolls import RollRule

_PRICES = ("open", "high", "low", "close")
_DECIMALS = 8
"""Sums of prices are rounded to so many places: finer is float dust."""
_Bars = np.ndarray[Any, Any]


class Adjustment(Enum):
    """What is done about the jump at a roll.

    NONE : nothing; prices are those that traded. DIFFERENCE : earlier prices are moved by it: point
    changes, and so money, are right. RATIO : earlier prices are scaled: percentages are right.
    """

    NONE = "none"
    DIFFERENCE = "difference"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class RollPoint:
    """Where two contracts were joined.

    day : first trading day of the new one. compared_at : END of the last bar both have before it
    (ISO 8601 UTC); "" for none. old_close, new_close : there. gap : new minus old.
    """

    day: str
    old: str
    new: str
    compared_at: str
    old_close: float | None
    new_close: float | None
    gap: float | None


def continuous(
    contracts: Sequence[tuple[Series, int]],
    rule: RollRule,
    adjustment: Adjustment,
    calendar: Calendar,
    symbol: str = "",
) -> Series:
    """Return contracts joined on their roll days.

    Parameters
    ----------
    contracts : sequence of (Series, int)
        Bars of each contract with its expiry as a trading-day number, in any order. All of one
        timeframe, annotated by the calendar.
    rule : RollRule
        When each is left for the next.
    adjustment : Adjustment
        The newest contract's prices stay as they are.
    symbol : str
        Of the result; the newest contract's by default.

    Returns
    -------
    Series
        `source` is the newest contract's with `files`, the origin of each, and `continuous`: the
        rule, the adjustment, and each roll with its day, both contracts and their difference.

    Raises
    ------
    DataError : nothing to join, timeframes differ, two expire together, a contract has no bars for
        its time, or two have no bar in common to adjust by.
    """
    ordered = _checked(contracts)
    firsts = [rule.first_day_of_next(expiry, calendar) for _, expiry in ordered[:-1]]
    pieces = _cut(ordered, firsts)
    rolls = [
        _roll(old, new, first)
        for ((old, _), (new, _)), first in zip(pairwise(ordered), firsts, strict=True)
    ]
    if adjustment is not Adjustment.NONE:
        _adjust(pieces, rolls, adjustment)
    bars = np.concatenate(pieces)
    newest = ordered[-1][0]
    facts = {
        "sessions_before": rule.sessions_before,
        "adjustment": adjustment.value,
        "contracts": [
            {"name": _name(series), "expiry": str(day_date(expiry)), "bars": len(piece)}
            for (series, expiry), piece in zip(ordered, pieces, strict=True)
        ],
        "rolls": [asdict(roll) for roll in rolls],
    }
    source = {
        **newest.source,
        "sha256": _digest(bars),
        "files": [series.source for series, _ in ordered],
        "continuous": facts,
    }
    return Series(symbol or newest.symbol, newest.timeframe_ns, bars, source)


def _checked(contracts: Sequence[tuple[Series, int]]) -> list[tuple[Series, int]]:
    """Return the contracts by expiry, or raise DataError."""
    if not contracts:
        raise DataError("no contract to join: give at least one")
    ordered = sorted(contracts, key=lambda item: item[1])
    step = ordered[-1][0].timeframe_ns
    for series, _ in ordered:
        if series.timeframe_ns != step:
            found, wanted = format_timeframe(series.timeframe_ns), format_timeframe(step)
            raise DataError(f"holds {found} bars, the newest {wanted}", file=_name(series))
    for (old, expiry), (new, other) in pairwise(ordered):
        if expiry == other:
            raise DataError(f"expires {day_date(expiry)} as {_name(old)} does", file=_name(new))
    return ordered


def _cut(ordered: Sequence[tuple[Series, int]], firsts: Sequence[int]) -> list[_Bars]:
    """Return the bars of each contract on the days on which it is the one traded."""
    pieces = []
    edges: list[int | None] = [None, *firsts, None]
    for (series, _), (begin, end) in zip(ordered, pairwise(edges), strict=True):
        day = series.bars["day"]
        inside = np.ones(len(day), bool)
        if begin is not None:
            inside &= day >= begin
        if end is not None:
            inside &= day < end
        if not inside.any():
            since = "the beginning" if begin is None else str(day_date(begin))
            until = "the end" if end is None else str(day_date(end - 1))
            raise DataError(f"has no bar from {since} to {until}", file=_name(series))
        pieces.append(series.bars[inside].copy())
    return pieces


def _roll(old: Series, new: Series, first: int) -> RollPoint:
    """Return how two contracts stood to each other at the last bar both have before the roll."""
    before = old.bars[old.bars["day"] < first]
    common, at_old, at_new = np.intersect1d(before["end"], new.bars["end"], return_indices=True)
    names = str(day_date(first)), _name(old), _name(new)
    if not len(common):
        return RollPoint(*names, "", None, None, None)
    one, other = float(before["close"][at_old[-1]]), float(new.bars["close"][at_new[-1]])
    gap = round(other - one, _DECIMALS)
    return RollPoint(*names, iso_time(int(common[-1])), one, other, gap)


def _adjust(pieces: Sequence[_Bars], rolls: Sequence[RollPoint], adjustment: Adjustment) -> None:
    """Take the jumps out of all pieces before them, the newest piece untouched."""
    shift, factor = 0.0, 1.0
    for piece, roll in zip(reversed(pieces[:-1]), reversed(rolls), strict=True):
        if roll.old_close is None or roll.new_close is None:
            raise DataError(
                f"no bar in common with {roll.old} before {roll.day}: load it from earlier on, "
                "or do not adjust",
                file=roll.new,
            )
        shift += roll.new_close - roll.old_close
        if adjustment is Adjustment.RATIO:
            if not (roll.old_close > 0.0 and roll.new_close > 0.0):
                raise DataError("a ratio needs prices above 0: adjust by difference", file=roll.new)
            factor *= roll.new_close / roll.old_close
            piece["spread"] *= factor
        for name in _PRICES:
            if adjustment is Adjustment.RATIO:
                piece[name] *= factor
            else:
                piece[name] = np.round(piece[name] + shift, _DECIMALS)
        lowest = float(piece["low"].min())
        if adjustment is Adjustment.DIFFERENCE and lowest <= 0.0 < lowest - shift:
            raise DataError(
                f"moved by {shift:g} its prices fall to {lowest:g}: adjust by ratio, or join less",
                file=roll.old,
            )


def _name(series: Series) -> str:
    return str(series.source.get("path", series.symbol))


def _digest(bars: _Bars) -> str:
    digest = hashlib.sha256()
    for name in ("start", *_PRICES, "volume"):
        digest.update(np.ascontiguousarray(bars[name]).tobytes())
    return digest.hexdigest()
