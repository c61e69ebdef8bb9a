"""What must hold for any bars and any orders."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.matching.book import Book
from core.matching.prices_at import side_price
from core.matching.records import FILL_EVENT, STOP, WORKING
from core.matching.tick import tick_begin, tick_finish, walk_tick
from tests.core.matching_case import bars_of, order, said
from tests.core.matching_scenario import BARS, Scenario, history, scenario

ROOT = Path(__file__).resolve().parents[2]
seeds = st.integers(0, 10**6)
many = settings(max_examples=150, deadline=None)


def stops_of_brackets(book: Book) -> list[tuple[int, int]]:
    """Return (open quantity, working stop quantity) of each bracket with something open."""
    slots = book.orders[0, : book.state.count]
    parents = slots[(slots["has_children"] == 1) & (slots["open_steps"] > 0)]
    found = []
    for parent in parents:
        mine = slots["parent"] == parent.order_id
        working = slots[mine & (slots["role"] == STOP) & (slots["status"] == WORKING)]
        found.append((int(parent.open_steps), int(working["quantity"].sum())))
    return found


@many
@given(seeds)
def test_a_bracket_always_has_a_stop_of_exactly_its_open_quantity(seed: int) -> None:
    made = scenario(seed)
    book = made.book()

    for i in range(BARS):
        book.walk(made.bars, i)
        brackets = stops_of_brackets(book)
        assert all(open_steps == stops for open_steps, stops in brackets)
        assert sum(open_steps for open_steps, _ in brackets) <= abs(book.steps)
        made.send(book, i)


@many
@given(seeds)
def test_equity_is_balance_and_open_pnl_and_balance_the_sum_of_fills(seed: int) -> None:
    made = scenario(seed)
    book = made.book()
    money, steps = 1000.0, 0

    for i in range(BARS):
        for event in book.walk(made.bars, i):
            money += event.pnl - event.costs
            if event.kind == FILL_EVENT:
                steps += int(event.side) * int(event.quantity)
        side = -1 if steps > 0 else 1
        leave = side_price(made.bars[i].close, side, book.market[0], book.books[0])
        open_pnl = steps * (leave - book.state.average)
        assert book.steps == steps
        assert book.balance == pytest.approx(money, abs=1e-9)
        assert book.equity == pytest.approx(money + open_pnl, abs=1e-9)
        made.send(book, i)


@many
@given(seeds)
def test_from_one_state_worst_is_not_above_nearest_nor_nearest_above_best(seed: int) -> None:
    made = scenario(seed)
    book = made.book()

    for i in range(BARS):
        ends = []
        for intrabar in (0, 2, 1):
            trial = copy.deepcopy(book)
            trial.market["intrabar"] = intrabar
            trial.walk(made.bars, i)
            ends.append(trial.equity)
        assert ends[0] <= ends[1] + 1e-6
        assert ends[1] <= ends[2] + 1e-6
        book.walk(made.bars, i)
        made.send(book, i)


def tick_by_tick(made: Scenario, book: Book, i: int) -> list[str]:
    """Replay a bar as ticks of its nearest path."""
    bar = made.bars[i]
    high_first = round(bar.high - bar.open, 6) <= round(bar.open - bar.low, 6)
    middle = (bar.high, bar.low) if high_first else (bar.low, bar.high)
    arrays = (book.market, book.books, book.orders, book.limits, book.events)
    told = []
    calls = [lambda: tick_begin(made.bars, i, *arrays)]
    for number, price in enumerate((bar.open, *middle, bar.close)):
        first = number == 0
        calls.append(
            lambda price=price, first=first: walk_tick(
                price, bar.spread, bar.volume, first, first, *arrays
            )
        )
    calls.append(lambda: tick_finish(made.bars, i, *arrays))
    for call in calls:
        told += [said(i, event) for event in book.events[0, : call()]]
    return told


@many
@given(seeds)
def test_a_bar_replayed_as_a_continuous_walk_of_ticks_gives_the_same_fills(seed: int) -> None:
    made = scenario(seed)
    walked, ticked = made.book(intrabar="nearest"), made.book(intrabar="nearest")

    for i in range(BARS):
        by_bar = [said(i, event).removesuffix(" ?") for event in walked.walk(made.bars, i)]
        by_tick = tick_by_tick(made, ticked, i)
        assert by_tick == by_bar
        assert ticked.equity == walked.equity
        made.send(walked, i)
        made.send(ticked, i)


@many
@given(seeds)
def test_a_bar_passed_quickly_is_marked_as_one_that_is_walked(seed: int) -> None:
    made = scenario(seed)
    quick, walked = made.book(), made.book()
    never = order(999, "buy", 1, "trail", 9999.0, trail_amount=5000.0)  # keeps every bar walked
    walked.add(never, day=-1)

    for i in range(BARS):
        first = [said(i, event) for event in quick.walk(made.bars, i)]
        second = [said(i, event) for event in walked.walk(made.bars, i)]
        assert [text for text in second if " #999 " not in text] == first
        assert walked.equity == quick.equity
        assert walked.state.adverse == quick.state.adverse
        assert walked.state.favourable == quick.state.favourable
        assert walked.limits[0] == quick.limits[0]
        made.send(quick, i)
        made.send(walked, i)


@many
@given(
    levels=st.lists(st.integers(950, 1050), min_size=2, max_size=6, unique=True),
    data=st.data(),
)
def test_orders_apart_fill_alike_in_whatever_order_they_were_sent(
    levels: list[int], data: st.DataObject
) -> None:
    bars = bars_of([(100, 100, 100, 100), (100, 103, 97, 101), (101, 104, 96, 100)])
    sent = [
        order(n + 1, "buy", 1, "limit" if level < 1000 else "stop", level / 10)
        for n, level in enumerate(levels)
    ]
    shuffled = data.draw(st.permutations(sent))

    results = []
    for orders in (sent, shuffled):
        book = Scenario(bars, {0: list(orders)}, {}, {}, {}).book()
        told = []
        for i in range(3):
            told += [said(i, event) for event in book.walk(bars, i)]
            if i == 0:
                for request in orders:
                    book.add(request, day=0)
        results.append((sorted(told), book.equity))

    assert results[0][0] == results[1][0]
    assert results[0][1] == pytest.approx(results[1][1], abs=1e-9)


@many
@given(seeds)
def test_no_fill_leaves_the_bar_but_by_slippage_and_a_ticks_rounding(seed: int) -> None:
    made = scenario(seed)
    book = made.book()
    room = made.market["slippage_ticks"] * 0.1 + 0.1 + 1e-9

    for i in range(BARS):
        bar = made.bars[i]
        for event in book.walk(made.bars, i):
            if event.kind == FILL_EVENT:
                spread = bar.spread if event.side > 0 else 0.0
                assert bar.low + spread - room <= event.price <= bar.high + spread + room
        made.send(book, i)


def test_compiled_and_uncompiled_engines_agree_to_the_last_bit(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "TOLA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.core.matching_scenario", "0", "40"]

    uncompiled = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    compiled = [" ".join(map(str, (seed, *row))) for seed in range(40) for row in history(seed)]
    assert uncompiled.stdout.splitlines() == compiled
    assert sum(" 1 " in line for line in compiled) > 100
