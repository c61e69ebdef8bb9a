"""Stamps of text files: which forms are read, and as what time."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.stamps import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, is_stamp, parse_column


def parsed(*texts, order=YEAR_FIRST):
    return parse_column(pa.chunked_array([pa.array(texts, pa.string())]), order)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05"),
        ("2024-01-02T03:04:05", "2024-01-02T03:04:05"),
        ("2024-02-29 23:59", "2024-02-29T23:59:00"),
        ("2024.01.02 03:04", "2024-01-02T03:04:00"),
        ("2024.01.02 03:04:05", "2024-01-02T03:04:05"),
        ("2024/1/2 3:04", "2024-01-02T03:04:00"),
        ("20240102 030405", "2024-01-02T03:04:05"),
        ("20240102;0304", "2024-01-02T03:04:00"),
        ("202401020304", "2024-01-02T03:04:00"),
        ("2024-01-02", "2024-01-02T00:00:00"),
        ("2024-01-02 03:04:05.250", "2024-01-02T03:04:05.25"),
        ("1704164645", "2024-01-02T03:04:05"),
        ("1704164645.0", "2024-01-02T03:04:05"),
        ("1704164645000", "2024-01-02T03:04:05"),
        ("1704164645000000", "2024-01-02T03:04:05"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05"),
        ("2024-01-02 09:15:00+05:30", "2024-01-02T03:45:00"),
        ("2024-01-02 09:15:00-0400", "2024-01-02T13:15:00"),
        ("2024-01-02 09:15 UTC", "2024-01-02T09:15:00"),
    ],
)
def test_a_stamp_of_any_usual_form_is_read(text, expected):
    stamps = parsed(text)

    assert stamps.bad_row == -1
    assert stamps.ns[0] == np.datetime64(expected, "ns").astype(np.int64)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "2024-02-30 10:00",
        "2023-02-29",
        "2024-13-01 00:00:00",
        "2024-01-02 24:00:00",
        "2024-01-02 10:60",
        "2024-01-02 1",
        "2024-01/02 10:00",
        "2024-01-02 10:00:00+99:00",
        "01/02/2024 10:00",
        "12.5",
    ],
)
def test_a_text_that_is_no_stamp_is_told_by_its_row(text):
    stamps = parsed("2024-01-02 10:00:00", text)

    assert stamps.bad_row == 1
    assert not is_stamp(text)


def test_day_and_month_first_are_two_readings_of_one_text():
    day = parsed("03/04/2024 10:00", order=DAY_FIRST)
    month = parsed("03/04/2024 10:00", order=MONTH_FIRST)

    assert str(day.ns.astype("M8[ns]")[0])[:10] == "2024-04-03"
    assert str(month.ns.astype("M8[ns]")[0])[:10] == "2024-03-04"


def test_two_offsets_an_hour_apart_are_one_place_with_daylight_saving():
    stamps = parsed("2024-03-08 10:00:00-05:00", "2024-03-11 10:00:00-04:00")

    assert stamps.mixed_row == -1
    assert stamps.offsets == (-300, -240)


@pytest.mark.parametrize(
    "second", ["2024-03-08 10:15:00", "2024-03-08 10:15:00+05:30", "1709892900"]
)
def test_stamps_of_different_kinds_are_mixed(second):
    stamps = parsed("2024-03-08 10:00:00-05:00", second)

    assert stamps.mixed_row == 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.datetimes(datetime(1970, 1, 1), datetime(2200, 12, 31)).map(
            lambda when: when.replace(microsecond=0)
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S", "%Y.%m.%d %H:%M:%S", "%Y%m%d %H%M%S", "%Y/%m/%dT%H:%M:%S"]
    ),
)
def test_every_time_written_is_the_time_read(times, form):
    stamps = parsed(*(when.strftime(form) for when in times))

    assert stamps.bad_row == -1
    assert stamps.ns.astype("M8[ns]").astype("M8[s]").tolist() == times


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=25))
def test_junk_is_a_stamp_or_not_but_never_a_crash(text):
    stamps = parsed(text)

    assert (stamps.bad_row == -1) == is_stamp(text)
