"""Bad files: one line naming file, line, value and remedy."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest

import feeds
from core.errors import ConfigError, DataError
from tests.feeds.files import HEADER, ROWS, table, write

GOOD = ROWS[0]
LATER = "2024-01-03 14:45:00,2048.90,2049.50,2048.00,2049.10,80"


@pytest.mark.parametrize(
    ("row", "line", "words"),
    [
        ("2024-01-03 14:30:00,2050,abc,2049,2050,1", 4, "high is 'abc', expected a number"),
        ("2024-01-03 14:30:00,2050,,2049,2050,1", 4, "missing or NaN"),
        ("2024-01-03 14:30:00,2050,NaN,2049,2050,1", 4, "missing or NaN"),
        ("2024-01-03 14:30:00,2050,inf,2049,2050,1", 4, "high inf"),
        ("2024-01-03 14:30:00,2050,2051,-2049,2050,1", 4, "zero or negative .*low -2049"),
        ("2024-01-03 14:30:00,0,2051,2049,2050,1", 4, "zero or negative .*open 0"),
        ("2024-01-03 14:30:00,2050,2048,2049,2050,1", 4, "high 2048 is below low 2049"),
        ("2024-01-03 14:30:00,2052,2051,2049,2050,1", 4, "open 2052 lies outside"),
        ("2024-01-03 14:30:00,2050,2051,2049,2048,1", 4, "close 2048 lies outside"),
        ("2024-01-03 14:30:00,2050,2051,2049,2050,-1", 4, "volume is -1"),
        ("2024-01-03 14:15:00,2050,2051,2049,2050,1", 4, "repeats"),
        ("2024-01-03 13:00:00,2050,2051,2049,2050,1", 4, "earlier than .*sort the file"),
        ("2024-01-03 25:30:00,2050,2051,2049,2050,1", 4, "stamp is '2024-01-03 25:30:00'"),
        ("2024-01-03 14:30:00Z,2050,2051,2049,2050,1", 4, "mixed zones: .*14:30:00Z"),
        ("2024-01-03 14:30:00,2050,2051", 4, "3 fields where 6 are expected"),
    ],
)
@pytest.mark.parametrize("name", ["xauusd.csv", "xauusd.csv.gz"])
def test_a_bad_row_is_named_with_line_value_and_remedy(tmp_path, row, line, words, name):
    path = write(tmp_path, table(GOOD, ROWS[1], row, LATER), name)

    with pytest.raises(DataError, match=words) as caught:
        feeds.load(path, tz="UTC")

    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert "\n" not in str(caught.value)


def test_blank_lines_and_comments_count_as_lines(tmp_path):
    bad = "2024-01-03 14:30:00,2050,2048,2049,2050,1"
    path = write(tmp_path, "# note\n" + table(GOOD, "", ROWS[1], bad))

    with pytest.raises(DataError) as caught:
        feeds.load(path, tz="UTC")

    assert caught.value.line == 6


def test_a_bad_row_of_a_large_file_is_named_by_the_short_way_too(tmp_path):
    minutes = np.datetime64("2024-01-03T00:00") + np.arange(30_000)
    rows = [f"{str(t).replace('T', ' ')}:00,10.5,11.25,9.75,10,5" for t in minutes]
    rows[20_000] = rows[20_000].replace(",10,", ",12,")
    path = write(tmp_path, table(*rows), "btcusd_1m.csv")

    with pytest.raises(DataError, match="close 12 lies outside") as caught:
        feeds.load(path, tz="UTC")

    assert caught.value.line == 20_002


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        feeds.load(tmp_path / "xauusd.csv")
    with pytest.raises(DataError, match="no such file"):
        feeds.load(tmp_path / "xauusd.parquet")


@pytest.mark.parametrize("name", ["xauusd.csv", "xauusd.csv.gz"])
@pytest.mark.parametrize(
    ("text", "words"), [("", "empty"), (HEADER, "no rows"), ("#a\n", "no rows")]
)
def test_a_file_without_rows_is_refused(tmp_path, name, text, words):
    with pytest.raises(DataError, match=words):
        feeds.load(write(tmp_path, text, name), tz="UTC")


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "xauusd.csv"
    path.write_bytes(bytes(range(256)) * 10)

    with pytest.raises(DataError, match="binary"):
        feeds.load(path)


def test_a_truncated_gzip_file_is_refused(tmp_path):
    packed = gzip.compress(table(*ROWS * 100).encode())
    path = tmp_path / "xauusd.csv.gz"

    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="truncated"):
        feeds.load(path)

    path.write_bytes(packed[:20] + b"\x00\xff" * 8 + packed[30:])
    with pytest.raises(DataError, match=r"damaged|truncated"):
        feeds.load(path)


def test_a_zip_with_two_files_is_refused(tmp_path):
    path = tmp_path / "xauusd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", table(*ROWS))
        archive.writestr("b.csv", table(*ROWS))

    with pytest.raises(DataError, match="2 CSV"):
        feeds.load(path)


def test_a_text_that_calls_itself_parquet_is_refused(tmp_path):
    with pytest.raises(DataError, match="Parquet"):
        feeds.load(write(tmp_path, table(*ROWS), "xauusd.parquet"))


def test_a_missing_column_is_named_with_those_present(tmp_path):
    path = write(tmp_path, "datetime,open,high,close,volume\n2024-01-03 14:00:00,1,2,1,5\n")

    with pytest.raises(
        DataError, match="missing column low: the file has datetime, open"
    ) as caught:
        feeds.load(path)

    assert caught.value.line == 1


def test_a_mapping_to_an_absent_column_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column 'Opening'"):
        feeds.load(write(tmp_path, table(*ROWS)), columns={"open": "Opening"})


@pytest.mark.parametrize(
    ("wanted", "words"), [("1m", "finer than the file's 15m"), ("20m", "no multiple")]
)
def test_a_timeframe_the_file_cannot_give_is_refused(tmp_path, wanted, words):
    with pytest.raises(DataError, match=words):
        feeds.load(write(tmp_path, table(*ROWS)), tz="UTC", timeframe=wanted)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"tz": "Asia/Kolkatta"}, "Asia/Kolkata"),
        ({"stamp": "strat"}, "did you mean 'start'"),
        ({"session": "9-15"}, "expected auto, all or hours"),
        ({"timeframe": "15x"}, "expected a number and"),
        ({"symbol": "XAUSD"}, "XAUUSD"),
    ],
)
def test_a_wrong_option_names_what_is_allowed(tmp_path, option, words):
    with pytest.raises(ConfigError, match=words):
        feeds.load(write(tmp_path, table(*ROWS)), **{"tz": "UTC", **option})


def test_a_stamp_in_an_hour_its_zone_skips_is_named(tmp_path):
    rows = (
        f"2024-03-10 0{hour}:{minute}:00,10,11,9,10,1" for hour in (1, 2) for minute in (10, 40)
    )

    with pytest.raises(DataError, match="hour that America/New_York skips") as caught:
        feeds.load(write(tmp_path, table(*rows), "btcusd.csv"), tz="America/New_York")

    assert caught.value.line == 4


def test_a_date_that_may_be_day_or_month_first_is_refused(tmp_path):
    path = write(tmp_path, table("01/02/2024 10:00,10,11,9,10,1", "01/03/2024 10:00,10,11,9,10,1"))

    with pytest.raises(DataError, match="day or month first"):
        feeds.load(path, tz="UTC")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame(), "empty"),
        (pd.DataFrame({"open": [1.0]}, index=pd.DatetimeIndex(["2024-01-01"])), "missing column"),
        (
            pd.DataFrame(
                {"open": ["x"], "high": [1.0], "low": [1.0], "close": [1.0]},
                index=pd.DatetimeIndex(["2024-01-01"]),
            ),
            "holds text",
        ),
    ],
)
def test_a_bad_frame_is_refused(frame, words):
    with pytest.raises(DataError, match=words):
        feeds.load(frame, symbol="XAUUSD", timeframe="15m")


def test_a_source_that_is_neither_file_nor_frame_is_refused():
    with pytest.raises(DataError, match="not list"):
        feeds.load([1, 2, 3], symbol="XAUUSD")
