"""The list of contracts: which is meant on which day, and what is done where that is not known."""

import pytest

from brokers.master import ContractMaster, list_day, read_rows
from core.calendar import day_date, day_number, get_calendar
from core.errors import ConfigError
from core.instruments import get_instrument
from core.rolls import RollRule
from tests.brokers.contract_rows import (
    BAZAAR_CSV,
    DAY,
    MERIDIAN_ROWS,
    bazaar_contract,
    bazaar_rows,
    day,
    meridian_mapping,
    origin,
    topstepx,
)

NSE = get_calendar("NSE")


def bazaar(rule=None, text=BAZAAR_CSV, symbols=("NIFTY-FUT", "GOLDM")):
    return read_rows(bazaar_rows(text), bazaar_contract, symbols, origin(), rule)


def meridian(rows=MERIDIAN_ROWS, chosen=None):
    symbols = ("XAUUSD", "EURUSD")
    mapping = meridian_mapping(symbols, rows, chosen)
    return read_rows(rows, mapping, symbols, origin("meridian", "account 7"))


def on(master, symbol, *days):
    return [master.contract_on(symbol, day(text)).venue_symbol for text in days]


# -- the roll rule --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "last", "first_of_next"),
    [
        (0, "2026-09-29", "2026-09-30"),
        (1, "2026-09-28", "2026-09-29"),
        (3, "2026-09-24", "2026-09-25"),
    ],
)
def test_a_contract_is_left_so_many_sessions_before_its_expiry(before, last, first_of_next):
    rule = RollRule(before)

    assert day_date(rule.last_day(day("2026-09-29"), NSE)) == day_date(day(last))
    assert day_date(rule.first_day_of_next(day("2026-09-29"), NSE)) == day_date(day(first_of_next))


def test_sessions_are_counted_over_weekends_and_holidays():
    # 2 October 2026, Gandhi Jayanti, is a Friday; the 3rd and 4th are a weekend
    rule = RollRule(2)

    assert rule.last_day(day("2026-10-05"), NSE) == day("2026-09-30")


def test_an_expiry_on_a_day_without_a_session_counts_as_the_one_before():
    assert RollRule(0).last_day(day("2026-11-24"), NSE) == day("2026-11-23")


@pytest.mark.parametrize("wrong", [-1, 61, 1.5, True])
def test_a_number_of_sessions_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match="expected 0 to 60"):
        RollRule(wrong)


def test_an_expiry_beyond_the_calendar_says_what_to_do():
    with pytest.raises(ConfigError, match="add the year to your calendar file"):
        RollRule(1).last_day(day("2035-01-30"), NSE)


# -- an exchange ----------------------------------------------------------------------------------


def test_the_front_month_is_traded_until_the_roll_rule_leaves_it():
    master = bazaar(RollRule(1))

    assert on(master, "NIFTY-FUT", "2026-09-02", "2026-09-28", "2026-09-29", "2026-10-26") == [
        "NIFTY26SEPFUT", "NIFTY26SEPFUT", "NIFTY26OCTFUT", "NIFTY26OCTFUT",
    ]  # fmt: skip


def test_with_no_session_before_the_expiry_day_itself_is_traded():
    assert on(bazaar(RollRule(0)), "NIFTY-FUT", "2026-09-29", "2026-09-30") == [
        "NIFTY26SEPFUT",
        "NIFTY26OCTFUT",
    ]


def test_each_instrument_rolls_by_its_own_market():
    assert on(bazaar(RollRule(3)), "GOLDM", "2026-09-02") == ["GOLDM26OCTFUT"]
    assert on(bazaar(RollRule(3)), "NIFTY-FUT", "2026-09-02") == ["NIFTY26SEPFUT"]


def test_options_and_indices_of_the_same_name_are_not_the_future():
    assert [item.venue_symbol for item in bazaar().contracts("NIFTY-FUT")] == [
        "NIFTY26SEPFUT", "NIFTY26OCTFUT", "NIFTY26NOVFUT",
    ]  # fmt: skip


def test_the_next_roll_names_its_day_and_both_contracts():
    roll = bazaar(RollRule(1)).next_roll("NIFTY-FUT", DAY)

    assert (roll.old.venue_symbol, roll.new.venue_symbol) == ("NIFTY26SEPFUT", "NIFTY26OCTFUT")
    assert roll.day == day("2026-09-29")


def test_after_the_last_contract_of_the_list_a_newer_list_is_needed():
    with pytest.raises(ConfigError, match=r"NIFTY26NOVFUT .*a newer list is needed"):
        bazaar().contract_on("NIFTY-FUT", day("2026-11-24"))
    assert bazaar().next_roll("NIFTY-FUT", day("2026-11-20")) is None


def test_a_list_says_nothing_of_days_before_it():
    with pytest.raises(ConfigError, match="no longer has what expired before it"):
        bazaar().contract_on("NIFTY-FUT", DAY - 1)


def test_our_expiry_rule_and_the_list_agree_on_a_month_whose_last_tuesday_is_a_holiday():
    # 24 November 2026 is Guru Nanak Jayanti: the list of the exchange says the 23rd
    november = day_number(day_date(day("2026-11-01")))
    planned = get_instrument("NIFTY-FUT").next_expiry(november, NSE)

    assert planned == bazaar().contracts("NIFTY-FUT")[-1].expiry == day("2026-11-23")
    assert bazaar().differences("NIFTY-FUT", day("2026-11-10")) == []


def test_facts_of_the_list_are_compared_with_the_table_and_never_taken():
    master = bazaar(text=BAZAAR_CSV.replace("2026-09-29,0.1,65", "2026-09-28,0.05,75"))

    told = {item.fact: (item.theirs, item.ours) for item in master.differences("NIFTY-FUT", DAY)}

    assert told == {
        "tick": ("0.05", "0.1"),
        "lot": ("75", "65"),
        "expiry": ("2026-09-28", "2026-09-29"),
    }
    assert get_instrument("NIFTY-FUT").facts(DAY).lot == 65


def test_a_run_that_set_the_fact_by_hand_has_no_difference():
    master = bazaar(text=BAZAAR_CSV.replace("0.1,65", "0.1,75"))

    assert master.differences("NIFTY-FUT", DAY, get_instrument("NIFTY-FUT", {"lot": 75})) == []


def test_a_venues_id_leads_back_to_our_symbol_and_a_strange_one_stays_itself():
    master = bazaar()

    assert master.symbol_of("13238787") == "NIFTY-FUT"
    assert master.by_id("13238787").venue_symbol == "NIFTY26OCTFUT"
    assert master.symbol_of("738561") == "738561"
    assert master.by_id("738561") is None


# -- a CFD broker ---------------------------------------------------------------------------------


def test_what_never_expires_is_the_same_on_every_day():
    assert on(meridian(), "XAUUSD", "2020-01-01", "2026-09-02", "2040-01-01") == ["XAUUSD.r"] * 3
    assert meridian().next_roll("XAUUSD", DAY) is None


def test_the_brokers_largest_order_is_told_where_our_table_has_none():
    (only,) = meridian().differences("XAUUSD", DAY)

    assert only.describe() == (
        "XAUUSD: freeze_quantity is 50 at meridian (XAUUSD.r) and not limited in our table"
    )


def test_a_gold_contract_of_another_size_is_a_difference_of_the_multiplier():
    rows = [{**MERIDIAN_ROWS[1], "name": "GOLDmicro", "lot": 1_000}, MERIDIAN_ROWS[0]]

    facts = [item.fact for item in meridian(rows).differences("XAUUSD", DAY)]

    assert "multiplier" in facts


def test_names_that_could_each_be_meant_are_told_until_one_is_chosen():
    rows = [*MERIDIAN_ROWS, {**MERIDIAN_ROWS[1], "id": 42, "name": "XAUUSD.x"}]

    with pytest.raises(ConfigError, match="name one in the settings"):
        meridian(rows)
    assert on(meridian(rows, {"XAUUSD": "XAUUSD.x"}), "XAUUSD", "2026-09-02") == ["XAUUSD.x"]


# -- a venue that tells no expiry -----------------------------------------------------------------


def marked(*contracts):
    return ContractMaster(origin("topstepx"), contracts)


def test_the_venues_mark_says_which_is_front_on_the_day_of_its_list_alone():
    master = marked(topstepx("CON.F.US.MGC.G26", False), topstepx("CON.F.US.MGC.Z25", True))

    assert [item.month for item in master.contracts("MGC")] == ["2025-12", "2026-02"]
    assert master.contract_on("MGC", DAY).month == "2025-12"
    with pytest.raises(ConfigError, match=r"marks one for 2026-09-02 alone.*is not known"):
        master.contract_on("MGC", DAY + 1)
    assert master.next_roll("MGC", DAY) is None


def test_without_a_mark_no_month_is_guessed():
    with pytest.raises(ConfigError, match="marks none"):
        marked(topstepx(active=False)).contract_on("MGC", DAY)


def test_two_marked_months_are_not_chosen_between():
    master = marked(topstepx("CON.F.US.MGC.G26"), topstepx("CON.F.US.MGC.Z25"))

    with pytest.raises(ConfigError, match="could each be MGC"):
        master.contract_on("MGC", DAY)


# -- rows that cannot be read ---------------------------------------------------------------------


def test_a_row_that_cannot_be_read_is_kept_by_number_and_the_rest_is_used():
    master = bazaar(text=BAZAAR_CSV.replace("2026-10-27", "2026-13-27"))

    assert on(master, "NIFTY-FUT", "2026-09-02") == ["NIFTY26SEPFUT"]
    assert master.origin.rows == 7
    (fault,) = master.origin.faults
    assert fault.startswith("row 3: ValueError")


def test_a_symbol_that_is_not_there_names_near_ones_and_what_could_not_be_read():
    with pytest.raises(ConfigError, match="has no NIFTYFUT; did you mean 'NIFTY-FUT'"):
        bazaar().contracts("NIFTYFUT")
    broken = bazaar(text=BAZAAR_CSV.replace(",65,", ",x,"), symbols=("NIFTY-FUT",))
    with pytest.raises(ConfigError, match=r"3 rows could not be read, such as row 2"):
        broken.contracts("NIFTY-FUT")


def test_a_row_told_twice_is_one_contract():
    line = "13238786,NIFTY,NIFTY26SEPFUT,2026-09-29,0.1,65,1800,FUT,NFO-FUT\n"

    assert on(bazaar(text=BAZAAR_CSV + line), "NIFTY-FUT", "2026-09-02") == ["NIFTY26SEPFUT"]


def test_two_different_contracts_of_one_month_are_not_chosen_between():
    line = "99,NIFTY,NIFTY26SEPFUT-X,2026-09-29,0.1,65,1800,FUT,NFO-FUT\n"

    with pytest.raises(ConfigError, match="could each be NIFTY-FUT"):
        bazaar(text=BAZAAR_CSV + line).contract_on("NIFTY-FUT", DAY)


# -- the day of a list ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("utc", "wanted"),
    [("2026-09-02T03:05:00", "2026-09-02"), ("2026-09-02T02:55:00", "2026-09-01")],
    ids=["08:35 in India", "08:25 in India"],
)
def test_before_the_days_list_is_made_yesterdays_is_the_newest(utc, wanted):
    from datetime import UTC, datetime

    now = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()) * 10**9

    assert list_day(now, "Asia/Kolkata", 8 * 60 + 30) == day(wanted)
