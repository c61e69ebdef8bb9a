"""DataFrames into bars: what is understood and what is refused."""

import numpy as np
import pandas as pd
import pytest

import indicators
from core.errors import DataError
from indicators.frame import bars_from_frame
from tests.indicators.series import frame_of, worked_example

ROWS = [[10, 12, 9, 11, 5], [11, 13, 10, 12, 6], [12, 14, 11, 13, 7]]


def test_columns_in_any_case_and_stamps_in_any_zone_give_the_same_prices():
    plain = frame_of(ROWS, start="2024-03-08 10:00")
    other = plain.tz_localize("UTC").tz_convert("America/New_York").rename(columns=str.upper)

    bars, theirs = bars_from_frame(plain), bars_from_frame(other)

    for name in ("start", "end", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(bars[name], theirs[name])
    assert (bars["minute"][0], theirs["minute"][0]) == (600, 300)


def test_end_is_one_step_after_start_and_days_are_those_of_the_index():
    bars = bars_from_frame(frame_of(ROWS, start="2024-03-07 23:30"))

    assert ((bars["end"] - bars["start"]) == 15 * 60 * 10**9).all()
    assert bars["day"].tolist() == [19789, 19789, 19790]
    assert bars["weekday"].tolist() == [3, 3, 4]
    assert bars["end_minute"].tolist() == [1425, 0, 15]


def test_results_carry_the_index_they_came_with():
    frame = worked_example()

    assert indicators.fvg(frame).index.equals(frame.index)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.drop(columns="low"), "no column 'low'"),
        (lambda f: f.assign(close=[11, np.nan, 13]), "row 1: close is nan"),
        (lambda f: f.assign(high=[12, 13, 10.5]), "row 2: high 10.5 below low 11"),
        (lambda f: f.iloc[[0, 2, 1]], "row 2: stamp .* does not follow"),
        (lambda f: f.reset_index(drop=True), "index is RangeIndex: expected"),
    ],
    ids=["column", "nan", "high_low", "order", "index"],
)
def test_bad_frames_are_refused_by_row_and_name(spoil, message):
    with pytest.raises(DataError, match=message):
        indicators.atr(spoil(frame_of(ROWS)))


def test_an_empty_frame_gives_an_empty_result():
    empty = frame_of(ROWS).iloc[:0]

    assert len(indicators.fvg(empty)) == 0
    assert isinstance(indicators.fvg(empty), pd.DataFrame)


def test_an_unknown_block_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'fgv'"):
        _ = indicators.fgv
