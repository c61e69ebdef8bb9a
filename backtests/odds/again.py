"""A plan run again, compiled: under an account's own rules, and on prices a little moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backtests.odds.sample import Sample, sample_of
from backtests.odds.source import without_losses
from backtests.request import BacktestRequest
from backtests.sweep import Prepared, prepare, run
from core.errors import DataError
from risk.settings import RiskSettings

Array = np.ndarray[Any, np.dtype[Any]]

NOISE = 0.1
"""Standard deviation of a moved price, as a share of the bars' usual range."""
RANGE_BARS = 20


def sample_under(request: BacktestRequest, settings: RiskSettings) -> Sample | None:
    """Return the trades a plan makes under an account's rules of time and size.

    Its losses are not limited there: that is played over the paths. None where too few are left.
    """
    account, plan = request.accounts[0], request.plans[0]
    limits = without_losses(settings)
    named = replace(plan, plan=replace(plan.plan, risk=settings.name or "given"))
    asked = replace(account, plans=(named,), limits=(limits,))
    prepared = prepare(replace(request, accounts=(asked,)))
    market = prepared.market
    trades = run(prepared, [{}], keep_trades=True).trades(0)
    try:
        return sample_of(
            trades, market.bars, market.instrument, market.fx, market.cash, prepared.currency,
            by_share=True,
        )  # fmt: skip
    except DataError:
        return None


def perturbed_runs(
    request: BacktestRequest, count: int, seed: int, tell: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Yield the figures of a plan on perturbed prices, one run after the other.

    tell : called with the number of runs done.
    """
    prepared = prepare(request)
    generator = np.random.default_rng(seed)
    for place in range(count):
        bars = perturbed(prepared.market.bars, _tick(prepared), generator)
        market = replace(prepared.market, bars=bars, lower=bars)
        yield run(replace(prepared, market=market), [{}]).figures(0)
        tell(place + 1)


def _tick(prepared: Prepared) -> float:
    return float(prepared.market.tick_of(int(prepared.market.days[-1])))


def perturbed(bars: Array, tick: float, generator: np.random.Generator) -> Array:
    """Return bars whose open, high, low and close are each moved by a little, at random.

    Each price moves by a normal draw with NOISE times the median range of the RANGE_BARS bars
    before as its standard deviation, to a whole tick; high and low then hold open and close.
    Times, volume and spread stay, and so do the prices of further series.
    """
    moved = bars.copy()
    ranges = bars["high"] - bars["low"]
    usual = np.empty(len(bars))
    windows = np.lib.stride_tricks.sliding_window_view(ranges, min(RANGE_BARS, len(bars)))
    medians = np.median(windows, axis=1)
    usual[: len(bars) - len(medians) + 1] = medians[0]
    usual[len(bars) - len(medians) :] = medians
    for name in ("open", "high", "low", "close"):
        price = bars[name] + generator.standard_normal(len(bars)) * NOISE * usual
        moved[name] = np.maximum(np.round(price / tick), 1.0) * tick
    edges = [moved[name] for name in ("open", "high", "low", "close")]
    moved["high"], moved["low"] = np.max(edges, axis=0), np.min(edges, axis=0)
    return moved
