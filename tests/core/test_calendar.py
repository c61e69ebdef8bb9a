from __future__ import annotations

import logging
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.bars import BAR, EARLY_CLOSE, FIRST_OF_DAY, REGULAR, SPECIAL
from core.calendar import Calendar, day_date, day_number, get_calendar
from core.errors import ConfigError

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ROOT = Path(__file__).resolve().parents[2]


def stamp(text: str, zone: str = "UTC") -> int:
    return pd.Timestamp(text, tz=zone).as_unit("ns").value


def annotated(calendar: Calendar, timeframe_ns: int, *starts: int) -> np.ndarray:
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts
    calendar.annotate(bars, timeframe_ns)
    return bars


def new_york(text: str) -> int:
    return stamp(text, "America/New_York")


def india(text: str) -> int:
    return stamp(text, "Asia/Kolkata")


def test_gold_trading_day_turns_at_eighteen_new_york_in_winter_and_in_summer() -> None:
    gold = get_calendar("CMEGlobex_GC")
    starts = [
        stamp("2024-03-08 21:45"),  # Friday 16:45 New York, standard time
        stamp("2024-03-10 22:00"),  # Sunday 18:00, daylight time since that morning
        stamp("2024-11-01 20:45"),  # Friday 16:45, daylight time
        stamp("2024-11-03 23:00"),  # Sunday 18:00, standard time again
    ]

    bars = annotated(gold, 15 * MINUTE, *starts)

    days = [day_date(day) for day in bars["day"]]
    assert days == [date(2024, 3, 8), date(2024, 3, 11), date(2024, 11, 1), date(2024, 11, 4)]
    assert bars["minute"].tolist() == [16 * 60 + 45, 18 * 60, 16 * 60 + 45, 18 * 60]
    assert bars["weekday"].tolist() == [4, 6, 4, 6]
    assert bars["close_at"].tolist() == [
        stamp("2024-03-08 22:00"),
        stamp("2024-03-11 21:00"),
        stamp("2024-11-01 21:00"),
        stamp("2024-11-04 22:00"),
    ]
    assert bars["end"].tolist() == [start + 15 * MINUTE for start in starts]
    assert (bars["flags"] == REGULAR | FIRST_OF_DAY).all()


def test_a_bar_ends_at_an_early_close_though_its_grid_goes_on() -> None:
    gold = get_calendar("CMEGlobex_GC")

    bars = annotated(
        gold,
        HOUR,
        new_york("2024-11-29 12:00"),
        new_york("2024-11-29 13:00"),
        new_york("2024-12-02 13:00"),
    )

    assert bars["end"].tolist() == [
        new_york("2024-11-29 13:00"),
        new_york("2024-11-29 13:45"),
        new_york("2024-12-02 14:00"),
    ]
    assert bars["flags"].tolist() == [
        REGULAR | EARLY_CLOSE | FIRST_OF_DAY,
        REGULAR | EARLY_CLOSE,
        REGULAR | FIRST_OF_DAY,
    ]
    assert bars["end_minute"].tolist() == [13 * 60, 13 * 60 + 45, 14 * 60]


@pytest.mark.parametrize("year", [2018, 2020, 2024, 2025, 2026])
def test_gold_closes_early_on_christmas_eve(year: int) -> None:
    session = get_calendar("CMEGlobex_GC").session_of(day_number(date(year, 12, 24)))

    assert session is not None
    assert session.open == new_york(f"{year}-12-23 18:00")
    assert session.close == new_york(f"{year}-12-24 13:45")
    assert session.early_close and not session.special


def test_a_bar_after_an_early_close_is_known_late_and_not_regular() -> None:
    gold = get_calendar("CMEGlobex_GC")

    bars = annotated(gold, HOUR, new_york("2024-11-29 14:00"), new_york("2024-11-29 16:30"))

    assert bars["end"].tolist() == [new_york("2024-11-29 15:00"), new_york("2024-11-29 17:00")]
    assert (bars["flags"] & REGULAR == 0).all()
    assert (bars["close_at"] == new_york("2024-11-29 13:45")).all()


def test_nse_hour_bars_count_from_the_open_and_the_last_one_is_clipped() -> None:
    nse = get_calendar("NSE")
    day = "2022-06-01 "

    starts = nse.expected_starts(india(day + "00:00"), india(day + "23:59"), HOUR)
    bars = annotated(nse, HOUR, *starts)

    times = [pd.Timestamp(t, tz="UTC").tz_convert("Asia/Kolkata").strftime("%H:%M") for t in starts]
    assert times == ["09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15"]
    assert bars["end"][-1] == india(day + "15:30")
    assert bars["end_minute"][-1] == 15 * 60 + 30


def test_a_bar_off_the_grid_keeps_its_start_and_is_known_a_full_step_later() -> None:
    # Hourly Yahoo gold holds bars at half past that run for a whole hour (2024-07-03): at
    # 14:00 the 13:30 bar is not over.
    gold = get_calendar("CMEGlobex_GC")

    bars = annotated(gold, HOUR, stamp("2024-07-03 13:30"), stamp("2024-11-29 18:30"))

    assert bars["start"][0] == stamp("2024-07-03 13:30")
    assert bars["end"].tolist() == [stamp("2024-07-03 14:30"), stamp("2024-11-29 18:45")]


@pytest.mark.parametrize(
    ("day", "open_at", "close_at"),
    [
        ("2021-11-04", "18:15", "19:15"),  # in the library
        ("2022-10-24", "18:15", "19:15"),
        ("2023-11-12", "18:15", "19:15"),  # a Sunday: in our file
    ],
)
def test_muhurat_sessions_are_known_and_special(day: str, open_at: str, close_at: str) -> None:
    nse = get_calendar("NSE")

    bars = annotated(nse, 5 * MINUTE, india(f"{day} {open_at}"), india(f"{day} 19:10"))

    assert (bars["flags"] & (REGULAR | SPECIAL) == REGULAR | SPECIAL).all()
    assert (bars["close_at"] == india(f"{day} {close_at}")).all()
    assert bars["end"][-1] == india(f"{day} 19:15")


def test_a_saturday_session_is_known_special_and_closes_early() -> None:
    nse = get_calendar("NSE")

    session = nse.session_of(day_number(date(2024, 3, 2)))
    bars = annotated(nse, 15 * MINUTE, india("2024-03-02 09:15"), india("2024-03-02 12:15"))

    assert session is not None
    assert session.special and session.early_close
    assert session.close == india("2024-03-02 12:30")
    assert (bars["flags"] & SPECIAL != 0).all()
    assert bars["end"][-1] == india("2024-03-02 12:30")


def test_a_day_the_calendar_lacks_is_special_with_the_regular_close() -> None:
    nse = get_calendar("NSE")

    bars = annotated(nse, 15 * MINUTE, india("2022-01-26 10:00"), india("2022-01-26 15:25"))

    assert nse.session_of(int(bars["day"][0])) is None
    assert (bars["flags"] & (REGULAR | SPECIAL) == SPECIAL).all()
    assert (bars["close_at"] == india("2022-01-26 15:30")).all()
    assert bars["end"][-1] == india("2022-01-26 15:30")


@pytest.mark.parametrize(
    ("name", "start", "end", "day"),
    [
        ("NSE", india("2022-06-01 00:00"), india("2022-06-01 15:30"), date(2022, 6, 1)),
        ("NSE", stamp("2022-06-01 00:00"), india("2022-06-01 15:30"), date(2022, 6, 1)),
        (
            "CMEGlobex_GC",
            new_york("2024-07-09 18:00"),
            new_york("2024-07-10 17:00"),
            date(2024, 7, 10),
        ),
        (
            "CMEGlobex_GC",
            stamp("2024-11-29 00:00"),
            new_york("2024-11-29 13:45"),
            date(2024, 11, 29),
        ),
        ("FX", stamp("2024-07-10 00:00"), new_york("2024-07-10 17:00"), date(2024, 7, 10)),
        ("24/7", stamp("2024-07-13 00:00"), stamp("2024-07-14 00:00"), date(2024, 7, 13)),
    ],
)
def test_a_day_bar_ends_at_the_close_of_its_trading_day(
    name: str, start: int, end: int, day: date
) -> None:
    bars = annotated(get_calendar(name), DAY, start)

    assert day_date(bars["day"][0]) == day
    assert bars["end"][0] == end


def test_fx_runs_seventeen_to_seventeen_without_christmas_and_crypto_never_stops() -> None:
    fx, always = get_calendar("FX"), get_calendar("24/7")

    week = fx.sessions(date(2024, 12, 23), date(2024, 12, 29))
    crypto = always.sessions(date(2024, 12, 23), date(2024, 12, 29))

    assert [day_date(session.day).day for session in week] == [23, 24, 26, 27]
    assert week[0].open == new_york("2024-12-22 17:00")
    assert week[0].close == new_york("2024-12-23 17:00")
    assert len(crypto) == 7


def test_the_dollar_index_rests_from_seventeen_to_twenty_new_york() -> None:
    dollar = get_calendar("ICE_DX")

    starts = dollar.expected_starts(
        new_york("2024-07-08 12:00"), new_york("2024-07-09 12:00"), HOUR
    )

    hours = pd.DatetimeIndex(starts, tz="UTC").tz_convert("America/New_York").hour
    assert set(range(24)) - set(hours) == {17, 18, 19}
    assert dollar.sessions(date(2024, 7, 8), date(2024, 7, 8))[0].open == new_york(
        "2024-07-07 20:00"
    )


def test_mcx_closes_later_while_new_york_keeps_standard_time() -> None:
    mcx = get_calendar("MCX")

    summer, winter = (
        mcx.session_of(day_number(when)) for when in (date(2025, 7, 1), date(2025, 12, 1))
    )
    evening = mcx.session_of(day_number(date(2025, 2, 26)))  # Mahashivratri
    new_year = mcx.session_of(day_number(date(2025, 1, 1)))

    assert summer is not None and winter is not None and evening is not None
    assert new_year is not None
    assert summer.close == india("2025-07-01 23:30")
    assert winter.close == india("2025-12-01 23:55")
    assert (evening.open, evening.close) == (india("2025-02-26 17:00"), india("2025-02-26 23:55"))
    assert new_year.close == india("2025-01-01 17:00") and new_year.early_close
    assert mcx.session_of(day_number(date(2025, 8, 15))) is None


def test_expected_starts_leave_out_the_daily_break_and_stop_at_an_early_close() -> None:
    gold = get_calendar("CMEGlobex_GC")

    starts = gold.expected_starts(
        new_york("2024-11-27 16:00"), new_york("2024-11-29 23:59"), 30 * MINUTE
    )
    local = pd.DatetimeIndex(starts, tz="UTC").tz_convert("America/New_York")

    assert not (local.hour == 17).any()
    thanksgiving = local[(local >= "2024-11-27 18:00-05:00") & (local < "2024-11-28 18:00-05:00")]
    assert len(thanksgiving) == 41  # 18:00 to 14:30 is 20.5 hours
    assert local[-1].strftime("%d %H:%M") == "29 13:30"


def test_grid_starts_count_from_the_session_open() -> None:
    nse = get_calendar("NSE")
    minutes = np.array(
        [india(f"2022-06-01 {clock}") for clock in ("09:15", "10:14", "10:15", "15:29")]
    )

    hours = nse.grid_starts(minutes, HOUR)
    days = nse.grid_starts(minutes, DAY)

    expected = ["09:15", "09:15", "10:15", "15:15"]
    assert hours.tolist() == [india(f"2022-06-01 {clock}") for clock in expected]
    assert (days == india("2022-06-01 09:15")).all()


def test_the_users_file_wins_over_ours(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[NSE]\nclosed = [2024-03-02]\nregular = [2022-01-26]\n"
        'sessions = [{ date = 2024-05-18, open = "09:15", close = "11:00", special = false }]\n'
        "years = [2027]\n"
    )

    nse = get_calendar("NSE", str(file))

    assert nse.session_of(day_number(date(2024, 3, 2))) is None
    holiday = nse.session_of(day_number(date(2022, 1, 26)))
    saturday = nse.session_of(day_number(date(2024, 5, 18)))
    assert holiday is not None and not holiday.special
    assert saturday is not None and saturday.early_close and not saturday.special
    assert 2027 not in nse.missing_years and 2028 in nse.missing_years
    assert get_calendar("NSE").session_of(day_number(date(2024, 3, 2))) is not None


def test_all_faults_of_a_calendar_file_come_in_one_message(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        "[NSEE]\n[NSE]\nclose = []\nclosed = [2024-03-02, 2024-03-02, 5]\n"
        'sessions = [{ date = 2024-05-18, open = "9.15", close = "11:00" },\n'
        "  { date = 2024-05-19 }]\n"
    )

    with pytest.raises(ConfigError) as caught:
        get_calendar("NSE", str(file))

    text = str(caught.value)
    for part in ("NSEE", "NSE.close", "listed twice", "5 is not a date", "HH:MM", "needs date"):
        assert part in text
    with pytest.raises(ConfigError, match="no_such"):
        get_calendar("NSE", str(tmp_path / "no_such.toml"))
    with pytest.raises(ConfigError, match="did you mean 'NSE'"):
        get_calendar("NSEX")


def test_a_changed_calendar_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[NSE]\nclosed = [2024-04-02]\n")
    before = get_calendar("NSE", str(file)).session_of(day_number(date(2024, 4, 3)))
    file.write_text("[NSE]\nclosed = [2024-04-03]\n# changed\n")

    after = get_calendar("NSE", str(file)).session_of(day_number(date(2024, 4, 3)))

    assert before is not None
    assert after is None


def test_a_year_without_holidays_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="core.calendar"):
        annotated(get_calendar("NSE"), HOUR, india("2028-06-01 10:15"))
        annotated(get_calendar("NSE"), HOUR, india("2024-06-03 10:15"))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert get_calendar("NSE").missing_between(date(2026, 1, 1), date(2028, 1, 1)) == [2027, 2028]
    assert get_calendar("CMEGlobex_GC").missing_between(date(2020, 1, 1), date(2028, 1, 1)) == []


@pytest.mark.parametrize("name", ["xauusd_15m", "nifty50_1m"])
def test_real_bars_get_the_day_and_clock_pandas_gives_them(real_data: Path, name: str) -> None:
    gold = name.startswith("xau")
    frame = pd.read_csv(
        real_data / f"{name}.csv.gz", usecols=["datetime"], parse_dates=["datetime"]
    )
    zone = "America/New_York" if gold else "Asia/Kolkata"
    index = pd.DatetimeIndex(frame["datetime"]).tz_localize("UTC" if gold else zone)
    local = index.tz_convert(zone)
    expected_day = (local.tz_localize(None) + pd.Timedelta(hours=6 if gold else 0)).normalize()
    bars = np.zeros(len(index), BAR)
    bars["start"] = index.tz_convert("UTC").tz_localize(None).as_unit("ns").asi8
    step = 15 * MINUTE if gold else MINUTE

    get_calendar("CMEGlobex_GC" if gold else "NSE").annotate(bars, step)

    assert np.array_equal(bars["day"], expected_day.to_numpy().astype("datetime64[D]").astype(int))
    assert np.array_equal(bars["minute"], local.hour * 60 + local.minute)
    assert np.array_equal(bars["weekday"], local.day_of_week)
    assert (bars["end"] > bars["start"]).all()
    assert (bars["end"][:-1] <= bars["start"][1:]).all()
    first = np.flatnonzero(bars["flags"] & FIRST_OF_DAY)
    assert len(first) == len(np.unique(bars["day"]))


def test_a_prefix_of_a_series_is_annotated_as_in_the_whole() -> None:
    gold = get_calendar("CMEGlobex_GC")
    starts = gold.expected_starts(stamp("2024-11-20"), stamp("2024-12-10"), 15 * MINUTE)

    whole = annotated(gold, 15 * MINUTE, *starts)
    prefix = annotated(gold, 15 * MINUTE, *starts[:500])

    assert np.array_equal(whole[:500], prefix)


def test_a_million_bars_take_less_than_a_third_of_a_second() -> None:
    gold = get_calendar("CMEGlobex_GC")
    bars = np.zeros(1_000_000, BAR)
    bars["start"] = stamp("2021-01-03 23:00") + np.arange(len(bars)) * MINUTE
    seconds = []

    for _ in range(4):
        began = time.perf_counter()
        gold.annotate(bars, MINUTE)
        seconds.append(time.perf_counter() - began)

    print(f"annotate, 1,000,000 bars: {min(seconds):.3f} s")
    assert min(seconds) < 0.3


def test_a_cached_calendar_needs_neither_pandas_nor_the_calendar_library() -> None:
    get_calendar("NSE")  # fills the cache
    program = (
        "import sys, time\n"
        "from core.calendar import get_calendar\n"
        "get_calendar('NSE'); get_calendar('CMEGlobex_GC')\n"
        "print(time.process_time(), 'pandas' in sys.modules)\n"
    )

    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    seconds, pandas_loaded = out.stdout.split()
    print(f"import and two calendars: {seconds} s of CPU")
    assert pandas_loaded == "False"
    assert float(seconds) < 0.6


def test_a_broken_or_unwritable_cache_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import sessions

    monkeypatch.setenv("TOLA_CACHE_DIR", str(tmp_path))
    good = sessions._cached_library_schedule("NSE")
    (file,) = (tmp_path / "calendars").glob("NSE*.npy")
    file.write_bytes(file.read_bytes()[:100])

    again = sessions._cached_library_schedule("NSE")
    monkeypatch.setenv("TOLA_CACHE_DIR", str(file))  # a file where a folder should be
    unwritable = sessions._cached_library_schedule("NSE")

    assert np.array_equal(np.stack(good), np.stack(again))
    assert np.array_equal(np.stack(good), np.stack(unwritable))
    assert not list((tmp_path / "calendars").glob("*.part"))
