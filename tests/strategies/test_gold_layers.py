"""Gold's setups from shared layers are those of its machine, to the last bit."""

from __future__ import annotations

import random

import numpy as np
import pytest

import strategies
from strategies.machine import run_machine
from tests.backtests.sweep.tables import gold
from tests.strategies.reference import RUNS, further_of, series_of

SETS = 6
BARS = 20_000


@pytest.mark.parametrize("run", RUNS[:2], ids=lambda run: run.name)
def test_layers_find_the_machines_setups(run, real_data):
    bars = series_of(run, real_data).bars[-BARS:]
    further = further_of(run, real_data).bars
    kind = strategies.get("gold_smc")
    layers = kind.layers(bars, further, 0.01)
    chance = random.Random(run.name)
    found = 0

    for _ in range(SETS):
        values = kind.read(gold(chance))
        outcome = run_machine(kind.build_machine(values, 0.01), bars, further)
        at, setups, facts, atrs = layers.find(values)

        rows = [row for row, emitted in outcome.setups.items() for _ in emitted]
        assert at.tolist() == rows
        for name in setups.dtype.names:
            wanted = [setup[name] for emitted in outcome.setups.values() for setup in emitted]
            np.testing.assert_array_equal(setups[name], wanted, err_msg=name)
        for name in set(facts.dtype.names) - {"atr"}:
            np.testing.assert_array_equal(facts[name], outcome.facts[name], err_msg=name)
        np.testing.assert_array_equal(atrs, outcome.facts["atr"])
        found += len(rows)

    assert found
