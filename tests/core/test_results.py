"""Run folders: whole or not at all, found by last, number, prefix or path."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError, TolaError
from core.results import RunWriter, find_run, iso_time, json_text, list_runs, write_table

ROOT = Path(__file__).resolve().parents[2]


def publish(runs: Path, out: Path | None = None) -> str:
    with RunWriter(runs, out) as writer:
        writer.json("summary.json", {"ok": 1})
        return writer.publish().name


def test_runs_are_numbered_in_order_and_found_by_name(tmp_path: Path):
    names = [publish(tmp_path) for _ in range(12)]

    assert names[0] == "0001"
    assert [run.name for run in list_runs(tmp_path)] == names
    assert find_run("last", tmp_path).name == "0012"
    assert find_run("-2", tmp_path).name == "0011"
    assert find_run("0003", tmp_path).name == "0003"
    assert find_run("11", tmp_path).name == "0011"
    assert find_run(str(tmp_path / "0004"), tmp_path).name == "0004"


def test_a_prefix_of_several_runs_is_refused_with_their_names(tmp_path: Path):
    for _ in range(12):
        publish(tmp_path)

    with pytest.raises(ConfigError, match=r"not unique: 0001, 0002, .*0012"):
        find_run("00", tmp_path)


def test_an_unknown_run_lists_what_there_is(tmp_path: Path):
    publish(tmp_path)

    with pytest.raises(ConfigError, match=r"unknown run 'x'.*0001"):
        find_run("x", tmp_path)


def test_an_error_while_writing_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(TolaError, match="nothing was kept"), RunWriter(tmp_path) as writer:
        writer.json("summary.json", {})
        raise OSError(28, "No space left on device")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a signal that ends is POSIX's")
def test_what_a_killed_run_left_the_next_removes_and_what_a_living_one_writes_stays(tmp_path: Path):
    text = (
        "import os, signal, sys; from pathlib import Path; from core.results import RunWriter\n"
        "RunWriter(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGTERM)"
    )
    child = subprocess.run([sys.executable, "-c", text, str(tmp_path)], cwd=ROOT, check=False)
    assert child.returncode == -signal.SIGTERM
    left = list(tmp_path.glob(".run-*.partial"))
    elsewhere = tmp_path / f".run-elsewhere-{1 << 30}-1f.partial"
    elsewhere.mkdir()
    living = RunWriter(tmp_path).path

    publish(tmp_path)

    assert len(left) == 1 and not left[0].exists()
    assert living.is_dir() and elsewhere.is_dir()


def test_a_named_folder_that_exists_is_refused_and_kept(tmp_path: Path):
    kept = tmp_path / "mine"
    kept.mkdir()

    with pytest.raises(ConfigError, match="exists already"):
        RunWriter(tmp_path, kept)

    assert kept.is_dir()


def test_money_is_rounded_half_even_to_the_cent_and_prices_kept_whole(tmp_path: Path):
    path = tmp_path / "t.csv"

    write_table(
        path,
        ("pnl", "entry_price", "r_multiple", "ambiguous", "stop"),
        [{"pnl": 0.125, "entry_price": 1875.413, "r_multiple": 1 / 3, "ambiguous": True}],
    )

    assert path.read_text() == (
        "pnl,entry_price,r_multiple,ambiguous,stop\n0.12,1875.413,0.333333,1,\n"
    )


def test_times_are_utc_iso_with_only_the_decimals_they_need():
    assert iso_time(1_704_189_600_000_000_000) == "2024-01-02T10:00:00Z"
    assert iso_time(1_704_189_600_250_000_000) == "2024-01-02T10:00:00.25Z"


def test_json_holds_no_nan():
    assert json_text({"a": float("nan"), "b": [float("inf"), 1]}, indent=None) == (
        '{"a": null, "b": [null, 1]}'
    )


@given(st.integers(min_value=-(10**18), max_value=4 * 10**18))
def test_times_are_those_of_datetime_whatever_their_decimals(ns: int) -> None:
    seconds, rest = divmod(ns, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

    assert iso_time(ns) == (f"{text}.{rest:09d}".rstrip("0") if rest else text) + "Z"
