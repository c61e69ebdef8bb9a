"""Each job that measures the live core runs, in sizes that say nothing, and gives its rows."""

import importlib
import json

import pytest

from backtests.bench import jobs as rows_of_jobs
from backtests.bench import kite, live
from backtests.bench.session import Session
from backtests.bench.table import readme_table, screen_line
from live.bench import job as jobs

TINY = {
    "ticks": {"ours": 20_000, "stock": 1_000, "repeats": 1},
    "tick_to_next": {"ticks": 3, "gap_ms": 2.0, "stock_secs": 1.2, "numbers": [1, 8]},
    "orders": {"rounds": 2},
    "idle": {"seconds": 3.5, "bars": 20},
    "session_bars": {"idle": 30, "holding": 30, "trading": 30, "profiled": 20},
    "memory": {"days": 2, "day_bars": 60},
    "recovery": {"events": 300},
    "kite_crowd": {"count": 60, "seconds": 1.0, "rates": [2], "rate_secs": 1.0},
    "kite_orders": {"rounds": 2},
    "kite_burst": {"orders": 2, "histories": 6, "quotes": 1, "snapshots": 1},
}


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SCRATCH", tmp_path)


@pytest.mark.parametrize("job", [*live.JOBS, *kite.JOBS], ids=lambda job: job.module)
def test_a_job_runs_and_gives_its_rows(job):
    told = importlib.import_module(f"live.bench.{job.module}").measure(**TINY[job.module])

    rows = list(job.rows(json.loads(json.dumps(told))))

    assert [row.task for row in rows] == [task.name for task in job.tasks]
    assert all(row.ours is not None and row.rules for row in rows)
    shown = [row.as_dict() | {"quick": False, "machine": "here"} for row in rows]
    assert [screen_line(row).split()[0] for row in shown] == [row.task for row in rows]
    assert len(readme_table(shown).splitlines()) > 2


def test_jobs_are_processes_of_their_own_that_print_one_document(tmp_path, monkeypatch):
    (job,) = (job for job in live.JOBS if job.module == "ticks")
    small = live.Job(job.module, job.title, job.tasks, TINY["ticks"], TINY["ticks"], job.rows)
    monkeypatch.setattr(live, "JOBS", (small,))

    (row,) = live.measure(Session(True, tmp_path), frozenset({"ticks_to_bars"}))

    assert row.task == "ticks_to_bars" and row.ours > 0.0 and row.peer > 0.0


def test_only_jobs_whose_rows_are_wanted_run(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_of_jobs, "run_job", lambda module, sizes: pytest.fail(module))

    assert list(live.measure(Session(True, tmp_path), frozenset({"t1_mask_dense"}))) == []


def test_a_spread_names_its_middle_and_its_end():
    told = jobs.spread([number / 1e3 for number in range(101)])

    assert told == {"n": 101, "p50": 50.0, "p99": 99.0, "max": 100.0}
