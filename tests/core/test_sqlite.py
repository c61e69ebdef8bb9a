"""SQLite files: opened alike, written whole or not at all, faults told with what to do."""

from __future__ import annotations

import sqlite3

import pytest

from core.errors import ConfigError, TolaError
from core.sqlite import explained, files_of, open_database, transaction


def test_what_fails_within_a_transaction_leaves_nothing_and_blocks_nothing(tmp_path):
    base = open_database(tmp_path / "a.sqlite")
    base.execute("CREATE TABLE t (x UNIQUE)")

    with pytest.raises(sqlite3.IntegrityError), transaction(base):
        base.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
    with transaction(base):
        base.execute("INSERT INTO t VALUES (3)")

    other = open_database(tmp_path / "a.sqlite", read_only=True)
    assert other.execute("SELECT x FROM t").fetchall() == [(3,)]


def test_a_reader_does_not_wait_for_the_writer_and_cannot_write(tmp_path):
    writer = open_database(tmp_path / "a.sqlite")
    writer.execute("CREATE TABLE t (x)")
    writer.execute("BEGIN IMMEDIATE")
    reader = open_database(tmp_path / "a.sqlite", read_only=True)

    assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO t VALUES (1)")
    assert all(part.is_file() for part in files_of(tmp_path / "a.sqlite"))


def test_a_lock_a_stranger_and_a_missing_folder_are_told_with_the_remedy(tmp_path):
    path = tmp_path / "a.sqlite"
    holder = open_database(path)
    holder.execute("BEGIN IMMEDIATE")
    (tmp_path / "b.sqlite").write_text("prices of another program\n" * 50)

    for place, says in (
        (path, "locked; another process uses it"),
        (tmp_path / "b.sqlite", "not a database; it is none of ours"),
        (tmp_path / "gone" / "c.sqlite", "its folder must be there and writable"),
    ):
        with pytest.raises(ConfigError, match=says), explained(str(place), ConfigError):
            open_database(place).execute("BEGIN IMMEDIATE")
    with pytest.raises(TolaError, match="in memory"), explained("in memory"):
        open_database(None).execute("SELECT * FROM t")
