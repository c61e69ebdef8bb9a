"""Orders of every kind and lifetime, five bars at a time.

The notation is explained in `matching_case`.
"""

from __future__ import annotations

import pytest

from core.orders import OrderChange
from tests.core.matching_case import DAY_NS, HOUR, LONG, QUIET, Case, check, order, stop, target

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


@pytest.mark.parametrize("case", [*ORDERS, *LIFETIMES], ids=lambda case: case.name)
def test_case(case: Case) -> None:
    check(case)
