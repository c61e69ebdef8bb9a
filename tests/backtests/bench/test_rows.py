"""What a row says of its figures, and how rows read on screen and in the README."""

import json

import pytest

from backtests.bench import Row
from backtests.bench.table import readme_table, screen_line, summary_line, write_readme


def told(row):
    return {**row.as_dict(), "machine": "2 cores", "quick": False}


def test_times_are_better_when_shorter_and_rates_when_higher():
    assert Row("a", "seconds", 2.0, 10.0).ratio == 5.0
    assert Row("a", "bars_per_second", 10.0, 2.0).ratio == 5.0
    assert Row("a", "seconds", 2.0).ratio is None


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (Row("a", "seconds", 2.0, 10.0, target=5.0), "pass"),
        (Row("a", "seconds", 2.1, 10.0, target=5.0), "short"),
        (Row("a", "megabytes", 300.0, 900.0, at_most=300.0), "pass"),
        (Row("a", "megabytes", 301.0, 900.0, at_most=300.0), "short"),
        (Row("a", "seconds", 2.0, 10.0), ""),
        (Row("a", "seconds", skipped="offline", target=5.0), "skipped"),
        (Row("a", "seconds", 2.0, 10.0, target=5.0, failed="differs"), "failed"),
    ],
)
def test_a_row_passes_only_at_its_target(row, status):
    assert row.status == status


def test_a_row_that_failed_gives_no_ratio():
    row = Row("a", "seconds", 2.0, 10.0, target=4.0, failed="the runs differ: 3 trades")

    assert row.ratio is None
    assert row.as_dict()["ratio"] is None
    assert "failed: the runs differ: 3 trades" in screen_line(told(row))


def test_the_file_holds_the_agreed_fields():
    fields = told(Row("a", "megabytes", 250.0, 900.0, "peer 1", at_most=300.0))

    assert {"task", "metric", "ours", "peer", "peer_name", "ratio", "target", "rules", "warm"} <= (
        set(fields)
    )
    assert fields["target"] == 300.0
    assert json.loads(json.dumps(fields)) == fields


def test_the_screen_counts_what_fell_short():
    rows = [
        told(Row("a", "seconds", 2.0, 10.0, target=5.0)),
        told(Row("b", "seconds", 2.0, 4.0, target=5.0)),
        told(Row("c", "seconds", skipped="offline")),
    ]

    assert summary_line(rows) == "3 rows: 1 reach their target, 1 fall short, 1 skipped"
    assert "2x  short (target 5x)" in screen_line(rows[1])


def test_the_readme_says_which_targets_were_not_reached_and_leaves_out_what_failed(tmp_path):
    rows = [
        told(Row("t1_next_every_bar", "seconds", 20.0, 60.0, "backtrader 1", 4.0, bars=1000)),
        told(Row("t1_mask_dense", "seconds", 2.0, 60.0, "backtrader 1", 12.0)),
        told(Row("t1_mask_sparse", "seconds", 2.0, 60.0, failed="the runs differ")),
    ]
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")

    write_readme(rows, readme)

    text = readme.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    assert "4x: **not reached**" in text and "| 3x |" in text and "| 30x | 12x |" in text
    assert len(readme_table(rows).splitlines()) == 4
    assert "Measured on 2 cores." in text
