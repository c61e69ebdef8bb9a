"""Every rule of the fill model as a five-bar case worked out by hand.

Paths: a bar (O, H, L, C) is walked O-H-L-C or O-L-H-C. Tick 0.1, one unit of money a point and
lot, cash 1000, unless a case says otherwise. An order sent at bar n works from bar n+1.
"""

from __future__ import annotations

import pytest

from core.orders import OrderChange
from tests.core.matching_case import (
    DAY_NS,
    HOUR,
    Case,
    open_book,
    order,
    play,
    stop,
    target,
)

QUIET = (100, 100.5, 99.5, 100)
LONG = order(1, "buy", 1, "market", children=(stop(2, 98), target(3, 102)))
SHORT = order(1, "sell", 1, "market", children=(stop(2, 102), target(3, 98)))
TWO = order(
    1, "buy", 2, "market", children=(stop(2, 98, 2), target(3, 102, stop_to=100), target(4, 106))
)

ORDERS = [
    Case(
        "market_fills_at_the_next_open",
        [QUIET, (100.4, 101, 100, 100.8), QUIET],
        [(0, order(1, "buy", 2, "market"))],
        ["1 #1 buy 2 at 100.4"],
        equity=1000 + 2 * (100 - 100.4),
    ),
    Case(
        "market_pays_slippage_against_itself",
        [QUIET, (100.4, 101, 100, 100.8), (100.8, 101, 100, 100.5), QUIET],
        [(0, order(1, "buy", 1, "market")), (1, order(2, "sell", 1, "market"))],
        ["1 #1 buy 1 at 100.6", "2 #2 sell 1 at 100.6"],
        market={"slippage_ticks": 2},
    ),
    Case(
        "an_open_off_the_tick_fills_there",
        [QUIET, (100.437, 101, 100, 100.8), QUIET],
        [(0, order(1, "buy", 1, "market"))],
        ["1 #1 buy 1 at 100.437"],
    ),
    Case(
        "stop_fills_at_its_trigger",
        [QUIET, (100, 103, 99.5, 102.5), QUIET],
        [(0, order(1, "buy", 1, "stop", 102))],
        ["1 #1 buy 1 at 102"],
    ),
    Case(
        "stop_gapped_through_fills_at_the_open",
        [QUIET, (103, 104, 102, 103), QUIET],
        [(0, order(1, "buy", 1, "stop", 102))],
        ["1 #1 buy 1 at 103"],
    ),
    Case(
        "slippage_may_leave_the_bars_range",
        [QUIET, (100, 102, 99.5, 101), QUIET],
        [(0, order(1, "buy", 1, "stop", 102))],
        ["1 #1 buy 1 at 102.3"],
        market={"slippage_ticks": 3},
    ),
    Case(
        "limit_fills_at_a_touch",
        [QUIET, (100, 101, 99, 100), QUIET],
        [(0, order(1, "buy", 1, "limit", 99))],
        ["1 #1 buy 1 at 99"],
    ),
    Case(
        "limit_through_needs_a_price_beyond_it",
        [QUIET, (100, 101, 99, 100), (100, 101, 98.9, 100), QUIET],
        [(0, order(1, "buy", 1, "limit", 99))],
        ["2 #1 buy 1 at 99"],
        terms={"limit_fill": "through"},
    ),
    Case(
        "limit_through_does_not_fill_at_an_open_on_it",
        [QUIET, (99, 101, 99, 100), (98.8, 101, 98.8, 100)],
        [(0, order(1, "buy", 1, "limit", 99))],
        ["2 #1 buy 1 at 98.8"],
        terms={"limit_fill": "through"},
    ),
    Case(
        "limit_gapped_through_fills_better_at_the_open",
        [QUIET, (98, 99.5, 97, 99), QUIET],
        [(0, order(1, "buy", 1, "limit", 99))],
        ["1 #1 buy 1 at 98"],
    ),
    Case(
        "limit_beyond_the_market_fills_at_the_open",
        [QUIET, (100, 101, 99, 100.5), QUIET],
        [(0, order(1, "sell", 1, "limit", 95))],
        ["1 #1 sell 1 at 100"],
    ),
    Case(
        "limit_has_no_slippage",
        [QUIET, (100, 101, 98.5, 100), (97, 99, 96, 98)],
        [(0, order(1, "buy", 1, "limit", 99)), (0, order(2, "buy", 1, "limit", 98))],
        ["1 #1 buy 1 at 99", "2 #2 buy 1 at 97"],
        market={"slippage_ticks": 3},
    ),
    Case(
        "order_prices_go_to_the_tick",
        [QUIET, (100, 101.5, 98.5, 100), QUIET],
        [
            (0, order(1, "buy", 1, "limit", 99.08)),
            (0, order(2, "sell", 1, "limit", 101.02)),
            (0, order(3, "buy", 1, "stop", 101.31)),
            (0, order(4, "sell", 1, "stop", 98.69)),
        ],
        [
            "1 #2 sell 1 at 101.1",
            "1 #3 buy 1 at 101.4",
            "1 #1 buy 1 at 99",
            "1 #4 sell 1 at 98.6",
        ],
        terms={"intrabar": "nearest"},
    ),
    Case(
        "stop_limit_triggers_and_fills_at_once",
        [QUIET, (100, 103, 99.5, 102.5), QUIET],
        [(0, order(1, "buy", 1, "stop_limit", 102, limit_price=102.5))],
        ["1 #1 buy 1 at 102"],
        market={"slippage_ticks": 3},
    ),
    Case(
        "stop_limit_gapped_beyond_its_limit_waits_there",
        [QUIET, (104, 105, 103, 104), (104, 104, 102, 103), QUIET],
        [(0, order(1, "buy", 1, "stop_limit", 102, limit_price=102.5))],
        ["2 #1 buy 1 at 102.5"],
    ),
    Case(
        "stop_limit_with_the_limit_behind_its_trigger_fills_on_the_way_back",
        [QUIET, (100, 103, 99.9, 100.5), QUIET],
        [(0, order(1, "buy", 1, "stop_limit", 102, limit_price=101))],
        ["1 #1 buy 1 at 101"],
    ),
    Case(
        "stop_limit_falling_mirrored",
        [QUIET, (100, 100.2, 97, 99.5), QUIET],
        [(0, order(1, "sell", 1, "stop_limit", 98, limit_price=97.5))],
        ["1 #1 sell 1 at 98"],
    ),
    Case(
        "trailing_stop_follows_the_path_by_an_amount",
        [QUIET, (100, 100.5, 99, 100), (100, 104, 99.9, 103), (103, 103.5, 101.5, 102)],
        [(0, order(1, "buy", 1, "market", children=(stop(2, None, trail_amount=2),)))],
        ["1 #1 buy 1 at 100", "3 #2 sell 1 at 102"],
        terms={"intrabar": "best"},
    ),
    Case(
        "trailing_stop_hit_by_the_worse_path",
        [QUIET, (100, 100.5, 99, 100), (100, 104, 99.9, 103), QUIET],
        [(0, order(1, "buy", 1, "market", children=(stop(2, None, trail_amount=2),)))],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 102 ?"],
    ),
    Case(
        "trailing_stop_by_percent_rounds_away_from_the_market",
        [QUIET, (100, 100, 99.5, 100), (100, 103.3, 100, 103.3), (103, 103, 100, 101)],
        [(0, order(1, "buy", 1, "market", children=(stop(2, None, trail_percent=0.02),)))],
        ["1 #1 buy 1 at 100", "3 #2 sell 1 at 101.2"],
        terms={"intrabar": "nearest"},
    ),
    Case(
        "trailing_entry_buys_the_turn",
        [QUIET, (100, 100, 97, 97.5), (97.5, 99.5, 97.2, 99), QUIET],
        [(0, order(1, "buy", 1, "trail", trail_amount=2))],
        ["2 #1 buy 1 at 99"],
        terms={"intrabar": "best"},
    ),
    Case(
        "older_fills_before_newer_at_one_price",
        [QUIET, (100, 101, 98, 100), QUIET],
        [(0, order(7, "buy", 1, "limit", 99)), (0, order(3, "buy", 1, "limit", 99))],
        ["1 #7 buy 1 at 99", "1 #3 buy 1 at 99"],
    ),
    Case(
        "stop_fills_before_limit_at_one_price",
        [QUIET, QUIET, (100, 100.5, 97, 97.5), QUIET],
        [
            (0, order(1, "buy", 1, "market", children=(stop(2, 98),))),
            (1, order(9, "buy", 1, "limit", 98)),
        ],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 98", "2 #9 buy 1 at 98"],
    ),
    Case(
        "an_older_limit_still_comes_after_a_stop_at_its_price",
        [QUIET, QUIET, (100, 100.5, 97, 97.5), QUIET],
        [
            (0, order(9, "buy", 1, "limit", 98)),
            (0, order(1, "buy", 1, "market", children=(stop(2, 98),))),
        ],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 98", "2 #9 buy 1 at 98"],
    ),
    Case(
        "at_the_open_market_before_stop_before_limit",
        [QUIET, (103, 104, 102, 103), QUIET],
        [
            (0, order(1, "sell", 1, "limit", 101)),
            (0, order(2, "buy", 1, "stop", 102)),
            (0, order(3, "buy", 1, "market")),
        ],
        ["1 #3 buy 1 at 103", "1 #2 buy 1 at 103", "1 #1 sell 1 at 103"],
    ),
    Case(
        "an_order_made_at_a_close_works_from_the_next_bar",
        [(100, 101, 95, 100), QUIET, (100, 101, 95, 100)],
        [(0, order(1, "buy", 1, "limit", 96))],
        ["2 #1 buy 1 at 96"],
    ),
    Case(
        "a_reversing_order_closes_and_opens",
        [QUIET, QUIET, (101, 101, 100, 100.5), QUIET],
        [(0, order(1, "buy", 1, "market")), (1, order(2, "sell", 3, "market"))],
        ["1 #1 buy 1 at 100", "2 #2 sell 3 at 101"],
        equity=1001 + 2 * (101 - 100),
    ),
    Case(
        "a_reducing_order_is_cut_to_the_position",
        [QUIET, QUIET, QUIET],
        [
            (0, order(1, "buy", 1, "market")),
            (1, order(2, "sell", 1, "market", reduces=True)),
            (1, order(3, "sell", 1, "market", reduces=True)),
        ],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 100", "2 #3 ends nothing_to_reduce"],
        equity=1000,
    ),
    Case(
        "a_changed_order_works_at_its_new_price",
        [QUIET, QUIET, (100, 101, 98.9, 100), QUIET],
        [(0, order(1, "buy", 1, "limit", 98)), (1, OrderChange(1, price=99, quantity=2))],
        ["2 #1 buy 2 at 99"],
    ),
]

LIFETIMES = [
    Case(
        "a_day_order_ends_with_the_session",
        [QUIET, QUIET, (100, 101, 97, 100)],
        [(0, order(1, "buy", 1, "limit", 98, tif="DAY"))],
        ["1 #1 ends expired"],
        bars={"start": DAY_NS - 2 * HOUR},
    ),
    Case(
        "a_day_order_ends_at_the_roll_where_the_last_bar_is_missing",
        [QUIET, (97, 98, 96, 97)],
        [(0, order(1, "buy", 1, "limit", 98, tif="DAY"))],
        ["1 #1 ends expired"],
        bars={"starts": [DAY_NS - 3 * HOUR, DAY_NS]},
    ),
    Case(
        "a_day_order_sent_after_the_close_belongs_to_the_next_session",
        [QUIET, QUIET, (100, 101, 97, 100)],
        [(0, order(1, "buy", 1, "limit", 98, tif="DAY"))],
        ["2 #1 buy 1 at 98"],
        bars={"start": DAY_NS - HOUR},
    ),
    Case(
        "good_till_cancelled_outlives_the_day",
        [QUIET, QUIET, (100, 101, 97, 100)],
        [(0, order(1, "buy", 1, "limit", 98))],
        ["2 #1 buy 1 at 98"],
        bars={"start": DAY_NS - 2 * HOUR},
    ),
    Case(
        "good_till_date_ends_before_a_bar_whose_end_is_later",
        [QUIET, QUIET, (100, 101, 97, 100)],
        [(0, order(1, "buy", 1, "limit", 98, tif="GTD", expires=3 * HOUR - 1))],
        ["2 #1 ends expired"],
    ),
    Case(
        "good_till_date_still_works_on_a_bar_ending_then",
        [QUIET, QUIET, (100, 101, 97, 100)],
        [(0, order(1, "buy", 1, "limit", 98, tif="GTD", expires=3 * HOUR))],
        ["2 #1 buy 1 at 98"],
    ),
    Case(
        "immediate_or_cancel_has_the_open_only",
        [QUIET, (100, 101, 97, 100), QUIET],
        [
            (0, order(1, "buy", 1, "limit", 98, tif="IOC")),
            (0, order(2, "buy", 1, "limit", 101, tif="IOC")),
        ],
        ["1 #2 buy 1 at 100", "1 #1 ends ioc"],
    ),
    Case(
        "a_day_only_entry_never_fills_on_another_day",
        [QUIET, (97, 98, 96, 97)],
        [(0, order(1, "buy", 1, "limit", 98, day_only=True, children=(stop(2, 95),)))],
        ["1 #1 ends another_day", "1 #2 ends parent_ended"],
        bars={"start": DAY_NS - HOUR},
    ),
    Case(
        "an_entry_never_fills_at_or_after_its_flat_time",
        [QUIET, QUIET, (97, 98, 96, 97)],
        [(0, order(1, "buy", 1, "limit", 98, flat_at=2 * HOUR))],
        ["2 #1 ends flat_time"],
    ),
    Case(
        "a_position_leaves_at_the_first_open_from_its_flat_time",
        [QUIET, QUIET, (101, 103, 97, 102), QUIET],
        [
            (
                0,
                order(
                    1,
                    "buy",
                    1,
                    "market",
                    flat_at=2 * HOUR,
                    children=(stop(2, 98), target(3, 102)),
                ),
            )
        ],
        [
            "1 #1 buy 1 at 100",
            "2 #0 sell 1 at 101 flat_time",
            "2 #2 ends position_closed",
            "2 #3 ends position_closed",
        ],
        equity=1001,
    ),
    Case(
        "without_a_bar_after_the_flat_time_it_leaves_at_the_next_days_open",
        [QUIET, QUIET, (96, 97, 95, 96)],
        [(0, order(1, "buy", 1, "market", flat_at=20 * HOUR, children=(stop(2, 98),)))],
        ["1 #1 buy 1 at 100", "2 #0 sell 1 at 96 flat_time", "2 #2 ends position_closed"],
        bars={"step": 12 * HOUR},
    ),
    Case(
        "the_flat_close_pays_slippage",
        [QUIET, QUIET, (101, 103, 97, 102)],
        [(0, order(1, "buy", 1, "market", flat_at=2 * HOUR))],
        ["1 #1 buy 1 at 100.1", "2 #0 sell 1 at 100.9 flat_time"],
        market={"slippage_ticks": 1},
    ),
    Case(
        "a_flatten_cancels_now_and_closes_at_the_next_price",
        [QUIET, QUIET, (101, 103, 97, 102)],
        [(0, LONG), (1, "flatten")],
        [
            "1 #1 buy 1 at 100",
            "1 #2 ends flatten",
            "1 #3 ends flatten",
            "2 #0 sell 1 at 101 flatten",
        ],
    ),
    Case(
        "a_cancelled_parent_takes_its_waiting_children",
        [QUIET, QUIET, (100, 101, 90, 100)],
        [(0, order(1, "buy", 1, "limit", 95, children=(stop(2, 93),))), (1, 1)],
        ["1 #1 ends cancelled", "1 #2 ends parent_ended"],
    ),
    Case(
        "a_cancelled_target_leaves_the_stop",
        [QUIET, QUIET, (100, 103, 97, 98)],
        [(0, LONG), (1, 3)],
        ["1 #1 buy 1 at 100", "1 #3 ends cancelled", "2 #2 sell 1 at 98"],
    ),
]

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

INTRABAR = [
    Case(
        "worst_takes_the_stop_when_both_extremes_are_touched",
        [QUIET, QUIET, (100, 102.5, 97.5, 100), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 98 ?", "2 #3 ends position_closed"],
    ),
    Case(
        "best_takes_the_target",
        [QUIET, QUIET, (100, 102.5, 97.5, 100), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #3 sell 1 at 102 ?", "2 #2 ends position_closed"],
        terms={"intrabar": "best"},
    ),
    Case(
        "nearest_goes_to_the_nearer_extreme_first",
        [QUIET, QUIET, (100, 102.6, 97.5, 100), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 98 ?", "2 #3 ends position_closed"],
        terms={"intrabar": "nearest"},
    ),
    Case(
        "nearest_with_equal_distance_goes_to_the_high",
        [QUIET, QUIET, (100, 102.5, 97.5, 100), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #3 sell 1 at 102 ?", "2 #2 ends position_closed"],
        terms={"intrabar": "nearest"},
    ),
    Case(
        "nearest_is_not_misled_by_the_dust_of_decimal_prices",
        [QUIET, QUIET, (100.1, 102.8, 97.4, 100), QUIET],
        [(0, LONG)],
        ["1 #1 buy 1 at 100", "2 #3 sell 1 at 102 ?", "2 #2 ends position_closed"],
        terms={"intrabar": "nearest"},
    ),
    Case(
        "worst_with_a_tie_takes_the_nearest_path",
        [QUIET, (100, 102.5, 97, 100), QUIET],
        [(0, order(1, "buy", 1, "stop", 102)), (0, order(2, "sell", 1, "stop", 98, oco=1))],
        ["1 #1 buy 1 at 102 ?", "1 #2 ends oco"],
        equity=998,
    ),
    Case(
        "worst_looks_at_the_whole_bar_not_the_first_extreme",
        # High first: limit 101 sold, then bought back by nothing: short 1 at 101, close 99: +2.
        # Low first: buy stop... the same orders the other way round; worst keeps the lower.
        [QUIET, (100, 101.5, 98.5, 99), QUIET],
        [(0, order(1, "sell", 1, "limit", 101)), (0, order(2, "buy", 1, "limit", 99, oco=1))],
        ["1 #2 buy 1 at 99 ?", "1 #1 ends oco"],
        equity=1001,
    ),
    Case(
        "no_entry_again_inside_the_bar_of_the_exit",
        [QUIET, QUIET, (100, 102.5, 97.5, 100), (100, 100.5, 99.5, 100)],
        [(0, LONG), (2, order(5, "buy", 1, "limit", 99.5))],
        [
            "1 #1 buy 1 at 100",
            "2 #2 sell 1 at 98 ?",
            "2 #3 ends position_closed",
            "3 #5 buy 1 at 99.5",
        ],
    ),
]

SIDES = [
    Case(
        "bid_bars_a_long_enters_at_the_ask_and_leaves_at_the_bid",
        [QUIET, (100, 101, 99.5, 100), (100.2, 101, 99.5, 100), QUIET],
        [(0, order(1, "buy", 1, "market")), (1, order(2, "sell", 1, "market"))],
        ["1 #1 buy 1 at 100.3", "2 #2 sell 1 at 100.2"],
        bars={"spread": 0.3},
    ),
    Case(
        "bid_bars_a_short_is_marked_at_the_ask",
        [QUIET, (100, 101, 99.5, 100)],
        [(0, order(1, "sell", 1, "market"))],
        ["1 #1 sell 1 at 100"],
        bars={"spread": 0.3},
        equity=999.7,
    ),
    Case(
        "bid_bars_a_buy_limit_needs_the_ask_down_there",
        [QUIET, (100, 101, 99, 100), (100, 101, 98.7, 100)],
        [(0, order(1, "buy", 1, "limit", 99))],
        ["2 #1 buy 1 at 99"],
        bars={"spread": 0.3},
    ),
    Case(
        "bid_bars_a_sell_limit_touches_the_bid",
        [QUIET, (100, 101, 99, 100), QUIET],
        [(0, order(1, "sell", 1, "limit", 101))],
        ["1 #1 sell 1 at 101"],
        bars={"spread": 0.3},
    ),
    Case(
        "a_widened_spread_stops_a_short_though_the_file_never_trades_there",
        [QUIET, (100, 100.5, 99.5, 100), (100, 100.5, 99.5, 100), (100, 100.5, 99.5, 100)],
        [(0, order(1, "sell", 1, "market", children=(stop(2, 101),)))],
        ["1 #1 sell 1 at 100", "2 #2 buy 1 at 101"],
        bars={"spread": [0.1, 0.1, 0.6, 0.1]},
    ),
    Case(
        "ask_bars_the_sell_gets_less",
        [QUIET, (100, 101, 99.5, 100), (100.2, 101, 99.5, 100), QUIET],
        [(0, order(1, "buy", 1, "market")), (1, order(2, "sell", 1, "market"))],
        ["1 #1 buy 1 at 100", "2 #2 sell 1 at 99.9"],
        market={"price_side": "ask"},
        bars={"spread": 0.3},
    ),
    Case(
        "mid_bars_share_the_spread",
        [QUIET, (100, 101, 99.5, 100), (100.2, 101, 99.5, 100), QUIET],
        [(0, order(1, "buy", 1, "market")), (1, order(2, "sell", 1, "market"))],
        ["1 #1 buy 1 at 100.2", "2 #2 sell 1 at 100"],
        market={"price_side": "mid"},
        bars={"spread": 0.4},
    ),
    Case(
        "a_spread_that_is_no_binary_fraction_still_touches",
        [QUIET, (0.1, 0.6, 0.1, 0.3), (0.3, 0.5, 0.2, 0.4)],
        [(0, order(1, "buy", 1, "stop", 0.9)), (1, order(2, "sell", 1, "market"))],
        ["1 #1 buy 1 at 0.9", "2 #2 sell 1 at 0.3"],
        bars={"spread": 0.3},
    ),
    Case(
        "a_spread_wider_than_the_stop_closes_at_once",
        [QUIET, QUIET, QUIET],
        [(0, order(1, "sell", 1, "market", children=(stop(2, 100.2),)))],
        ["1 #1 sell 1 at 100", "1 #2 buy 1 at 100.3"],
        bars={"spread": 0.3},
    ),
]

MONEY = [
    Case(
        "volume_share_fills_in_parts_and_the_stop_follows",
        [QUIET, QUIET, QUIET, (100, 100.5, 97, 98), QUIET],
        [(0, order(1, "buy", 6, "limit", 100, children=(stop(2, 98, 6),)))],
        [
            "1 #1 buy 4 at 100",
            "1 #2 now 4 at 98",
            "2 #1 buy 2 at 100",
            "2 #2 now 6 at 98",
            "3 #2 sell 4 at 98",
            "4 #2 sell 2 at 100",
        ],
        terms={"volume_share": 0.1},
        bars={"volume": 40},
    ),
    Case(
        "a_partly_filled_entry_keeps_its_stop_when_the_rest_ends",
        [QUIET, QUIET, (100, 101, 97, 98), QUIET],
        [(0, order(1, "buy", 6, "limit", 100, children=(stop(2, 98, 6),))), (1, 1)],
        ["1 #1 buy 4 at 100", "1 #2 now 4 at 98", "1 #1 ends cancelled", "2 #2 sell 4 at 98"],
        terms={"volume_share": 0.1},
        bars={"volume": 40},
    ),
    Case(
        "a_parent_that_only_closes_has_no_use_for_children",
        [QUIET, QUIET, QUIET, QUIET],
        [
            (0, order(1, "buy", 2, "market")),
            (1, order(2, "sell", 2, "market", children=(stop(3, 103, 2), target(4, 97, 2)))),
        ],
        [
            "1 #1 buy 2 at 100",
            "2 #2 sell 2 at 100",
            "2 #3 ends position_closed",
            "2 #4 ends position_closed",
        ],
    ),
    Case(
        "a_parent_that_turns_the_position_round_protects_what_it_opened",
        [QUIET, QUIET, QUIET, (100, 104, 99, 103)],
        [
            (0, order(1, "buy", 2, "market")),
            (1, order(2, "sell", 3, "market", children=(stop(3, 103, 3),))),
        ],
        ["1 #1 buy 2 at 100", "2 #2 sell 3 at 100", "2 #3 now 1 at 103", "3 #3 buy 1 at 103"],
    ),
    Case(
        "an_entry_beyond_free_margin_ends_with_its_children",
        [QUIET, QUIET],
        [(0, order(1, "buy", 3, "market", children=(stop(2, 98, 3),)))],
        ["1 #1 ends margin", "1 #2 ends parent_ended"],
        market={"margin_fixed": 400},
    ),
    Case(
        "margin_counts_what_is_held",
        [QUIET, QUIET, QUIET, QUIET],
        [
            (0, order(1, "buy", 2, "market")),
            (1, order(2, "buy", 1, "market")),
            (2, order(3, "sell", 2, "market")),
        ],
        ["1 #1 buy 2 at 100", "2 #2 ends margin", "3 #3 sell 2 at 100"],
        market={"margin_fixed": 400},
    ),
    Case(
        "margin_as_a_share_of_notional",
        [QUIET, QUIET, QUIET],
        [(0, order(1, "buy", 100, "market")), (0, order(2, "buy", 99, "market"))],
        ["1 #1 buy 100 at 100", "1 #2 ends margin"],
        market={"margin_rate": 0.1},
    ),
    Case(
        "a_reversal_without_margin_only_closes",
        [QUIET, QUIET, QUIET],
        [(0, order(1, "buy", 2, "market")), (1, order(2, "sell", 5, "market"))],
        ["1 #1 buy 2 at 100", "2 #2 sell 2 at 100", "2 #2 ends margin"],
        market={"margin_fixed": 400},
    ),
]

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

ALL = [*ORDERS, *LIFETIMES, *BRACKETS, *INTRABAR, *SIDES, *MONEY, *FLOORS]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    told, book = play(case)

    assert told == list(case.expect)
    if case.equity is not None:
        assert book.equity == pytest.approx(case.equity, abs=1e-9)


def test_the_breach_is_written_for_the_guard() -> None:
    case = next(item for item in FLOORS if item.name == "its_price_is_rounded_to_the_worse_tick")
    book = open_book(case)

    play(case, book)

    floors = book.limits[0]
    assert (floors.breach, floors.locked) == (1, 1)
    assert floors.breach_equity == pytest.approx(979.5)
    assert floors.breach_price == pytest.approx(97.95)
