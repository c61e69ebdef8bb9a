from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.prices import steps_to_quantity
from core.sizing import cash_needed, size_steps


@pytest.mark.parametrize(
    ("risk", "distance", "point_value", "lot", "quantity"),
    [
        (500.0, 2.67, 100.0, 0.01, 1.87),  # 500 / 267 = 1.8727 lots of gold
        (500.0, 2.7, 10.0, 1.0, 18.0),  # 500 / 27 = 18.5 micro contracts
        (10_000.0, 52.0, 1.0, 75.0, 150.0),  # 192.3 units: two lots of 75
        (10_000.0, 40.0, 1.0, 50.0, 250.0),  # exactly five lots of 50
        (300.0, 3.0, 10.0, 1.0, 10.0),  # exactly ten, though 300 / 30.000000000000004 is below
    ],
)
def test_risk_money_buys_whole_lots_rounded_down(
    risk: float, distance: float, point_value: float, lot: float, quantity: float
) -> None:
    steps = size_steps(risk, distance, point_value, lot, inf, 0.0, 0.0)

    assert steps_to_quantity(steps, lot) == quantity


def test_the_smallest_of_risk_contracts_and_margin_holds() -> None:
    by_risk = size_steps(500.0, 2.7, 10.0, 1.0, 50.0, 100_000.0, 1_500.0)
    by_contracts = size_steps(500.0, 2.7, 10.0, 1.0, 5.0, 100_000.0, 1_500.0)
    by_margin = size_steps(500.0, 2.7, 10.0, 1.0, 50.0, 10_000.0, 1_500.0)

    assert (by_risk, by_contracts, by_margin) == (18, 5, 6)


def test_below_one_lot_nothing_is_traded_and_the_cash_needed_is_known() -> None:
    # One lot of 75 with a stop 40 points away loses 3,000: 0.5 % of 600,000.
    steps = size_steps(0.005 * 500_000, 40.0, 1.0, 75.0, inf, 500_000.0, 0.0)

    assert steps == 0
    assert cash_needed(40.0, 1.0, 75.0, 0.005) == pytest.approx(600_000)
    assert cash_needed(40.0, 1.0, 75.0, 0.005, margin_per_unit=10_000) == pytest.approx(750_000)


@pytest.mark.parametrize(
    ("risk", "distance", "free_margin"), [(0.0, 2.0, 1e6), (500.0, 0.0, 1e6), (500.0, 2.0, -10.0)]
)
def test_no_risk_no_distance_or_no_margin_trades_nothing(
    risk: float, distance: float, free_margin: float
) -> None:
    assert size_steps(risk, distance, 10.0, 1.0, inf, free_margin, 100.0) == 0


@given(
    st.floats(1, 1e6), st.floats(0.05, 500), st.sampled_from([0.01, 1.0, 25.0, 75.0]),
    st.floats(0, 1e4),
)  # fmt: skip
def test_size_never_risks_more_than_the_money_nor_passes_the_largest_quantity(
    risk: float, distance: float, lot: float, largest: float
) -> None:
    steps = size_steps(risk, distance, 10.0, lot, largest, 0.0, 0.0)

    quantity = steps_to_quantity(steps, lot)
    assert quantity * distance * 10.0 <= risk + 1e-6 * risk + lot * 1e-6 * distance * 10
    assert quantity <= largest + lot * 1e-6
