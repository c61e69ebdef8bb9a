"""Cells worked out ahead are those that `starts` and `fitted` tell of each time by itself."""

import numpy as np
import pytest

from core.bars import BAR
from core.calendar import get_calendar
from core.zones import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from feeds.grid import Grid

YEAR = int(np.datetime64("2024-01-01", "ns").astype(np.int64))
CALENDARS = ("CMEGlobex_GC", "NSE", "MCX", "24/7")
STEPS = (NS_PER_SECOND, NS_PER_MINUTE, 5 * NS_PER_MINUTE, 7 * NS_PER_MINUTE, 60 * NS_PER_MINUTE,
         240 * NS_PER_MINUTE, NS_PER_DAY)  # fmt: skip


def by_itself(grid, ts):
    bar = np.zeros(1, BAR)
    bar["start"] = grid.start(ts)
    return grid.fitted(bar)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step // NS_PER_SECOND}s")
@pytest.mark.parametrize("name", CALENDARS)
def test_a_cell_is_what_its_time_alone_tells(name, step):
    calendar = get_calendar(name)
    grid = Grid(calendar, step)
    draw = np.random.default_rng(3)
    times = YEAR + draw.integers(0, 366 * NS_PER_DAY, 150)
    edges = [calendar.opens, calendar.closes]
    for edge in edges:
        near = edge[np.searchsorted(edge, times[:12])]
        times = np.concatenate([times, near - 1, near, near + 1, near + step, near - step])
    known = 0

    for ts in times.tolist():
        cell = grid.cell(ts)
        if cell is not None:
            known += 1
            assert cell.tolist() == by_itself(grid, ts).tolist()
            assert cell["start"][0] <= ts < cell["end"][0]

    assert known > 20 or step == NS_PER_DAY


def test_a_cell_may_be_written_to():
    grid = Grid(get_calendar("24/7"), NS_PER_MINUTE)

    first = grid.cell(YEAR)
    first["close"] = 5.0

    assert grid.cell(YEAR)["close"][0] == 0.0
