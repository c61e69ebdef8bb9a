"""Ticks, finer bars, nights and the sides of the market: the fill rules outside the plain bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.costs import no_costs
from core.matching.book import Book, market_record
from core.matching.joint import close_at
from core.matching.records import DAILY_LOSS
from core.matching.tick import tick_begin, tick_finish, walk_tick
from core.ports import no_limits
from tests.core.matching_case import DAY_NS, HOUR, bars_of, facts, order, said, stop, target

QUIET = (100, 100.5, 99.5, 100)


def ticks(book: Book, prices: list[float], *, discrete: bool = True) -> list[str]:
    """Feed prices as ticks of one bar; return what was said with the tick's number."""
    bars = bars_of([(prices[0], max(prices), min(prices), prices[-1])])
    arrays = (book.market, book.books, book.orders, book.limits, book.events)
    told = [said(-1, event) for event in book.events[0, : tick_begin(bars, 0, *arrays)]]
    for number, price in enumerate(prices):
        first = number == 0
        count = walk_tick(price, 0.0, 10.0, discrete or first, first, *arrays)
        told += [said(number, event) for event in book.events[0, :count] if event.kind != 5]
    count = tick_finish(bars, 0, *arrays)
    return told + [said(len(prices), event) for event in book.events[0, :count]]


def new_book(discrete: bool = True, **limits: float) -> Book:
    floors = no_limits()
    for name, value in limits.items():
        floors[name] = value
    return Book(market_record(facts()), balance=1000.0, limits=floors, discrete=discrete)


def test_a_stop_fills_at_the_first_trade_at_or_beyond_it() -> None:
    book = new_book()
    book.add(order(1, "buy", 1, "stop", 102), day=0)

    told = ticks(book, [100, 101.9, 102.4, 103])

    assert told == ["2 #1 buy 1 at 102.4"]


def test_on_a_continuous_path_the_same_stop_fills_at_its_own_price() -> None:
    book = new_book(discrete=False)
    book.add(order(1, "buy", 1, "stop", 102), day=0)

    told = ticks(book, [100, 101.9, 102.4, 103], discrete=False)

    assert told == ["2 #1 buy 1 at 102"]


def test_a_limit_gets_the_better_trade_price() -> None:
    book = new_book()
    book.add(order(1, "buy", 1, "limit", 99), day=0)

    told = ticks(book, [100, 98.5, 99])

    assert told == ["1 #1 buy 1 at 98.5"]


def test_a_floor_met_at_one_trade_closes_at_the_next() -> None:
    book = new_book(day_floor=980)
    book.add(order(1, "buy", 10, "market", children=(stop(2, 95, 10),)), day=0)

    told = ticks(book, [100, 98.1, 97.8, 97.5, 97])

    assert told == [
        "0 #1 buy 10 at 100",
        "2 #2 ends daily_loss",
        "3 #0 sell 10 at 97.5 daily_loss",
    ]
    assert book.limits[0].breach_equity == pytest.approx(978)


def test_children_of_a_fill_on_a_trade_see_the_next_trades() -> None:
    book = new_book()
    children = (stop(2, 98), target(3, 101))
    book.add(order(1, "buy", 1, "market", children=children), day=0)

    told = ticks(book, [100, 101.2, 97])

    assert told == [
        "0 #1 buy 1 at 100",
        "1 #3 sell 1 at 101.2",
        "1 #2 ends position_closed",
    ]


def test_with_a_volume_share_each_trade_fills_its_part() -> None:
    market = market_record(facts(), volume_share=0.1)
    book = Book(market, balance=1000.0)
    book.add(order(1, "buy", 2, "limit", 100), day=0)

    told = ticks(book, [100, 99, 100])

    assert told == ["0 #1 buy 1 at 100", "1 #1 buy 1 at 99"]


# -- drill ---------------------------------------------------------------------------------------


def drilled(lower_rows: list[Any], **terms: Any) -> list[str]:
    """Play a long bracket (stop 98, target 102) into a 2-hour bar that touches both."""
    bars = bars_of([QUIET, (100, 102.5, 97.5, 100)], step=2 * HOUR)
    lower = bars_of(lower_rows, start=2 * HOUR, step=HOUR)
    book = Book(market_record(facts(), intrabar="drill", **terms), balance=1000.0)
    book.walk(bars, 0)
    book.add(order(1, "buy", 1, "market", children=(stop(2, 98), target(3, 102))), day=0)
    happened = book.drill(bars, 1, lower, 0, len(lower_rows))
    assert book.state.price == 100
    return [said(1, event) for event in happened if event.kind != 5]


def test_drill_takes_the_order_the_finer_bars_show() -> None:
    up_first = drilled([(100, 102.5, 99.9, 102), (102, 102, 97.5, 100)])
    down_first = drilled([(100, 100.2, 97.5, 98), (98, 102.5, 98, 100)])

    assert up_first == ["1 #1 buy 1 at 100", "1 #3 sell 1 at 102", "1 #2 ends position_closed"]
    assert down_first == ["1 #1 buy 1 at 100", "1 #2 sell 1 at 98", "1 #3 ends position_closed"]


def test_drill_walks_each_finer_bar_by_nearest_and_flags_what_stays_open() -> None:
    told = drilled([(100, 102.4, 97.5, 101), (101, 102.5, 100, 100)])

    assert told == ["1 #1 buy 1 at 100", "1 #3 sell 1 at 102 ?", "1 #2 ends position_closed"]


def test_drill_treats_the_step_between_finer_bars_as_a_gap() -> None:
    told = drilled([(100, 101, 99.9, 101), (97, 97.5, 97, 97.5)])

    assert told == ["1 #1 buy 1 at 100", "1 #2 sell 1 at 97", "1 #3 ends position_closed"]


def test_drill_without_finer_bars_walks_the_bar_by_nearest() -> None:
    told = drilled([])

    assert told == ["1 #1 buy 1 at 100", "1 #3 sell 1 at 102 ?", "1 #2 ends position_closed"]


# -- clocks --------------------------------------------------------------------------------------


def test_the_spread_of_16_59_new_york_stops_a_short_the_bid_never_reaches() -> None:
    first = pd.Timestamp("2024-03-12 16:57", tz="America/New_York").as_unit("ns").value
    rows = [(2160.0, 2160.3, 2159.8, 2160.1)] * 3
    bars = bars_of(rows, start=first, step=60 * 10**9, spread=[0.2, 0.2, 2.5])
    book = Book(market_record(facts(tick=0.01)), balance=1000.0)
    book.walk(bars, 0)
    book.add(order(1, "sell", 1, "market", children=(stop(2, 2162.0),)), day=int(bars[0].day))

    before = [said(1, event) for event in book.walk(bars, 1) if event.kind != 5]
    at_16_59 = [said(2, event) for event in book.walk(bars, 2)]

    assert before == ["1 #1 sell 1 at 2160"]
    assert at_16_59 == ["2 #2 buy 1 at 2162.5"]  # already beyond at the open: 2160.0 + 2.5


def test_swap_is_charged_for_the_nights_a_position_is_open() -> None:
    cost = no_costs()
    cost["swap_long"] = 7.0
    market = market_record(facts(cost=cost))
    book = Book(market, balance=1000.0)
    bars = bars_of([QUIET] * 4)
    book.add(order(1, "buy", 2, "market"), day=0)
    told = []

    for i, (before, inside) in enumerate([(1, 0), (0, 3), (1, 0), (0, 0)]):
        market["nights_before"], market["nights_inside"] = before, inside
        told += [said(i, event) for event in book.walk(bars, i)]
        if i == 2:
            book.add(order(2, "sell", 2, "market"), day=0)

    assert told == [
        "0 #1 buy 2 at 100",
        "1 #0 swap 42",
        "2 #0 swap 14",
        "3 #2 sell 2 at 100",
    ]
    assert book.balance == pytest.approx(1000 - 56)


def test_fills_inside_and_at_the_open_are_told_apart() -> None:
    bars = bars_of([QUIET, (100, 103, 99, 102)])
    book = Book(market_record(facts()), balance=1000.0)
    book.walk(bars, 0)
    book.add(order(1, "buy", 1, "market", children=(target(2, 102),)), day=0)

    happened = book.walk(bars, 1)

    assert [(int(e.order_id), int(e.at_open)) for e in happened if e.kind == 1] == [(1, 1), (2, 0)]


def test_excursions_follow_the_path_up_to_the_exit() -> None:
    bars = bars_of([QUIET, (100, 101, 99.2, 100), (100, 104, 99.5, 103)])
    book = Book(market_record(facts()), balance=1000.0)
    book.walk(bars, 0)
    book.add(order(1, "buy", 1, "market", children=(stop(2, 95), target(3, 103))), day=0)
    book.walk(bars, 1)

    (leaving,) = [event for event in book.walk(bars, 2) if event.kind == 1]

    assert leaving.adverse == pytest.approx(-0.8)
    assert leaving.favourable == pytest.approx(3.0)


# -- the book ------------------------------------------------------------------------------------


def test_a_book_grows_when_its_slots_run_out() -> None:
    book = Book(market_record(facts()), balance=1000.0, capacity=2)
    for number in range(1, 40):
        book.add(order(number, "buy", 1, "limit", 100 - number / 10), day=0)

    told = [said(0, event) for event in book.walk(bars_of([(100, 100, 96.1, 97)]), 0)]

    assert told == [f"0 #{n} buy 1 at {100 - n / 10:.10g}" for n in range(1, 40)]


def test_quantities_carry_no_float_dust() -> None:
    book = Book(market_record(facts(lot=0.01)), balance=1e6)
    for number in range(1, 11):
        book.add(order(number, "buy", 0.1, "market"), day=0)

    book.walk(bars_of([QUIET]), 0)

    assert book.steps == 100
    assert book.quantity == 1.0


def test_another_book_is_closed_at_a_given_price_rounded_to_the_worse_tick() -> None:
    market = market_record(facts(slippage_ticks=1))
    book = Book(market, balance=1000.0)
    bars = bars_of([QUIET])
    book.add(order(1, "sell", 2, "market", children=(stop(2, 105),)), day=0)
    book.walk(bars, 0)

    count = close_at(101.23, DAILY_LOSS, market, book.books, book.orders, book.limits, book.events)

    told = [said(0, event) for event in book.events[0, :count]]
    assert told == ["0 #2 ends daily_loss", "0 #0 buy 2 at 101.4 daily_loss"]
    assert (book.steps, int(book.state.count)) == (0, 0)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_margin_uses_fx_and_lot(share: float) -> None:
    market = market_record(facts(lot=0.5, margin_fixed=100.0, multiplier=10.0), fx=share)

    assert market[0].margin_fixed == 50 * share
    assert market[0].step_value == 5 * share


def test_the_days_of_a_day_only_order_are_trading_days_not_dates() -> None:
    bars = bars_of([QUIET, (97, 98, 96, 97)], start=DAY_NS - HOUR)
    bars["day"] = 0
    book = Book(market_record(facts()), balance=1000.0)
    book.walk(bars, 0)
    book.add(order(1, "buy", 1, "limit", 98, day_only=True), day=0)

    told = [said(1, event) for event in book.walk(bars, 1)]

    assert told == ["1 #1 buy 1 at 97"]
    assert np.isclose(book.equity, 1000.0)
