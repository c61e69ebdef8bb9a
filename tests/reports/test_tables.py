"""Figures of the report against hand counts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from core.results import RunFolder
from reports.encode import encode_bars, price_decimals
from reports.figures import write_plots
from reports.tables import calendar_months, group_results, r_histogram


def test_calendar_puts_days_under_their_weekday_newest_month_first():
    months = calendar_months({"2024-02-29": 10.5, "2024-03-01": -4.0, "2024-03-04": 1.0})

    assert [month["month"] for month in months] == ["2024-03", "2024-02"]
    assert months[0]["pnl"] == -3.0
    assert months[0]["days"][0] == {"day": 1, "weekday": 4, "pnl": -4.0}
    assert months[1]["days"] == [{"day": 29, "weekday": 3, "pnl": 10.5}]


def test_histogram_counts_each_trade_once_and_outliers_in_the_last_bins():
    bins = r_histogram([-1.0, -0.99, 2.0, 2.24, 50.0, -9.0, math.nan])

    assert sum(bin_["count"] for bin_ in bins) == 6
    assert {(b["from"], b["count"]) for b in bins if b["count"]} == {
        (-3.0, 1), (-1.0, 2), (2.0, 2), (5.75, 1),
    }  # fmt: skip


def test_groups_carry_count_winners_mean_r_and_money():
    trades = pd.DataFrame(
        {"pattern": ["a", "a", "b", None], "pnl": [10.0, -5.0, 0.0, 7.0],
         "r_multiple": [1.0, -0.5, np.nan, 0.5]}
    )  # fmt: skip

    groups = {row["name"]: row for row in group_results(trades, "pattern")}

    assert groups["a"] == {
        "name": "a", "trades": 2, "win_rate": 0.5, "mean_r": 0.25, "pnl": 5.0,
    }  # fmt: skip
    assert groups["b"]["win_rate"] == 0.0
    assert math.isnan(groups["b"]["mean_r"])
    assert groups["–"]["trades"] == 1


@pytest.mark.parametrize(
    ("prices", "decimals"),
    [([2000.0, 2001.0], 0), ([14126.95], 2), ([1875.413, 1.0], 3), ([1.08125], 5)],
)
def test_prices_keep_the_decimals_of_the_file(prices: list[float], decimals: int):
    assert price_decimals(np.array(prices)) == decimals


def test_packed_bars_fit_32_bits_for_large_prices():
    bars = pd.DataFrame(
        {name: [98_765.43217, 1.0] for name in ("open", "high", "low", "close")} | {"start": [0, 1]}
    )

    packed = encode_bars(bars)

    assert 98_765.43217 * packed["scale"] < 2**31


def test_plots_are_pictures_of_every_account_and_plan(finished_run: RunFolder):
    paths = write_plots(finished_run)

    names = {path.name for path in paths}
    assert names == {"equity-main.png", "daily-main.png", "r-gold.png", "trades-gold.png"}
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in paths)
