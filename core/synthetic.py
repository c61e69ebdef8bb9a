"""Made-up prices that behave like a market's: for the bundled samples, the sandbox and tests.

They keep the market's sessions, cluster their volatility, follow its day (a quiet Asia, a loud
New York), jump between sessions, run through yesterday's extremes and as often turn there as go
on. They hold no edge by design and are never to be taken for real prices.

Only sums, products, quotients and square roots are used, and numpy's bit stream, which its
authors keep fixed: so a seed gives the same bars on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import floor, sqrt
from typing import Any

import numpy as np

from core.bars import BAR, FIRST_OF_DAY
from core.calendar import Calendar, get_calendar
from core.compile import kernel
from core.prices import steps_to_price
from core.zones import NS_PER_MINUTE

_Array = np.ndarray[Any, Any]

NOTE = "synthetic prices, not a market's"
"""Stands in every file and source made of these bars."""

_DRAWS = 20
"""Uniform numbers drawn for one bar: 12 make a normal one, the rest decide events and wicks."""
_DAYS_PER_YEAR = 252

_NEW_YORK_DAY = (
    *(0.75, 0.75, 0.95, 1.1, 1.0, 0.9, 0.9, 1.0, 1.6, 1.5, 1.5, 1.2),
    *(0.95, 0.95, 0.95, 0.8, 0.55, 0.5, 0.6, 0.75, 0.9, 0.9, 0.8, 0.75),
)
_NSE_DAY = (*((1.0,) * 9), 1.8, 1.1, 0.85, 0.75, 0.9, 1.05, 1.3, *((1.0,) * 8))


@dataclass(frozen=True)
class Recipe:
    """How one market's made-up prices behave.

    price : the first open. tick : price step. volatility : yearly, as a share of the price.
    gap_share : share of a day's variance that falls between sessions.
    volume : mean per minute. by_hour : loudness of each hour of the market's zone.
    """

    symbol: str
    calendar: str
    price: float
    tick: float
    volatility: float
    gap_share: float
    volume: float
    by_hour: tuple[float, ...]


GOLD = Recipe("XAUUSD", "CMEGlobex_GC", 2060.0, 0.01, 0.15, 0.04, 90.0, _NEW_YORK_DAY)
DOLLAR = Recipe("DXY", "ICE_DX", 102.4, 0.001, 0.065, 0.02, 12.0, _NEW_YORK_DAY)
NIFTY = Recipe("NIFTY-FUT", "NSE", 24150.0, 0.05, 0.13, 0.35, 900.0, _NSE_DAY)

_DOLLAR_TO_GOLD = -0.55
"""Correlation of a minute's dollar return with gold's."""


@kernel
def _normals(draws: _Array, out: _Array) -> None:
    """Write the sum of twelve uniform numbers less six: mean 0, variance 1, no libm."""
    for i in range(len(out)):
        total = -6.0
        for k in range(12):
            total += draws[i, k]
        out[i] = total


@kernel
def _impulse(push: float, left: int, draws: _Array, swept: int) -> tuple[float, int]:
    """Return the drift (in sigmas a minute) and the minutes it lasts after this bar.

    Runs start by chance, and at yesterday's extreme, where a coin decides between going on and
    turning back. Half of all runs are given back.
    """
    if left > 1:
        return push, left - 1
    if left == 1 and push != 0.0 and draws[12] < 0.5:
        return -0.7 * push, 8 + int(20.0 * draws[13])
    if swept != 0:
        side = 1.0 if draws[14] < 0.5 else -1.0
        return 0.35 * side, 6 + int(18.0 * draws[13])
    if draws[15] < 0.004:
        side = 1.0 if draws[14] < 0.5 else -1.0
        return 0.3 * side, 8 + int(25.0 * draws[13])
    return 0.0, 0


@kernel
def _walk(
    normals: _Array,
    draws: _Array,
    sigma: _Array,
    gap: float,
    price: float,
    tick: float,
    volume: float,
    bars: _Array,
    shocks: _Array,
) -> None:
    """Fill annotated bars with one path; write each bar's return in sigmas to `shocks`."""
    variance, mood = 1.0, 1.0
    push, left = 0.0, 0
    high_before, low_before = 1e300, -1e300
    day_high, day_low = price, price
    last = price
    for i in range(len(bars)):
        if bars[i]["flags"] & 8:
            mood = 0.6 + 0.8 * draws[i, 16]
            high_before, low_before = day_high, day_low
            last *= 1.0 + gap * mood * normals[i] if i > 0 else 1.0
            day_high, day_low = last, last
        swept = 1 if last > high_before or last < low_before else 0
        if swept:
            high_before, low_before = 1e300, -1e300
        push, left = _impulse(push, left, draws[i], swept)
        scale = sigma[i] * mood * sqrt(variance)
        shock = normals[i] + push
        close = last * (1.0 + scale * shock)
        wick = 0.6 * scale * last
        high = max(last, close) + wick * draws[i, 17]
        low = min(last, close) - wick * draws[i, 18]
        bars[i].open = steps_to_price(floor(last / tick + 0.5), tick)
        bars[i].close = steps_to_price(floor(close / tick + 0.5), tick)
        bars[i].high = steps_to_price(floor(high / tick + 0.5), tick)
        bars[i].low = steps_to_price(floor(low / tick + 0.5), tick)
        busy = (0.4 + abs(shock)) * (0.5 + draws[i, 19]) * mood
        bars[i].volume = 1.0 + floor(volume * busy)
        day_high, day_low = max(day_high, high), min(day_low, low)
        shocks[i] = shock
        variance = min(0.01 + 0.04 * normals[i] * normals[i] * variance + 0.95 * variance, 8.0)
        last = close


def generate(
    recipe: Recipe, first: date, last: date, seed: int, follow: Path | None = None
) -> Path:
    """Return one-minute bars of every session from `first` to `last`.

    Parameters
    ----------
    recipe : Recipe
        The market.
    first, last : date
        Trading dates, both included.
    seed : int
        Same seed, same bars.
    follow : Path, optional
        A path this one leans against, as the dollar does against gold.
    """
    calendar = get_calendar(recipe.calendar)
    bars = _minutes(calendar, first, last)
    draws = _uniforms(seed, len(bars))
    normals = np.zeros(len(bars))
    _normals(draws, normals)
    if follow is not None:
        _lean(bars, normals, follow)
    sigma, gap = _sigmas(recipe, bars)
    shocks = np.zeros(len(bars))
    _walk(normals, draws, sigma, gap, recipe.price, recipe.tick, recipe.volume, bars, shocks)
    return Path(recipe, calendar, bars, shocks)


@dataclass(frozen=True)
class Path:
    """A made-up path: one-minute BARs, annotated, and each bar's return in sigmas."""

    recipe: Recipe
    calendar: Calendar
    bars: _Array
    shocks: _Array


def _minutes(calendar: Calendar, first: date, last: date) -> _Array:
    """Return empty annotated bars, one for each minute of the sessions between two dates."""
    sessions = calendar.sessions(first, last)
    if not sessions:
        return np.zeros(0, BAR)
    begin, end = sessions[0].open, sessions[-1].close - 1
    starts = calendar.expected_starts(begin, end, NS_PER_MINUTE)
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    calendar.annotate(bars, NS_PER_MINUTE)
    return bars


def _uniforms(seed: int, rows: int) -> _Array:
    raw = np.random.PCG64(seed).random_raw(rows * _DRAWS // 2).astype("<u8")
    return (raw.view("<u4").astype(np.float64) * 2.0**-32).reshape(rows, _DRAWS)


def _lean(bars: _Array, normals: _Array, follow: Path) -> None:
    """Mix the other path's returns into the normals, minute by common minute."""
    starts = np.ascontiguousarray(bars["start"])
    others = np.ascontiguousarray(follow.bars["start"])
    place = np.minimum(np.searchsorted(others, starts), len(others) - 1)
    common = others[place] == starts
    own = sqrt(1.0 - _DOLLAR_TO_GOLD * _DOLLAR_TO_GOLD)
    mixed = _DOLLAR_TO_GOLD * follow.shocks[place] + own * normals
    normals[common] = mixed[common]


def _sigmas(recipe: Recipe, bars: _Array) -> tuple[_Array, float]:
    """Return each minute's volatility and that of the gap between sessions, as price shares."""
    loud = np.array(recipe.by_hour)[bars["minute"] // 60]
    days = max(int(np.count_nonzero(bars["flags"] & FIRST_OF_DAY)), 1)
    daily = recipe.volatility / sqrt(_DAYS_PER_YEAR)
    squares = float(np.cumsum(loud * loud)[-1]) if len(bars) else 1.0
    inside = daily * sqrt((1.0 - recipe.gap_share) * days / squares)
    return loud * inside, daily * sqrt(recipe.gap_share)
