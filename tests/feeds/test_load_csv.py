"""Text files of every dialect give the same bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import feeds
from core.errors import ConfigError
from feeds.csv import table_columns
from feeds.dialects import read_text, sniff
from feeds.quick import quick_columns
from tests.feeds.files import HEADER, ROWS, ends, starts, table, write

EXPECTED = [
    (2050.10, 2051.20, 2049.90, 2050.80, 120.0),
    (2050.80, 2052.00, 2050.50, 2051.60, 90.0),
    (2051.60, 2051.70, 2048.30, 2048.90, 150.0),
]
STARTS = ["2024-01-03T14:00", "2024-01-03T14:15", "2024-01-03T14:30"]


def prices(series):
    names = ["open", "high", "low", "close", "volume"]
    return [tuple(bar) for bar in series.bars[names].tolist()]


def swapped(old, new):
    return table(*(row.replace(",", new) for row in ROWS), header=HEADER.replace(",", new))


MT5 = "\n".join(
    (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        "2024.01.03\t14:00:00\t2050.10\t2051.20\t2049.90\t2050.80\t120\t0\t25",
        "2024.01.03\t14:15:00\t2050.80\t2052.00\t2050.50\t2051.60\t90\t0\t30",
        "2024.01.03\t14:30:00\t2051.60\t2051.70\t2048.30\t2048.90\t150\t0\t25",
    )
)
SPLIT = table(
    *(row.replace(" ", ",", 1) for row in ROWS), header="Date,Time,Open,High,Low,Close,Volume"
)
COMPACT = table(
    *(row.replace("2024-01-03 ", "20240103,").replace(":00,", ",", 1) for row in ROWS),
    header="date,time,open,high,low,close,volume",
).replace(":", "")
EUROPE = table(*ROWS).replace(",", ";").replace(".", ",")
EPOCH = table(*(f"{1704290400 + 900 * i}{row[19:]}" for i, row in enumerate(ROWS)))
EPOCH_MS = table(*(f"{(1704290400 + 900 * i) * 1000}{row[19:]}" for i, row in enumerate(ROWS)))
INDIAN = "\n".join(
    f"XAUUSD,20240103,{clock},{row[20:]}"
    for clock, row in zip(("14:00", "14:15", "14:30"), ROWS, strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(table(*ROWS), id="comma"),
        pytest.param(swapped(",", ";"), id="semicolon"),
        pytest.param(swapped(",", "\t"), id="tab"),
        pytest.param(EUROPE, id="decimal comma"),
        pytest.param("\n".join(ROWS), id="no header, no last line feed"),
        pytest.param(table(*ROWS).replace("\n", "\r\n"), id="windows lines"),
        pytest.param("# a note\n\n" + table(*ROWS), id="comment above"),
        pytest.param(table(*(f'"{row[:19]}"{row[19:]}' for row in ROWS)), id="quoted stamps"),
        pytest.param(MT5, id="MT5 export"),
        pytest.param(SPLIT, id="date and time apart"),
        pytest.param(COMPACT, id="compact date and time apart"),
        pytest.param(INDIAN, id="symbol, date, time, no header"),
        pytest.param(EPOCH, id="epoch seconds"),
        pytest.param(EPOCH_MS, id="epoch milliseconds"),
        pytest.param(table(*ROWS).replace(":00,", ":00Z,"), id="zone in the stamps"),
        pytest.param(table(*ROWS).replace(HEADER, "Time,O,H,L,C,Vol"), id="short names"),
    ],
)
def test_every_dialect_gives_the_same_bars(tmp_path, text):
    series = feeds.load(
        write(tmp_path, text), tz=None if "Z," in text or text in (EPOCH, EPOCH_MS) else "UTC"
    )

    assert prices(series) == EXPECTED
    assert starts(series) == STARTS
    assert ends(series) == [*STARTS[1:], "2024-01-03T14:45"]


@pytest.mark.parametrize(
    "name", ["xauusd_15m.csv", "xauusd_15m.csv.gz", "xauusd_15m.zip", "xauusd.txt"]
)
def test_packing_is_seen_through(tmp_path, name):
    assert prices(feeds.load(write(tmp_path, table(*ROWS), name), tz="UTC")) == EXPECTED


def test_utf16_as_mt5_writes_it_is_read(tmp_path):
    path = tmp_path / "XAUUSD_M15.csv"
    path.write_bytes(MT5.encode("utf-16"))

    assert prices(feeds.load(path, tz="UTC")) == EXPECTED


def test_mt5_spread_points_become_price_units_and_ticks_stand_in_for_volume(tmp_path):
    series = feeds.load(write(tmp_path, MT5), tz="UTC")

    assert series.bars["spread"].tolist() == pytest.approx([0.25, 0.30, 0.25], abs=1e-12)
    assert series.source["spread"] == "points of 0.01"
    assert series.bars["volume"].tolist() == [120, 90, 150]


def test_a_column_mapping_names_what_cannot_be_known(tmp_path):
    path = write(tmp_path, table(*ROWS).replace(HEADER, "when,a,b,c,d,e"))
    mapping = {
        "datetime": "when",
        "open": "a",
        "high": "b",
        "low": "c",
        "close": "d",
        "volume": "e",
    }

    assert prices(feeds.load(path, tz="UTC", columns=mapping)) == EXPECTED


def test_a_mapping_by_place_serves_a_file_without_header(tmp_path):
    path = write(tmp_path, "\n".join(f"7,{row}" for row in ROWS))
    mapping = {"datetime": "1", "open": "2", "high": "3", "low": "4", "close": "5", "volume": "6"}

    assert prices(feeds.load(path, tz="UTC", columns=mapping)) == EXPECTED


def test_day_first_dates_are_told_by_which_reading_ascends(tmp_path):
    rows = (f"{day:02d}/01/2024 14:00,10,11,9,10,1" for day in range(8, 20))

    series = feeds.load(write(tmp_path, table(*rows)), tz="UTC")

    assert starts(series)[0] == "2024-01-08T14:00"
    assert len(series) == 12


def test_the_source_tells_where_bars_come_from(tmp_path):
    path = write(tmp_path, table(*ROWS))

    source = feeds.load(path, tz="ny+7").source

    assert source["path"] == str(path)
    assert len(source["sha256"]) == 64
    assert (source["rows"], source["timeframe"]) == (3, "15m")
    assert (source["zone"], source["zone_known"]) == ("ny+7", "stated")
    assert (source["price_side"], source["synthetic"], source["dropped"]) == ("bid", False, {})


def test_offsets_in_the_stamps_win_over_a_stated_zone_but_epochs_may_be_server_time(tmp_path):
    aware = write(tmp_path, table(*ROWS).replace(":00,", ":00+05:30,"), "xauusd_a.csv")
    epoch = write(tmp_path, EPOCH, "xauusd_b.csv")

    assert starts(feeds.load(aware, tz="ny+7"))[0] == "2024-01-03T08:30"
    assert starts(feeds.load(epoch))[0] == "2024-01-03T14:00"
    assert starts(feeds.load(epoch, tz="ny+7"))[0] == "2024-01-03T12:00"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("xauusd_15m.csv", "XAUUSD"),
        ("GOLD-H1.csv", "XAUUSD"),
        ("XAUUSD15.csv", "XAUUSD"),
        ("MGC.csv", "MGC"),
        ("gc_fut_1h.csv", "GC"),
        ("nifty50_1m.csv", "NIFTY50"),
        ("nifty_fut_1m.csv", "NIFTY-FUT"),
        ("DXY.csv", "DXY"),
    ],
)
def test_the_instrument_is_guessed_from_the_name(tmp_path, name, symbol):
    path = write(tmp_path, table(*ROWS), name)

    if symbol.startswith("NIFTY"):
        series = feeds.load(path, tz="UTC", session="all")
    else:
        series = feeds.load(path, tz="UTC")

    assert series.symbol == symbol
    assert series.source["symbol_known"] == "from the file's name"


def test_a_name_that_tells_nothing_asks_for_the_instrument(tmp_path):
    with pytest.raises(ConfigError, match="name it"):
        feeds.load(write(tmp_path, table(*ROWS), "prices.csv"))


def test_a_frame_and_a_parquet_file_give_the_bars_of_the_text(tmp_path):
    text = feeds.load(write(tmp_path, table(*ROWS)), tz="UTC")
    frame = pd.read_csv(tmp_path / "xauusd_15m.csv", index_col=0, parse_dates=True)
    frame.columns = [name.title() for name in frame.columns]
    frame.to_parquet(tmp_path / "xauusd.parquet")

    by_index = feeds.load(frame.tz_localize("UTC"), symbol="XAUUSD")
    by_column = feeds.load(frame.reset_index(), symbol="XAUUSD", tz="UTC")
    parquet = feeds.load(tmp_path / "xauusd.parquet", tz="UTC")

    for series in (by_index, by_column, parquet):
        assert series.bars.tobytes() == text.bars.tobytes()
    assert by_index.source["zone_known"] == "zone-aware stamps"


@pytest.mark.parametrize("lines", ["\n", "\r\n"])
@pytest.mark.parametrize("seconds", [True, False])
def test_the_short_way_reads_what_the_careful_way_reads(tmp_path, lines, seconds):
    rng = np.random.default_rng(3)
    count = 30_000
    prices = np.round(2000 + rng.normal(0, 300, (count, 4)), 3)
    stamps = np.datetime64("2019-12-30T23:00") + np.arange(count) * 7
    rows = (
        f"{str(t).replace('T', ' ')}{':00' if seconds else ''},{a},{b:.0f},{c:.2f},{d:.6f},{v}"
        for t, (a, b, c, d), v in zip(stamps, prices, range(count), strict=True)
    )
    path = tmp_path / "big.csv"
    path.write_bytes(lines.join((HEADER, *rows)).encode())

    quick = quick_columns(path, "big.csv", {})
    text = read_text(path, "big.csv")
    careful = table_columns(text, sniff(text, {}), {})

    assert quick is not None
    for name in ("stamps", "open", "high", "low", "close", "volume", "spread"):
        assert np.array_equal(getattr(quick, name), getattr(careful, name)), name
    assert quick.facts == careful.facts
    assert quick.line_of(20_000) == careful.line_of(20_000) == 20_002


@pytest.mark.parametrize(
    "odd",
    [
        "2024-01-03 14:00:00,2050.1,,2049.9,2050.8,120",
        "2024-01-03 14:00:00,2050.1,1e3,2049.9,2050.8,120",
        "2024-01-03 14:00:00,-2050.1,1,2049.9,2050.8,120",
        "2024-01-03 14:00:00,2050.1234567890123456,1,2049.9,2050.8,120",
        '"2024-01-03 14:00:00",2050.1,2051,2049.9,2050.8,120',
        "2024-01-03 14:00:00Z,2050.1,2051,2049.9,2050.8,120",
        "2024-01-03 14:00:00,2050.1,2051,2049.9,2050.8",
        "2024-01-32 14:00:00,2050.1,2051,2049.9,2050.8,120",
        "",
    ],
)
def test_the_short_way_declines_any_other_form(tmp_path, odd):
    path = tmp_path / "big.csv"
    path.write_text(table(*([ROWS[0]] * 20_000), odd, ROWS[1]))

    assert quick_columns(path, "big.csv", {}) is None
