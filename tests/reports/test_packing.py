"""Packed columns give back what the tables hold: read here by the page's own rules."""

from __future__ import annotations

import base64
import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.packing import MISSING, ColumnPack, price_decimals, thin_curve

CENTS = st.integers(-(2**31) + 1, 2**31 - 1).map(lambda cents: cents / 100)


def unpack(pack: ColumnPack, name: str) -> list[float]:
    """Read a column as reports/page/data.js does."""
    block = np.frombuffer(zlib.decompress(base64.b64decode(pack.text())), np.uint8)
    count, offset, planes, decimals, kind = pack.index[name]
    rows = block[offset : offset + count * planes].reshape(planes, count)
    if kind == "f":
        return np.ascontiguousarray(rows.T).view("<f8").ravel().tolist()
    values, total = [], 0
    for item in range(count):
        folded = sum(int(rows[p, item]) << (8 * p) for p in range(planes))
        step = (folded >> 1) ^ -(folded & 1)
        total = (total + step + 2**31) % 2**32 - 2**31 if kind == "d" else step
        values.append(math.nan if total == MISSING else total / 10**decimals)
    return values


@given(st.lists(st.one_of(CENTS, st.just(math.nan))), st.lists(st.integers(0, 2**31 - 1)))
def test_money_and_counts_come_back_exactly(money: list[float], counts: list[int]):
    pack = ColumnPack()

    pack.add("money", np.array(money, float))
    pack.add("counts", np.array(counts, np.int64))

    assert unpack(pack, "counts") == counts
    np.testing.assert_array_equal(unpack(pack, "money"), money)


@given(st.lists(st.floats(-1e15, 1e15) | st.just(math.nan), max_size=20))
def test_any_number_comes_back_within_its_last_digits(values: list[float]):
    pack = ColumnPack()

    pack.add("x", np.array(values, float))

    np.testing.assert_allclose(unpack(pack, "x"), values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("prices", "decimals"),
    [([2000.0, 2001.0], 0), ([14126.95], 2), ([1875.413, 1.0], 3), ([1.08125], 5)],
)
def test_prices_keep_the_decimals_of_the_file(prices: list[float], decimals: int):
    assert price_decimals(np.array(prices)) == decimals


@given(st.integers(200, 3000), st.integers(0, 2**32 - 1))
def test_a_thinned_curve_keeps_its_ends_its_extremes_and_its_deepest_drawdown(
    count: int, seed: int
):
    equity = np.random.default_rng(seed).normal(0, 1, count).cumsum()
    drawdown = equity - np.maximum.accumulate(equity)

    rows = thin_curve(equity, drawdown, 100)

    assert len(rows) <= 105
    assert {0, count - 1, equity.argmax(), equity.argmin(), drawdown.argmin()} <= set(rows)
