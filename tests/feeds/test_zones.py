"""Wall clocks of files and UTC."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.errors import ConfigError
from feeds.zones import parse_zone


def walls(*texts):
    return np.array(texts, "M8[ns]").astype(np.int64)


def to_utc(zone, *texts):
    utc, skipped = parse_zone(zone).to_utc(walls(*texts))
    return [str(t)[:16] for t in utc.astype("M8[ns]")], skipped


def test_server_time_is_new_york_plus_seven_hours_in_winter_and_summer():
    # 17:00 New York, the end of gold's day, is midnight on the server all year.
    utc, skipped = to_utc("ny+7", "2024-01-11T00:00", "2024-07-11T00:00")

    assert utc == ["2024-01-10T22:00", "2024-07-10T21:00"]
    assert skipped == -1


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2024-07-10T12:00"),
        ("+05:30", "2024-07-10T06:30"),
        ("-04:00", "2024-07-10T16:00"),
        ("UTC+3", "2024-07-10T09:00"),
        ("Asia/Kolkata", "2024-07-10T06:30"),
        ("ist", "2024-07-10T06:30"),
        ("America/New_York", "2024-07-10T16:00"),
        ("EST", "2024-07-10T17:00"),
    ],
)
def test_a_zone_is_named_in_many_ways(zone, expected):
    assert to_utc(zone, "2024-07-10T12:00") == ([expected], -1)


def test_a_repeated_hour_is_its_first_pass_until_the_stamps_step_back():
    utc, _ = to_utc(
        "America/New_York",
        "2024-11-03T00:30",
        "2024-11-03T01:00",
        "2024-11-03T01:30",
        "2024-11-03T01:00",
        "2024-11-03T01:30",
        "2024-11-03T02:00",
    )

    assert [text[11:] for text in utc] == ["04:30", "05:00", "05:30", "06:00", "06:30", "07:00"]


def test_a_stamp_in_a_skipped_hour_is_told_by_its_row():
    _, skipped = to_utc("America/New_York", "2024-03-10T01:30", "2024-03-10T02:30")

    assert skipped == 1


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Asia/Kolkata"])
def test_conversion_agrees_with_pandas(zone):
    index = pd.date_range("2020-01-01", "2025-01-01", freq="17h", tz="UTC")
    local = index.tz_convert(zone).tz_localize(None)

    utc, skipped = parse_zone(zone).to_utc(local.as_unit("ns").asi8.copy())

    repeated = pd.DatetimeIndex(local).duplicated(keep=False)
    assert skipped == -1
    differs = utc != index.as_unit("ns").asi8
    assert differs[~repeated].sum() <= 6  # second passes of a repeated hour met without the first
    assert np.abs(utc - index.as_unit("ns").asi8).max() <= 3_600_000_000_000


@pytest.mark.parametrize(
    ("wrong", "near"), [("Asia/Kolkatta", "Asia/Kolkata"), ("America/NewYork", "America/New_York")]
)
def test_an_unknown_zone_suggests_the_near_name(wrong, near):
    with pytest.raises(ConfigError, match=near):
        parse_zone(wrong)
