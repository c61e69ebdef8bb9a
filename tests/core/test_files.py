"""A file takes its place whole, whoever else writes it at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.files import replacing

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys
from pathlib import Path
from core.files import replacing
with replacing(Path(sys.argv[1])) as fresh:
    fresh.write_text(sys.argv[2])
    print(flush=True)
    sys.stdin.readline()
"""


def test_two_processes_that_write_one_file_both_end_well(tmp_path):
    target = tmp_path / "results.csv"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), name], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for name in ("first", "second")
    ]  # fmt: skip
    for writer in writers:
        writer.stdout.readline()  # both have written, none is in place

    for writer in writers:
        writer.communicate("\n")

    assert [writer.returncode for writer in writers] == [0, 0]
    assert target.read_text() == "second"
    assert list(tmp_path.iterdir()) == [target]


def test_a_part_of_a_file_is_removed_and_the_old_one_stays(tmp_path):
    target = tmp_path / "results.csv"
    target.write_text("old")

    with pytest.raises(OSError, match="full"), replacing(target) as fresh:
        fresh.write_text("ne")
        raise OSError("full")

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
