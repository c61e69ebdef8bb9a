"""What is said of a bar, against the worked example of the specification and by properties."""

from __future__ import annotations

import numpy as np
import pytest

import strategies
from backtests.why.replay import Replay
from backtests.why.when import Bars
from core.bars import BAR
from core.instruments import get_instrument
from strategies.gold_smc import GoldSmc
from tests.strategies import example, samples
from tests.strategies.test_gold_example import EX1_SETTINGS


def replay_of(cls, bars, symbol, further=None, **settings):
    return Replay(
        {},
        Bars(bars, "America/New_York"),
        cls,
        cls.read(settings),
        get_instrument(symbol),
        np.zeros(0, BAR) if further is None else further,
    )


@pytest.fixture(scope="module")
def sights():
    """Every bar of EX1 under the specification's test settings."""
    replay = replay_of(GoldSmc, example.bars(), "MGC", **EX1_SETTINGS)
    return [sight for _, sight, _ in replay.looks(range(24))]


def pattern(sight, name):
    return next(item for item in sight.patterns if item.name == name)


def test_the_sweep_of_bar_11_and_what_it_waits_for(sights):
    sight = sights[11]

    assert "swept the last swing low 100.4 (extreme 99.9)" in sight.events
    swept = pattern(sight, "sweep_choch")
    assert swept.phase == "swept"
    assert "12 of 12 bars left, displacement not seen yet" in swept.text
    assert swept.needs[0] == "a close above the swing high 102.6"
    assert "waits for the structure to turn" in sight.stopped


def test_the_shift_of_bar_13_and_the_zone_of_bar_14(sights):
    assert "change of character up through 102.6" in sights[13].events
    assert pattern(sights[13], "sweep_choch").phase == "shifted"
    # The better half of 99.9 to 105.2 lies at or below 102.55; at bar 13 the reach is 104.0.
    assert "at or below 101.95" in pattern(sights[13], "sweep_choch").needs[0]
    assert "bullish gap 101.4 to 103.5 became known" in sights[14].events
    assert "the setup was made at this close" in sights[14].stopped


def test_a_zone_is_shown_from_its_birth_until_it_is_filled(sights):
    def states(low):
        return [
            next((z.state for z in sight.zones if z.bottom == low and z.kind == "gap"), "")
            for sight in sights[13:18]
        ]

    # smc.md section 12: known at 14, touched at 16, filled at 17.
    assert states(101.4) == ["", "untouched", "untouched", "touched", ""]


def test_the_breaker_of_bar_13_waits_and_is_retested_at_18(sights):
    waiting = pattern(sights[17], "breaker")

    assert waiting.phase == "waiting"
    assert "breaker zone 101.4 to 102.6" in waiting.text
    assert "16 of 20 bars left" in waiting.text
    assert "the setup was made at this close" in pattern(sights[18], "breaker").text


def test_a_risk_out_of_bounds_is_said_with_its_size():
    replay = replay_of(GoldSmc, example.bars(), "MGC", **(EX1_SETTINGS | {"max_risk": 1.5}))

    ((_, sight, setups),) = replay.looks([14])

    # 102.4 to 99.7 is 2.7 points, 1.61 ATRs of 1.6806.
    assert not len(setups)
    assert "long 102.4 with stop 99.7 is 1.61 ATR, allowed 0.5 to 1.5" in sight.stopped


def test_outside_the_kill_zones_that_is_the_reason():
    replay = replay_of(
        GoldSmc, example.bars(), "MGC", **(EX1_SETTINGS | {"killzones": "ny_afternoon"})
    )

    ((_, sight, _),) = replay.looks([11])

    assert sight.stopped == "outside the kill zones"
    assert any("starts nothing" in event for event in sight.events)


@pytest.mark.parametrize("name", samples.NAMES)
def test_a_bar_looks_the_same_alone_and_in_a_row_and_gives_the_runs_setups(name):
    cls, bars = strategies.get(name), samples.series(name).bars[:4_000]
    replay = replay_of(cls, bars, samples.FILES[name][1], samples.further(name))
    emitted = samples.outcome(name, len(bars)).setups
    chosen = sorted(emitted)[-1]

    row = list(replay.looks(range(chosen - 40, chosen + 10)))
    ((_, alone, _),) = replay.looks([chosen])

    assert row[40][1] == alone
    for moment, sight, setups in row:
        assert len(setups) == len(emitted.get(moment.index, ()))
        assert sight.stopped or len(setups)
        assert all(zone.bottom <= zone.top and zone.born <= moment.index for zone in sight.zones)


def test_the_breakout_says_what_the_close_lacked():
    bars = example.bars()
    replay = replay_of(
        strategies.get("breakout"), bars, "MGC", lookback=5, atr=3, volume_threshold=1.5
    )

    said = [sight for _, sight, _ in replay.looks(range(10, 14))]

    # Bar 13 closes at 103.8 above 102.6, on 320 against a mean of 130 of bars 8 to 12.
    assert said[0].stopped == "closed inside the range of the last 5 bars"
    assert [level.price for level in said[3].levels] == [102.6, 99.9]
    assert said[3].patterns[0].phase == "breakout"
    assert said[3].filters[0].text == "2.46 times the mean of the range, asked 1.5"
    assert said[2].patterns[0].needs == (
        "a close above 102.6 (long) or below 99.9 (short)",
        "a volume of 195 or more",
    )
