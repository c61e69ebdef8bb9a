"""Several books on one account: what the others are worth while one is walked.

Bars of different instruments say nothing about the order in which their prices came, so the test
is the sum of adverse extremes: while one book's bar is walked, each other book counts at the worst
price of its own bar of that moment. Books on the same instrument and bar move with the price
walked; a book without a bar at that moment counts at its last mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtests.fills.plan_book import PlanBook
from core.matching.book import Array
from core.matching.floors import breach_reason
from core.matching.joint import close_at
from core.matching.prices_at import open_pnl


def _shares_bar(one: PlanBook, other: PlanBook) -> bool:
    same = one.symbol == other.symbol
    return same and one.bar.start == other.bar.start and one.bar.end == other.bar.end


def _adverse(plan: PlanBook) -> float:
    return float(plan.bar.low if plan.book.steps > 0 else plan.bar.high)


def see_others(plan: PlanBook, plans: Sequence[PlanBook], now: Sequence[PlanBook]) -> bool:
    """Tell a book what the account's other books are worth on the bar about to be walked.

    Return whether that is an assumption: another instrument counts at its adverse extreme.
    """
    constant = slope = margin = 0.0
    assumed = False
    for other in plans:
        if other is plan or other.book.steps == 0:
            continue
        state = other.book.state
        margin += state.margin
        if other not in now:
            constant += state.open_pnl
        elif _shares_bar(plan, other):
            here = open_pnl(plan.bar.open, other.book.market[0], state)
            each = other.book.steps * other.book.market[0].step_value
            slope += each
            constant += here - each * plan.bar.open
        else:
            constant += open_pnl(_adverse(other), other.book.market[0], state)
            assumed = True
    state = plan.book.state
    state.other_open, state.other_slope, state.other_margin = constant, slope, margin
    return assumed


def close_others(plan: PlanBook, other: PlanBook, now: Sequence[PlanBook], limits: Any) -> Array:
    """Close another book where `plan` met a floor and return what happened.

    It leaves at the same price where it shares the bar, else at its adverse extreme; without a
    bar at that moment at its next price.
    """
    reason = int(breach_reason(limits[0]))
    if other not in now:
        return other.book.flatten(reason).copy()
    price = float(limits[0].breach_price) if _shares_bar(plan, other) else _adverse(other)
    book = other.book
    close_at(price, reason, book.market, book.books, book.orders, book.limits, book.events)
    happened = book.events[0, : book.state.events].copy()
    happened["ambiguous"] = 1
    return happened
