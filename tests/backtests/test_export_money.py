"""Whole cents: rows that add up to their totals, whatever the amounts."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests.export.money import cents_that_add_up, split_cents

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
AMOUNT = st.integers(-(10**13), 10**13).map(lambda value: value / 1e7)
TABLE = st.lists(st.tuples(AMOUNT, st.integers(0, 2)), min_size=1, max_size=20)


def columns(table):
    amounts, groups = zip(*table, strict=True)
    return np.array(amounts), np.array(groups, np.int64)


@UNHURRIED
@given(TABLE)
def test_each_groups_rows_add_up_to_its_rounded_total(table):
    amounts, groups = columns(table)

    cents = cents_that_add_up(amounts, groups)

    for group in np.unique(groups):
        total = np.sum(amounts[groups == group]) * 100.0
        assert abs(cents[groups == group].sum() - total) <= 0.5 + 1e-4


@UNHURRIED
@given(TABLE)
def test_no_row_is_a_cent_off(table):
    amounts, groups = columns(table)

    cents = cents_that_add_up(amounts, groups)

    assert np.all(np.abs(cents - amounts * 100.0) <= 1.0 + 1e-4)


@UNHURRIED
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=60))
def test_whole_cents_stay_as_they_are(table):
    cents = np.array(table, np.int64)

    kept = cents_that_add_up(cents / 100.0, np.zeros(len(cents), np.int64))

    assert kept.tolist() == cents.tolist()


@UNHURRIED
@given(
    TABLE, st.lists(AMOUNT, min_size=20, max_size=20), st.lists(AMOUNT, min_size=20, max_size=20)
)
def test_kinds_make_up_the_costs_and_gross_less_costs_is_net(table, brokerage, swap):
    net, groups = columns(table)
    costs = {"brokerage": np.array(brokerage[: len(net)]), "swap": np.array(swap[: len(net)])}

    kinds, paid, net_cents, gross = split_cents(costs, net, groups)

    assert np.array_equal(kinds["brokerage"] + kinds["swap"], paid)
    assert np.array_equal(gross - paid, net_cents)
    for kind, money in costs.items():
        assert np.array_equal(kinds[kind], cents_that_add_up(money, groups))
