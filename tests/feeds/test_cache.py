"""Bars of large files kept in the user's cache folder."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

import feeds
from core.calendar import get_calendar
from feeds import cache
from tests.feeds.files import table, write


@pytest.fixture
def big(tmp_path, monkeypatch):
    """A file worth keeping, and an empty cache folder."""
    monkeypatch.setenv("TOLA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SMALLEST_BYTES", 1_000)
    return aged(write(tmp_path, rows(100), "btcusd_1m.csv"))


def rows(count, close=10):
    minutes = np.datetime64("2024-01-03T00:00") + np.arange(count)
    return table(*(f"{str(t).replace('T', ' ')}:00,10,11,9,{close},5" for t in minutes))


def aged(path):
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    return path


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "bars").glob("*.bars"))


def test_kept_bars_equal_read_bars(tmp_path, big):
    first = feeds.load(big)
    second = feeds.load(big)

    assert len(kept(tmp_path)) == 1
    assert second.bars.tobytes() == first.bars.tobytes()
    assert second.source == first.source
    assert second.bars.dtype is first.bars.dtype or second.bars.dtype == first.bars.dtype


def test_kept_bars_may_be_written_to_without_changing_what_is_kept(big):
    feeds.load(big)

    feeds.load(big).bars["spread"] = 7.0

    assert feeds.load(big).bars["spread"].max() == 0.0


def test_another_content_or_question_is_another_entry(tmp_path, big):
    feeds.load(big)
    feeds.load(big, tz="ny+7")
    feeds.load(big, calendar="FX", tz="UTC")
    big.write_text(rows(100, close=10.5))
    aged(big)

    changed = feeds.load(big)

    assert changed.bars["close"][0] == 10.5
    assert len(kept(tmp_path)) == 4


def test_a_file_just_written_and_a_small_one_are_not_kept(tmp_path, big):
    os.utime(big)
    feeds.load(big)
    feeds.load(aged(write(tmp_path, rows(5), "btcusd_2m.csv")))

    assert not kept(tmp_path)


def test_without_the_cache_nothing_is_kept(tmp_path, big):
    feeds.load(big, cache=False)

    assert not kept(tmp_path)


def test_a_damaged_entry_is_read_anew(tmp_path, big):
    whole = feeds.load(big).bars.tobytes()
    (entry,) = kept(tmp_path)
    entry.write_bytes(b"short")

    assert feeds.load(big).bars.tobytes() == whole


def test_a_folder_that_cannot_be_written_keeps_nothing_and_loads_all_the_same(
    tmp_path, big, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOLA_CACHE_DIR", str(tmp_path / "file"))

    assert len(feeds.load(big)) == 100


def test_the_entries_longest_unused_go_when_the_folder_is_full(tmp_path, big, monkeypatch):
    feeds.load(big)
    (old,) = kept(tmp_path)
    os.utime(old.with_suffix(".json"), (1, 1))
    monkeypatch.setattr(cache, "LARGEST_TOTAL_BYTES", 100 * 96)

    feeds.load(big, tz="ny+7")

    assert old not in kept(tmp_path)
    assert len(kept(tmp_path)) == 1


def test_the_calendar_s_sessions_are_part_of_the_name(big):
    asked = {"tz": None}

    names = {cache.entry_of(big, get_calendar(name), asked) for name in ("NSE", "FX", "24/7")}

    assert len(names) == 3
