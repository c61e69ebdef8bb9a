"""Settings: every limit is explicit, every fault is told at once."""

from __future__ import annotations

import pytest

from core.errors import ConfigError
from risk import PRESETS, Guard, RiskSettings, get_preset
from risk.settings import from_mapping, parse_window
from tests.risk.runs import run


@pytest.mark.parametrize("name", ["daily_loss", "trade_risk", "max_quantity", "max_trades_day"])
@pytest.mark.parametrize("value", [0, -5, float("nan"), True, "800"])
def test_only_none_switches_a_limit_off(name, value):
    with pytest.raises(ConfigError, match=f"{name}=.*expected .* > 0; leave it out for no limit"):
        RiskSettings(**{name: value})


def test_all_faults_come_in_one_message():
    with pytest.raises(ConfigError) as caught:
        RiskSettings(
            name="mine", daily_loss=0, trade_risk_pct=150, flat_by="25:00", flat_zone="Chicago",
            daily_loss_basis="cash", min_quantity=5, max_quantity=2, profit_target=3000,
            news_file="events.csv",
        )  # fmt: skip

    text = str(caught.value)
    for fault in ("'mine'", "daily_loss=0", "trade_risk_pct=150", "25:00", "'Chicago'", "'cash'",
                  "min_quantity=5", "consistency_pct", "news_file"):  # fmt: skip
        assert fault in text


def test_a_table_starts_from_a_preset_and_overrides_it():
    settings = from_mapping({"preset": "gold_bot", "daily_loss": 600}, name="mine")

    assert settings.daily_loss == 600
    assert settings.trade_risk == 500
    assert settings.name == "mine"


def test_an_unknown_key_and_a_wrong_value_are_told_together():
    with pytest.raises(ConfigError) as caught:
        from_mapping({"daily_los": 600, "trade_risk": 0}, name="mine")

    assert "daily_los is no risk setting; did you mean 'daily_loss'?" in str(caught.value)
    assert "trade_risk=0" in str(caught.value)


def test_an_unknown_preset_suggests_the_near_name():
    with pytest.raises(ConfigError, match="'topstep_50'; did you mean 'topstep_50k'"):
        get_preset("topstep_50")


def test_gold_bot_is_800_a_day_500_a_trade_2_to_50_micros():
    preset = PRESETS["gold_bot"]

    assert (preset.daily_loss, preset.trade_risk) == (800, 500)
    assert (preset.min_quantity, preset.max_quantity) == (2, 50)


@pytest.mark.parametrize(
    ("name", "micros", "daily", "trailing", "target"),
    [
        ("topstep_50k", 50, 1_000, 2_000, 3_000),
        ("topstep_100k", 100, 2_000, 3_000, 6_000),
        ("topstep_150k", 150, 3_000, 4_500, 9_000),
    ],
)
def test_topstep_presets_hold_the_published_figures(name, micros, daily, trailing, target):
    preset = PRESETS[name]

    found = (preset.max_quantity, preset.daily_loss, preset.trailing_drawdown, preset.profit_target)
    assert found == (micros, daily, trailing, target)
    assert (preset.flat_by, preset.flat_zone) == ("15:10", "America/Chicago")
    assert (preset.trailing_mode, preset.trailing_lock_offset) == ("end_of_day", 0.0)


def test_windows_read_as_minutes_of_the_day():
    assert parse_window("09:30-14:30, 18:00-02:00") == [(570, 870), (1080, 120)]


def test_a_guard_without_rules_says_so():
    result = run({}, [100] * 3)

    assert result.guard.is_empty
    assert result.guard.describe() == ["no risk rules: orders are not limited"]


def test_a_guard_names_the_rules_of_all_its_sources():
    result = run({}, [100] * 3, "gold_bot", RiskSettings(max_trades_day=2))

    rules = [line.split()[0] for line in result.guard.describe()]
    assert rules == ["daily_loss", "max_trades", "trade_risk", "position"]
    assert isinstance(result.guard, Guard)
