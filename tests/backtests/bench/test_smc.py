"""The bench's own check that both libraries did the same work."""

import numpy as np
import pytest

from backtests.bench import smc
from core.errors import DataError


@pytest.fixture(scope="module")
def frame():
    return smc.walk(1500)


def tables_of(frame):
    return {
        f"{name}/{column}": table[column].to_numpy(copy=True)
        for name, call in smc.ledgers(frame).items()
        for column, table in ((column, call()) for column in call().columns)
    }


def test_the_walk_is_the_same_each_time_and_has_sound_bars(frame):
    again = smc.walk(1500)

    assert again.equals(frame)
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()


def test_equal_tables_pass_and_one_changed_cell_is_named(frame):
    answers = tables_of(frame)
    smc.check_equal(frame, answers)

    row = int(np.flatnonzero(~np.isnan(answers["fvg/Top"]))[3])
    answers["fvg/Top"][row] += 0.01

    with pytest.raises(DataError, match=f"fvg/Top row {row}"):
        smc.check_equal(frame, answers)


def test_a_zone_missing_on_one_side_is_a_difference(frame):
    answers = tables_of(frame)
    row = int(np.flatnonzero(answers["order_blocks/OB"] == 1)[0])
    answers["order_blocks/OB"][row] = np.nan

    with pytest.raises(DataError, match=f"order_blocks/OB row {row}"):
        smc.check_equal(frame, answers)
