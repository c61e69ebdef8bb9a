"""Sound rows that are odd beside the others: each kind is found where it was put, not elsewhere."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import feeds
from core.bars import Series
from core.synthetic import GOLD, NIFTY, generate
from tests.feeds.files import table, write

MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def lines():
    """Rows of four weeks of gold, 15 minutes, UTC; row k is line k + 2 of a file."""
    path = generate(GOLD, date(2024, 3, 4), date(2024, 3, 28), 31)
    bars = feeds.resample(Series("XAUUSD", MINUTE, path.bars), 15 * MINUTE, path.calendar).bars
    stamps = np.datetime_as_string(bars["start"].astype("M8[ns]"), unit="s")
    return [
        f"{stamp.replace('T', ' ')},{b['open']:.2f},{b['high']:.2f},{b['low']:.2f},"
        f"{b['close']:.2f},{b['volume']:.0f}"
        for stamp, b in zip(stamps, bars, strict=True)
    ]


def found(folder, rows, *kinds, **asked):
    path = write(folder, table(*rows), "xauusd.csv")
    checked = feeds.check(path, tz="UTC", **asked)
    return [f for f in checked.findings if f.kind in kinds]


def replaced(rows, at, **cells):
    names = ("datetime", "open", "high", "low", "close", "volume")
    fields = dict(zip(names, rows[at].split(","), strict=True)) | cells
    return [*rows[:at], ",".join(fields.values()), *rows[at + 1 :]]


def test_a_high_that_leaves_and_comes_back_is_a_spike(tmp_path, lines):
    (spike,) = found(tmp_path, replaced(lines, 500, high="2400"), "spike")

    assert spike.line == 502
    assert "high 2400 stands" in spike.message


def test_a_close_at_a_tenth_is_a_spike_and_not_a_move(tmp_path, lines):
    (spike,) = found(tmp_path, replaced(lines, 500, close="210", low="210"), "spike")

    assert spike.line == 502


def test_prices_of_another_scale_are_a_jump_at_each_end(tmp_path, lines):
    def scaled(line):
        stamp, *prices, volume = line.split(",")
        return ",".join([stamp, *(f"{float(p) * 100:.2f}" for p in prices), volume])

    rows = [*lines[:400], *map(scaled, lines[400:600]), *lines[600:]]

    assert [jump.line for jump in found(tmp_path, rows, "jump")] == [402, 602]


def test_bars_that_stand_still_are_one_finding_with_their_lines(tmp_path, lines):
    rows = lines
    for at in range(300, 320):
        rows = replaced(rows, at, open="2060", high="2060", low="2060", close="2060", volume="0")

    (still,) = found(tmp_path, rows, "flat_run")

    assert (still.line, still.last_line, still.count) == (302, 321, 20)
    assert "without volume: filled in?" in still.message


def test_weekend_bars_and_holidays_are_told_apart(tmp_path, lines):
    at = next(k for k, row in enumerate(lines) if row.startswith("2024-03-10"))
    price = lines[at].split(",", 1)[1]
    saturday = [f"2024-03-09 {hour:02d}:00:00,{price}" for hour in (10, 11, 12)]
    rows = [*lines[:at], *saturday, *lines[at:], f"2024-03-29 10:00:00,{price}"]

    weekend, holiday = found(tmp_path, rows, "weekend", "holiday")

    assert (weekend.severity, weekend.line, weekend.count) == ("warning", at + 2, 3)
    assert weekend.message == "3 bars on Saturday 2024-03-09"
    assert (holiday.severity, holiday.line) == ("note", len(rows) + 1)


def test_one_missing_bar_is_said_in_the_singular(tmp_path, lines):
    (gap,) = found(tmp_path, [*lines[:99], *lines[100:]], "gap")

    assert gap.message == "1 bar missing at 2024-03-04 19:45 New York"
    assert (gap.line, gap.count) == (101, 1)


def test_a_faulty_row_is_not_a_missing_bar_too(tmp_path, lines):
    assert not found(tmp_path, replaced(lines, 99, high="1"), "gap")


def test_bars_off_the_grid_are_named(tmp_path, lines):
    rows = [*lines[:50], lines[50].replace(":30:00,", ":37:00,"), *lines[51:]]
    assert rows != lines

    (off,) = found(tmp_path, rows, "off_grid")

    assert (off.line, off.count) == (52, 1)


def test_a_stretch_of_another_timeframe_is_named(tmp_path, lines):
    coarse = [row for k, row in enumerate(lines[:800]) if row[14:16] == "00" or k == 0]

    (mixed,) = found(tmp_path, [*coarse, *lines[800:]], "mixed_timeframe")

    assert "bars of 1h among bars of 15m" in mixed.message
    assert mixed.line is not None
    assert mixed.line <= 4


def test_more_decimals_than_the_file_has_are_named(tmp_path, lines):
    whole = float(lines[70].split(",")[4])
    (odd,) = found(tmp_path, replaced(lines, 70, close=f"{whole:.2f}37"), "decimals")

    assert odd.line == 72
    assert "2 decimals" in odd.message


def test_volumes_that_tell_nothing_are_noted(tmp_path, lines):
    def with_volume(text):
        return [f"{row.rpartition(',')[0]},{text}" for row in lines]

    (none,) = found(tmp_path, with_volume("0"), "volume")
    (same,) = found(tmp_path, with_volume("7"), "volume")

    assert "no volume in the file" in none.message
    assert "every volume is 7" in same.message


def test_a_huge_volume_is_named(tmp_path, lines):
    rows = [f"{row.rpartition(',')[0]},{100 + k % 9}" for k, row in enumerate(lines)]

    (huge,) = found(tmp_path, replaced(rows, 44, volume="9000000"), "volume")

    assert huge.line == 46


def test_repeats_are_told_equal_or_not_wherever_they_stand(tmp_path, lines):
    other = replaced(lines, 10, volume="1")[10]
    rows = [*lines[:200], lines[10], other, *lines[200:]]

    first, second = found(tmp_path, rows, "duplicate")

    assert (first.line, second.line) == (202, 203)
    assert "repeats line 12, with the same prices" in first.message
    assert "repeats line 12, with other values" in second.message


def test_a_file_that_ends_inside_a_line_is_truncated(tmp_path, lines):
    path = tmp_path / "xauusd.csv"
    path.write_text(table(*lines)[:-25])

    (cut,) = feeds.check(path, tz="UTC").of("error")

    assert (cut.kind, cut.line) == ("truncated", len(lines) + 1)


def test_newest_first_and_other_encodings_are_noted(tmp_path, lines):
    path = tmp_path / "xauusd.csv"
    path.write_bytes(table(*reversed(lines)).encode("utf-16"))

    checked = feeds.check(path)

    assert checked.is_sound
    assert {"order", "encoding"} <= checked.counts().keys()
    gap_free = feeds.load(path).bars["start"]
    assert (np.diff(gap_free) > 0).all()


def test_blank_lines_count_as_lines(tmp_path, lines):
    rows = [*lines[:100], "", "", *replaced(lines, 200, high="1")[100:]]

    (bad,) = found(tmp_path, rows, "high_below_low")

    assert bad.line == 204


def test_a_wrong_zone_is_doubted_with_the_one_that_fits(tmp_path, lines):
    path = write(tmp_path, table(*lines), "xauusd.csv")

    doubt = next(f for f in feeds.check(path, tz="ny+7").findings if f.kind == "zone")

    assert "bars start while CMEGlobex_GC is shut" in doubt.message
    assert "(--tz UTC fits)" in doubt.message


def test_prices_between_an_instrument_s_ticks_are_noted(tmp_path, lines):
    (note,) = found(tmp_path, lines, "tick", symbol="MGC")

    assert "MGC's ticks of 0.1" in note.message


def test_nse_rows_outside_the_session_are_counted_once(tmp_path):
    bars = generate(NIFTY, date(2024, 7, 1), date(2024, 7, 12), 12).bars
    stamps = np.datetime_as_string((bars["start"] + 330 * MINUTE).astype("M8[ns]"), unit="s")
    rows = [
        f"{s.replace('T', ' ')},{b['open']},{b['high']},{b['low']},{b['close']},{b['volume']}"
        for s, b in zip(stamps, bars, strict=True)
    ]
    early = rows[0].replace("09:15:00", "09:08:00")
    path = write(tmp_path, table(early, *rows), "nifty_fut.csv")

    checked = feeds.check(path)

    kinds = checked.counts()
    assert (kinds["outside_session"], kinds["closed_market"]) == (1, 1)
    assert "gap" not in kinds


def test_bars_of_a_session_longer_than_usual_are_not_in_a_shut_market(tmp_path):
    stamps = [f"2021-02-{day} {hour:02d}:{minute:02d}" for day in (23, 25) for hour, minute in DAY]
    stamps += [f"2021-02-24 {hour:02d}:{minute:02d}" for hour, minute in (*DAY, (16, 0), (16, 59))]
    rows = [f"{stamp}:00,15000,15001,14999,15000,0" for stamp in sorted(stamps)]
    path = write(tmp_path, table(*rows), "nifty50.csv")

    checked = feeds.check(path, tz="Asia/Kolkata")

    assert "closed_market" not in checked.counts()


DAY = [(minute // 60, minute % 60) for minute in range(9 * 60 + 15, 15 * 60 + 30)]
"""Hours and minutes of a regular NSE day; that of 2021-02-24 went on until 17:00."""
