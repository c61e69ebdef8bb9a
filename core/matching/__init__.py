"""Fill rules, once, for backtest, paper, sandbox and sweep.

Pure compiled functions over records: `walk_bars` plays bars against a book of orders, `walk_tick`
one tick; `Book` is the same for Python callers. It knows prices, orders and money; it knows no
strategy, no broker and no file.
"""

from __future__ import annotations

from core.matching.bar import walk_bar, walk_bars
from core.matching.book import Book
from core.matching.records import BOOK, EVENT, INTRABAR, MARKET, ORDER, REASONS
from core.matching.tick import walk_tick

__all__ = [
    "BOOK",
    "EVENT",
    "INTRABAR",
    "MARKET",
    "ORDER",
    "REASONS",
    "Book",
    "walk_bar",
    "walk_bars",
    "walk_tick",
]
