"""Contracts joined into one series: jumps at rolls are taken out, the market's changes stay."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bars import BAR, Series
from core.calendar import day_date, day_number, get_calendar
from core.errors import DataError
from core.results import iso_time
from core.rolls import RollRule
from core.zones import NS_PER_MINUTE
from feeds.continuous import Adjustment, continuous

NSE = get_calendar("NSE")
STEP = 75 * NS_PER_MINUTE
"""Five bars a session."""
EXPIRIES = [day_number(date(2026, 8, 25)), day_number(date(2026, 9, 29)),
            day_number(date(2026, 10, 27))]  # fmt: skip
NAMES = ["AUG", "SEP", "OCT"]
PRICES = ("open", "high", "low", "close")
NONE, DIFFERENCE, RATIO = Adjustment


def starts_between(first, last):
    opens = NSE.sessions(first, last)
    return NSE.expected_starts(opens[0].open, opens[-1].close - 1, STEP)


def contract(name, closes, starts):
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    for price, offset in zip(PRICES, (-0.1, 0.5, -0.6, 0.0), strict=True):
        bars[price] = np.round(np.asarray(closes) + offset, 2)
    bars["volume"] = 10.0
    NSE.annotate(bars, STEP)
    return Series(name, STEP, bars, {"path": name})


def flat(level, name, first=date(2026, 8, 3), last=date(2026, 10, 27)):
    starts = starts_between(first, last)
    return contract(name, np.full(len(starts), level), starts)


def three(levels=(100.0, 110.0, 105.0)):
    return [(flat(level, name), expiry)
            for level, name, expiry in zip(levels, NAMES, EXPIRIES, strict=True)]  # fmt: skip


def joined(contracts, adjustment, before=1):
    return continuous(contracts, RollRule(before), adjustment, NSE, "NIFTY-FUT")


def closes_on(series, text):
    return set(series.bars["close"][series.bars["day"] == day_number(date.fromisoformat(text))])


# -- by hand --------------------------------------------------------------------------------------


def test_each_day_has_the_prices_of_the_contract_that_is_traded_on_it():
    series = joined(three(), NONE)

    assert closes_on(series, "2026-08-24") == {100.0}
    assert closes_on(series, "2026-08-25") == {110.0}  # expiry day: the next one by the rule
    assert closes_on(series, "2026-09-28") == {110.0}
    assert closes_on(series, "2026-09-29") == {105.0}
    assert series.symbol == "NIFTY-FUT"


def test_markets_that_stood_still_stand_still_once_the_jumps_are_out():
    assert set(joined(three(), DIFFERENCE).bars["close"]) == {105.0}
    assert np.allclose(joined(three(), RATIO).bars["close"], 105.0, rtol=1e-12)
    assert set(joined(three(), NONE).bars["close"]) == {100.0, 110.0, 105.0}


def test_the_rolls_stand_in_the_provenance_with_their_days_and_gaps():
    told = joined(three(), DIFFERENCE).source["continuous"]

    assert (told["sessions_before"], told["adjustment"]) == (1, "difference")
    assert [(roll["day"], roll["old"], roll["new"], roll["gap"]) for roll in told["rolls"]] == [
        ("2026-08-25", "AUG", "SEP", 10.0),
        ("2026-09-29", "SEP", "OCT", -5.0),
    ]
    assert told["rolls"][0]["compared_at"] == "2026-08-24T10:00:00Z"
    assert [(part["name"], part["expiry"]) for part in told["contracts"]] == [
        ("AUG", "2026-08-25"), ("SEP", "2026-09-29"), ("OCT", "2026-10-27"),
    ]  # fmt: skip
    assert [part["path"] for part in joined(three(), NONE).source["files"]] == NAMES


def test_the_order_in_which_contracts_are_given_does_not_matter():
    given_so, given_otherwise = joined(three(), RATIO), joined(three()[::-1], RATIO)

    assert np.array_equal(given_so.bars, given_otherwise.bars)


def test_one_contract_is_itself():
    only = three()[:1]

    series = continuous(only, RollRule(1), DIFFERENCE, NSE)

    assert np.array_equal(series.bars, only[0][0].bars)
    assert series.symbol == "AUG"
    assert series.source["continuous"]["rolls"] == []


def test_contracts_given_are_left_as_they_were():
    given_contracts = three()
    before = [series.bars.copy() for series, _ in given_contracts]

    joined(given_contracts, DIFFERENCE)

    assert all(
        np.array_equal(kept, series.bars)
        for kept, (series, _) in zip(before, given_contracts, strict=True)
    )


def test_different_prices_are_different_data():
    assert joined(three(), NONE).source["sha256"] != joined(three(), RATIO).source["sha256"]


# -- what is not possible -------------------------------------------------------------------------


def test_contracts_that_never_traded_together_cannot_be_adjusted_and_can_be_joined():
    old, _, _ = three()
    new = (flat(110.0, "SEP", first=date(2026, 8, 25)), EXPIRIES[1])

    with pytest.raises(DataError, match=r"^SEP: no bar in common with AUG before 2026-08-25"):
        joined([old, new], DIFFERENCE)
    (roll,) = joined([old, new], NONE).source["continuous"]["rolls"]
    assert (roll["gap"], roll["compared_at"]) == (None, "")


def test_a_contract_without_bars_on_its_own_days_is_an_error_that_names_them():
    far = (flat(110.0, "SEP", last=date(2026, 8, 20)), EXPIRIES[1])

    with pytest.raises(DataError, match=r"^SEP: has no bar from 2026-08-25 to 2026-09-28"):
        joined([three()[0], far, three()[2]], NONE)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda c: [], "give at least one"),
        (lambda c: [c[0], (c[1][0], c[0][1])], "SEP: expires 2026-08-25 as AUG does"),
        (lambda c: [(Series("X", STEP * 2, c[0][0].bars), c[0][1]), c[1]], "holds 150m bars"),
    ],
    ids=["none", "one expiry", "timeframes"],
)
def test_what_cannot_be_joined_is_told_by_name(spoil, told):
    with pytest.raises(DataError, match=told):
        joined(spoil(three()), NONE)


def test_a_difference_that_would_make_prices_negative_is_refused():
    starts = starts_between(date(2026, 8, 3), date(2026, 8, 25))
    risen = contract("AUG", np.linspace(10.0, 100.0, len(starts)), starts)

    with pytest.raises(DataError, match=r"^AUG: moved by -4\d.*adjust by ratio"):
        joined([(risen, EXPIRIES[0]), (flat(50.0, "SEP"), EXPIRIES[1])], DIFFERENCE)


def test_a_ratio_of_prices_at_or_below_zero_is_refused():
    with pytest.raises(DataError, match="adjust by difference"):
        joined(three((100.0, -10.0, 20.0)), RATIO)


# -- properties -----------------------------------------------------------------------------------


@st.composite
def markets(draw):
    """Three contracts on one walk with a basis each, every one with holes of its own."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    starts = starts_between(date(2026, 8, 10), date(2026, 10, 27))
    walk = 1000.0 + np.cumsum(chance.normal(0, 2, len(starts)))
    holes = draw(st.floats(0.0, 0.5))
    found = []
    for name, expiry in zip(NAMES, EXPIRIES, strict=True):
        basis = chance.normal(0, 20) + chance.normal(0, 0.5, len(starts))
        keep = chance.random(len(starts)) >= holes
        made = contract(name, np.round((walk + basis)[keep], 1), starts[keep])
        until = made.bars["day"] <= expiry
        found.append((made.with_bars(made.bars[until]), expiry))
    return found, draw(st.integers(0, 5))


def pieces_of(series):
    counts = [part["bars"] for part in series.source["continuous"]["contracts"]]
    return np.split(series.bars, np.cumsum(counts)[:-1])


@settings(max_examples=60, deadline=None)
@given(markets())
def test_changes_inside_a_contract_are_those_that_traded(market):
    contracts, before = market
    plain = pieces_of(joined(contracts, NONE, before))
    moved = pieces_of(joined(contracts, DIFFERENCE, before))
    scaled = pieces_of(joined(contracts, RATIO, before))

    for own, by_difference, by_ratio in zip(plain, moved, scaled, strict=True):
        for name in PRICES:
            assert np.allclose(np.diff(by_difference[name]), np.diff(own[name]), atol=1e-7)
            returns, kept = by_ratio[name] / by_ratio[name][0], own[name] / own[name][0]
            assert np.allclose(returns, kept, rtol=1e-12)
    assert np.array_equal(moved[-1], plain[-1]) and np.array_equal(scaled[-1], plain[-1])


@settings(max_examples=60, deadline=None)
@given(markets())
def test_over_a_roll_the_series_changes_as_the_new_contract_did(market):
    contracts, before = market
    plain = joined(contracts, NONE, before)
    moved = pieces_of(joined(contracts, DIFFERENCE, before))
    scaled, own = pieces_of(joined(contracts, RATIO, before)), pieces_of(plain)

    for i, roll in enumerate(plain.source["continuous"]["rolls"]):
        # from the last bar both have to the first bar of the new one
        shared = own[i]["close"] == roll["old_close"]
        ends = [iso_time(int(end)) == roll["compared_at"] for end in own[i]["end"]]
        (at,) = np.flatnonzero(shared & ends)
        begun = own[i + 1]["close"][0]
        change = moved[i + 1]["close"][0] - moved[i]["close"][at]
        factor = scaled[i + 1]["close"][0] / scaled[i]["close"][at]
        assert change == pytest.approx(begun - roll["new_close"], abs=1e-6)
        assert factor == pytest.approx(begun / roll["new_close"], rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(markets())
def test_every_bar_is_of_the_contract_a_session_would_trade_that_day(market):
    contracts, before = market
    rule = RollRule(before)
    series = joined(contracts, NONE, before)

    names = [part["name"] for part in series.source["continuous"]["contracts"]]
    for name, piece in zip(names, pieces_of(series), strict=True):
        for day in np.unique(piece["day"]):
            front = next(e for e in EXPIRIES if rule.last_day(e, NSE) >= day or e == EXPIRIES[-1])
            assert NAMES[EXPIRIES.index(front)] == name, day_date(int(day))
    assert (np.diff(series.bars["start"]) > 0).all()
