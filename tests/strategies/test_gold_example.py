"""The worked gold trade of the specification (EX1, test settings, tick 0.1)."""

from __future__ import annotations

import pytest

from core.bars import Series
from core.instruments import get_instrument
from strategies.gold_smc import GoldSmc
from strategies.machine import run_machine
from strategies.words import BREAKER, SWEEP_CHOCH
from tests.strategies import example
from tests.strategies.reference import NO_COSTS
from tests.strategies.running import backtest

EX1_SETTINGS = {
    "left": 2,
    "right": 2,
    "atr": 5,
    "killzones": "",
    "levels": "swing",
    "dxy": False,
    "max_risk": 3.0,
    "flat_time": "",
}


def series(count: int = 24) -> Series:
    return Series("MGC", example.STEP_NS, example.bars()[:count])


def setups(**changed):
    values = GoldSmc.read(EX1_SETTINGS | changed)
    return run_machine(GoldSmc.build_machine(values, 0.1), example.bars()).setups


def test_the_sweep_of_bar_11_becomes_a_limit_at_bar_14():
    emitted = setups()

    assert sorted(emitted) == [14, 18]
    setup = emitted[14][0]
    assert setup["pattern"] == SWEEP_CHOCH
    assert setup["origin"] == 11
    assert (setup["level"], setup["sweep_extreme"]) == (100.4, 99.9)
    assert (setup["zone_bottom"], setup["zone_top"]) == (101.4, 103.5)
    assert (setup["entry"], setup["stop"]) == (102.4, 99.7)
    assert setup["risk"] == pytest.approx(2.7)
    assert setup["atr"] == pytest.approx(1.6806, abs=5e-5)


def test_the_breaker_completed_at_13_is_retested_at_18():
    setup = setups()[18][0]

    assert setup["pattern"] == BREAKER
    assert (setup["entry"], setup["stop"]) == (104.3, 100.8)
    assert (setup["zone_bottom"], setup["zone_top"]) == (101.4, 102.6)


def test_the_trade_is_filled_at_bar_17_and_still_open_at_the_end():
    result = backtest(
        "gold_smc", series(), get_instrument("MGC", NO_COSTS), 100_000.0, **EX1_SETTINGS
    )

    taken, refused = result.setup_rows()
    assert taken[1:] == ("long", 102.4, 99.7, 107.8, "sweep_choch", 1, "", "")
    assert refused[1:] == ("long", 104.3, 100.8, 111.3, "breaker", 0, "busy", "")
    assert not result.trades
    fill = result.broker.ledger.fills[0]
    assert fill.price == 102.4
    assert fill.time == example.START_NS + 18 * example.STEP_NS
    # 0.5 % of 100,000 over 2.7 points of 10 USD: 18 contracts.
    assert result.strategy.position.size == 18


def test_the_zone_is_wanted_at_its_top_or_at_the_order_block_by_setting():
    # The gap's top 103.5 lies above the discount limit 102.55, so the order block serves.
    assert setups(entry_mode="fvg_top")[14][0]["entry"] == 101.3
    assert setups(entry_mode="ob_top")[14][0]["entry"] == 101.3


def test_a_kill_zone_elsewhere_leaves_nothing():
    assert setups(killzones="ny_afternoon") == {}


def test_one_pattern_alone():
    assert sorted(setups(patterns="breaker")) == [18]
    assert sorted(setups(patterns="sweep_choch")) == [14]


def test_a_market_of_another_zone_is_refused():
    with pytest.raises(Exception, match=r"gold_smc: instrument=NIFTY-FUT.*Asia/Kolkata"):
        backtest("gold_smc", series(), get_instrument("NIFTY-FUT"), 100_000.0)
