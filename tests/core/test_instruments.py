from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from core.bars import BAR
from core.calendar import day_date, day_number, get_calendar
from core.costs import COST
from core.errors import ConfigError
from core.instruments import fill_spread, get_instrument, instrument_names


def on(symbol: str, when: date, **overrides: object):
    return get_instrument(symbol, overrides).facts(day_number(when))


@pytest.mark.parametrize(
    ("symbol", "tick", "lot", "multiplier", "tick_value"),
    [
        ("XAUUSD", 0.01, 0.01, 100, 1.0),  # a lot
        ("GC", 0.1, 1, 100, 10.0),
        ("MGC", 0.1, 1, 10, 1.0),
        ("GOLDM", 1, 1, 10, 10.0),
        ("EURUSD", 0.00001, 0.01, 100_000, 1.0),
    ],
)
def test_contract_facts(
    symbol: str, tick: float, lot: float, multiplier: float, tick_value: float
) -> None:
    facts = on(symbol, date(2025, 5, 5))

    assert (facts.tick, facts.lot, facts.multiplier) == (tick, lot, multiplier)
    assert facts.tick * facts.multiplier == pytest.approx(tick_value)


@pytest.mark.parametrize(
    ("when", "lot"),
    [
        (date(2021, 1, 4), 75),
        (date(2021, 6, 24), 75),  # expiry of the last contracts of 75
        (date(2021, 6, 25), 50),
        (date(2024, 4, 25), 50),
        (date(2024, 4, 26), 25),
        (date(2025, 1, 30), 25),
        (date(2025, 1, 31), 75),
        (date(2025, 12, 30), 75),
        (date(2025, 12, 31), 65),
    ],
)
def test_nifty_lot_of_the_front_month_through_time(when: date, lot: float) -> None:
    assert on("NIFTY-FUT", when).lot == lot
    assert on("NIFTY50", when).lot == lot
    assert on("NIFTY-FUT", when, lot="75").lot == 75


@pytest.mark.parametrize(
    ("when", "lot", "freeze"),
    [
        (date(2021, 6, 1), 25, 1200),
        (date(2023, 7, 3), 15, 900),
        (date(2025, 7, 1), 35, 600),
        (date(2025, 9, 1), 35, 900),
        (date(2026, 1, 5), 30, 900),
    ],
)
def test_bank_nifty_lot_and_freeze_quantity_through_time(
    when: date, lot: float, freeze: float
) -> None:
    facts = on("BANKNIFTY-FUT", when)

    assert (facts.lot, facts.freeze_quantity) == (lot, freeze)


def test_nifty_tick_widened_in_april_2025() -> None:
    assert on("NIFTY-FUT", date(2025, 4, 14)).tick == 0.05
    assert on("NIFTY-FUT", date(2025, 4, 15)).tick == 0.1
    assert on("BANKNIFTY-FUT", date(2025, 4, 15)).tick == 0.2


def test_the_index_says_which_future_it_stands_in_for() -> None:
    index = get_instrument("NIFTY50")

    assert index.proxy_for == "NIFTY-FUT"
    assert not index.has_volume
    assert get_instrument("NIFTY-FUT").proxy_for is None


@pytest.mark.parametrize(
    ("day", "expiry"),
    [
        (date(2021, 11, 1), date(2021, 11, 25)),  # last Thursday
        (date(2021, 3, 26), date(2021, 4, 29)),  # after March's expiry
        (date(2023, 3, 1), date(2023, 3, 29)),  # 30 March 2023 was Ram Navami
        (date(2025, 8, 1), date(2025, 8, 28)),  # the last Thursday of all
        (date(2025, 9, 1), date(2025, 9, 30)),  # Tuesday from then on
    ],
)
def test_nifty_expires_on_the_last_thursday_then_tuesday_or_the_session_before(
    day: date, expiry: date
) -> None:
    nifty = get_instrument("NIFTY-FUT")

    found = nifty.next_expiry(day_number(day), get_calendar("NSE"))

    assert found is not None and day_date(found) == expiry
    assert get_instrument("XAUUSD").next_expiry(day_number(day), get_calendar("FX")) is None


def test_gold_mini_expires_on_the_fifth_or_the_session_before() -> None:
    goldm, mcx = get_instrument("GOLDM"), get_calendar("MCX")

    fifth = goldm.next_expiry(day_number(date(2025, 2, 1)), mcx)
    sunday = goldm.next_expiry(day_number(date(2025, 10, 1)), mcx)

    assert fifth is not None and day_date(fifth) == date(2025, 2, 5)
    assert sunday is not None and day_date(sunday) == date(2025, 10, 3)


def test_facts_are_one_object_between_two_changes() -> None:
    nifty = get_instrument("NIFTY-FUT")
    first, later, changed = (
        nifty.facts(day_number(when))
        for when in (date(2021, 7, 1), date(2021, 7, 30), date(2024, 5, 2))
    )

    assert first is later
    assert first is not changed
    assert not first.cost.flags.writeable


def test_margin_is_money_or_a_share_of_notional() -> None:
    share = on("MGC", date(2025, 5, 5))
    fixed = on("MGC", date(2025, 5, 5), margin_rate=0, margin_fixed=1500)
    gold = on("XAUUSD", date(2025, 5, 5))

    assert share.margin_per_unit(3_000.0) == pytest.approx(0.05 * 3_000 * 10)
    assert fixed.margin_per_unit(3_000.0) == 1500
    assert gold.margin_per_lot(3_000.0) == pytest.approx(0.05 * 3_000 * 100 * 0.01)
    assert get_instrument("MGC").without_margin().facts(0).margin_per_unit(3_000.0) == 0


def test_unconfirmed_facts_are_named_and_can_be_skipped() -> None:
    nifty = get_instrument("NIFTY-FUT")
    day = day_number(date(2026, 5, 4))

    used, skipped = nifty.facts(day), nifty.confirmed_only().facts(day)

    assert used.cost["stt_sell_rate"][0] == 0.0005
    assert "stt_sell_rate" in used.unconfirmed and "lot" not in used.unconfirmed
    assert skipped.cost["stt_sell_rate"][0] == 0.0002
    assert "stt_sell_rate" not in skipped.unconfirmed
    assert skipped.margin_rate == used.margin_rate  # nothing confirmed to fall back to


def test_overrides_take_numbers_and_text_for_facts_and_rates() -> None:
    given = {"spread": "0.3", "commission_per_unit": 0, "price_side": "mid"}
    gold = get_instrument("XAUUSD", given)
    facts = gold.facts(day_number(date(2025, 5, 5)))

    assert facts.spread == 0.3
    assert facts.cost["commission_per_unit"][0] == 0
    assert facts.price_side == "mid"
    assert gold.overrides == {"spread": 0.3, "commission_per_unit": 0.0, "price_side": "mid"}


def test_all_faults_of_overrides_come_in_one_message() -> None:
    wrong = {
        "lots": 3, "tick": 0.3, "multiplier": "ten", "price_side": "left", "spread": -1, "lot": 0,
    }  # fmt: skip

    with pytest.raises(ConfigError) as caught:
        get_instrument("MGC", wrong)

    text = str(caught.value)
    for part in ("did you mean 'lot'", "tick=0.3", "multiplier=ten", "bid, ask", "spread=-1"):
        assert part in text
    assert "lot=0: 0.0: expected more than 0" in text
    with pytest.raises(ConfigError, match="did you mean 'XAUUSD'"):
        get_instrument("XAUSD")


def test_a_users_file_is_merged_over_ours_and_adds_instruments(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[instruments.MGC]\nmargin_rate = 0\nmargin_fixed = 1800\n"
        "[instruments.SIL]\n"
        'description = "Micro silver"\ncalendar = "CMEGlobex_GC"\nquote_currency = "USD"\n'
        'charges = "mine"\ntick = 0.005\nlot = 1\nmultiplier = 1000\n'
        "[charges.mine]\ncommission_per_unit = [{ value = 1 }, { from = 2025-01-01, value = 2 }]\n"
    )

    silver = get_instrument("SIL", user_file=str(file))
    gold = get_instrument("MGC", user_file=str(file)).facts(0)

    assert "SIL" in instrument_names(str(file)) and "SIL" not in instrument_names()
    assert silver.facts(day_number(date(2024, 12, 31))).cost["commission_per_unit"][0] == 1
    assert silver.facts(day_number(date(2025, 1, 1))).cost["commission_per_unit"][0] == 2
    assert (gold.margin_per_unit(3_000.0), gold.multiplier) == (1800, 10)


def test_all_faults_of_a_users_file_come_in_one_message(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        "[instruments.MGC]\ntik = 0.1\ntick = 0.3\n"
        "lot = [{ value = 1 }, { from = 2025-01-01, value = 2 },\n"
        "  { from = 2024-01-01, value = 3 }]\n"
        "[instruments.NEW]\ntick = 0.1\nspread_by_hour = [1, 2]\n"
        '[instruments.IDX]\nproxy_for = "NOPE"\n'
        "[charges.cme_gold]\nstt = 1\n[chrges.x]\n"
    )

    with pytest.raises(ConfigError) as caught:
        get_instrument("MGC", user_file=str(file))

    text = str(caught.value)
    for part in (
        "instruments.MGC.tik: unknown; did you mean 'tick'",
        "instruments.MGC.tick: 0.3",
        "instruments.MGC.lot: rows must be in order",
        "instruments.NEW.calendar: missing",
        "instruments.NEW.spread_by_hour: expected 24",
        "instruments.IDX.proxy_for: 'NOPE' is no instrument",
        "charges.cme_gold.stt: unknown",
        "[chrges]",
    ):
        assert part in text


@pytest.mark.parametrize("symbol", instrument_names())
def test_every_bundled_instrument_is_whole(symbol: str) -> None:
    instrument = get_instrument(symbol)
    facts = instrument.facts(day_number(date(2025, 6, 2)))

    ratio = 1 / facts.tick if facts.tick < 1 else facts.tick
    assert abs(ratio - round(ratio)) < 1e-6
    assert get_calendar(instrument.calendar).name == instrument.calendar
    assert facts.cost.dtype == COST and facts.cost.shape == (1,)
    assert instrument.description


def annotated_bars(*clocks: str) -> np.ndarray:
    bars = np.zeros(len(clocks), BAR)
    bars["start"] = [
        np.datetime64(f"2024-07-10T{clock}", "ns").astype(np.int64) for clock in clocks
    ]
    get_calendar("CMEGlobex_GC").annotate(bars, 15 * 60 * 10**9)
    return bars


def test_spread_is_the_sources_else_by_hour_else_the_constant() -> None:
    bars = annotated_bars("13:00", "20:45")  # 09:00 and 16:45 New York
    bars["spread"] = [0.4, 0.0]
    by_hour = annotated_bars("13:00", "20:45")
    hours = tuple(1.5 if hour == 16 else 0.2 for hour in range(24))
    gold = get_instrument("XAUUSD")

    fill_spread(bars, gold)
    fill_spread(by_hour, replace(gold, spread_by_hour=hours))

    assert bars["spread"].tolist() == [0.4, 0.15]
    assert by_hour["spread"].tolist() == [0.2, 1.5]


def test_spread_widens_on_bars_that_touch_a_news_window() -> None:
    bars = annotated_bars("12:00", "12:15", "12:30", "12:45")
    news = int(bars["start"][2])  # 12:30 UTC, window 12:20 to 12:40

    fill_spread(bars, get_instrument("XAUUSD"), [(news - 600 * 10**9, news + 600 * 10**9, 4.0)])

    assert bars["spread"].tolist() == [0.15, 0.6, 0.6, 0.15]


def test_no_spread_is_modelled_without_costs() -> None:
    bars = annotated_bars("12:00")

    fill_spread(bars, get_instrument("XAUUSD").without_costs())

    assert bars["spread"].tolist() == [0.0]
