"""Compiled functions are read (or compiled) at their first call: here, before a session begins.

Else the first fill of a session would wait for them, and its stop with it: 50 ms where they are in
the cache, seconds where they are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from core.calendar import Calendar
from core.events import Execution
from core.matching.book import order_price
from core.matching.mirror import mirror_fill, mirror_mark
from core.orders import OrderKind, Role, Side
from core.ticks import TICK, TRADE
from feeds.bar_builder import BarBuilder

_PRICE = 100.0


def warm_feed(calendar: Calendar, timeframe_ns: int) -> None:
    """Build a bar of made-up ticks and forget it."""
    ticks = np.zeros(2, TICK)
    ticks["ts_event"], ticks["price"], ticks["flags"] = calendar.opens[0], _PRICE, TRADE
    builder = BarBuilder(calendar, timeframe_ns)
    builder.take(ticks[:1])
    builder.take(ticks)


def warm_broker(plans: Iterable[Any]) -> None:
    """Price, charge and book a made-up order of each plan, on copies of its books."""
    for plan in plans:
        fill = Execution("", "", plan.symbol, Side.BUY, plan.step, _PRICE)
        plan.charge(fill)
        plan.charges(fill)
        market, books = plan.book.market.copy(), plan.book.books.copy()
        mirror_fill(1, 1, _PRICE, 0.0, market, books)
        mirror_mark(_PRICE, 0.0, market, books)
        order_price(_PRICE, OrderKind.LIMIT, Role.ENTRY, Side.BUY, plan.facts.tick)
