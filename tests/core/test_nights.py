from __future__ import annotations

import numpy as np
import pandas as pd

from core.bars import BAR
from core.matching.nights import swap_nights

MINUTE = 60 * 10**9


def bars_at(*starts: str, zone: str = "America/New_York", minutes: int = 15) -> np.ndarray:
    bars = np.zeros(len(starts), BAR)
    bars["start"] = [pd.Timestamp(text, tz=zone).as_unit("ns").value for text in starts]
    bars["end"] = bars["start"] + minutes * MINUTE
    return bars


def test_swap_falls_due_at_seventeen_new_york_and_counts_three_on_wednesday() -> None:
    bars = bars_at(
        "2024-07-09 16:30",  # Tuesday
        "2024-07-09 18:00",  # one roll
        "2024-07-10 16:30",  # none since
        "2024-07-10 17:00",  # Wednesday's roll itself: three
        "2024-07-12 16:30",  # Thursday's
        "2024-07-14 18:00",  # Friday's; Saturday and Sunday are in Wednesday's three
    )

    before, inside = swap_nights(bars, triple_weekday=2)

    assert before.tolist() == [0, 1, 0, 3, 1, 1]
    assert inside.tolist() == [0] * 6


def test_a_roll_inside_a_bar_or_at_its_end_belongs_to_that_bar() -> None:
    bars = bars_at("2024-07-09 16:00", "2024-07-09 18:00", minutes=60)
    through = bars_at("2024-07-09 16:30", minutes=60)

    at_end = swap_nights(bars, triple_weekday=2)
    inside = swap_nights(through, triple_weekday=2)

    assert [part.tolist() for part in at_end] == [[0, 0], [1, 0]]
    assert [part.tolist() for part in inside] == [[0], [1]]


def test_swap_follows_new_york_through_a_clock_change() -> None:
    # Friday 8 March 2024 rolls at 22:00 UTC, Monday 11 March at 21:00 UTC.
    bars = bars_at(
        "2024-03-08 21:30",
        "2024-03-08 22:00",
        "2024-03-11 20:30",
        "2024-03-11 21:00",
        zone="UTC",
    )

    before, inside = swap_nights(bars, triple_weekday=2)

    assert before.tolist() == [0, 1, 0, 1]
    assert inside.tolist() == [0, 0, 0, 0]


def test_no_roll_is_missed_or_counted_twice_over_a_year() -> None:
    starts = pd.date_range("2024-01-01", "2024-12-31", freq="7h", tz="UTC")
    bars = np.zeros(len(starts), BAR)
    bars["start"] = starts.as_unit("ns").asi8
    bars["end"] = bars["start"] + 5 * 60 * MINUTE
    rolls = pd.date_range("2024-01-01 17:00", "2024-12-30 17:00", freq="B", tz="America/New_York")

    before, inside = swap_nights(bars, triple_weekday=-1)

    assert before.sum() + inside.sum() == len(rolls)


def test_without_bars_there_are_no_nights() -> None:
    before, inside = swap_nights(np.zeros(0, BAR), 2)

    assert len(before) == len(inside) == 0
