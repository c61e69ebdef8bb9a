"""Which way a bar went, bid and ask, costs: five bars at a time.

The notation is explained in `matching_case`.
"""

from __future__ import annotations

import pytest

from tests.core.matching_case import LONG, QUIET, Case, check, order, stop, target

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


@pytest.mark.parametrize("case", [*INTRABAR, *SIDES, *MONEY], ids=lambda case: case.name)
def test_case(case: Case) -> None:
    check(case)
