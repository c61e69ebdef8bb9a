"""Figures of the report against hand counts."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from core.results import RunFolder
from reports.figures import write_plots
from reports.tables import monthly_results, r_histogram
from tests.reports.conftest import write_run


def test_months_are_in_per_cent_of_the_equity_they_began_with():
    days = pd.DataFrame(
        {"day": ["2024-02-28", "2024-02-29", "2025-03-03"], "pnl": [100.0, -50.0, 20.0],
         "start_equity": [1000.0, 1100.0, 1050.0]}
    )  # fmt: skip

    years = monthly_results(days)

    assert [year["year"] for year in years] == [2024, 2025]
    assert years[0]["months"][2]["pnl"] == 50.0
    assert years[0]["months"][2]["pct"] == pytest.approx(5.0)
    assert years[1]["pct"] == pytest.approx(100 * 20 / 1050)


def test_histogram_counts_each_trade_once_and_outliers_in_the_last_bins():
    bins = r_histogram([-1.0, -0.99, 2.0, 2.24, 50.0, -9.0, math.nan])

    assert sum(bin_["count"] for bin_ in bins) == 6
    assert {(b["from"], b["count"]) for b in bins if b["count"]} == {
        (-3.0, 1), (-1.0, 2), (2.0, 2), (5.75, 1),
    }  # fmt: skip


def test_plots_are_pictures_of_every_account_and_plan(finished_run: RunFolder):
    paths = write_plots(finished_run)

    names = {path.name for path in paths}
    assert names == {"equity-main.png", "daily-main.png", "r-gold.png", "trades-gold.png"}
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in paths)


def test_a_session_that_saw_no_price_has_no_plots(tmp_path):
    run = write_run(tmp_path / "runs", count=75)
    for name in ("equity-main.csv", "days-main.csv"):
        head = (run.path / name).read_text().splitlines()[0]
        (run.path / name).write_text(f"{head}\n")

    assert write_plots(run) == []
