"""Zone and stamp side found from the market's own hours."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import feeds
from core.calendar import get_calendar
from core.errors import DataError
from core.synthetic import GOLD, NIFTY, generate
from core.zones import zone_table
from tests.feeds.files import table, write


@pytest.fixture(scope="module")
def gold():
    path = generate(GOLD, date(2024, 1, 2), date(2024, 12, 20), 11)
    return feeds.resample(series_of(path), 15 * 60_000_000_000, path.calendar)


@pytest.fixture(scope="module")
def nifty():
    return series_of(generate(NIFTY, date(2024, 7, 1), date(2024, 7, 31), 12))


def series_of(path):
    from core.bars import Series

    return Series(path.recipe.symbol, 60_000_000_000, path.bars)


def written(folder, series, zone, name, shift_ns=0, side="start"):
    """Write a series as a file whose stamps are a zone's wall clock."""
    wall = zone_table(zone).to_local(np.ascontiguousarray(series.bars[side])) + shift_ns
    stamps = np.datetime_as_string(wall.astype("M8[ns]"), unit="s")
    rows = (
        f"{stamp.replace('T', ' ')},{bar['open']},{bar['high']},{bar['low']},{bar['close']},1"
        for stamp, bar in zip(stamps, series.bars, strict=True)
    )
    return write(folder, table(*rows), name)


@pytest.mark.parametrize(
    ("zone", "hours", "name"),
    [
        ("UTC", 0, "UTC"),
        ("America/New_York", 7, "ny+7"),
        ("America/New_York", 0, "America/New_York"),
        ("America/Chicago", 0, "America/Chicago"),
        ("Asia/Kolkata", 0, "Asia/Kolkata"),
        ("Europe/Athens", 0, "Europe/Athens"),
        ("Europe/London", 0, "Europe/London"),
    ],
)
def test_the_zone_of_gold_is_found_from_its_daily_break(tmp_path, gold, zone, hours, name):
    path = written(tmp_path, gold, zone, "xauusd.csv", hours * 3_600_000_000_000)

    found = feeds.load(path)

    assert found.source["zone"] == name
    assert found.source["zone_sure"]
    assert "daily break" in found.source["zone_known"]
    assert np.array_equal(found.bars["start"], gold.bars["start"])


def test_a_winter_file_fits_several_zones_that_mean_the_same_times(tmp_path, gold):
    january = gold.with_bars(gold.bars[:1500])

    london = feeds.load(written(tmp_path, january, "Europe/London", "xauusd.csv"))
    athens = feeds.load(written(tmp_path, january, "Europe/Athens", "gold.csv"))

    assert np.array_equal(london.bars["start"], january.bars["start"])
    assert np.array_equal(athens.bars["start"], january.bars["start"])
    assert (london.source["zone"], athens.source["zone"]) == ("UTC", "ny+7")


def test_weeks_between_two_daylight_changes_part_server_time_from_athens(tmp_path, gold):
    spring = gold.with_bars(gold.bars[:7000])

    found = feeds.load(written(tmp_path, spring, "Europe/Athens", "gold.csv"))

    assert (found.source["zone"], found.source["zone_sure"]) == ("Europe/Athens", True)


def test_of_two_zones_that_fit_as_well_a_load_asks_which(tmp_path, gold):
    quiet = gold.bars["minute"] // 60 == 18
    path = written(tmp_path, gold.with_bars(gold.bars[~quiet]), "UTC", "gold.csv")

    with pytest.raises(DataError, match="--tz UTC or --tz Europe/London"):
        feeds.load(path)

    assert feeds.load(path, tz="UTC").source["zone_known"] == "stated"


def test_the_zone_of_an_indian_file_is_found_from_its_day(tmp_path, nifty):
    found = feeds.load(written(tmp_path, nifty, "Asia/Kolkata", "nifty50.csv"))

    assert (found.source["zone"], found.source["zone_sure"]) == ("Asia/Kolkata", True)
    assert np.array_equal(found.bars["start"], nifty.bars["start"])


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m"])
def test_end_stamps_are_found_from_the_session_ends(tmp_path, nifty, timeframe):
    minutes = int(timeframe[:-1])
    series = feeds.resample(nifty, minutes * 60_000_000_000, get_calendar("NSE"))

    found = feeds.load(written(tmp_path, series, "Asia/Kolkata", "nifty50.csv", side="end"))

    assert found.source["stamp"] == "end"
    assert np.array_equal(found.bars["start"], series.bars["start"])
    assert np.array_equal(found.bars["end"], series.bars["end"])


def test_end_stamps_of_gold_are_found(tmp_path, gold):
    found = feeds.load(written(tmp_path, gold, "UTC", "xauusd.csv", side="end"))

    assert (found.source["zone"], found.source["stamp"]) == ("UTC", "end")
    assert np.array_equal(found.bars["start"], gold.bars["start"])


def test_a_session_s_short_last_bar_keeps_its_start_under_end_stamps(tmp_path, nifty):
    hours = feeds.resample(nifty, 3_600_000_000_000, get_calendar("NSE"))

    path = written(tmp_path, hours, "Asia/Kolkata", "nifty50.csv", side="end")
    found = feeds.load(path, stamp="end", tz="Asia/Kolkata")

    assert np.array_equal(found.bars["start"], hours.bars["start"])


def test_hours_that_fit_no_zone_are_an_error_that_asks_for_one(tmp_path):
    every = np.datetime64("2024-01-01T00:00") + 15 * np.arange(3000)
    rows = (f"{str(t).replace('T', ' ')}:00,10,11,9,10,1" for t in every)
    path = write(tmp_path, table(*rows), "nifty50.csv")

    with pytest.raises(DataError, match="no zone fits the hours of NSE"):
        feeds.load(path)


def test_a_few_hours_tell_nothing_and_the_zone_is_assumed_openly(tmp_path, gold):
    few = gold.with_bars(gold.bars[:20])

    found = feeds.load(written(tmp_path, few, "UTC", "xauusd.csv"))

    assert found.source["zone"] == "UTC"
    assert not found.source["zone_sure"]
    assert "assumed" in found.source["zone_known"]


def test_day_bars_at_midnight_are_trading_dates(tmp_path):
    rows = (f"2024-01-{day:02d} 00:00:00,10,11,9,10,1" for day in (8, 9, 10))

    series = feeds.load(write(tmp_path, table(*rows), "xauusd_daily.csv"))

    # The trading day of Monday the 8th runs from Sunday 18:00 to Monday 17:00 New York.
    assert str(series.bars["start"][0].astype("M8[ns]"))[:16] == "2024-01-07T23:00"
    assert str(series.bars["end"][0].astype("M8[ns]"))[:16] == "2024-01-08T22:00"
    assert series.source["zone"] == "trading date"


@pytest.mark.parametrize(
    ("name", "zone", "bars"),
    [
        ("xauusd_15m", "UTC", 61_574),
        ("xauusd_5m", "UTC", 58_230),
        ("xauusd_1h", "UTC", 57_599),
        ("xauusd_1m", "UTC", 19_999),
        ("gc_fut_1h", "UTC", 11_400),
        ("dxy_1h", "UTC", 35_006),
        ("nifty50_1m", "Asia/Kolkata", 192_705),
        ("nifty50_daily", "trading date", 876),
    ],
)
def test_the_zone_of_every_real_file_is_found(real_data, name, zone, bars):
    series = feeds.load(real_data / f"{name}.csv.gz")

    assert (series.source["zone"], series.source["stamp"]) == (zone, "start")
    assert series.source["zone_sure"]
    assert len(series) == bars


def test_rows_outside_the_nse_session_are_dropped_and_counted(real_data):
    path = real_data / "nifty50_1m.csv.gz"

    assert feeds.load(path).source["dropped"] == {"outside_session": 196}
    assert len(feeds.load(path, session="all")) == 192_901
    assert feeds.load(path, session="09:15-09:30").bars["minute"].max() == 569
