"""Machines see no future, and say the same compiled, uncompiled, at once and bar by bar."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bars import BAR
from strategies.machine import OUT, Outcome
from tests.strategies import samples

COUNT = 6_000


def same(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two arrays of records hold the same numbers, bit for bit but for NaN."""
    return samples.numbers(one).tobytes() == samples.numbers(two).tobytes()


@lru_cache
def whole(name: str) -> Outcome:
    return samples.outcome(name, COUNT)


@pytest.mark.parametrize("name", samples.NAMES)
def test_the_samples_hold_setups_to_compare(name):
    assert len(whole(name).setups) >= 5


@pytest.mark.parametrize("name", samples.NAMES)
@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, COUNT - 1))
def test_a_prefix_of_the_bars_gives_the_same_readings(name, count):
    part, full = samples.outcome(name, count), whole(name)

    assert same(part.facts, full.facts[:count])
    assert sorted(part.setups) == [index for index in sorted(full.setups) if index < count]
    for index, rows in part.setups.items():
        assert same(rows, full.setups[index])


@pytest.mark.parametrize("name", samples.NAMES)
def test_one_bar_at_a_time_equals_all_at_once(name):
    bars, other = samples.series(name).bars, samples.further(name)
    machine, out, full = samples.machine(name), np.zeros(1, OUT), whole(name)
    taken = 0

    for index in range(COUNT):
        while taken < len(other) and other[taken]["end"] <= bars[index]["end"]:
            machine.take_further(other[taken : taken + 1], machine.state, machine.params)
            taken += 1
        machine.run(bars[index : index + 1], np.zeros(0, BAR), machine.state, machine.params, out)
        assert same(out["facts"], full.facts[index : index + 1])
        emitted = full.setups.get(index)
        assert out["count"][0] == (0 if emitted is None else len(emitted))
        if emitted is not None:
            assert same(out["setups"][0][: len(emitted)], emitted)


@pytest.mark.parametrize("name", samples.NAMES)
def test_the_uncompiled_machine_says_the_same_bit_for_bit(name):
    count = 800
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}

    said = subprocess.run(
        [sys.executable, "-m", "tests.strategies.samples", name, str(count)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=samples.DATA.parent,
    ).stdout.strip()

    assert said == samples.digest(name, count)


@pytest.mark.parametrize("name", samples.NAMES)
def test_drawings_are_known_before_they_are_drawn_and_never_change(name):
    import strategies

    cls, bars = strategies.get(name), samples.series(name).bars
    full = cls.drawings(bars[:COUNT], {})
    part = cls.drawings(bars[: COUNT // 2], {})

    assert full
    for zone in full:
        assert zone["origin"] <= zone["known"]
        assert zone["end"] == -1 or zone["known"] < zone["end"]
        assert zone["bottom"] <= zone["top"]
    keys = ("kind", "side", "known", "top", "bottom", "origin")
    later = {tuple(zone[key] for key in keys) for zone in full}
    assert {tuple(zone[key] for key in keys) for zone in part} <= later
