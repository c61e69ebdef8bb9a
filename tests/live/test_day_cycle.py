"""What is due at which time of a market's day."""

from datetime import UTC, datetime

import pytest

from core.calendar import get_calendar
from live.day_cycle import DayCycle, Due, Phase


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def day(text):
    return at(text) // (86_400 * 10**9)


@pytest.fixture
def nse():
    return DayCycle([get_calendar("NSE")], preflight_minutes=15)


def test_a_day_goes_from_preflight_over_open_to_close(nse):
    times = ["2025-09-15 03:00", "2025-09-15 03:31", "2025-09-15 03:45", "2025-09-15 09:59",
             "2025-09-15 10:00", "2025-09-15 12:00"]  # fmt: skip

    due = [nse.look(at(time)) for time in times]

    today = day("2025-09-15")
    assert due == [
        [], [Due("preflight", today)], [Due("open", today)], [], [Due("close", today)], [],
    ]  # fmt: skip


def test_a_holiday_and_a_weekend_have_nothing_due(nse):
    nse.look(at("2025-10-01 12:00"))

    due = [nse.look(at(f"2025-10-{number:02d} 06:00")) for number in (2, 4, 5)]

    assert due == [[], [], []]
    assert nse.phase_at(at("2025-10-02 06:00")) is Phase.CLOSED
    assert nse.next_open(at("2025-10-03 12:00")) == at("2025-10-06 03:45")


def test_a_sleep_over_a_close_and_an_open_tells_of_neither_twice(nse):
    nse.look(at("2025-09-15 06:00"))

    after = nse.look(at("2025-09-15 11:00"))

    assert after == [Due("close", day("2025-09-15"))]
    assert nse.look(at("2025-09-15 11:01")) == []


def test_gold_is_open_over_the_night_and_closed_in_its_break():
    gold = DayCycle([get_calendar("CMEGlobex_GC")], preflight_minutes=15)

    assert gold.phase_at(at("2025-09-15 03:00")) is Phase.OPEN
    assert gold.phase_at(at("2025-09-15 21:30")) is Phase.CLOSED
    assert gold.phase_at(at("2025-09-15 21:50")) is Phase.PREFLIGHT


def test_an_account_with_two_markets_is_open_while_one_of_them_is():
    both = DayCycle([get_calendar("NSE"), get_calendar("CMEGlobex_GC")])

    assert both.phase_at(at("2025-09-15 12:00")) is Phase.OPEN
