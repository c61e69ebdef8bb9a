"""Files of ours: equal to what they were made of, joined over years, with their origin."""

from __future__ import annotations

import json
import zipfile
from datetime import date

import numpy as np
import pytest

import feeds
from core.bars import Series
from core.errors import ConfigError, DataError
from core.synthetic import GOLD, NIFTY, generate
from feeds.converting import Reading, convert
from feeds.provenance import stated
from tests.feeds.files import ROWS, table, write
from tests.feeds.test_origin import written

MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def gold():
    path = generate(GOLD, date(2024, 3, 4), date(2024, 3, 28), 31)
    return feeds.resample(Series("XAUUSD", MINUTE, path.bars), 15 * MINUTE, path.calendar)


@pytest.mark.parametrize("name", ["gold.parquet", "gold.csv", "gold.csv.gz"])
def test_a_converted_file_gives_the_same_bars(tmp_path, gold, name):
    source = written(tmp_path, gold, "America/New_York", "xauusd.csv", 7 * 60 * MINUTE)
    before = feeds.load(source)

    made = convert([str(source)], tmp_path / name, tool="tola 1.2.3")
    after = feeds.load(tmp_path / name)

    assert np.array_equal(after.bars, before.bars)
    assert (after.symbol, after.timeframe_ns) == (before.symbol, before.timeframe_ns)
    told = after.source["provenance"]
    assert told == json.loads(made.provenance.text()) | {"kind": told["kind"]}
    assert (told["tool"], told["rows"], told["timeframe"]) == ("tola 1.2.3", len(gold), "15m")
    (origin,) = told["sources"]
    assert (origin["name"], origin["zone"], origin["rows"]) == ("xauusd.csv", "ny+7", len(gold))
    assert origin["sha256"] == before.source["sha256"]
    assert "daily break" in origin["zone_known"]


def test_a_file_of_ours_needs_neither_name_nor_zone_again(tmp_path):
    source = write(tmp_path, table(*ROWS), "prices.csv")

    convert([str(source)], tmp_path / "x.parquet", Reading("MGC", "ny+7"))
    series = feeds.load(tmp_path / "x.parquet")

    assert (series.symbol, series.source["symbol_known"]) == ("MGC", "stated in the file")
    assert str(series.bars["start"][0].astype("M8[ns]"))[:16] == "2024-01-03T12:00"


def test_spreads_survive(tmp_path):
    text = table(*(f"{row},0.25" for row in ROWS)).replace("volume", "volume,spread")
    source = write(tmp_path, text)

    for name in ("a.csv", "a.parquet"):
        convert([str(source)], tmp_path / name, Reading(tz="UTC"))

        assert feeds.load(tmp_path / name).bars["spread"].tolist() == [0.25] * 3


def test_rows_outside_the_session_stay_in_a_copy_and_a_run_drops_them(tmp_path):
    path = generate(NIFTY, date(2024, 7, 1), date(2024, 7, 5), 12)
    source = written(tmp_path, Series("NIFTY-FUT", MINUTE, path.bars), "Asia/Kolkata", "nifty.csv")
    early = "2024-07-02 09:08:00,100,100,100,100,1"
    lines = source.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("2024-07-02"))
    source.write_text("\n".join([*lines[:at], early, *lines[at:]]) + "\n")
    asked = Reading("NIFTY-FUT", "Asia/Kolkata")

    convert([str(source)], tmp_path / "n.parquet", asked)
    built = convert([str(source)], tmp_path / "n5.parquet", asked, timeframe="5m")

    assert len(feeds.load(tmp_path / "n.parquet", session="all")) == len(lines)
    assert feeds.load(tmp_path / "n.parquet").source["dropped"] == {"outside_session": 1}
    assert built.series.bars["low"].min() > 100


def test_years_are_joined_and_equal_rows_of_both_counted_once(tmp_path, gold):
    first, second = gold.with_bars(gold.bars[:600]), gold.with_bars(gold.bars[550:])
    paths = [
        str(written(tmp_path, second, "UTC", "xauusd_b.csv")),
        str(written(tmp_path, first, "America/New_York", "xauusd_a.csv")),
    ]

    made = convert(paths, tmp_path / "gold.parquet")

    assert np.array_equal(feeds.load(made.out).bars["start"], gold.bars["start"])
    assert made.provenance.changes == {"equal rows merged": 50}
    assert {s["zone"] for s in made.provenance.sources} == {"UTC", "America/New_York"}


def test_rows_that_differ_name_both_files_and_leave_nothing_behind(tmp_path):
    write(tmp_path, table(*ROWS), "xauusd_a.csv")
    write(tmp_path, table(ROWS[2].replace("2048.90", "2048.95")), "xauusd_b.csv")
    (tmp_path / "xauusd_b.csv").open("a").write(
        "2024-01-03 14:45:00,2048.90,2049.50,2048.00,2049.10,80\n"
    )
    paths = [str(tmp_path / "xauusd_a.csv"), str(tmp_path / "xauusd_b.csv")]
    asked = Reading(tz="UTC")

    with pytest.raises(DataError) as caught:
        convert(paths, tmp_path / "gold.csv", asked)

    for word in ("xauusd_a.csv", "xauusd_b.csv", "2024-01-03 14:30:00", "2048.95", "--keep"):
        assert word in str(caught.value)
    assert not (tmp_path / "gold.csv").exists()
    kept = convert(paths, tmp_path / "gold.csv", asked, keep="last")
    assert kept.series.bars["close"].tolist() == [2050.80, 2051.60, 2048.95, 2049.10]


def test_an_archive_of_years_is_joined(tmp_path, gold):
    parts = (gold.bars[:700], gold.bars[700:])
    with zipfile.ZipFile(tmp_path / "xauusd.zip", "w") as archive:
        for number, bars in enumerate(parts):
            path = written(tmp_path, gold.with_bars(bars), "UTC", f"xauusd_{number}.csv")
            archive.write(path, path.name)

    made = convert([str(tmp_path / "xauusd.zip")], tmp_path / "gold.parquet")

    assert np.array_equal(made.series.bars["close"], gold.bars["close"])
    assert [s["member"] for s in made.provenance.sources] == ["xauusd_0.csv", "xauusd_1.csv"]


def test_longer_bars_are_built_when_asked(tmp_path, gold):
    source = written(tmp_path, gold, "UTC", "xauusd.csv")

    convert([str(source)], tmp_path / "gold.parquet", timeframe="1h")

    built = feeds.load(tmp_path / "gold.parquet")
    assert np.array_equal(built.bars, feeds.load(source, timeframe="1h").bars)
    with pytest.raises(DataError, match="finer than the file's 15m"):
        convert([str(source)], tmp_path / "x.parquet", timeframe="1m")


def test_different_things_are_not_joined(tmp_path):
    gold = write(tmp_path, table(*ROWS), "xauusd.csv")
    euro = write(tmp_path, table(*ROWS), "eurusd.csv")
    hours = write(tmp_path, table(*(row.replace(":15:", ":00:") for row in ROWS[:1]),
                                  ROWS[1].replace("14:15", "15:00"),
                                  ROWS[2].replace("14:30", "16:00")), "xauusd_h1.csv")  # fmt: skip
    asked = Reading(tz="UTC")

    with pytest.raises(ConfigError, match=r"holds EURUSD.*--instrument"):
        convert([str(gold), str(euro)], tmp_path / "x.parquet", asked)
    with pytest.raises(DataError, match=r"holds 1h bars, .* holds 15m"):
        convert([str(gold), str(hours)], tmp_path / "x.parquet", asked)


def test_a_chain_of_copies_keeps_its_history(tmp_path):
    source = write(tmp_path, table(*ROWS))
    convert([str(source)], tmp_path / "a.csv", Reading(tz="UTC"))

    convert([str(tmp_path / "a.csv")], tmp_path / "b.parquet")

    told = stated(tmp_path / "b.parquet")
    assert told.sources[0]["name"] == "a.csv"
    assert told.sources[0]["made_from"]["sources"][0]["name"] == "xauusd_15m.csv"


def test_a_folder_is_listed_without_reading_files_of_ours(tmp_path, gold):
    source = written(tmp_path, gold, "UTC", "xauusd.csv")
    (tmp_path / "deep").mkdir()
    made = convert([str(source)], tmp_path / "deep" / "gold.parquet")
    raw = bytearray(made.out.read_bytes())
    raw[4:400] = bytes(396)  # the first column's data: never looked at
    made.out.write_bytes(bytes(raw))

    (plain,) = feeds.list_series(tmp_path)
    deep, again = feeds.list_series(tmp_path, recursive=True)

    assert (plain.dialect, plain.bars, plain.zone) == ("CSV", len(gold), "UTC")
    assert again == plain
    assert (deep.symbol, deep.bars, deep.first, deep.last) == (
        "XAUUSD", len(gold), plain.first, plain.last,
    )  # fmt: skip
    assert deep.made_from == ("xauusd.csv",)


def test_a_long_text_is_listed_from_parts_of_it(tmp_path, gold):
    minutes = generate(GOLD, date(2024, 3, 4), date(2024, 3, 28), 31)
    series = Series("XAUUSD", MINUTE, minutes.bars)
    source = written(tmp_path, series, "America/New_York", "xauusd.csv", 7 * 60 * MINUTE)
    assert source.stat().st_size > 1_000_000

    (row,) = feeds.list_series(tmp_path)

    assert (row.bars, row.timeframe, row.zone) == (len(series), "1m", "ny+7")
    first, last = series.bars["start"][[0, -1]].astype("M8[ns]")
    assert row.first == f"{np.datetime_as_string(first, unit='s')}Z"
    assert row.last == f"{np.datetime_as_string(last, unit='s')}Z"


@pytest.mark.parametrize("name", ["xauusd_15m", "nifty50_1m", "dxy_30m", "nifty50_daily"])
def test_real_files_convert_without_loss(tmp_path, real_data, name):
    source = real_data / f"{name}.csv.gz"

    convert([str(source)], tmp_path / "x.parquet")

    assert np.array_equal(feeds.load(tmp_path / "x.parquet").bars, feeds.load(source).bars)


def test_rows_that_differ_in_volume_alone_say_so(tmp_path):
    other = [*ROWS[:-1], ROWS[-1].replace(",150", ",7")]
    paths = [
        str(write(tmp_path, table(*rows), f"xauusd_{name}.csv"))
        for name, rows in (("a", ROWS), ("b", other))
    ]

    with pytest.raises(DataError, match="equal prices, volume/spread 7/0 against 150/0"):
        convert(paths, tmp_path / "gold.csv", Reading(tz="UTC"))
