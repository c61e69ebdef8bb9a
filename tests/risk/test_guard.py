"""The guard in front of a broker: a proxy, a door, and never in the way of an exit."""

from __future__ import annotations

import io
import pickle

import backtrader as bt
import pytest

from backtests.fills.stock import StockBroker
from risk import Guard, Refusal, RiskSettings
from tests.backtests.plain_feed import ListFeed
from tests.risk.runs import Script, actions, bracket, run

TRADE_500 = RiskSettings(trade_risk=500)
FLAT_100 = [100] * 6


def buy(size=1, **terms):
    return lambda strategy: strategy.buy(size=size, **terms)


def sell(size=1, **terms):
    return lambda strategy: strategy.sell(size=size, **terms)


# -- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_a_refusal_is_a_rejected_order_with_rule_limit_and_value(broker):
    result = run({2: bracket(size=20, stop=97.0)}, FLAT_100, TRADE_500, broker=broker)

    parent, stop, target = result.strategy.orders
    assert parent.info.refused == Refusal("trade_risk", 500, 600.0)
    assert [item.getstatusname() for item in (parent, stop, target)] == ["Rejected"] * 3
    assert [row[2] for row in result.strategy.log] == ["Rejected"] * 3
    assert result.guard.refused == {"trade_risk": 1}
    assert result.inner.ledger.fills == []


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_an_entry_without_a_stop_is_refused_when_a_trade_is_limited(broker):
    result = run({2: buy(2)}, FLAT_100, TRADE_500, broker=broker)

    assert result.strategy.orders[0].info.refused.rule == "no_stop"


def test_an_assumed_stop_counts_where_there_is_none():
    rules = RiskSettings(trade_risk=500, assume_stop_ticks=50)  # 5.0 points, 50 money a contract

    fits = run({2: buy(10)}, FLAT_100, rules)
    too_much = run({2: buy(11)}, FLAT_100, rules)

    assert fits.strategy.statuses() == ["Completed"]
    assert too_much.strategy.orders[0].info.refused == Refusal("trade_risk", 500, 550.0)


def test_a_planned_stop_that_is_no_order_protects_nothing():
    result = run({2: buy(2, planned_stop=99.0)}, FLAT_100, TRADE_500)

    assert result.strategy.orders[0].info.refused.rule == "no_stop"


@pytest.mark.parametrize(
    ("side", "stop", "detail"),
    [
        (1, 104.0, "the stop 104 is not below the buy at 100"),
        (-1, 96.0, "the stop 96 is not above the sell at 100"),
    ],
)
def test_a_stop_on_the_wrong_side_has_a_name_of_its_own(side, stop, detail):
    target = 100.0 + 20.0 * side
    result = run({2: bracket(2, stop=stop, target=target, side=side)}, FLAT_100, TRADE_500)

    assert result.guard.refused == {"wrong_stop": 1}
    assert result.guard.wrong_stops == {}
    assert result.strategy.orders[0].info.refused.detail == detail


@pytest.mark.parametrize("rules", [(), (RiskSettings(max_trades_day=5),)], ids=["none", "others"])
def test_a_stop_on_the_wrong_side_is_counted_where_no_rule_forbids_it(rules):
    right = run({2: bracket(2, stop=96.0)}, FLAT_100, *rules)
    wrong = run({2: bracket(2, stop=104.0)}, FLAT_100, *rules)

    assert list(right.guard.wrong_stops.values()) == []
    assert list(wrong.guard.wrong_stops.values()) == [1]
    assert wrong.strategy.statuses()[0] == "Completed"


def test_a_child_that_comes_after_its_parent_was_refused_is_refused():
    def act(strategy):
        parent = strategy.buy(size=2)
        child = strategy.sell(exectype=bt.Order.Stop, price=99, size=2, parent=parent)
        return [parent, child]

    result = run({2: act}, FLAT_100, TRADE_500)

    assert result.strategy.statuses() == ["Rejected", "Rejected"]
    assert result.strategy.orders[1].info.refused.rule == "parent_refused"


def test_a_group_is_judged_when_its_last_order_transmits():
    """The stop is known only with the second order: the parent alone would be refused."""
    held = {}

    def first(strategy):
        held["parent"] = strategy.buy(size=10, transmit=False)
        return held["parent"]

    def second(strategy):
        return strategy.sell(exectype=bt.Order.Stop, price=95.0, size=10, parent=held["parent"])

    result = run({2: first, 3: second}, FLAT_100, TRADE_500)

    assert result.strategy.statuses() == ["Completed", "Accepted"]
    assert result.guard.refused == {}


def test_a_held_parent_can_be_cancelled_and_takes_its_group_along():
    held = {}

    def first(strategy):
        held["parent"] = strategy.buy(size=1, transmit=False)
        strategy.cancel(held["parent"])
        return held["parent"]

    result = run({2: first}, FLAT_100)

    assert result.strategy.statuses() == ["Canceled"]
    assert [row[2] for row in result.strategy.log] == ["Canceled"]


# -- exits always pass -----------------------------------------------------------------------


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_an_exit_passes_while_entries_are_locked(broker):
    rules = RiskSettings(max_trades_day=1)
    script = {2: buy(2), 4: buy(2), 5: sell(2)}
    result = run(script, [100] * 8, rules, broker=broker)

    assert result.strategy.statuses() == ["Completed", "Rejected", "Completed"]
    assert result.strategy.position.size == 0


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_two_market_exits_in_a_bar_do_not_turn_the_position_round(broker):
    def close_twice(strategy):
        return [strategy.close(), strategy.close()]

    result = run({2: bracket(2, 95.0, 120.0), 4: close_twice}, [100] * 8, TRADE_500, broker=broker)

    second = result.strategy.orders[4]
    assert second.info.refused.rule == "no_stop"
    assert min(result.strategy.sizes) == 0


@pytest.mark.parametrize("broker", ["tola", "stock"])
def test_two_exits_reached_in_one_bar_do_not_turn_the_position_round(broker):
    """A limit and a stop, not linked by the strategy: the second is cut to nothing."""

    def exits(strategy):
        return [
            strategy.sell(size=2, exectype=bt.Order.Stop, price=96.0),
            strategy.sell(size=2, exectype=bt.Order.Limit, price=104.0),
        ]

    rows = [100] * 5 + [(100, 106, 94, 100)] + [100] * 3
    result = run({2: buy(2), 4: exits}, rows, RiskSettings(daily_loss=5_000), broker=broker)

    assert min(result.strategy.sizes) == 0
    assert sorted(result.strategy.statuses()) == ["Canceled", "Completed", "Completed"]


def test_a_forgotten_bracket_stop_cannot_open_a_position_with_stock_fills():
    rows = [100] * 6 + [(100, 100, 90, 90)] + [90] * 3
    script = {2: bracket(2, 95.0, 120.0), 4: lambda strategy: strategy.close()}

    guarded = run(script, rows, TRADE_500, broker="stock")
    plain = run(script, rows, broker="stock")

    assert min(guarded.strategy.sizes) == 0
    assert min(plain.strategy.sizes) == -2  # what stock Backtrader does


def test_an_order_larger_than_the_position_is_judged_as_an_entry():
    result = run({2: bracket(2, 95.0, 120.0), 4: sell(3)}, [100] * 8, TRADE_500)

    assert result.strategy.orders[3].info.refused.rule == "no_stop"


# -- changes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("broker", ["tola", "stock"])
@pytest.mark.parametrize(
    ("side", "stop", "tighter", "wider"), [(1, 95.0, 97.0, 94.0), (-1, 105.0, 103.0, 106.0)]
)
def test_a_stop_moves_only_to_less_risk(broker, side, stop, tighter, wider):
    answers = []

    def move(price):
        def act(strategy):
            order = strategy.orders[1]
            answers.append(strategy.broker.modify(order, price=price))
            answers.append(order.created.price)

        return act

    script = {2: bracket(2, stop, 100 + 20 * side, side), 4: move(tighter), 5: move(wider)}
    result = run(script, [100] * 8, broker=broker)

    assert answers == [True, tighter, False, tighter]
    assert result.guard.refused == {"stop_widening": 1}


def test_an_entry_is_judged_again_when_it_is_changed():
    answers = []

    def change(**terms):
        return lambda strategy: answers.append(strategy.broker.modify(strategy.orders[0], **terms))

    entry = bracket(10, 90.0, 120.0, exectype=bt.Order.Limit, price=94.0)  # risk 400
    script = {2: entry, 3: change(price=95.0), 4: change(price=95.5), 5: change(size=11)}
    result = run(script, [100] * 8, TRADE_500)

    assert answers == [True, False, False]
    assert result.strategy.orders[0].created.price == 95.0
    assert result.guard.refused == {"trade_risk": 2}


def test_the_stop_resized_with_stock_fills_closes_what_is_left():
    def shrink(strategy):
        strategy.broker.modify(strategy.orders[1], size=1)

    rows = [100] * 6 + [(100, 100, 90, 90)] + [90] * 3
    result = run({2: bracket(2, 95.0, 120.0), 4: shrink}, rows, broker="stock")

    assert result.strategy.sizes[-1] == 1


# -- the proxy -------------------------------------------------------------------------------


def test_attributes_are_read_from_and_written_to_the_broker_behind():
    inner = StockBroker(cash=5_000)
    guard = Guard(inner)

    guard.setcash(7_000)
    guard.note = "kept"
    guard.p.coc = True

    assert inner.getcash() == guard.getcash() == 7_000
    assert inner.note == guard.note == "kept"
    assert inner.p.coc
    with pytest.raises(AttributeError):
        _ = guard.no_such_thing


def test_a_guard_survives_pickling_with_its_rules():
    guard = Guard(StockBroker(cash=5_000), "gold_bot")

    copy = pickle.loads(pickle.dumps(guard))

    assert copy.describe() == guard.describe()
    assert copy.inner is not guard.inner
    assert copy.inner._supervisor is copy


class Crossing(bt.Strategy):
    """A plain strategy that knows nothing of guards."""

    params = (("stop", 2.0),)

    def __init__(self):
        self.average = bt.ind.SMA(period=3)
        self.rejected = 0

    def notify_order(self, order):
        self.rejected += order.status == order.Rejected

    def next(self):
        price = self.data.close[0]
        if not self.position and price > self.average[0]:
            self.buy_bracket(size=10, exectype=bt.Order.Market, stopprice=price - self.p.stop,
                             limitprice=price + 5)  # fmt: skip
        elif self.position and price < self.average[0] - 3:
            self.close()


WAVE = [(100 + i % 7, 101 + i % 7, 99 + i % 7, 100 + i % 7) for i in range(120)]


class Summary(bt.Analyzer):
    """What survives a worker process."""

    def stop(self):
        self.rets.update(
            rejected=self.strategy.rejected, value=self.strategy.broker.getvalue(),
            refused=dict(self.strategy.broker.refused),
        )  # fmt: skip


def crossing_run(stop, workers):
    cerebro = bt.Cerebro(stdstats=False, maxcpus=workers)
    cerebro.adddata(ListFeed(rows=WAVE))
    cerebro.setbroker(Guard(StockBroker(cash=100_000), RiskSettings(trade_risk=25)))
    cerebro.addanalyzer(Summary, _name="summary")
    cerebro.optstrategy(Crossing, stop=stop)
    return [dict(group[0].analyzers.summary.get_analysis()) for group in cerebro.run()]


def test_optstrategy_runs_over_the_guard_in_worker_processes():
    in_workers = crossing_run([1.0, 2.0, 3.0], workers=2)
    alone = crossing_run([1.0, 2.0, 3.0], workers=1)

    assert in_workers == alone
    assert alone[0]["refused"] == {}
    assert alone[2]["refused"]["trade_risk"] > 0


def test_observers_writer_and_analyzers_work_over_the_guard():
    cerebro = bt.Cerebro(stdstats=True)
    cerebro.adddata(ListFeed(rows=WAVE))
    cerebro.setbroker(Guard(StockBroker(cash=100_000), "gold_bot"))
    for observer in (bt.observers.DrawDown, bt.observers.TimeReturn, bt.observers.FundValue):
        cerebro.addobserver(observer)
    for analyzer in (bt.analyzers.TradeAnalyzer, bt.analyzers.DrawDown, bt.analyzers.PyFolio,
                     bt.analyzers.SQN, bt.analyzers.Transactions):  # fmt: skip
        cerebro.addanalyzer(analyzer)
    written = io.StringIO()
    cerebro.addwriter(bt.WriterFile, out=written, csv=True)
    cerebro.addstrategy(Crossing)

    strategy = cerebro.run()[0]

    trades = strategy.analyzers.tradeanalyzer.get_analysis()
    assert trades.total.closed > 3
    assert strategy.stats.broker.value[0] == cerebro.broker.getvalue()
    assert "Crossing" in written.getvalue()


def test_a_second_run_starts_afresh():
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(ListFeed(rows=WAVE))
    guard = Guard(StockBroker(cash=100_000), RiskSettings(trade_risk=15))
    cerebro.setbroker(guard)
    cerebro.addstrategy(Crossing)

    cerebro.run()
    first = dict(guard.refused)
    cerebro.run()

    assert first["trade_risk"] > 0
    assert dict(guard.refused) == first


def test_cancelled_and_expired_orders_leave_no_working_group_behind():
    def order_and_cancel(strategy):
        order = strategy.buy(size=1, exectype=bt.Order.Limit, price=50.0)
        strategy.cancel(order)
        return order

    result = run({2: order_and_cancel}, FLAT_100, RiskSettings(max_quantity=5))

    assert result.guard.context.live_groups() == []
    assert actions(result.guard) == []


def test_the_script_strategy_sees_an_ordinary_order_object():
    result = run({2: buy(1)}, FLAT_100)

    assert isinstance(result.strategy, Script)
    assert result.strategy.orders[0].isbuy()
    assert result.strategy.orders[0].executed.price == 100
