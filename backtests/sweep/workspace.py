"""The scratch arrays of a process's compiled runs: made once, used by every parameter set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.sweep.records import MAX_LEGS, RUN, STOCK
from core.bars import NEVER_NS
from core.matching.book import NO_MARKS
from core.matching.records import MARKET, new_book, new_events, new_orders
from core.ports import LIMITS, no_limits

Array = np.ndarray[Any, Any]

SLOTS = 2 * (MAX_LEGS + 4)
"""Orders that a bracket, its exit and what has just ended can hold."""


@dataclass(frozen=True)
class Workspace:
    """State of the engine, of one run, and room for a setup's legs.

    fresh : the book before the first bar. parts : lot steps by leg; the last item holds the place
    of the setup at work.
    """

    fresh: Array
    books: Array
    fresh_limits: Array
    limits: Array
    orders: Array
    events: Array
    trials: Array
    market: Array
    fresh_run: Array
    runs: Array
    parts: Array
    prices: Array
    stops: Array
    marks: Array
    fresh_stock: Array
    stock: Array


def make_workspace(cash: float, margin: float) -> Workspace:
    """Return the arrays of runs that start with this cash.

    margin : money one unit binds by Backtrader's rules.
    """
    stock = np.zeros(1, STOCK)
    stock["cash"] = stock["value"] = cash
    stock["margin"], stock["flat_at"] = margin, NEVER_NS
    return Workspace(
        fresh=new_book(cash),
        books=new_book(cash),
        fresh_limits=no_limits(),
        limits=no_limits(),
        orders=new_orders(SLOTS),
        events=new_events(SLOTS),
        trials=np.zeros(3, LIMITS),
        market=np.zeros(1, MARKET),
        fresh_run=np.zeros(1, RUN),
        runs=np.zeros(1, RUN),
        parts=np.zeros(MAX_LEGS + 1, np.int64),
        prices=np.zeros(MAX_LEGS),
        stops=np.zeros(MAX_LEGS),
        marks=NO_MARKS.copy(),
        fresh_stock=stock,
        stock=np.zeros(1, STOCK),
    )
