from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.bars import BAR, NEVER_NS
from core.calendar import day_number, get_calendar
from core.errors import ConfigError
from core.schedule import FlatRule, apply_flat_times, flat_schedule, late_days

STRATEGY = FlatRule("strategy", "16:45", "America/New_York")
TOPSTEP = FlatRule("preset topstep_50k", "15:10", "America/Chicago")
VENUE = FlatRule("venue", before_close_minutes=15)


def stamp(text: str, zone: str) -> int:
    return pd.Timestamp(text, tz=zone).as_unit("ns").value


def days(*dates: date) -> list[int]:
    return [day_number(when) for when in dates]


def test_the_earliest_rule_is_in_force_and_named() -> None:
    gold = get_calendar("CMEGlobex_GC")

    schedule = flat_schedule(gold, days(date(2024, 7, 10)), [STRATEGY, TOPSTEP, VENUE])

    assert schedule.flat_at[0] == stamp("2024-07-10 16:10", "America/New_York")
    assert schedule.reasons == ("15:10 Chicago (preset topstep_50k)",)
    assert schedule.header() == "flat by 15:10 Chicago (preset topstep_50k) on 1 of 1 days"


def test_an_early_close_is_flat_fifteen_minutes_before_it() -> None:
    gold = get_calendar("CMEGlobex_GC")
    wanted = days(*(date(2024, 11, day) for day in range(25, 30)))

    schedule = flat_schedule(gold, wanted, [STRATEGY])

    assert schedule.flat_at.tolist()[2:] == [
        stamp("2024-11-27 16:45", "America/New_York"),
        stamp("2024-11-28 14:15", "America/New_York"),
        stamp("2024-11-29 13:30", "America/New_York"),
    ]
    assert "early close" in schedule.reasons[3]
    assert schedule.header() == (
        "flat by 16:45 New York (strategy) on 3 of 5 days; "
        "15 min before an early close (calendar) on 2"
    )


def test_the_venues_close_wins_where_the_strategy_asks_for_nothing_earlier() -> None:
    nse = get_calendar("NSE")
    late = FlatRule("strategy", "15:25", "Asia/Kolkata")

    schedule = flat_schedule(nse, days(date(2022, 6, 1)), [late, VENUE])

    assert schedule.flat_at[0] == stamp("2022-06-01 15:15", "Asia/Kolkata")
    assert schedule.reasons[0] == "15 min before the close (venue)"


def test_without_rules_nothing_is_ever_flat_not_even_on_an_early_close() -> None:
    gold = get_calendar("CMEGlobex_GC")
    bars = np.zeros(1, BAR)
    bars["start"] = stamp("2024-11-29 10:00", "America/New_York")
    gold.annotate(bars, 3600 * 10**9)

    schedule = apply_flat_times(bars, gold, [])

    assert bars["flat_at"][0] == NEVER_NS
    assert schedule.header() == "no flat time"


def test_a_time_after_the_close_is_the_opening_evenings_or_the_close() -> None:
    gold = get_calendar("CMEGlobex_GC")
    evening = FlatRule("strategy", "20:00", "America/New_York")
    in_the_break = FlatRule("strategy", "17:30", "America/New_York")

    early = flat_schedule(gold, days(date(2024, 7, 10)), [evening])
    never_binds = flat_schedule(gold, days(date(2024, 7, 10)), [in_the_break])

    assert early.flat_at[0] == stamp("2024-07-09 20:00", "America/New_York")
    assert never_binds.flat_at[0] == stamp("2024-07-10 17:00", "America/New_York")


def test_a_muhurat_evening_has_no_time_left_for_an_afternoon_rule() -> None:
    nse = get_calendar("NSE")
    rule = FlatRule("strategy", "15:15", "Asia/Kolkata")

    schedule = flat_schedule(nse, days(date(2021, 11, 4)), [rule])

    assert schedule.flat_at[0] < stamp("2021-11-04 18:15", "Asia/Kolkata")


def test_a_gold_account_is_flat_by_1510_chicago_on_every_day_of_the_file(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "xauusd_15m.csv.gz", usecols=["datetime"], parse_dates=[0])
    bars = np.zeros(len(frame), BAR)
    bars["start"] = pd.DatetimeIndex(frame["datetime"]).as_unit("ns").asi8
    gold = get_calendar("CMEGlobex_GC")
    gold.annotate(bars, 15 * 60 * 10**9)

    apply_flat_times(bars, gold, [STRATEGY, TOPSTEP])

    per_day = pd.DataFrame({"day": bars["day"], "flat": bars["flat_at"]}).drop_duplicates()
    chicago = pd.DatetimeIndex(per_day["flat"], tz="UTC").tz_convert("America/Chicago")
    days_of_file = pd.to_datetime(per_day["day"], unit="D")
    assert len(per_day) == len(np.unique(bars["day"]))
    assert (chicago.tz_localize(None).normalize() == days_of_file).all()
    clock = chicago.strftime("%H:%M")
    assert (clock <= "15:10").all()
    # CME's early closes in New York, January 2023 to August 2025: 14:30 on 17 holidays, 13:45 on
    # the two days after Thanksgiving and Christmas Eve of 2024, 13:00 on two Labor Days; Chicago is
    # an hour behind.
    assert dict(clock.value_counts()) | {"15:10": 0} == {
        "15:10": 0,
        "13:15": 17,
        "12:30": 3,
        "11:45": 2,
    }


def test_wrong_rules_are_refused_with_what_was_expected() -> None:
    with pytest.raises(ConfigError, match="HH:MM"):
        FlatRule("strategy", "4pm")
    with pytest.raises(ConfigError, match="America/Chicago"):
        FlatRule("strategy", "15:10", "America/Chicagoo")
    with pytest.raises(ConfigError, match="0 or more"):
        FlatRule("venue", before_close_minutes=-1)


def gold_afternoon(step_minutes: int) -> np.ndarray:
    """Two whole days of gold, 10 and 11 July 2024, in bars of so many minutes."""
    gold = get_calendar("CMEGlobex_GC")
    step = step_minutes * 60 * 10**9
    first, last = (
        stamp("2024-07-09 18:00", "America/New_York"),
        stamp("2024-07-11 17:00", "America/New_York"),
    )
    starts = gold.expected_starts(first, last - 1, step)
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    gold.annotate(bars, step)
    apply_flat_times(bars, gold, [STRATEGY])
    return bars


def test_bars_too_coarse_for_the_flat_time_are_named_day_by_day() -> None:
    coarse, fine = gold_afternoon(30), gold_afternoon(15)

    assert late_days(coarse)["day"].tolist() == days(date(2024, 7, 10), date(2024, 7, 11))
    assert len(late_days(fine)) == 0
    assert len(late_days(fine[:-8])) == 0  # the data end before the second day's flat time
