from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.errors import ConfigError
from core.zones import find_zone, zone_table


@pytest.mark.parametrize(
    "name", ["America/New_York", "Europe/Athens", "Asia/Kolkata", "America/Chicago", "UTC"]
)
def test_wall_times_agree_with_pandas_through_thirty_years_of_changes(name: str) -> None:
    utc = np.arange(
        np.datetime64("1996-01-01T00:07", "ns").astype(np.int64),
        np.datetime64("2026-01-01", "ns").astype(np.int64),
        37 * 3600 * 10**9,
    )
    expected = pd.DatetimeIndex(utc, tz="UTC").tz_convert(name).tz_localize(None).as_unit("ns").asi8

    local = zone_table(name).to_local(utc)

    assert np.array_equal(local, expected)
    assert np.array_equal(zone_table(name).to_local(zone_table(name).to_utc(local)), local)


def test_an_hour_that_occurs_twice_is_its_first_and_one_that_is_skipped_lands_after_the_gap() -> (
    None
):
    table = zone_table("America/New_York")
    twice = np.array([np.datetime64("2024-11-03T01:30", "ns").astype(np.int64)])
    skipped = np.array([np.datetime64("2024-03-10T02:30", "ns").astype(np.int64)])

    first, after = table.to_utc(twice)[0], table.to_utc(skipped)[0]

    assert pd.Timestamp(first) == pd.Timestamp("2024-11-03 05:30")
    assert pd.Timestamp(after) == pd.Timestamp("2024-03-10 07:30")


def test_an_unknown_zone_names_near_ones() -> None:
    with pytest.raises(ConfigError, match=r"Asia/Kolkatta.*did you mean.*Asia/Kolkata"):
        find_zone("Asia/Kolkatta")
    with pytest.raises(ConfigError, match="Asia/Kolkata"):
        zone_table("kolkata")
