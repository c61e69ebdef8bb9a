"""Task T1 on a few bars: the real engines, real processes, rows as `make bench` makes them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtests.bench import t1
from backtests.bench.environments import PeerMissing
from backtests.bench.peers.job import TRADE_COLUMNS
from backtests.bench.race import Result
from backtests.bench.session import Session
from backtests.bench.t1_entrants import Sizes
from backtests.bench.t1_masked import highest_before
from backtests.bench.walk import t1_bars

WANTED = frozenset({"t1_next_every_bar", "t1_mask_dense", "t1_vs_backtesting_py"})


def offline(peer, tell):
    raise PeerMissing(f"{peer.title} is not installed")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    session = Session(True, tmp_path_factory.mktemp("t1"), io.StringIO(), find_python=offline)
    return {row.task: row for row in t1.measure(session, WANTED, Sizes(2_000, 1_000))}


def test_untouched_and_masked_runs_equal_stock_backtrader(rows):
    for task in ("t1_next_every_bar", "t1_mask_dense"):
        row = rows[task]
        assert row.failed == "" and row.ours > 0 and row.peer > 0
        assert row.peer_name.startswith("backtrader 1.9")
        assert row.bars == 2_000 and "trades" in row.note and "peer" not in row.note


def test_a_missing_peer_skips_its_row_alone_with_the_reason(rows):
    row = rows["t1_vs_backtesting_py"]

    assert row.status == "skipped" and row.skipped == "backtesting.py 0.6.6 is not installed"


def test_runs_that_differ_fail_the_row():
    def answer(price):
        trades = {name: np.array([1.0]) for name in TRADE_COLUMNS}
        return Result(1.0, 1.0, 1.0, 1, 5.0, 105.0, trades=trades | {"entry_price": [price]})

    made = t1.Duel("task", ("next", "stock"), t1._timed("task", 9, "peer {}", ""), exact=True)
    row = made.row({"next": answer(2000.0), "stock": answer(2000.01)}, {})

    assert row.status == "failed" and row.ratio is None
    assert "trade 0: entry_price" in row.failed and "2000.01" in row.failed


def test_the_walk_is_the_same_each_time_and_as_specified():
    bars = t1_bars(20_000)

    assert np.array_equal(bars, t1_bars(20_000))
    assert 0.3 < float((bars["high"] - bars["low"]).mean()) < 0.6
    assert (bars["low"] <= np.minimum(bars["open"], bars["close"])).all()
    assert (bars["high"] >= np.maximum(bars["open"], bars["close"])).all()
    assert (np.diff(bars["start"]) > 0).all() and (bars["flags"] & 1).all()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 12))
def test_the_running_maximum_is_that_of_the_bars_before(values, window):
    found = highest_before(np.array(values, float), window)

    for i, value in enumerate(found):
        wanted = max(values[i - window : i]) if i >= window else np.nan
        assert np.array_equal(value, wanted, equal_nan=True)
