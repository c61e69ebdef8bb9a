"""Charges against worked examples: turnover, then each line by hand, in the comments."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calendar import day_number
from core.costs import (
    COST_KINDS,
    charge,
    charge_by_kind,
    charges_of,
    no_costs,
    round_money,
    swap,
)
from core.instruments import get_instrument


def charged(
    symbol: str, when: date, is_buy: bool, quantity: float, price: float
) -> dict[str, float]:
    facts = get_instrument(symbol).facts(day_number(when))
    return charges_of(facts.cost[0], is_buy, quantity, price, facts.multiplier)


def test_a_nifty_sale_in_january_2024() -> None:
    # 50 x 15,000 = 750,000. Brokerage 0.03 % = 225, capped at 20. STT 0.0125 % = 93.75 -> 94 (the
    # example on Zerodha's own page). Exchange 0.0019 % = 14.25. SEBI 10 a crore = 0.75. No stamp on
    # a sale. GST 18 % of 20 + 14.25 + 0.75 = 6.30.
    charges = charged("NIFTY-FUT", date(2024, 1, 15), False, 50, 15_000)

    assert charges == {"brokerage": 20, "stt": 94, "exchange": 14.25, "sebi": 0.75, "gst": 6.30}


def test_a_nifty_purchase_in_october_2024_pays_stamp_duty_and_no_stt() -> None:
    # 75 x 25,000 = 1,875,000. Exchange 0.00173 % = 32.4375 -> 32.44. SEBI 1.875 -> 1.88.
    # Stamp 0.002 % = 37.50 -> 38. GST 18 % of 54.32 = 9.7776 -> 9.78.
    charges = charged("NIFTY-FUT", date(2024, 10, 15), True, 75, 25_000)

    assert charges == {"brokerage": 20, "exchange": 32.44, "sebi": 1.88, "stamp": 38, "gst": 9.78}


@pytest.mark.parametrize(
    ("when", "stt"),
    [
        (date(2023, 3, 31), 188),  # 0.01 % of 1,875,000 = 187.50
        (date(2023, 4, 3), 234),  # 0.0125 % = 234.375
        (date(2024, 9, 30), 234),
        (date(2024, 10, 1), 375),  # 0.02 %
        (date(2026, 3, 31), 375),
        (date(2026, 4, 1), 938),  # 0.05 % = 937.50, not confirmed
    ],
)
def test_stt_on_a_sale_follows_the_law_of_its_day(when: date, stt: float) -> None:
    assert charged("NIFTY-FUT", when, False, 75, 25_000)["stt"] == stt


def test_a_small_order_pays_the_brokerage_rate_below_the_cap() -> None:
    # 1 x 10,000: 0.03 % = 3.00; exchange 0.00173 % = 0.173 -> 0.17; SEBI 0.01; GST 18 % of 3.18.
    charges = charged("NIFTY-FUT", date(2025, 1, 6), True, 1, 10_000)

    assert charges == {"brokerage": 3.0, "exchange": 0.17, "sebi": 0.01, "gst": 0.57}


def test_a_quantity_above_the_freeze_limit_pays_the_brokerage_of_every_slice() -> None:
    # 4,500 with slices of at most 1,800: two of 1,800 and one of 900, each capped at 20.
    facts = get_instrument("NIFTY-FUT", {"freeze_quantity": 1800}).facts(
        day_number(date(2024, 1, 15))
    )

    brokerage = charges_of(facts.cost[0], True, 4_500, 15_000, 1.0)["brokerage"]
    exact = charges_of(facts.cost[0], True, 3_600, 15_000, 1.0)["brokerage"]

    assert (brokerage, exact) == (60, 40)


def test_a_gold_mini_sale_on_mcx_pays_ctt() -> None:
    # 2 lots x 72,000 x 10 = 1,440,000. CTT 0.01 % = 144. Exchange 0.0021 % = 30.24. SEBI 1.44.
    # GST 18 % of 20 + 30.24 + 1.44 = 9.3024 -> 9.30.
    charges = charged("GOLDM", date(2024, 11, 5), False, 2, 72_000)

    assert charges == {"brokerage": 20, "ctt": 144, "exchange": 30.24, "sebi": 1.44, "gst": 9.30}


@pytest.mark.parametrize(
    ("symbol", "quantity", "commission"),
    [("MGC", 3, 1.86), ("GC", 2, 3.24), ("XAUUSD", 1.87, 6.55), ("EURUSD", 0.5, 1.75)],
)
def test_futures_and_lots_pay_a_commission_per_side(
    symbol: str, quantity: float, commission: float
) -> None:
    # 3 x 0.62; 2 x 1.62; 1.87 x 3.50 = 6.545 -> 6.55; 0.5 x 3.50.
    for is_buy in (True, False):
        assert charged(symbol, date(2025, 5, 5), is_buy, quantity, 2_400) == {
            "commission": commission
        }


def test_the_total_is_the_sum_of_the_kinds() -> None:
    facts = get_instrument("NIFTY-FUT").facts(day_number(date(2024, 10, 15)))
    kinds = np.zeros(len(COST_KINDS))

    total = charge_by_kind(facts.cost[0], False, 75.0, 25_000.0, 1.0, kinds)

    # 20 + 375 + 32.44 + 1.88 + 9.78
    assert total == pytest.approx(439.10, abs=1e-9)
    assert total == sum(kinds.tolist())
    assert charge(facts.cost[0], False, 75.0, 25_000.0, 1.0) == total


def test_compiled_and_plain_charges_agree_bit_for_bit() -> None:
    facts = get_instrument("NIFTY-FUT").facts(day_number(date(2024, 10, 15)))
    compiled, plain = np.zeros(8), np.zeros(8)

    for price in np.random.default_rng(5).uniform(15_000, 26_000, 200):
        charge_by_kind(facts.cost[0], True, 75.0, price, 1.0, compiled)
        charge_by_kind.py_func(facts.cost[0], True, 75.0, price, 1.0, plain)
        assert np.array_equal(compiled, plain)


def test_nothing_is_charged_without_costs() -> None:
    assert charges_of(no_costs()[0], False, 100.0, 25_000.0, 1.0) == {}
    free = get_instrument("XAUUSD").without_costs().facts(day_number(date(2025, 5, 5)))
    assert charges_of(free.cost[0], True, 1.0, 3_000.0, 100.0) == {}
    assert (free.spread, free.slippage_ticks) == (0, 0)
    assert swap(free.cost[0], 1.0, 3) == 0


@given(st.integers(0, 10**9))
def test_money_is_rounded_half_up_like_decimal(thousandths: int) -> None:
    value = thousandths / 1000
    exact = Decimal(thousandths) / 1000

    assert round_money(value, 0.01) == float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
    assert round_money(value, 1.0) == float(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert round_money(value, 0.0) == value


def test_a_long_pays_its_own_rate_and_a_short_the_other() -> None:
    cost = no_costs()
    cost["swap_long"], cost["swap_short"] = 40.0, -12.5

    assert swap(cost[0], 2.0, 3) == 240.0
    assert swap(cost[0], -2.0, 1) == -25.0
    assert swap(cost[0], 0.0, 3) == 0.0
