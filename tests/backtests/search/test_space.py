"""Axes of a search: what `--grid` may say, and what is refused in one clear line."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import backtrader as bt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
from backtests.search.space import make_space, text_of
from core.errors import ConfigError

GOLD = strategies.get("gold_smc")


class Plain(bt.Strategy):
    params = (("fast", 10), ("ratio", 0.5), ("mode", "a"), ("on", False))


def axis(text, strategy=GOLD):
    return make_space([text], strategy).axes[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rr=1.5:3:0.25", (1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0)),
        ("rr=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("max_shift_bars=6,12,18", (6, 12, 18)),
        ("max_shift_bars=6:8", (6, 7, 8)),
        ("rr=2,2.0,3", (2.0, 3.0)),
        ("be_at_1r", (False, True)),
        ("be_at_1r=true", (True,)),
        ("flat_time=16:45,12:00", ("16:45", "12:00")),
        ("legs=0.5@1>0,0.5@3;", ("0.5@1>0,0.5@3",)),
        ("legs=;", ("",)),
        ("rr=2:2:1", (2.0,)),
    ],
)
def test_an_axis_is_read_in_the_settings_own_type(text, values):
    found = axis(text).values

    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@given(st.decimals(-1000, 1000, places=3), st.decimals("0.001", 10, places=3), st.integers(0, 300))
@settings(max_examples=50, deadline=None)
def test_steps_are_decimal_and_reach_both_ends(first, step, count):
    last = first + count * step
    found = axis(f"ratio={first}:{last}:{step}", Plain).values

    assert len(found) == count + 1
    assert [Decimal(str(value)) for value in found] == [first + k * step for k in range(count + 1)]


def test_a_range_is_drawn_from_within_its_bounds_and_can_be_typed_again():
    wide = axis("rr")
    random = Random(3)

    drawn = [wide.draw(random) for _ in range(500)]

    assert wide.size is None and (wide.low, wide.high) == (0.1, 100.0)
    assert min(drawn) >= 0.1 and max(drawn) <= 100.0
    assert all(float(text_of(value)) == value for value in drawn)


def test_a_grid_walks_structural_axes_slowest_and_names_sets_as_they_were_asked():
    space = make_space(["rr=1,2", "disp_k=0.5,1", "left=2,3"], GOLD)

    sets = list(space)

    assert len(space) == len(sets) == 8
    assert [tuple(given) for given in sets] == [("rr", "disp_k", "left")] * 8
    assert [given["left"] for given in sets] == [2, 2, 2, 2, 3, 3, 3, 3]
    assert [given["rr"] for given in sets] == [1.0, 2.0] * 4


@pytest.mark.parametrize("text", ["fast=1,nan", "ratio=inf", "ratio=0:inf", "ratio=1e400"])
def test_a_plain_strategys_numbers_are_finite(text):
    with pytest.raises(ConfigError, match="expected"):
        axis(text, Plain)


def test_a_plain_strategys_values_keep_their_kind():
    space = make_space(["fast=5:20:5", "ratio=0.1,1", "mode=a,b", "on"], Plain)

    assert [item.values for item in space.axes] == [
        (5, 10, 15, 20), (0.1, 1), ("a", "b"), (False, True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ([], "an empty grid: name what to vary"),
        (["rrr=1,2"], "gold_smc has no parameter 'rrr'; did you mean 'rr'?"),
        (["rr=3:1:0.5"], "an empty grid: it ends below its beginning"),
        (["rr="], "no values: an empty grid"),
        (["rr=1:2:0.3"], "its steps miss 2: end it at 1.9 or 2.2"),
        (["rr=1:2:0"], "the step must be above 0"),
        (["rr=1:x:2"], "expected FROM:TO:STEP"),
        (["rr=1,two"], "expected a number from 0.1 to 100"),
        (["max_shift_bars=1.5,2"], "expected a whole number"),
        (["rr=1,2", "rr=3"], "named twice"),
        (["legs"], "it has no bounds of its own"),
        (["rr=0.1:99:0.00001"], "values on one axis"),
        (["rr=1:2:1e-30"], "values on one axis"),
        (["rr=1:2:1e-400"], "the step must be above 0"),
        (["rr=1:1e400"], "expected FROM:TO:STEP"),
        (["rr=snan:2:1"], "expected FROM:TO:STEP"),
        (["rr=nan"], "expected a number from 0.1 to 100"),
        (["rrr=1", "left=x"], "; --grid left=x: expected a whole number"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_line(texts, says):
    with pytest.raises(ConfigError) as raised:
        make_space(texts, GOLD)

    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
