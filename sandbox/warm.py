"""What filling an order needs compiled is there before a server listens.

The first fill of a process would else keep its client waiting longer than an SDK does.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from core.bars import BAR, Series
from core.calendar import get_calendar
from core.orders import OrderKind, Side
from core.zones import NS_PER_MINUTE
from sandbox.account import Account, AccountTerms
from sandbox.board import Board
from sandbox.course import Course, Price, replayed
from sandbox.exchange import Exchange
from sandbox.faults import FaultPlan
from sandbox.orders import Contract, OrderTerms

_SYMBOL, _PRICE, _BARS = "NIFTY-FUT", 25000.0, 3
_FAR = 24000.0
_MORNING = int(np.datetime64("2024-09-04T03:45", "ns").astype(np.int64))
"""09:15 in Mumbai on a trading day."""


@cache
def warm() -> None:
    """Trade every kind of order on some made-up bars, once a process."""
    bars = np.zeros(_BARS, BAR)
    bars["start"] = _MORNING + np.arange(_BARS) * NS_PER_MINUTE
    bars["open"], bars["close"] = _PRICE, _PRICE + 1.0
    bars["high"], bars["low"] = _PRICE + 2.0, _PRICE - 2.0
    get_calendar("NSE").annotate(bars, NS_PER_MINUTE)
    course = Course([replayed(Series(_SYMBOL, NS_PER_MINUTE, bars))], _MORNING - 1)
    exchange = Exchange(course, Board(course, 0), FaultPlan())
    exchange.list_contracts([Contract(_SYMBOL, _SYMBOL)])
    exchange.open_account(Account("warm", AccountTerms(cash=1e15)))
    for step in course.steps():
        exchange.take(step)
        if isinstance(step, Price):
            _trade(exchange, step.price)
    for order in list(exchange.working.values()):
        exchange.cancel("warm", order.number)


def _trade(exchange: Exchange, price: float) -> None:
    """Buy and sell a lot by every kind of order, and leave one that no price reaches."""
    lot = exchange.facts(_SYMBOL).lot
    rests = OrderTerms(_SYMBOL, Side.BUY, lot, OrderKind.LIMIT, _FAR)
    exchange.place("warm", len(exchange.orders) + 1, rests)
    for kind in (OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT):
        at = None if kind is OrderKind.MARKET else price
        limit = price if kind is OrderKind.STOP_LIMIT else None
        for side in (Side.BUY, Side.SELL):
            terms = OrderTerms(_SYMBOL, side, lot, kind, at, limit)
            exchange.place("warm", len(exchange.orders) + 1, terms)
