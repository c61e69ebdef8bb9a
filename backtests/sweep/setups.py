"""A strategy's setups over a sweep's bars: run once for each set of structural settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from backtests.sweep.market import Market, stacked
from core.setups import SETUP
from strategies.machine import run_machine

Array = np.ndarray[Any, Any]


class Setups(NamedTuple):
    """What a machine emitted over the bars.

    at : row of each setup's bar, ascending, shape (k,). setups : SETUP array, shape (k,).
    facts : FACTS of every bar, shape (n,), but for the ATR, which is `atrs`.
    timed : how the guard's rules of time judge an entry there.
    rates, stale : account money per quote money at that bar's END; 1 where it is stale.
    """

    at: Array
    setups: Array
    facts: Array
    atrs: Array
    timed: Array
    rates: Array
    stale: Array


class SetupSource:
    """Finds a strategy's setups over a market, one structural set after another.

    Work that sets have in common is shared where the strategy knows how
    (`SetupStrategy.layers`) and the price step is the same on all days.
    """

    def __init__(self, strategy: Any, market: Market) -> None:
        self._strategy = strategy
        self._market = market
        ticks = {market.tick_of(int(day)) for day in market.days}
        self._layers = None
        if len(ticks) == 1:
            self._layers = strategy.layers(market.bars, market.further, ticks.pop())

    def find(self, values: Mapping[str, Any]) -> Setups:
        """Return the setups of a structural set; they hold until the next is asked for."""
        market = self._market
        if self._layers is not None:
            at, setups, facts, atrs = self._layers.find(values)
        else:
            at, setups, facts, atrs = run_whole(self._strategy, values, market)
        rates, stale = market.rates(at)
        return Setups(at, setups, facts, atrs, market.timed_refusals(at), rates, stale)


def run_whole(
    strategy: Any, values: Mapping[str, Any], market: Market
) -> tuple[Array, Array, Array, Array]:
    """Run a strategy's machine over the bars; return rows, setups, facts and ATRs."""
    machine = strategy.build_machine(values, market.tick_of(0))
    outcome = run_machine(machine, market.bars, market.further, market.tick_of)
    rows = [row for row, found in outcome.setups.items() for _ in range(len(found))]
    setups = stacked(list(outcome.setups.values()), SETUP)
    return np.array(rows, np.int64), setups, outcome.facts, outcome.facts["atr"].copy()
