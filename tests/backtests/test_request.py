"""Reading flags: pairs, values, days."""

from __future__ import annotations

from datetime import date

import pytest

from backtests.request import one_of, parse_day, parse_pairs, parse_value
from core.errors import ConfigError


def test_pairs_are_split_at_the_first_sign():
    assert parse_pairs("--with", ["DXY=a=b.csv", "EUR=c"]) == {"DXY": "a=b.csv", "EUR": "c"}


@pytest.mark.parametrize("item", ["rr", "=3", "rr="])
def test_a_pair_without_both_sides_names_the_flag(item):
    with pytest.raises(ConfigError, match=f"--set {item}: expected NAME=VALUE"):
        parse_pairs("--set", [item])


def test_a_name_given_twice_is_refused():
    with pytest.raises(ConfigError, match="given twice"):
        parse_pairs("--set", ["rr=2", "rr=3"])


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("fvg_top", "fvg_top"), ("[1, 2]", [1, 2])],
)
def test_values_are_read_as_toml_or_stay_text(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025", date(2025, 1, 1), date(2025, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2025-09-15", date(2025, 9, 15), date(2025, 9, 15)),
    ],
)
def test_a_day_may_be_a_year_or_a_month(text, first, last):
    assert parse_day("--from", text) == first
    assert parse_day("--to", text, last=True) == last


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13", "2025-02-30", "15-09-2025"])
def test_other_days_are_refused_with_examples(text):
    with pytest.raises(ConfigError, match=r"--from .*: expected a day such as"):
        parse_day("--from", text)


def test_an_unknown_choice_suggests_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'nearest'"):
        one_of("--intrabar", "nerest", ("worst", "nearest", "best"))
