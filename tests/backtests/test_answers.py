"""What a summary answers besides profit, by hand."""

from __future__ import annotations

import pytest

from backtests.results import answers
from backtests.results.funnel_text import biggest_drop, funnel_line
from core.instruments import get_instrument
from core.ledger import Trade
from core.zones import NS_PER_DAY, NS_PER_MINUTE
from risk.news import builtin_events, select
from risk.settings import RiskSettings

CPI = next(e.ts for e in select(builtin_events(), ["USD"], "high") if "Price" in e.name)


def trade(trade_id, entry, exit_, pnl, ambiguous=False):
    return Trade(
        trade_id=trade_id, plan_id="gold", symbol="MGC", entry_bar=entry, exit_bar=exit_,
        entry_time=entry, exit_time=exit_, side="long", quantity=1.0, entry_price=1.0,
        exit_price=1.0, stop=None, target=None, pnl=pnl, costs=0.0, r_multiple=pnl / 100.0,
        mae_r=None, mfe_r=None, legs=1, pattern="", exit_reason="stop", ambiguous=ambiguous,
    )  # fmt: skip


def days(*pairs):
    return [
        trade(place, int(entry * NS_PER_DAY), int((entry + 0.1) * NS_PER_DAY), pnl)
        for place, (entry, pnl) in enumerate(pairs, start=1)
    ]


def test_the_longest_gap_counts_the_ends_of_the_data():
    found = answers.longest_gap([2 * NS_PER_DAY, 3 * NS_PER_DAY], 0, 10 * NS_PER_DAY)

    assert found == {"days": 7.0, "from": "1970-01-04T00:00:00Z", "to": "1970-01-11T00:00:00Z"}


def test_the_longest_losing_streak_is_counted_by_the_close():
    trades = days((1, -50), (2, 10), (3, -20), (4, -30), (5, -10), (6, 5), (7, -90))

    found = answers.longest_losing_streak(trades)

    assert (found["trades"], found["pnl"], found["r"]) == (3, -60, pytest.approx(-0.6))
    assert answers.longest_losing_streak(days((1, 5))) is None


def test_trades_a_month_are_over_the_whole_span():
    found = answers.activity(days((1, 1.0), (2, 1.0)), 0, int(30.436875 * NS_PER_DAY))

    assert found["trades_a_month"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (-90, -31, "outside"),
        (-90, -30, "inside"),
        (-5, 5, "inside"),
        (-600, 600, "inside"),
        (30, 90, "inside"),
        (31, 90, "outside"),
    ],
)
def test_a_trade_is_inside_news_if_it_was_open_within_the_minutes(before, after, part):
    one = trade(1, CPI + before * NS_PER_MINUTE, CPI + after * NS_PER_MINUTE, -50.0)

    found = answers.news_split(answers.news_parts([one], get_instrument("MGC"), []))

    assert found["minutes_before"] == 30
    assert {name: found[name]["trades"] for name in ("inside", "outside")} == {
        "inside": int(part == "inside"),
        "outside": int(part == "outside"),
    }


def test_the_accounts_own_news_rule_names_the_minutes_and_unknown_times_are_not_counted():
    late = trade(1, CPI + 10 * NS_PER_MINUTE, CPI + 20 * NS_PER_MINUTE, 10.0)
    ancient = trade(2, 0, NS_PER_DAY, 10.0)

    parts = answers.news_parts([late, ancient], get_instrument("MGC"), [RiskSettings(news="block")])
    found = answers.news_split(parts)

    assert (found["minutes_before"], found["minutes_after"]) == (5, 5)
    assert found["outside"]["trades"] == 1
    assert found["not_covered"] == 1


def test_several_plans_are_parted_by_their_own_news_and_added_up_in_one_currency():
    gold = answers.news_parts([trade(1, CPI, CPI + 1, -50.0)], get_instrument("MGC"), [])
    later = select(builtin_events(), ["INR"], "high")[0].ts + NS_PER_DAY
    nifty = answers.news_parts([trade(2, later, later + 1, 30.0)], get_instrument("NIFTY-FUT"), [])

    found = answers.news_total([gold, None, nifty], one_currency=False)

    assert (found["inside"]["trades"], found["outside"]["trades"]) == (1, 1)
    assert found["inside"]["net_profit"] is None
    assert answers.news_total([gold, nifty], one_currency=True)["outside"]["net_profit"] == 30.0
    assert answers.news_total([None], one_currency=True) is None


def test_ambiguous_trades_are_named_as_the_table_names_them():
    rows = answers.ambiguous_trades([trade(3, 0, 1, -5.0, True), trade(4, 0, 1, 5.0)], before=10)

    assert [row["trade_id"] for row in rows] == [13]


GOLD = {
    "bars": 1000, "in_window": 300, "sweeps": 512, "shifts": 58, "zones": 33, "setups": 33,
    "armed": 29, "filled": 12, "dropped": {"dxy": 4, "target_first": 17, "no_zone": 25},
}  # fmt: skip


def test_the_funnel_is_one_line_from_sweeps_to_fills():
    assert funnel_line(GOLD, {"trade_risk": 2}) == (
        "sweeps 512 > shifts 58 > zones 33 > setups 33 > armed 29 > filled 12    "
        "dropped: no zone 25, target reached first 17, DXY 4    refused: trade risk 2"
    )
    assert funnel_line({}, {}) == ""


def test_the_biggest_drop_is_the_largest_share_lost_with_what_decides_it():
    found = biggest_drop(GOLD, {"max_shift_bars": 12, "rr": 2.0}, {}, {})

    assert found["step"] == ["sweeps", "shifts"]
    assert found["settings"] == {"max_shift_bars": 12}
    assert "454 of 512 (89 %)" in found["text"]
    assert "no change of character came within 12 bars" in found["text"]


def test_a_drop_among_orders_names_its_commonest_reason():
    tall = {"sweeps": 30, "shifts": 29, "setups": 29, "armed": 28, "filled": 8, "dropped": {}}

    found = biggest_drop(tall, {"order_bars": 10}, {}, {"order_bars": 15, "time": 5})

    assert found["reason"] == "order_bars"
    assert found["settings"] == {"order_bars": 10}
    assert "20 of 28 (71 %), 15 of them because price did not come back" in found["text"]
