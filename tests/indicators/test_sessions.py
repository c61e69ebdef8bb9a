"""Sessions over midnight and through daylight saving changes; opening range; VWAP."""

import pandas as pd
import pytest

import indicators
from core.errors import ConfigError
from indicators import sessions
from tests.indicators.series import frame_of


def ticking(start, periods, step="15min", zone=None):
    """Bars whose high is their row number: extremes tell which rows a session took in."""
    frame = frame_of([[0.5 + i, 1.0 + i, 0.0 + i, 0.5 + i] for i in range(periods)])
    index = pd.date_range(start, periods=periods, freq=step, tz=zone)
    return frame.set_axis(index, axis=0)


def active_local_times(frame, name, zone):
    readings = indicators.sessions(frame, name)
    inside = readings.index[readings["active"] == 1].tz_convert(zone)
    return sorted({stamp.strftime("%H:%M") for stamp in inside})


def test_asia_takes_a_bar_stamped_01_45_and_leaves_one_stamped_02_00():
    frame = ticking("2024-01-02 18:00", 40, zone="America/New_York")

    readings = indicators.sessions(frame, "asia")

    assert readings["active"].loc["2024-01-03 01:45-05:00"] == 1
    assert readings["active"].loc["2024-01-03 02:00-05:00"] == 0


@pytest.mark.parametrize("day", ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"])
def test_the_london_kill_zone_keeps_new_york_hours_before_and_after_the_change(day):
    frame = ticking(day, 96, zone="UTC")

    times = active_local_times(frame, "london", "America/New_York")

    assert (times[0], times[-1], len(times)) == ("02:00", "04:45", 12)


def test_in_utc_the_london_kill_zone_moves_by_an_hour_with_the_season():
    winter = active_local_times(ticking("2024-03-08", 96, zone="UTC"), "london", "UTC")
    summer = active_local_times(ticking("2024-03-11", 96, zone="UTC"), "london", "UTC")

    assert (winter[0], summer[0]) == ("07:00", "06:00")


def test_on_the_night_the_clock_springs_forward_the_window_loses_its_missing_hour():
    # New York, 10 March 2024: 02:00 to 03:00 does not exist
    frame = ticking("2024-03-10 05:00", 20, zone="UTC")

    times = active_local_times(frame, "london", "America/New_York")

    assert (times[0], len(times)) == ("03:00", 8)


def test_on_the_night_the_clock_falls_back_asia_is_one_session_of_nine_hours():
    # New York, 2 November 18:00 to 3 November 2024 02:00; 01:00 to 02:00 comes twice
    frame = ticking("2024-11-02 22:00", 48, zone="UTC")

    readings = indicators.sessions(frame, "asia")

    assert readings["active"].sum() == 36
    assert readings["previous_high"].dropna().iloc[0] == 36.0
    assert readings["previous_low"].dropna().nunique() == 1


def test_previous_extremes_hold_from_the_first_bar_after_the_end_to_the_next_end():
    frame = ticking("2024-01-02 17:00", 200, zone="America/New_York")

    readings = indicators.sessions(frame, "asia")

    first = readings["previous_high"].first_valid_index()
    assert first == pd.Timestamp("2024-01-03 02:00", tz="America/New_York")
    held = readings["previous_high"].loc[first : first + pd.Timedelta("23h45min")]
    assert len(held) == 96
    assert held.nunique() == 1
    assert readings["previous_high"].loc[first + pd.Timedelta("24h")] > held.iloc[0]


def test_a_session_interrupted_by_missing_data_is_completed_by_the_next_one():
    frame = ticking("2024-01-02 18:00", 130, zone="America/New_York")
    gap = pd.concat([frame.iloc[:8], frame.iloc[96:]])

    readings = indicators.sessions(gap, "asia")

    assert readings["previous_high"].iloc[8] == 8.0
    assert readings["high"].iloc[8] == 97.0


def test_naive_stamps_are_utc():
    aware = indicators.sessions(ticking("2024-01-02", 96, zone="UTC"), "london")
    naive = indicators.sessions(ticking("2024-01-02", 96), "london")

    assert aware["active"].tolist() == naive["active"].tolist()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "londn"}, "london"),
        ({"zone": "America/NewYork"}, "America/New_York"),
        ({"start": "25:00"}, "25:00"),
        ({"start": "9:5"}, "9:5"),
    ],
)
def test_wrong_session_settings_are_told_with_the_near_name(arguments, told):
    with pytest.raises(ConfigError, match=told):
        indicators.sessions(ticking("2024-01-02", 4), **arguments)


def test_every_default_window_is_known_to_its_zone():
    for window in sessions.WINDOWS.values():
        assert 0 <= window.start < 1440
        assert 0 <= window.end < 1440


def test_the_opening_range_is_known_at_09_30_and_rebuilt_each_day():
    day = ticking("2024-01-02 09:15", 6, step="5min", zone="Asia/Kolkata")
    second = ticking("2024-01-03 09:15", 6, step="5min", zone="Asia/Kolkata")

    readings = indicators.opening_range(pd.concat([day, second]))

    assert readings["complete"].tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert readings["high"].iloc[3:6].tolist() == [3.0, 3.0, 3.0]
    assert readings["low"].iloc[3] == 0.0
    assert readings["high"].iloc[6:9].isna().all()


def test_a_day_that_starts_after_the_window_has_no_opening_range():
    frame = ticking("2024-01-02 09:35", 6, step="5min", zone="Asia/Kolkata")

    readings = indicators.opening_range(frame)

    assert readings["complete"].sum() == 0
    assert readings["high"].isna().all()


def test_vwap_weighs_typical_prices_and_starts_anew_each_day():
    frame = frame_of(
        [[10, 12, 9, 12, 10], [12, 15, 12, 12, 30], [12, 13, 11, 12, 5]],
        start="2024-01-02 12:00",
        step="6h",
    )

    readings = indicators.vwap(frame)["vwap"].tolist()

    assert readings[:2] == [11.0, (11.0 * 10 + 13.0 * 30) / 40]
    assert readings[2] == 12.0


def test_vwap_without_volume_is_the_mean_of_the_days_closes():
    frame = frame_of([[10, 12, 9, 12, 0], [12, 15, 12, 13, 0], [12, 13, 11, 11, 0]])

    assert indicators.vwap(frame)["vwap"].tolist() == [12.0, 12.5, 12.0]
