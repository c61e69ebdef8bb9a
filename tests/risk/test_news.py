"""News files: CSV and ICS, the built-in list, and what is wrong with a file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import DataError
from risk.news import builtin_events, load_news, select


def when(event):
    return datetime.fromtimestamp(event.ts / 1e9, UTC).isoformat()


def test_a_csv_may_give_offsets_zones_or_date_and_time(tmp_path):
    file = tmp_path / "events.csv"
    file.write_text(
        "# a note\n"
        "Date,Time,Zone,Currency,Impact,Name\n"
        "2025-01-10,08:30,America/New_York,usd,High,Payrolls\n"
        ",2025-01-09T10:00+05:30,,INR,low,Speech\n"
        "2025-07-10,12:00,,EUR,medium,Rates\n"
    )

    events = load_news(file)

    assert [(when(item), item.currency, item.impact) for item in events] == [
        ("2025-01-09T04:30:00+00:00", "INR", "low"),
        ("2025-01-10T13:30:00+00:00", "USD", "high"),
        ("2025-07-10T12:00:00+00:00", "EUR", "medium"),
    ]
    assert [item.name for item in select(events, ["usd", "EUR"], "medium")] == ["Payrolls", "Rates"]


def test_an_ics_gives_start_currency_and_impact(tmp_path):
    file = tmp_path / "events.ics"
    file.write_text(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=America/New_York:20250110T083000\r\n"
        "SUMMARY:USD Nonfarm\r\n  Payrolls\r\nCATEGORIES:High\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nDTSTART:20250111T090000Z\r\nSUMMARY:Rates\r\nCATEGORIES:EUR,Medium\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )

    events = load_news(file)

    assert [(when(item), item.currency, item.impact, item.name) for item in events] == [
        ("2025-01-10T13:30:00+00:00", "USD", "high", "USD Nonfarm Payrolls"),
        ("2025-01-11T09:00:00+00:00", "EUR", "medium", "Rates"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("time,currency\n2025-01-10T08:30,USD\n", "events.csv:1: .*impact"),
        ("time,currency,impact\nsoon,USD,high\n", "events.csv:2: time 'soon'"),
        ("time,currency,impact\n# x\n2025-01-10T08:30,USD,huge\n", "events.csv:3: impact 'huge'"),
        ("time,currency,impact,zone\n2025-01-10T08:30,USD,low,Mars\n", "events.csv:2: zone 'Mars'"),
        ("time,currency,impact\n,,\n", "events.csv:2: time ''"),
    ],
    ids=["column", "time", "impact", "zone", "empty"],
)
def test_a_wrong_line_is_named(tmp_path, text, fault):
    file = tmp_path / "events.csv"
    file.write_text(text)

    with pytest.raises(DataError, match=fault):
        load_news(file)


def test_a_missing_file_and_a_broken_event_are_named(tmp_path):
    broken = tmp_path / "events.ics"
    broken.write_text("BEGIN:VEVENT\nDTSTART:tomorrow\nSUMMARY:x\nEND:VEVENT\n")

    with pytest.raises(DataError, match="tomorrow"):
        load_news(broken)
    with pytest.raises(DataError, match="cannot be read"):
        load_news(tmp_path / "none.csv")


def test_the_built_in_list_holds_known_dates_in_utc():
    """14:00 New York is 18:00 UTC in summer and 19:00 in winter; 10:00 IST is 04:30 UTC."""
    times = {(item.name, when(item)[:16]) for item in builtin_events()}

    assert ("FOMC statement", "2025-06-18T18:00") in times
    assert ("FOMC statement", "2025-12-10T19:00") in times
    assert ("Employment Situation", "2025-01-10T13:30") in times
    assert ("Consumer Price Index", "2025-10-24T12:30") in times
    assert ("RBI policy decision", "2025-04-09T04:30") in times
