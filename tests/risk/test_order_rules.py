"""Rules of size, number, price and of other plans."""

from __future__ import annotations

import backtrader as bt
import pytest

from risk import RiskSettings
from tests.risk.runs import bracket, run, run_plans, series

FLAT_100 = [100] * 8
GOLD_BOT_SIZE = RiskSettings(
    min_quantity=2, max_quantity=50, quantity_weights={"MGC": 1.0, "GC": 10.0}
)


def market(size, side=1):
    return lambda strategy: (strategy.buy if side > 0 else strategy.sell)(size=size)


def limit(size, price, **terms):
    return lambda strategy: strategy.buy(size=size, exectype=bt.Order.Limit, price=price, **terms)


# -- position --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "size", "accepted"),
    [("MGC", 1, False), ("MGC", 2, True), ("MGC", 50, True), ("MGC", 51, False),
     ("GC", 1, True), ("GC", 5, True), ("GC", 6, False)],
)  # fmt: skip
def test_two_to_fifty_micros_whatever_the_contract(symbol, size, accepted):
    result = run({2: market(size)}, FLAT_100, GOLD_BOT_SIZE, symbol=symbol, cash=10_000_000.0)

    assert result.strategy.statuses() == ["Completed" if accepted else "Rejected"]


def test_what_is_held_and_what_works_counts_towards_the_largest_position():
    rules = RiskSettings(max_quantity=10)
    script = {2: market(4), 4: limit(4, 90.0), 5: limit(3, 91.0), 6: limit(2, 92.0)}
    result = run(script, FLAT_100, rules)

    refused = result.strategy.orders[2].info.refused
    assert (refused.rule, refused.limit, refused.value) == ("position", 10, 11.0)
    assert result.strategy.statuses()[3] == "Accepted"


def test_of_orders_that_cancel_one_another_only_the_largest_counts():
    def pair(strategy):
        first = strategy.buy(size=6, exectype=bt.Order.Limit, price=90.0)
        second = strategy.buy(size=8, exectype=bt.Order.Limit, price=91.0, oco=first)
        return [first, second]

    result = run({2: pair}, FLAT_100, RiskSettings(max_quantity=10))

    assert result.strategy.statuses() == ["Accepted", "Accepted"]


def test_a_reversal_is_measured_by_the_position_it_leads_to():
    rules = RiskSettings(max_quantity=3)
    result = run({2: market(3), 4: market(6, -1), 6: market(4, 1)}, FLAT_100, rules)

    assert result.strategy.statuses() == ["Completed", "Completed", "Completed"]
    assert result.strategy.sizes[-1] == 1


def test_an_account_wide_position_sums_its_symbols():
    rules = RiskSettings(max_quantity=50, quantity_weights={"GC": 10.0}, quantity_scope="account")
    plans = {
        "micro": ({2: market(20)}, series(FLAT_100)),
        "full": ({3: market(4), 4: market(3)}, series(FLAT_100, symbol="GC")),
    }
    result = run_plans(plans, rules, cash=10_000_000.0)

    first, second = result.strategies["full"].orders
    assert (first.info.refused.rule, first.info.refused.value) == ("position", 60.0)
    assert second.getstatusname() == "Completed"


# -- risk ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stop", "status"), [(95.0, "Completed"), (94.9, "Rejected")])
def test_a_trade_may_risk_500_and_not_a_cent_more(stop, status):
    result = run({2: bracket(10, stop, 120.0)}, FLAT_100, RiskSettings(trade_risk=500))

    assert result.strategy.orders[0].getstatusname() == status


def test_a_short_trade_is_measured_to_the_stop_above_it():
    rules = RiskSettings(trade_risk_pct=0.5)  # 500 of 100,000

    fits = run({2: bracket(10, 105.0, 80.0, side=-1)}, FLAT_100, rules)
    too_much = run({2: bracket(10, 105.1, 80.0, side=-1)}, FLAT_100, rules)

    assert fits.strategy.orders[0].getstatusname() == "Completed"
    assert too_much.strategy.orders[0].info.refused.value == pytest.approx(510.0)


@pytest.mark.parametrize(("trail", "status"), [(5.0, "Completed"), (5.1, "Rejected")])
def test_a_trade_behind_a_trailing_stop_is_measured_by_its_distance(trail, status):
    def trailed(strategy):
        parent = strategy.buy(size=10, transmit=False)
        strategy.sell(size=10, exectype=bt.Order.StopTrail, trailamount=trail, parent=parent)
        return parent

    result = run({2: trailed}, FLAT_100, RiskSettings(trade_risk=500))

    assert result.strategy.statuses() == [status]


def test_a_limit_entry_is_measured_from_its_own_price():
    entry = bracket(10, 90.0, 120.0, exectype=bt.Order.Limit, price=95.0)
    result = run({2: entry}, FLAT_100, RiskSettings(trade_risk=500))

    assert result.strategy.orders[0].getstatusname() == "Accepted"


def test_open_risk_counts_open_and_working_trades_and_forgets_stops_at_break_even():
    rules = RiskSettings(max_open_risk=900)
    move_stop = {5: lambda strategy: strategy.broker.modify(strategy.orders[1], price=100.0) and []}
    five = bracket(10, 95.0, 120.0)
    script = {2: five, 4: five, **move_stop, 6: five}
    result = run(script, FLAT_100, rules)

    entries = result.strategy.orders[::3]
    assert [order.getstatusname() for order in entries] == ["Completed", "Rejected", "Completed"]
    refused = entries[1].info.refused
    assert (refused.rule, refused.limit, refused.value) == ("open_risk", 900, 1_000.0)


# -- number and rate -------------------------------------------------------------------------


def test_trades_count_on_the_trading_day_of_their_fill():
    """Ordered on Tuesday, filled after the 18:00 roll: Wednesday's first trade, not Tuesday's."""
    rows = [100, 100, 100, (100, 100, 100, 100, "2024-01-09T23:00"), (100, 100, 89, 100),
            100, 100, 100, 100]  # fmt: skip
    script = {2: limit(1, 90.0), 6: market(1), 8: market(1)}
    rules = RiskSettings(max_trades_day=2)
    result = run(script, rows, rules, start="2024-01-09T21:00")

    assert result.strategy.statuses() == ["Completed", "Completed", "Rejected"]
    assert result.strategy.orders[2].info.refused.rule == "max_trades"


def test_a_working_entry_counts_as_a_trade_that_may_come():
    script = {2: limit(1, 90.0), 3: market(1), 4: market(1)}
    result = run(script, FLAT_100, RiskSettings(max_trades_day=2))

    assert result.strategy.statuses() == ["Accepted", "Completed", "Rejected"]


def test_limits_of_one_plan_leave_the_other_alone():
    rules = RiskSettings(plan="busy", max_trades_day=1)
    plans = {
        "busy": ({2: market(1), 4: market(1)}, series(FLAT_100)),
        "calm": ({2: market(1), 4: market(1)}, series(FLAT_100, symbol="GC")),
    }
    result = run_plans(plans, rules, cash=10_000_000.0)

    assert result.strategies["busy"].statuses() == ["Completed", "Rejected"]
    assert result.strategies["calm"].statuses() == ["Completed", "Completed"]


def test_orders_a_minute_count_children_and_exits():
    def many(strategy):
        return [*bracket(1, 95.0, 120.0)(strategy), *bracket(1, 95.0, 120.0)(strategy)]

    rules = RiskSettings(orders_per_minute=5)
    result = run({2: many, 3: bracket(1, 95.0, 120.0)}, FLAT_100, rules, minutes=1)

    entries = result.strategy.orders[::3]
    assert [order.getstatusname() for order in entries] == ["Completed", "Rejected", "Completed"]
    refused = entries[1].info.refused
    assert (refused.rule, refused.limit, refused.value) == ("order_rate", 5, 6)


def test_a_price_far_from_the_market_is_refused():
    rules = RiskSettings(price_collar_pct=5)
    result = run({2: limit(1, 95.0), 3: limit(1, 9.5), 4: market(1)}, FLAT_100, rules)

    assert result.strategy.statuses() == ["Accepted", "Rejected", "Completed"]
    assert result.strategy.orders[1].info.refused.value == pytest.approx(90.5)


# -- other plans -----------------------------------------------------------------------------


def opposite(mode):
    plans = {
        "long": ({2: market(2), 5: lambda s: s.close()}, series([100] * 10)),
        "short": ({3: bracket(2, 105.0, 90.0, side=-1)}, series([100] * 10)),
    }
    result = run_plans(plans, RiskSettings(max_quantity=50, opposite_plans=mode))
    return result, result.strategies["short"]


def test_opposite_plans_may_hold_both_sides_virtually():
    result, short = opposite("net")

    assert short.orders[0].getstatusname() == "Completed"
    assert short.sizes[4] == -2
    assert result.strategies["long"].sizes[4] == 2


def test_an_entry_against_another_plan_can_be_refused():
    _, short = opposite("refuse")

    assert [order.info.refused.rule for order in short.orders] == ["opposite_plan"] * 3


def test_an_entry_against_another_plan_can_wait_until_that_plan_is_flat():
    _, short = opposite("queue")

    assert short.orders[0].getstatusname() == "Completed"
    assert short.sizes[5] == 0  # the other plan leaves at the open of bar 6
    assert short.sizes[-1] == -2


def test_a_waiting_order_can_be_cancelled():
    def cancel(strategy):
        strategy.cancel(strategy.orders[0])

    plans = {
        "long": ({2: market(2), 6: lambda s: s.close()}, series([100] * 10)),
        "short": ({3: bracket(2, 105.0, 90.0, side=-1), 4: cancel}, series([100] * 10)),
    }
    result = run_plans(plans, RiskSettings(max_quantity=50, opposite_plans="queue"))

    short = result.strategies["short"]
    assert short.statuses() == ["Canceled"] * 3
    assert short.sizes[-1] == 0
