"""On a bar that came from history no entry is taken, whatever the rules; exits always are."""

from __future__ import annotations

import backtrader as bt
import pytest

from risk import Refusal, RiskSettings
from tests.risk.runs import actions, bracket, run

FLAT_100 = [100] * 6
SOME_RULE = RiskSettings(trade_risk=10_000)
WARMUP = Refusal("warmup", 0, 0, "history: a missed entry is not chased")

either_guard = pytest.mark.parametrize("rules", [(), (SOME_RULE,)], ids=["no rules", "rules"])
either_broker = pytest.mark.parametrize("broker", ["tola", "stock"])


def one_after_the_other(*made):
    return lambda strategy: [make(strategy) for make in made]


def buy(strategy):
    return strategy.buy(size=1, exectype=bt.Order.Limit, price=99.0)


def close(strategy):
    return strategy.close()


def reverse(strategy):
    return strategy.sell(size=10)


@either_broker
@either_guard
def test_an_entry_on_a_bar_of_history_is_a_rejected_order(rules, broker):
    result = run({2: bracket()}, FLAT_100, *rules, broker=broker, late=(1, 2))

    assert result.strategy.statuses() == ["Rejected"] * 3
    assert {order.info.refused for order in result.strategy.orders} == {WARMUP}
    assert result.guard.refused == {"warmup": 1}
    assert actions(result.guard) == [("warmup", "refused")]
    assert result.inner.ledger.fills == []


@either_broker
@either_guard
def test_the_first_live_bar_takes_entries_again(rules, broker):
    result = run({2: bracket(), 3: bracket()}, FLAT_100, *rules, broker=broker, late=(1, 2))

    assert result.strategy.statuses()[:3] == ["Rejected"] * 3
    assert result.strategy.statuses()[3] == "Completed"
    assert result.strategy.position.size == 10


@either_broker
@either_guard
def test_in_a_gap_a_position_may_be_left(rules, broker):
    result = run({1: bracket(), 3: close}, FLAT_100, *rules, broker=broker, late=(3,))

    assert result.strategy.position.size == 0
    assert result.strategy.orders[-1].getstatusname() == "Completed"
    assert result.guard.refused == {}


@either_broker
@either_guard
def test_in_a_gap_a_position_is_left_but_not_turned_round(rules, broker):
    """Its exit is on its way already, so the second order would open."""
    turn = one_after_the_other(close, reverse)

    result = run({1: bracket(), 3: turn}, FLAT_100, *rules, broker=broker, late=(3,))

    assert result.strategy.position.size == 0
    assert result.strategy.statuses()[-2:] == ["Completed", "Rejected"]
    assert result.guard.refused == {"warmup": 1}


@either_guard
def test_in_a_gap_nothing_is_added_to_a_position(rules):
    result = run({1: bracket(), 3: buy}, FLAT_100, *rules, late=(3,))

    assert result.strategy.position.size == 10
    assert result.guard.refused == {"warmup": 1}


def test_an_order_sent_before_the_gap_works_on_and_its_stop_may_follow():
    def follow(strategy):
        assert strategy.broker.modify(strategy.orders[1], price=97.0)

    result = run({1: bracket(), 3: follow}, [100, 100, 100, 100, 96], late=(3, 4, 5))

    (trade,) = result.inner.ledger.trades
    assert (trade.exit_price, trade.exit_reason) == (96.0, "stop")


def test_a_feed_that_says_nothing_takes_entries():
    result = run({1: bracket()}, FLAT_100)

    assert result.strategy.position.size == 10
