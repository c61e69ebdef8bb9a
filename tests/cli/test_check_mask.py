"""`backtest --check-mask`: a mask that keeps its promise, and masks that lie."""

from __future__ import annotations

import pytest

from tests.cli import market

SLEEPS = """\
import backtrader as bt
import numpy as np


class Sleeps(bt.Strategy):
    idle_in_position = True

    def entry_mask(self):
        mask = np.zeros(self.data.buflen(), bool)
        mask[::10] = True
        return mask

    def next(self):
        if self.position or len(self) % 10 != 1 and len(self) not in ACTS_AT:
            return
        close = self.data.close[0]
        self.buy_bracket(
            size=1, exectype=bt.Order.Market, stopprice=close - 4, limitprice=close + 4
        )
"""


@pytest.fixture
def check(tola, tmp_path):
    """Check the mask of the strategy, that also acts at the bars given."""

    def call(*acts_at, text=SLEEPS):
        market.write(tmp_path / "XAUUSD_M15.csv")
        (tmp_path / "my.py").write_text(text.replace("ACTS_AT", repr(acts_at)))
        return tola("backtest", "--strategy", "my.py:Sleeps", "--data", "XAUUSD_M15.csv",
                    "--fills", "backtrader", "--check-mask")  # fmt: skip

    return call


def test_a_mask_that_keeps_its_promise(check, tmp_path):
    said = check()

    assert said.code == 0
    assert "entry mask: kept" in said.out
    assert not (tmp_path / "runs").exists()


def test_a_mask_that_lies_is_told_with_the_first_bar_and_what_next_did(check):
    said = check(44, 45)

    assert said.code == 1
    assert "Sleeps.entry_mask is false at the bar of 2025-03-03T11:45:00Z (bar 44)" in said.error
    assert "next sent a buy order (Market, 1)" in said.error


def test_a_count_kept_on_bars_the_mask_calls_idle_is_found_by_its_orders(check):
    counts = SLEEPS.replace(
        "        if self.position or", "        self.bars = getattr(self, 'bars', 0) + 1\n"
        "        if self.position or",
    ).replace("size=1,", "size=self.bars,")  # fmt: skip

    said = check(text=counts)

    assert said.code == 1
    assert "with the entry mask the runs part at 2025-03-03T" in said.error
    assert "next changes something on a bar the mask calls idle" in said.error


def test_a_strategy_without_a_mask_is_told_so(check):
    said = check(text=SLEEPS.replace("def entry_mask", "def some_mask"))

    assert said.code == 0
    assert "Sleeps declares no entry mask" in said.out
