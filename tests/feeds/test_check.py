"""Every defect of a file, with its line."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import feeds
from core.bars import Series
from core.errors import DataError
from core.synthetic import GOLD, generate
from tests.feeds.files import ROWS, table, write
from tests.feeds.test_origin import written

MINUTE = 60_000_000_000


@pytest.fixture(scope="module")
def gold():
    path = generate(GOLD, date(2024, 3, 4), date(2024, 3, 28), 31)
    return feeds.resample(Series("XAUUSD", MINUTE, path.bars), 15 * MINUTE, path.calendar)


def test_every_bad_row_is_listed_not_only_the_first(tmp_path):
    path = write(
        tmp_path,
        table(
            ROWS[0],
            "2024-01-03 14:15:00,2050,2048,2049,2050,1",
            "2024-01-03 14:30:00,2050,abc,2049,2050,1",
            "2024-01-03 14:45:00,2050,2051,2049,,1",
            "nonsense,2050,2051,2049,2050,1",
            "2024-01-03 15:15:00,2050,2051",
            "2024-01-03 15:30:00,2052,2051,2049,2050,1",
            "2024-01-03 15:30:00,2050,2051,2049,2050,1",
            "2024-01-03 15:00:00,2050,2051,2049,2050,1",
        ),
    )

    errors = feeds.check(path, tz="UTC").of("error")

    assert [(error.line, error.kind) for error in errors] == [
        (3, "high_below_low"),
        (4, "unreadable"),
        (5, "nan"),
        (6, "unreadable"),
        (7, "unreadable"),
        (8, "open_outside"),
        (9, "duplicate"),
        (10, "unsorted"),
    ]


def test_a_sound_file_has_no_finding(tmp_path, gold):
    found = feeds.check(written(tmp_path, gold, "UTC", "xauusd.csv"))

    assert found.is_sound
    assert not found.of("error", "warning")
    assert found.facts["zone"] == "UTC"


def test_a_gap_is_told_with_its_line_and_length(tmp_path, gold):
    keep = np.ones(len(gold), bool)
    keep[300:310] = False

    found = feeds.check(written(tmp_path, gold.with_bars(gold.bars[keep]), "UTC", "xauusd.csv"))

    (gap,) = found.of("warning")
    assert (gap.kind, gap.count, gap.line) == ("gap", 10, 302)
    assert gap.message == "10 bars missing from 2024-03-07 00:00 to 02:15 New York"


def test_gold_bars_at_five_in_new_york_put_the_zone_in_doubt(tmp_path, gold):
    path = written(tmp_path, gold, "UTC", "xauusd.csv")

    found = feeds.check(path, tz="ny+7")

    doubt = [finding for finding in found.of("warning") if finding.kind == "zone"]
    assert len(doubt) == 1
    assert "wrong zone" in doubt[0].message
    assert doubt[0].line is not None


def test_hours_a_source_never_has_are_a_habit_not_gaps(tmp_path, gold):
    quiet = gold.bars["minute"] // 60 == 3
    path = written(tmp_path, gold.with_bars(gold.bars[~quiet]), "UTC", "xauusd.csv")

    found = feeds.check(path)

    assert "source_hours" in found.counts()
    assert "gap" not in found.counts()


def test_a_file_that_cannot_be_read_at_all_is_an_error(tmp_path):
    with pytest.raises(DataError, match="empty"):
        feeds.check(write(tmp_path, ""))


def test_the_defective_bank_nifty_file_has_696_bad_rows(real_data):
    found = feeds.check(real_data / "banknifty_15m_defects.csv.gz")

    counts = found.counts()
    assert counts["open_outside"] + counts["close_outside"] == 696
    assert len(found.of("error")) == 696
    assert found.of("error")[0].line == 13
    assert found.as_dict()["findings"][0]["kind"] == "open_outside"


@pytest.mark.parametrize("name", ["xauusd_15m", "gc_fut_1h", "nifty50_1m", "dxy_1h"])
def test_the_clean_real_files_have_no_errors(real_data, name):
    found = feeds.check(real_data / f"{name}.csv.gz")

    assert found.is_sound
    assert not [finding for finding in found.of("warning") if finding.kind == "zone"]


def test_a_folder_is_listed_with_what_cannot_be_loaded(tmp_path, gold):
    written(tmp_path, gold, "UTC", "xauusd_15m.csv")
    write(tmp_path, table(ROWS[0], "2024-01-03 14:15:00,1,abc,1,1,1"), "gold.csv")
    write(tmp_path, "date,event\n2024-01-05,jobs\n", "news.csv")
    (tmp_path / "notes.md").write_text("no prices")

    bad, good = feeds.list_series(tmp_path)

    assert bad.fault.startswith("3: high is 'abc'")
    assert (good.symbol, good.timeframe, good.bars) == ("XAUUSD", "15m", len(gold))
    assert good.first == "2024-03-03T23:00:00Z"
    assert not good.fault
