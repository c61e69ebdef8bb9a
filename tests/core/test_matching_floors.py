"""Where the guard's floors are met inside a bar, five bars at a time.

The notation is explained in `matching_case`.
"""

from __future__ import annotations

import pytest

from tests.core.matching_case import QUIET, Case, check, open_book, order, play, stop

FLOORS = [
    Case(
        "the_daily_loss_is_met_inside_the_bar",
        [QUIET, QUIET, (100, 101, 97, 99), QUIET],
        [(0, order(1, "buy", 10, "market", children=(stop(2, 95, 10),)))],
        ["1 #1 buy 10 at 100", "2 #2 ends daily_loss", "2 #0 sell 10 at 98 daily_loss"],
        limits={"day_floor": 980},
        equity=980,
    ),
    Case(
        "its_price_is_rounded_to_the_worse_tick",
        [QUIET, QUIET, (100, 101, 97, 99), QUIET],
        [(0, order(1, "buy", 10, "market"))],
        ["1 #1 buy 10 at 100", "2 #0 sell 10 at 97.9 daily_loss"],
        limits={"day_floor": 979.5},
        equity=979,
    ),
    Case(
        "a_short_is_rounded_up_and_slips",
        [QUIET, QUIET, (100, 103, 99, 101), QUIET],
        [(0, order(1, "sell", 10, "market"))],
        ["1 #1 sell 10 at 99.8", "2 #0 buy 10 at 102.1 daily_loss"],
        limits={"day_floor": 979.5},
        market={"slippage_ticks": 2},
        equity=977,
    ),
    Case(
        "on_a_gap_it_leaves_at_the_new_price",
        [QUIET, QUIET, (97, 98, 96, 97), QUIET],
        [(0, order(1, "buy", 10, "market"))],
        ["1 #1 buy 10 at 100", "2 #0 sell 10 at 97 daily_loss"],
        limits={"day_floor": 980},
        equity=970,
    ),
    Case(
        "a_stop_on_the_way_comes_before_the_floor",
        [QUIET, QUIET, (100, 101, 97, 99), QUIET],
        [(0, order(1, "buy", 10, "market", children=(stop(2, 98.5, 10),)))],
        ["1 #1 buy 10 at 100", "2 #2 sell 10 at 98.5"],
        limits={"day_floor": 980},
        equity=985,
    ),
    Case(
        "a_stop_at_the_floors_own_price_comes_first_and_the_breach_still_locks",
        [QUIET, QUIET, (100, 101, 97, 99), (98, 99, 97, 98)],
        [
            (0, order(1, "buy", 10, "market", children=(stop(2, 98, 10),))),
            (1, order(9, "buy", 1, "limit", 97)),
        ],
        ["1 #1 buy 10 at 100", "2 #2 sell 10 at 98", "2 #9 ends daily_loss"],
        limits={"day_floor": 980},
        equity=980,
    ),
    Case(
        "realised_and_open_loss_count_together",
        [QUIET, QUIET, (99, 99.5, 98.5, 99), (99, 99.5, 97, 98)],
        [
            (0, order(1, "buy", 10, "market")),
            (1, order(2, "sell", 5, "market")),
        ],
        ["1 #1 buy 10 at 100", "2 #2 sell 5 at 99", "3 #0 sell 5 at 97 daily_loss"],
        limits={"day_floor": 980},
        equity=980,
    ),
    Case(
        "after_the_breach_the_lock_holds",
        [QUIET, QUIET, (100, 101, 97, 99), QUIET, QUIET],
        [(0, order(1, "buy", 10, "market")), (2, order(5, "buy", 1, "market"))],
        ["1 #1 buy 10 at 100", "2 #0 sell 10 at 98 daily_loss", "3 #5 ends locked"],
        limits={"day_floor": 980},
    ),
    Case(
        "locked_ends_working_entries_and_lets_exits_pass",
        [QUIET, QUIET, QUIET],
        [
            (0, order(1, "buy", 1, "limit", 99.5)),
            (0, order(2, "sell", 1, "market", reduces=True)),
        ],
        ["1 #1 ends locked", "1 #2 ends nothing_to_reduce"],
        limits={"locked": 1},
    ),
    Case(
        "the_trailing_floor_rises_along_the_path",
        # Open 100, long 10. High first: peak 1030, floor 1010, met at 101 on the way down.
        [QUIET, (100, 100, 100, 100), (100, 103, 99.5, 102), QUIET],
        [(0, order(1, "buy", 10, "market"))],
        ["1 #1 buy 10 at 100", "2 #0 sell 10 at 101 trailing_drawdown ?"],
        limits={
            "trail_floor": 980,
            "trail_amount": 20,
            "trail_peak": 1000,
            "trail_intraday": 1,
        },
        equity=1010,
    ),
    Case(
        "the_trailing_floor_stops_at_its_lock",
        [QUIET, (100, 100, 100, 100), (100, 110, 100, 110), (110, 110, 99, 99), QUIET],
        [(0, order(1, "buy", 10, "market"))],
        ["1 #1 buy 10 at 100", "3 #0 sell 10 at 100 trailing_drawdown"],
        limits={
            "trail_floor": 980,
            "trail_amount": 20,
            "trail_lock": 1000,
            "trail_peak": 1000,
            "trail_intraday": 1,
        },
        terms={"intrabar": "nearest"},
        equity=1000,
    ),
    Case(
        "the_nearer_floor_is_named",
        [QUIET, QUIET, (100, 101, 95, 96), QUIET],
        [(0, order(1, "buy", 10, "market"))],
        ["1 #1 buy 10 at 100", "2 #0 sell 10 at 98 daily_loss"],
        limits={"day_floor": 980, "trail_floor": 970},
    ),
    Case(
        "a_floor_is_met_between_a_short_and_the_ask",
        [QUIET, QUIET, (100, 102, 99.8, 101), QUIET],
        [(0, order(1, "sell", 10, "market"))],
        ["1 #1 sell 10 at 100", "2 #0 buy 10 at 102 daily_loss"],
        limits={"day_floor": 980},
        bars={"spread": 0.5},
    ),
]


@pytest.mark.parametrize("case", FLOORS, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    check(case)


def test_the_breach_is_written_for_the_guard() -> None:
    case = next(item for item in FLOORS if item.name == "its_price_is_rounded_to_the_worse_tick")
    book = open_book(case)

    play(case, book)

    floors = book.limits[0]
    assert (floors.breach, floors.locked) == (1, 1)
    assert floors.breach_equity == pytest.approx(979.5)
    assert floors.breach_price == pytest.approx(97.95)
