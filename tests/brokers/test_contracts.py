"""Contracts: six venues' rows in one record, quantities both ways, differences by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.contracts import Contract, differences_of, refuse_differences
from brokers.symbol_names import find_name
from core.errors import ConfigError
from core.instruments import get_instrument
from tests.brokers.contract_rows import DAY, SIX_ROWS, ctrader, day, kite, metaapi, topstepx, upstox


def contract(**more):
    return Contract("NIFTY-FUT", "NIFTY26SEPFUT", "1", **more)


def found(item, symbol, on=DAY, overrides=None, expiry=None):
    ours = get_instrument(symbol, overrides)
    facts = ours.facts(on)
    return differences_of(item, "bazaar", facts, ours.quote_currency, expiry)


# -- the six --------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", SIX_ROWS)
def test_a_row_of_each_of_the_six_becomes_a_contract_that_agrees_with_our_table(venue):
    item = SIX_ROWS[venue]()

    grave = [one.fact for one in found(item, item.symbol) if one.is_grave]

    assert grave == []


def test_what_each_of_the_six_does_not_tell_stays_unknown():
    untold = {
        venue: {
            name
            for name in ("expiry", "tick", "lot", "multiplier", "freeze_quantity")
            if getattr(row(), name) is None
        }
        for venue, row in SIX_ROWS.items()
    }

    assert untold == {
        "kite": {"multiplier", "freeze_quantity"},
        "upstox": {"multiplier"},
        "mstock": {"multiplier", "freeze_quantity"},
        "topstepx": {"expiry", "freeze_quantity"},
        "ctrader": {"expiry"},
        "metaapi": {"expiry"},
    }


def test_an_expiry_given_as_the_last_second_of_the_day_in_india_is_that_day():
    assert upstox().expiry == day("2026-07-28")


# -- quantities -----------------------------------------------------------------------------------


def test_a_lot_of_gold_is_ten_thousand_hundredths_of_an_ounce():
    gold = ctrader()

    assert gold.to_venue(1.0) == 10_000
    assert gold.to_venue(0.01) == 100
    assert gold.to_venue(0.07) == 700  # 0.07 * 10000 is 700.0000000000001
    assert gold.from_venue(700) == 0.07


def test_venues_that_count_as_we_do_are_given_our_quantity():
    assert kite().to_venue(130.0) == 130.0
    assert metaapi().to_venue(0.07) == 0.07
    assert topstepx().to_venue(3.0) == 3.0


@given(st.integers(1, 100_000))
def test_a_quantity_is_the_same_after_the_way_to_the_venue_and_back(steps):
    for item in (ctrader(), metaapi(), kite(), topstepx()):
        quantity = steps / 100 if item.lot == 0.01 else steps * item.lot

        assert item.from_venue(item.to_venue(quantity)) == quantity


def test_a_quantity_between_two_lots_never_goes_out():
    with pytest.raises(ValueError, match="100 NIFTY-FUT: expected whole steps of 65"):
        kite().to_venue(100.0)
    with pytest.raises(ValueError, match=r"whole steps of 0\.01"):
        ctrader().to_venue(0.015)


def test_a_position_of_another_hand_off_our_lot_is_told_as_it_is():
    assert kite().from_venue(100.0) == 100.0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tick": 0.0}, "tick=0: expected a number above 0"),
        ({"lot": float("nan")}, "lot=nan"),
        ({"freeze_quantity": float("inf")}, "freeze_quantity=inf"),
        ({"venue_units": -1.0}, "venue_units=-1"),
    ],
    ids=["tick", "lot", "freeze", "units"],
)
def test_a_fact_that_cannot_be_is_refused_where_it_is_made(wrong, told):
    with pytest.raises(ValueError, match=told):
        contract(**wrong)


def test_a_contract_without_an_id_is_refused():
    with pytest.raises(ValueError, match="is empty"):
        Contract("NIFTY-FUT", "NIFTY26SEPFUT", "")


# -- differences ----------------------------------------------------------------------------------


def test_each_difference_is_told_by_name_with_both_values():
    other = contract(tick=0.05, lot=75.0, multiplier=2.0, currency="USD", freeze_quantity=1200.0)

    told = [item.describe() for item in found(other, "NIFTY-FUT")]

    at = "at bazaar (NIFTY26SEPFUT)"
    assert told == [
        f"NIFTY-FUT: tick is 0.05 {at} and 0.1 in our table",
        f"NIFTY-FUT: lot is 75 {at} and 65 in our table",
        f"NIFTY-FUT: multiplier is 2 {at} and 1 in our table",
        f"NIFTY-FUT: freeze_quantity is 1200 {at} and 1800 in our table",
        f"NIFTY-FUT: currency is USD {at} and INR in our table",
    ]


def test_what_would_make_sizes_or_money_wrong_is_refused_with_the_flag_that_settles_it():
    lots = found(contract(lot=75.0), "NIFTY-FUT")

    with pytest.raises(ConfigError) as caught:
        refuse_differences(lots)

    assert str(caught.value) == (
        "NIFTY-FUT: lot is 75 at bazaar (NIFTY26SEPFUT) and 65 in our table; "
        "to trade by the venue's word: --instrument-set lot=75"
    )
    refuse_differences(found(contract(lot=75.0), "NIFTY-FUT", overrides={"lot": 75}))


def test_a_difference_that_changes_no_size_is_told_and_not_refused():
    (late,) = found(contract(expiry=day("2026-09-28")), "NIFTY-FUT", expiry=day("2026-09-29"))

    assert late.fact == "expiry" and not late.is_grave
    refuse_differences([late])


def test_another_currency_has_no_flag_that_would_settle_it():
    with pytest.raises(ConfigError, match=r"currency is USD.*in our table$"):
        refuse_differences(found(contract(currency="USD"), "NIFTY-FUT"))


def test_the_lot_is_that_of_the_contracts_own_day():
    assert found(contract(lot=75.0), "NIFTY-FUT", on=day("2025-12-30")) == []
    assert [item.fact for item in found(contract(lot=75.0), "NIFTY-FUT", day("2025-12-31"))] == [
        "lot"
    ]


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["XAUUSD", "XAUUSD.r"], "XAUUSD"),
        (["EURUSDm", "XAUUSDm"], "XAUUSDm"),
        (["#XAUUSD", "GOLD"], "#XAUUSD"),
        (["XAU/USD"], "XAU/USD"),
        (["EURUSD", "GOLD.i"], "GOLD.i"),
    ],
    ids=["exact", "ending", "mark before another word", "slash", "another word"],
)
def test_a_symbol_is_found_under_the_names_brokers_give_it(names, meant):
    assert find_name("XAUUSD", names) == meant


@pytest.mark.parametrize(
    "names",
    [["XAUUSD.r", "XAUUSD.pro"], ["XAUUSD.", "XAUUSDm"], ["GOLD", "GOLDmicro"]],
    ids=["endings", "a dot and an ending", "sizes"],
)
def test_where_several_names_fit_the_user_is_asked(names):
    with pytest.raises(ConfigError, match="could each be meant: name one in the settings"):
        find_name("XAUUSD", names)

    assert find_name("XAUUSD", names, names[1]) == names[1]


def test_a_name_that_is_not_there_is_an_error_whoever_chose_it():
    with pytest.raises(ConfigError, match="no name of the venue's fits"):
        find_name("XAUUSD", ["EURUSD", "AUDUSD"])
    with pytest.raises(ConfigError, match="did you mean 'XAUUSD"):
        find_name("XAUUSD", ["XAUUSD.r"], "XAUUSD.x")
