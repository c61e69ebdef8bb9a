"""Entries with their stops and targets, five bars at a time.

The notation is explained in `matching_case`.
"""

from __future__ import annotations

import pytest

from tests.core.matching_case import LONG, QUIET, SHORT, TWO, Case, check, order, stop, target

BRACKETS = [
    Case(
        "entry_and_stop_in_one_bar",
        [QUIET, (100, 104, 97.5, 101), QUIET],
        [(0, order(1, "buy", 1, "limit", 99, children=(stop(2, 98), target(3, 105))))],
        ["1 #1 buy 1 at 99", "1 #2 sell 1 at 98", "1 #3 ends position_closed"],
        equity=999,
    ),
    Case(
        "entry_and_target_in_one_bar",
        [QUIET, (100, 103.5, 98.5, 103), QUIET],
        [(0, order(1, "buy", 1, "limit", 99, children=(stop(2, 98), target(3, 103))))],
        ["1 #1 buy 1 at 99", "1 #3 sell 1 at 103", "1 #2 ends position_closed"],
        equity=1004,
    ),
    Case(
        "a_high_before_the_entry_does_not_fill_the_target",
        [QUIET, (100, 103.5, 98.5, 99), QUIET],
        [(0, order(1, "buy", 1, "limit", 99, children=(stop(2, 98), target(3, 103))))],
        ["1 #1 buy 1 at 99"],
        equity=1001,
    ),
    Case(
        "short_bracket_mirrored",
        [QUIET, (100, 102.5, 99, 101), QUIET],
        [(0, order(1, "sell", 1, "limit", 101, children=(stop(2, 102), target(3, 97))))],
        ["1 #1 sell 1 at 101", "1 #2 buy 1 at 102", "1 #3 ends position_closed"],
        equity=999,
    ),
    Case(
        "a_stop_already_passed_fills_at_the_entrys_price",
        [QUIET, (102.5, 103, 101, 102), QUIET],
        [(0, SHORT)],
        ["1 #1 sell 1 at 102.5", "1 #2 buy 1 at 102.5", "1 #3 ends position_closed"],
        equity=1000,
    ),
    Case(
        "a_target_already_passed_fills_at_the_entrys_price",
        [QUIET, (110, 111, 109, 110), QUIET],
        [(0, order(1, "buy", 1, "stop", 102, children=(stop(2, 98), target(3, 108))))],
        ["1 #1 buy 1 at 110", "1 #3 sell 1 at 110", "1 #2 ends position_closed"],
        equity=1000,
    ),
    Case(
        "with_both_children_passed_the_stop_counts",
        [QUIET, QUIET, QUIET],
        [(0, order(1, "buy", 1, "market", children=(target(3, 99), stop(2, 101))))],
        ["1 #1 buy 1 at 100", "1 #2 sell 1 at 100", "1 #3 ends position_closed"],
        equity=1000,
    ),
    Case(
        "a_gap_through_the_stop_leaves_at_the_open",
        [QUIET, QUIET, (95, 96, 94, 95), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 95", "2 #3 ends position_closed"],
        equity=995,
    ),
    Case(
        "a_gap_through_the_target_leaves_at_the_open",
        [QUIET, QUIET, (105, 106, 104, 105), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #3 sell 1 at 105", "2 #2 ends position_closed"],
        equity=1005,
    ),
    Case(
        "the_stop_slips_and_the_target_does_not",
        [QUIET, QUIET, (100, 102, 99, 101), QUIET, (100, 101, 97, 98)],
        [(0, LONG), (2, order(4, "buy", 1, "market", children=(stop(5, 98),)))],
        [
            "1 #1 buy 1 at 100.1",
            "2 #3 sell 1 at 102",
            "2 #2 ends position_closed",
            "3 #4 buy 1 at 100.1",
            "4 #5 sell 1 at 97.9",
        ],
        market={"slippage_ticks": 1},
    ),
    Case(
        "the_stop_is_resized_when_a_leg_fills",
        [QUIET, QUIET, (100, 102.5, 100.5, 102), (102, 102, 99, 99), QUIET],
        [
            (
                0,
                order(
                    1,
                    "buy",
                    3,
                    "market",
                    children=(stop(2, 99.5, 3), target(3, 102, 1), target(4, 105, 2)),
                ),
            )
        ],
        [
            "1 #1 buy 3 at 100",
            "1 #2 sell 3 at 99.5",
            "1 #3 ends position_closed",
            "1 #4 ends position_closed",
        ],
    ),
    Case(
        "legs_then_the_stop_for_the_rest",
        [QUIET, (100, 101, 99.6, 100), (100, 102.5, 100, 102), (102, 102, 99, 99), QUIET],
        [
            (
                0,
                order(
                    1,
                    "buy",
                    3,
                    "market",
                    children=(stop(2, 99.5, 3), target(3, 102, 1), target(4, 105, 2)),
                ),
            )
        ],
        [
            "1 #1 buy 3 at 100",
            "2 #3 sell 1 at 102",
            "2 #2 now 2 at 99.5",
            "3 #2 sell 2 at 99.5",
            "3 #4 ends position_closed",
        ],
        equity=1000 + 2 - 1,
    ),
    Case(
        "half_off_and_the_stop_to_break_even_in_the_same_bar",
        [QUIET, QUIET, (100, 102.5, 99.9, 101), QUIET],
        [(0, TWO)],
        [
            "1 #1 buy 2 at 100",
            "2 #3 sell 1 at 102",
            "2 #2 now 2 at 100",
            "2 #2 now 1 at 100",
            "2 #2 sell 1 at 100 ?",
            "2 #4 ends position_closed",
        ],
        equity=1002,
    ),
    Case(
        "a_leg_never_moves_the_stop_to_more_risk",
        [QUIET, QUIET, (100, 102.5, 100, 102), (102, 102, 97, 97)],
        [
            (
                0,
                order(
                    1,
                    "buy",
                    2,
                    "market",
                    children=(stop(2, 98, 2), target(3, 102, stop_to=96), target(4, 106)),
                ),
            )
        ],
        [
            "1 #1 buy 2 at 100",
            "2 #3 sell 1 at 102",
            "2 #2 now 1 at 98",
            "3 #2 sell 1 at 98",
            "3 #4 ends position_closed",
        ],
    ),
    Case(
        "shares_below_one_leave_the_rest_to_the_stop",
        [QUIET, QUIET, (100, 102.5, 100, 102), (102, 102, 97, 97)],
        [(0, order(1, "buy", 2, "market", children=(stop(2, 98, 2), target(3, 102))))],
        ["1 #1 buy 2 at 100", "2 #3 sell 1 at 102", "2 #2 now 1 at 98", "3 #2 sell 1 at 98"],
        equity=1000,
    ),
    Case(
        "a_close_by_another_order_ends_the_children",
        [QUIET, QUIET, QUIET, (100, 103, 97, 100)],
        [(0, LONG), (1, order(9, "sell", 1, "market"))],
        [
            "1 #1 buy 1 at 100",
            "2 #9 sell 1 at 100",
            "2 #2 ends position_closed",
            "2 #3 ends position_closed",
        ],
    ),
    Case(
        "a_part_sold_by_another_order_shrinks_the_stop",
        [QUIET, QUIET, QUIET, (100, 100.5, 97, 98)],
        [(0, TWO), (1, order(9, "sell", 1, "market"))],
        [
            "1 #1 buy 2 at 100",
            "2 #9 sell 1 at 100",
            "2 #2 now 1 at 98",
            "3 #2 sell 1 at 98",
            "3 #3 ends position_closed",
            "3 #4 ends position_closed",
        ],
    ),
    Case(
        "a_part_sold_shrinks_the_older_bracket_first",
        [QUIET, QUIET, QUIET],
        [
            (0, order(1, "buy", 1, "market", children=(stop(2, 98),))),
            (0, order(3, "buy", 1, "market", children=(stop(4, 97),))),
            (1, order(9, "sell", 1, "market")),
        ],
        [
            "1 #1 buy 1 at 100",
            "1 #3 buy 1 at 100",
            "2 #9 sell 1 at 100",
            "2 #2 ends position_closed",
        ],
    ),
    Case(
        "one_cancels_the_other_at_once",
        [QUIET, (100, 103, 97, 100.5), QUIET],
        [(0, order(1, "buy", 1, "stop", 102)), (0, order(2, "sell", 1, "stop", 98, oco=1))],
        ["1 #1 buy 1 at 102 ?", "1 #2 ends oco"],
        terms={"intrabar": "nearest"},
    ),
    Case(
        "one_cancels_the_others_children_too",
        [QUIET, (100, 103, 99, 102), QUIET],
        [
            (0, order(1, "buy", 1, "stop", 102)),
            (0, order(2, "sell", 1, "stop", 98, oco=1, children=(stop(3, 101),))),
        ],
        ["1 #1 buy 1 at 102", "1 #2 ends oco", "1 #3 ends parent_ended"],
    ),
]


@pytest.mark.parametrize("case", BRACKETS, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    check(case)
