"""The arrays that compiled runs are handed, as records of them: one argument each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backtests.sweep.records import MAX_LEGS, RUN, STOCK
from core.bars import NEVER_NS
from core.matching.book import NO_MARKS
from core.matching.records import MARKET, new_book, new_events, new_orders
from core.ports import LIMITS, no_limits

Array = np.ndarray[Any, Any]

SLOTS = 2 * (MAX_LEGS + 4)
"""Orders that a bracket, its exit and what has just ended can hold."""


class Workspace(NamedTuple):
    """State of the engine, of one run, and room for a setup's legs: made once, used by every set.

    fresh, fresh_limits, fresh_run, fresh_stock : BOOK, LIMITS, RUN and STOCK before the first bar.
    parts : lot steps by leg; the last item holds the place
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


class Told(NamedTuple):
    """What runs write.

    trades : TRADE array, room for one set, or for all one after the other. counts : int64 (sets,),
    how many trades each made. fates : FATE array, shape (sets, setups), or one row that every set
    overwrites. day_equity : float64, shape (sets, days), or one row. summaries : SUMMARY by set.
    """

    trades: Array
    counts: Array
    fates: Array
    day_equity: Array
    summaries: Array


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
