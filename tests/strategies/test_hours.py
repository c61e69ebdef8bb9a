"""The clock judges a series as it judges its bars one by one."""

from __future__ import annotations

import numpy as np
import pytest

import strategies
from strategies.words import PATTERNS
from tests.strategies.reference import RUNS, series_of

SETTINGS = {
    "gold_smc": ({}, {"killzones": ()}, {"friday_end": "", "killzones": ("asia", "ny_afternoon")}),
    "nifty_smc": ({}, {"entry_end": "12:00"}),
    "breakout": ({}, {"session": "20:00-04:00"}),
}


@pytest.mark.parametrize("run", [RUNS[0], RUNS[2], RUNS[4]], ids=lambda run: run.strategy)
def test_hours_of_a_series_are_those_of_its_bars(run, real_data):
    bars = series_of(run, real_data).bars[-3000:]
    kind = strategies.get(run.strategy)

    for given in SETTINGS[run.strategy]:
        hours = kind.handling(kind.read(given)).hours
        for pattern in range(1, len(PATTERNS)):
            one_by_one = [hours.refusal(bar, pattern) for bar in bars]
            np.testing.assert_array_equal(hours.refusals(bars, pattern), one_by_one)
            one_by_one = [hours.cancel(bar, pattern) for bar in bars]
            np.testing.assert_array_equal(hours.cancels(bars, pattern), one_by_one)
