"""A management setting changed while a strategy runs: for setups to come, and only what may."""

import pytest

from core.errors import ConfigError
from core.instruments import get_instrument
from strategies.breakout import Breakout
from strategies.gold_smc import GoldSmc
from tests.strategies.reference import NO_COSTS
from tests.strategies.running import backtest
from tests.strategies.test_gold_example import EX1_SETTINGS, series


def changing(at, cls=GoldSmc, **wanted):
    """Return a strategy that changes settings at the close of a bar (0-based)."""

    class Changing(cls):
        said = ()

        def next(self):
            if len(self.data0) - 1 == at:
                self.said = [self.change(name, value) for name, value in wanted.items()]
            super().next()

    return Changing


def run(strategy, count=24, **settings):
    instrument = get_instrument("MGC", NO_COSTS)
    return backtest(strategy, series(count), instrument, 100_000.0, **(EX1_SETTINGS | settings))


def test_a_changed_ratio_holds_for_the_setup_of_the_same_close():
    plain, changed = run(GoldSmc), run(changing(14, rr="3"))

    (before, *_), (after, *_) = plain.strategy.setups_log, changed.strategy.setups_log
    assert before.target - before.entry == pytest.approx(2 * 2.7)
    assert after.target - after.entry == pytest.approx(3 * 2.7)
    assert changed.strategy.said == [(2.0, 3.0)]


def test_a_setup_at_work_keeps_the_terms_it_was_sent_with():
    changed = run(changing(15, rr="3"))

    assert [row.target for row in changed.strategy.setups_log[:1]] == [
        run(GoldSmc).strategy.setups_log[0].target
    ]


def test_what_was_worked_out_of_settings_is_worked_out_again():
    halves = run(changing(10, legs="0.5@1,0.5@2", risk_pct=1.0))
    late = run(changing(10, friday_end="13:30"))

    targets = [row for row in halves.broker.orders_log if row["state"] == "submitted"]
    assert sum(row["role"] == "target" for row in targets) == 2
    assert late.strategy._handling.hours.friday_end == 13 * 60 + 30


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"disp_k": 2.0}, "disp_k is structural: it decides which setups exist"),
        ({"flat_time": "15:00"}, "flat_time is a flat time"),
        ({"rr": 0}, "rr=0: expected a number from 0.1 to 100"),
        ({"r": 3}, "no parameter 'r'"),
        ({"friday_end": "noon"}, "friday_end"),
        ({"legs": "1@"}, "legs"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_may_not_change_is_refused_with_why_and_nothing_changes(wanted, why):
    strategy = run(GoldSmc).strategy
    before = dict(strategy.values)

    with pytest.raises(ConfigError, match=why):
        strategy.change(*wanted.popitem())

    assert strategy.values == before


def test_the_window_of_a_breakout_moves():
    instrument = get_instrument("MGC", NO_COSTS)
    strategy = backtest(Breakout, series(), instrument, 100_000.0).strategy

    strategy.change("session", "09:30-11:00")

    hours = strategy._handling.hours
    assert (hours.start, hours.end) == (570, 660)
