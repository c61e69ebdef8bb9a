"""The data verbs as a user meets them: what they print, write, refuse and return."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli import market

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def faulty(tmp_path):
    """A file with five rows whose high lies below the low and one that is cut."""
    table = market.rows()
    for row in (9, 19, 29, 39, 49):
        table[row][2] = "2000"
    path = market.write(tmp_path / "XAUUSD_M15.csv", table)
    path.write_text(path.read_text() + "2025-03-05 09:")
    return path


def test_check_says_how_the_file_was_read(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")

    said = tola("data", "check", "XAUUSD_M15.csv")

    head, read, totals, *_ = said.out.splitlines()
    assert head.startswith("XAUUSD_M15.csv: CSV, 200 rows of 15m, zone UTC (")
    assert "stamps are bar starts" in head
    assert "prices are bid" in head
    assert read.strip() == (
        "comma-separated, stamps such as 2025-03-03 01:00:00;"
        " columns datetime open high low close volume"
    )
    assert totals.strip().startswith("0 errors, ")


def test_check_groups_what_it_finds_and_names_all_when_asked(tola, faulty):
    short = tola("data", "check", faulty.name)
    whole = tola("data", "check", faulty.name, "--all")

    assert short.code == whole.code == 1
    assert "error: high_below_low, 5 times: high below low" in short.out
    assert "line 11: high 2000 is below low" in short.out
    assert "line 51:" not in short.out
    assert "and 2 more (--all names them)" in short.out
    assert "line 51: high 2000 is below low" in whole.out
    assert "error: line 202: 1 fields where 6 are expected" in whole.out
    assert short.out.endswith(
        "next: python run.py data fix XAUUSD_M15.csv -o XAUUSD_M15_mended.csv\n"
    )


def test_check_as_json_holds_every_finding(tola, faulty):
    document = json.loads(tola("data", "check", faulty.name, "--json").out)

    (file,) = document["files"]
    assert (file["dialect"], file["rows"], file["error"]) == ("CSV", 200, 6)
    assert file["kinds"]["high_below_low"] == 5
    errors = [f for f in document["findings"] if f["severity"] == "error"]
    assert [f["line"] for f in errors] == [11, 21, 31, 41, 51, 202]


def test_strict_makes_a_warning_fail(tola, tmp_path):
    table = market.rows()
    del table[50:53]
    market.write(tmp_path / "XAUUSD_M15.csv", table)

    lenient = tola("data", "check", "XAUUSD_M15.csv")
    strict = tola("data", "check", "XAUUSD_M15.csv", "--strict")

    assert (lenient.code, strict.code) == (0, 1)
    assert "3 bars missing from 2025-03-03 08:30 to 09:00 New York" in lenient.out
    assert strict.out.endswith("python run.py data check XAUUSD_M15.csv --all\n")


def test_of_several_files_one_that_cannot_be_read_hides_no_other(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "broken.csv").write_text("")

    said = tola("data", "check", "broken.csv", "XAUUSD_M15.csv")
    document = json.loads(tola("data", "check", "broken.csv", "XAUUSD_M15.csv", "--json").out)

    assert said.code == 1
    assert "error: broken.csv: the file is empty" in said.out
    assert "XAUUSD_M15.csv: CSV, 200 rows of 15m" in said.out
    assert said.out.endswith("python run.py data check broken.csv\n")
    assert [file["path"] for file in document["files"]] == ["XAUUSD_M15.csv", "broken.csv"]
    assert document["sound"] is False


def test_a_zone_that_no_hours_tell_is_to_be_stated(tola, tmp_path):
    rows = market.rows()
    for row in rows:
        tokyo = datetime.fromisoformat(row[0]) + timedelta(hours=9)
        row[0] = f"{tokyo:%Y-%m-%d %H:%M:%S}"
    market.write(tmp_path / "XAUUSD_M15.csv", rows)

    said = tola("data", "check", "XAUUSD_M15.csv", "--tz", "auto")

    assert "assumed: the hours in the file cannot tell" in said.out
    assert "wrong zone? state it with --tz" in said.out


def test_fix_then_check_then_run(tola, faulty, tmp_path):
    fixed = tola("data", "fix", faulty.name, "-o", "XAUUSD_mended.csv")
    checked = tola("data", "check", "XAUUSD_mended.csv")

    assert (fixed.code, checked.code) == (0, 0)
    assert "195 rows, 6 changes" in fixed.out
    assert "5 high_below_low dropped" in fixed.out
    assert "1 truncated dropped" in fixed.out
    assert "made by data fix from XAUUSD_M15.csv" in checked.out
    changes = (tmp_path / "XAUUSD_mended.csv.changes.csv").read_text().splitlines()
    assert changes[0] == "line,kind,action,before,after,why"
    assert len(changes) == 7


def test_fix_says_what_is_left_and_fails(tola, tmp_path):
    table = market.rows()
    table.insert(5, [*table[4][:4], "2901.11", "9"])
    market.write(tmp_path / "XAUUSD_M15.csv", table)

    said = tola("data", "fix", "XAUUSD_M15.csv", "-o", "out.csv")

    assert said.code == 1
    assert "left: error: line " in said.out
    assert "with other values" in said.out
    assert "--keep first" in said.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fix", "XAUUSD_M15.csv", "-o", "XAUUSD_M15.csv"], 2, "is the source itself"),
        (["fix", "XAUUSD_M15.csv", "-o", "there.csv"], 2, "exists already"),
        (["fix", "XAUUSD_M15.csv", "-o", "new.csv", "--drop", "spikes"], 2, "did you mean 'spike'"),
        (["fix", "XAUUSD_no.csv", "-o", "new.csv"], 1, "no such file"),
        (["convert", "XAUUSD_M15.csv", "-o", "new.xlsx"], 2, "ends in .parquet"),
        (["convert", "XAUUSD_M15.csv", "-o", "there.csv"], 2, "exists already"),
        (["convert", "XAUUSD_M15.csv", "-o", "new.csv", "--timeframe", "20m"], 1, "no multiple"),
        (["convert", "XAUUSD_M15.csv", "-o", "new.csv", "--tz", "Mars"], 2, "unknown"),
        (["check", "XAUUSD_M15.csv", "--columns", "close"], 2, "expected WORD=HEADER"),
        (["check", "XAUUSD_M15.csv", "--stamp", "middle"], 2, "start"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(tola, tmp_path, words, code, said):
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "there.csv").write_text("kept")

    answer = tola("data", *words)

    assert answer.code == code
    assert said in answer.error
    assert {path.name for path in tmp_path.iterdir()} == {"XAUUSD_M15.csv", "there.csv"}
    assert (tmp_path / "there.csv").read_text() == "kept"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere"
)
def test_a_folder_without_rights_is_named(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "shut").mkdir(mode=0o500)

    answer = tola("data", "convert", "XAUUSD_M15.csv", "-o", "shut/gold.csv")

    assert answer.code == 2
    assert "cannot be written to" in answer.error


def test_convert_joins_and_tells_each_source(tola, tmp_path):
    table = market.rows(400)
    market.write(tmp_path / "XAUUSD_1.csv", table[:250])
    market.write(tmp_path / "XAUUSD_2.csv", table[200:])

    said = tola("data", "convert", "XAUUSD_2.csv", "XAUUSD_1.csv", "-o", "gold.parquet")
    listed = tola("data", "list", ".", "--json")

    assert said.code == 0
    assert "XAUUSD_1.csv: CSV, 250 rows of 15m, zone UTC" in said.out
    assert "wrote gold.parquet: 400 bars of 15m, XAUUSD, 50 equal rows merged" in said.out
    files = {Path(row["path"]).name: row for row in json.loads(listed.out)["files"]}
    assert files["gold.parquet"]["bars"] == 400
    assert files["gold.parquet"]["made_from"] == ["XAUUSD_1.csv", "XAUUSD_2.csv"]


def test_columns_we_cannot_know_are_named_once_and_then_known(tola, tmp_path):
    text = market.text(market.rows(), "When,o1,h1,l1,settle,n")
    (tmp_path / "gold.csv").write_text(text)
    flags = ["datetime=When", "open=o1", "high=h1", "low=l1", "close=settle", "volume=n"]
    words = [word for flag in flags for word in ("--columns", flag)]

    converted = tola("data", "convert", "gold.csv", "-o", "clean.csv", *words)
    checked = tola("data", "check", "clean.csv")

    assert (converted.code, checked.code) == (0, 0)
    assert "Tola CSV, 200 rows of 15m" in checked.out


def test_every_member_of_an_archive_is_checked(tola, tmp_path):
    text = market.text(market.rows())
    with zipfile.ZipFile(tmp_path / "gold.zip", "w") as archive:
        archive.writestr("gold_a.csv", text)
        archive.writestr("gold_b.csv", text.replace(",100\n", ",-1\n", 1))

    said = tola("data", "check", "gold.zip", "--instrument", "XAUUSD")

    assert said.code == 1
    assert "gold.zip/gold_a.csv: CSV, 200 rows" in said.out
    assert "gold.zip/gold_b.csv: CSV, 200 rows" in said.out
    assert "volume is -1" in said.out


def test_list_remembers_what_the_last_check_found(tola, tmp_path, faulty, monkeypatch):
    monkeypatch.setenv("TOLA_CACHE_DIR", str(tmp_path / "cache"))
    sound = market.write(tmp_path / "gold.csv")
    before = tola("data", "list", ".")
    tola("data", "check", "gold.csv")
    after = tola("data", "list", ".")
    sound.write_text(sound.read_text() + "\n")
    changed = tola("data", "list", ".")

    def of(said):
        return next(line for line in said.out.splitlines() if line.startswith("gold.csv"))

    assert of(before).endswith("not checked")
    assert "0 errors, " in of(after)
    assert of(changed).endswith("not checked")
    assert "cannot be read: 202: 1 fields" in before.out


def test_list_looks_into_folders_when_asked(tola, tmp_path):
    (tmp_path / "year" / "month").mkdir(parents=True)
    market.write(tmp_path / "year" / "month" / "XAUUSD.csv")

    assert "no price files" in tola("data", "list", ".").out
    assert str(Path("year") / "month" / "XAUUSD.csv") in tola("data", "list", ".", "-r").out


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
@pytest.mark.parametrize("limit", [500, 3000], ids=["copy", "list of changes"])
def test_a_full_disk_keeps_neither_the_mended_copy_nor_the_list(tmp_path, limit):
    table = market.rows()
    for row in table[1:]:
        row[2] = "2000"  # every high below its low: a long list, a short copy
    market.write(tmp_path / "XAUUSD_M15.csv", table)
    program = (
        "import resource, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import run\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.exit(run.main('data fix XAUUSD_M15.csv -o mended.csv'.split()))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "nothing was kept: free space, or name another place with -o" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["XAUUSD_M15.csv"]
