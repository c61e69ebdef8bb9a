"""Bars of higher timeframes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import feeds
from core.bars import Series
from core.calendar import get_calendar
from core.errors import ConfigError
from core.synthetic import GOLD, NIFTY, generate
from tests.feeds.files import ends, starts

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def minutes(recipe, first, last):
    path = generate(recipe, first, last, 5)
    return Series(recipe.symbol, MINUTE, path.bars), path.calendar


def clock(texts):
    return [text[11:] for text in texts]


def test_nse_hours_count_from_the_open_and_the_last_is_clipped():
    series, calendar = minutes(NIFTY, date(2024, 7, 1), date(2024, 7, 1))

    hours = feeds.resample(series, HOUR, calendar)

    # 09:15, 10:15, ... 15:15 Kolkata; the last ends with the session at 15:30.
    assert clock(starts(hours)) == ["03:45", "04:45", "05:45", "06:45", "07:45", "08:45", "09:45"]
    assert clock(ends(hours))[-1] == "10:00"
    assert hours.lower is series


def test_a_bar_holds_first_open_extremes_last_close_sum_of_volume_widest_spread():
    series, calendar = minutes(NIFTY, date(2024, 7, 1), date(2024, 7, 1))
    series.bars["spread"][:5] = [0.1, 0.3, 0.2, 0.1, 0.1]

    bar = feeds.resample(series, 5 * MINUTE, calendar).bars[0]

    first = series.bars[:5]
    assert bar["open"] == first["open"][0]
    assert bar["high"] == first["high"].max()
    assert bar["low"] == first["low"].min()
    assert bar["close"] == first["close"][4]
    assert bar["volume"] == first["volume"].sum()
    assert bar["spread"] == 0.3


def test_missing_minutes_leave_the_grid_alone_and_empty_bars_are_not_made():
    series, calendar = minutes(NIFTY, date(2024, 7, 1), date(2024, 7, 1))
    keep = np.ones(375, bool)
    keep[7:23] = False  # 09:22 to 09:37

    bars = feeds.resample(series.with_bars(series.bars[keep]), 5 * MINUTE, calendar)

    assert clock(starts(bars))[:4] == ["03:45", "03:50", "04:05", "04:10"]
    assert clock(ends(bars))[:3] == ["03:50", "03:55", "04:10"]


def test_gold_hours_keep_to_the_session_over_a_daylight_change():
    # New York changes on Sunday 10 March 2024; the session opens 18:00 New York before and after.
    series, calendar = minutes(GOLD, date(2024, 3, 7), date(2024, 3, 12))

    four = feeds.resample(series, 4 * HOUR, calendar)
    days = feeds.resample(series, DAY, calendar)

    friday = [text[11:] for text in starts(four) if text.startswith("2024-03-08")]
    monday = [text[11:] for text in starts(four) if text.startswith("2024-03-11")]
    assert friday == ["03:00", "07:00", "11:00", "15:00", "19:00"]
    assert monday == ["02:00", "06:00", "10:00", "14:00", "18:00", "22:00"]
    assert starts(days)[:3] == ["2024-03-06T23:00", "2024-03-07T23:00", "2024-03-10T22:00"]
    assert ends(days)[:3] == ["2024-03-07T22:00", "2024-03-08T22:00", "2024-03-11T21:00"]


def test_weeks_run_from_monday_s_session_to_the_last_close_by_the_calendar():
    # Good Friday, 29 March 2024: the week's last session ends on Thursday.
    series, calendar = minutes(GOLD, date(2024, 3, 18), date(2024, 4, 5))

    weeks = feeds.resample(series, 7 * DAY, calendar)

    assert starts(weeks) == ["2024-03-17T22:00", "2024-03-24T22:00", "2024-03-31T22:00"]
    assert ends(weeks) == ["2024-03-22T21:00", "2024-03-28T21:00", "2024-04-05T21:00"]
    assert weeks.bars["end_weekday"].tolist() == [4, 3, 4]


def test_days_from_minutes_equal_days_from_hours():
    series, calendar = minutes(GOLD, date(2024, 3, 4), date(2024, 3, 15))
    hours = feeds.resample(series, HOUR, calendar)

    direct = feeds.resample(series, DAY, calendar)

    assert feeds.resample(hours, DAY, calendar).bars.tobytes() == direct.bars.tobytes()


def test_no_bar_is_known_before_its_last_minute_has_ended():
    series, calendar = minutes(NIFTY, date(2024, 7, 1), date(2024, 7, 5))
    bars = feeds.resample(series, 15 * MINUTE, calendar).bars

    place = np.searchsorted(bars["start"], series.bars["start"], "right") - 1

    assert (bars["end"][place] >= series.bars["end"]).all()


@pytest.mark.parametrize("timeframe", [90_000_000_000, 30_000_000_000, 2 * DAY])
def test_a_timeframe_that_is_no_multiple_is_refused(timeframe):
    series, calendar = minutes(NIFTY, date(2024, 7, 1), date(2024, 7, 1))

    with pytest.raises(ConfigError, match="expected"):
        feeds.resample(series, timeframe, calendar)


def test_the_reference_counts_of_nifty_come_out(real_data):
    path = real_data / "nifty50_1m.csv.gz"

    assert len(feeds.load(path, timeframe="5m", session="all")) == 38_592
    assert len(feeds.load(path, timeframe="5m")) == 38_552
    three = feeds.load(path, timeframe="3m")
    assert len(three) == 64_244
    assert three.source["built_from"] == "1m"
    assert three.lower is not None and len(three.lower) == 192_705


def test_gold_hours_from_quarters_agree_with_an_independent_hourly_grid(real_data):
    quarters = feeds.load(real_data / "xauusd_15m.csv.gz")

    hours = feeds.resample(quarters, HOUR, get_calendar("CMEGlobex_GC"))

    # New York is a whole number of hours from UTC, so gold's hours are clock hours.
    assert np.array_equal(hours.bars["start"], np.unique(quarters.bars["start"] // HOUR) * HOUR)
