"""`python -m backtests.bench`: names, sizes, exit codes, bench.json."""

import json

import pytest

from backtests.bench import Row, __main__, load
from backtests.bench.__main__ import main


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUICK", raising=False)
    return tmp_path


def rows_of(monkeypatch, *rows):
    seen = []

    def measure(session, wanted):
        seen.append((session.quick, session.size(100, 7), wanted))
        yield from rows

    monkeypatch.setattr(load, "measure", measure)
    return seen


def test_an_unknown_name_is_one_line_with_a_near_one(capsys):
    assert main(["t1_mask_dens"]) == 2

    said = capsys.readouterr()
    assert said.out == "" and "'t1_mask_dens'" in said.err and "t1_mask_dense" in said.err


def test_the_list_names_every_row_with_its_target(capsys):
    assert main(["--list"]) == 0

    said = capsys.readouterr().out
    assert "t1_next_every_bar" in said and "(target 4x)" in said and "gold_smc_command" in said


@pytest.mark.parametrize(("value", "size"), [("", 100), ("0", 100), ("1", 7)])
def test_quick_takes_the_small_sizes(monkeypatch, value, size, here):
    seen = rows_of(monkeypatch, Row("load_csv_1m", "seconds", 1.0, 70.0, target=65.0))
    monkeypatch.setenv("QUICK", value)

    assert main(["load_csv_1m"]) == 0

    assert seen == [(size == 7, size, frozenset({"load_csv_1m"}))]
    (row,) = json.loads((here / "bench.json").read_text(encoding="utf-8"))
    assert row["ratio"] == 70.0 and row["status"] == "pass" and row["quick"] == (size == 7)
    assert "Python" in row["machine"]


def test_a_target_missed_is_no_failure_but_a_failed_row_is(monkeypatch, capsys):
    rows_of(monkeypatch, Row("a", "seconds", 1.0, 2.0, target=65.0))
    assert main(["load"]) == 0
    assert "short (target 65x)" in capsys.readouterr().out

    rows_of(monkeypatch, Row("a", "seconds", 1.0, 2.0, failed="the runs differ: 3 trades"))
    assert main(["load"]) == 1
    assert "failed: the runs differ" in capsys.readouterr().out


def test_a_group_that_breaks_becomes_a_failed_row(monkeypatch, capsys):
    def measure(session, wanted):
        raise ValueError("line open differs from the peer's")
        yield

    monkeypatch.setattr(load, "measure", measure)

    assert main(["load"]) == 1
    assert "line open differs" in capsys.readouterr().out


def test_json_is_alone_on_stdout(monkeypatch, capsys):
    rows_of(monkeypatch, Row("a", "seconds", 1.0))

    assert main(["load", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)[0]["task"] == "a"


def test_figures_of_a_quick_run_do_not_enter_the_readme(monkeypatch, capsys):
    rows_of(monkeypatch, Row("a", "seconds", 1.0))
    monkeypatch.setenv("QUICK", "1")
    main(["load"])

    assert main(["--readme"]) == 2
    assert "quick run" in capsys.readouterr().err
    assert __main__.OUT.exists()


def test_named_rows_replace_themselves_and_leave_the_others(monkeypatch, here):
    def tasks():
        return {
            row["task"]: row["ours"]
            for row in json.loads((here / "bench.json").read_text(encoding="utf-8"))
        }

    rows_of(monkeypatch, Row("a", "seconds", 1.0), Row("b", "seconds", 1.0))
    main(["load"])
    rows_of(monkeypatch, Row("b", "seconds", 2.0))
    main(["load"])
    assert tasks() == {"a": 1.0, "b": 2.0}

    monkeypatch.setenv("QUICK", "1")
    main(["load"])
    assert tasks() == {"b": 2.0}
