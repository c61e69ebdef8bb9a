"""Mended copies: what is dropped, moved and kept, and that nothing is invented."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import feeds
from core.errors import ConfigError, DataError
from feeds.converting import Reading
from feeds.mending import Rules, fix
from tests.feeds.files import HEADER, ROWS, table, write

UTC = Reading(tz="UTC")
WRONG = (
    "2024-01-03 14:45:00,2050,2048,2049,2050,1",
    "2024-01-03 15:00:00,2050,abc,2049,2050,1",
    "2024-01-03 15:15:00,2050,2051",
    "2024-01-03 15:30:00,2052,2051,2049,2050,1",
    "2024-01-03 15:45:00,,2051,2049,2050,1",
)


def listed(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def body(path):
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def test_rows_that_are_no_bars_go_and_the_others_stay_as_they_are(tmp_path):
    source = write(tmp_path, table(ROWS[0], *WRONG[:3], ROWS[1], *WRONG[3:], ROWS[2]))
    before = source.read_bytes()

    mended = fix(source, tmp_path / "gold.csv", UTC)

    assert body(mended.out) == [HEADER, *ROWS]
    assert mended.left.is_sound
    assert source.read_bytes() == before
    changes = listed(mended.changes_file)
    assert [(row["line"], row["kind"], row["action"]) for row in changes] == [
        ("3", "high_below_low", "dropped"),
        ("4", "unreadable", "dropped"),
        ("5", "unreadable", "dropped"),
        ("7", "open_outside", "dropped"),
        ("8", "nan", "dropped"),
    ]
    assert [row["before"] for row in changes] == [*WRONG[:3], *WRONG[3:]]
    assert {row["after"] for row in changes} == {""}


def test_equal_rows_of_one_stamp_are_one_and_unequal_ones_wait_for_an_answer(tmp_path):
    other = ROWS[1].replace("2051.60", "2051.00")
    source = write(tmp_path, table(ROWS[0], ROWS[0], ROWS[1], other, ROWS[2]))

    asking = fix(source, tmp_path / "a.csv", Reading("XAUUSD", "UTC"))
    first = fix(source, tmp_path / "b.csv", Reading("XAUUSD", "UTC"), Rules(keep="first"))
    last = fix(source, tmp_path / "c.csv", Reading("XAUUSD", "UTC"), Rules(keep="last"))

    assert body(asking.out) == [HEADER, ROWS[0], ROWS[1], other, ROWS[2]]
    assert [finding.kind for finding in asking.left.of("error")] == ["duplicate"]
    assert body(first.out) == [HEADER, *ROWS]
    assert body(last.out) == [HEADER, ROWS[0], other, ROWS[2]]
    assert last.left.is_sound


def test_only_rows_that_stand_wrong_are_moved(tmp_path):
    later = "2024-01-03 14:45:00,2048.90,2049.50,2048.00,2049.10,80"
    source = write(tmp_path, table(ROWS[0], later, ROWS[1], ROWS[2]))

    mended = fix(source, tmp_path / "gold.csv", UTC)

    assert body(mended.out) == [HEADER, *ROWS, later]
    (moved,) = listed(mended.changes_file)
    assert (moved["line"], moved["action"]) == ("3", "moved")
    assert "behind line 5" in moved["why"]


def test_widening_takes_its_text_from_the_row_itself(tmp_path):
    bad = "2024-01-03 14:45:00,2052.125,2051,2049,2048.50,1"
    source = write(tmp_path, table(*ROWS, bad))

    mended = fix(source, tmp_path / "gold.csv", UTC, Rules(widen=True))

    assert body(mended.out)[-1] == "2024-01-03 14:45:00,2052.125,2052.125,2048.50,2048.50,1"
    assert mended.left.is_sound


def test_a_missing_or_negative_volume_becomes_nothing(tmp_path):
    bad = "2024-01-03 14:45:00,2050,2051,2049,2050,-5"
    source = write(tmp_path, table(*ROWS, bad))

    mended = fix(source, tmp_path / "gold.csv", UTC)

    assert body(mended.out)[-1] == bad.replace(",-5", ",0")
    assert mended.counts() == {"bad_volume set to 0": 1}


def test_odd_rows_go_only_when_asked(tmp_path):
    stamps = np.datetime64("2024-01-05T14:00") + 15 * np.arange(300)
    rows = [
        f"{str(t).replace('T', ' ')}:00,{2000 + k % 5},{2002 + k % 5},1999,{2001 + k % 5},5"
        for k, t in enumerate(stamps)
        if t < np.datetime64("2024-01-05T22:00") or t >= np.datetime64("2024-01-07T23:00")
    ]
    flat = "2024-01-06 12:00:00,2001,2001,2001,2001,0"
    at = next(k for k, row in enumerate(rows) if row > flat)
    spike = rows[5].replace(",2002,", ",2302,").replace(",2000,2002", ",2000,2302")
    source = write(tmp_path, table(*rows[:5], spike, *rows[6:at], flat, *rows[at:]))

    as_it_is = fix(source, tmp_path / "a.csv", Reading("XAUUSD", "UTC"))
    without = fix(source, tmp_path / "b.csv", Reading("XAUUSD", "UTC"), Rules(("weekend", "spike")))

    assert not as_it_is.changes
    assert {"weekend", "spike"} <= as_it_is.left.counts().keys()
    assert without.counts() == {"weekend dropped": 1, "spike dropped": 1}
    assert body(without.out) == [HEADER, *rows[:5], *rows[6:]]


def test_a_copy_knows_where_it_comes_from_and_how_it_is_read(tmp_path):
    source = write(tmp_path, table(*ROWS, WRONG[0]))

    fix(source, tmp_path / "prices.csv.gz", Reading(tz="ny+7"))
    series = feeds.load(tmp_path / "prices.csv.gz")

    assert (series.symbol, series.source["zone"]) == ("XAUUSD", "ny+7")
    told = series.source["provenance"]
    assert told["changes"] == {"high_below_low dropped": 1}
    assert told["sources"][0]["name"] == "xauusd_15m.csv"
    assert len(told["sources"][0]["sha256"]) == 64


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_json_is_mended_into_a_file_of_ours(tmp_path, ending):
    text = (
        '{"data": {"candles": [["2024-01-03T09:20:00+05:30", 10, 12, 9, 11, 5, 0],'
        ' ["2024-01-03T09:15:00+05:30", 13, 12, 9, 11, 5, 0],'
        ' ["2024-01-03T09:10:00+05:30", 10, 12, 9, 11, 5, 0]]}}'
    )
    source = write(tmp_path, text, "nifty50.json")

    mended = fix(source, tmp_path / f"nifty.{ending}")

    assert mended.counts() == {"open_outside dropped": 1, "order turned round": 1}
    series = feeds.load(mended.out, session="all")
    assert [str(t) for t in series.bars["start"].astype("M8[ns]").astype("M8[m]")] == [
        "2024-01-03T03:40",
        "2024-01-03T03:50",
    ]


def test_the_source_is_never_written_to_and_a_copy_not_overwritten_unasked(tmp_path):
    source = write(tmp_path, table(*ROWS))
    out = tmp_path / "gold.csv"
    fix(source, out, UTC)
    kept = out.read_bytes()

    with pytest.raises(ConfigError, match="is the source itself"):
        fix(source, source, UTC, force=True)
    with pytest.raises(ConfigError, match=r"exists already.*--force"):
        fix(source, out, UTC)

    assert out.read_bytes() == kept
    fix(source, out, UTC, force=True)


@pytest.mark.parametrize(
    ("name", "words"), [("gold.xlsx", "ends in .parquet"), ("no/gold.csv", "no folder")]
)
def test_a_target_that_cannot_be_is_refused(tmp_path, name, words):
    with pytest.raises(ConfigError, match=words):
        fix(write(tmp_path, table(*ROWS)), tmp_path / name, UTC)


def test_unknown_rules_are_refused_with_the_near_ones():
    with pytest.raises(ConfigError, match="did you mean 'weekend'"):
        Rules(("weekends",))
    with pytest.raises(ConfigError, match="expected first or last"):
        Rules(keep="both")


def test_a_file_without_a_sound_row_leaves_nothing_behind(tmp_path):
    source = write(tmp_path, table(*(WRONG[0].replace("14:45", f"14:{m}") for m in (10, 20, 30))))

    with pytest.raises(DataError, match="no row of it is sound"):
        fix(source, tmp_path / "gold.csv", UTC)

    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_the_defective_bank_nifty_file_can_be_mended_both_ways(tmp_path, real_data):
    source = real_data / "banknifty_15m_defects.csv.gz"

    dropped = fix(source, tmp_path / "banknifty.csv")
    widened = fix(source, tmp_path / "banknifty_wide.parquet", rules=Rules(widen=True))

    assert sum(dropped.counts().values()) == sum(widened.counts().values()) == 696
    assert (dropped.rows, widened.rows) == (34_300 - 696, 34_300)
    assert dropped.left.is_sound
    assert widened.left.is_sound
    assert len(listed(dropped.changes_file)) == 696


CELL = st.sampled_from(["10", "12.5", "9", "-1", "", "x", "nan", "11.25"])
LINE = st.tuples(st.integers(0, 40), CELL, CELL, CELL, CELL, CELL).map(
    lambda row: f"2024-01-03 {10 + row[0] // 4}:{15 * (row[0] % 4):02d}:00,{','.join(row[1:])}"
)


@given(lines=st.lists(LINE, min_size=3, max_size=25), widen=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_file_a_copy_is_sound_and_holds_only_lines_of_it(tmp_path, lines, widen):
    source = write(tmp_path, table(*ROWS, *lines))
    rules = Rules(keep="first", widen=widen)

    mended = fix(source, tmp_path / "gold.csv", Reading("XAUUSD", "UTC"), rules, force=True)

    assert mended.left.is_sound
    copied = body(mended.out)[1:]
    edited = {row["after"] for row in listed(mended.changes_file) if row["after"]}
    assert set(copied) <= {*ROWS, *lines} | edited
    gone = [row for row in listed(mended.changes_file) if row["action"] == "dropped"]
    assert len(copied) + len(gone) == len(ROWS) + len(lines)
    again = fix(mended.out, tmp_path / "again.csv", Reading("XAUUSD"), rules, force=True)
    assert not again.changes
