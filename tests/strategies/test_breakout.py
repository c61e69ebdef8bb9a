from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.errors import ConfigError, DataError
from feeds import load
from strategies import BreakoutStrategy, breakout_machine, readings
from strategies.breakout import Breakout, nested_params
from tests.strategies import example

TEST_SETTINGS = {"lookback": 3, "atr": 5, "min_confidence": 0.0, "cooldown": 0}


def test_ex1_gives_one_short_and_one_long():
    said = readings(example.frame(), **TEST_SETTINGS)

    signals = {t: row for t, row in enumerate(said) if row["signal"]}
    assert sorted(signals) == [6, 13]
    short, long = signals[6], signals[13]
    assert short["signal"] == -1 and long["signal"] == 1
    assert [round(short[name], 4) for name in ("entry", "stop", "target", "confidence")] == [
        101.5,
        104.128,
        96.244,
        0.6078,
    ]
    assert [round(long[name], 4) for name in ("entry", "stop", "target", "confidence")] == [
        103.8,
        101.2863,
        108.8274,
        0.8448,
    ]
    assert (short["level"], round(short["volume_ratio"], 4)) == (102.3, 1.5882)
    assert (long["level"], round(long["volume_ratio"], 4)) == (102.3, 2.2326)


def test_ex1_tells_why_every_other_bar_is_no_signal():
    said = readings(example.frame(), **TEST_SETTINGS)

    low = {
        t: round(r["volume_ratio"], 4) for t, r in enumerate(said) if r["reason"] == "low_volume"
    }
    assert low == {7: 1.0, 14: 1.2188, 17: 1.0408, 19: 1.2558, 21: 1.4444}
    assert [row["reason"] for row in said[:6]] == ["warmup"] * 5 + ["no_break"]
    silent = [r for r in said if not r["signal"]]
    assert all(row["entry"] is row["stop"] is row["target"] is None for row in silent)
    assert all(row["confidence"] == 0 for row in silent)


def test_a_reading_depends_on_the_bars_before_it_only():
    whole = readings(example.frame(), **TEST_SETTINGS)

    for count in range(1, 24):
        assert readings(example.frame()[:count], **TEST_SETTINGS) == whole[:count]


def test_the_cooldown_counts_from_the_last_emitted_signal():
    flat = [[100, 101, 99, 100, 100]] * 6
    rising = [[100 + 5 * i, 106 + 5 * i, 99 + 5 * i, 105 + 5 * i, 1000 * 2**i] for i in range(4)]
    frame = pd.DataFrame(flat + rising, columns=["open", "high", "low", "close", "volume"])

    said = readings(frame, lookback=3, atr=3, min_confidence=0.0, cooldown=2)

    assert [row["reason"] for row in said[6:]] == ["breakout", "cooldown", "cooldown", "breakout"]


def test_without_volume_nothing_is_a_signal_unless_volume_is_not_required():
    frame = example.frame().assign(volume=0.0)

    strict = readings(frame, **TEST_SETTINGS)
    loose = readings(frame, **TEST_SETTINGS, volume_required=False)

    assert not any(row["signal"] for row in strict)
    assert [t for t, row in enumerate(loose) if row["signal"]] == [6, 7, 13, 14, 17, 19, 21]
    assert all(row["volume_ratio"] is None for row in loose)


def test_the_older_guides_snippet_runs():
    strategy = BreakoutStrategy(config={"breakout_lookback": 20, "volume_threshold": 1.5})
    quiet = pd.DataFrame(
        {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 100.0},
        index=range(25),
    )
    broken = quiet.copy()
    broken.loc[24] = [100.0, 104.0, 100.0, 104.0, 400.0]

    signal = strategy.analyze(broken)

    assert strategy.analyze(quiet) is None
    assert signal is not None
    assert signal["signal"] == "BUY"
    assert signal["entry_price"] == 104.0
    assert signal["stop_loss"] < 104.0 < signal["target"]
    assert signal["confidence"] == 100.0
    assert "above 101" in signal["reason"]


def test_a_frame_may_carry_stamps_and_any_letter_case():
    frame = example.frame().rename(columns=str.title)
    frame.index = pd.date_range("2024-03-05", periods=24, freq="15min", tz="Asia/Kolkata")

    said = readings(frame, **TEST_SETTINGS)

    assert [t for t, row in enumerate(said) if row["signal"]] == [6, 13]


def test_an_empty_frame_has_no_signal():
    assert BreakoutStrategy().analyze(example.frame()[:0]) is None


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="close"):
        readings(example.frame().drop(columns="close"))


def test_a_wrong_config_key_suggests_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'lookback'"):
        BreakoutStrategy(config={"lookbak": 20})


@pytest.mark.parametrize(
    ("file", "required", "longs", "shorts"),
    [
        ("xauusd_15m", True, 1342, 1214),
        ("xauusd_15m", False, 3912, 2896),
        ("xauusd_5m", True, 1091, 1028),
        ("xauusd_5m", False, 4101, 2781),
    ],
)
def test_golden_counts_on_real_gold(real_data, file, required, longs, shorts):
    bars = load(real_data / f"{file}.csv.gz", symbol="XAUUSD", tz="UTC", stamp="start").bars
    values = Breakout.read({"min_confidence": 0.0, "cooldown": 0, "volume_required": required})
    said = np.zeros(len(bars), breakout_machine.READING)

    breakout_machine.run_readings(
        bars, breakout_machine.new_state(), nested_params(values, 0.01), said
    )

    assert ((said["signal"] > 0).sum(), (said["signal"] < 0).sum()) == (longs, shorts)
