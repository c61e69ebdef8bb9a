from __future__ import annotations

import pytest

import strategies
from core.errors import ConfigError
from strategies.settings import Setting, read_settings

SETTINGS = (
    Setting("rr", 2.0, "target", 0.1, 100.0),
    Setting("left", 3, "bars", 1, 15),
    Setting("dxy", True, "filter"),
    Setting("mode", "mid", "entry", choices=("mid", "top")),
    Setting("zones", ("a",), "kill zones", choices=("a", "b")),
)


def test_text_of_the_command_line_becomes_typed_values():
    values = read_settings(
        "s", SETTINGS, {"rr": "2.5", "left": "4", "dxy": "off", "mode": "top", "zones": "a, b"}
    )

    assert values == {"rr": 2.5, "left": 4, "dxy": False, "mode": "top", "zones": ("a", "b")}
    assert isinstance(values["left"], int)


def test_what_is_not_given_keeps_its_default():
    assert read_settings("s", SETTINGS, {})["zones"] == ("a",)


def test_an_empty_list_of_words_is_allowed():
    assert read_settings("s", SETTINGS, {"zones": ""})["zones"] == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rr", 0, "rr=0: expected a number from 0.1 to 100"),
        ("rr", "nan", "rr='nan'"),
        ("left", 2.5, "left=2.5: expected a whole number from 1 to 15"),
        ("left", True, "left=True"),
        ("dxy", "maybe", "dxy='maybe': expected true or false"),
        ("mode", "bottom", "mode='bottom': expected one of mid, top"),
        ("zones", "a,c", "zones='a,c': expected some of a, b"),
        ("rrr", 2, "s has no parameter 'rrr'; did you mean 'rr'?"),
    ],
)
def test_a_wrong_setting_names_field_value_and_what_is_allowed(name, value, said):
    with pytest.raises(ConfigError) as caught:
        read_settings("s", SETTINGS, {name: value})

    assert said in str(caught.value)


def test_every_fault_is_in_one_message():
    with pytest.raises(ConfigError) as caught:
        read_settings("s", SETTINGS, {"rr": -1, "left": 99})

    assert "rr=-1" in str(caught.value) and "left=99" in str(caught.value)


def test_an_unknown_strategy_suggests_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'gold_smc'"):
        strategies.get("gold_scm")


@pytest.mark.parametrize("name", ["gold_smc", "nifty_smc", "breakout"])
def test_defaults_pass_their_own_checks_and_split_in_two(name):
    cls = strategies.get(name)

    values = cls.read({})

    assert set(cls.structural()) | set(cls.management_params()) == set(values)
    assert not set(cls.structural()) & set(cls.management_params())


def test_rr_and_order_life_are_management_of_gold():
    cls = strategies.get("gold_smc")

    assert {"rr", "order_bars", "be_at_1r", "risk_pct", "max_trades_day", "flat_time"} <= set(
        cls.management_params()
    )


def test_limits_of_a_strategy_are_plain_data_for_the_guard():
    assert strategies.get("nifty_smc").default_rules(strategies.get("nifty_smc").read({})) == {
        "daily_loss_pct": 1.5,
        "max_trades_day": 3,
        "max_losses_row": 2,
    }
