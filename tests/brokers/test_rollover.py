"""A rollover as a decision: same direction, same quantity, stop moved along, nothing guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.contracts import Contract
from brokers.rollover import Holding, RollAction, RollPrices, plan_rollover
from core.errors import BrokerError
from core.orders import Side
from tests.brokers.contract_rows import DAY, day

OLD = Contract("NIFTY-FUT", "NIFTY26SEPFUT", "1", expiry=day("2026-09-29"))
NEW = Contract("NIFTY-FUT", "NIFTY26OCTFUT", "2", expiry=day("2026-10-27"))
PRICES = RollPrices(24_800.0, 24_935.5, 10**18, 10**18)


def plan(holding, new=NEW, prices=PRICES, tick=0.1, lot=65.0, **more):
    return plan_rollover(holding, OLD, new, prices, DAY, tick=tick, lot=lot, **more)


def test_a_long_is_closed_in_the_old_and_opened_in_the_new_with_its_stop_moved_along():
    made = plan(Holding("NIFTY-FUT", 1, 130.0, stop=24_650.0, target=25_100.0, plan_id="nifty"))

    assert made.action is RollAction.ROLL
    assert (made.close_side, made.close_quantity) == (Side.SELL, 130.0)
    assert (made.open_side, made.open_quantity) == (Side.BUY, 130.0)
    assert (made.price_difference, made.left_out) == (135.5, 0.0)
    assert (made.stop, made.target) == (24_785.5, 25_235.5)
    assert made.describe() == (
        "NIFTY-FUT 2026-09-02: close 130 NIFTY26SEPFUT, buy 130 NIFTY26OCTFUT, "
        "prices moved by +135.5, stop 24785.5"
    )


def test_a_short_is_bought_back_and_sold_again():
    made = plan(Holding("NIFTY-FUT", -1, 65.0, stop=24_900.0))

    assert (made.close_side, made.open_side) == (Side.BUY, Side.SELL)
    assert (made.stop, made.target) == (25_035.5, None)


def test_a_quantity_that_is_no_whole_lot_of_the_new_contract_is_not_opened_in_full():
    # Nifty's lot fell from 75 to 65 with the January 2026 contracts
    made = plan(Holding("NIFTY-FUT", 1, 150.0))

    assert (made.close_quantity, made.open_quantity, made.left_out) == (150.0, 130.0, 20.0)
    assert made.reason == "20 are no whole lot of 65"


def test_less_than_one_lot_of_the_new_contract_ends_the_position():
    made = plan(Holding("NIFTY-FUT", 1, 25.0), lot=75.0)

    assert (made.action, made.open_quantity) == (RollAction.CLOSE, 0.0)
    assert made.reason == "25 is less than one lot of 75 of NIFTY26OCTFUT"


def test_without_a_later_contract_the_position_ends_and_no_price_is_needed():
    made = plan(Holding("NIFTY-FUT", -1, 65.0), new=None, prices=None)

    assert (made.action, made.close_side, made.close_quantity) == (RollAction.CLOSE, Side.BUY, 65.0)
    assert made.reason == "no later contract is known"


def test_a_plan_that_does_not_roll_closes():
    made = plan(Holding("NIFTY-FUT", 1, 65.0), action=RollAction.CLOSE)

    assert (made.action, made.open_quantity, made.new) == (RollAction.CLOSE, 0.0, None)


def test_only_what_was_really_closed_is_opened_again():
    whole = plan(Holding("NIFTY-FUT", 1, 195.0, stop=24_650.0))

    part = whole.for_closed(140.0, 65.0)

    assert (part.open_quantity, part.left_out) == (130.0, 65.0)
    assert part.reason == "140 of 195 were closed"
    assert whole.for_closed(195.0, 65.0) is whole
    assert whole.for_closed(0.0, 65.0).open_quantity == 0.0


@pytest.mark.parametrize(
    "prices",
    [
        None,
        RollPrices(float("nan"), 24_900.0, 10**18, 10**18),
        RollPrices(24_800.0, 24_900.0, 10**18, 10**18 + 61 * 10**9),
    ],
    ids=["none", "one missing", "a minute apart"],
)
def test_a_stop_is_not_moved_by_prices_that_are_not_known_together(prices):
    with pytest.raises(BrokerError, match="no rollover"):
        plan(Holding("NIFTY-FUT", 1, 65.0, stop=24_650.0), prices=prices)


@given(
    st.sampled_from([1, -1]),
    st.integers(1, 40),
    st.integers(200_000, 300_000),
    st.integers(1, 5_000),
    st.integers(-20_000, 20_000),
    st.floats(0.0, 0.0999),
)
def test_the_stop_is_on_the_tick_and_never_farther_than_it_was(
    direction, lots, price, distance, difference, off_tick
):
    old = price / 10
    new = (price + difference) / 10 + off_tick
    stop = (price - direction * distance) / 10
    holding = Holding("NIFTY-FUT", direction, lots * 65.0, stop=stop)

    made = plan(holding, prices=RollPrices(old, new, 0, 0))

    before, after = (old - stop) * direction, (new - made.stop) * direction
    assert -1e-6 <= before - after <= 0.1 + 1e-6
    assert abs(made.stop * 10 - round(made.stop * 10)) < 1e-6
    assert made.close_quantity == made.open_quantity + made.left_out == holding.quantity
