"""A strategy's setups over a sweep's bars: run once for each set of structural settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.sweep.market import Market
from core.setups import SETUP
from strategies.machine import run_machine

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Setups:
    """What a machine emitted over the bars.

    at : row of each setup's bar, ascending, shape (k,). setups : SETUP array, shape (k,).
    facts : FACTS of every bar, shape (n,).
    timed : how the guard's rules of time judge an entry there.
    rates, stale : account money per quote money at that bar's END; 1 where it is stale.
    """

    at: Array
    setups: Array
    facts: Array
    timed: Array
    rates: Array
    stale: Array


def run_setups(strategy: Any, values: Mapping[str, Any], market: Market) -> Setups:
    """Run a strategy's machine over the bars of a sweep."""
    tick = market.tick_of(0)
    machine = strategy.build_machine(values, tick)
    outcome = run_machine(machine, market.bars, market.further, market.tick_of)
    return gather(outcome.setups, outcome.facts, market)


def gather(emitted: Mapping[int, Array], facts: Array, market: Market) -> Setups:
    """Return setups by bar as arrays, with what else is known of their bars."""
    rows = [row for row, found in emitted.items() for _ in range(len(found))]
    at = np.array(rows, np.int64)
    setups = np.concatenate([np.zeros(0, SETUP), *emitted.values()])
    rates, stale = market.rates(at)
    return Setups(at, setups, facts, market.timed_refusals(at), rates, stale)
