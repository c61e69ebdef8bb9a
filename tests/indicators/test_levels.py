"""Previous day and week levels."""

import numpy as np
import pandas as pd
import pytest

import indicators
from tests.indicators.series import frame_of


def days(rows, start):
    return frame_of(rows, start=start, step="12h")


def test_second_worked_example():
    # EX2: D1 110/100, D2 108/103, then a bar with high 108.0 and one with 108.1
    frame = days(
        [
            [105, 110, 104, 105],
            [105, 106, 100, 104],
            [104, 108, 104, 105],
            [105, 106, 103, 104],
            [104, 108.0, 104, 105],
            [105, 108.1, 105, 106],
        ],
        "2024-01-02",
    )

    readings = indicators.levels(frame)

    assert readings["day_high"].iloc[:2].isna().all()
    assert readings["day_high"].iloc[2:].tolist() == [110.0, 110.0, 108.0, 108.0]
    assert readings["day_low"].iloc[2:].tolist() == [100.0, 100.0, 103.0, 103.0]
    assert readings["day_high_broken"].tolist() == [0, 0, 0, 0, 0, 1]


def test_a_broken_level_stays_broken_until_the_next_day():
    frame = days(
        [[10, 12, 8, 10], [10, 11, 9, 10], [10, 13, 9, 10], [10, 11, 9, 10], [10, 11, 9, 10]],
        "2024-01-02",
    )

    readings = indicators.levels(frame)

    assert readings["day_high_broken"].tolist() == [0, 0, 1, 1, 0]


def test_weeks_run_from_monday_and_carry_the_last_completed_one():
    index = pd.to_datetime(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-15"])
    prices = np.array([[10, 14, 9, 10], [10, 12, 7, 10], [10, 11, 9, 10], [10, 13, 8, 10]])
    frame = frame_of([*prices.tolist(), [10, 11, 9, 10]]).set_axis(index, axis=0)

    readings = indicators.levels(frame)

    assert readings["week_high"].iloc[2:].tolist() == [14.0, 14.0, 13.0]
    assert readings["week_low"].iloc[2:].tolist() == [7.0, 7.0, 8.0]
    assert readings["week_high"].iloc[:2].isna().all()


@pytest.mark.parametrize(
    ("first_of_day", "season"),
    [("2024-01-03 23:00", "winter"), ("2024-07-03 22:00", "summer")],
)
def test_the_gold_day_turns_at_18_new_york_in_winter_and_summer(first_of_day, season):
    first = pd.Timestamp(first_of_day)
    index = pd.DatetimeIndex([first - pd.Timedelta(days=1), first - pd.Timedelta("2h"), first])
    frame = frame_of([[10, 12, 8, 10], [10, 15, 9, 10], [10, 11, 9, 10]]).set_axis(index, axis=0)

    readings = indicators.levels(frame, zone="America/New_York", day_shift_minutes=360)

    assert readings["day_high"].isna().tolist() == [True, True, False]
    assert readings["day_high"].iloc[2] == 15.0
