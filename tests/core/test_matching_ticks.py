"""A whole bar through its recorded ticks: the same as tick by tick, and as its nearest path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.matching.book import Book, market_record
from core.matching.records import FILL_EVENT
from core.matching.tick import tick_begin, tick_finish, walk_tick
from core.path_ticks import path_ticks
from core.ticks import OPENS_BAR, TICK, TRADE, Tape
from tests.core.matching_case import HOUR, bars_of, facts, order, said, stop, target
from tests.core.matching_scenario import BARS, Scenario, scenario

NAN = float("nan")
SECOND = 1_000_000_000
seeds = st.integers(0, 10**6)
many = settings(max_examples=150, deadline=None)


def ticks_of(
    prices: list[float],
    *,
    start: int = 0,
    flags: int = TRADE,
    spread: Any = NAN,
    volume: float = 10.0,
) -> np.ndarray[Any, Any]:
    """Return one tick a second."""
    ticks = np.zeros(len(prices), TICK)
    ticks["ts_event"] = start + SECOND * np.arange(len(prices))
    ticks["price"], ticks["volume"], ticks["spread"] = prices, volume, spread
    ticks["bid"] = ticks["ask"] = NAN
    ticks["flags"] = flags
    return ticks


def book_of(*, discrete: bool = True, capacity: int = 16, **market: Any) -> Book:
    terms = {"volume_share": market.pop("volume_share", None)}
    record = market_record(facts(**market), **terms)
    return Book(record, balance=1000.0, discrete=discrete, capacity=capacity)


def through(book: Book, prices: list[float], **given: Any) -> list[str]:
    """Play one bar through ticks; return what was said with the second it happened at."""
    bars = bars_of([(prices[0], max(prices), min(prices), prices[-1])], spread=given.pop("bid", 0))
    ticks = ticks_of(prices, **given)
    happened = book.walk_ticks(bars, 0, ticks, 0, len(ticks))
    return [said(int(event.ts_event) // SECOND, event) for event in happened if event.kind != 5]


# -- one bar -------------------------------------------------------------------------------------


def test_each_event_knows_the_time_of_its_tick() -> None:
    book = book_of()
    book.add(order(1, "buy", 1, "market", children=(stop(2, 98), target(3, 102))), day=0)

    told = through(book, [100, 101, 102.5, 97])

    assert told == ["0 #1 buy 1 at 100", "2 #3 sell 1 at 102.5", "2 #2 ends position_closed"]


def test_on_a_path_what_happens_at_the_open_has_the_time_of_the_bars_start() -> None:
    book = book_of(discrete=False)
    book.add(order(1, "buy", 1, "market", children=(target(2, 102),)), day=0)
    bars = bars_of([(100, 103, 100, 103)], start=HOUR)
    ticks = ticks_of([100, 103], start=HOUR + 7 * SECOND, flags=TRADE)
    ticks["flags"][0] |= OPENS_BAR

    fills = [event for event in book.walk_ticks(bars, 0, ticks, 0, 2) if event.kind == FILL_EVENT]

    assert [(int(e.at_open), int(e.ts_event) - HOUR) for e in fills] == [(1, 0), (0, 8 * SECOND)]


def test_a_tick_without_a_spread_leaves_the_one_in_force_at_first_the_bars() -> None:
    book = book_of()
    for number, price in enumerate((100.5, 101.4, 102.4), start=1):
        book.add(order(number, "buy", 1, "stop", price), day=0)

    told = through(book, [100, 101, 102], spread=[NAN, 0.4, NAN], bid=0.5)

    assert told == ["0 #1 buy 1 at 100.5", "1 #2 buy 1 at 101.4", "2 #3 buy 1 at 102.4"]


def test_a_floor_met_at_one_trade_closes_at_the_next_even_in_the_next_bar() -> None:
    book = book_of()
    book.limits["day_floor"] = 980
    book.add(order(1, "buy", 10, "market", children=(stop(2, 95, 10),)), day=0)

    first = through(book, [100, 98])
    second = through(book, [97.5, 97.4])

    assert first == ["0 #1 buy 10 at 100", "1 #2 ends daily_loss"]
    assert second == ["0 #0 sell 10 at 97.5 daily_loss"]


def test_a_stop_that_its_entrys_own_trade_has_passed_fills_at_the_next_one_wherever_it_is() -> None:
    book = book_of()
    book.add(order(1, "buy", 1, "limit", 100, children=(stop(2, 98), target(3, 105))), day=0)

    told = through(book, [101, 97, 99, 96])

    assert told == [
        "1 #1 buy 1 at 97",
        "2 #2 sell 1 at 99",
        "2 #3 ends position_closed",
    ]


def test_a_target_that_its_entrys_own_trade_has_passed_waits_for_one_that_reaches_it() -> None:
    book = book_of()
    book.add(order(1, "buy", 1, "stop", 100, children=(stop(2, 95), target(3, 102))), day=0)

    told = through(book, [99, 103, 101, 102.5])

    assert told == [
        "1 #1 buy 1 at 103",
        "3 #3 sell 1 at 102.5",
        "3 #2 ends position_closed",
    ]


@pytest.mark.parametrize("is_path", [False, True], ids=["a trade", "a path"])
def test_what_came_to_work_at_a_bars_last_trade_meets_the_next_bars_first_price(is_path) -> None:
    book = book_of()
    book.add(order(1, "buy", 1, "limit", 100, children=(stop(2, 98),)), day=0)

    first = through(book, [101, 97])
    if is_path:  # a bar that came from history has no trades
        book.books["discrete"][0] = 0
        later = bars_of([(99, 99.5, 98.5, 99)], start=HOUR)
        second = [said(0, event) for event in book.walk(later, 0) if event.kind != 5]
    else:
        second = through(book, [99, 96])

    assert first == ["1 #1 buy 1 at 97"]
    assert second == ["0 #2 sell 1 at 99"]


def test_the_event_list_grows_with_what_a_bar_of_many_ticks_brings() -> None:
    book = book_of(volume_share=0.1, capacity=2)
    book.add(order(1, "buy", 500, "limit", 100), day=0)

    told = through(book, [100.0] * 400)

    assert told == [f"{second} #1 buy 1 at 100" for second in range(400)]
    assert book.steps == 400
    assert book.slot(1).quantity == 100


def test_on_a_path_the_whole_bars_volume_bounds_what_may_fill() -> None:
    book = book_of(discrete=False, volume_share=0.03)
    book.add(order(1, "buy", 5, "market"), day=0)
    bars = bars_of([(100, 101, 99, 100)], volume=100.0)

    happened = book.walk_ticks(bars, 0, path_ticks(bars, 0.1), 0, 4)

    assert [said(0, event) for event in happened] == ["0 #1 buy 3 at 100"]


# -- for any bars, ticks and orders --------------------------------------------------------------


def random_ticks(made: Scenario, i: int, seed: int) -> np.ndarray[Any, Any]:
    """Return some ticks within a bar, the last at its close; a few tell a spread."""
    draw = np.random.default_rng((seed, i))
    bar, count = made.bars[i], int(draw.integers(1, 9))
    prices = np.round(draw.uniform(bar.low, bar.high, count), 1)
    prices[-1] = bar.close
    spreads = np.where(draw.random(count) < 0.3, draw.integers(0, 4, count) / 10, NAN)
    ticks = ticks_of(prices.tolist(), start=int(bar.start), spread=spreads, volume=60.0)
    ticks["flags"][0] |= OPENS_BAR if draw.random() < 0.8 else 0
    return ticks


def tick_by_tick(made: Scenario, book: Book, i: int, ticks: np.ndarray[Any, Any]) -> list[Any]:
    """Play a bar as a live session does; return the events without their times."""
    arrays = (book.market, book.books, book.orders, book.limits, book.events)
    told = rows(book.events[0, : tick_begin(made.bars, i, *arrays)])
    discrete = bool(book.state.discrete)
    for number, tick in enumerate(ticks):
        jumps = discrete or bool(tick["flags"] & OPENS_BAR)
        count = walk_tick(tick.price, tick.spread, tick.volume, jumps, number == 0, *arrays)
        told += rows(book.events[0, :count])
    return told + rows(book.events[0, : tick_finish(made.bars, i, *arrays)])


def rows(happened: Any) -> list[str]:
    """Return events to the last bit, without `ambiguous` and `ts_event`."""
    return [repr(event[:-2]) for event in happened.tolist()]


def same_state(one: Book, other: Book) -> bool:
    """Whether all that later bars depend on is equal to the last bit."""
    return state_of(one) == state_of(other)


def state_of(book: Book) -> str:
    """Return a book's state, orders and limits, floats in full."""
    names = [name for name in book.books.dtype.names if name not in ("events", "ambiguous")]
    state = [book.books[name].item(0) for name in names]
    return repr((state, book.working().tolist(), book.limits.tolist()))


@many
@given(seeds, st.booleans())
def test_a_bar_through_its_ticks_is_what_a_session_does_tick_by_tick(
    seed: int, discrete: bool
) -> None:
    made = scenario(seed)
    terms = {} if discrete else {"volume_share": None}  # a session cannot know a bar's volume
    at_once, live = made.book(**terms), made.book(**terms)
    at_once.books["discrete"] = live.books["discrete"] = discrete

    for i in range(BARS):
        ticks = random_ticks(made, i, seed)
        happened = at_once.walk_ticks(made.bars, i, ticks, 0, len(ticks))
        assert rows(happened) == tick_by_tick(made, live, i, ticks)
        assert same_state(at_once, live)
        made.send(at_once, i)
        made.send(live, i)


@many
@given(seeds)
def test_a_bar_through_the_ticks_of_its_path_is_the_bar_by_nearest(seed: int) -> None:
    made = scenario(seed)
    ticks = path_ticks(made.bars, 0.1)
    by_bar, by_tick = made.book(intrabar="nearest"), made.book(intrabar="ticks")

    for i in range(BARS):
        happened = by_tick.walk_ticks(made.bars, i, ticks, 4 * i, 4 * i + 4)
        assert rows(happened) == rows(by_bar.walk(made.bars, i))
        assert not happened["ambiguous"].any()
        assert same_state(by_tick, by_bar)
        made.send(by_bar, i)
        made.send(by_tick, i)


# -- the tape ------------------------------------------------------------------------------------


def test_a_tape_is_in_order_of_time_and_keeps_the_order_of_equal_times() -> None:
    ticks = ticks_of([1, 2, 3, 4])
    ticks["ts_event"] = [20, 10, 20, 10]

    tape = Tape(ticks, "trades")

    assert tape.ticks["price"].tolist() == [2, 4, 1, 3]
    assert ticks["price"].tolist() == [1, 2, 3, 4]


def test_a_bars_ticks_are_those_from_its_start_to_before_its_end() -> None:
    bars = bars_of([(1, 1, 1, 1)] * 3, step=10)
    ticks = ticks_of([1, 2, 3, 4])
    ticks["ts_event"] = [0, 9, 10, 30]

    assert Tape(ticks, "path").spans(bars).tolist() == [[0, 2], [2, 3], [3, 3]]


def test_quotes_are_no_prices() -> None:
    ticks = ticks_of([1, 2, 3])
    ticks["flags"] = [TRADE, 0, TRADE | OPENS_BAR]

    assert Tape(ticks, "path").of_trades().ticks["price"].tolist() == [1, 3]


def test_there_are_two_models_of_ticks() -> None:
    with pytest.raises(ValueError, match=r"model='quotes': expected path or trades"):
        Tape(ticks_of([1]), "quotes")  # type: ignore[arg-type]
