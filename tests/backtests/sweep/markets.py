"""Made-up markets with what trips fill rules: gaps, touches, equal highs, empty ranges, holes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from core.bars import BAR, Series
from core.calendar import get_calendar
from core.instruments import Instrument
from core.zones import NS_PER_MINUTE


@dataclass(frozen=True)
class Recipe:
    """How a market is made; shares are of bars.

    gaps : that open far from the last close. flats : with one price only. equals : that repeat the
    last high or low. holes : that are missing. coarseness : ticks a price is a multiple of.
    days : trading days. drift : of each step, in units of its deviation.
    """

    seed: int
    gaps: float = 0.02
    flats: float = 0.02
    equals: float = 0.1
    holes: float = 0.03
    coarseness: int = 1
    days: int = 6
    drift: float = 0.0


def make_market(recipe: Recipe, instrument: Instrument, minutes: int, first: date) -> Series:
    """Return annotated bars of an instrument's own sessions."""
    draw = np.random.default_rng(recipe.seed)
    calendar = get_calendar(instrument.calendar)
    sessions = calendar.sessions(first, first + timedelta(days=2 * recipe.days + 6))
    sessions = sessions[: recipe.days]
    step = minutes * NS_PER_MINUTE
    starts = calendar.expected_starts(sessions[0].open, sessions[-1].close - 1, step)
    starts = starts[draw.random(len(starts)) >= recipe.holes]
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    for name, values in _prices(recipe, draw, len(starts), instrument, starts).items():
        bars[name] = values
    calendar.annotate(bars, step)
    return Series(instrument.symbol, step, bars)


def _prices(
    recipe: Recipe, draw: Any, count: int, instrument: Instrument, starts: Any
) -> dict[str, Any]:
    facts = instrument.facts(int(starts[0] // (86_400 * 10**9)))
    unit = facts.tick * recipe.coarseness
    level = 2000.0 if facts.tick >= 0.01 else 1.0
    if instrument.calendar == "NSE":
        level = 17_000.0
    scale = level * draw.choice((0.0002, 0.0005, 0.0015), count)[:, None]
    moves = scale * (draw.standard_normal((count, 9)) + recipe.drift)
    moves[draw.random(count) < recipe.gaps, 0] *= 20.0
    walked = np.maximum(level + np.cumsum(moves.ravel()), 0.3 * level)
    path = np.round(walked / unit).reshape(count, 9) * unit
    flat = draw.random(count) < recipe.flats
    path[flat] = path[flat, :1]
    high, low = path.max(axis=1), path.min(axis=1)
    for i in np.flatnonzero(draw.random(count) < recipe.equals):
        # The bar reaches exactly what the last one reached, where that lies beyond its body.
        if i and high[i - 1] >= max(path[i, 0], path[i, -1]):
            high[i] = high[i - 1]
        if i and low[i - 1] <= min(path[i, 0], path[i, -1]):
            low[i] = low[i - 1]
    return {
        "open": np.round(path[:, 0], 6),
        "high": np.round(high, 6),
        "low": np.round(low, 6),
        "close": np.round(path[:, -1], 6),
        "volume": draw.integers(0, 400, count).astype(float),
    }
