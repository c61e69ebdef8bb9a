"""Limits made stricter by hand: at once, never looser within the day, gone with it."""

from types import SimpleNamespace

import pytest

from core.errors import ConfigError, RiskRefused
from risk import Guard, Refusal, RiskSettings
from risk.memory import memory_of, remember
from risk.tightening import limit_in_force, settings_of, tightened
from tests.risk.runs import actions, bracket, run

DAY_800 = RiskSettings(daily_loss=800, name="preset")
NEXT_DAY = "2024-01-10T15:00"
FLAT = [100] * 6


def tighten(then=None, **limits):
    """Return a script's act: make limits stricter, then do something else."""

    def act(strategy):
        strategy.broker.tighten(RiskSettings(**limits))
        return None if then is None else then(strategy)

    return act


def refusal(result, number=0):
    return result.strategy.orders[number].info.get("refused")


def test_a_stricter_limit_holds_at_once():
    script = {1: bracket(stop=94.0), 3: tighten(bracket(stop=94.0), trade_risk=500)}

    result = run(script, FLAT, RiskSettings(trade_risk=700))

    assert refusal(result) is None
    assert refusal(result, 3) == Refusal("trade_risk", 500, 600.0)


def test_the_stricter_of_two_holds_whichever_came_later():
    result = run({1: tighten(bracket(stop=94.0), trade_risk=900)}, FLAT,
                 RiskSettings(trade_risk=500))  # fmt: skip

    assert refusal(result) == Refusal("trade_risk", 500, 600.0)


def test_a_tightened_daily_loss_flattens_at_its_own_floor():
    rows = [100, 100, 100, (100, 100, 90, 90), 90]
    script = {1: bracket(stop=80.0), 2: tighten(daily_loss=400)}

    result = run(script, rows, DAY_800)

    assert actions(result.guard)[-2:] == [("daily_loss", "breach"), ("daily_loss", "locked")]
    (trade,) = result.inner.ledger.trades
    assert trade.pnl == -400.0


def test_a_limit_that_is_used_up_already_locks_at_once():
    script = {1: bracket(), 3: tighten(bracket(), max_trades_day=1)}

    result = run(script, FLAT, DAY_800)

    assert ("max_trades", "locked") in actions(result.guard)
    assert refusal(result, 3).rule == "max_trades"


def test_losses_in_a_row_are_counted_from_before():
    rows = [100, 100, (100, 100, 94, 94), 94, 94, 94]
    script = {1: bracket(), 4: tighten(bracket(stop=90.0), max_losses_row=1)}

    result = run(script, rows, RiskSettings(max_losses_row=5))

    assert refusal(result, 3).rule == "losses"


def test_orders_of_the_last_minute_are_counted_from_before():
    def thrice(strategy):
        made = [strategy.buy(size=1) for _ in range(3)]
        strategy.broker.tighten(RiskSettings(orders_per_minute=3))
        return [*made, strategy.buy(size=1)]

    result = run({1: thrice}, FLAT, RiskSettings(orders_per_minute=30))

    assert [order.info.get("refused") is None for order in result.strategy.orders] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["intraday", "end_of_day"])
def test_a_tightened_drawdown_trails_the_peak_already_seen(mode):
    rows = [100, 100, 130, 130, 130, 130]
    script = {1: bracket(stop=80.0, target=200.0),
              4: tighten(trailing_drawdown=2000, trailing_mode=mode)}  # fmt: skip

    result = run(script, rows, RiskSettings(trailing_drawdown=5000, trailing_mode=mode))

    peak = 103_000 if mode == "intraday" else 100_000
    assert result.guard.limits[0].trail_floor == peak - 2000


def test_it_ends_where_the_next_trading_day_begins():
    rows = [100, 100, (100, 100, 100, 100, NEXT_DAY), 100, 100, 100]
    script = {1: tighten(trade_risk=500), 2: bracket(stop=94.0), 4: bracket(stop=94.0)}

    result = run(script, rows, RiskSettings(trade_risk=700))

    assert refusal(result).rule == "trade_risk"
    assert refusal(result, 3) is None
    assert actions(result.guard)[0] == ("trade_risk", "tightened")
    assert ("trade_risk", "loosened") in actions(result.guard)
    assert result.guard.tightenings == ()


def test_a_run_begins_without_what_an_earlier_one_was_given():
    guard = run({1: tighten(trade_risk=500)}, FLAT, RiskSettings(trade_risk=700)).guard

    guard.start()

    assert limit_in_force(guard.sources, "trade_risk") == 700


def test_only_the_plan_named_is_limited():
    script = {1: tighten(bracket(stop=94.0), trade_risk=500, plan="another")}

    result = run(script, FLAT, RiskSettings(trade_risk=700))

    assert refusal(result) is None


def test_a_session_that_begins_anew_the_same_day_remembers_it():
    first = run({1: tighten(trade_risk=500)}, FLAT, RiskSettings(trade_risk=700)).guard
    again = run({}, FLAT, RiskSettings(trade_risk=700)).guard
    again.start()

    remember(again, memory_of(first))

    assert limit_in_force(again.sources, "trade_risk") == 500
    assert [item.until_day for item in again.tightenings] == [first.context.day + 1]


def test_a_block_of_one_plan_leaves_the_others_alone():
    def block(plan):
        return lambda strategy: strategy.broker.block("paused", "by hand", plan)

    mine = run({1: block("plan"), 2: bracket()}, FLAT)
    other = run({1: block("another"), 2: bracket()}, FLAT)

    assert refusal(mine) == Refusal("paused", 0.0, 0.0, "by hand")
    assert refusal(other) is None
    assert (mine.guard.blocks, mine.guard.blocks_of("plan")) == ({}, {"paused": "by hand"})


# -- what is asked for -----------------------------------------------------------------------

SOURCES = (
    RiskSettings(daily_loss=800, daily_loss_basis="balance", max_quantity=10, min_quantity=2,
                 quantity_weights={"MGC": 1, "GC": 10}, quantity_scope="account"),
    RiskSettings(plan="gold", max_trades_day=2),
)  # fmt: skip


def test_a_stricter_value_keeps_what_its_number_means():
    found = tightened(SOURCES, "max_quantity", "4")

    assert (found.max_quantity, found.quantity_scope) == (4, "account")
    assert found.quantity_weights == {"MGC": 1, "GC": 10}
    assert tightened(SOURCES, "daily_loss", 400).daily_loss_basis == "balance"


@pytest.mark.parametrize(
    ("name", "value", "plan", "now"),
    [
        ("daily_loss", 900, "", 800),
        ("daily_loss", 900, "gold", 800),
        ("min_quantity", 1, "", 2),
        ("max_trades_day", 3, "gold", 2),
    ],
)
def test_a_looser_value_is_refused_and_the_one_in_force_named(name, value, plan, now):
    with pytest.raises(RiskRefused, match=f"a limit of {now} .hard limits only tighten until the "):
        tightened(SOURCES, name, value, plan)


def test_a_plans_limit_is_no_others():
    assert tightened(SOURCES, "max_trades_day", 3, "nifty").max_trades_day == 3
    assert tightened(SOURCES, "max_trades_day", 1, "gold").plan == "gold"
    assert tightened(SOURCES, "daily_loss", 400, "gold").plan is None


@pytest.mark.parametrize("value", ["", "much", 0, -1, "nan", "inf"])
def test_what_is_no_limit_is_refused(value):
    with pytest.raises(ConfigError, match="daily_loss"):
        tightened((), "daily_loss", value)


def test_a_wrong_name_suggests_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'daily_loss'"):
        tightened(SOURCES, "dayly_loss", 1)


def test_settings_survive_being_written_down():
    guard = Guard(SimpleNamespace(submit_approved=None, supervise=lambda guard: None,
                                  getvalue=lambda: 1e5))  # fmt: skip
    wanted = tightened(SOURCES, "max_quantity", 4, "gold")
    guard.tighten(wanted)

    assert settings_of(guard.tightenings[0].document()) == wanted
